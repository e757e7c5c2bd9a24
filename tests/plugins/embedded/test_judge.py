from __future__ import annotations

import json
from pathlib import Path

import colours
import pytest
from command_line import Aesalign, aesalign, small_photos
from PIL import Image, ImageFilter

from aesalign_core.errors import EvaluationError
from aesalign_core.evaluation.judging import judge_rows, summarise
from aesalign_core.protocols import Judge, WholeJudge
from aesalign_core.settings import validate
from aesalign_embedded.judge import RewardJudge, RewardJudgeSettings

__all__ = ["aesalign", "small_photos"]


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
        verdicts, ("broken.jpg", "nowhere.png", "is a folder", "empty row: the new one"), strict=False
    ):
        assert reason in verdict.reason
    assert verdicts[0].score_new is None
    assert build().compare(["q"], [[missing]], [good])[0].reason == f"unreadable photo: {missing}: no such file"


def test_rows_and_queries_must_go_together(photos: list[str]) -> None:
    with pytest.raises(EvaluationError, match="2 queries"):
        build().compare(["a", "b"], [photos], [photos])


def test_an_ensemble_is_standardised_over_all_photos_that_are_compared(tmp_path: Path) -> None:
    def half(name: str, left: int, right: int) -> str:
        image = Image.new("RGB", (40, 40), (left,) * 3)
        image.paste((right,) * 3, (20, 0, 40, 40))
        image.save(tmp_path / f"{name}.png")
        return str(tmp_path / f"{name}.png")

    # Brightness, as share of white less a half, and contrast, the deviation from it:
    # dim (0.2, 0), even (0.8, 0), lively (0.5, 0.3), and far brighter or darker ones that change the scales.
    dim, even, lively = half("dim", 51, 51), half("even", 204, 204), half("lively", 51, 204)
    judge = build(reward="blend")
    assert isinstance(judge, WholeJudge)
    assert judge.name == "reward:blend"
    verdicts = judge.compare(["a", "b"], [[even], [dim]], [[lively], [even]])
    # Brightness has mean 0 and deviation sqrt(0.06) = 0.245, contrast mean 0.1 and deviation sqrt(0.02) = 0.141.
    # even: (0.3 / 0.245 - 0.1 / 0.141) / 2 = 0.259; lively: (0 + 0.2 / 0.141) / 2 = 0.707; dim: -0.966.
    assert [v.outcome for v in verdicts] == ["win", "win"]
    assert (verdicts[0].score_old, verdicts[0].score_new) == pytest.approx((0.259, 0.707), abs=0.01)
    assert verdicts[1].score_old == pytest.approx(-0.966, abs=0.01)
    # All at once, however many there are, and whichever system is called the old one.
    queries = [f"q{k}" for k in range(100)]
    old, new = [[even]] * 99 + [[dim]], [[lively]] * 99 + [[even]]
    told: list[tuple[int, int]] = []
    found = judge_rows(build(reward="blend"), queries, old, new, progress=lambda *done: told.append(done))
    assert [(v.score_old, v.score_new) for v in found.verdicts[-1:]] == [
        (verdicts[1].score_old, verdicts[1].score_new)
    ]
    assert told[-1] == (100, 100)
    back = judge_rows(build(reward="blend"), queries, new, old)
    assert [(v.score_new, v.score_old) for v in back.verdicts] == [(v.score_old, v.score_new) for v in found.verdicts]


def test_a_photo_that_lacks_a_members_score_has_none(tmp_path: Path, photos: list[str]) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    rows = [[photos[0]], [str(tmp_path / "broken.jpg")]], [[photos[4]], [photos[1]]]
    good, bad = build(reward="blend", batch_size=2).compare(["a", "b"], *rows)
    assert good.outcome == "win"
    assert (bad.outcome, bad.reason.partition(":")[0]) == (None, "unreadable photo")
    assert summarise([good, bad]).failures == {"unreadable photo": 1}


MEMBERS = """
[[{table}.members]]
use = "embedded"
weight = 2

[[{table}.members]]
use = "prompt_contrast"
name = "crisp"
good = ["a sharp photo with clear detail"]
bad = ["a blurred photo"]
"""


@pytest.mark.parametrize("named", ["in the judge", pytest.param("as an entry", marks=pytest.mark.slow)])
def test_a_recipe_can_have_an_ensemble_judge(
    aesalign: Aesalign, small_photos: Path, tmp_path: Path, named: str
) -> None:
    if named == "in the judge":
        recipe = '[judge]\nuse = "reward"\nreward = "ensemble"\n' + MEMBERS.format(table="judge.settings")
    else:
        recipe = '[judge]\nuse = "reward"\nreward = "ensemble"\n[[rewards]]\nuse = "ensemble"\n'
        recipe += MEMBERS.format(table="rewards")
    (tmp_path / "recipe.toml").write_text(recipe)
    sharp = [small_photos / name for name in ("coffee.jpg", "cat.jpg", "flower.jpg")]
    for photo in sharp:
        Image.open(photo).filter(ImageFilter.GaussianBlur(5)).save(tmp_path / photo.name)
    lists = {"old": [photo.name for photo in sharp], "new": list(map(str, sharp))}
    for system, photos in lists.items():
        lines = [json.dumps({"query": f"q{n}", "hits": [photo]}) for n, photo in enumerate(photos)]
        (tmp_path / f"{system}.jsonl").write_text("\n".join(lines))
    done = aesalign("judge", "compare", "old.jsonl", "new.jsonl", "--recipe", "recipe.toml", "--json")
    assert done.code == 0, done.err
    assert done.json["judge"] == "reward:ensemble"
    assert done.json["aspects"]["aesthetic"]["wins"] == 3
    # Standardised over the six photos: their mean is 0, so that old and new are each other's opposite.
    verdicts = done.json["verdicts"]
    assert sum(v["score_old"] + v["score_new"] for v in verdicts) == pytest.approx(0, abs=1e-5)
    if named == "as an entry":
        checked = aesalign("judge", "check", small_photos, "--limit", "6", "--recipe", "recipe.toml", "--json")
        assert set(checked.json["controls"]) == {"identical", "flawed", "painted", "swapped"}
        assert checked.json["controls"]["identical"]["share"] == checked.json["controls"]["swapped"]["share"] == 1.0
    else:
        (tmp_path / "recipe.toml").write_text('[judge]\nuse = "reward"\nreward = "ensemble"\n')
        lacking = aesalign("judge", "compare", "old.jsonl", "new.jsonl", "--recipe", "recipe.toml")
        assert (lacking.code, len(lacking.err.splitlines())) == (1, 1)
        assert "members" in lacking.err
