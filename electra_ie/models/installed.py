"""Files of encoders that are installed as Python packages, found without importing the package and verified."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

from electra_ie.common.errors import UserError
from electra_ie.common.hashing import of_file


def installed_file(package: str, path: str, sha256: str, encoder: str, install: str) -> Path:
    """Return a file of an installed package, whose hash is verified once as long as the file does not change.

    Args:
        package: The name under which the package is imported.
        path: The path of the file in the package's folder.
        sha256: The SHA-256 of the file.
        encoder: The name of the encoder, for errors.
        install: The command that installs the package.

    Raises:
        UserError: the package is not installed, or the file is missing or has another hash.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"the encoder {encoder} is not installed.", remedy=f"Run: {install}")
    file = Path(spec.submodule_search_locations[0]) / path
    again = f"Run: {install} --force-reinstall"
    if not file.is_file():
        raise UserError("this file is missing.", file=file, remedy=again)
    if hash_once(file) != sha256:
        raise UserError(f"these weights are not those of {encoder} (SHA-256 differs).", file=file, remedy=again)
    return file


def hash_once(file: Path) -> str:
    """Return the SHA-256 of a file, which is read again only if its modification time or size has changed."""
    state = file.stat()
    return _hash(file, state.st_mtime_ns, state.st_size)


@cache
def _hash(file: Path, changed: int, size: int) -> str:
    return of_file(file)
