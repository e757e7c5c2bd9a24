"""The reward against aesalign's contract of its kind, and which way it is turned."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from skimage import data

from aesalign_core import Builder, Recipe
from aesalign_core.errors import ModelError, SettingsError
from aesalign_core.recipe import Use
from aesalign_core.testing import RewardContract


class TestPyiqa(RewardContract):
    component = "pyiqa"
    refused = ({"metric": ""}, {"name": "No column"}, {"side": 8})


def _reward(**settings: object):
    return Builder(Recipe(device="cpu")).component("reward", Use(use="pyiqa", **settings))


def test_a_lower_metric_makes_a_higher_reward() -> None:
    """PIQE, of which less is better, likes a photograph better than what a JPEG of bad quality leaves of it."""
    reward, photo, squeezed = _reward(), Image.fromarray(data.astronaut()), io.BytesIO()
    photo.save(squeezed, "JPEG", quality=5)
    good, bad = reward.score_pixels([reward.preprocess(one) for one in (photo, Image.open(squeezed).convert("RGB"))])
    assert good > bad
    assert -100 <= bad < 0, "pyiqa's range of it is 0 to 100"


@pytest.mark.parametrize(("metric", "said"), [("psnr", "compares a picture with another"), ("muziq", "'musiq'")])
def test_what_is_no_metric_of_one_picture_is_one_error(metric: str, said: str) -> None:
    with pytest.raises(SettingsError) as failed:
        _reward(metric=metric)
    assert said in str(failed.value)


def test_weights_that_cannot_be_had_are_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", "/nowhere/that/can/be/written")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match="pyiqa cannot make 'niqe'") as failed:
        _reward(metric="niqe")
    assert "\n" not in str(failed.value)
