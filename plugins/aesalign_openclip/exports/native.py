"""`open_clip`: a folder that `open_clip.create_model_and_transforms("local-dir:FOLDER")` loads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors.torch import save_file

from aesalign_core.errors import ExportError
from aesalign_openclip.folding import folded

if TYPE_CHECKING:
    from aesalign_openclip.heads import Heads
    from aesalign_openclip.loading import Loaded

CONFIG, WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"
_PREPROCESS = ("mean", "std", "interpolation", "resize_mode")


def write(folder: Path, loaded: Loaded, heads: Heads, name: str) -> None:
    """Writes configuration and weights, and the tokenizer's files if it has any."""
    config = {**loaded.config, "text_cfg": _text(folder, loaded, name), "vision_cfg": _vision(loaded.config)}
    tensors = {key: value.contiguous() for key, value in folded(loaded, heads, name).state_dict().items()}
    preprocess = {key: loaded.preprocess[key] for key in _PREPROCESS if key in loaded.preprocess}
    document = {"model_cfg": config, "preprocess_cfg": preprocess}
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    (folder / CONFIG).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _vision(config: Any) -> dict[str, Any]:
    vision = dict(config["vision_cfg"])
    if "timm_model_pretrained" in vision:
        vision["timm_model_pretrained"] = False
    return vision


def _text(folder: Path, loaded: Loaded, name: str) -> dict[str, Any]:
    """The text tower's configuration, with a tokenizer that open_clip finds from it."""
    text, tokenizer = dict(loaded.config["text_cfg"]), loaded.tokenizer
    kind = type(tokenizer).__name__
    if kind == "SimpleTokenizer":
        return text
    if kind != "HFTokenizer" or not text.get("hf_tokenizer_name"):
        raise ExportError(
            f"open_clip chooses the tokenizer of {name} by the model's name, which a folder does not have"
        )
    tokenizer.save_pretrained(str(folder))  # type: ignore[attr-defined]
    return text
