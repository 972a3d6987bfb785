"""Who may send requests to a local server: names of the server, a token, and the browsers that have signed in."""

from __future__ import annotations

import hmac
import ipaddress
import os
import secrets
import socket
from collections.abc import Iterable
from pathlib import Path

from electra_ie.common.errors import UserError

VARIABLE = "ELECTRA_IE_TOKEN"
"""The environment variable of the token."""
SHORTEST = 16
"""The fewest characters of a token."""
MOST_SESSIONS = 1000


class Access:
    """The token of a server, the names that it may be reached by, and the browsers that have signed in.

    A program sends the token in each request (`Authorization: Bearer TOKEN`). A browser signs in once, with the token
    or by a link that works once, and then sends a cookie.

    Args:
        token: The token. None: anyone who reaches the port may send requests.
        hosts: Names by which the server may be reached, beside localhost, the machine's name and numeric addresses. A
            web page whose name is made to resolve to this machine (DNS rebinding) has none of them.
    """

    def __init__(self, token: str | None = None, hosts: Iterable[str] = ()) -> None:
        self.token = token
        self.hosts = {"localhost", *(name.lower() for name in (socket.gethostname(), *hosts))}
        self.cookie = f"electra_ie_{secrets.token_hex(4)}"
        """The name of the cookie: cookies do not tell ports apart, and two servers may run."""
        self._sessions: dict[str, None] = {}
        self._key: str | None = None

    def is_host(self, header: str) -> bool:
        """Return whether a Host header names this server."""
        name = host_name(header)
        if name is None:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in self.hosts
        return True

    def is_token(self, token: str) -> bool:
        """Return whether this is the token, in a time that does not tell how much of it is right."""
        return self.token is not None and hmac.compare_digest(token.encode("utf-8"), self.token.encode("utf-8"))

    def is_session(self, value: str | None) -> bool:
        """Return whether a browser with this cookie has signed in."""
        return value is not None and value in self._sessions

    def new_session(self) -> str:
        """Return the value of the cookie for a browser that signs in. The oldest of a thousand is signed out."""
        value = secrets.token_urlsafe(32)
        self._sessions[value] = None
        while len(self._sessions) > MOST_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        return value

    def first_path(self) -> str:
        """Return the path to open in a browser: with a token, a link that signs in and works once."""
        if self.token is None:
            return "/"
        self._key = secrets.token_urlsafe(32)
        return f"/sign-in?key={self._key}"

    def use_key(self, key: str) -> bool:
        """Return whether this is the key of the link that works once, which it does not from then on."""
        if self._key is None or not hmac.compare_digest(key.encode("utf-8"), self._key.encode("utf-8")):
            return False
        self._key = None
        return True


def host_name(header: str) -> str | None:
    """Return the name in a Host header in lower case, without port and brackets; None if it is malformed."""
    header = header.strip().lower()
    if header.startswith("["):
        name, bracket, port = header[1:].partition("]")
        port = port.removeprefix(":")
    else:
        name, _, port = header.partition(":")
        bracket = "]"
    return name.rstrip(".") if bracket and name and (not port or port.isdigit()) else None


def read_token(file: str | os.PathLike[str] | None = None) -> str | None:
    """Return the token of a file, else that of the environment variable ELECTRA_IE_TOKEN, else None.

    Raises:
        UserError: The file cannot be read, or the token is short or has other characters than printable ASCII.
    """
    token, source = os.environ.get(VARIABLE), Path(VARIABLE)
    if file is not None:
        source = Path(file)
        try:
            token = source.read_text("utf-8").strip()
        except (OSError, ValueError) as error:
            remedy = "Give a text file with the token in its first line."
            raise UserError("the token cannot be read.", file=file, remedy=remedy) from error
    elif not token:
        return None
    assert token is not None
    if len(token) < SHORTEST or not (token.isascii() and token.isprintable() and " " not in token):
        remedy = 'For example: python -c "import secrets; print(secrets.token_urlsafe(32))"'
        message = f"the token must have at least {SHORTEST} characters, all of them printable ASCII without spaces."
        raise UserError(message, file=source, remedy=remedy)
    return token
