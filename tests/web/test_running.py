"""Running a server: ports, addresses, its end, and packages that are missing."""

from __future__ import annotations

import signal
import socket
import time

import httpx
import processes
import pytest

from electra_ie.common.errors import UserError
from electra_ie.web import installed
from electra_ie.web.running import address, listen

SCRIPT = """
import sys, time
from electra_ie.web.access import Access
from electra_ie.web.app import create_app
from electra_ie.web.running import run
app = create_app("Test", Access({token!r}))
@app.get("/slow")
def slow() -> str:
    time.sleep(1)
    return "done"
run(app, {host!r}, 0, started=lambda address: print(address, flush=True))
print("ended", flush=True)
"""


def started(folder, host="127.0.0.1", token=None):
    """Start a server in another process, and return the process and the address that it prints."""
    output = folder / "output"
    process = processes.start(["-c", SCRIPT.format(host=host, token=token)], folder / "messages", output=output)
    deadline = time.monotonic() + 60
    while not (output.exists() and "\n" in output.read_text("utf-8")):
        assert process.is_alive() and time.monotonic() < deadline, (folder / "messages").read_text("utf-8")
        time.sleep(0.05)
    return process, output.read_text("utf-8").strip()


@pytest.mark.unix("signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_ends_a_server_after_the_requests_in_work(tmp_path, name):
    process, where = started(tmp_path)
    with socket.create_connection(("127.0.0.1", int(where.strip("/").rpartition(":")[2]))) as client:
        client.sendall(b"GET /slow HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        time.sleep(0.3)
        processes.os.kill(process.pid, getattr(signal, name))
        client.settimeout(20)
        received = b""
        while part := client.recv(65536):
            received += part
    process.join(20)
    assert received.endswith(b'"done"')
    assert process.exitcode == 0
    assert (tmp_path / "output").read_text("utf-8").endswith("ended\n")
    assert (tmp_path / "messages").read_text("utf-8") == ""


def test_an_open_port_without_a_token_is_warned_about(tmp_path):
    process, where = started(tmp_path, host="0.0.0.0")
    try:
        assert where.startswith("http://localhost:") and httpx.get(where + "static/text.js").status_code == 200
    finally:
        process.terminate()
        process.join(20)
    assert "no token is set" in (tmp_path / "messages").read_text("utf-8")


def test_a_server_with_a_token_prints_a_link_that_signs_in(tmp_path):
    process, where = started(tmp_path, token="correct-horse-battery")
    try:
        assert httpx.get(where).headers["location"] == "/" and "correct" not in where
    finally:
        process.terminate()
        process.join(20)


def test_a_port_that_is_taken_is_an_error_of_the_user():
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=rf"port {port} of 127\.0\.0\.1 is taken by another program\. .*--port 0"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "port", "message"),
    [
        ("192.0.2.1", 8124, r"^192\.0\.2\.1 is not an address of this machine\. Give --host .*127\.0\.0\.1"),
        ("no such host", 0, "is no address"),
        ("127.0.0.1", 70000, "cannot be used|is no address"),
    ],
)
def test_an_address_that_is_none_is_an_error_of_the_user(host, port, message):
    with pytest.raises(UserError, match=message) as raised:
        listen(host, port)
    assert "--port 0" not in str(raised.value)


def test_an_address_is_one_that_a_browser_opens():
    for host, shown in (("127.0.0.1", "http://127.0.0.1:"), ("0.0.0.0", "http://localhost:"), ("localhost", "http://")):
        with listen(host, 0) as bound:
            assert address(bound) == f"{shown}{bound.getsockname()[1]}" or host == "localhost"


def test_a_missing_package_is_named_with_its_remedy(monkeypatch):
    installed.require_server("serve")
    monkeypatch.setitem(installed.PACKAGES, "no_such_module", "no-such-package")
    with pytest.raises(UserError, match=r"serve needs no-such-package.*pip install 'electra_ie\[serve\]'"):
        installed.require_server("serve")
