"""From a model's name to its two towers, with every failure told in one line."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aesalign_core.errors import ModelError
from aesalign_core.messages import describe
from aesalign_openclip import hub
from aesalign_openclip.spec import ModelSpec

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

_PREPROCESS = ("mean", "std", "interpolation", "resize_mode")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model of open_clip, in eval mode, in fp32, on the CPU.

    Attributes:
        model: Its towers; `encode_image` and `encode_text` give un-normalised embeddings.
        transform: One upright RGB image to a (3, h, w) float32 tensor.
        tokenizer: Texts to (n, context) int64 tokens.
        config: The architecture, as open_clip describes it, with what was overridden.
    """

    model: torch.nn.Module
    transform: Callable[[Image], torch.Tensor]
    tokenizer: Callable[[list[str]], torch.Tensor]
    config: Mapping[str, Any]

    @property
    def preprocess(self) -> dict[str, Any]:
        """Size, mean, deviation, interpolation and resize mode of the transform."""
        return dict(self.model.visual.preprocess_cfg)  # type: ignore[union-attr, arg-type]


def load(spec: ModelSpec, *, image_size: int | None = None, resize: str | None = None) -> Loaded:
    """Reads a model from a local file, the cache or the hub.

    Args:
        spec: Which one.
        image_size: Side in pixels instead of the model's own; position embeddings are interpolated.
        resize: `shortest`, `longest` or `squash` instead of the model's own.

    Raises:
        ModelError: No network and not in the cache; a damaged file; weights that do not fit the architecture.
    """
    import open_clip

    options = _options(spec)
    if resize:
        options["image_resize_mode"] = resize
    # Without a network the hub's library would retry for most of a minute before it looked into its cache.
    online = _needs_hub(spec) and hub.reachable()
    with _one_line(spec, online=online), hub.quiet(), contextlib.nullcontext() if online else hub.cache_only():
        model, transform = open_clip.create_model_from_pretrained(
            spec.arch, weights_only=True, force_image_size=image_size, **options
        )
        tokenizer = open_clip.get_tokenizer(spec.arch)
        config = dict(open_clip.get_model_config(spec.arch))
    config["quick_gelu"] = bool(options.get("force_quick_gelu") or config.get("quick_gelu", False))
    if image_size:
        config["vision_cfg"] = {**config["vision_cfg"], "image_size": image_size}
    return Loaded(model.eval().requires_grad_(requires_grad=False), transform, tokenizer, config)


def _options(spec: ModelSpec) -> dict[str, Any]:
    """What open_clip must be told beyond the architecture."""
    import open_clip

    if spec.file is not None:
        return {"pretrained": str(spec.file), **_published_preprocess(spec.arch)}
    if spec.tag is None:
        return {}
    # Weights trained with QuickGELU are wrong without it, and open_clip only warns: ViT-B-32/openai is to mean
    # what ViT-B-32-quickgelu/openai means.
    quick = bool(open_clip.get_pretrained_cfg(spec.arch, spec.tag).get("quick_gelu", False))
    return {"pretrained": spec.tag, "force_quick_gelu": quick}


def _published_preprocess(arch: str) -> dict[str, Any]:
    """Preprocessing for a local file: that of the architecture's published weights, where they agree on one."""
    import open_clip

    tags = open_clip.list_pretrained_tags_by_model(arch)
    configs = [open_clip.get_pretrained_cfg(arch, tag) for tag in tags]
    found = [{f"image_{key}": c[key] for key in _PREPROCESS} for c in configs if c.keys() >= set(_PREPROCESS)]
    return found[0] if found and all(f == found[0] for f in found) else {}


def _needs_hub(spec: ModelSpec) -> bool:
    """Whether weights, text tower or tokenizer come from a hub."""
    import open_clip

    if spec.file is None:
        return True
    text = open_clip.get_model_config(spec.arch)["text_cfg"]
    return bool(text.get("hf_model_name") or text.get("hf_tokenizer_name") or "siglip" in spec.arch.lower())


@contextlib.contextmanager
def _one_line(spec: ModelSpec, *, online: bool) -> Iterator[None]:
    """Whatever goes wrong while a model is read becomes a ModelError."""
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:
        raise ModelError(f"{spec.file or spec.model} is damaged: {_short(error)}", hint="fetch it again") from error
    except Exception as error:
        raise _explained(spec, error, online=online) from error


def _explained(spec: ModelSpec, error: Exception, *, online: bool) -> ModelError:
    if spec.file is None and not online:
        return ModelError(
            f"cannot load {spec.model}: it is not in the cache, and the model hub cannot be reached",
            hint="connect once to fetch it, or use a local file (ARCH/path/to/weights.safetensors)"
            " or the encoder 'embedded'",
        )
    if spec.file is None:
        return ModelError(f"cannot load {spec.model}: {_short(error)}", hint="check the name, or pick another model")
    if _needs_hub(spec) and not online:
        return ModelError(
            f"cannot load {spec.file} as {spec.arch}: {_short(error)}",
            hint="the tokenizer of this architecture comes from the model hub; connect once to fetch it",
        )
    return ModelError(
        f"{spec.file} does not fit {spec.arch}: {_short(error)}", hint="name the architecture it was saved from"
    )


def _short(error: Exception, most: int = 240) -> str:
    text = describe(error)
    return text if len(text) <= most else text[: most - 1] + "…"
