"""The whole flow through the command line, on real photographs and the embedded components."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import CAPTIONS, Aesalign

pytestmark = pytest.mark.slow
GRIDS = ("--set", "pairs.rows=2", "--set", "pairs.columns=2", "--set", "pairs.candidates=12")


def test_search_finds_what_the_query_says(aesalign: Aesalign, gallery: Path, queries: Path) -> None:
    done = aesalign("search", "-g", gallery, "--queries", queries, "-k", 4)
    assert done.code == 0, done.err
    assert [line["query"] for line in done.lines] == list(CAPTIONS.values())
    right = 0
    for line, name in zip(done.lines, CAPTIONS, strict=True):
        scores = [hit["score"] for hit in line["hits"]]
        assert scores == sorted(scores, reverse=True)
        assert set(line["hits"][0]) >= {"id", "path", "score"}
        right += Path(line["hits"][0]["path"]).name.endswith(name)
    assert right >= 5


def test_one_query_is_one_document_and_a_table_for_people(aesalign: Aesalign, gallery: Path) -> None:
    done = aesalign("search", "a cat", "-g", gallery, "-k", 2, "--json")
    assert len(done.json["hits"]) == 2
    table = aesalign("search", "a cat", "-g", gallery, "-k", 2)
    assert table.code == 0
    assert "cat.jpg" in table.out.replace("\n", "")


def test_the_cascade_rephrases_and_reranks(aesalign: Aesalign, gallery: Path) -> None:
    options = ("-g", gallery, "-k", 24, "--reward", "embedded", "--json")
    plain = aesalign("search", "a cat", *options).json
    ranked = aesalign("search", "a cat", *options, "--reward-weight", 100).json
    rewards = [hit["rewards"]["embedded"] for hit in ranked["hits"]]
    assert rewards == sorted(rewards, reverse=True)
    assert [h["id"] for h in plain["hits"]] != [h["id"] for h in ranked["hits"]]
    told = aesalign("search", "a cat", "-g", gallery, "--rephraser", "template", "--json").json
    assert told["rephrasing"]["text"].startswith("a cat")
    assert len(told["rephrasing"]["text"]) > len("a cat")


def test_pairs_align_search_and_evaluate(
    aesalign: Aesalign, gallery: Path, queries: Path, captions: Path, tmp_path: Path
) -> None:
    made = aesalign("pairs", "-g", gallery, "--queries", queries, "-o", "pairs.parquet", *GRIDS, "--json")
    assert made.code == 0, made.err
    assert made.json["statistics"]["grids"] == 6
    shown = aesalign("pairs", "-g", gallery, "--queries", queries, "-o", "pairs.parquet", *GRIDS)
    assert "already made" in shown.out
    assert "Example" in shown.out

    train = ("align", "-p", "pairs.parquet", "-g", gallery, "-o", "run", "--captions", captions,
             "--set", "align.steps=12", "--tune", "text")  # fmt: skip
    done = aesalign(*train, "--json")
    assert done.code == 0, done.err
    assert done.json["steps"] == 12
    assert done.json["last"]["loss"] < done.json["first"]["loss"]
    again = aesalign(*train)
    assert again.code == 0
    assert "finished already" in again.err

    old = aesalign("search", "a cat", "-g", gallery, "--json").json
    new = aesalign("search", "a cat", "-g", gallery, "--encoder", "run", "--json")
    assert new.code == 0, new.err
    assert [h["score"] for h in old["hits"]] != [h["score"] for h in new.json["hits"]]

    none = aesalign("search", "a cat", "-g", gallery, "--encoder", "run", "--strength", "0", "--json").json
    assert none["hits"] == old["hits"]
    half = aesalign("search", "a cat", "-g", gallery, "--encoder", "run", "--strength", "0.5", "--json").json
    assert half == aesalign("search", "a cat", "-g", gallery, "--encoder", "run@0.5", "--json").json
    assert [h["score"] for h in half["hits"]] not in [[h["score"] for h in r["hits"]] for r in (old, new.json)]
    for wrong in (("--strength", "0.5"), ("--encoder", "embedded", "--strength", "0.5"),
                  ("--encoder", "run", "--strength", "9"), ("--encoder", "run@x")):  # fmt: skip
        refused = aesalign("search", "a cat", "-g", gallery, *wrong)
        assert refused.code == 1
        assert len(refused.err.strip().splitlines()) == 1, refused.err
        assert "strength" in refused.err

    compared = aesalign("eval", "retrieval", "-g", gallery, "--captions", captions, "--against", "run", "--json").json
    assert compared["queries"] == 6
    directions = {f"{direction}R@{k}" for direction in ("", "image→text ") for k in (1, 5, 10)}
    assert set(compared["metrics"]) == {*directions, "reward:embedded@10"}
    assert all(d["verdict"] in ("gained", "lost", "undecided") for d in compared["differences"].values())
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(1, 13))


def test_a_floor_on_recall_keeps_the_best_step(
    aesalign: Aesalign, gallery: Path, small_photos: Path, tmp_path: Path
) -> None:
    names = sorted(p.name for p in small_photos.iterdir())
    rows = [f"{name},{name} as a photo" for name in names]
    (tmp_path / "all.csv").write_text("file,caption\n" + "\n".join(rows) + "\n")
    (tmp_path / "asked.txt").write_text("a cat\na rocket\na flower\n")
    assert aesalign("pairs", "-g", gallery, "--queries", "asked.txt", "-o", "pairs.parquet", *GRIDS).code == 0
    train = ("align", "-p", "pairs.parquet", "-g", gallery, "--captions", "all.csv", "--recall-floor", "0.5", "--set",
             "align.steps=12", "--set", "align.watch_every=4", "--set", "align.learning_rate=1e-3")  # fmt: skip
    done = aesalign(*train, "-o", "run", "--set", "align.held_out=0.85", "--json")
    assert done.code == 0, done.err
    looks = [json.loads(line) for line in (tmp_path / "run" / "watch.jsonl").read_text().splitlines()]
    assert [look["step"] for look in looks] == [4, 8, 12]
    assert done.json["kept"] in (0, 4, 8, 12)
    assert done.json["held_out"] == next((k for k in looks if k["step"] == done.json["kept"]), {})
    shown = aesalign(*train, "-o", "run", "--set", "align.held_out=0.85")
    assert (f"step {done.json['kept']} of 12 was kept" in shown.out) == (done.json["kept"] > 0)
    few = aesalign(*train, "-o", "other")
    assert (few.code, len(few.err.strip().splitlines())) == (1, 1)
    assert "too few to watch" in few.err
    unknown = aesalign(*train, "-o", "other", "--set", "align.held_out=0.85", "--watch", "pretty")
    assert unknown.code == 1
    assert "no reward 'pretty'" in unknown.err


def test_image_tuning_makes_another_space_that_the_old_gallery_refuses(
    aesalign: Aesalign, gallery: Path, queries: Path, small_photos: Path
) -> None:
    assert aesalign("pairs", "-g", gallery, "--queries", queries, "-o", "pairs.parquet", *GRIDS).code == 0
    done = aesalign("align", "-p", "pairs.parquet", "-g", gallery, "-o", "run", "--tune", "both",
                    "--set", "align.steps=3", "--set", "align.pretraining_weight=0")  # fmt: skip
    assert done.code == 0, done.err
    refused = aesalign("search", "a cat", "-g", gallery, "--encoder", "run")
    assert refused.code == 1
    assert "Traceback" not in refused.err
    assert f"aesalign reindex -g {gallery} --encoder run" in refused.err
    assert aesalign("index", small_photos, "-g", "second", "--encoder", "run").code == 0
    assert aesalign("search", "a cat", "-g", "second", "--json").json["hits"]


def test_index_again_adds_only_what_is_new(aesalign: Aesalign, small_photos: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    names = sorted(small_photos.iterdir())
    for path in names[:3]:
        (photos / path.name).write_bytes(path.read_bytes())
    (photos / "cut.jpg").write_bytes(names[0].read_bytes()[:500])
    first = aesalign("index", photos, "-g", "g", "--json")
    assert (first.json["added"], len(first.json["bad"])) == (3, 1)
    assert first.json["bad"][0]["path"].endswith("cut.jpg")
    (photos / names[3].name).write_bytes(names[3].read_bytes())
    second = aesalign("index", photos, "-g", "g", "--json").json
    assert (second["added"], second["unchanged"]) == (1, 3)
    table = aesalign("index", photos, "-g", "g")
    assert "cut.jpg" in table.out
    (photos / names[0].name).unlink()
    assert aesalign("index", photos, "-g", "g", "--prune", "--json").json["removed"] == 1


def test_score_gives_a_line_per_photo(aesalign: Aesalign, small_photos: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    done = aesalign("score", small_photos / "cat.jpg", "broken.jpg", "--json")
    assert done.code == 0
    good, bad = done.lines
    assert set(good) == {"path", "reward", "score"}
    assert bad["path"] == "broken.jpg"
    assert bad["reason"]
    none = aesalign("score", "broken.jpg")
    assert none.code == 1


def test_rephrase_shows_every_strategy(aesalign: Aesalign) -> None:
    for strategy in ("original", "repeat", "detail", "k_list", "kw_dict", "reorg"):
        done = aesalign("rephrase", "a dog on a beach", "--strategy", strategy, "--json")
        (line,) = done.lines
        assert line["strategy"] == strategy
        assert line["text"].startswith("a dog on a beach")


def test_doctor_finds_nothing_wrong_here(aesalign: Aesalign) -> None:
    done = aesalign("doctor", "--json")
    assert done.code == 0, done.out
    assert {c["status"] for c in done.json} <= {"ok", "off"}


def test_two_systems_are_judged_from_their_lists(
    aesalign: Aesalign, gallery: Path, queries: Path, small_photos: Path, tmp_path: Path
) -> None:
    for name, options in (("old", ()), ("new", ("--reward", "embedded", "--reward-weight", "0.2"))):
        done = aesalign("search", "-g", gallery, "--queries", queries, "-k", "5", *options)
        (tmp_path / f"{name}.jsonl").write_text(done.out)
    found = aesalign("judge", "compare", "old.jsonl", "new.jsonl", "--judge", "reward", "--json").json
    summary = found["aspects"]["aesthetic"]
    assert (found["judge"], found["queries"]) == ("reward:embedded", 6)
    assert summary["wins"] + summary["similar"] == 6  # ranked by the very reward that judges
    assert summary["wins"] > 0
    assert summary["win_rate"] == 1.0
    shown = aesalign("judge", "compare", "old.jsonl", "new.jsonl")
    assert "win rate" in shown.out
    assert "100.0%" in shown.out
    alone = (tmp_path / "old.jsonl").read_text().splitlines()
    (tmp_path / "few.jsonl").write_text("\n".join(alone[:2]) + "\n")
    fewer = aesalign("judge", "compare", "old.jsonl", "few.jsonl", "--json")
    assert fewer.json["queries"] == 2
    assert "4 queries were not answered by both" in fewer.err
    mixed = aesalign("judge", "compare", "old.jsonl", "embedded", "-g", gallery, "-k", "5", "--json")
    assert mixed.json["aspects"]["aesthetic"]["similar"] == 6  # the encoder that made the list
    controls = aesalign("judge", "check", small_photos, "--limit", "6", "--json").json["controls"]
    assert {name: c["share"] for name, c in controls.items()} == {
        "identical": 1.0, "flawed": 1.0, "painted": 1.0, "swapped": 1.0
    }  # fmt: skip
    free = aesalign("judge", "compare", "old.jsonl", "new.jsonl", "--dry-run")
    assert (free.code, "costs nothing" in free.err) == (2, True)
    for other in (gallery, "missing.jsonl"):
        broken = aesalign("judge", "compare", "old.jsonl", other)
        assert (broken.code, len(broken.err.strip().splitlines())) == (1, 1)


def test_agreement_with_people_of_encoders_and_of_a_judge(
    aesalign: Aesalign, small_photos: Path, tmp_path: Path
) -> None:
    def labels(choice: str) -> list[dict[str, str]]:
        return [{"annotator": who, "aspect": "aesthetic", "choice": choice} for who in ("ann", "bo")]

    rows = (["cat.jpg"], ["rocket.jpg"])
    lines = [
        {"query": "a cat", "first": rows[0], "second": rows[1], "labels": labels("first")},
        {"query": "a rocket on its launch pad", "first": rows[0], "second": rows[1], "labels": labels("second")},
    ]
    (tmp_path / "hpir.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    asked = ("eval", "hpir", "hpir.jsonl", "--photos-root", small_photos)
    found = aesalign(*asked, "--against", "embedded", "--json")
    assert found.code == 0, found.err
    assert found.json["embedded"]["aesthetic"]["agreement"] == 1.0
    assert found.json["embedded"]["aesthetic"]["ceiling"] == 1.0
    assert "2 items, 2 annotators, aspects: aesthetic" in found.err
    judged = aesalign(*asked, "--judge", "reward")
    assert judged.code == 0, judged.err
    assert "reward:embedded" in judged.out
    assert "50.0%" in judged.out  # it prefers the same row whatever is asked
    assert aesalign(*asked, "--check", "--json").json == {"items": 2, "annotators": 2, "aspects": ["aesthetic"]}
    undecided = {"annotator": "ann", "aspect": "accuracy", "choice": "similar"}
    lines[0]["labels"] = [*labels("first"), undecided]
    (tmp_path / "hpir.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    partly = aesalign(*asked, "--json")
    assert set(partly.json["embedded"]) == {"aesthetic"}
    assert "people prefer no row in accuracy" in partly.err
    (tmp_path / "hpir.jsonl").write_text(json.dumps({**lines[0], "labels": [undecided]}))
    nothing = aesalign(*asked)
    assert (nothing.code, len(nothing.err.strip().splitlines())) == (1, 2)
    assert "says which row people prefer" in nothing.err
    (tmp_path / "hpir.jsonl").write_text('{"query": "a"}\n')
    broken = aesalign(*asked)
    assert (broken.code, len(broken.err.strip().splitlines())) == (1, 1)
    assert "line 1: first" in broken.err
