"""Encoders of the open_clip library, and the prompts that it classifies with."""

from __future__ import annotations

from aesalign_core import Component, hookimpl


@hookimpl
def aesalign_encoders() -> list[Component]:
    """The encoder."""
    return [
        Component(
            "open_clip",
            "aesalign_openclip.encoder:OpenClipEncoder",
            summary="Any open_clip ARCH/PRETRAINED, hf-hub: name or local safetensors file.",
        )
    ]


@hookimpl
def aesalign_prompts() -> list[Component]:
    """The prompt sets that CLIP was published with."""
    return [
        Component(
            "openai", "aesalign_openclip.prompts:OpenAiPrompts", summary="CLIP's 80 templates and ImageNet's names."
        ),
        Component(
            "simple", "aesalign_openclip.prompts:SimplePrompts", summary="CLIP's seven best templates, likewise."
        ),
    ]
