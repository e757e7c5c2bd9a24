from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from aesalign_core.build import Builder
from aesalign_core.errors import ModelError
from aesalign_core.protocols import Encoder, TrainableEncoder
from aesalign_core.recipe import Recipe, Use
from aesalign_core.testing import tiny_clip
from aesalign_openclip.encoder import OpenClipEncoder

TEXTS = ["a dog on the beach", "two people", "", "snow " * 500]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def model(folder: Path) -> str:
    return tiny_clip.tiny_model(folder)


@pytest.fixture(scope="module")
def encoder(model: str) -> OpenClipEncoder:
    return build(model)


def build(model: str, **settings: object) -> OpenClipEncoder:
    recipe = Recipe(device="cpu", encoder=Use(use=model, **settings))
    encoder = Builder(recipe).encoder()
    assert isinstance(encoder, OpenClipEncoder)
    return encoder


def photos(n: int = 5) -> list[Image.Image]:
    draw = np.random.default_rng(0)
    return [Image.fromarray(draw.integers(0, 256, (90, 70, 3), dtype=np.uint8)) for _ in range(n)]


def test_it_is_a_trainable_encoder_with_the_widths_it_says(encoder: OpenClipEncoder, model: str) -> None:
    assert isinstance(encoder, Encoder)
    assert isinstance(encoder, TrainableEncoder)
    assert (encoder.name, encoder.dim, encoder.device, encoder.precision) == (
        f"open_clip:{model}",
        tiny_clip.DIM,
        "cpu",
        "fp32",
    )
    # CLIP starts from logit_scale = ln(1 / 0.07).
    assert encoder.temperature == pytest.approx(0.07)


def test_embeddings_are_those_of_open_clip_itself(encoder: OpenClipEncoder, model: str) -> None:
    import open_clip

    arch, _, weights = model.partition("/")
    reference, _, transform = open_clip.create_model_and_transforms(arch, pretrained=weights)
    reference.eval()
    with torch.inference_mode():
        image = reference.encode_image(torch.stack([transform(p) for p in photos()]), normalize=True).numpy()
        text = reference.encode_text(open_clip.get_tokenizer(arch)(TEXTS), normalize=True).numpy()
    pixels = [encoder.preprocess(p) for p in photos()]
    assert (pixels[0].shape, pixels[0].dtype) == ((3, 64, 64), np.float32)
    np.testing.assert_allclose(encoder.encode_pixels(pixels), image, atol=1e-5)
    np.testing.assert_allclose(encoder.encode_texts(TEXTS), text, atol=1e-5)


def test_an_item_does_not_depend_on_its_batch(model: str) -> None:
    small, large = build(model, batch_size=2), build(model, batch_size=64)
    pixels = [large.preprocess(p) for p in photos(7)]
    together = large.encode_pixels(pixels)
    np.testing.assert_allclose(small.encode_pixels(pixels), together, atol=1e-6)
    np.testing.assert_allclose(large.encode_pixels(pixels[3:4]), together[3:4], atol=1e-6)
    np.testing.assert_allclose(small.encode_texts(TEXTS), large.encode_texts(TEXTS), atol=1e-6)


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"weight": torch.zeros(3, 3)},
        {"bias": torch.zeros(3)},
        {"weight": torch.full((tiny_clip.DIM, tiny_clip.DIM), torch.nan)},
    ],
)
def test_a_head_that_does_not_fit_is_refused(encoder: OpenClipEncoder, state: dict[str, torch.Tensor]) -> None:
    with pytest.raises(ModelError, match="image head"):
        encoder.with_heads(name="bad", image=state)


def test_fingerprints_tell_towers_weights_and_preprocessing_apart(
    encoder: OpenClipEncoder, model: str, folder: Path
) -> None:
    base = encoder.spaces
    assert len({base.image, base.text, base.image_features, base.text_features}) == 4
    assert build(model, batch_size=3).spaces == base

    other_weights = build(tiny_clip.tiny_model(folder, seed=1)).spaces
    assert other_weights.image != base.image
    assert other_weights.text != base.text

    for change in ({"resize": "squash"}, {"image_size": 48}):
        changed = build(model, **change).spaces
        assert changed.image != base.image
        assert changed.text == base.text

    quick = tiny_clip.add_arch(folder, "aesalign-tiny-quick", quick_gelu=True)
    activation = build(f"{quick}/{model.partition('/')[2]}").spaces
    assert activation.image != base.image
    assert activation.text != base.text


def test_the_fingerprint_of_a_tower_depends_on_its_own_weights_only(model: str, folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    arch, _, path = model.partition("/")
    state = load_file(path)
    state["visual.proj"] = state["visual.proj"] + 1e-3
    save_file(state, folder / "moved.safetensors")
    moved, base = build(f"{arch}/{folder / 'moved.safetensors'}").spaces, build(model).spaces
    assert moved.image != base.image
    assert moved.text == base.text


def test_half_precision_is_close_and_of_the_same_space(encoder: OpenClipEncoder, model: str) -> None:
    half = build(model, precision="bf16")
    assert half.precision == "bf16"
    assert half.spaces == encoder.spaces
    assert np.abs(half.encode_texts(TEXTS) - encoder.encode_texts(TEXTS)).max() < 0.05


@pytest.mark.timeout(20)
def test_an_enormous_query_costs_little(encoder: OpenClipEncoder) -> None:
    letters = "".join(chr(97 + i) for i in np.random.default_rng(0).integers(0, 26, 300_000))
    assert encoder.encode_texts([letters, " " * 1_000_000 + "dog"]).shape == (2, encoder.dim)


def test_other_shapes_of_photo_can_be_squeezed_or_cut(encoder: OpenClipEncoder, model: str) -> None:
    wide = Image.new("RGB", (300, 20))
    wide.paste((255, 255, 255), (0, 0, 40, 20))
    cut, squeezed = encoder.preprocess(wide), build(model, resize="squash").preprocess(wide)
    assert cut.shape == squeezed.shape == (3, 64, 64)
    assert cut.max() < 0 < squeezed.max()  # the white left end is cut away, but not squeezed away


def test_loading_says_nothing_on_stderr_and_leaves_logging_alone(
    model: str, capfd: pytest.CaptureFixture[str]
) -> None:
    handlers = list(logging.getLogger().handlers)
    build(model, batch_size=5)
    with pytest.raises(ModelError):
        build("ViT-B-32/openai")
    assert logging.getLogger().handlers == handlers
    assert capfd.readouterr() == ("", "")
