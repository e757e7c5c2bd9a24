"""The service on a socket, until somebody stops it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import uvicorn

from aesalign_core.errors import ListenError
from aesalign_core.listening import Address, bind, own_token
from aesalign_core.messages import note
from aesalign_serve.app import application
from aesalign_serve.meanings import towers_of
from aesalign_serve.service import Service
from aesalign_serve.settings import ServeSettings

if TYPE_CHECKING:
    from aesalign_core.build import Builder
    from aesalign_core.gallery import Gallery

Ready = Callable[[dict[str, Any]], None]
_CONNECTIONS = 1024
_STOPS = (signal.SIGINT, signal.SIGTERM)
_TOKEN_HINT = "put 12 characters or more into it, for example from: openssl rand -hex 24"  # noqa: S105 - a hint


def serve(gallery: Gallery, build: Builder, settings: ServeSettings, *, encoder: str | None, ready: Ready) -> None:
    """Serves until SIGINT or SIGTERM; requests in flight are answered first.

    Args:
        gallery: What is searched.
        build: Builds the encoder; its plugins' hooks see each result.
        settings: Where, for whom, how much.
        encoder: As the user named it; None: the one that filled the gallery.
        ready: Told where the service is, and what it serves, once it answers.

    Raises:
        ListenError: It cannot listen there, or others could reach it and there is no token.
        SpaceMismatchError: The gallery belongs to another encoder.
    """
    token = own_token(settings.token_env, hint=_TOKEN_HINT)
    address = bind(settings.host, settings.port, hint="--port 0 takes any free port")
    with address.socket:
        if not (address.is_loopback or token):
            raise ListenError(
                f"{settings.host} can be reached by others, and there is no token",
                hint="name the environment variable that holds one: --token-env NAME",
            )
        service = Service(gallery, towers_of(gallery, build, encoder), settings, build.registry)
        service.towers.means(["a photo"])  # the first pass is the slowest
        _run(_server(service, token, settings), address, lambda: ready(_facts(service, address, token)))


def _facts(service: Service, address: Address, token: str | None) -> dict[str, Any]:
    return {
        "url": address.url(),
        "photos": len(service.gallery),
        "encoder": service.towers.name,
        "models": service.models(),
        "token": bool(token),
    }


def _server(service: Service, token: str | None, settings: ServeSettings) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            application(service, token), log_config=None, access_log=False, lifespan="on", ws="none", http="h11",
            loop="asyncio", server_header=False, proxy_headers=False, limit_concurrency=_CONNECTIONS,
            timeout_graceful_shutdown=round(settings.grace), timeout_keep_alive=5,
        )
    )  # fmt: skip


def _run(server: uvicorn.Server, address: Address, ready: Callable[[], None]) -> None:
    """Runs a server in a thread: in the main one uvicorn ends the process by the signal that it got, not with 0."""
    stop = threading.Event()

    def told(*_: object) -> None:
        server.force_exit = stop.is_set()  # told twice: at once
        stop.set()
        server.should_exit = True

    before = {number: signal.signal(number, told) for number in _STOPS}
    thread = threading.Thread(target=server.run, kwargs={"sockets": [address.socket]}, name="aesalign-serve")
    thread.start()
    try:
        while thread.is_alive() and not server.started:
            stop.wait(0.01)
        if server.started:
            ready()
        while thread.is_alive():
            thread.join(0.5)
    finally:
        server.should_exit = True
        thread.join()
        for number, handler in before.items():
            signal.signal(number, handler)
    if not stop.is_set():
        raise ListenError("the server has stopped by itself", hint="its log says why; start it again")
    note("stopped")
