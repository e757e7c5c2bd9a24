"""LLMs of any provider, through litellm."""

from __future__ import annotations

from aesalign_core import Component, hookimpl


@hookimpl
def aesalign_rephrasers() -> list[Component]:
    """The LLM rephraser."""
    return [
        Component(
            "litellm",
            "aesalign_litellm.rephraser:LitellmRephraser",
            summary="Any LLM that litellm knows, with cache, budget and checks of its answers.",
        )
    ]


@hookimpl
def aesalign_judges() -> list[Component]:
    """The LMM judge."""
    return [
        Component(
            "litellm",
            "aesalign_litellm.judge:LitellmJudge",
            summary="Any multimodal model that litellm knows, asked in both orders; cached and budgeted.",
        )
    ]
