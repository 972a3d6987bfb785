"""Check that the packages of the extra `serve` are installed, before a module is imported that needs them."""

from __future__ import annotations

from importlib.util import find_spec

from electra_ie.common.errors import UserError

PACKAGES = {
    "fastapi": "fastapi",
    "prometheus_client": "prometheus-client",
    "python_multipart": "python-multipart",
    "uvicorn": "uvicorn",
}
"""The modules of the extra, and the packages that they are in."""


def require_server(command: str) -> None:
    """Check that a server can be run.

    Args:
        command: What needs it, for the message, such as `serve`.

    Raises:
        UserError: A package of the extra is not installed.
    """
    missing = [package for module, package in PACKAGES.items() if find_spec(module) is None]
    if missing:
        remedy = "Run: pip install 'electra_ie[serve]'"
        raise UserError(f"{command} needs {', '.join(missing)}, which is not installed.", remedy=remedy)
