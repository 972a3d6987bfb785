"""SHA-256 sums of files, models and documents: what tells one from another. `sha256sum` gives the same."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path

PACKAGE = "electra_ie"
WEIGHTS = "model.safetensors"
SHOWN = 16
"""Digits of a model's hash that a finding bears: no two models of anybody share 64 bits by chance."""


@cache
def package_version() -> str:
    """The installed version of this package."""
    return version(PACKAGE)


def of_file(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def of_text(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def of_sums(sums: Mapping[str, str]) -> str:
    """One sum for several files: of the lines that `sha256sum` prints of them, in the order of their names."""
    lines = (f"{sums[name]}  {name}\n" for name in sorted(sums))
    return of_text("".join(lines))


def of_path(path: Path) -> str:
    """Of a file; of a folder `of_sums` of the files in it, at any depth."""
    if not path.is_dir():
        return of_file(path)
    files = (file for file in path.rglob("*") if file.is_file())
    return of_sums({file.relative_to(path).as_posix(): of_file(file) for file in files})
