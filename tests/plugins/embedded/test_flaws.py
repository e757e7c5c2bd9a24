from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from aesalign_core.errors import SettingsError
from aesalign_core.testing.pictures import scene
from aesalign_embedded import flaws

IMAGE = scene(1)


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image.resize(IMAGE.size), np.float32)


def distance(image: Image.Image) -> float:
    return float(np.abs(pixels(image) - pixels(IMAGE)).mean())


@pytest.mark.parametrize("flaw", flaws.FLAWS)
def test_the_same_input_gives_the_same_bytes_and_leaves_the_photo_alone(flaw):
    before = IMAGE.tobytes()
    first, second = (flaws.apply(IMAGE, flaw, severity=0.6, seed=7) for _ in range(2))
    assert first.tobytes() == second.tobytes()
    assert first.mode == "RGB"
    assert IMAGE.tobytes() == before


@pytest.mark.parametrize("flaw", flaws.FLAWS)
def test_every_flaw_is_visible_even_at_its_mildest(flaw):
    for seed in range(5):
        assert distance(flaws.apply(IMAGE, flaw, severity=0.05, seed=seed)) > 0.5


@pytest.mark.parametrize("flaw", [f for f in flaws.FLAWS if f != "crop"])
def test_severity_makes_it_worse(flaw):
    def mean(severity):
        return np.mean([distance(flaws.apply(IMAGE, flaw, severity=severity, seed=s)) for s in range(8)])

    assert mean(1.0) > mean(0.1) * 1.2


def test_a_severer_crop_keeps_less():
    mild, severe = (flaws.apply(IMAGE, "crop", severity=s, seed=3) for s in (0.1, 1.0))
    assert severe.width < mild.width < IMAGE.width
    assert severe.height < mild.height < IMAGE.height


@pytest.mark.parametrize("flaw", ["noise", "crop", "colour_cast", "tilt"])
def test_seeds_differ(flaw):
    assert len({flaws.apply(IMAGE, flaw, severity=0.5, seed=s).tobytes() for s in range(8)}) > 1


def test_exposure_goes_the_way_its_name_says():
    mean = pixels(IMAGE).mean()
    assert pixels(flaws.apply(IMAGE, "underexposure")).mean() < mean - 20
    assert pixels(flaws.apply(IMAGE, "overexposure")).mean() > mean + 20


def test_blur_looks_alike_at_any_size():
    large = IMAGE.resize((1280, 960), Image.Resampling.LANCZOS)
    seed = next(s for s in range(20) if flaws.apply(IMAGE, "blur", seed=s) != flaws.apply(IMAGE, "blur", seed=s + 1))
    small, big = (flaws.apply(i, "blur", severity=0.8, seed=seed) for i in (IMAGE, large))
    assert np.abs(pixels(small) - pixels(big)).mean() < 2.0


@settings(max_examples=40, deadline=None)
@given(
    flaw=st.sampled_from(flaws.FLAWS),
    severity=st.floats(0.0, 1.0, exclude_min=True),
    seed=st.integers(0, 2**40),
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
)
def test_any_photo_any_severity_any_seed(flaw, severity, seed, size):
    found = flaws.apply(scene(2, size), flaw, severity=severity, seed=seed)
    assert found.mode == "RGB"
    assert found.width >= 1
    assert found.size == size or flaw == "crop"


@pytest.mark.parametrize("severity", [0.0, -1.0, 1.01, float("nan")])
def test_a_severity_out_of_range_is_refused(severity):
    with pytest.raises(SettingsError, match="severity"):
        flaws.apply(IMAGE, "blur", severity=severity)


def test_an_unknown_flaw_names_the_known_ones():
    with pytest.raises(SettingsError, match=r"unknown flaw 'fog'.*blur, noise"):
        flaws.apply(IMAGE, "fog")


def test_seeds_come_from_names_alone():
    assert flaws.seed_of("a.jpg") == flaws.seed_of("a.jpg")
    assert len({flaws.seed_of(f"{i}.jpg", salt) for i in range(100) for salt in range(2)}) == 200


def test_harmless_differences_are_repeatable_and_leave_a_photograph():
    from aesalign_embedded.training.variation import vary

    image = scene(3)
    varied = [vary(image, seed=seed) for seed in range(12)]
    assert all(v.mode == "RGB" and min(v.size) >= 8 for v in varied)
    assert len({v.tobytes() for v in varied}) == 12
    assert vary(image, seed=0).tobytes() == varied[0].tobytes()
