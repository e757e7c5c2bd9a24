"""The page on a socket, until the work is done or somebody stops it."""

from __future__ import annotations

import secrets
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path

import uvicorn

from aesalign_core.errors import EvaluationError
from aesalign_core.listening import bind, own_token
from aesalign_core.messages import note
from aesalign_human.closing import Closing
from aesalign_human.guard import Door
from aesalign_human.pictures import Pictures
from aesalign_human.settings import HumanSettings
from aesalign_human.website import Site
from aesalign_human.work import Work

_TICK, _EXPORT = 0.5, 20.0
_CONNECTIONS = 512
Progress = Callable[[int, int], None]


def serve(work: Work, paths: dict[str, Path], settings: HumanSettings, *, progress: Progress | None = None) -> None:
    """Serves until every comparison has its votes, somebody finishes it on the page, or Ctrl-C.

    Raises:
        ListenError: It cannot listen there, or the token is none.
        EvaluationError: The server stopped by itself.
    """
    token = own_token(settings.token_env, hint="set it, or leave judge.token_env out")
    address = bind(settings.host, settings.port, hint="judge.port=0 takes any free port")
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
