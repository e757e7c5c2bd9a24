"""An aligned open_clip encoder, written for other libraries and read again by them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import libraries
import numpy as np
import pytest
import torch
from PIL import Image

from aesalign_core import Gallery, align, export, index, make_pairs
from aesalign_core.alignment.settings import AlignSettings
from aesalign_core.build import Builder
from aesalign_core.errors import ExportError
from aesalign_core.exporting.adapter import QueryAdapter
from aesalign_core.preferences.settings import PairSettings
from aesalign_core.recipe import Recipe, Use
from aesalign_core.testing import tiny_clip
from aesalign_openclip.encoder import OpenClipEncoder

TEXTS = ["a dog on the beach", "“Two people’s”  2023 photo!", "", "snow " * 500]
SAME = 0.9999
VISION: Any = tiny_clip.CONFIG["vision_cfg"]
TEXT: Any = tiny_clip.CONFIG["text_cfg"]
TIMM = {"image_size": 64, "timm_model_name": "resnet10t", "timm_pool": "avg"}
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "plain": {},
    "quick": {"quick_gelu": True},
    "averaged": {"vision_cfg": {**VISION, "pool_type": "avg", "final_ln_after_pool": True}},
    "separate": {"custom_text": True},
    "biased": {
        "custom_text": True,
        "text_cfg": {**TEXT, "proj_bias": True, "pool_type": "last", "no_causal_mask": True},
    },
    "resnet": {"vision_cfg": {**VISION, "layers": [1, 1, 1, 1], "width": 8, "head_width": 64}},
    "timm": {"vision_cfg": {**TIMM, "timm_proj": "linear"}},
    "perceptron": {"vision_cfg": {**TIMM, "timm_proj": "mlp"}},
    "coca": {
        "vision_cfg": {**VISION, "attentional_pool": True, "attn_pooler_heads": 2, "output_tokens": True},
        "text_cfg": {**TEXT, "embed_cls": True, "output_tokens": True},
        "multimodal_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
        "custom_text": True,
    },
    "endless": {"embed_dim": 512, "vision_cfg": {**TIMM, "timm_proj": "none"}},
}
TRAINABLE: dict[str, tuple[Any, ...]] = dict.fromkeys(("coca", "resnet", "timm", "perceptron"), (0, "all"))
"""Of towers without blocks that could be trained alone; the others: 0, 1 or all."""
TRAINABLE["endless"] = ("all",)
FITS_TRANSFORMERS = ("plain", "quick", "separate")


def photos(count: int = 3) -> list[Image.Image]:
    draw = np.random.default_rng(0)
    small = [Image.fromarray(draw.integers(0, 256, (9, 7, 3), dtype=np.uint8)) for _ in range(count)]
    return [picture.resize((90, 120), Image.Resampling.BICUBIC) for picture in small]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("models")
    found = {}
    for kind, changes in ARCHITECTURES.items():
        arch = tiny_clip.add_arch(folder, f"aesalign-export-{kind}", **changes)
        found[kind] = f"{arch}/{tiny_clip.save_weights(folder, arch=arch, name=kind)}"
    return found


def build(model: str, **settings: Any) -> OpenClipEncoder:
    encoder = Builder(Recipe(device="cpu", encoder=Use(use=model, **settings))).encoder()
    assert isinstance(encoder, OpenClipEncoder)
    return encoder


def turned(encoder: OpenClipEncoder) -> OpenClipEncoder:
    """With heads that are far from what they were."""
    draw = torch.Generator().manual_seed(0)

    def away(head: torch.nn.Module) -> dict[str, torch.Tensor]:
        state = head.state_dict()
        floats = {name: value for name, value in state.items() if value.is_floating_point() and value.ndim}
        return state | {name: value + 0.1 * torch.randn(value.shape, generator=draw) for name, value in floats.items()
                        if "running_var" not in name}  # fmt: skip

    return encoder.with_heads(name="turned", image=away(encoder.image_head()), text=away(encoder.text_head()))


def ours(encoder: Any, pictures: list[Image.Image]) -> libraries.Embedded:
    return encoder.encode_texts(TEXTS), encoder.encode_pixels([encoder.preprocess(p) for p in pictures])


@pytest.mark.parametrize(("kind", "blocks"), [(k, b) for k in ARCHITECTURES for b in TRAINABLE.get(k, (0, 1, "all"))])
def test_open_clip_gives_the_same_embeddings(models: dict[str, str], kind: str, blocks: Any, tmp_path: Path) -> None:
    plain = build(models[kind], trainable_blocks=blocks)
    encoder = turned(plain)
    encoder.export("open_clip", tmp_path)
    mine, before = ours(encoder, photos()), ours(plain, photos())
    for one, other, old in zip(mine, libraries.by_open_clip(tmp_path, TEXTS, photos()), before, strict=True):
        assert libraries.cosine(one, other) >= SAME
        assert libraries.cosine(one, old) < SAME


@pytest.mark.parametrize("blocks", [0, 1, "all"])
@pytest.mark.parametrize("kind", FITS_TRANSFORMERS)
def test_transformers_gives_the_same_embeddings(
    models: dict[str, str], kind: str, blocks: Any, tmp_path: Path
) -> None:
    encoder = turned(build(models[kind], trainable_blocks=blocks))
    encoder.export("transformers", tmp_path)
    found = libraries.by_transformers(tmp_path, TEXTS, photos())
    assert [libraries.cosine(*pair) >= SAME for pair in zip(ours(encoder, photos()), found, strict=True)] == [
        True,
        True,
    ]


@pytest.mark.parametrize("kind", [kind for kind in ARCHITECTURES if kind not in FITS_TRANSFORMERS])
def test_what_transformers_cannot_hold_is_one_error(models: dict[str, str], kind: str, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="CLIPModel can hold"):
        build(models[kind]).export("transformers", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["quick", "biased", "resnet", "coca", "endless"])
def test_onnxruntime_gives_the_same_embeddings(models: dict[str, str], kind: str, tmp_path: Path) -> None:
    for extra in ("onnxruntime", "onnxscript"):
        pytest.importorskip(extra)
    encoder = turned(build(models[kind]))
    encoder.export("onnx", tmp_path)
    for count in (1, 3):  # the number of rows is free
        pixels = [encoder.preprocess(picture) for picture in photos(count)]
        found = libraries.by_onnxruntime(tmp_path, TEXTS[:count], pixels)
        assert libraries.cosine(found[0], encoder.encode_texts(TEXTS[:count])) >= SAME
        assert libraries.cosine(found[1], encoder.encode_pixels(pixels)) >= SAME


def test_a_head_that_cannot_be_folded_is_one_error_and_text_alone_can(models: dict[str, str], tmp_path: Path) -> None:
    encoder = build(models["endless"])
    with pytest.raises(ExportError, match=r"the image tower of .* ends in no linear map") as raised:
        turned(encoder).export("open_clip", tmp_path)
    assert "onnx" in raised.value.hint
    text = encoder.with_heads(name="text", text=turned(encoder).text_head().state_dict())
    text.export("open_clip", tmp_path)
    assert libraries.cosine(libraries.by_open_clip(tmp_path, TEXTS, photos())[0], text.encode_texts(TEXTS)) >= SAME


@pytest.mark.parametrize("resize", ["squash", "longest"])
def test_how_photos_are_prepared_goes_along(models: dict[str, str], resize: str, tmp_path: Path) -> None:
    encoder = build(models["plain"], resize=resize, image_size=48)
    for to, read in (("open_clip", libraries.by_open_clip), ("transformers", libraries.by_transformers)):
        (tmp_path / to).mkdir()
        if (to, resize) == ("transformers", "longest"):
            with pytest.raises(ExportError, match="cannot prepare photos"):
                encoder.export(to, tmp_path / to)
        else:
            encoder.export(to, tmp_path / to)
            assert libraries.cosine(read(tmp_path / to, TEXTS, photos())[1], ours(encoder, photos())[1]) >= SAME


@pytest.fixture(scope="module")
def world(models: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two RUNs of the plain model: `both`, and `text`."""
    folder = tmp_path_factory.mktemp("exports")
    (folder / "photos").mkdir()
    for number, photo in enumerate(photos(20)):
        photo.save(folder / "photos" / f"{number}.png")
    recipe = Recipe(device="cpu", encoder=Use(use=models["plain"]), rewards=(Use(use="embedded"),))
    made = Builder(recipe)
    index(folder / "photos", folder / "gallery", made)
    cut = PairSettings(rows=2, columns=3, candidates=20, strategy="original")
    gallery = Gallery.open(folder / "gallery", made)
    make_pairs(["a dog", "a house", "people"], gallery, made.encoder(), made.rephraser(), cut, out=folder / "pairs")
    for tune in ("both", "text"):
        settings = AlignSettings(tune=tune, steps=8, learning_rate=0.02, batch_size=3, pretraining_weight=0)  # type: ignore[arg-type]
        aligning = Builder(recipe.model_copy(update={"align": settings}))
        align(folder / "pairs", folder / "gallery", folder / tune, aligning)
    return folder


