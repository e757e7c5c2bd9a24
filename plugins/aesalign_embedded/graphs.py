"""The embedded encoder as ONNX graphs: pixels or tokens in, embeddings of unit length out."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from aesalign_core.exporting.onnx_graph import ABOUT, FORMAT, OUTPUT, write_graph
from aesalign_embedded import towers

if TYPE_CHECKING:
    from aesalign_embedded.heads import ProjectionHead
    from aesalign_embedded.towers import ImageTower, TextTower


class _Tower(nn.Module):
    """A tower's network, which has to be part of the module for its weights to be found, and its head."""

    def __init__(self, tower: ImageTower | TextTower, head: nn.Module) -> None:
        super().__init__()
        self.network, self.head = tower.network, copy.deepcopy(head).cpu()
        self._features = tower.forward

    def forward(self, *inputs: Tensor) -> Tensor:
        found: Tensor = self.head(self._features(*inputs))
        return found


def write(folder: Path, image: ProjectionHead, text: ProjectionHead, name: str) -> None:
    """Writes `image.onnx`, `text.onnx`, `tokenizer.json` and `encoder.json`.

    Args:
        folder: An empty one.
        image: The head of the image tower.
        text: The head of the text tower.
        name: Of the encoder.

    Raises:
        ExportError: The extra `export` is not installed.
    """
    seeing, reading = towers.image_tower("cpu", 2), towers.text_tower("cpu", 2)
    pixels = torch.arange(2 * towers.SIDE**2 * 3).reshape(2, towers.SIDE, towers.SIDE, 3).to(torch.uint8)
    write_graph(folder / "image.onnx", _Tower(seeing, image).eval(), {"pixels": pixels})
    ids = torch.tensor([[101, 2060, 3000, 102], [101, 4937, 102, 0]])
    tokens = {"tokens": ids, "mask": (ids > 0).long()}
    write_graph(folder / "text.onnx", _Tower(reading, text).eval(), tokens, free=("tokens", "mask"))
    reading.tokenizer.save(str(folder / "tokenizer.json"))
    squeezed = f"to {towers.DETAIL}, then to {towers.SIDE} pixels a side, bicubic, whatever the shape"
    preprocess = {"layout": "rows, height, width, RGB", "dtype": "uint8", "squeeze": squeezed}
    document = {
        "format": FORMAT,
        "encoder": name,
        "image": {"graph": "image.onnx", "input": "pixels", "output": OUTPUT, "preprocess": preprocess},
        "text": {
            "graph": "text.onnx",
            "inputs": {"tokens": "ids", "mask": "attention_mask"},
            "output": OUTPUT,
            "dtype": "int64",
            "tokenizer": "tokenizer.json",
        },
    }
    (folder / ABOUT).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
