"""Writing and reading of the files of a test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from electra_ie.common.errors import UserError
from electra_ie.data.document import Document
from electra_ie.data.fields import Field
from electra_ie.data.readers import READERS


def write(folder: Path, name: str, content: str | bytes) -> Path:
    """Write a file below a folder, and return its path."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def lines_of(*records: dict[str, Any]) -> str:
    """Return records as JSON lines."""
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def read(format: str, path: Path, *fields: Field, **options: object) -> list[Document]:
    """Return the documents of a file."""
    return list(READERS[format].read(path, fields, options))


def refusal(format: str, path: Path, *fields: Field, **options: object) -> str:
    """Return the message with which a file is refused."""
    with pytest.raises(UserError) as caught:
        read(format, path, *fields, **options)
    return str(caught.value)
