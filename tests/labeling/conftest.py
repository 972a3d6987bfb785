"""A browser for all tests of a module."""

from __future__ import annotations

import pytest
import web_servers


@pytest.fixture(scope="module")
def browser():
    with web_servers.chromium() as found:
        yield found
