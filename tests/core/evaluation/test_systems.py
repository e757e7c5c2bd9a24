"""Two systems, from files or from encoders, and what they were asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import colours
import pytest

from aesalign_core.captions import Caption, match, read_captions
from aesalign_core.errors import EvaluationError
from aesalign_core.evaluation import questions, systems
from aesalign_core.evaluation.qrels import read_qrels
from aesalign_core.evaluation.questions import by_captions, by_grades
from aesalign_core.evaluation.run_files import Listed, read_lists
from aesalign_core.evaluation.systems import System
from aesalign_core.searching import search

if TYPE_CHECKING:
    from tiny_alignment import World


def written(path: Path, *lines: object) -> Path:
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    return path


def test_lists_keep_what_they_say_of_photos(tmp_path: Path) -> None:
    hits = [
        {"path": "a", "score": 0.5, "similarity": 0.25, "rewards": {"x": 1, "y": "none", "z": True}},
        {"id": "b", "score": "high", "similarity": None, "rewards": [1]},
        {"path": "c", "score": 10**400},
        "d",
    ]
    (found,) = read_lists(written(tmp_path / "l", {"query": "q", "hits": hits})).values()
    assert found == [Listed("a", 0.5, 0.25, {"x": 1.0}), Listed("b"), Listed("c"), Listed("d")]


def test_scores_of_a_trec_run_are_kept(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("1 Q0 a 1 0.5 me\n1 Q0 b 2 0.75 me\n")
    assert read_lists(tmp_path / "run") == {"1": [Listed("b", 0.75), Listed("a", 0.5)]}


def test_queries_may_hold_what_only_some_call_line_ends(tmp_path: Path) -> None:
    query = "a\u2028b\x85c\x0bd"
    path = tmp_path / "l"
    path.write_text(json.dumps({"query": query, "hits": ["x"]}, ensure_ascii=False) + "\r\n", encoding="utf-8")
    assert list(read_lists(path)) == [query]


def test_a_file_is_a_system_of_its_first_photos(tmp_path: Path) -> None:
    path = written(tmp_path / "engine.jsonl", {"query": "q", "hits": ["a", "b", "c"]})
    system = systems.of_file(path, k=2, photos_root=Path("root"))
    assert system.name == "engine"
    assert system.paths(["q"]) == [[str(Path("root") / "a"), str(Path("root") / "b")]]


def test_an_encoder_is_a_system_that_finds_what_search_finds(world: World) -> None:
    build = colours.builder()
    gallery, encoder = world.open(build), build.encoder()
    asked = ["a red photo", "a blue photo", "a red photo"]
    system = systems.of_encoder(asked, gallery, encoder, k=3)
    assert list(system.rows) == asked[:2]
    for found in search(asked[:2], gallery, encoder, k=3):
        assert [p.path for p in system.rows[found.query]] == [h.path for h in found.hits]
        assert [p.similarity for p in system.rows[found.query]] == [h.similarity for h in found.hits]
    ids = dict(zip(gallery.ids(), gallery.ids(), strict=True))
    renamed = systems.of_encoder(asked, gallery, encoder, k=3, paths=ids)
    assert set(renamed.paths(asked)[0]) <= set(ids)


def test_only_queries_in_common_are_compared() -> None:
    one, other = System("one", {"a": (), "b": ()}), System("other", {"b": (), "c": ()})
    assert systems.in_common(one, other) == ["b"]
    with pytest.raises(EvaluationError, match="no query in common"):
        systems.in_common(one, System("third", {"c": ()}))


def test_captions_of_a_gallery_ask_for_their_own_photo(world: World) -> None:
    gallery = world.open()
    matched = match(read_captions(world.captions), gallery)
    asked = questions.of_gallery(matched, gallery)
    assert len(asked) == len(matched.texts)  # photos of a colour share their caption
    paths = dict(zip(gallery.ids(), gallery.paths(), strict=True))
    for question, text, photo in zip(asked, matched.texts, matched.ids, strict=True):
        assert (question.query, question.unit, question.right) == (text, photo, frozenset([paths[photo]]))


def lists(*photos: str) -> System:
    return System("s", {"a dog": tuple(Listed(p) for p in photos), "other": ()})


def test_captions_of_lists_are_found_by_path_or_by_their_only_name() -> None:
    captions = [Caption("dog.jpg", "a dog"), Caption("gone.jpg", "a dog"), Caption("x.jpg", "unasked")]
    first, second = questions.of_lists(["a dog", "other"], by_captions(captions), [lists("in/dog.jpg", "b.jpg")])
    assert first.right == {"in/dog.jpg", "not listed: gone.jpg"}
    assert (second.right, second.unit) == (None, "other")
    both = [lists("x/dog.jpg", "y/dog.jpg")]
    (rooted,) = questions.of_lists(["a dog"], by_captions(captions[:1]), both, photos_root=Path("y"))
    assert rooted.right == {"y/dog.jpg"}
    with pytest.raises(EvaluationError, match="none of the right photos"):
        questions.of_lists(["a dog"], by_captions(captions[:1]), both)  # which of them is meant?


def test_captioned_photos_that_are_in_no_list_are_told() -> None:
    with pytest.raises(EvaluationError, match="none of the right photos") as error:
        questions.of_lists(["a dog"], {"a dog": ["cat.jpg"]}, [lists("b.jpg")])
    assert "--photos-root" in error.value.hint


def test_without_captions_nothing_is_right() -> None:
    assert [q.right for q in questions.of_lists(["a dog", "other"], {}, [lists("b.jpg")])] == [None, None]


def test_a_relevance_file_says_which_photos_are_right(tmp_path: Path) -> None:
    (tmp_path / "qrels").write_text("1 0 a.jpg 2\n1 0 b.jpg 0\n2 0 c.jpg -1\n")
    right = by_grades(read_qrels(tmp_path / "qrels"))
    assert right == {"1": ["a.jpg"], "2": []}
    system = System("s", {"1": (Listed("x/a.jpg"),), "2": (), "3": ()})
    found = questions.of_lists(["1", "2", "3"], right, [system])
    assert [q.right for q in found] == [{"x/a.jpg"}, frozenset(), None]
