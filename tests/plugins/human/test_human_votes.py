"""Votes and what becomes of them, without a page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vote_page import photo

from aesalign_core.errors import EvaluationError, SettingsError
from aesalign_core.evaluation.agreement import agreement
from aesalign_core.evaluation.hpir import Label, read_hpir
from aesalign_core.settings import validate
from aesalign_human import scale
from aesalign_human.comparisons import Comparison, Gathered, gather
from aesalign_human.settings import HumanSettings
from aesalign_human.votes import Votes, voting
from aesalign_human.work import Work

ASPECTS = ("accuracy", "aesthetic")
STEPS = st.integers(1, 7)
ROWS = st.sampled_from(["first", "second"])


@pytest.fixture
def gathered(tmp_path: Path) -> Gathered:
    """Forty comparisons."""
    old = [[photo(tmp_path / "p" / f"o{k}.png", (k, 0, 0))] for k in range(40)]
    new = [[photo(tmp_path / "p" / f"n{k}.png", (0, 100, k))] for k in range(40)]
    return gather([f"query {k}" for k in range(40)], old, new, most=5)


@pytest.fixture
def votes(tmp_path: Path) -> Iterator[Votes]:
    with voting(tmp_path / "votes") as opened:
        yield opened


def said(who: str, value: int, *, left: scale.Row = "first", aspects: tuple[str, ...] = ASPECTS) -> list[Label]:
    return [scale.label(value, left=left, annotator=who, aspect=aspect) for aspect in aspects]


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "votes" / "journal.jsonl").read_text().splitlines()]


def test_the_scale_by_hand() -> None:
    given = [scale.label(value, left="second", annotator="ann", aspect="a") for value in range(1, 8)]
    assert [(one.choice, one.confidence) for one in given] == [
        ("second", 1.0), ("second", 0.6), ("second", 0.3), ("similar", 1.0),
        ("first", 0.3), ("first", 0.6), ("first", 1.0),
    ]  # fmt: skip
    for value in (0, 8, -1):
        with pytest.raises(ValueError, match="no answer"):
            scale.label(value, left="first", annotator="ann", aspect="a")


@given(STEPS, ROWS)
def test_an_answer_is_shown_again_as_it_was_given(value: int, left: scale.Row) -> None:
    label = scale.label(value, left=left, annotator="ann", aspect="a")
    assert scale.value(label, left=left) == value
    other: scale.Row = "first" if left == "second" else "second"
    assert scale.value(label, left=other) == 8 - value  # the mirror image


def test_newest_votes_hold_and_become_an_hpir_file(gathered: Gathered, tmp_path: Path) -> None:
    one, two = gathered.comparisons[:2]
    with voting(tmp_path / "votes") as votes:
        votes.vote(one, "ann", said("ann", 1), left="first")
        votes.vote(one, "Ann", said("Ann", 7), left="first")  # the same person thinks again
        votes.vote(one, "bo", said("bo", 3, left="second"), left="second")
        votes.skip(two, "bo", left="first")
    with voting(tmp_path / "votes") as votes:
        assert votes.names() == ["ann", "bo"]
        assert votes.people(one, ASPECTS) == 2
        assert votes.skips(two) == {"bo"}
        path = votes.export()
    assert path
    (item,) = read_hpir(path)
    assert (item.query, item.first, item.second) == ("query 0", one.item.first, one.item.second)
    assert {(label.aspect, label.choice, label.confidence) for label in item.labels} == {
        (aspect, "second", confidence) for aspect in ASPECTS for confidence in (1.0, 0.3)
    }
    assert agreement([item], ["second"], "accuracy").agreement == 1
    assert len(lines(tmp_path)) == 5


def test_labels_of_other_aspects_are_kept(gathered: Gathered, votes: Votes) -> None:
    one = gathered.comparisons[0]
    votes.vote(one, "ann", said("ann", 1), left="first")
    votes.vote(one, "ann", said("ann", 7, aspects=("diversity",)), left="first")
    assert {aspect: label.choice for aspect, label in votes.labels(one, "ann").items()} == {
        "accuracy": "first", "aesthetic": "first", "diversity": "second",
    }  # fmt: skip


def test_nothing_is_exported_of_skips_alone(gathered: Gathered, votes: Votes) -> None:
    votes.skip(gathered.comparisons[0], "ann", left="first")
    assert votes.export() is None
    assert not (votes.folder / "hpir.jsonl").exists()


@pytest.mark.parametrize("keep", [0, 1, 20, -1])
def test_a_line_that_was_cut_off_is_removed_and_said(
    gathered: Gathered, tmp_path: Path, keep: int, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = gathered.comparisons[:2]
    with voting(tmp_path / "votes") as votes:
        votes.vote(one, "ann", said("ann", 1), left="first")
        votes.vote(two, "ann", said("ann", 1), left="first")
    journal = tmp_path / "votes" / "journal.jsonl"
    first, second, third = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(first + second + third[:keep])
    with voting(tmp_path / "votes") as votes:
        assert votes.people(one, ASPECTS) == 1
        assert votes.people(two, ASPECTS) == 0
        votes.vote(two, "ann", said("ann", 1), left="first")
    assert journal.read_bytes().startswith(first + second)
    assert len(lines(tmp_path)) == 3
    assert ("cut off" in capsys.readouterr().err) == (keep != 0)


def test_a_journal_that_was_cut_off_in_its_first_line_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "votes").mkdir()
    (tmp_path / "votes" / "journal.jsonl").write_text('{"aesalign_vo')
    with voting(tmp_path / "votes") as votes:
        assert votes.names() == []
    assert len(lines(tmp_path)) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"query": "a", "first": ["x"], "second": ["y"]}\n', "no journal of votes"),
        ('{"aesalign_votes": 2, "seed": "a"}\n', "no journal of votes"),
        ('{"aesalign_votes": 1, "seed": "a"}\nnonsense\n{}\n', "line 2: line: Invalid JSON"),
        ('{"aesalign_votes": 1, "seed": "a"}\n{"annotator": "ann"}\n', "line 2: at: Field required"),
    ],
)
def test_a_damaged_journal_is_refused_and_left_alone(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "votes").mkdir()
    (tmp_path / "votes" / "journal.jsonl").write_text(text)
    with pytest.raises(EvaluationError, match=reason), voting(tmp_path / "votes"):
        pass
    assert (tmp_path / "votes" / "journal.jsonl").read_text() == text


def test_one_folder_of_votes_has_one_writer(votes: Votes) -> None:
    with pytest.raises(EvaluationError, match="another process takes votes"), voting(votes.folder):
        pass


def test_votes_belong_to_what_was_seen(gathered: Gathered, votes: Votes, tmp_path: Path) -> None:
    one = gathered.comparisons[0]
    votes.vote(one, "ann", said("ann", 1), left="first")

    def again(query: str, old: str, new: str) -> Comparison:
        (found,) = gather([query], [[old]], [[new]], most=5).comparisons
        return found

    (old,), (new,) = one.item.first, one.item.second
    moved = Path(old).rename(tmp_path / "moved.png")
    assert votes.people(again("query 0", str(moved), new), ASPECTS) == 1
    assert votes.people(again("query 1", str(moved), new), ASPECTS) == 0
    assert votes.people(again("query 0", new, str(moved)), ASPECTS) == 0
    photo(moved, (1, 2, 3))
    assert votes.people(again("query 0", str(moved), new), ASPECTS) == 0


def test_rows_that_cannot_be_shown_say_why(tmp_path: Path) -> None:
    good, text = photo(tmp_path / "a.png", (1, 1, 1)), tmp_path / "empty.png"
    text.write_bytes(b"")
    old = [[good], [], [good], [str(text)], [str(tmp_path)]]
    new = [[good], [good], ["nowhere.png"], [good], [good]]
    found = gather(["same", "b", "c", "d", "x" * 10_001], old, new, most=5)
    assert isinstance(found.each[0], Comparison)  # identical rows are asked like all others
    assert found.each[1:4] == (
        "empty row: the old one",
        "unreadable photo: nowhere.png: no such file",
        f"unreadable photo: {text}: empty file",
    )
    assert len(found.comparisons) == 1
    long = gather(["x" * 10_001], [[good]], [[good]], most=5)
    assert str(long.each[0]).startswith("no HPIR item: ")
    with pytest.raises(EvaluationError, match="1 queries, but 1 old and 0 new"):
        gather(["a"], [[good]], [], most=5)


def test_order_and_sides_are_random_and_stay(gathered: Gathered, votes: Votes) -> None:
    def work(seed: int | None = None) -> Work:
        return Work(gathered.comparisons, votes, aspects=ASPECTS, annotators=1, seed=seed)

    one = work()
    assert one.order("ann") == work().order("ANN") != one.order("bo")
    sides = {who: [one.left(who, c) for c in gathered.comparisons] for who in map(str, range(50))}
    share = sum(side.count("first") for side in sides.values()) / 2000
    assert abs(share - 0.5) < 0.05  # 4.5 standard deviations of 2,000 fair draws
    assert len({tuple(side) for side in sides.values()}) == 50
    assert [one.left("ann", c) for c in gathered.comparisons] == [work().left("ann", c) for c in gathered.comparisons]
    assert work(1).order("ann") != one.order("ann")
    # A draw per comparison: not one that a neighbour, or the place in the order, would tell.
    first = [one.left("ann", c) == "first" for c in one.order("ann")]
    assert 8 <= sum(first) <= 32


def test_what_is_left_for_whom(gathered: Gathered, votes: Votes) -> None:
    a, b, c = gathered.comparisons[:3]
    work = Work([a, b, c], votes, aspects=ASPECTS, annotators=2)

    def left(who: str) -> tuple[int, int, int]:
        found = work.progress(who)
        return found.done, found.skipped, found.left

    votes.vote(a, "ann", said("ann", 1), left="first")
    votes.skip(b, "ann", left="first")
    assert (left("ann"), left("bo"), work.given()) == ((1, 1, 1), (0, 0, 3), (1, 6))
    votes.vote(a, "bo", said("bo", 1), left="first")
    assert (left("cy"), work.given()) == ((0, 0, 2), (2, 6))  # a has the two votes that are wanted
    votes.vote(a, "cy", said("cy", 1), left="first")  # a third is welcome, and counts for no other
    assert work.given() == (2, 6)
    votes.vote(b, "bo", said("bo", 4, aspects=("accuracy",)), left="first")
    assert not work.is_answered("bo", b)  # one question is open
    work.fail(c, "unreadable photo: c")
    assert (work.given(), work.is_complete(), work.is_settled()) == ((2, 4), False, False)
    votes.vote(b, "bo", said("bo", 4), left="first")
    assert (work.is_complete(), work.is_settled()) == (False, True)  # ann would rather not say
    assert work.next("ann") is None
    votes.skip(b, "ann", left="first", skipped=False)
    assert work.order("ann")[(work.next("ann") or 0) - 1] == b
    votes.vote(b, "ann", said("ann", 4), left="first")
    assert (work.is_complete(), left("ann"), work.given()) == (True, (2, 0, 0), (4, 4))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"votes": "votes.jsonl"}, "must be a folder"),
        ({"aspects": ["accuracy", "accuracy"]}, "each aspect once"),
        ({"aspects": ["<b>"]}, "pattern"),
        ({"aspects": []}, "aspects"),
        ({"annotators": 0}, "annotators"),
        ({"port": 70_000}, "port"),
        ({"token_env": "my secret-token"}, "NAME of an environment variable"),
        ({"vote": "x"}, "'votes'"),
    ],
)
def test_wrong_settings_are_named(values: dict[str, object], reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        validate(HumanSettings, values, where="[judge] human")
