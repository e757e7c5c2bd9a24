"""Relevance files and the metrics against them: by hand, and equal to `ir_measures`, which runs trec_eval's code."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import ir_measures
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_alignment import World

from aesalign_core.captions import PhotoFinder
from aesalign_core.errors import EvaluationError
from aesalign_core.evaluation.graded import System, grade, of_gallery, rooted, rooted_qrels
from aesalign_core.evaluation.qrels import Qrels, read_qrels, write_qrels
from aesalign_core.evaluation.relevance import DEFAULT, Metric, measure
from aesalign_core.evaluation.run_files import read_rankings, write_trec

QRELS: Qrels = {"1": {"a": 2, "b": 0, "c": 1, "d": 1}}
RANKING = {"1": ["b", "a", "x", "c"]}


def value(name: str, rankings: dict[str, list[str]] = RANKING, qrels: Qrels = QRELS, *, least: int = 1) -> float:
    return float(measure(Metric.parse(name), rankings, qrels, least=least).mean())


def test_each_metric_by_hand() -> None:
    # Grades in order: 0, 2, not looked at, 1. Gains 2 / log₂3 + 1 / log₂5, at best 2 / 1 + 1 / log₂3 + 1 / log₂4.
    best = 2 + 1 / math.log2(3) + 1 / 2
    assert value("nDCG") == pytest.approx((2 / math.log2(3) + 1 / math.log2(5)) / best)
    assert value("nDCG@2") == pytest.approx(2 / math.log2(3) / (2 + 1 / math.log2(3)))
    assert value("AP") == pytest.approx((1 / 2 + 2 / 4) / 3)
    assert value("AP@2") == pytest.approx(1 / 2 / 3)
    assert value("RR") == 1 / 2
    assert value("P@4") == 2 / 4
    assert value("P@10") == 2 / 10
    assert value("R@4") == pytest.approx(2 / 3)
    assert (value("Success@1"), value("Success@2")) == (0, 1)
    assert (value("Judged@4"), value("Judged@10"), value("Judged@2")) == (3 / 4, 3 / 4, 1)


def test_a_higher_grade_can_be_asked_for() -> None:
    assert value("AP", least=2) == 1 / 2
    assert value("R@4", least=2) == 1
    assert value("nDCG@4", least=2) == value("nDCG@4")


def test_a_negative_grade_is_looked_at_and_not_relevant() -> None:
    zero, negative = {"1": {"a": 1, "b": 0}}, {"1": {"a": 1, "b": -2}}
    for name in DEFAULT:
        assert value(name, {"1": ["b", "a"]}, negative) == value(name, {"1": ["b", "a"]}, zero)
    assert value("Judged@2", {"1": ["b", "a"]}, negative) == 1


def test_a_query_without_a_list_counts_nothing_and_one_without_judgements_not_at_all() -> None:
    qrels = {**QRELS, "2": {"a": 1}}
    rankings = {**RANKING, "3": ["a"]}
    assert value("RR", rankings, qrels) == 1 / 4
    found = grade([System("run", rankings)], qrels, [Metric("RR")])
    assert (found.queries, found.missing, found.unjudged) == (2, {"run": 1}, {"run": 1})


@pytest.mark.parametrize("name", ["nDCG", "ndcg@10", "AP", "ap@5", "RR", "rr@3", "P@1", "r@10", "SUCCESS@5"])
def test_names_are_read_as_ir_measures_writes_them(name: str) -> None:
    metric = Metric.parse(name)
    assert str(metric).lower() == name.lower()
    assert str(ir_measures.parse_measure(str(metric))) == str(metric)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("nDGC@10", "did you mean 'nDCG@10'"), ("P", "needs a depth"), ("nDCG@0", "needs a depth"), ("@5", "no metric"),
     ("R@9999999", "needs a depth"), ("x" * 10_000, "no metric is named")],
)  # fmt: skip
def test_an_unknown_metric_is_one_clear_error(name: str, reason: str) -> None:
    with pytest.raises(EvaluationError, match=reason) as caught:
        Metric.parse(name)
    assert len(str(caught.value)) < 300


PHOTOS = ["a", "b", "c", "d", "é", "Z", "a.jpg", "a-1"]
SCORES = st.sampled_from([0.0, 0.1, 0.1 + 1e-12, 0.1 + 1e-7, 0.5, -1.0, 3.0, 1e-30])
RUNS = st.dictionaries(
    st.sampled_from(["q1", "q2", "q3", "q4"]),
    st.dictionaries(st.sampled_from(PHOTOS), SCORES, min_size=1),
    min_size=1,
)
JUDGED = st.dictionaries(
    st.sampled_from(["q1", "q2", "q3", "q5"]),
    st.dictionaries(st.sampled_from([*PHOTOS, "never found"]), st.integers(0, 3), min_size=1),
    min_size=1,
)
"""No negative grades: on some of them pytrec_eval, which `ir_measures` calls, never comes back."""
COMPARED = (
    "nDCG", "nDCG@1", "nDCG@3", "nDCG@20", "AP", "AP@2", "RR", "P@1", "P@5", "P@20", "R@1", "R@5", "Success@1",
    "Success@3", "Judged@2", "Judged@20", "AP(rel=2)", "RR(rel=2)", "P(rel=2)@3", "R(rel=2)@3",
)  # fmt: skip


def untied(rankings: dict[str, list[str]]) -> dict[str, dict[str, float]]:
    return {query: {photo: -float(n) for n, photo in enumerate(photos)} for query, photos in rankings.items()}


@given(run=RUNS, qrels=JUDGED)
@settings(max_examples=200, deadline=None)
def test_all_is_equal_to_ir_measures(
    tmp_path_factory: pytest.TempPathFactory, run: dict[str, dict[str, float]], qrels: Qrels
) -> None:
    """Score ties (also in single precision only), graded relevance, missing photos and queries."""
    path = tmp_path_factory.mktemp("runs") / "run"
    lines = [f"{q} Q0 {p} {n} {score!r} me" for q, found in run.items() for n, (p, score) in enumerate(found.items())]
    path.write_text("\n".join(lines))
    rankings = read_rankings(path)
    for name in COMPARED:
        theirs = ir_measures.parse_measure(name)
        # Judged is not trec_eval's, and breaks ties the other way round: it is given a run without any.
        given_run = untied(rankings) if name.startswith("Judged") else run
        expected = {m.query_id: m.value for m in ir_measures.iter_calc([theirs], qrels, given_run)}
        metric, least = Metric.parse(name.replace("(rel=2)", "")), 2 if "rel=2" in name else 1
        ours = dict(zip(qrels, measure(metric, rankings, qrels, least=least).tolist(), strict=True))
        assert ours == pytest.approx(expected), name


@given(qrels=JUDGED)
@settings(max_examples=30, deadline=None)
def test_qrels_that_were_written_are_read_back_by_us_and_by_others(
    tmp_path_factory: pytest.TempPathFactory, qrels: Qrels
) -> None:
    qrels = {q: {p.replace(" ", "_"): g for p, g in found.items()} for q, found in qrels.items()}
    path = tmp_path_factory.mktemp("qrels") / "qrels"
    write_qrels(path, qrels)
    assert read_qrels(path) == qrels
    theirs = ir_measures.util.QrelsConverter(ir_measures.read_trec_qrels(str(path))).as_dict_of_dict()
    assert theirs == qrels
    as_json = path.with_suffix(".jsonl")
    as_json.write_text("\n".join(json.dumps({"query": q, "relevant": found}) for q, found in qrels.items()))
    assert read_qrels(as_json) == qrels


@given(st.lists(st.sampled_from(PHOTOS), unique=True, min_size=1))
@settings(max_examples=30, deadline=None)
def test_a_run_that_was_written_is_ranked_the_same_by_others(
    tmp_path_factory: pytest.TempPathFactory, photos: Sequence[str]
) -> None:
    path = tmp_path_factory.mktemp("runs") / "run"
    write_trec(path, {"q": list(photos)}, tag="me")
    qrels = {"q": {photo: n for n, photo in enumerate(PHOTOS)}}
    theirs = ir_measures.calc_aggregate([ir_measures.nDCG], qrels, ir_measures.read_trec_run(str(path)))
    assert theirs[ir_measures.nDCG] == pytest.approx(value("nDCG", {"q": list(photos)}, qrels))


def test_a_list_of_photos_is_grade_one(tmp_path: Path) -> None:
    path = tmp_path / "qrels.jsonl"
    path.write_text('{"query": "a dog", "relevant": ["a.jpg", "b.jpg"]}\n\n{"query": "a cat", "relevant": {}}\n')
    assert read_qrels(path) == {"a dog": {"a.jpg": 1, "b.jpg": 1}, "a cat": {}}


def test_a_query_may_hold_letters_that_end_lines_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "qrels.jsonl"
    path.write_text(json.dumps({"query": "a\u2028b\x85c", "relevant": ["a.jpg"]}, ensure_ascii=False))
    assert read_qrels(path) == {"a\u2028b\x85c": {"a.jpg": 1}}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "holds no relevance"),
        ("1 0 a\n", "line 1: 3 columns, not 4"),
        ("1 0 a 1\n1 0 a 2\n", "line 2: a comes twice for the query 1"),
        ("1 0 a good\n", "line 1: the grade 'good' is no whole number"),
        ("1 0 a 1.5\n", "line 1: the grade '1.5'"),
        ("1 0 a nan\n", "line 1: the grade 'nan'"),
        ("1 0 a 99999\n", "line 1: the grade '99999' is no whole number up to 1,000"),
        ('{"query": "a", "relevant": {"x": 1.5}}', "line 1: the grade '1.5'"),
        ('{"query": "a", "relevant": {"x": NaN}}', "line 1: the grade 'nan'"),
        ('{"query": "a", "relevant": {"x": true}}', "line 1: the grade 'True'"),
        ('{"query": "a", "relevant": [3]}', "line 1: a photo is no text"),
        ('{"query": "a", "relevant": "x"}', "line 1: no query with relevant photos"),
        ('{"query": "a", "relevant": ["x"]}\n{"query": "a", "relevant": []}', "line 2: the query 'a' comes twice"),
        ('{"query": "a", "relevant": ["x", "x"]}', "line 1: x comes twice"),
        ('{"query": "a", "relevant": ["x"]}\n{"query": "b", "rele', "line 2: no query"),
        ("{" * 100_000, "line 1: no query"),
    ],
)
def test_a_broken_relevance_file_names_its_line(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "qrels"
    path.write_text(text)
    with pytest.raises(EvaluationError, match=reason):
        read_qrels(path)


def test_white_space_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="TREC qrels cannot hold"):
        write_qrels(tmp_path / "qrels", {"a dog": {"x": 1}})
    assert not (tmp_path / "qrels").exists()


def test_two_systems_are_compared_over_the_file_s_queries() -> None:
    qrels = {str(n): {"a": 1} for n in range(40)}
    first, second = {q: ["b", "a"] for q in qrels}, {q: ["a", "b"] for q in qrels}
    found = grade([System("old", first), System("new", second)], qrels, [Metric.parse(name) for name in DEFAULT])
    assert found.metrics["RR"] == {"old": 0.5, "new": 1.0}
    assert found.differences["RR"].verdict == "gained"
    assert found.differences["R@10"].difference == 0
    assert found.differences["RR"].units == 40


def test_files_that_do_not_belong_together_are_refused() -> None:
    metrics = [Metric("RR")]
    with pytest.raises(EvaluationError, match="answers none of the queries: 'x' is one of its own, '1' one asked"):
        grade([System("run", {"x": ["a"]})], QRELS, metrics)
    with pytest.raises(EvaluationError, match=r"found no photo that was looked at.*--photos-root"):
        grade([System("run", {"1": ["/photos/a"]})], QRELS, metrics)
    with pytest.raises(EvaluationError, match="a photo twice"):
        grade([System("run", {"1": ["a", "a"]})], QRELS, metrics)


def test_relative_paths_are_below_the_root() -> None:
    run = rooted({"1": ["/photos/a.jpg", "b.jpg", "./c.jpg"]}, Path("/photos"))
    assert run == {"1": ["/photos/a.jpg", "/photos/b.jpg", "/photos/c.jpg"]}
    assert rooted_qrels({"1": {"a.jpg": 2}}, Path("/photos")) == {"1": {"/photos/a.jpg": 2}}


def test_relevance_is_turned_into_a_gallery_s_ids(world: World) -> None:
    gallery = world.open()
    finder = PhotoFinder(gallery, world.photos)
    names = dict(zip([Path(p).name for p in gallery.paths()], gallery.ids(), strict=True))
    qrels = {"red": {"red-1.png": 1, "x/red-1.png": 2, "red-2.png": -1, "none.png": 3}, "blue": {"blue-1.png": 1}}
    found, missing = of_gallery(qrels, finder)
    # Two names of one photo: its better grade. A photo that is not there stays to be found.
    red = {names["red-1.png"]: 2, names["red-2.png"]: -1, "none.png": 3}
    assert found == {"red": red, "blue": {names["blue-1.png"]: 1}}
    assert missing == 1
    with pytest.raises(EvaluationError, match="numbers its queries"):
        of_gallery({"1": {"red-1.png": 1}}, finder)
    with pytest.raises(EvaluationError, match=r"none of the 1 photos .*--photos-root"):
        of_gallery({"red": {"none.png": 1}}, finder)
