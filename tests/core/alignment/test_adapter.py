"""`tune = "adapter"`: a map on text embeddings, for encoders that cannot be trained themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import colours
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_alignment import HELD_OUT, World, queries

from aesalign_core.alignment.adapted import AdaptedEncoder
from aesalign_core.alignment.align import align
from aesalign_core.alignment.log import read_metrics
from aesalign_core.alignment.settings import AlignSettings
from aesalign_core.errors import AlignmentError, ModelError
from aesalign_core.protocols import Encoder, TrainableEncoder
from aesalign_core.searching import search

TEXTS = ["red", "a blue photo", "magenta", ""]


@pytest.fixture(scope="module")
def run(world: World) -> Path:
    """Aligned while the encoder had nothing but embeddings, and could not even read photos again."""
    with pytest.MonkeyPatch.context() as patch:
        for part in ("text_head", "image_head", "with_heads", "text_features"):
            patch.delattr(colours.ColourEncoder, part)
        patch.setattr(colours.ColourEncoder, "preprocess", lambda self, image: pytest.fail("a photo was read"))
        patch.setattr(colours.ColourEncoder, "encode_texts", _encode_texts)
        assert not isinstance(colours.ColourEncoder(), TrainableEncoder)
        return world.align(world.root / "adapter", tune="adapter").run


_features = colours.ColourEncoder.text_features


def _encode_texts(self: colours.ColourEncoder, texts: list[str]) -> np.ndarray:
    return colours._embed(self._text, _features(self, texts))


def at(run: Path, strength: float = 1) -> Encoder:
    return colours.builder().encoder(f"{run}@{strength:g}")


def test_it_gains_reward_on_the_old_gallery_and_on_queries_it_was_not_trained_on(run: Path, world: World) -> None:
    gallery = world.open()
    means = []
    for encoder in (at(run, 0), at(run, 1)):
        found = search(queries(HELD_OUT), gallery, encoder, k=3)
        means.append(np.mean([int(Path(hit.path).stem.split("-")[1]) for result in found for hit in result.hits]))
    assert means[1] > means[0]


def test_its_weights_are_one_small_affine_map(run: Path) -> None:
    weights = load_file(run / "aligned.safetensors")
    assert {name: tuple(value.shape) for name, value in weights.items()} == {
        "text.weight": (colours.DIM, colours.DIM),
        "text.bias": (colours.DIM,),
    }


def test_an_aligned_embedding_is_the_map_of_the_base_s(run: Path) -> None:
    weights = {name: value.numpy() for name, value in load_file(run / "aligned.safetensors").items()}
    mapped = colours.builder().encoder().encode_texts(TEXTS) @ weights["text.weight"].T + weights["text.bias"]
    mapped /= np.linalg.norm(mapped, axis=1, keepdims=True)
    np.testing.assert_allclose(at(run).encode_texts(TEXTS), mapped, atol=1e-6)


def test_strength_0_is_the_base_and_images_stay(run: Path) -> None:
    base, none, half, whole = colours.builder().encoder(), at(run, 0), at(run, 0.5), at(run)
    assert (none.spaces.text, none.spaces.image) == (base.spaces.text, base.spaces.image)
    assert len({base.spaces.text, half.spaces.text, whole.spaces.text}) == 3
    assert whole.spaces.image == base.spaces.image
    np.testing.assert_array_equal(none.encode_texts(TEXTS), base.encode_texts(TEXTS))
    assert half.encode_texts([]).shape == (0, colours.DIM)


def test_it_resumes_to_the_same_bits(run: Path, world: World, tmp_path: Path) -> None:
    def stop(phase: str, done: int, total: int, metrics: object) -> None:
        if phase == "training" and done == 25:
            raise RuntimeError("killed")

    whole = world.align(tmp_path / "whole", tune="adapter")
    with pytest.raises(RuntimeError, match="killed"):
        world.align(tmp_path / "run", tune="adapter", progress=stop)
    again = world.align(tmp_path / "run", tune="adapter")
    assert again.resumed_from == 20
    assert again.tuned == ("text",)
    assert (again.run / "aligned.safetensors").read_bytes() == (whole.run / "aligned.safetensors").read_bytes()


def test_it_is_another_run_than_one_of_the_text_head(world: World, tmp_path: Path) -> None:
    world.align(tmp_path / "run", tune="adapter", steps=1)
    with pytest.raises(AlignmentError, match=r"align\.tune is text, was adapter"):
        world.align(tmp_path / "run", tune="text", steps=1)


def test_it_can_be_low_rank(world: World, tmp_path: Path) -> None:
    made = world.align(tmp_path / "run", tune="adapter", text_lora_rank=2)
    change = load_file(made.run / "aligned.safetensors")["text.weight"].numpy() - np.eye(colours.DIM)
    assert np.linalg.matrix_rank(change, tol=1e-4) == 2


@pytest.mark.parametrize(("rate", "kept"), [(0.03, True), (1e-9, False)])
def test_its_best_step_is_kept_above_a_floor_on_recall(world: World, tmp_path: Path, rate: float, kept: bool) -> None:
    floor = 0.9
    guard = {"recall_floor": floor, "held_out": 0.5, "watch_every": 5}
    made = world.align(tmp_path / "run", tune="adapter", learning_rate=rate, **guard)
    base, found = (colours.builder().encoder().encode_texts(TEXTS), at(made.run).encode_texts(TEXTS))
    if not kept:  # nothing was gained: the base's own weights
        assert made.kept == 0
        np.testing.assert_array_equal(found, base)
        return
    looks = {int(look["step"]): look for look in read_metrics(made.run / "watch.jsonl")}
    above = [step for step, look in looks.items() if look["recall_kept"] >= floor and look["reward_low"] > 0]
    assert made.kept == max(above, key=lambda step: looks[step]["reward_gain"])
    assert not np.allclose(found, base, atol=1e-3)


def test_an_adapted_run_can_be_aligned_further_but_has_no_image_head(run: Path, world: World, tmp_path: Path) -> None:
    def further(**settings: Any) -> Path:
        build = colours.builder(encoder={"use": str(run)}, align=AlignSettings(steps=2, **settings))
        return align(world.pairs, world.gallery, tmp_path / settings["tune"], build).run

    for tune in ("text", "adapter"):
        assert colours.builder().encoder(str(further(tune=tune))).encode_texts(TEXTS).shape == (4, colours.DIM)
    with pytest.raises(AlignmentError, match="has no image head"):
        further(tune="both")


def test_what_is_no_adapter_is_refused() -> None:
    encoder = AdaptedEncoder(colours.ColourEncoder())
    fits = {"weight": torch.eye(colours.DIM), "bias": torch.zeros(colours.DIM)}
    with pytest.raises(ModelError, match="is no adapter"):
        encoder.with_heads(name="x", text={"weight": torch.eye(3)})
    with pytest.raises(ModelError, match="not finite"):
        encoder.with_heads(name="x", text={**fits, "bias": torch.full((colours.DIM,), float("nan"))})
    with pytest.raises(ModelError, match="no image head"):
        encoder.with_heads(name="x", image=fits)
