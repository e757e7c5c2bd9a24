from __future__ import annotations

from pathlib import Path

import colours
import pytest
from PIL import Image

from aesalign_core.errors import EvaluationError, SettingsError
from aesalign_core.protocols import Judge
from aesalign_core.settings import validate
from aesalign_embedded.judge import RewardJudge, RewardJudgeSettings


@pytest.fixture
def photos(tmp_path: Path) -> list[str]:
    """Five grey pictures; `brightness` gives picture i the reward i/5 - 0.5."""
    paths = []
    for i in range(5):
        path = tmp_path / f"{i}.png"
        Image.new("RGB", (40, 40), (51 * i,) * 3).save(path)
        paths.append(str(path))
    return paths


def build(**settings: object) -> RewardJudge:
    values = {"reward": "brightness", **settings}
    return RewardJudge(validate(RewardJudgeSettings, values, where="judge reward"), colours.builder())


def test_the_row_with_the_higher_mean_reward_wins(photos: list[str]) -> None:
    judge = build()
    assert isinstance(judge, Judge)
    assert (judge.name, list(judge.aspects)) == ("reward:brightness", ["aesthetic"])
    dim, bright = [photos[0], photos[2]], [photos[2], photos[4]]  # means -0.3 and 0.1
    verdicts = judge.compare(["a", "b", "c"], [dim, bright, dim], [bright, dim, dim[::-1]])
    assert [(v.query, v.aspect, v.outcome) for v in verdicts] == [
        ("a", "aesthetic", "win"),
        ("b", "aesthetic", "loss"),
        ("c", "aesthetic", "similar"),
    ]
    assert (verdicts[0].score_old, verdicts[0].score_new) == pytest.approx((-0.3, 0.1), abs=1e-3)
    assert judge.compare([], [], []) == []


def test_rows_within_the_margin_are_similar(photos: list[str]) -> None:
    old, new = [[photos[1]]], [[photos[2]]]  # 0.2 apart
    assert build(margin=0.15).compare(["q"], old, new)[0].outcome == "win"
    assert build(margin=0.25).compare(["q"], old, new)[0].outcome == "similar"


def test_each_photo_is_scored_once(photos: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    real = colours.BrightnessReward.score_pixels
    monkeypatch.setattr(
        colours.BrightnessReward, "score_pixels", lambda self, p: (seen.append(len(p)), real(self, p))[1]
    )
    judge = build(batch_size=2)
    judge.compare(["a", "b"], [photos[:2], photos[:2]], [photos[1:3], photos[:3]])
    assert seen == [2, 1]
    judge.compare(["c"], [photos[:2]], [[photos[4]]])
    assert seen == [2, 1, 1]


def test_a_verdict_does_not_depend_on_its_batch(photos: list[str]) -> None:
    old, new = [photos[:2], photos[2:4], [photos[4]]], [photos[3:], photos[:1], photos[:3]]
    together = build().compare(["a", "b", "c"], old, new)
    alone = [build(batch_size=1).compare([q], [o], [n])[0] for q, o, n in zip("abc", old, new, strict=True)]
    assert together == alone


def test_what_cannot_be_judged_is_said_and_costs_nothing_else(photos: list[str], tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    missing, good = str(tmp_path / "nowhere.png"), [photos[0]]
    rows = [[str(broken)], [missing], [str(tmp_path)], [], good]
    verdicts = build().compare(["q"] * 5, [good] * 5, rows)
    assert [v.outcome for v in verdicts] == [None, None, None, None, "similar"]
    for verdict, reason in zip(
        verdicts, ("broken.jpg", "nowhere.png", "is a folder", "new row is empty"), strict=False
    ):
        assert reason in verdict.reason
    assert verdicts[0].score_new is None
    assert build().compare(["q"], [[missing]], [good])[0].reason.startswith("the old row holds")


def test_rows_and_queries_must_go_together(photos: list[str]) -> None:
    with pytest.raises(EvaluationError, match="2 queries"):
        build().compare(["a", "b"], [photos], [photos])


def test_a_reward_of_a_whole_gallery_cannot_judge() -> None:
    with pytest.raises(SettingsError, match="standardised over a gallery"):
        build(reward="blend")
