"""`onnx`: a graph per tower, the tokenizer, and how photos are prepared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor, nn

from aesalign_core.exporting.onnx_graph import ABOUT, FORMAT, OUTPUT, write_graph
from aesalign_core.types import Tower
from aesalign_openclip.exports.bpe import fast
from aesalign_openclip.folding import example, folded_or_followed
from aesalign_openclip.wholes import WholeText

if TYPE_CHECKING:
    from aesalign_openclip.heads import Heads
    from aesalign_openclip.loading import Loaded

INPUTS: dict[Tower, str] = {"image": "pixels", "text": "tokens"}


class _Image(nn.Module):
    """The image tower; CoCa's gives its tokens, too."""

    def __init__(self, visual: nn.Module) -> None:
        super().__init__()
        self.visual = visual

    def forward(self, pixels: Tensor) -> Tensor:
        output = self.visual(pixels)
        found: Tensor = output[0] if isinstance(output, tuple) else output
        return found


def write(folder: Path, loaded: Loaded, heads: Heads, name: str) -> None:
    """Writes `image.onnx`, `text.onnx`, `tokenizer.json` and `encoder.json`.

    Raises:
        ExportError: The extra `export` is not installed, or the tokenizer is none of CLIP's.
    """
    tokenizer = fast(loaded.tokenizer, name)
    model, after = folded_or_followed(loaded, heads)
    towers: dict[Tower, nn.Module] = {"image": _Image(model.visual), "text": WholeText(model)}
    for tower, given in INPUTS.items():
        whole = nn.Sequential(towers[tower], after.get(tower, nn.Identity())).requires_grad_(False).eval()
        write_graph(folder / f"{tower}.onnx", whole, {given: example(loaded, tower, rows=2)})
    tokenizer.save(str(folder / "tokenizer.json"))
    preprocess = {"layout": "rows, channels, height, width", "dtype": "float32", **loaded.preprocess}
    document = {
        "format": FORMAT,
        "encoder": name,
        "image": {"graph": "image.onnx", "input": INPUTS["image"], "output": OUTPUT, "preprocess": preprocess},
        "text": {
            "graph": "text.onnx",
            "inputs": {INPUTS["text"]: "ids"},
            "output": OUTPUT,
            "dtype": "int64",
            "tokenizer": "tokenizer.json",
        },
    }
    (folder / ABOUT).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
