"""Preference-RL objectives."""

from __future__ import annotations

from aesalign_core import Component, hookimpl


@hookimpl
def aesalign_objectives() -> list[Component]:
    """The objectives."""
    return [
        Component(
            "ranked_dpo",
            "aesalign_prefrl.ranked_dpo:RankedDPO",
            summary="DPO over all dominance pairs of preference grids (arXiv 2406.09397).",
        )
    ]
