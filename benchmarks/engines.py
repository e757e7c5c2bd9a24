"""How fast indexing is with Ray's workers on this machine, against the threads of the local engine.

Run as `python -m benchmarks.engines --photos ../shared/photos/images`. Both engines have the same cores, take turns,
and write galleries whose ids must be equal. Two rates are printed of each: of the whole run, in which Ray starts a
cluster and every worker loads the models, and from the first batch written to the last, which is what counts where
there are many photos. On one machine Ray has nothing to win; the ratio says what it costs.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aesalign_core.build import Builder
from aesalign_core.gallery import Gallery
from aesalign_core.images.decoding import find_photos
from aesalign_core.indexing.index import index


def timed(paths: Sequence[Path], builder: Builder, batch: int, engine: str, workers: int | None) -> dict[str, Any]:
    """One run: photos a second of all of it and after its first batch, and the ids that it wrote."""
    written: list[tuple[float, int]] = []
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        index(
            paths, Path(folder, "gallery"), builder, batch_size=batch, workers=workers, engine=engine,
            progress=lambda *counts: written.append((time.perf_counter(), counts[0])),
        )  # fmt: skip
        whole = time.perf_counter() - started
        ids = Gallery.open(Path(folder, "gallery"), builder).ids()
    (first, some), (last, every) = next(w for w in written if w[1]), written[-1]
    return {"whole": len(paths) / whole, "after the first batch": (every - some) / (last - first), "ids": set(ids)}


def main() -> None:
    """Runs the benchmark and prints its report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="a folder or list of photographs")
    parser.add_argument("--count", type=int, default=2000, help="photographs per run")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, nargs="*", default=[], help="of Ray; default: as many as fit, and 2")
    parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    given = parser.parse_args()
    # Ray would let its workers give way to every other program of the machine, which the local engine does not.
    os.environ.setdefault("RAY_worker_niceness", "0")
    builder, paths = Builder(), find_photos(given.photos)[: given.count]
    ways: dict[str, tuple[str, int | None]] = {"local": ("local", None)}
    ways |= {f"ray {n or 'default'}": ("ray", n) for n in given.workers or (None, 2)}
    timed(paths[: 2 * given.batch_size], builder, given.batch_size, "local", None)
    rates: dict[str, dict[str, list[float]]] = {}
    for turn in range(given.rounds):
        names = list(ways)
        found = {
            name: timed(paths, builder, given.batch_size, *ways[name])
            for name in names[turn % len(names) :] + names[: turn % len(names)]
        }
        if any(one["ids"] != found["local"]["ids"] for one in found.values()):
            raise SystemExit("the engines wrote different galleries: this is no comparison")
        for name in names:
            for rate in ("whole", "after the first batch"):
                rates.setdefault(rate, {}).setdefault(name, []).append(found[name][rate])
    report = {"photos": len(paths), "cores": len(os.sched_getaffinity(0)), "batch_size": given.batch_size} | {
        "photos_per_second": rates,
        "over_local": {
            rate: {name: [a / b for a, b in zip(values, of["local"], strict=True)] for name, values in of.items()}
            for rate, of in rates.items()
        },
    }
    if given.json:
        print(json.dumps(report))
        return
    print(f"{len(paths)} photographs, {report['cores']} cores, batches of {given.batch_size}, {given.rounds} rounds")
    for rate, of in rates.items():
        for name, values in of.items():
            over = [a / b for a, b in zip(values, of["local"], strict=True)]
            print(
                f"  {rate:<22} {name:<12} {statistics.median(values):7.1f} photos/s   over local"
                f" {statistics.median(over):.2f} ({min(over):.2f} to {max(over):.2f})"
            )


if __name__ == "__main__":
    main()
