"""Whether the guard keeps what it promises: the kept step of a run, judged on photographs that it never saw.

`python -m benchmarks.alignment.guarded --photos ../shared/photos` trains the text tower with a guard that watches
held-out captions: as the benchmark does, with L_pt, and hard, on purpose, in two ways:

- on the fitted reward and without L_pt, so that recall falls: with a floor of 97 % against no floor worth the name;
- on how colourful a photo is, a naive idea of beauty that LAION's scores do not share, the fitted reward watched.

Recall and true LAION scores are of the half that is searched in the benchmark; nothing in the runs has seen it.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aesalign_core import Gallery
from aesalign_core.alignment import runs
from aesalign_core.alignment.guard import gamed
from aesalign_core.alignment.log import read_metrics
from aesalign_core.alignment.settings import AlignSettings
from aesalign_core.evaluation.statistics import paired_difference
from aesalign_core.images.decoding import decode
from aesalign_embedded.training.features import FeatureStore
from aesalign_embedded.training.split import read
from benchmarks.alignment.judged import judged
from benchmarks.alignment.recipes import DISTILLED, GRIDS, TUNED
from benchmarks.alignment.split import split
from benchmarks.alignment.world import REWARD, Base, Method, World

COLOURS = "colours"
FLOOR, NO_FLOOR = 0.97, 0.01
HARD = {"pretraining_weight": 0.0, "learning_rate": 5e-4, "steps": 400, "watch_every": 20}


GENTLE = {"watch_every": 20}
"""The benchmark's own recipe, with L_pt."""


def _method(floor: float, reward: str, watched: str | None, changes: Mapping[str, Any] = HARD) -> Method:
    settings = {**TUNED.model_dump(), **changes, "recall_floor": floor, "watch_reward": watched}
    return Method(DISTILLED, AlignSettings(**settings), GRIDS.model_copy(update={"reward": reward}))


METHODS = {
    "fitted reward, floor 97 %": _method(FLOOR, REWARD, None),
    "fitted reward with L_pt, floor 97 %": _method(FLOOR, REWARD, None, GENTLE),
    "fitted reward, no floor": _method(NO_FLOOR, REWARD, None),
    "colours, fitted reward watched": _method(NO_FLOOR, COLOURS, REWARD),
    "colours, nothing watched": _method(NO_FLOOR, COLOURS, None),
}


@dataclass(frozen=True)
class Kept:
    """One run.

    Attributes:
        step: That was kept.
        gamed: The first step that was called gamed; None: none was.
        recall: (q,) of the base, and of the kept step, on unseen photographs.
        beauty: (q,) likewise.
        groups: (q,) which photograph.
    """

    step: int
    gamed: int | None
    recall: tuple[np.ndarray, np.ndarray]
    beauty: tuple[np.ndarray, np.ndarray]
    groups: tuple[str, ...]


def _colourful(world: World) -> None:
    """A column with each photo's mean saturation."""
    if COLOURS in world.trained.rewards:
        return
    paths = world.trained.paths()
    scores = [float(np.asarray(decode(Path(path)).convert("HSV"), np.float32)[..., 1].mean()) for path in paths]
    world.trained.retriever.set_column(COLOURS, world.trained.ids(), np.array(scores, np.float32))
    world.trained = Gallery.open(world.trained.path, world.builder(world.recipe))


def _kept(world: World, name: str, method: Method) -> Kept:
    run = world.run(name.replace(" ", "-").replace("%", "percent"), method)
    encoder = runs.aligned(runs.read(run), world.encoder)
    images = world.images(world.encoder)  # the text tower was tuned
    ways = [judged(world.queries(e) @ images.T, world.own, world.truth) for e in (world.encoder, encoder)]
    lines = read_metrics(run / runs.WATCH)
    return Kept(
        step=runs.read(run).record.kept or 0,
        gamed=next((int(line["step"]) for line in lines if gamed(line)), None),
        recall=(ways[0][0], ways[1][0]),
        beauty=(ways[0][1], ways[1][1]),
        groups=tuple(map(str, world.photos)),
    )


def measure(given: argparse.Namespace, folder: Path) -> dict[str, list[Kept]]:
    """The runs of every seed and half, by method."""
    features = FeatureStore(read(given.photos), given.cache)
    found: dict[str, list[Kept]] = {name: [] for name in METHODS}
    for seed in given.seeds:
        base = Base(features, split(features.photographs, seed=seed), folder / f"seed-{seed}", seed=seed)
        for half in given.halves:
            world = World(base, half, functools.partial(_say, f"seed {seed}, half {half}"))
            _colourful(world)
            for name, method in METHODS.items():
                found[name].append(_kept(world, name, method))
    return found


def _say(where: str, text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {where}: {text}", file=sys.stderr, flush=True)


def _summary(kept: list[Kept]) -> dict[str, Any]:
    def joined(name: str, which: int) -> np.ndarray:
        return np.concatenate([getattr(k, name)[which] for k in kept])

    groups = [group for k in kept for group in k.groups]
    differences = {
        name: paired_difference(joined(name, 0), joined(name, 1), groups=groups) for name in ("recall", "beauty")
    }
    recall = differences["recall"]
    return {
        "steps": [k.step for k in kept],
        "gamed": [k.gamed for k in kept],
        "recall_kept": recall.new / recall.old,
        "recall_kept_interval": [1 + end / recall.old for end in (recall.low, recall.high)],
        "beauty": asdict(differences["beauty"]),
    }


def main() -> None:
    """Prints a line per method."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alignment.guarded", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--photos", type=Path, required=True, help="images/, captions.csv, laion_b32.csv")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--halves", type=int, nargs="+", default=[0, 1], choices=[0, 1], help="that are judged")
    parser.add_argument("--cache", type=Path, default=Path("runs/embedded-features"), help="features are kept here")
    parser.add_argument("--out", type=Path, help="galleries and RUNs are kept here, and used again; none: nowhere")
    parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found = {name: _summary(kept) for name, kept in measure(given, given.out or Path(scratch)).items()}
    if given.json:
        print(json.dumps(found))
        return
    print(f"{'run':<34}{'kept step':<30}{'recall kept on unseen':<26}beauty gained on unseen")
    for name, line in found.items():
        low, high = line["recall_kept_interval"]
        beauty = line["beauty"]
        recall = f"{line['recall_kept']:.3f} [{low:.3f}, {high:.3f}]"
        gain = f"{beauty['difference']:+.3f} [{beauty['low']:+.3f}, {beauty['high']:+.3f}]"
        print(f"{name:<34}{', '.join(map(str, line['steps'])):<30}{recall:<26}{gain}")
        print(f"{'':<34}gamed from step: {', '.join(str(g) if g else 'never' for g in line['gamed'])}")


if __name__ == "__main__":
    main()
