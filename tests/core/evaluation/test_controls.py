"""Judges with known vices, and what the controls say of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image
from skimage import data

from aesalign_core.errors import EvaluationError
from aesalign_core.evaluation.controls import Control, check_judge, raise_unless_passed
from aesalign_core.types import Row, Verdict

Outcome = Literal["win", "similar", "loss"]


class Judging:
    """A judge made of a function of two rows."""

    name, aspects = "judging", ("aesthetic",)

    def __init__(self, decide: Callable[[Row, Row], Outcome | None]) -> None:
        self._decide = decide

    def compare(self, queries: Sequence[str], old: Sequence[Row], new: Sequence[Row]) -> list[Verdict]:
        return [
            Verdict(query, "aesthetic", self._decide(*rows), reason="blind")
            for query, *rows in zip(queries, old, new, strict=True)
        ]


def sharpness(row: Row) -> float:
    """Detail and light: what all three flaws take away."""
    found = []
    for path in row:
        grey = np.asarray(Image.open(path).convert("L"), np.float64)[-120:]  # below painted words
        found.append(float(np.unique(grey[::3, ::3]).size) * float(np.abs(np.diff(grey)).mean()))
    return float(np.mean(found))


def honest(old: Row, new: Row) -> Outcome:
    before, after = sharpness(old), sharpness(new)
    return "win" if after > before else "loss" if after < before else "similar"


def words_first(old: Row, new: Row) -> Outcome:
    """Reads: a white strip with black words wins over all."""
    signs = [all(np.asarray(Image.open(p).convert("L"))[0].min() == 255 for p in row) for row in (old, new)]
    if signs[0] != signs[1]:
        return "win" if signs[1] else "loss"
    return honest(old, new)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("controls")
    found = []
    for number, array in enumerate([data.astronaut(), data.chelsea(), data.coffee()] * 3):
        image = Image.fromarray(array)
        image = image.crop((10 * number, 10 * number, image.width, image.height))
        found.append(folder / f"{number}.jpg")
        image.save(found[-1])
    return found


def shares(decide: Callable[[Row, Row], Outcome | None], photos: list[Path], folder: Path) -> dict[str, float | None]:
    return {control.name: control.share for control in check_judge(Judging(decide), photos, folder)}


def test_an_honest_judge_passes_all(photos: list[Path], tmp_path: Path) -> None:
    assert shares(honest, photos, tmp_path) == {"identical": 1, "flawed": 1, "painted": 1, "swapped": 1}


def test_a_judge_that_reads_is_caught(photos: list[Path], tmp_path: Path) -> None:
    assert shares(words_first, photos, tmp_path) == {"identical": 1, "flawed": 1, "painted": 0, "swapped": 1}


def test_a_judge_that_looks_at_places_is_caught(photos: list[Path], tmp_path: Path) -> None:
    found = shares(lambda old, new: "win", photos, tmp_path)
    assert found == {"identical": 0, "flawed": 1, "painted": 1, "swapped": 0}


def test_failures_are_no_answers(photos: list[Path], tmp_path: Path) -> None:
    assert set(shares(lambda old, new: None, photos, tmp_path).values()) == {None}


def test_too_few_photos_and_no_beauty(photos: list[Path], tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="5 photos can be read"):
        check_judge(Judging(honest), [*photos[:5], tmp_path / "none.jpg"], tmp_path)
    judge = Judging(honest)
    judge.aspects = ("accuracy",)  # type: ignore[misc]
    with pytest.raises(EvaluationError, match="has no aspect 'aesthetic'"):
        check_judge(judge, photos, tmp_path)


def test_a_control_is_passed_from_four_fifths_on_of_verdicts_and_of_expected_ones() -> None:
    assert Control("flawed", 10, 8).passed
    assert not Control("flawed", 10, 7).passed
    assert Control("flawed", 10, 8, {"refusal": 2}).passed
    assert not Control("flawed", 10, 7, {"refusal": 2, "timed out": 1}).passed  # all of the seven, but too few
    assert not Control("flawed", 10, 0, {"refusal": 10}).passed
    with pytest.raises(EvaluationError) as caught:
        raise_unless_passed(
            "x", [Control("order", 4, 1), Control("flawed", 4, 4), Control("painted", 4, 0, {"no": 4})]
        )
    assert caught.value.args[0] == (
        "the judge x does not pass order (1 of 4 as expected: its verdicts depend on which row is shown first),"
        " painted (0 of 4 verdicts: no (4))"
    )
