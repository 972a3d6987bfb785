"""Text files as UTF-8, written as a whole or not at all."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from electra_ie.common.files import atomic_path


@contextmanager
def text_output(path: Path) -> Iterator[TextIO]:
    """Yield a file to write text to, which replaces `path` at the end. A `.gz` is compressed; line ends are kept."""
    with atomic_path(path) as partial:
        opener = gzip.open if path.suffix.lower() == ".gz" else open
        with opener(partial, "wt", encoding="utf-8", newline="") as file:
            yield file
