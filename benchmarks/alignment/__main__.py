"""`make bench-alignment`: gain@97 of every method in one run, with the fronts as a plot.

gain@97 is how much more beautiful the first ten become, in standard deviations of the gallery's true LAION scores, at
the strength where R@10 is 97 % of the base's. Base heads, reward, alignment and judgement each have photographs of
their own (`split`); intervals are from a bootstrap over photographs, the same draws for every method and seed.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from aesalign_core.evaluation.fronts import DEPTH, Front, Gain, gains, joined
from aesalign_embedded.training.features import FeatureStore
from aesalign_embedded.training.split import read
from benchmarks.alignment import plot, variants
from benchmarks.alignment.methods import ALL, RERANKED, TRAINED, sweep
from benchmarks.alignment.split import split
from benchmarks.alignment.world import Base, World


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.alignment",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--photos", type=Path, required=True, help="images/, captions.csv, laion_b32.csv")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--halves", type=int, nargs="+", default=[0, 1], choices=[0, 1],
                        help="of the rated photographs, judged; one alone is quick and less sure")  # fmt: skip
    parser.add_argument(
        "--methods", nargs="*", choices=list(ALL), metavar="METHOD", help="default: those of the docs"
    )
    parser.add_argument("--sweep", nargs="*", default=[], choices=list(variants.GROUPS), metavar="GROUP",
                        help=f"variants instead: {', '.join(variants.GROUPS)}")  # fmt: skip
    parser.add_argument("--cache", type=Path, default=Path("runs/embedded-features"), help="features are kept here")
    parser.add_argument("--out", type=Path, help="galleries and RUNs are kept here, and used again; none: nowhere")
    parser.add_argument("--plot", type=Path, default=Path("runs/alignment-fronts.png"))
    parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    given = parser.parse_args()
    if given.methods is None:
        given.methods = [name for group in given.sweep for name in variants.GROUPS[group]] or list(TRAINED)
    return given


def _say(where: str, text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {where}: {text}", file=sys.stderr, flush=True)


def measure(given: argparse.Namespace, folder: Path) -> dict[str, list[Front]]:
    """A front per method and seed."""
    features = FeatureStore(read(given.photos), given.cache)
    found: dict[str, list[Front]] = {}
    for seed in given.seeds:
        base = Base(features, split(features.photographs, seed=seed), folder / f"seed-{seed}", seed=seed)
        halves = []
        for half in given.halves:
            world = World(base, half, functools.partial(_say, f"seed {seed}, half {half}"))
            halves.append(sweep(world, given.methods))
        for name in halves[0]:
            found.setdefault(name, []).append(joined([parts[name] for parts in halves]))
    return found


def _show(found: dict[str, list[Front]], measured: dict[str, Gain], seeds: int) -> None:
    queries, base = len(found[RERANKED][0].photos), np.mean([f.recall[0].mean() for f in found[RERANKED]])
    print(f"{queries:,} queries, {seeds} seeds; base R@{DEPTH} {base:.3f}")
    print(f"{'method':<40}{'gain@97':<28}{'over re-rank':<28}ratio to re-rank")
    for name, gain in measured.items():
        value = _told(gain.value, *gain.interval, plus=False) + ("+" if found[name][0].ends_above else "")
        print(f"{name:<40}{value:<28}{_told(*gain.difference):<28}{_told(*gain.ratio, plus=False)}")


def _told(value: float, low: float, high: float, *, plus: bool = True) -> str:
    sign = "+" if plus else ""
    return f"{value:{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}]"


def _document(found: dict[str, list[Front]], measured: dict[str, Gain], seeds: list[int]) -> dict[str, Any]:
    curves = {
        name: [dict(zip(("recall", "gain"), (v.tolist() for v in f.curve()), strict=True)) for f in per_seed]
        for name, per_seed in found.items()
    }
    strengths = {name: per_seed[0].strengths for name, per_seed in found.items()}
    return {"seeds": seeds, "gain97": {n: asdict(g) for n, g in measured.items()}, "strengths": strengths,
            "fronts": curves}  # fmt: skip


def main() -> None:
    """Runs the benchmark and prints its table."""
    given = _arguments()
    with tempfile.TemporaryDirectory() as scratch:
        found = measure(given, given.out or Path(scratch))
    measured = gains(found, RERANKED)
    given.plot.parent.mkdir(parents=True, exist_ok=True)
    plot.draw(found, given.plot)
    if given.json:
        print(json.dumps(_document(found, measured, given.seeds)))
    else:
        _show(found, measured, len(given.seeds))


if __name__ == "__main__":
    main()
