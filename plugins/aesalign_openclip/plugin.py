"""Encoders of the open_clip library."""

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
