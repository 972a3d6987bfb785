"""SHA-256 hashes of files, folders, models and texts. Those of files are what `sha256sum` prints."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path

PACKAGE = "electra_ie"
WEIGHTS = "model.safetensors"
SHOWN = 16
"""Hex digits of a model's hash in its findings: 64 bits, too many for two models to share them by chance."""


@cache
def package_version() -> str:
    """Return the installed version of this package."""
    return version(PACKAGE)


def of_file(path: Path) -> str:
    """Return the hash of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def of_text(text: str) -> str:
    """Return the hash of a text as UTF-8."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def of_sums(sums: Mapping[str, str]) -> str:
    """Return one hash for several files, by name: that of the lines `sha256sum` prints for them, sorted by name."""
    lines = (f"{sums[name]}  {name}\n" for name in sorted(sums))
    return of_text("".join(lines))


def of_path(path: Path) -> str:
    """Return the hash of a file, or for a folder `of_sums` of all files below it."""
    if not path.is_dir():
        return of_file(path)
    files = (file for file in path.rglob("*") if file.is_file())
    return of_sums({file.relative_to(path).as_posix(): of_file(file) for file in files})
