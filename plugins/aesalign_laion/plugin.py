"""LAION's aesthetic predictors."""

from __future__ import annotations

from aesalign_core import Component, hookimpl


@hookimpl
def aesalign_rewards() -> list[Component]:
    """The published heads."""
    return [
        Component(
            "laion",
            "aesalign_laion.reward:LaionReward",
            summary="LAION aesthetic predictors V1 (ViT-B/32, B/16, L/14) and V2 (L/14).",
        )
    ]
