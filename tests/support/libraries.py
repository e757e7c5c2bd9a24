"""What other libraries make of an exported folder: (n, d) embeddings of texts and of pictures, of unit length."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from aesalign_core.types import Vectors

Embedded = tuple[Vectors, Vectors]


def cosine(one: Vectors, other: Vectors) -> float:
    """The smallest cosine of rows that belong together."""
    assert one.shape == other.shape
    np.testing.assert_allclose(np.linalg.norm(one, axis=1), 1, atol=1e-5)
    return float((one * other).sum(1).min())


@torch.no_grad()
def by_open_clip(folder: Path, texts: Sequence[str], pictures: Sequence[Image.Image]) -> Embedded:
    import open_clip

    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    tokens = open_clip.get_tokenizer(f"local-dir:{folder}")(list(texts))
    pixels = torch.stack([transform(picture) for picture in pictures])
    model.eval()
    return model.encode_text(tokens, normalize=True).numpy(), model.encode_image(pixels, normalize=True).numpy()


@torch.no_grad()
def by_transformers(folder: Path, texts: Sequence[str], pictures: Sequence[Image.Image]) -> Embedded:
    from transformers import AutoTokenizer, CLIPImageProcessor, CLIPModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    model = CLIPModel.from_pretrained(folder).eval()
    tokenizer, processor = AutoTokenizer.from_pretrained(folder), CLIPImageProcessor.from_pretrained(folder)
    read = tokenizer(list(texts), padding="max_length", truncation=True, return_tensors="pt")
    seen = processor(list(pictures), return_tensors="pt")
    found = model(input_ids=read["input_ids"], pixel_values=seen["pixel_values"])
    return found.text_embeds.numpy(), found.image_embeds.numpy()


def by_onnxruntime(folder: Path, texts: Sequence[str], pixels: Sequence[Any]) -> Embedded:
    """Photos are given as the encoder prepares them: that is not part of a graph."""
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

    about = json.loads((folder / "encoder.json").read_text())
    text, image = about["text"], about["image"]
    coded = Tokenizer.from_file(str(folder / text["tokenizer"])).encode_batch(list(texts))
    given = {name: np.array([getattr(c, part) for c in coded], np.int64) for name, part in text["inputs"].items()}
    sessions = [
        InferenceSession(str(folder / part["graph"]), providers=["CPUExecutionProvider"]) for part in (text, image)
    ]
    read = sessions[0].run([text["output"]], given)[0]
    return read, sessions[1].run([image["output"]], {image["input"]: np.stack(pixels)})[0]
