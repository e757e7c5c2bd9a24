"""Training the last blocks of a tower: what goes into them, and what comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch.nn.functional import normalize

from aesalign_core import Gallery, align, index, make_pairs
from aesalign_core.alignment.settings import AlignSettings
from aesalign_core.build import Builder
from aesalign_core.captions import Caption, write_captions
from aesalign_core.errors import ModelError, SpaceMismatchError
from aesalign_core.preferences.settings import PairSettings
from aesalign_core.recipe import Recipe, Use
from aesalign_core.testing import tiny_clip
from aesalign_openclip.encoder import OpenClipEncoder

TEXTS = ["a dog on the beach", "two people", "", "snow " * 500]
VISION, TEXT = tiny_clip.CONFIG["vision_cfg"], tiny_clip.CONFIG["text_cfg"]
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "plain": {},
    "averaged": {"vision_cfg": {**VISION, "pool_type": "avg", "final_ln_after_pool": True}},  # type: ignore[dict-item]
    "separate": {"custom_text": True},
    "last": {"custom_text": True, "text_cfg": {**TEXT, "pool_type": "last", "no_causal_mask": True}},  # type: ignore[dict-item]
    "linear": {"custom_text": True, "text_cfg": {**TEXT, "proj_bias": True}},  # type: ignore[dict-item]
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("models")
    found = {}
    for kind, changes in ARCHITECTURES.items():
        arch = tiny_clip.add_arch(folder, f"aesalign-tail-{kind}", **changes)
        found[kind] = f"{arch}/{tiny_clip.save_weights(folder, arch=arch, name=kind)}"
    return found


def builder(model: str, blocks: Any, **recipe: Any) -> Builder:
    return Builder(Recipe(device="cpu", encoder=Use(use=model, trainable_blocks=blocks), rewards=(), **recipe))


def build(model: str, blocks: Any) -> OpenClipEncoder:
    encoder = builder(model, blocks).encoder()
    assert isinstance(encoder, OpenClipEncoder)
    return encoder


def photos(count: int = 5) -> list[Image.Image]:
    draw = np.random.default_rng(0)
    return [Image.fromarray(draw.integers(0, 256, (70, 64, 3), dtype=np.uint8)) for _ in range(count)]


@pytest.mark.parametrize("blocks", [1, 2, "all"])
@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_a_tail_on_its_features_gives_the_model_s_embeddings(models: dict[str, str], kind: str, blocks: Any) -> None:
    whole, cut = build(models[kind], 0), build(models[kind], blocks)
    pixels = [whole.preprocess(photo) for photo in photos()]
    with torch.inference_mode():
        images = normalize(cut.image_head()(torch.from_numpy(cut.pixel_features(pixels))), dim=1).numpy()
        texts = normalize(cut.text_head()(torch.from_numpy(cut.text_features(TEXTS))), dim=1).numpy()
    np.testing.assert_allclose(images, whole.encode_pixels(pixels), atol=1e-5)
    np.testing.assert_allclose(texts, whole.encode_texts(TEXTS), atol=1e-5)
    assert np.array_equal(cut.encode_pixels(pixels), whole.encode_pixels(pixels))
    assert np.array_equal(cut.encode_texts(TEXTS), whole.encode_texts(TEXTS))


def test_an_untrained_tail_changes_no_space_but_reads_other_features(models: dict[str, str]) -> None:
    found = [build(models["plain"], blocks).spaces for blocks in (0, 1, 2, "all")]
    assert len({spaces.image for spaces in found}) == len({spaces.text for spaces in found}) == 1
    assert len({spaces.image_features for spaces in found}) == len({spaces.text_features for spaces in found}) == 4


def test_other_weights_give_other_embeddings_and_another_space(models: dict[str, str]) -> None:
    encoder = build(models["plain"], 1)
    state = encoder.text_head().state_dict()
    state["projection"] = state["projection"].flip(1)
    other = encoder.with_heads(name="other", text=state)
    assert other.spaces.text != encoder.spaces.text
    assert other.spaces.image == encoder.spaces.image
    assert not np.allclose(other.encode_texts(TEXTS), encoder.encode_texts(TEXTS), atol=1e-3)
    with torch.inference_mode():
        direct = normalize(other.text_head()(torch.from_numpy(other.text_features(TEXTS))), dim=1)
    np.testing.assert_allclose(other.encode_texts(TEXTS), direct.numpy(), atol=1e-6)


def test_a_head_of_other_blocks_is_refused(models: dict[str, str]) -> None:
    one, two = build(models["plain"], 1), build(models["plain"], 2)
    with pytest.raises(ModelError, match=r"has blocks\.1") as raised:
        one.with_heads(name="x", image=two.image_head().state_dict())
    assert "trainable_blocks" in (raised.value.hint or "")


def test_more_blocks_than_there_are(models: dict[str, str]) -> None:
    with pytest.raises(ModelError, match="has 2 blocks, not 3"):
        build(models["plain"], 3).image_head()


def test_a_tower_of_another_kind_says_so(tmp_path: Path) -> None:
    arch = tiny_clip.add_arch(
        tmp_path, "aesalign-tail-resnet", vision_cfg={**VISION, "layers": [1, 1, 1, 1], "width": 8, "head_width": 64}  # type: ignore[dict-item]
    )  # fmt: skip
    encoder = build(f"{arch}/{tiny_clip.save_weights(tmp_path, arch=arch)}", 1)
    with pytest.raises(ModelError, match="not one of open_clip's plain transformers") as raised:
        encoder.image_head()
    assert "trainable_blocks" in (raised.value.hint or "")
    assert encoder.text_features(TEXTS).shape == (4, 16 * 16 + 16)
    whole = build(encoder.name.removeprefix("open_clip:"), "all")  # which any tower can be
    pixels = [whole.preprocess(photo) for photo in photos()]
    with torch.inference_mode():
        images = normalize(whole.image_head()(torch.from_numpy(whole.pixel_features(pixels))), dim=1).numpy()
    np.testing.assert_allclose(images, encoder.encode_pixels(pixels), atol=1e-5)


@pytest.fixture(scope="module")
def gallery(models: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random pictures, indexed with the plain model."""
    folder = tmp_path_factory.mktemp("tails")
    (folder / "photos").mkdir()
    for number, photo in enumerate(photos(24)):
        photo.save(folder / "photos" / f"{number}.png")
    recipe = Recipe(device="cpu", encoder=Use(use=models["plain"]), rewards=(Use(use="embedded"),))
    index(folder / "photos", folder / "gallery", Builder(recipe))
    captions = [Caption(f"{number}.png", f"picture number {number}") for number in range(24)]
    write_captions(folder / "captions.csv", captions)
    made = Builder(recipe)
    cut = PairSettings(rows=2, columns=3, candidates=20, strategy="original")
    opened = Gallery.open(folder / "gallery", made)
    queries = ["a dog", "a red house", "two people"]
    make_pairs(queries, opened, made.encoder(), made.rephraser(), cut, out=folder / "pairs.parquet")
    return folder


