"""Running an application: the port, the end by Ctrl-C or SIGTERM, and connections that send no request."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from electra_ie.common.errors import UserError
from electra_ie.common.logs import warn
from electra_ie.web.access import Access

HEADER_SECONDS = 15.0
"""The longest time in which the headers of a request arrive."""
WRITE_SECONDS = 60.0
"""The longest time in which a client takes what waits for it in memory."""
IDLE_SECONDS = 15
"""How long a connection stays open between two requests."""
MOST_CONNECTIONS = 500
"""Open connections and requests in work; those beyond are answered with 503."""
GRACE_SECONDS = 10
"""How long requests in work may take when the server ends."""
LARGEST_HEADERS = 32_768
LAST_PORT = 65_535


def run(app: FastAPI, host: str = "127.0.0.1", port: int = 0, *, started: Callable[[str], None]) -> None:
    """Run an application until Ctrl-C or SIGTERM, then finish the requests in work and return.

    Args:
        app: The application, of `web.app.create_app`.
        host: The address to listen on. Anything but loopback without a token is warned about.
        port: The port; 0 for one that is free.
        started: Called with the address once requests are answered: `http://127.0.0.1:8000/`, or with a token the link
            that signs a browser in. The command line prints it.

    Raises:
        UserError: The port is taken, or the address is not one of this machine.
    """
    with listen(host, port) as listening:
        run_on(listening, app, started)


def run_on(listening: socket.socket, app: FastAPI, started: Callable[[str], None]) -> None:
    """Run an application as `run` does, on the socket that `listen` has returned."""
    access: Access = app.state.access
    if access.token is None and not _is_loopback(listening):
        port = listening.getsockname()[1]
        warn(f"no token is set: anyone who reaches port {port} of this machine can send requests.")
    Server(app, lambda: started(address(listening) + access.first_path())).run([listening])


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to an address.

    Raises:
        UserError: The port is taken or not permitted, or the address is not one of this machine.
    """
    shown = f"port {port} of {host}"
    try:
        if not 0 <= port <= LAST_PORT:
            raise OverflowError
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, OverflowError, UnicodeError) as error:
        remedy = "Give an address of this machine, such as 127.0.0.1, and a port from 0 to 65535."
        raise UserError(f"{shown} is no address.", remedy=remedy) from error
    bound = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":  # elsewhere it would let two servers share a port
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(where)
        bound.listen(1024)
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRNOTAVAIL:
            remedy = "Give --host one, such as 127.0.0.1, or 0.0.0.0 for all of them."
            raise UserError(f"{host} is not an address of this machine.", remedy=remedy) from error
        reason = {
            errno.EADDRINUSE: "is taken by another program",
            errno.EACCES: "may not be used by this user",
        }.get(error.errno or 0, f"cannot be used: {error.strerror}")
        remedy = "Give another one, such as --port 0 for one that is free."
        raise UserError(f"{shown} {reason}.", remedy=remedy) from error
    return bound


def address(bound: socket.socket) -> str:
    """Return the address of a bound socket, such as `http://127.0.0.1:8000`, by which this machine reaches it."""
    host, port = bound.getsockname()[:2]
    where = ipaddress.ip_address(host.partition("%")[0])
    if where.is_unspecified:
        return f"http://localhost:{port}"
    return f"http://{host}:{port}" if isinstance(where, ipaddress.IPv4Address) else f"http://[{host}]:{port}"


def _is_loopback(bound: socket.socket) -> bool:
    return ipaddress.ip_address(bound.getsockname()[0].partition("%")[0]).is_loopback


class Server(uvicorn.Server):
    """uvicorn that ends with a return, not with the signal that ended it, and says when it has started.

    Args:
        app: The application.
        started: Called once requests are answered.
    """

    def __init__(self, app: FastAPI, started: Callable[[], None]) -> None:
        config = uvicorn.Config(
            app,
            http=Protocol,
            ws="none",
            loop="asyncio",
            log_config=None,
            log_level="critical",  # its messages name paths with their queries
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
            h11_max_incomplete_event_size=LARGEST_HEADERS,
        )
        super().__init__(config)
        self._on_start = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then call what waits for it."""
        await super().startup(sockets)
        self._on_start()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End at Ctrl-C or SIGTERM; a second Ctrl-C does not wait for the requests in work."""
        try:
            before = {name: signal.signal(name, self.handle_exit) for name in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # signals reach the main thread only; another one is ended by `should_exit`
            before = {}
        try:
            yield
        finally:
            for name, handler in before.items():
                signal.signal(name, handler)


class Protocol(H11Protocol):
    """HTTP/1.1 that ends a connection whose client is too slow, and answers a malformed request with JSON."""

    _timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait_or_not()

    def data_received(self, data: bytes) -> None:
        """Read a part of a request."""
        super().data_received(data)
        self._wait_or_not()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop()
        self._stop_write_timer()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Begin to wait for the client, which does not read as fast as the answer is written."""
        super().pause_writing()
        self._write_timer = self.loop.call_later(WRITE_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Write on."""
        self._stop_write_timer()
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, also one whose client has not read all."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        super().timeout_keep_alive_handler()

    def on_response_complete(self) -> None:
        """End a request. The time that may pass until the next one is that of uvicorn."""
        self._stop()
        super().on_response_complete()

    def _wait_or_not(self) -> None:
        """Wait for the end of the headers from their first byte on, until a request is in work."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop()
        elif self._timer is None:
            self._timer = self.loop.call_later(HEADER_SECONDS, self._cut)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _cut(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self._refuse(408, "the request did not arrive in time.")

    def send_400_response(self, msg: str) -> None:
        """Answer to what is not HTTP."""
        self._refuse(400, "this is not a request of HTTP/1.1.")

    def _refuse(self, status: int, message: str) -> None:
        """Write an answer that no application sees, and close; only close if another answer has begun."""
        if self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete:
            self.transport.close()
            return
        error = {"status": status, "message": message, "remedy": "", "faults": []}
        body = json.dumps({"error": error}).encode("ascii")
        head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
        fields = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        self.transport.write((head + fields).encode("ascii") + body)
        self.transport.close()
