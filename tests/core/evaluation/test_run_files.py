"""Ranked lists of any engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aesalign_core.errors import EvaluationError
from aesalign_core.evaluation.run_files import read_rankings, write_trec

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=1, max_size=12)


def written(folder: Path, text: str) -> Path:
    path = folder / "run"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_search_prints_is_read(tmp_path: Path) -> None:
    lines = [
        {"query": "a dog", "hits": [{"id": "1", "path": "a.jpg", "score": 0.3}, {"id": "2", "path": "b.jpg"}]},
        {"query": "a cat", "hits": ["c.jpg", {"id": "9"}]},
        {"query": "nothing", "hits": []},
        {"query": "a\u2028line\x85in it", "hits": []},  # no ends of lines in JSON
    ]
    path = written(tmp_path, "\n".join(json.dumps(line, ensure_ascii=False) for line in lines) + "\n\n")
    assert read_rankings(path) == {
        "a dog": ["a.jpg", "b.jpg"], "a cat": ["c.jpg", "9"], "nothing": [], "a\u2028line\x85in it": [],
    }  # fmt: skip


def test_a_trec_run_is_ordered_by_score_and_ties_as_trec_eval_does(tmp_path: Path) -> None:
    text = "1 Q0 a.jpg 1 0.5 me\n1 Q0 b.jpg 2 0.9 me\n2 Q0 x 1 1 me\n1 Q0 c.jpg 3 0.5 me\n"
    assert read_rankings(written(tmp_path, text)) == {"1": ["b.jpg", "c.jpg", "a.jpg"], "2": ["x"]}


def test_what_differs_beyond_single_precision_is_a_tie_as_it_is_for_trec_eval(tmp_path: Path) -> None:
    text = "1 Q0 a 1 0.1000000000001 me\n1 Q0 b 2 0.1 me\n1 Q0 c 3 0.1001 me\n"
    assert read_rankings(written(tmp_path, text)) == {"1": ["c", "b", "a"]}


@given(st.dictionaries(NAMES, st.lists(NAMES, unique=True, min_size=1, max_size=8), min_size=1, max_size=5))
def test_a_trec_run_that_was_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rankings: dict[str, list[str]]
) -> None:
    # A first line that begins with a brace would be JSON.
    rankings = {f"q{query}": photos for query, photos in rankings.items()}
    path = tmp_path_factory.mktemp("runs") / "run"
    write_trec(path, rankings, tag="me")
    assert read_rankings(path) == rankings


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "holds no ranking"),
        ("{}\n", "line 1: no query with hits"),
        ('{"query": "a", "hits": [3]}', "line 1: no query"),
        ('{"query": "a", "hits": ["x"]}\n{"query": "a", "hits": []}', "line 2: the query 'a' comes twice"),
        ('{"query": "a", "hits": ["x"]}\n{"query"', "line 2: no query"),
        ('{"query": " ", "hits": ["x"]}', "line 1: no query"),
        ("1 Q0 a 1 0.5\n", "line 1: 5 columns"),
        ("1 Q0 a 1 best me\n", "line 1: the score 'best' is no number"),
        ("1 Q0 a 1 nan me\n", "line 1: the score 'nan'"),
        ("1 Q0 a 1 0.5 me\n1 Q0 a 2 0.4 me\n", "line 2: a comes twice"),
        ("1 Q0 a 1 1e99 me\n", "line 1: the score '1e99'"),
        ('{"query": "a", "hits": ["x", "y", "x"]}', "line 1: x comes twice for the query a"),
        ('{"query": "a", "hits": [{"path": "x", "score": NaN}]}', "line 1: no query"),
    ],
)
def test_a_broken_list_names_its_line(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(EvaluationError, match=reason):
        read_rankings(written(tmp_path, text))


def test_what_is_no_text_or_not_there(tmp_path: Path) -> None:
    (tmp_path / "run").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(EvaluationError, match="not UTF-8"):
        read_rankings(tmp_path / "run")
    with pytest.raises(EvaluationError, match="No such file"):
        read_rankings(tmp_path / "none")


def test_white_space_cannot_be_written_as_trec(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="TREC run cannot hold"):
        write_trec(tmp_path / "run", {"a dog": ["x"]}, tag="me")
    assert not (tmp_path / "run").exists()