def test_blocks_are_computed_again_for_the_gradient_and_nothing_else_changes(
    models: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = build(models["plain"], 2)
    read = torch.from_numpy(encoder.text_features(TEXTS))
    found = []
    for again in (False, True):
        head = encoder.text_head()
        calls: list[int] = []
        for block in head.blocks:  # type: ignore[union-attr]
            block.register_forward_pre_hook(lambda *_, noted=calls: noted.append(1))
        head.set_grad_checkpointing(again)  # type: ignore[operator]
        head(read).square().sum().backward()
        found.append([w.grad.clone() for w in head.parameters() if w.grad is not None])
        assert len(calls) == (4 if again else 2)
    for plain, recomputed in zip(*found, strict=True):
        assert torch.allclose(plain, recomputed, atol=1e-6)


def test_the_model_s_own_weights_are_no_other_space(models: dict[str, str]) -> None:
    for blocks in (0, 1, "all"):
        encoder = build(models["plain"], blocks)
        same = encoder.with_heads(
            name="same", image=encoder.image_head().state_dict(), text=encoder.text_head().state_dict()
        )
        assert same.spaces == encoder.spaces
        other = encoder.text_head().state_dict()
        other = {name: value * 1.5 for name, value in other.items()}
        back = encoder.with_heads(name="other", text=other)
        assert back.spaces.text != encoder.spaces.text
        assert back.with_heads(name="back", text=encoder.text_head().state_dict()).spaces == encoder.spaces


@pytest.mark.parametrize("rank", [0, 2])
@pytest.mark.parametrize("tune", ["text", "both"])
def test_the_last_block_is_aligned_on_a_gallery_of_the_plain_model(
    models: dict[str, str], gallery: Path, tmp_path: Path, tune: Any, rank: int
) -> None:
    settings = AlignSettings(
        tune=tune, steps=12, learning_rate=3e-3, batch_size=3, pretraining_batch=8, text_lora_rank=rank,
        image_lora_rank=rank if tune == "both" else 0, micro_batch=5, gradient_checkpointing=True,
    )  # fmt: skip
    made = builder(models["plain"], 1, align=settings)
    captions = gallery / "captions.csv"
    result = align(gallery / "pairs.parquet", gallery / "gallery", tmp_path / "run", made, captions=captions)
    assert result.last["preference_loss"] < result.first["preference_loss"] - 0.005
    base, aligned = build(models["plain"], 1), builder(models["plain"], 1).encoder(str(tmp_path / "run"))
    before = base.text_head().state_dict()
    weights = load_file(tmp_path / "run" / "aligned.safetensors")
    changed = {n for n, value in before.items() if not torch.equal(weights[f"text.{n}"], value)}
    assert "blocks.0.mlp.c_fc.weight" in changed
    assert ("blocks.0.attn.in_proj_weight" in changed) == (rank == 0)
    opened = Gallery.open(gallery / "gallery", made)
    if tune == "text":
        opened.check_encoder(aligned)
    else:
        with pytest.raises(SpaceMismatchError):
            opened.check_encoder(aligned)
    assert not np.allclose(aligned.encode_texts(TEXTS), base.encode_texts(TEXTS), atol=1e-4)


@pytest.mark.parametrize("kind", ["plain", "separate"])
def test_whole_towers_are_aligned_from_their_embeddings_on(
    models: dict[str, str], gallery: Path, tmp_path: Path, kind: str
) -> None:
    recipe = Recipe(device="cpu", encoder=Use(use=models[kind]), rewards=(Use(use="embedded"),))
    index(gallery / "photos", tmp_path / "gallery", Builder(recipe))
    made, opened = Builder(recipe), Gallery.open(tmp_path / "gallery", Builder(recipe))
    cut = PairSettings(rows=2, columns=3, candidates=20, strategy="original")
    make_pairs(["a dog", "two people"], opened, made.encoder(), made.rephraser(), cut, out=tmp_path / "pairs.parquet")
    settings = AlignSettings(
        tune="both", steps=8, learning_rate=1e-3, batch_size=2, pretraining_batch=8, micro_batch=5,
        gradient_checkpointing=True,
    )  # fmt: skip
    made = builder(models[kind], "all", align=settings)
    captions = gallery / "captions.csv"
    result = align(tmp_path / "pairs.parquet", tmp_path / "gallery", tmp_path / "run", made, captions=captions)
    assert result.last["loss"] < result.first["loss"]
    base, aligned = build(models[kind], "all"), builder(models[kind], "all").encoder(str(tmp_path / "run"))
    weights = load_file(tmp_path / "run" / "aligned.safetensors")
    heads = {"image": base.image_head().state_dict(), "text": base.text_head().state_dict()}
    changed = {
        f"{tower}.{name}" for tower, head in heads.items() for name, value in head.items()
        if not torch.equal(weights[f"{tower}.{name}"], value)
    }  # fmt: skip
    assert {
        "image.tower.conv1.weight",
        "text.tower.token_embedding.weight",
        "text.tower.positional_embedding",
    } <= changed
    assert not any(name.startswith("text.tower.visual") for name in weights)
    assert not np.allclose(aligned.encode_texts(TEXTS), base.encode_texts(TEXTS), atol=1e-4)
