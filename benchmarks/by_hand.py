"""The loop that a person writes: timm's model as it comes, one photo after the other.

It gives the embedded encoder's embeddings from the same weights, with none of what makes aesalign fast: no batches,
no folded batch normalisation, no threads of its own, no scaled decoding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image

from aesalign_core.types import Vectors
from aesalign_embedded import towers, weights
from aesalign_embedded.encoder import EmbeddedEncoder


def by_hand(encoder: EmbeddedEncoder) -> Callable[[Sequence[Path]], Vectors]:
    """Paths → (n, d) embeddings as `encoder`'s, up to the rounding of another order of operations."""
    model = timm.create_model("tf_efficientnet_lite2", pretrained=False)
    model.load_state_dict(dict(zip(model.state_dict(), weights.image_state().values(), strict=True)))
    model.eval()
    head = encoder.image_head().eval()

    def one(path: Path) -> Vectors:
        with Image.open(path) as photo:
            pixels = np.array(photo.convert("RGB").resize((towers.DETAIL,) * 2, Image.Resampling.BICUBIC))
        image = Image.fromarray(pixels).resize((towers.SIDE,) * 2, Image.Resampling.BICUBIC)
        x = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 127.5 - 1
        stages = []
        x = model.bn1(model.conv_stem(x))
        for index, block in enumerate(model.blocks):
            x = block(x)
            if index in towers.STAGES:
                stages += list(reversed(torch.std_mean(x, (2, 3))))
        pooled = model.bn2(model.conv_head(x)).mean((2, 3))
        unit: Vectors = torch.nn.functional.normalize(head(torch.cat([pooled, *stages], 1)), dim=1).numpy()[0]
        return unit

    def embed(paths: Sequence[Path]) -> Vectors:
        with torch.inference_mode():
            return np.stack([one(path) for path in paths])

    return embed
