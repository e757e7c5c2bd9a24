"""A process without network, that notes who wanted it. Its source is also run alone, so it imports none of ours."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_EVENTS = frozenset({"socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"})
_watching: list[list[str]] = []
_hooks: list[object] = []


@contextmanager
def no_network(*, refuse: bool = True) -> Iterator[list[str]]:
    """Refuses every connection, look-up and port; gives a list of what was tried, which fills as it is tried.

    The list is what counts: many a plugin swallows the error, and works where it is tested and not where it is used.

    Args:
        refuse: False: all is as ever, and the list stays empty.
    """
    if not refuse:
        yield []
        return
    if not _hooks:  # Python cannot take an audit hook away again
        _hooks.append(_refuse)
        sys.addaudithook(_refuse)
    attempts: list[str] = []
    _watching.append(attempts)
    try:
        yield attempts
    finally:
        _watching.pop()


def _refuse(event: str, args: tuple[Any, ...]) -> None:
    if not _watching or event not in _EVENTS:
        return
    if isinstance(args[0], socket.socket):
        if args[0].family not in (socket.AF_INET, socket.AF_INET6):
            return  # of this machine, such as the pipes of an event loop
        args = args[1:]
    attempt = f"{event} {args[0] if len(args) == 1 else args[:2]!r}"
    _watching[-1].append(attempt)
    raise ConnectionRefusedError(f"there is no network in this test: {attempt}")
