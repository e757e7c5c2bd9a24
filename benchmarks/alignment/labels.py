"""What a better reward is worth: re-ranking and alignment by rewards that were fitted on ever more rated photographs.

`python -m benchmarks.alignment.labels --photos ../shared/photos --seeds 0 --halves 0` measures, in one run, the
gain@97 of re-ranking and of the aligned text tower for each number of ratings, beside how well the reward knows the
true scores of the photographs that are searched, and the oracle, which knows them.
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

import numpy as np

from aesalign_core.evaluation.fronts import Front, gains, joined
from aesalign_embedded.training.features import FeatureStore
from aesalign_embedded.training.metrics import spearman
from aesalign_embedded.training.split import read
from benchmarks.alignment.methods import RERANKED, sweep
from benchmarks.alignment.split import split
from benchmarks.alignment.world import Base, World

TEXT, ORACLE = "text: reward_distillation", "oracle: re-rank by the true score"
LABELS = (30, 60, 120, 246)


def measure(given: argparse.Namespace, folder: Path) -> tuple[dict[str, list[Front]], dict[int, list[float]]]:
    """Fronts by method and number of ratings, a list over seeds; rank correlations by number of ratings."""
    features = FeatureStore(read(given.photos), given.cache)
    found: dict[str, list[Front]] = {}
    known: dict[int, list[float]] = {labels: [] for labels in given.labels}
    for seed in given.seeds:
        base = Base(features, split(features.photographs, seed=seed), folder / f"seed-{seed}", seed=seed)
        for labels in given.labels:
            halves = []
            for half in given.halves:
                say = functools.partial(_say, f"seed {seed}, half {half}, {labels} ratings")
                world = World(base, half, say, labels=labels)
                halves.append(sweep(world, [TEXT]))
                known[labels].append(float(spearman(world.rewards, world.truth).value))
            for name in (RERANKED, TEXT, ORACLE):
                key = ORACLE if name == ORACLE else f"{name}, {labels} ratings"
                if name != ORACLE or labels == given.labels[-1]:
                    found.setdefault(key, []).append(joined([parts[name] for parts in halves]))
    return found, known


def _say(where: str, text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {where}: {text}", file=sys.stderr, flush=True)


def main() -> None:
    """Prints a line per method and number of ratings."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alignment.labels", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--photos", type=Path, required=True, help="images/, captions.csv, laion_b32.csv")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--halves", type=int, nargs="+", default=[0, 1], choices=[0, 1], help="that are judged")
    parser.add_argument(
        "--labels", type=int, nargs="+", default=list(LABELS), help="ratings that rewards are fitted on"
    )
    parser.add_argument("--cache", type=Path, default=Path("runs/embedded-features"), help="features are kept here")
    parser.add_argument("--out", type=Path, help="galleries and RUNs are kept here, and used again; none: nowhere")
    parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found, known = measure(given, given.out or Path(scratch))
    measured = gains(found, f"{RERANKED}, {given.labels[-1]} ratings")
    if given.json:
        print(json.dumps({"gain97": {n: asdict(g) for n, g in measured.items()}, "spearman": known}))
        return
    for labels, values in known.items():
        print(f"{labels} ratings: Spearman of the reward with the true scores {np.mean(values):.3f}")
    print(f"{'method':<44}{'gain@97':<28}ratio to re-ranking by the last reward")
    for name, gain in measured.items():
        (low, high), (ratio, least, most) = gain.interval, gain.ratio
        print(f"{name:<44}{f'{gain.value:.3f} [{low:.3f}, {high:.3f}]':<28}{ratio:.3f} [{least:.3f}, {most:.3f}]")


if __name__ == "__main__":
    main()
