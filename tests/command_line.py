"""The command line, called within the process of a test."""

from __future__ import annotations

import sys

import pytest

from electra_ie.cli.app import main


def command(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Run the command line and return the exit code."""
    monkeypatch.setattr(sys, "argv", ["electra-ie", *map(str, arguments)])
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0
