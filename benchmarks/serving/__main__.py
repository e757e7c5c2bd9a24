"""`make bench-serving`: the service with batching and without, and a search against what it replaces, in one run.

- requests a second and p50/p99 of `/v1/embeddings`, many clients at once, with batching against `--max-batch 1`;
- a search with an aligned encoder through our SDK against a plain LanceDB query with the same encoder, as a person
  writes it (goal: at most 1.1 times); both must find the same photos;
- the same search against the cascade it replaces: an LLM on loopback that takes 300 ms rephrases the query, and the
  hits are re-ranked by reward (goal: at most 1/5).

The ways are timed by turns, several times, and the spread is printed with the medians.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lancedb

from aesalign_core import Builder, Encoder, Gallery, Recipe, align, search
from aesalign_core.alignment.settings import AlignSettings
from aesalign_core.captions import read_captions
from aesalign_core.recipe import Use
from benchmarks.measuring import by_turns, ratio
from benchmarks.serving.llm import DELAY, stand_in
from benchmarks.serving.load import Load, service
from benchmarks.training.world import EMBEDDED, make

K, WEIGHT, CLIENTS = 10, 0.02, (1, 8, 32)
GOALS = {"plain": 1.1, "cascade": 0.2}
SEARCHES, CASCADES, REQUESTS = 40, 4, 160


def prepared(given: argparse.Namespace, folder: Path) -> tuple[Path, Path, list[str]]:
    """A gallery, a RUN with an aligned text tower, and queries."""
    world = make(given.photos, given.count, folder)
    run = folder / "run"
    align(world.pairs, world.gallery, run, _builder(), captions=world.captions)
    return world.gallery, run, [caption.text for caption in read_captions(world.captions)]


def _builder(rephraser: Use | None = None) -> Builder:
    recipe = Recipe(device="cpu", encoder=EMBEDDED, rewards=(Use(use="embedded"),), align=AlignSettings(steps=50))
    return Builder(recipe.model_copy(update={"rephraser": rephraser} if rephraser else {}))


def searches(gallery: Path, run: Path, queries: list[str], rounds: int) -> dict[str, Any]:
    """A search of ours against a plain query, and against the cascade."""
    with tempfile.TemporaryDirectory() as cache, stand_in() as base:
        llm = Use(use="litellm", model="openai/stand-in", api_base=base, cache=cache)
        build = _builder(llm)
        photos, aligned, before = Gallery.open(gallery, build), build.encoder(str(run)), build.encoder()
        table = lancedb.connect(str(gallery)).open_table("photos")
        _equal(photos, aligned, table, queries[:SEARCHES])
        fresh, rephraser = _unasked(queries), build.rephraser()
        fallbacks: list[bool] = []

        def cascade() -> None:
            for _ in range(CASCADES):
                found = search(
                    [next(fresh)], photos, before, k=K, rephraser=rephraser, reward="embedded", reward_weight=WEIGHT
                )
                fallbacks.append(bool(found[0].rephrasing and found[0].rephrasing.fallback))

        def ours(count: int) -> Callable[[], object]:
            return lambda: [search([q], photos, aligned, k=K) for q in queries[:count]]

        ways: dict[str, Callable[[], object]] = {
            "ours": ours(SEARCHES),
            "plain": lambda: [plain(table, aligned, q) for q in queries[:SEARCHES]],
            "ours, few": ours(CASCADES),
            "cascade": cascade,
        }
        found = by_turns(ways, rounds)
    each = {"ours": SEARCHES, "plain": SEARCHES, "cascade": CASCADES}
    return {
        "milliseconds": {name: 1000 * statistics.median(found[name]) / count for name, count in each.items()},
        "over_plain": {**ratio(found["ours"], found["plain"]), "goal": GOALS["plain"]},
        "over_cascade": {**ratio(found["ours, few"], found["cascade"]), "goal": GOALS["cascade"]},
        "delay": DELAY,
        "fell_back": sum(fallbacks) / len(fallbacks),
    }


def plain(table: Any, encoder: Encoder, query: str) -> list[dict[str, Any]]:
    """What a person writes who has an encoder and a LanceDB table: exact, by cosine, and only what is shown."""
    vector = encoder.encode_texts([query])[0]
    found: list[dict[str, Any]] = (
        table.search(vector).distance_type("cosine").select(["id", "path", "_distance"]).limit(K).to_list()
    )
    return found


def _equal(photos: Gallery, encoder: Encoder, table: Any, queries: list[str]) -> None:
    """Two ways are compared only if they find the same."""
    for query in queries:
        ours = [hit.id for hit in search([query], photos, encoder, k=K)[0].hits]
        theirs = [row["id"] for row in plain(table, encoder, query)]
        if set(ours) != set(theirs):
            raise SystemExit(f"a plain query finds other photos for {query!r}: it is no baseline")


def _unasked(queries: list[str]) -> Iterator[str]:
    """Queries that no cache knows."""
    for number in itertools.count():
        yield f"{queries[number % len(queries)]} {number}"


def loads(gallery: Path, run: Path, queries: list[str], rounds: int) -> dict[str, Any]:
    """The service with batching and without, by number of clients."""
    told: dict[str, Any] = {}
    with service(gallery, run) as batched, service(gallery, run, "--max-batch", "1") as single:
        services = [(name, url, itertools.count()) for name, url in (("batched", batched), ("unbatched", single))]
        for clients in CLIENTS:
            ways = {name: Load(url, clients, REQUESTS, queries, numbers) for name, url, numbers in services}
            found = by_turns(ways, rounds)
            told[str(clients)] = {
                "per_second": {name: REQUESTS / statistics.median(found[name]) for name in ways},
                "latency_ms": {name: load.latency() for name, load in ways.items()},
                "ratio": ratio(found["unbatched"], found["batched"]),
            }
    return told


def _show(report: dict[str, Any]) -> None:
    def told(value: dict[str, float], digits: int = 2) -> str:
        middle, low, high = (f"{value[name]:.{digits}f}" for name in ("median", "least", "most"))
        return f"{middle} ({low} to {high})"

    print(f"{report['cores']} cores, load {report['load']:.1f} at the start, {report['photographs']} photographs,"
          f" {report['rounds']} rounds")  # fmt: skip
    for clients, one in report["service"].items():
        print(f"  {clients} clients at once: {told(one['ratio'])} times as many requests a second with batching")
        for name, latency in one["latency_ms"].items():
            speed = one["per_second"][name]
            print(
                f"    {name:<10} {speed:6.0f} requests/s, p50 {latency['p50']:6.1f} ms, p99 {latency['p99']:6.1f} ms"
            )
    found = report["search"]
    ms = ", ".join(f"{name} {value:.1f} ms" for name, value in found["milliseconds"].items())
    print(f"  one search after another: {ms}")
    print(f"  ours over plain LanceDB   {told(found['over_plain'])}; goal at most {found['over_plain']['goal']}")
    print(
        f"  ours over the cascade     {told(found['over_cascade'], 3)}; goal at most {found['over_cascade']['goal']}"
    )
    print(f"  rephrasings that fell back: {found['fell_back']:.0%}")


def main() -> None:
    """Runs the benchmark and prints its report."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, required=True, help="images/, captions.csv")
    parser.add_argument("--count", type=int, default=1_000, help="photographs")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        gallery, run, queries = prepared(given, Path(folder))
        report = {
            "cores": len(os.sched_getaffinity(0)),
            "load": load,
            "photographs": given.count,
            "rounds": given.rounds,
            "search": searches(gallery, run, queries, given.rounds),
            "service": loads(gallery, run, queries, given.rounds),
        }
    if given.json:
        print(json.dumps(report))
    else:
        _show(report)


if __name__ == "__main__":
    main()
