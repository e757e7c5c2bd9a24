"""The page on a socket, until the work is done or somebody stops it."""

from __future__ import annotations

import ipaddress
import os
import secrets
import socket
import threading
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from aesalign_core.errors import EvaluationError
from aesalign_core.messages import note
from aesalign_human.closing import Closing
from aesalign_human.guard import Door
from aesalign_human.pictures import Pictures
from aesalign_human.settings import HumanSettings
from aesalign_human.website import Site
from aesalign_human.work import Work

MIN_TOKEN = 12
_TICK, _EXPORT = 0.5, 20.0
_CONNECTIONS = 512
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Address:
    """Where the page listens.

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

    def url(self, token: str | None) -> str:
        """What to open."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/" + (f"?token={token}" if token else "")


def serve(work: Work, paths: dict[str, Path], settings: HumanSettings, *, progress: Progress | None = None) -> None:
    """Serves until every comparison has its votes, somebody finishes it on the page, or Ctrl-C.

    Raises:
        EvaluationError: It cannot listen there, or the token is none.
    """
    token = _own_token(settings.token_env)
    address = bind(settings.host, settings.port)
    with address.socket:
        token = token or (None if address.is_loopback else secrets.token_urlsafe(24))
        pictures, closing = Pictures(paths), Closing(work)
        site = Site(work, pictures, Door(address.port, token), closing)
        server = uvicorn.Server(
            uvicorn.Config(
                site.app(), log_config=None, access_log=False, lifespan="off", ws="none", http="h11", loop="asyncio",
                server_header=False, timeout_graceful_shutdown=2, limit_concurrency=_CONNECTIONS,
            )
        )  # fmt: skip
        # Not in the main thread, which is the one that Ctrl-C interrupts.
        thread = threading.Thread(target=server.run, kwargs={"sockets": [address.socket]}, name="aesalign-page")
        thread.start()
        try:
            _announce(address.url(token), work, settings)
            _watch(thread, work, closing, progress)
        except KeyboardInterrupt:
            note("stopped; these are the votes so far")
        finally:
            server.should_exit = True
            thread.join()
            pictures.close()
            if progress:
                progress(*work.given())  # the last votes came since the last look


def bind(host: str, port: int) -> Address:
    """Takes an address.

    Raises:
        EvaluationError: There is no such address, or it is taken.
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
        raise EvaluationError(
            f"cannot listen on {host}, port {port}: {reason}", hint="judge.port=0 takes any free port"
        ) from None
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


def _own_token(variable: str | None) -> str | None:
    if variable is None:
        return None
    token = os.environ.get(variable, "").strip()
    if len(token) < MIN_TOKEN:
        raise EvaluationError(
            f"the environment variable {variable} holds no token of {MIN_TOKEN} characters",
            hint="set it, or leave judge.token_env out",
        )
    return token


def _announce(url: str, work: Work, settings: HumanSettings) -> None:
    given, wanted = work.given()
    note(f"vote at {url}")
    note(f"{given} of {wanted} votes are there; they are kept in {settings.votes}; Ctrl-C ends with what there is")
    if settings.browser:
        webbrowser.open(url)


def _watch(thread: threading.Thread, work: Work, closing: Closing, progress: Progress | None) -> None:
    ticks = 0
    while thread.is_alive():
        if progress:
            progress(*work.given())
        if closing.wait(_TICK):
            return
        ticks += 1
        if ticks % round(_EXPORT / _TICK) == 0:
            work.votes.export()
    raise EvaluationError("the page's server has stopped by itself", hint="the votes are kept; start it again")
