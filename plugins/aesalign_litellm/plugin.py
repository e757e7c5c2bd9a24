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
