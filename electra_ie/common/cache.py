"""The cache folder of what can be computed again: tokenized corpora, vocabularies, and encoders."""

from __future__ import annotations

import os
from pathlib import Path

CACHE = "ELECTRA_IE_CACHE"
"""The environment variable that sets the cache folder."""


def cache_folder() -> Path:
    """Return the cache folder: $ELECTRA_IE_CACHE, else one in the user's cache folder."""
    configured = os.environ.get(CACHE)
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(configured) if configured else base / "electra_ie" / "corpora"
