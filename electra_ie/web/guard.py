"""What every request and every answer of a local server passes: names, origins, tokens, limits, and headers."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from electra_ie.common.logs import warn
from electra_ie.web.access import Access
from electra_ie.web.errors import RequestError, described, error_response

SIGN_IN = "/sign-in"
OPEN_PATHS = ("/health", "/ready", SIGN_IN)
"""Paths that need no token, beside /static/."""
READING = ("GET", "HEAD", "OPTIONS")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # none to others; without any, forms would send no origin
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
"""The headers of every answer, unless it has one of them already. Pages load nothing from elsewhere, run no script that
is written in the page, and cannot make markup of a text: trusted types make `innerHTML` an error."""
DRAINED_SECONDS = 2.0
"""How long the rest of a body that was refused is read and dropped: most clients read the answer only after sending."""


@dataclass(frozen=True)
class Limits:
    """Limits of a request.

    Attributes:
        bytes: The largest body.
        body_seconds: The longest time in which a body arrives.
    """

    bytes: int = 1_000_000
    body_seconds: float = 30.0


class Guard:
    """ASGI middleware that admits a request, bounds it, and gives its answer the headers of `HEADERS`.

    A request is refused if its Host header is not a name of the server (421), if another web page sends it (403), if it
    has no token (401, or the page to sign in), or if its body is too large (413) or too slow (408). An error of the
    program is answered with 500, and logged by its type and place: its message could quote a text.

    HEAD is answered as GET, without the body. Only the page to sign in refuses it: HEAD must change nothing, and its
    link works once.
    """

    def __init__(self, app: ASGIApp, access: Access, limits: Limits) -> None:
        self.app, self.access, self.limits = app, access, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        has_body = scope["method"] != "HEAD"
        if not has_body and scope["path"] != SIGN_IN:
            scope = {**scope, "method": "GET"}
        incoming, outgoing = _Incoming(receive, self.limits), _Outgoing(send, has_body)
        refusal = self._refusal(scope["method"], scope["path"], Headers(scope=scope))
        try:
            await (refusal or self.app)(scope, incoming.receive, outgoing.send)
        except Exception as error:
            warn(f"a request failed with {described(error)}; it was answered with status 500.")
            if not outgoing.is_started:
                await error_response(500, "the server failed to answer.")(scope, receive, outgoing.send)
        if outgoing.is_closing and not incoming.is_complete:
            await incoming.drain()
        await outgoing.finish()

    def _refusal(self, method: str, path: str, headers: Headers) -> Response | None:
        """Return the answer to a request that is not admitted, None for one that is."""
        host = headers.get("host", "")
        if not self.access.is_host(host):
            remedy = "Use localhost or the address, or start the server with this name: --allow-host NAME."
            return error_response(421, "the Host header does not name this server.", remedy)
        if method not in READING and not _is_own(headers, host):
            return error_response(403, "the request comes from another web page.", "Use the page of this server.")
        if not self._is_admitted(path, headers):
            if method == "GET" and "text/html" in headers.get("accept", ""):
                return RedirectResponse(SIGN_IN, 303)
            remedy = "Send the header Authorization: Bearer TOKEN, or sign in at /sign-in."
            return error_response(401, "the token is missing or wrong.", remedy, headers={"WWW-Authenticate": "Bearer"})
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > self.limits.bytes:
            return error_response(413, *too_large(self.limits.bytes))
        return None

    def _is_admitted(self, path: str, headers: Headers) -> bool:
        if self.access.token is None or path in OPEN_PATHS or path.startswith("/static/"):
            return True
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self.access.is_token(token.strip()):
            return True
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(self.access.cookie)
        except CookieError:
            return False
        return self.access.is_session(cookie.value if cookie else None)


def too_large(limit: int) -> tuple[str, str]:
    """Return message and remedy for a body with more bytes than the limit."""
    return f"the body has more than {limit:,} bytes.", "Send less at once."


def _is_own(headers: Headers, host: str) -> bool:
    """Return whether a request comes from a page of this server, or from no page at all."""
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or origin.lower().partition("://")[2] == host.lower()


class _Incoming:
    """The body of a request, as it arrives: bounded in bytes and in time."""

    def __init__(self, receive: Receive, limits: Limits) -> None:
        self._receive, self._limits = receive, limits
        self._bytes, self._deadline = 0, time.monotonic() + limits.body_seconds
        self.is_complete = False

    async def receive(self) -> Message:
        """Return the next part. Raises RequestError for a body that is too large (413) or too slow (408)."""
        if self.is_complete:  # what follows is that the client hangs up, at any time
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), max(0.0, self._deadline - time.monotonic()))
        except TimeoutError:
            raise RequestError(408, f"the body did not arrive in {self._limits.body_seconds:g} seconds.") from None
        self._bytes += len(message.get("body", b""))
        if self._bytes > self._limits.bytes:
            raise RequestError(413, *too_large(self._limits.bytes))
        self.is_complete = not message.get("more_body", False)
        return message

    async def drain(self) -> None:
        """Read and drop the rest of the body for a while, so that the client reads its answer instead of an error."""
        try:
            async with asyncio.timeout(DRAINED_SECONDS):
                while (await self._receive()).get("more_body", False):
                    pass
        except TimeoutError:
            pass


class _Outgoing:
    """The answer to a request, with the headers, and without a body for HEAD."""

    def __init__(self, send: Send, has_body: bool) -> None:
        self._send, self._has_body = send, has_body
        self.is_started = self.is_closing = self._is_held = False

    async def send(self, message: Message) -> None:
        """Send the next part. The end of an answer that closes the connection waits for `finish`."""
        if message["type"] == "http.response.start":
            self.is_started = True
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            self.is_closing = message["status"] in (401, 403, 408, 413, 421)
            if self.is_closing:  # the rest of the body, if there is any, is no request
                headers["Connection"] = "close"
        else:
            if not self._has_body:
                message = {**message, "body": b""}
            if self.is_closing and not message.get("more_body", False):
                self._is_held, message = True, {**message, "more_body": True}
        await self._send(message)

    async def finish(self) -> None:
        """End an answer that closes the connection."""
        if self._is_held:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
