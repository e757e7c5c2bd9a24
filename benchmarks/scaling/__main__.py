"""`make bench-scaling`: a gallery of a million synthetic vectors, through the bundled retriever.

One run prints

- peak memory of fresh processes that write them, that build the IVF index over them (goal for both: under 2 GB), and
  that learn which photos are there, as `aesalign index` does to add only what is new;
- for several numbers of visited partitions, with and without refinement: recall@10 against exact search (goal: 0.95),
  and the median and 95th percentile of a query's latency, over exact search's query by query in the same run;
- the rates that `benchmarks.scaling.costs` computes larger galleries from.

A query is asked alone, as a user asks it. Every way is warmed up by some queries that do not count.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aesalign_core import Builder, Recipe, Retriever
from aesalign_core.indexing import pending
from aesalign_core.indexing.filling import paths_by_id
from aesalign_core.recipe import Use
from aesalign_core.types import Vectors
from benchmarks.measuring import own_peak, peak_of
from benchmarks.scaling.synthetic import Synthetic

K = 10
MEMORY_GOAL, RECALL_GOAL = 2000.0, 0.95
STEPS = ("nothing", "fill", "build", "know")
WARM_UP = 5


@dataclass(frozen=True)
class Way:
    """One way to search: the retriever's settings."""

    nprobes: int
    refine_factor: int = 10


WAYS = (Way(5), Way(10), Way(20), Way(40), Way(80), Way(20, refine_factor=1))


def _store(folder: Path, **settings: Any) -> Retriever:
    recipe = Recipe(retriever=Use(use="lancedb", **settings))
    return Builder(recipe).retriever(folder)


def fill(folder: Path, rows: int, dim: int, seed: int, batch: int) -> None:
    """Writes the vectors, in batches as `aesalign index` writes them when workers embed faster than it writes."""
    store = _store(folder)
    store.create(dim=dim, rewards=(), metadata={})
    with store.writing():
        for table in Synthetic(dim, seed=seed).rows(rows, batch=batch):
            store.add(table)


def build(folder: Path) -> None:
    """Builds the index."""
    print(_store(folder, index="ivf", compressed=True).build_index(), file=sys.stderr)


def know(folder: Path) -> None:
    """Reads which photos the gallery holds."""
    assert paths_by_id(_store(folder))


def latencies(store: Retriever, queries: Vectors) -> tuple[list[float], list[list[str]]]:
    """Seconds of each query, asked alone, and what it found."""
    for query in queries[:WARM_UP]:
        store.search(query[None], k=K)
    seconds, found = [], []
    for query in queries:
        started = time.perf_counter()
        (matches,) = store.search(query[None], k=K)
        seconds.append(time.perf_counter() - started)
        found.append([match.id for match in matches])
    return seconds, found


def compared(folder: Path, queries: Vectors) -> list[dict[str, Any]]:
    """Every way beside exact search."""
    exact_seconds, exact = latencies(_store(folder), queries)
    told = []
    for way in WAYS:
        settings = {"nprobes": way.nprobes, "refine_factor": way.refine_factor}
        seconds, found = latencies(_store(folder, index="ivf", compressed=True, **settings), queries)
        hits = [len(set(a) & set(b)) / K for a, b in zip(exact, found, strict=True)]
        ratios = [a / b for a, b in zip(seconds, exact_seconds, strict=True)]
        told.append(
            {
                **settings,
                "recall": statistics.mean(hits),
                "recall_error": 1.96 * statistics.stdev(hits) / len(hits) ** 0.5,
                "median_ms": 1000 * statistics.median(seconds),
                "p95_ms": 1000 * float(np.quantile(seconds, 0.95)),
                "over_exact": statistics.median(ratios),
            }
        )
    exact_row = {"exact": True, "median_ms": 1000 * statistics.median(exact_seconds),
                 "p95_ms": 1000 * float(np.quantile(exact_seconds, 0.95))}  # fmt: skip
    return [exact_row, *told]


def measure(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The whole benchmark."""
    place = folder / "gallery"
    child = [sys.executable, "-m", "benchmarks.scaling", "--rows", str(given.rows), "--dim", str(given.dim),
             "--seed", str(given.seed), "--batch", str(given.batch), "--folder", str(place), "--only"]  # fmt: skip
    found: dict[str, Any] = {"rows": given.rows, "dim": given.dim}
    for step in STEPS:
        before = _bytes(place)
        started = time.perf_counter()
        peak = peak_of([*child, step])
        found[step] = {"peak_mb": peak, "seconds": time.perf_counter() - started,
                       "bytes_per_row": (_bytes(place) - before) / given.rows}  # fmt: skip
    found["settled_bytes"] = _settled(place) / given.rows
    found["searches"] = compared(place, Synthetic(given.dim, seed=given.seed).queries(given.queries))
    found["search_peak_mb"] = own_peak()
    return found


def _settled(place: Path) -> int:
    """Bytes of the table's own files, without those that only older versions refer to, kept for a day."""
    from datetime import timedelta

    import lancedb

    lancedb.connect(str(place)).open_table("photos").optimize(cleanup_older_than=timedelta(seconds=1))
    return _bytes(place)


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _show(found: dict[str, Any]) -> None:
    print(f"{found['rows']:,} vectors of {found['dim']} numbers")
    for step, goal in zip(STEPS, (None, MEMORY_GOAL, MEMORY_GOAL, None), strict=True):
        row = found[step]
        told = f", {found['rows'] / row['seconds']:,.0f} rows/s, {row['bytes_per_row']:,.0f} B a row" if goal else ""
        print(f"{step:<8}{row['peak_mb']:8,.0f} MB peak, {row['seconds']:6.1f} s{told}{_met(row['peak_mb'], goal)}")
    known = 1e6 * (found["know"]["peak_mb"] - found["nothing"]["peak_mb"]) / found["rows"]
    print(
        f"a photo that is known takes {known:,.0f} B of memory; rows with their old versions cleared away take"
        f" {found['settled_bytes']:,.0f} B each"
    )
    exact, *ways = found["searches"]
    print(f"{'way':<28}{'recall@10':<20}{'median':>9}{'p95':>9}  over exact")
    print(f"{'exact':<28}{'1':<20}{exact['median_ms']:6.1f} ms{exact['p95_ms']:6.1f} ms")
    for way in ways:
        name = f"{way['nprobes']} partitions, refine {way['refine_factor']}"
        recall = f"{way['recall']:.4f} ± {way['recall_error']:.4f}"
        print(f"{name:<28}{recall:<20}{way['median_ms']:6.1f} ms{way['p95_ms']:6.1f} ms  {way['over_exact']:.3f}")
    print(f"the searching process peaked at {found['search_peak_mb']:,.0f} MB")


def _met(value: float, goal: float | None) -> str:
    return "" if goal is None else f" (goal: under {goal:,.0f}{'' if value < goal else ', MISSED'})"


def _arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, default=pending.ROWS, help="rows per write; as `aesalign index`")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--only", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    return parser.parse_args(arguments)


def main() -> None:
    """Runs the benchmark, or one step of it whose memory is measured."""
    given = _arguments()
    if given.only:
        if given.only == "fill":
            fill(given.folder, given.rows, given.dim, given.seed, given.batch)
        elif given.only == "build":
            build(given.folder)
        elif given.only == "know":
            know(given.folder)
        else:
            import lancedb  # noqa: F401 - what every process that opens a gallery has loaded
        print(own_peak())
        return
    with tempfile.TemporaryDirectory() as scratch:
        found = measure(given, Path(scratch))
    if given.json:
        print(json.dumps(found))
    else:
        _show(found)


if __name__ == "__main__":
    main()
