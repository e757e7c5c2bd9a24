"""Taking an address to serve on, and telling which addresses only this machine can reach. Imports no web server."""

from __future__ import annotations

import ipaddress
import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from aesalign_core.errors import ListenError

MIN_TOKEN = 12
"""Characters."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where something listens.

    Attributes:
        socket: Listening.
        host: For people; of all the machine's addresses, one that others can reach.
        is_loopback: Whether only this machine can reach it.
    """

    socket: socket.socket
    host: str
    is_loopback: bool

    @property
    def port(self) -> int:
        """Which it is."""
        return int(self.socket.getsockname()[1])

    def url(self, token: str | None = None) -> str:
        """What to open."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/" + (f"?token={token}" if token else "")


def bind(host: str, port: int, *, hint: str) -> Address:
    """Takes an address.

    Raises:
        ListenError: There is no such address, or it is taken; with this hint.
    """
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind, protocol)
        if os.name == "posix":
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind(place)
            found.listen()  # whoever opens the address as soon as it is printed waits, and is not refused
        except OSError:
            found.close()
            raise
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ListenError(f"cannot listen on {host}, port {port}: {reason}", hint=hint) from None
    given = ipaddress.ip_address(str(found.getsockname()[0]).partition("%")[0])
    shown = _own_address(family) if given.is_unspecified else str(given)
    return Address(found, shown, given.is_loopback)


def _own_address(family: socket.AddressFamily) -> str:
    """The address of this machine that others see, or its name. Nothing is sent to find out."""
    target = "2001:db8::1" if family == socket.AF_INET6 else "192.0.2.1"
    with socket.socket(family, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect((target, 9))
        return str(probe.getsockname()[0])
    return socket.gethostname()


def own_token(variable: str | None, *, hint: str) -> str | None:
    """The token in an environment variable; None where none is named.

    Raises:
        ListenError: It holds none, or one that is too short; with this hint.
    """
    if variable is None:
        return None
    token = os.environ.get(variable, "").strip()
    if len(token) < MIN_TOKEN:
        raise ListenError(f"the environment variable {variable} holds no token of {MIN_TOKEN} characters", hint=hint)
    return token


def host_name(host: str) -> str:
    """The name in a `Host` header; empty if it is malformed."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def is_loopback_host(host: str) -> bool:
    """Whether a `Host` header names this machine alone: anything else, on loopback, is DNS rebinding."""
    name = host_name(host)
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
