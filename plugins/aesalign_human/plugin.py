"""People as judges, on a page that this machine serves."""

from __future__ import annotations

from aesalign_core import Component, hookimpl


@hookimpl
def aesalign_judges() -> list[Component]:
    """The human judge."""
    return [
        Component(
            "human",
            "aesalign_human.judge:HumanJudge",
            summary="People, blind, on a local page; votes are kept and make an HPIR file.",
        )
    ]
