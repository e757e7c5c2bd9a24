from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from contexts import Context
from pydantic import ValidationError

from aesalign_core.errors import ModelError
from aesalign_core.protocols import TrainableEncoder
from aesalign_core.testing.pictures import scene
from aesalign_embedded.encoder import EmbeddedEncoder, EmbeddedSettings

TEXTS = ["a dog on a beach", "", "Two children play football in the rain , one of them in a red jacket .", "sunset"]


@pytest.fixture(scope="module")
def encoder() -> EmbeddedEncoder:
    return EmbeddedEncoder(EmbeddedSettings(), Context())


@pytest.fixture(scope="module")
def pixels(encoder):
    sizes = [(320, 240), (224, 224), (90, 300), (1200, 500), (17, 23)]
    return [encoder.preprocess(scene(i, size)) for i, size in enumerate(sizes)]


def test_it_is_a_trainable_encoder(encoder):
    assert isinstance(encoder, TrainableEncoder)
    assert encoder.name == "embedded"
    assert 0.005 < encoder.temperature < 0.2


def test_embeddings_are_unit_rows_in_float32(encoder, pixels):
    for found, count in ((encoder.encode_pixels(pixels), 5), (encoder.encode_texts(TEXTS), 4)):
        assert found.shape == (count, encoder.dim)
        assert found.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-5)


def test_nothing_gives_no_rows(encoder):
    assert encoder.encode_pixels([]).shape == encoder.encode_texts([]).shape == (0, encoder.dim)


def test_an_embedding_does_not_depend_on_its_batch(encoder, pixels):
    alone = np.concatenate([encoder.encode_pixels([p]) for p in pixels])
    np.testing.assert_allclose(encoder.encode_pixels(pixels), alone, atol=1e-5)
    np.testing.assert_allclose(encoder.encode_pixels(pixels[::-1])[::-1], alone, atol=1e-5)
    alone = np.concatenate([encoder.encode_texts([t]) for t in TEXTS])
    np.testing.assert_allclose(encoder.encode_texts(TEXTS), alone, atol=1e-5)
    np.testing.assert_allclose(encoder.encode_texts(TEXTS[::-1])[::-1], alone, atol=1e-5)


def test_a_small_batch_size_changes_nothing(encoder, pixels):
    small = EmbeddedEncoder(EmbeddedSettings(batch_size=2), Context())
    np.testing.assert_allclose(small.encode_pixels(pixels), encoder.encode_pixels(pixels), atol=1e-5)
    assert small.spaces == encoder.spaces


def test_the_same_input_gives_the_same_bits(encoder, pixels):
    assert encoder.encode_pixels(pixels).tobytes() == encoder.encode_pixels(pixels).tobytes()
    assert encoder.encode_texts(TEXTS).tobytes() == encoder.encode_texts(TEXTS).tobytes()


def test_an_embedding_is_the_head_of_the_features(encoder, pixels):
    for head, features, embedded in (
        (encoder.image_head(), encoder.pixel_features(pixels), encoder.encode_pixels(pixels)),
        (encoder.text_head(), encoder.text_features(TEXTS), encoder.encode_texts(TEXTS)),
    ):
        with torch.inference_mode():
            found = torch.nn.functional.normalize(head(torch.from_numpy(features)), dim=-1)
        assert not head.training
        np.testing.assert_allclose(found.numpy(), embedded, atol=1e-5)


def test_heads_are_copies(encoder):
    before = encoder.encode_texts(["a dog"])
    for parameter in encoder.text_head().parameters():
        parameter.data.zero_()
    assert np.array_equal(encoder.encode_texts(["a dog"]), before)


def test_other_heads_make_another_space_of_their_tower_only(encoder, pixels):
    state = encoder.text_head().state_dict()
    state["linear.bias"] = state["linear.bias"] + 1.0
    other = encoder.with_heads(name="tuned", text=state)
    assert (other.name, encoder.name) == ("tuned", "embedded")
    assert other.spaces.image == encoder.spaces.image
    assert other.spaces.text != encoder.spaces.text
    assert other.spaces.text_features == encoder.spaces.text_features
    assert not np.allclose(other.encode_texts(TEXTS), encoder.encode_texts(TEXTS))
    assert np.array_equal(other.encode_pixels(pixels), encoder.encode_pixels(pixels))


def test_the_same_heads_make_the_same_space(encoder):
    same = encoder.with_heads(name="same", text=encoder.text_head().state_dict())
    assert same.spaces == encoder.spaces
    assert EmbeddedEncoder(EmbeddedSettings(), Context()).spaces == encoder.spaces


def test_a_head_that_does_not_fit_is_refused(encoder):
    state = encoder.image_head().state_dict()
    with pytest.raises(ModelError, match=r"no image head of embedded: linear\.bias"):
        encoder.with_heads(name="x", image={**state, "linear.bias": torch.zeros(3)})
    with pytest.raises(ModelError, match="no image head"):
        encoder.with_heads(name="x", image={})
    with pytest.raises(ModelError, match="not finite"):
        encoder.with_heads(name="x", image={**state, "linear.bias": state["linear.bias"] * torch.nan})


def test_an_enormous_text_is_cut(encoder):
    long = "a dog runs " * 200_000
    found = encoder.encode_texts([long, "a dog runs " * 300])
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)


def test_unknown_settings_are_refused():
    with pytest.raises(ValidationError):
        EmbeddedSettings.model_validate({"batchsize": 3})


def test_settings_import_no_torch():
    code = (
        "import sys, aesalign_embedded.encoder, aesalign_embedded.reward, aesalign_embedded.flaws\n"
        "assert not {'torch', 'timm', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_text_builds_no_image_tower():
    code = (
        "import sys; sys.path.insert(0, 'tests/support')\n"
        "from contexts import Context\n"
        "from aesalign_embedded.encoder import EmbeddedEncoder, EmbeddedSettings\n"
        "assert EmbeddedEncoder(EmbeddedSettings(), Context()).encode_texts(['a dog']).shape[0] == 1\n"
        "assert 'timm' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
