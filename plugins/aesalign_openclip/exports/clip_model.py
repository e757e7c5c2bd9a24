"""`transformers`: a folder that `transformers.CLIPModel.from_pretrained` loads.

Its layout is that of OpenAI's models: plain pre-norm transformers, a class token, causal text. transformers itself is
not needed to write it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors.torch import save_file
from torch import Tensor, nn

from aesalign_core.errors import ExportError
from aesalign_openclip.exports.bpe import fast
from aesalign_openclip.folding import folded

if TYPE_CHECKING:
    from aesalign_openclip.heads import Heads
    from aesalign_openclip.loading import Loaded

_BLOCK = {"ln_1": "layer_norm1", "ln_2": "layer_norm2", "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2"}
_RESAMPLE = {"bilinear": 2, "bicubic": 3}
"""Pillow's numbers, in which transformers writes them."""


def write(folder: Path, loaded: Loaded, heads: Heads, name: str) -> None:
    """Writes configuration, weights, the tokenizer and the preprocessing of photos."""
    model = folded(loaded, heads, name)
    text = getattr(model, "text", model)
    if reason := _misfit(model, text):
        raise ExportError(
            f"{name} is no model that transformers' CLIPModel can hold: {reason}", hint="export to onnx"
        )
    tokenizer, preprocess = fast(loaded.tokenizer, name), _preprocess(loaded.preprocess, name)
    tokens = {"bos": loaded.tokenizer.sot_token_id, "eos": loaded.tokenizer.eot_token_id}  # type: ignore[attr-defined]
    save_file(_tensors(model, text), folder / "model.safetensors", metadata={"format": "pt"})
    _write(folder / "config.json", _config(model, text, tokens))
    _write(folder / "preprocessor_config.json", preprocess)
    tokenizer.save(str(folder / "tokenizer.json"))
    begin, end = (tokenizer.id_to_token(tokens[which]) for which in ("bos", "eos"))
    # Not padded with open_clip's token 0, "!": transformers would find it in texts. What follows the end is not read.
    named = {"bos_token": begin, "eos_token": end, "unk_token": end, "pad_token": end}
    length = int(text.context_length)
    _write(
        folder / "tokenizer_config.json",
        {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": length, **named},
    )


def _misfit(model: Any, text: Any) -> str | None:
    """Why the architecture does not fit; None if it does."""
    from open_clip.model import CLIP
    from open_clip.transformer import ResidualAttentionBlock, TextTransformer, VisionTransformer

    visual = model.visual
    if not isinstance(visual, VisionTransformer) or not isinstance(text, CLIP | TextTransformer):
        return "a tower is none of open_clip's plain transformers"
    if visual.attn_pool is not None or visual.pool_type != "tok" or visual.final_ln_after_pool:
        return "photos are not pooled by the class token"
    if not isinstance(visual.ln_pre, nn.LayerNorm) or visual.image_size[0] != visual.image_size[1]:
        return "it has no norm before the first block, or photos are not square"
    if _pool(text) not in ("argmax", "eos") or getattr(text, "cls_emb", None) is not None or text.attn_mask is None:
        return "texts are not pooled at their end, or not read from left to right"
    if not isinstance(text.text_projection, nn.Parameter) or visual.proj is None:
        return "a tower does not end in a projection without bias"
    blocks = [*visual.transformer.resblocks, *text.transformer.resblocks]
    if not all(type(block) is ResidualAttentionBlock and isinstance(block.ls_1, nn.Identity) for block in blocks):
        return "its blocks are not those of CLIP"
    if None in [_activation(block) for block in blocks]:
        return "its activation has no name in transformers"
    return "it has a bias beside the scale" if model.logit_bias is not None else None


def _activation(block: Any) -> str | None:
    """As transformers names it."""
    kind = type(block.mlp.gelu).__name__
    if kind == "GELU":
        return "gelu" if block.mlp.gelu.approximate == "none" else "gelu_pytorch_tanh"
    return "quick_gelu" if kind == "QuickGELU" else None


def _pool(text: Any) -> str:
    return str(getattr(text, "text_pool_type", None) or getattr(text, "pool_type", ""))


def _tensors(model: Any, text: Any) -> dict[str, Tensor]:
    visual = model.visual
    found = {
        "logit_scale": model.logit_scale.reshape(()),
        "visual_projection.weight": visual.proj.T,
        "text_projection.weight": text.text_projection.T,
        "vision_model.embeddings.class_embedding": visual.class_embedding,
        "vision_model.embeddings.patch_embedding.weight": visual.conv1.weight,
        "vision_model.embeddings.position_embedding.weight": visual.positional_embedding,
        "text_model.embeddings.token_embedding.weight": text.token_embedding.weight,
        "text_model.embeddings.position_embedding.weight": text.positional_embedding,
        **_linear("vision_model.pre_layrnorm", visual.ln_pre),  # transformers' own spelling
        **_linear("vision_model.post_layernorm", visual.ln_post),
        **_linear("text_model.final_layer_norm", text.ln_final),
    }
    for tower, part in (("vision_model", visual), ("text_model", text)):
        for number, block in enumerate(part.transformer.resblocks):
            found.update(_block(f"{tower}.encoder.layers.{number}", block))
    return {name: value.detach().clone().contiguous() for name, value in found.items()}


def _block(name: str, block: Any) -> Iterator[tuple[str, Tensor]]:
    for own, theirs in _BLOCK.items():
        yield from _linear(f"{name}.{theirs}", block.get_submodule(own)).items()
    yield from _linear(f"{name}.self_attn.out_proj", block.attn.out_proj).items()
    for kind in ("weight", "bias"):
        three = getattr(block.attn, f"in_proj_{kind}").chunk(3)
        for part, value in zip("qkv", three, strict=True):
            yield f"{name}.self_attn.{part}_proj.{kind}", value


def _linear(name: str, layer: Any) -> dict[str, Tensor]:
    return {f"{name}.weight": layer.weight, f"{name}.bias": layer.bias}


def _config(model: Any, text: Any, tokens: dict[str, int]) -> dict[str, Any]:
    visual, dim = model.visual, int(model.visual.proj.shape[1])
    vision = {
        "model_type": "clip_vision_model",
        "image_size": int(visual.image_size[0]),
        "patch_size": int(visual.patch_size[0]),
        **_shape(visual, dim),
    }
    texts = {
        "model_type": "clip_text_model",
        "vocab_size": int(text.vocab_size),
        "max_position_embeddings": int(text.positional_embedding.shape[0]),
        "bos_token_id": tokens["bos"],
        "eos_token_id": tokens["eos"],
        "pad_token_id": tokens["eos"],
        **_shape(text, dim),
    }
    return {
        "architectures": ["CLIPModel"],
        "model_type": "clip",
        "projection_dim": dim,
        "logit_scale_init_value": float(model.logit_scale.item()),
        "text_config": texts,
        "vision_config": vision,
    }


def _shape(part: Any, dim: int) -> dict[str, Any]:
    block = part.transformer.resblocks[0]
    return {
        "hidden_size": int(block.attn.embed_dim),
        "intermediate_size": int(block.mlp.c_fc.out_features),
        "num_hidden_layers": len(part.transformer.resblocks),
        "num_attention_heads": int(block.attn.num_heads),
        "layer_norm_eps": float(block.ln_1.eps),
        "hidden_act": _activation(block),
        "projection_dim": dim,
    }


def _preprocess(config: dict[str, Any], name: str) -> dict[str, Any]:
    size, mode = config["size"], config.get("resize_mode", "shortest")
    side = int(size if isinstance(size, int) else size[0])
    resample = _RESAMPLE.get(str(config.get("interpolation", "bicubic")))
    if mode not in ("shortest", "squash") or resample is None:
        raise ExportError(
            f"transformers cannot prepare photos as {name} does: resize {mode!r}, {config.get('interpolation')!r}",
            hint="export to onnx",
        )
    square = {"height": side, "width": side}
    return {
        "image_processor_type": "CLIPImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"shortest_edge": side} if mode == "shortest" else square,
        "resample": resample,
        "do_center_crop": mode == "shortest",
        "crop_size": square,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(config["mean"]),
        "image_std": list(config["std"]),
    }


def _write(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
