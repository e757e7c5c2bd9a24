"""Real open_clip models with a few thousand weights, drawn at random and saved as safetensors."""

from __future__ import annotations

import json
from pathlib import Path

import open_clip
import torch
from safetensors.torch import save_file

ARCH = "aesalign-tiny"
DIM = 24
CONFIG = {
    "embed_dim": DIM,
    "vision_cfg": {"image_size": 64, "layers": 2, "width": 48, "head_width": 24, "patch_size": 16},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2},
}


def add_arch(folder: Path, name: str = ARCH, **changes: object) -> str:
    """Makes an architecture known to open_clip under a name, and gives the name."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps({**CONFIG, **changes}))
    open_clip.add_model_config(path)
    return name


def save_weights(folder: Path, *, arch: str = ARCH, seed: int = 0, name: str = "weights") -> Path:
    """Draws an architecture's weights and saves them. The token embedding is enlarged so that texts differ."""
    config = open_clip.get_model_config(arch)
    model_class = open_clip.CustomTextCLIP if config.pop("custom_text", False) else open_clip.CLIP
    model_class = open_clip.CoCa if "multimodal_cfg" in config else model_class
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = model_class(**config)
    state = {key: value.clone().contiguous() for key, value in model.state_dict().items()}
    for key in state:
        if key.endswith("token_embedding.weight"):
            state[key] = state[key] * 20
    path = folder / f"{name}.safetensors"
    save_file(state, path)
    return path


def tiny_model(folder: Path, *, seed: int = 0) -> str:
    """Registers the tiny architecture, saves weights for it, and gives the model's name for `--encoder`."""
    return f"{add_arch(folder)}/{save_weights(folder, seed=seed, name=f'seed{seed}')}"
