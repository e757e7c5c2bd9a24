from __future__ import annotations

import numpy as np
import pytest
import torch
from contexts import Context
from PIL import Image
from pydantic import ValidationError
from skimage import data

from aesalign_core.errors import ModelError
from aesalign_core.protocols import Reward
from aesalign_core.testing.pictures import scene
from aesalign_embedded import flaws
from aesalign_embedded.encoder import EmbeddedEncoder, EmbeddedSettings
from aesalign_embedded.heads import embed
from aesalign_embedded.reward import EmbeddedReward, EmbeddedRewardSettings
from aesalign_embedded.reward_head import RewardHead, reward_from


@pytest.fixture(scope="module")
def reward():
    return EmbeddedReward(EmbeddedRewardSettings(), Context())


@pytest.fixture(scope="module")
def encoder():
    return EmbeddedEncoder(EmbeddedSettings(), Context())


@pytest.fixture(scope="module")
def pixels(reward):
    sizes = [(320, 240), (224, 224), (90, 300), (1200, 500), (17, 23)]
    return [reward.preprocess(scene(i, size)) for i, size in enumerate(sizes)]


def test_it_is_a_reward_on_the_features_of_the_embedded_encoder(reward, encoder, pixels):
    assert isinstance(reward, Reward)
    assert reward.space == encoder.spaces.image_features
    scores = reward.score_vectors(encoder.pixel_features(pixels))
    np.testing.assert_allclose(scores, reward.score_pixels(pixels), atol=1e-4)


def test_an_aligned_encoder_of_other_heads_changes_no_score(reward, encoder):
    tuned = encoder.with_heads(name="tuned", image=encoder.image_head().state_dict())
    assert tuned.spaces.image_features == reward.space


def test_vectors_of_another_width_are_refused(reward):
    with pytest.raises(ModelError, match=r"embedded reads \(n, 2816\) features, not \(2, 512\)"):
        reward.score_vectors(np.zeros((2, 512), np.float32))


def test_scores_lie_on_laions_scale_whatever_the_picture(reward):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    odd = [Image.fromarray(noise), Image.new("RGB", (9, 400)), Image.new("RGB", (300, 300), "red"), scene(5)]
    scores = reward.score_pixels([reward.preprocess(image) for image in odd])
    assert np.all((scores > 0) & (scores < 9))


def test_flawed_copies_of_photographs_unlike_the_training_ones_lose_most_of_their_places(reward):
    photographs = [Image.fromarray(p) for p in (data.astronaut(), data.chelsea(), data.coffee(), data.rocket())]
    before = reward.score_pixels([reward.preprocess(p) for p in photographs])
    right = []
    for flaw in flaws.FLAWS:
        bad = [flaws.apply(p, flaw, severity=0.9, seed=i) for i, p in enumerate(photographs)]
        right.append(before > reward.score_pixels([reward.preprocess(p) for p in bad]))
    assert np.mean(right) >= 0.8


def test_settings_are_checked():
    with pytest.raises(ValidationError):
        EmbeddedRewardSettings.model_validate({"batch": 3})
    with pytest.raises(ValidationError):
        EmbeddedRewardSettings(name="Not A Column")


# The head alone: 2 rated photos, no hidden luck.


def _head() -> RewardHead:
    head = RewardHead(1280 + 4, 1, centres=2, hidden=2)
    for parameter in head.parameters():
        parameter.data.zero_()
    head.centres.copy_(torch.tensor([[0.0, 0, 0, 0, 0], [1.0, 0, 0, 0, 0]]))
    head.dual.copy_(torch.tensor([2.0, -1.0]))
    head.offset.fill_(5.0)
    head.gamma.fill_(1.0)
    return head.eval()


def test_the_score_by_hand():
    head, features, embedding = _head(), torch.zeros(1, 1284), torch.zeros(1, 1)
    with torch.inference_mode():
        # 5 + 2·exp(0) − 1·exp(−1)
        assert head(features, embedding).item() == pytest.approx(7 - np.exp(-1), abs=1e-6)
        features[0, 1280] = 2.0  # divided by √4: at the second centre
        assert head(features, embedding).item() == pytest.approx(4 + 2 * np.exp(-1), abs=1e-6)
        head.weight.fill_(3.0)  # σ(0 − 0) = 1/2
        assert head(features, embedding).item() == pytest.approx(2.5 + 2 * np.exp(-1), abs=1e-6)
        head.threshold.fill_(-np.log(3.0))  # σ(log 3) = 3/4
        assert head(features, embedding).item() == pytest.approx(1.75 + 2 * np.exp(-1), abs=1e-6)


def test_far_away_the_score_is_the_mean():
    head = _head()
    with torch.inference_mode():
        assert head(torch.full((1, 1284), 1e6), torch.full((1, 1), 1e6)).item() == pytest.approx(5.0, abs=1e-6)


def test_a_state_that_is_none_is_refused():
    state = _head().state_dict()
    assert torch.equal(reward_from(state).dual, torch.tensor([2.0, -1.0]))
    with pytest.raises(KeyError):
        reward_from({})
    with pytest.raises(RuntimeError):
        reward_from({**state, "centres": torch.zeros(2, 9)})


def test_embeddings_have_unit_length(encoder):
    found = embed(encoder.image_head(), torch.randn(3, 2816))
    torch.testing.assert_close(found.norm(dim=1), torch.ones(3))
