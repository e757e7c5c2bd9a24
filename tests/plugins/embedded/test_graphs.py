"""The embedded encoder as ONNX graphs, run by onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import libraries
import numpy as np
import pytest
import torch
from PIL import Image

from aesalign_core.build import Builder
from aesalign_core.recipe import Recipe, Use

TEXTS = ["a dog on the beach", "two people", "", "snow " * 500]


@pytest.mark.slow
def test_onnxruntime_gives_the_same_embeddings(tmp_path: Path) -> None:
    for extra in ("onnxruntime", "onnxscript"):
        pytest.importorskip(extra)
    draw, turn = np.random.default_rng(0), torch.Generator().manual_seed(0)
    base: Any = Builder(Recipe(device="cpu", encoder=Use(use="embedded"))).encoder()
    heads = {
        tower: {n: v + 0.02 * v.std() * torch.randn(v.shape, generator=turn) for n, v in head.state_dict().items()}
        for tower, head in (("image", base.image_head()), ("text", base.text_head()))
    }
    encoder = base.with_heads(name="turned", **heads)
    encoder.export("onnx", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"image.onnx", "text.onnx", "tokenizer.json", "encoder.json"}
    pictures = [Image.fromarray(draw.integers(0, 256, (90, 70, 3), dtype=np.uint8)) for _ in TEXTS]
    pixels = [encoder.preprocess(picture) for picture in pictures]
    for count in (1, 4):
        found = libraries.by_onnxruntime(tmp_path, TEXTS[:count], pixels[:count])
        mine = encoder.encode_texts(TEXTS[:count]), encoder.encode_pixels(pixels[:count])
        assert [libraries.cosine(*pair) >= 0.9999 for pair in zip(found, mine, strict=True)] == [True, True]
    assert libraries.cosine(encoder.encode_texts(TEXTS), base.encode_texts(TEXTS)) < 0.9999
