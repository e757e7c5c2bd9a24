from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from contexts import Context

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


def test_a_small_batch_size_changes_nothing(encoder, pixels):
    small = EmbeddedEncoder(EmbeddedSettings(batch_size=2), Context())
    np.testing.assert_allclose(small.encode_pixels(pixels), encoder.encode_pixels(pixels), atol=1e-5)
    assert small.spaces == encoder.spaces


def test_the_same_heads_make_the_same_space(encoder):
    same = encoder.with_heads(name="same", text=encoder.text_head().state_dict())
    assert same.spaces == encoder.spaces
    assert EmbeddedEncoder(EmbeddedSettings(), Context()).spaces == encoder.spaces


def test_an_enormous_text_is_cut(encoder):
    long = "a dog runs " * 200_000
    found = encoder.encode_texts([long, "a dog runs " * 300])
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)


def test_a_text_builds_no_image_tower():
    code = (
        "import sys; sys.path.insert(0, 'tests/support')\n"
        "from contexts import Context\n"
        "from aesalign_embedded.encoder import EmbeddedEncoder, EmbeddedSettings\n"
        "assert EmbeddedEncoder(EmbeddedSettings(), Context()).encode_texts(['a dog']).shape[0] == 1\n"
        "assert 'timm' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
