"""What works with no network and no key."""

from __future__ import annotations

from aesalign_core import Component, hookimpl


@hookimpl
def aesalign_encoders() -> list[Component]:
    """The embedded encoder."""
    return [
        Component(
            "embedded",
            "aesalign_embedded.encoder:EmbeddedEncoder",
            summary="EfficientNet-Lite2 and MiniLM with trained heads; offline, CPU.",
        )
    ]


@hookimpl
def aesalign_rephrasers() -> list[Component]:
    """The template rephraser."""
    return [
        Component(
            "template",
            "aesalign_embedded.template:TemplateRephraser",
            summary="Rule-based aesthetic expectations from a small lexicon; offline.",
        )
    ]


@hookimpl
def aesalign_rewards() -> list[Component]:
    """Rewards that need nothing but an encoder."""
    return [
        Component(
            "embedded",
            "aesalign_embedded.reward:EmbeddedReward",
            summary="Aesthetic score and flaw detector on the embedded image tower; offline.",
        ),
        Component(
            "prompt_contrast",
            "aesalign_embedded.prompt_contrast:PromptContrastReward",
            summary="Any value words can express: similarity to good prompts minus bad ones.",
        ),
        Component(
            "ensemble",
            "aesalign_embedded.ensemble:EnsembleReward",
            summary="A weighted sum of other rewards, each standardised over the gallery.",
        ),
    ]


@hookimpl
def aesalign_judges() -> list[Component]:
    """The offline judge."""
    return [
        Component(
            "reward",
            "aesalign_embedded.judge:RewardJudge",
            summary="Any reward model, or ensemble of them, as judge; offline.",
        )
    ]