@pytest.mark.parametrize("strength", [None, 0.5])
@pytest.mark.parametrize(
    ("to", "read"), [("open_clip", libraries.by_open_clip), ("transformers", libraries.by_transformers)]
)
def test_a_run_is_what_other_libraries_load(world: Path, to: str, read: Any, strength: Any, tmp_path: Path) -> None:
    builder = Builder(Recipe(device="cpu"))
    result = export(world / "both", to, tmp_path / "out", builder, strength=strength)
    name = str(world / "both") + ("@0.5" if strength else "")
    assert (result.run, result.to, result.folder) == (name, to, tmp_path / "out")
    assert set(result.files) == {path.name for path in (tmp_path / "out").iterdir()}
    base, aligned = (builder.encoder(f"{world / 'both'}@{s:g}") for s in (0, strength or 1))
    for one, mine, old in zip(
        read(tmp_path / "out", TEXTS, photos()), ours(aligned, photos()), ours(base, photos()), strict=True
    ):
        assert libraries.cosine(one, mine) >= SAME
        assert libraries.cosine(one, old) < SAME


def test_a_text_run_is_an_adapter_on_the_model_s_own_embeddings(world: Path, tmp_path: Path) -> None:
    builder = Builder(Recipe(device="cpu"))
    export(world / "text", "adapter", tmp_path / "out", builder)
    adapter = QueryAdapter.load(tmp_path / "out")
    base = builder.base(world / "text")
    assert (adapter.encoder, adapter.space) == (base.name, base.spaces.text)
    for strength in (0, 0.5, 1, 2):
        mine = builder.encoder(f"{world / 'text'}@{strength:g}").encode_texts(TEXTS)
        assert libraries.cosine(adapter(base.encode_texts(TEXTS), strength=strength), mine) >= 0.999999


def test_a_run_whose_image_tower_was_tuned_is_no_adapter(world: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="the image tower was tuned"):
        export(world / "both", "adapter", tmp_path / "out", Builder(Recipe(device="cpu")))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.photos
def test_real_photographs_are_prepared_alike(models: dict[str, str], photos_dir: Path, tmp_path: Path) -> None:
    pictures = [Image.open(path).convert("RGB") for path in sorted((photos_dir / "images").rglob("*.jpg"))[:8]]
    encoder = turned(build(models["quick"]))
    for to, read in (("open_clip", libraries.by_open_clip), ("transformers", libraries.by_transformers)):
        (tmp_path / to).mkdir()
        encoder.export(to, tmp_path / to)
        assert libraries.cosine(read(tmp_path / to, TEXTS, pictures)[1], ours(encoder, pictures)[1]) >= SAME
