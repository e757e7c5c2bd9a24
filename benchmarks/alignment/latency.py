"""How long a search takes: plain, with an aligned text tower, and re-ranked, on the benchmark's own gallery and RUN.

`python -m benchmarks.alignment.latency --photos ../shared/photos --out runs/bench-alignment` uses what
`make bench-alignment` left there. One query after another, as people search; the ways take turns.
"""

from __future__ import annotations

import argparse
import functools
import statistics
from pathlib import Path

from aesalign_core import Encoder, search
from aesalign_embedded.training.features import FeatureStore
from aesalign_embedded.training.split import read
from benchmarks.alignment.methods import TRAINED, folder_of
from benchmarks.alignment.split import split
from benchmarks.alignment.world import REWARD, Base, World
from benchmarks.measuring import by_turns, ratio

QUERIES, WEIGHT = 40, 0.02


def main() -> None:
    """Prints milliseconds a query, and ratios to a plain search."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alignment.latency", description=__doc__)
    parser.add_argument("--photos", type=Path, required=True, help="images/, captions.csv, laion_b32.csv")
    parser.add_argument("--out", type=Path, required=True, help="the folder that the benchmark kept its RUNs in")
    parser.add_argument("--method", default="text: reward_distillation", choices=[m for m in TRAINED if "text" in m])
    parser.add_argument("--cache", type=Path, default=Path("runs/embedded-features"), help="features are kept here")
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    features = FeatureStore(read(given.photos), given.cache)
    base = Base(features, split(features.photographs, seed=1), given.out / "seed-1", seed=1)
    world = World(base, 0, lambda _: None)
    run = world.folder / "runs" / folder_of(given.method)
    queries = [caption.text for caption in world.captions(world.judged)][:QUERIES]

    def searched(encoder: Encoder, weight: float = 0.0) -> None:
        for query in queries:
            search([query], world.gallery, encoder, k=10, reward=REWARD, reward_weight=weight)

    plain, aligned = world.encoder, world.builder(world.recipe).encoder(str(run))
    ways = {
        "plain": functools.partial(searched, plain),
        "aligned": functools.partial(searched, aligned),
        "re-ranked": functools.partial(searched, plain, WEIGHT),
    }
    found = by_turns(ways, given.rounds)
    print(f"{len(queries)} queries, one after another, {given.rounds} rounds, gallery of {len(world.gallery)}")
    for name, seconds in found.items():
        over = ratio(seconds, found["plain"])
        spread = f"{over['least']:.2f} to {over['most']:.2f}"
        each = 1000 * statistics.median(seconds) / len(queries)
        print(f"  {name:<10} {each:6.1f} ms a query; {over['median']:.2f} times a plain search ({spread})")


if __name__ == "__main__":
    main()
