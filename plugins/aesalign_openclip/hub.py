"""Loading from a model hub without noise and without minutes of retries where there is no network."""

from __future__ import annotations

import contextlib
import logging
import socket
import urllib.request
from collections.abc import Iterator
from urllib.parse import urlsplit

PROBE_SECONDS = 3.0


def reachable() -> bool:
    """Whether the hub answers on its port; taken for granted behind a proxy, which alone can tell."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    if urllib.request.getproxies().keys() & {"http", "https", "all"}:
        return True
    url = urlsplit(constants.ENDPOINT)
    try:
        port = url.port or (80 if url.scheme == "http" else 443)
        socket.create_connection((url.hostname or "", port), timeout=PROBE_SECONDS).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def cache_only() -> Iterator[None]:
    """Within it the hub's library reads its cache and never the network."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps open_clip's log lines off stderr; a program that has set up logging still gets them.

    open_clip logs to the root logger, whose first record would install a handler for the rest of the process.
    """
    root, handler = logging.getLogger(), logging.NullHandler()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
