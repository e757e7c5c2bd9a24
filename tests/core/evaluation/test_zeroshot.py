"""Zero-shot classification of colours: by hand, against the plain way, and with what goes wrong in folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import colours
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from aesalign_core.errors import EvaluationError
from aesalign_core.evaluation.labelled import Labelled, find_labelled
from aesalign_core.evaluation.zeroshot import ZeroShotReport, class_vectors, classify
from aesalign_core.types import Pixels, Vectors

TEMPLATES = ("a {} photo", "{}")


class Counting(colours.ColourEncoder):
    """Counts the photos that its image tower sees, and the largest batch."""

    def __init__(self, settings: colours.ColourEncoder.Settings | None = None) -> None:
        super().__init__(settings)
        self.batches: list[int] = []

    def encode_pixels(self, pixels: Sequence[Pixels]) -> Vectors:
        self.batches.append(len(pixels))
        return super().encode_pixels(pixels)


class Wrong(Counting):
    """Takes red for blue and blue for red."""

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        swapped = [t.replace("red", "?").replace("blue", "red").replace("?", "blue") for t in texts]
        return super().encode_texts(swapped)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two red, four blue and two green pictures, one green one that is blue, and things that are no classes."""
    for colour, count in (("red", 2), ("blue", 4), ("green", 2)):
        for n in range(count):
            colours.paint(tmp_path / "classes" / colour / f"{n}.png", colour, seed=n)
    colours.paint(tmp_path / "classes" / "green" / "deep" / "9.png", "blue", seed=9)
    colours.paint(tmp_path / "classes" / "stray.png", "red")
    colours.paint(tmp_path / "classes" / ".hidden" / "1.png", "red")
    return tmp_path / "classes"


def run(folder: Path, *encoders: colours.ColourEncoder, batch_size: int = 64) -> ZeroShotReport:
    photos = find_labelled(folder)
    return classify(photos, photos.folders, TEMPLATES, encoders or [Counting()], batch_size=batch_size)


def test_a_folder_for_each_class(folder: Path) -> None:
    found = find_labelled(folder)
    assert found.folders == ("blue", "green", "red")
    assert [p.relative_to(folder).as_posix() for p in found.paths] == [
        "blue/0.png", "blue/1.png", "blue/2.png", "blue/3.png", "green/0.png", "green/1.png", "green/deep/9.png",
        "red/0.png", "red/1.png",
    ]  # fmt: skip
    assert found.labels.tolist() == [0, 0, 0, 0, 1, 1, 1, 2, 2]


def test_accuracies_by_hand(folder: Path) -> None:
    found = run(folder)
    # The blue picture among the green ones is the only mistake: 8 of 9; 4/4, 2/3 and 2/2 per class.
    assert found.metrics["top-1"] == {"colours": pytest.approx(8 / 9)}
    assert found.metrics["mean per class"] == {"colours": pytest.approx((1 + 2 / 3 + 1) / 3)}
    assert "top-5" not in found.metrics  # of three classes it says nothing
    assert found.chance == pytest.approx(1 / 3)
    assert found.per_class["green"] == {"name": "green", "photos": 3, "top-1": {"colours": pytest.approx(2 / 3)}}


def test_two_encoders_are_compared_and_one_image_tower_runs_once(folder: Path) -> None:
    old, new = Wrong(), Counting()
    old.name, new.name = "old", "new"
    found = run(folder, old, new)
    # Old: of the blue and red ones none is right, of the green ones two.
    assert found.metrics["top-1"] == {"old": pytest.approx(2 / 9), "new": pytest.approx(8 / 9)}
    assert found.differences["top-1"].difference == pytest.approx(6 / 9)
    assert found.differences["top-1"].units == 9
    assert found.differences["mean per class"].difference == pytest.approx(2 / 3)
    assert old.batches + new.batches == [9]


def test_another_image_tower_runs_too(folder: Path) -> None:
    old, new = Counting(), Counting(colours.ColourEncoder.Settings(stretch=2.0))
    assert run(folder, old, new).photos == 9
    assert (old.batches, new.batches) == ([9], [9])


def test_memory_follows_the_batch(folder: Path) -> None:
    encoder = Counting()
    told: list[tuple[str, int, int]] = []
    photos = find_labelled(folder)
    found = classify(photos, photos.folders, TEMPLATES, [encoder], batch_size=4, progress=lambda *n: told.append(n))
    assert encoder.batches == [4, 4, 1]
    assert found.metrics == run(folder).metrics
    assert told == [("prompts, colours", 3, 3), ("classifying", 4, 9), ("classifying", 8, 9), ("classifying", 9, 9)]


