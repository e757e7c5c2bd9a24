"""The colour encoder that other tests lean on does what it says."""

from __future__ import annotations

import colours
import numpy as np
import torch
from PIL import Image

from aesalign_core.protocols import CombinedReward, Reward, TrainableEncoder


def test_it_is_a_trainable_encoder_whose_words_find_colours(tmp_path):
    encoder = colours.builder().encoder()
    assert isinstance(encoder, TrainableEncoder)
    paths = colours.write_photos(tmp_path, each=3)
    pixels = [encoder.preprocess(Image.open(p)) for p in paths]
    images, texts = encoder.encode_pixels(pixels), encoder.encode_texts(["a red photo", "Green!", "so blue"])
    np.testing.assert_allclose(np.linalg.norm(images, axis=1), 1, atol=1e-6)
    nearest = (texts @ images.T).argsort(axis=1)[:, -3:]
    assert [sorted({paths[i].name.split("-")[0] for i in row}) for row in nearest] == [["red"], ["green"], ["blue"]]
    with torch.inference_mode():
        headed = encoder.image_head()(torch.from_numpy(encoder.pixel_features(pixels))).numpy()
    np.testing.assert_allclose(headed / np.linalg.norm(headed, axis=1, keepdims=True), images, atol=1e-6)


def test_heads_change_fingerprints_of_their_own_tower_only():
    encoder = colours.ColourEncoder()
    other = encoder.with_heads(name="run", text={k: v * 2 for k, v in encoder.text_head().state_dict().items()})
    assert (other.spaces.image, other.name) == (encoder.spaces.image, "run")
    assert other.spaces.text != encoder.spaces.text


def test_rewards_are_rewards():
    built = colours.builder("brightness", "contrast", "redness", "blend").rewards()
    assert [isinstance(r, Reward) for r in built] == [True, True, True, False]
    assert isinstance(built[-1], CombinedReward)
