"""What makes tiny runs cheap in every process of the tests: no pictures, few features, installed packages read once."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PLACEHOLDER = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c4944415478da63f8ffff3f0005fe02fe331295140000000049454e44ae426082"
)
"""A valid PNG of one white pixel."""
FEATURES = 2**12
"""Columns for the spellings of co-training, many for the few words of the tests. The true number takes a second."""


def plot_savers() -> dict[str, Callable[..., None]]:
    """Return the public functions of `electra_ie.runs.plots` that save a figure to a path."""
    from electra_ie.runs import plots

    own = {name: value for name, value in vars(plots).items() if getattr(value, "__module__", None) == plots.__name__}
    functions = {name: value for name, value in own.items() if inspect.isfunction(value) and name[0] != "_"}
    return {name: value for name, value in functions.items() if "path" in inspect.signature(value).parameters}


def placeholder_saver(saver: Callable[..., None]) -> Callable[..., None]:
    """Return a function with the signature of `saver` that saves a placeholder instead of drawing."""
    signature = inspect.signature(saver)

    def save(*args: Any, **kwargs: Any) -> None:
        Path(signature.bind(*args, **kwargs).arguments["path"]).write_bytes(PLACEHOLDER)

    return save


@functools.cache
def packages() -> str:
    """Return the hash of the installed packages, which takes longer than a tiny run and stays the same."""
    from electra_ie.runs import provenance

    return provenance.packages_sum()


def lighten(patch: pytest.MonkeyPatch) -> dict[str, Callable[..., None]]:
    """Make the runs of this process light, and return the functions that draw."""
    from electra_ie.runs import code, plots, provenance
    from electra_ie.training.pseudo_labels import spelling

    packages()
    savers = plot_savers()
    for name, saver in savers.items():
        patch.setattr(plots, name, placeholder_saver(saver))
    patch.setattr(spelling, "FEATURES", FEATURES)
    patch.setattr(provenance, "packages_sum", packages)
    patch.setattr(code, "version", functools.cache(code.version))
    return savers
