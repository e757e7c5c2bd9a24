from __future__ import annotations

import colours
import numpy as np
import pytest
from colours import COLOURS, ColourEncoder
from PIL import Image

from aesalign_core.build import Builder
from aesalign_core.errors import SettingsError, SpaceMismatchError
from aesalign_core.protocols import Reward
from aesalign_embedded.prompt_contrast import PromptContrastReward, PromptContrastSettings


def build(builder: Builder | None = None, **settings: object) -> PromptContrastReward:
    values = {"good": ("red",), "bad": ("blue",), **settings}
    return PromptContrastReward(PromptContrastSettings.model_validate(values), builder or colours.builder())


def pixels(*names: str) -> list[np.ndarray]:
    return [ColourEncoder().preprocess(Image.new("RGB", (40, 30), COLOURS[name])) for name in names]


def test_it_is_a_reward_in_the_encoders_space() -> None:
    reward = build()
    assert isinstance(reward, Reward)
    assert (reward.name, reward.space) == ("prompt_contrast", ColourEncoder().spaces.image)


def test_photos_near_the_good_words_score_above_those_near_the_bad() -> None:
    red, green, blue = build().score_pixels(pixels("red", "green", "blue"))
    assert red > 0.5
    assert blue < -0.5
    assert abs(green) < 0.1
    # What the words say is all that decides.
    assert build(good=["blue"], bad=["red"]).score_pixels(pixels("blue"))[0] == pytest.approx(red, abs=0.1)


def test_the_score_is_the_mean_cosine_to_good_minus_the_mean_cosine_to_bad() -> None:
    reward, encoder = build(good=["red", "bright photo"], bad=["blue", "grey", "dark photo"]), ColourEncoder()
    images = encoder.encode_pixels(pixels("red", "grey", "yellow"))
    good, bad = encoder.encode_texts(["red", "bright photo"]), encoder.encode_texts(["blue", "grey", "dark photo"])
    by_hand = [np.mean([i @ g for g in good]) - np.mean([i @ b for b in bad]) for i in images]
    np.testing.assert_allclose(reward.score_vectors(images), by_hand, atol=1e-6)
    np.testing.assert_allclose(reward.score_pixels(pixels("red", "grey", "yellow")), by_hand, atol=1e-6)


def test_the_prompts_are_embedded_once_and_only_when_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []
    real = ColourEncoder.encode_texts
    monkeypatch.setattr(
        ColourEncoder, "encode_texts", lambda s, texts: (calls.append(list(texts)), real(s, texts))[1]
    )
    reward = build()
    assert calls == []
    reward.score_pixels(pixels("red"))
    reward.score_pixels(pixels("blue"))
    assert calls == [["red", "blue"]]


def test_the_fingerprint_covers_prompts_and_both_towers() -> None:
    base = build()
    assert build().fingerprint == base.fingerprint
    assert build(name="other").fingerprint == base.fingerprint
    others = [build(good=["green"]), build(bad=["green"]), build(good=["blue"], bad=["red"])]
    tuned = colours.builder()
    encoder = tuned.encoder()
    assert isinstance(encoder, ColourEncoder)
    encoder._text.weight.data *= 2
    encoder._stamp()
    others.append(build(tuned))
    assert len({base.fingerprint, *(o.fingerprint for o in others)}) == 5


def test_vectors_of_another_width_are_refused() -> None:
    with pytest.raises(SpaceMismatchError, match="prompt_contrast reads embeddings of colours"):
        build().score_vectors(np.ones((2, 3), np.float32))


@pytest.mark.parametrize("change", [{"good": []}, {"bad": ["  "]}, {"good": "red"}, {"name": "Not A Column"}])
def test_settings_that_say_nothing_are_refused(change: dict[str, object]) -> None:
    from aesalign_core.settings import validate

    with pytest.raises(SettingsError):
        validate(PromptContrastSettings, change, where="reward prompt_contrast")


def test_without_settings_it_knows_what_a_good_photo_is() -> None:
    settings = PromptContrastSettings()
    assert settings.good
    assert settings.bad
