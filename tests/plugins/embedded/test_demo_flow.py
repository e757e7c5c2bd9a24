"""The demo from folder to page, on an encoder of simple colours so that it takes seconds."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import colours
import numpy as np
import pytest

from aesalign_core import plugins
from aesalign_core.alignment.settings import AlignSettings
from aesalign_core.build import Builder
from aesalign_core.errors import AesalignError, QueryError
from aesalign_core.evaluation.statistics import paired_difference
from aesalign_core.gallery import Gallery
from aesalign_core.preferences.settings import PairSettings
from aesalign_core.recipe import Recipe, Use
from aesalign_core.searching import search
from aesalign_embedded.demo.flow import run_demo
from aesalign_embedded.demo.result import DemoResult
from aesalign_embedded.demo.settings import ALIGN, PAIRS, recipe_for, without_captions
from aesalign_embedded.demo.sources import SOURCES

QUERIES = [f"{a} {colour} {b}" for a in ("one", "any", "a beautiful") for colour in ("red", "green", "blue")
           for b in ("photo", "thing")]  # fmt: skip


def builder(**recipe: object) -> Builder:
    """Colours for encoder, brightness for reward, everything else as the demo uses it."""
    names = ("embedded", "lancedb", "prefrl")
    modules = {"colours": "colours", **{name: f"aesalign_{name}.plugin" for name in names}}
    found = plugins.load([EntryPoint(name, module, plugins.GROUP) for name, module in modules.items()])
    values = {
        "encoder": Use(use="colours"), "rewards": (Use(use="brightness"),), "device": "cpu",
        "judge": Use(use="reward", reward="brightness"), "align": AlignSettings(steps=30), **recipe,
    }  # fmt: skip
    return Builder(Recipe.model_validate(values), found=found)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("own")
    colours.write_photos(root / "photos", each=14)
    (root / "queries.txt").write_text("\n".join(QUERIES))
    with (root / "captions.csv").open("w", newline="") as file:
        rows = [(p.name, f"{p.stem.replace('-', ' photo ')}") for p in sorted((root / "photos").iterdir())]
        csv.writer(file).writerows([("file", "caption"), *rows])
    return root


@pytest.fixture(scope="module")
def result(folder: Path) -> DemoResult:
    return run_demo(folder / "photos", folder / "out", builder(), queries=folder / "queries.txt")


def test_no_query_is_both_trained_and_judged(result: DemoResult) -> None:
    (only,) = result.rounds
    assert not set(only.trained) & set(only.held_out)
    assert sorted(only.trained + only.held_out) == sorted(QUERIES)
    assert [q.query for q in result.queries] == list(only.held_out)


def test_everything_is_where_it_is_said_to_be(result: DemoResult) -> None:
    (only,) = result.rounds
    assert (result.out / "round-1" / "pairs.parquet").is_file()
    assert (only.run / "aligned.safetensors").is_file()
    page = result.report.read_text(encoding="utf-8")
    assert all(query in page for query in only.held_out)
    document = json.loads((result.out / "result.json").read_text(encoding="utf-8"))
    assert document == json.loads(json.dumps(result.as_dict()))
    assert [q["query"] for q in document["queries"]] == list(only.held_out)


def test_the_rows_are_what_the_two_encoders_find(result: DemoResult) -> None:
    build, (only,) = builder(), result.rounds
    gallery = Gallery.open(result.gallery, build)
    rewards = dict(zip(gallery.paths(), gallery.scores("brightness"), strict=True))
    for encoder, side in ((build.encoder(), "old"), (build.encoder(str(only.run)), "new")):
        found = search(only.held_out, gallery, encoder, k=10)
        rows = [getattr(q, side) for q in result.queries]
        assert [[h.path for h in r.hits] for r in found] == [[str(p.path) for p in row] for row in rows]
        means = [np.mean([rewards[h.path] for h in r.hits]) for r in found]
        assert [getattr(q, f"{side}_value") for q in result.queries] == pytest.approx(means, abs=1e-6)


def test_the_summary_follows_from_the_rows(result: DemoResult) -> None:
    expected = paired_difference(
        [q.old_value for q in result.queries], [q.new_value for q in result.queries], groups=result.rounds[0].held_out
    )
    reward = next(m for m in result.measures if m.name.startswith("Reward"))
    assert not reward.independent
    assert reward.result.difference == pytest.approx(expected.difference, abs=1e-6)
    assert (reward.result.low, reward.result.high) == pytest.approx((expected.low, expected.high), abs=1e-6)
    gains = [q.new_value - q.old_value for q in result.queries]
    tally = result.tallies[0]
    assert (tally.wins + tally.similar + tally.losses) == len(gains)
    assert tally.wins <= sum(g > -1e-6 for g in gains)


def test_a_second_run_reuses_everything(result: DemoResult, folder: Path) -> None:
    kept = [result.out / "round-1" / "pairs.parquet", result.rounds[0].run / "aligned.safetensors"]
    before = [path.stat().st_mtime_ns for path in kept]
    again = run_demo(folder / "photos", folder / "out", builder(), queries=folder / "queries.txt")
    assert [path.stat().st_mtime_ns for path in kept] == before
    assert replace(again, seconds={}) == replace(result, seconds={})


def test_a_folder_of_another_demo_is_refused(result: DemoResult, folder: Path) -> None:
    with pytest.raises(AesalignError, match="holds a demo of other photos") as error:
        run_demo(folder / "photos", folder / "out", builder(), queries=folder / "queries.txt", seed=1)
    assert "--out" in error.value.hint


def test_captions_give_recall_and_no_held_out_photo_is_captioned_for_training(folder: Path, tmp_path: Path) -> None:
    found = run_demo(folder / "photos", tmp_path / "out", builder(), captions=folder / "captions.csv")
    assert [m.name for m in found.measures if "R@" in m.name]
    with (tmp_path / "out" / "round-1" / "captions.csv").open(newline="") as file:
        trained = {row["file"] for row in csv.DictReader(file)}
    judged = {str(p.path) for q in found.queries for p in (*q.old, *q.new) if p.relevant}
    assert judged
    assert not trained & judged


def test_own_photos_without_queries_are_asked_everyday_ones(folder: Path, tmp_path: Path) -> None:
    stages: list[str] = []
    found = run_demo(
        folder / "photos", tmp_path / "out", builder(), limit=30,
        progress=lambda stage, done, total, numbers=None: stages.append(stage),
    )  # fmt: skip
    assert found.photos == 30
    assert any("only 30 of 42 photos" in caveat for caveat in found.caveats)
    assert any("recall is not measured" in caveat for caveat in found.caveats)
    (only,) = found.rounds
    assert len(only.trained) > len(only.held_out) > 10
    assert stages[0] == "index gallery"
    assert "align" in stages


def test_too_few_queries_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "two.txt").write_text("a red photo\na blue photo\n")
    with pytest.raises(QueryError, match="too few different queries"):
        run_demo(folder / "photos", tmp_path / "out", builder(), queries=tmp_path / "two.txt")


@pytest.mark.parametrize("tune", ["text", "both"])
def test_packaged_photographs_are_judged_on_held_out_sources(tmp_path: Path, tune: str) -> None:
    build = builder(align=AlignSettings(steps=20, tune=tune))
    found = run_demo(None, tmp_path, build, views=2, copies=1)
    owner = {query: source.name.replace(" ", "-") for source in SOURCES for query in source.queries}
    build = builder()
    assert [q.query for q in found.queries] == [q for r in found.rounds for q in r.held_out]
    assert sorted(q.query for q in found.queries) == sorted(owner)  # each photograph is judged once
    for played in found.rounds:
        trained, judged = {owner[q] for q in played.trained}, {owner[q] for q in played.held_out}
        assert not trained & judged
        assert trained | judged == set(owner.values())
        cut = Gallery.open(played.run.parent / "gallery-trained", build)
        assert {Path(p).parent.name for p in cut.paths()} == trained
        assert (played.run.parent / "gallery-aligned").exists() == (tune == "both")
    for query in found.queries:
        for photo in (*query.old, *query.new):
            assert photo.relevant == (photo.path.parent.name == owner[query.query])
            assert bool(photo.badge) == ("-" in photo.path.stem)
    unflawed = next(m for m in found.measures if m.name.startswith("Unflawed"))
    assert unflawed.result.units == len(SOURCES)  # whole photographs are resampled
    assert unflawed.result.new == pytest.approx(np.mean([[not p.badge for p in q.new] for q in found.queries]))


def test_what_a_recipe_says_wins_over_the_demo() -> None:
    given = Recipe(pairs=PairSettings(rows=2), align=AlignSettings(tune="image"))
    fitted = recipe_for(given, photos=10_000, seed=3)
    assert (fitted.pairs.rows, fitted.pairs.columns) == (2, PAIRS.columns)
    assert (fitted.align.tune, fitted.align.steps, fitted.align.seed) == ("image", ALIGN.steps, 3)
    # Even where it says what the default is.
    default = AlignSettings().tune
    assert ALIGN.tune != default
    assert recipe_for(Recipe(align=AlignSettings(tune=default)), photos=9, seed=0).align.tune == default


def test_without_captions_the_image_tower_is_left_alone_unless_asked_for() -> None:
    for given, tune in ((Recipe(), "text"), (Recipe(align=AlignSettings(tune="both")), "both")):
        fitted = without_captions(recipe_for(given, photos=99, seed=0), given).align
        assert (fitted.tune, fitted.pretraining_weight) == (tune, 0.0)


@pytest.mark.parametrize("photos", [20, 40, 100, 1000])
def test_grids_fit_small_folders(photos: int) -> None:
    pairs = recipe_for(Recipe(), photos=photos, seed=0).pairs
    assert pairs.rows * pairs.columns <= pairs.candidates <= photos
