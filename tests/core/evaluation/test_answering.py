"""Both directions of retrieval against values derived by hand, and ties against what a random order gives."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import colours
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_alignment import World

from aesalign_core.captions import Caption, Matched, match, read_captions
from aesalign_core.errors import EvaluationError, SpaceMismatchError
from aesalign_core.evaluation.answering import answer, distinct
from aesalign_core.evaluation.metrics import expected_hit
from aesalign_core.evaluation.retrieval import Rankings, report
from aesalign_core.types import Vectors


class Flat(colours.ColourEncoder):
    """Says the same of every text."""

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        return super().encode_texts(["red"] * len(texts))


def hit(above: int, tied: int, own: int, k: int) -> float:
    return float(expected_hit(np.array([above]), np.array([tied]), np.array([own]), k)[0])


def test_the_chance_of_a_tie_by_hand() -> None:
    assert hit(0, 0, 1, 1) == 1
    assert hit(1, 0, 1, 1) == 0
    assert hit(0, 1, 1, 1) == 0.5
    assert hit(1, 3, 1, 3) == 0.5  # two places for four
    assert hit(0, 2, 2, 2) == pytest.approx(1 - 1 / 6)  # all but one of the six pairs holds an own one
    assert hit(0, 2, 2, 3) == 1


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6), st.integers(1, 6), st.integers(1, 7))
@settings(max_examples=60, deadline=None)
def test_the_chance_of_a_tie_is_the_mean_over_all_orders(scores: list[int], first: int, k: int) -> None:
    right = set(range(min(first, len(scores))))
    best = max(scores[i] for i in right)
    above = sum(s > best for s in scores)
    own = sum(scores[i] == best for i in right)
    tied = sum(s == best for s in scores) - own
    found = [
        any(i in right for i in sorted(order, key=lambda i: -scores[i])[:k])
        for order in itertools.permutations(range(len(scores)))
    ]
    assert hit(above, tied, own, k) == pytest.approx(np.mean(found))


def test_each_distinct_text_is_embedded_once() -> None:
    texts = distinct(Matched(("a", "b", "a", "a"), ("x", "x", "y", "x"), ()))
    assert texts.texts == ("a", "b")
    assert texts.number.tolist() == [0, 1, 0, 0]
    assert texts.counts.tolist() == [3, 1]
    assert texts.own == {"x": {0: 2, 1: 1}, "y": {0: 1}}


def captioned(world: World, *pairs: tuple[str, str]) -> Matched:
    return match([Caption(f"{name}.png", text) for name, text in pairs], world.open())


def test_photos_find_their_captions(world: World) -> None:
    matched = captioned(world, ("red-1", "red"), ("blue-1", "blue"), ("cyan-1", "yellow"), ("yellow-1", "cyan"))
    found = answer(matched, world.open(), colours.ColourEncoder(), depths=(1, 2, 4))
    # Red and blue know their own captions; cyan and yellow have each other's.
    assert found.own_captions[1].tolist() == [1, 1, 0, 0]
    assert found.own_captions[4].tolist() == [1, 1, 1, 1]
    assert list(found.photos) == list(matched.ids)


def test_captions_of_other_photos_in_the_same_words_share_the_place(world: World) -> None:
    matched = captioned(world, ("red-1", "red"), ("red-2", "red"), ("red-3", "red"), ("red-3", "a red"),
                        ("blue-1", "blue"))  # fmt: skip
    found = answer(matched, world.open(), colours.ColourEncoder(), depths=(1, 3))
    # "red" and "a red" are one to this encoder: four captions tie, one of them is red-1's, two are red-3's.
    assert found.own_captions[1].tolist() == pytest.approx([1 / 4, 1 / 4, 2 / 4, 1])
    # Three of the four have a place.
    assert found.own_captions[3].tolist() == pytest.approx([3 / 4, 3 / 4, 1, 1])


def test_an_encoder_that_says_the_same_of_all_gets_what_chance_gets(world: World) -> None:
    gallery = world.open()
    matched = match(read_captions(world.captions), gallery)
    found = answer(matched, gallery, Flat(), depths=(1, 5, 10))
    for k in (1, 5, 10):
        assert found.own_captions[k] == pytest.approx(np.full(len(gallery), k / len(gallery)))


def test_the_other_direction_is_the_gallery_s_own_search(world: World) -> None:
    gallery, encoder = world.open(), colours.ColourEncoder()
    matched = captioned(world, ("red-1", "red"), ("blue-1", "a blue photo"), ("red-1", "red"))
    found = answer(matched, gallery, encoder, k=12)
    expected = [[m.id for m in one] for one in gallery.search(encoder.encode_texts(["red", "a blue photo"]), 12)]
    assert found.ids == [expected[0], expected[1], expected[0]]


@pytest.mark.parametrize("k", [1, 3, 7, 50])
def test_only_captioned_photos_are_the_gallery_s_search_without_the_others(world: World, k: int) -> None:
    gallery, encoder = world.open(), colours.ColourEncoder()
    matched = captioned(world, *[(f"{colour}-{n}", colour) for colour in ("red", "blue") for n in (1, 4, 6)])
    found = answer(matched, gallery, encoder, k=k, only_captioned=True)
    for ids, text in zip(found.ids, matched.texts, strict=True):
        whole = [m.id for m in gallery.search(encoder.encode_texts([text]), len(gallery))[0]]
        assert ids == [i for i in whole if i in matched.ids][:k]


def test_ties_among_captioned_photos_fall_by_id(world: World) -> None:
    matched = captioned(world, *[(f"red-{n}", "red") for n in range(6)])
    gallery = world.open()

    class Blind(colours.ColourEncoder):
        def encode_texts(self, texts: Sequence[str]) -> Vectors:
            # At right angles to everything: every photo scores 0.
            return np.zeros((len(texts), self.dim), dtype=np.float32)

    for k in (2, 6):
        assert answer(matched, gallery, Blind(), k=k, only_captioned=True).ids[0] == sorted(matched.ids)[:k]


def test_progress_tells_each_phase_to_its_end(world: World) -> None:
    told: dict[str, tuple[int, int]] = {}
    matched = match(read_captions(world.captions), world.open())
    answer(matched, world.open(), colours.ColourEncoder(), progress=lambda what, *n: told.update({what: n}))
    texts = len(set(matched.texts))
    assert told == {"embedding texts": (texts, texts), "text→image": (texts, texts), "image→text": (60, 60)}


def test_an_encoder_of_another_space_is_refused(world: World) -> None:
    other = colours.ColourEncoder(colours.ColourEncoder.Settings(stretch=2.0))
    with pytest.raises(SpaceMismatchError):
        answer(captioned(world, ("red-1", "red")), world.open(), other)


def test_a_report_has_both_directions_and_resamples_photos(world: World, tmp_path: Path) -> None:
    gallery = world.open()
    matched = match(read_captions(world.captions), gallery)
    rankings = [answer(matched, gallery, encoder) for encoder in (Flat(), colours.ColourEncoder())]
    found = report(rankings, matched.ids, {})
    assert list(found.metrics) == ["R@1", "R@5", "R@10", "image→text R@1", "image→text R@5", "image→text R@10"]
    gain = found.differences["image→text R@5"]
    # By chance 5 of 60; ten captions are in the right words, and five of ten hold one's own in half of the cases.
    assert gain.old == pytest.approx(5 / 60)
    assert gain.new > 0.4
    assert (gain.verdict, gain.units) == ("gained", 60)


def test_encoders_that_were_asked_about_different_photos_are_not_compared() -> None:
    ones = np.ones(1)
    first, second = (Rankings(n, [["x"]], {1: ones}, (n,)) for n in ("a", "b"))
    with pytest.raises(EvaluationError, match="different photos"):
        report([first, second], ["x"], {}, depths=(1,))
