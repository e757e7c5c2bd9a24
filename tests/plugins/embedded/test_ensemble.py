from __future__ import annotations

from pathlib import Path

import colours
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aesalign_core import plugins, recipe
from aesalign_core.errors import AesalignError, GalleryError, RecipeError, SettingsError
from aesalign_core.gallery import Gallery
from aesalign_core.indexing.index import index
from aesalign_core.protocols import CombinedReward
from aesalign_core.recipe import Use
from aesalign_core.settings import validate
from aesalign_embedded.ensemble import EnsembleReward, EnsembleSettings

MEMBERS = [{"use": "brightness", "weight": 3.0}, {"use": "contrast", "weight": -1.0}]
COLUMNS = {
    "brightness": np.array([1, 2, 3, 4], np.float32),  # mean 2.5, deviation √1.25
    "contrast": np.array([100, 300, 100, 300], np.float32),  # mean 200, deviation 100
}


def build(members: list[dict[str, object]] | None = None, **settings: object) -> EnsembleReward:
    values = {"members": members or MEMBERS, **settings}
    return EnsembleReward(validate(EnsembleSettings, values, where="reward ensemble"), colours.builder())


def test_a_score_by_hand() -> None:
    ensemble = build()
    assert isinstance(ensemble, CombinedReward)
    assert [m.name for m in ensemble.members] == ["brightness", "contrast"]
    statistics = ensemble.fit(COLUMNS)
    assert statistics["contrast"] == {"mean": 200.0, "std": 100.0}
    # z of brightness: ±1.5/√1.25 = ±1.34164, ±0.5/√1.25 = ±0.44721; z of contrast: ±1; shares 3/4 and -1/4.
    expected = [-0.75 * 1.34164 + 0.25, -0.75 * 0.44721 - 0.25, 0.75 * 0.44721 + 0.25, 0.75 * 1.34164 - 0.25]
    np.testing.assert_allclose(ensemble.combine(COLUMNS, statistics), expected, atol=1e-4)


@given(
    arrays(np.float32, (2, 12), elements=st.floats(-100, 100, width=32)),
    st.floats(0.01, 100),
    st.floats(-100, 100),
)
def test_the_scale_of_a_member_plays_no_part(values: np.ndarray, factor: float, offset: float) -> None:
    assume(values.std(axis=1).min() > 0.1)
    ensemble = build()
    columns = {"brightness": values[0], "contrast": values[1]}
    scaled = {**columns, "brightness": (values[0].astype(float) * factor + offset).astype(np.float32)}
    one = ensemble.combine(columns, ensemble.fit(columns))
    np.testing.assert_allclose(ensemble.combine(scaled, ensemble.fit(scaled)), one, atol=0.02)


def test_a_member_that_does_not_vary_ranks_nothing() -> None:
    ensemble = build()
    columns = {**COLUMNS, "contrast": np.full(4, 0.1, np.float32)}
    statistics = ensemble.fit(columns)
    assert statistics["contrast"]["std"] == 0.0
    brightness = 0.75 * (columns["brightness"] - 2.5) / np.sqrt(1.25)
    np.testing.assert_allclose(ensemble.combine(columns, statistics), brightness, atol=1e-6)


def test_a_photo_without_a_members_score_has_none() -> None:
    ensemble = build()
    columns = {**COLUMNS, "contrast": np.array([100, np.nan, 100, 300], np.float32)}
    scores = ensemble.combine(columns, ensemble.fit(columns))
    assert np.isnan(scores).tolist() == [False, True, False, False]
    nobody = {name: np.full(2, np.nan, np.float32) for name in COLUMNS}
    assert np.isnan(ensemble.combine(nobody, ensemble.fit(nobody))).all()


def test_what_a_gallery_lacks_is_one_line() -> None:
    ensemble = build()
    with pytest.raises(GalleryError, match="needs the column 'contrast'"):
        ensemble.fit({"brightness": COLUMNS["brightness"]})
    for damaged in ({}, {"brightness": {"mean": 0}}, {"brightness": None}):
        with pytest.raises(GalleryError, match="mean and deviation of 'brightness'"):
            ensemble.combine(COLUMNS, damaged)


def test_the_fingerprint_is_of_members_and_proportions() -> None:
    base = build()
    assert build([{**m, "weight": 2 * m["weight"]} for m in MEMBERS]).fingerprint == base.fingerprint
    assert build(name="other").fingerprint == base.fingerprint
    assert build([MEMBERS[0]]).fingerprint != base.fingerprint
    assert build([MEMBERS[0], {"use": "contrast"}]).fingerprint != base.fingerprint


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([{"use": "brightness"}, {"use": "brightness"}], "two columns 'brightness'"),
        ([{"use": "brightness", "weight": 0}], "plays no part"),
        ([{"use": "brightness", "weight": float("nan")}], "finite"),
        ([{"use": "ensemble"}], "its own member"),
        ([{"use": "aesalign:ensemble"}], "its own member"),
        ([{"use": "blend"}], "itself made of rewards"),
        ([{"use": "brightnes"}], "no reward is named"),
        ([{"weight": 1.0}], "use"),
    ],
)
def test_members_that_cannot_be_meant_are_refused(members: list[dict[str, object]], message: str) -> None:
    with pytest.raises(AesalignError, match=message):
        build(members)


def test_an_ensemble_named_like_its_member_is_refused() -> None:
    with pytest.raises(SettingsError, match="two columns 'brightness'"):
        build([{"use": "brightness"}], name="brightness")


def test_a_recipe_is_checked_down_to_the_members(tmp_path: Path) -> None:
    file = tmp_path / "recipe.toml"
    ensemble = '[[rewards]]\nuse = "ensemble"\n[[rewards.members]]\nuse = "prompt_contrast"\n'
    file.write_text(ensemble + 'weight = 2\ngood = ["a photo of a forest"]\n')
    found = plugins.load()
    loaded = recipe.load(file, found=found)
    assert loaded.rewards[0].use == "ensemble"
    for line, message in (('goood = ["x"]', "unknown key 'goood'"), ("good = []", "good")):
        file.write_text(f"{ensemble}{line}\n")
        with pytest.raises(RecipeError, match=message) as error:
            recipe.load(file, found=found)
        assert "ensemble: prompt_contrast" in str(error.value)


def test_a_gallery_keeps_the_ensemble_beside_its_members(tmp_path: Path) -> None:
    colours.write_photos(tmp_path / "photos", each=3)
    build = colours.builder(rewards=(Use(use="ensemble", members=MEMBERS),))
    build.registry.offers += [o for o in plugins.load().offers if o.component.name == "ensemble"]
    index(tmp_path / "photos", tmp_path / "gallery", build)
    gallery = Gallery.open(tmp_path / "gallery", build)
    assert set(gallery.rewards) == {"brightness", "contrast", "ensemble"}
    members = {name: gallery.scores(name).astype(float) for name in ("brightness", "contrast")}
    z = {name: (v - v.mean()) / v.std() for name, v in members.items()}
    np.testing.assert_allclose(gallery.scores("ensemble"), 0.75 * z["brightness"] - 0.25 * z["contrast"], atol=1e-4)
