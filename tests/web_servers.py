"""Local servers and browsers for tests of pages: a server in a thread of this process, Debian's Chromium without a window."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from electra_ie.web.running import Server, address, listen


@contextmanager
def serving(app) -> Iterator[str]:
    """Run an application on a free port of this machine and yield its address."""
    started = threading.Event()
    with listen("127.0.0.1", 0) as listening:
        server = Server(app, started.set)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            assert started.wait(30)
            yield address(listening)
        finally:
            server.should_exit = server.force_exit = True
            thread.join(30)


@contextmanager
def chromium():
    """Yield a Chromium without a window; skip the test where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("there is no chromium on this machine")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def without_errors(page, expected=None):
    """Fail if the page logs another error than `expected` meanwhile, such as a violation of the policy."""
    errors = []
    listeners = {
        "pageerror": lambda error: errors.append(str(error)),
        "console": lambda line: errors.append(line.text) if line.type == "error" else None,
    }
    for event, listener in listeners.items():
        page.on(event, listener)
    yield
    for event, listener in listeners.items():
        page.remove_listener(event, listener)
    assert not [error for error in errors if expected is None or expected not in error]


@contextmanager
def page_of(browser, expected=None, **settings):
    """Yield a new page that fails the test if it logs another error than `expected`."""
    context = browser.new_context(**settings)
    page = context.new_page()
    with without_errors(page, expected):
        yield page
        context.close()


@contextmanager
def tab_of(browser):
    """Yield a page for several tests, each of which loads its site: a new page costs more than most of them."""
    with contextlib.closing(browser.new_context()) as context:
        yield context.new_page()


def raw(address: str, sent: bytes, seconds: float = 20) -> bytes:
    """Send bytes to a server and return all that it answers until it closes the connection."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=seconds) as connection:
        connection.sendall(sent)
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def status_and_json(answer: bytes) -> tuple[int, dict]:
    """Return the status of an answer of HTTP, and its body, which is JSON."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)
