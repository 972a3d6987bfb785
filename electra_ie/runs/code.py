"""The code of this package and the versions of others, as an audit records them."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

from electra_ie.common import hashing
from electra_ie.common.files import ROOT

CODE = (".py", ".css", ".js")
"""Suffixes of the files that are code: the modules, and style sheet and script of the HTML report."""
TASKS = "tasks"
"""The folder of shipped tasks: inside the package in a wheel, next to it in a checkout. It is not part of the code."""


def code_now() -> dict[str, str]:
    """Return the version of this package and the hash of its modules, which also changes with local edits."""
    names = {file: file.relative_to(ROOT) for file in ROOT.rglob("*") if file.suffix in CODE}
    modules = {file: name for file, name in names.items() if name.parts[0] != TASKS}
    code = hashing.of_sums({name.as_posix(): hashing.of_file(file) for file, name in modules.items()})
    return {hashing.PACKAGE: hashing.package_version(), "modules": code}


def interpreter_now() -> dict[str, str]:
    """Return the version of Python, and the platform."""
    return {"python": platform.python_version(), "platform": f"{platform.system()} {platform.machine()}"}


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the installed version of each package, "none" for one that is not installed."""
    return {package: _version(package) for package in packages}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"