def test_photos_that_cannot_be_read_are_told_and_left_out(folder: Path) -> None:
    (folder / "red" / "5.png").write_bytes(b"no picture")
    (folder / "red" / "6.png").write_bytes((folder / "red" / "0.png").read_bytes()[:60])
    found = run(folder, batch_size=2)
    assert found.photos == 9
    assert [Path(b.path).name for b in found.bad] == ["5.png", "6.png"]
    assert all(b.reason for b in found.bad)
    assert found.metrics["top-1"] == {"colours": pytest.approx(8 / 9)}


def test_a_class_without_photos_can_still_be_answered(folder: Path) -> None:
    (folder / "magenta").mkdir()
    found = run(folder)
    assert len(found.classes) == 4
    assert found.per_class["magenta"] == {"name": "magenta", "photos": 0, "top-1": {"colours": None}}
    assert found.metrics["mean per class"] == {"colours": pytest.approx((1 + 2 / 3 + 1) / 3)}


def test_classes_of_one_name_share_what_they_get(folder: Path) -> None:
    photos = find_labelled(folder)
    found = classify(photos, ("red", "green", "red"), TEMPLATES, [Counting()])
    # Red pictures tie between the two classes called red; blue ones are as far from all three.
    assert found.per_class["red"]["top-1"]["colours"] == 0.5
    assert found.per_class["blue"]["top-1"]["colours"] == pytest.approx(1 / 3)


def test_a_class_is_the_mean_of_its_normalised_prompts_normalised() -> None:
    encoder = colours.ColourEncoder()
    found = class_vectors(encoder, ["red", "blue", "grey"], TEMPLATES)
    for name, vector in zip(["red", "blue", "grey"], found, strict=True):
        mean = encoder.encode_texts([f"a {name} photo", name]).mean(axis=0)
        assert vector == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)
    many = class_vectors(encoder, list(colours.COLOURS), ["{}"] * 700)  # more than are embedded at a time
    assert many == pytest.approx(encoder.encode_texts(list(colours.COLOURS)), abs=1e-5)


class Arbitrary(colours.ColourEncoder):
    """Has a vector of its own for every text, so that nothing ties."""

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        drawn = [np.random.default_rng(list(text.encode())).standard_normal(self.dim) for text in texts]
        return np.array([v / np.linalg.norm(v) for v in drawn], dtype=np.float32)


@given(st.lists(st.sampled_from(sorted(colours.COLOURS)), min_size=2, max_size=9, unique=True), st.integers(1, 5))
@settings(max_examples=10, deadline=None)
def test_it_agrees_with_the_plain_way(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], batch_size: int
) -> None:
    folder = tmp_path_factory.mktemp("classes")
    for n, name in enumerate(names):
        colours.paint(folder / name / "1.png", name, brightness=0.9, seed=n)
        colours.paint(folder / name / "2.png", names[n - 1], brightness=0.7, seed=n)
    photos, encoder = find_labelled(folder), Arbitrary()
    found = classify(photos, photos.folders, TEMPLATES, [encoder], batch_size=batch_size)
    vectors = encoder.encode_pixels([encoder.preprocess(Image.open(p).convert("RGB")) for p in photos.paths])
    ranked = np.argsort(-(vectors @ class_vectors(encoder, photos.folders, TEMPLATES).T), axis=1)
    for k in (1, 5):
        expected = np.mean([label in row[:k] for label, row in zip(photos.labels, ranked, strict=True)])
        if k == 1 or len(names) > 5:
            assert found.metrics[f"top-{k}"]["colours"] == pytest.approx(expected)


def test_folders_that_hold_no_classes(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=r"cannot read the folder .*No such file.*CLASS/PHOTO"):
        find_labelled(tmp_path / "none")
    colours.paint(tmp_path / "one" / "a" / "1.png", "red")
    with pytest.raises(EvaluationError, match="holds 1 folders"):
        find_labelled(tmp_path / "one")
    for name in ("a", "b"):
        (tmp_path / "empty" / name).mkdir(parents=True)
    with pytest.raises(EvaluationError, match=r"no photos in the folders of .*jpg"):
        find_labelled(tmp_path / "empty")
    for name in ("a", "b"):
        (tmp_path / "empty" / name / "1.png").write_bytes(b"x")
    with pytest.raises(EvaluationError, match="none of the 2 photos can be read"):
        run(tmp_path / "empty")


def test_names_that_are_no_text(tmp_path: Path) -> None:
    folder = tmp_path / "classes"
    for name in ("red", "blue"):
        colours.paint(folder / name / "1.png", name)
    bad = folder / "red" / "\udcff.png"
    bad.write_bytes(b"x")
    (found,) = run(folder).bad
    assert found.path.endswith("\ufffd.png")
    (folder / "\udcff").mkdir()
    with pytest.raises(EvaluationError, match="is not valid UTF-8"):
        find_labelled(folder)


def test_labels_are_what_folders_say() -> None:
    photos = Labelled(("a", "b"), (Path("x"),), np.array([1]))
    with pytest.raises(EvaluationError, match="none of the 1 photos"):
        classify(photos, photos.folders, TEMPLATES, [colours.ColourEncoder()])
