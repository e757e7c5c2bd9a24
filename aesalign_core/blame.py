"""Whose code an unexpected exception came through: a plugin that was installed beside aesalign, or aesalign's own."""

from __future__ import annotations

from types import TracebackType

from aesalign_core.plugins import Offer, Registry

OWN = "aesalign"
"""The distribution of the bundled plugins."""


def guilty(error: BaseException, registry: Registry) -> Offer | None:
    """What a foreign plugin offers, if its code raised an exception or was on the way to where it was raised."""
    foreign: dict[str, Offer] = {}
    for offer in registry.offers:
        if offer.distribution != OWN:
            foreign.setdefault(offer.component.factory.partition(":")[0].partition(".")[0], offer)
    trace: TracebackType | None = error.__traceback__
    found = None
    while trace is not None:  # the innermost counts
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        found = foreign.get(module.partition(".")[0], found)
        trace = trace.tb_next
    return found
