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
        ),
        Component(
            "ipo",
            "aesalign_prefrl.ipo:IPO",
            summary="Pairs pulled to a fixed margin (arXiv 2310.12036).",
        ),
        Component(
            "slic",
            "aesalign_prefrl.slic:SLiC",
            summary="A hinge on pairs, relative to the reference (arXiv 2305.10425).",
        ),
        Component(
            "plackett_luce",
            "aesalign_prefrl.plackett_luce:PlackettLuce",
            summary="The likelihood of each row's whole order (arXiv 2305.18290).",
        ),
        Component(
            "lambda_dpo",
            "aesalign_prefrl.lambda_dpo:LambdaDPO",
            summary="DPO, pairs weighted by the change in NDCG (arXiv 2402.01878).",
        ),
        Component(
            "reward_distillation",
            "aesalign_prefrl.reward_distillation:RewardDistillation",
            summary="Regression of similarity margins on reward margins (arXiv 2405.19316).",
        ),
    ]
