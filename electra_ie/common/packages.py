"""Packages that only some inputs, outputs or commands need."""

from __future__ import annotations

import os
from importlib.util import find_spec

from electra_ie.common.errors import UserError


def require_package(package: str, what: str, *, file: str | os.PathLike[str] | None = None, install: str = "") -> None:
    """Raise UserError if a package is not installed.

    Args:
        package: The name of its module.
        what: What needs it, for the message: "Parquet".
        file: The file that needs it.
        install: What pip installs, if that is not the package.
    """
    if find_spec(package) is None:
        message = f"{what} needs the package {package}, which is not installed."
        raise UserError(message, file=file, remedy=f"Run: pip install {install or package}")
