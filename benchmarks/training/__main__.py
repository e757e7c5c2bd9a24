"""`make bench-training`: our training step against the plain way, on real photographs, in one run.

- pairs a second against embedding, for each pair, its query and both photos with policy and reference (goal: 20),
  and, without a goal, against embedding each photo of a grid once with both; losses and gradients must be equal;
- steps a second of text-only tuning against both towers;
- steps a second with the frozen part of the image tower computed once, against computing it in every step;
- the share of a step outside the heads and the optimiser (goal: at most 5 %), for the embedded encoder's
  small heads and for the last block of an open_clip ViT-B/32 with random weights;
- peak memory of fresh processes that align the same grids and captions on a gallery, and on one with 20 times as many
  photographs (goal: flat).

The ways are timed by turns, several times, and the spread is printed with the medians.
"""

from __future__ import annotations

import argparse
import copy
import functools
import json
import math
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from aesalign_core import Gallery, align
from aesalign_core.alignment.batches import Batches, Indices
from aesalign_core.alignment.data import TrainingData
from aesalign_core.alignment.settings import AlignSettings
from aesalign_core.alignment.trainer import Trainer
from aesalign_core.images.decoding import decode
from benchmarks.measuring import by_turns, own_peak, peak_of, ratio
from benchmarks.training.by_pairs import ByPairs
from benchmarks.training.world import World, builder, encoder_of, enlarge, make, random_vit

GRIDS, FEW = 64, 4
"""Grids per step; per step that decodes nothing but runs the whole image tower."""
VIT_PHOTOS = 100
"""Photographs of the open_clip model, whose towers are slow on a CPU."""
GOALS = {"pairs": 20.0, "outside": 0.05, "memory": 1.1}
TIMES = 20
"""How much larger the larger gallery is."""


def _trainer(data: TrainingData, grids: int = GRIDS, **settings: Any) -> Trainer:
    given = AlignSettings(batch_size=grids, steps=1_000_000, schedule="constant", warmup=0.0, **settings)
    return Trainer(data, builder(given).objective(), given)


def against_pairs(data: TrainingData, rounds: int) -> dict[str, Any]:
    """Our step against the plain one, both with the same optimiser's step; losses and gradients side by side."""
    reference = {name: copy.deepcopy(head) for name, head in data.heads().items()}
    ours = _trainer(data, tune="both", pretraining_weight=0.0)
    for _ in range(5):
        ours.advance()  # away from the reference, where every loss is log 2
    policy = {name: copy.deepcopy(head) for name, head in ours.heads.items()}
    plain = ByPairs(data, policy, reference)
    batches = Batches(len(data.grid_photos), GRIDS, seed=0, stream=0)
    loss, pairs = plain.step(batches.at(ours.steps_done))
    theirs = nn.utils.clip_grad_norm_([w for head in policy.values() for w in head.parameters()], 1.0)
    mine = ours.advance()
    _equal(mine["preference_loss"], loss, "loss")
    _equal(mine["grad_norm"], float(theirs), "length of the gradient")
    optimizer = torch.optim.AdamW([w for head in policy.values() for w in head.parameters()], lr=1e-4)

    def by_hand(step: Callable[[Indices], object]) -> None:
        optimizer.zero_grad()
        step(batches.at(0))
        nn.utils.clip_grad_norm_([w for head in policy.values() for w in head.parameters()], 1.0)
        optimizer.step()

    ways: dict[str, Callable[[], object]] = {
        "ours": ours.advance,
        "plain": functools.partial(by_hand, plain.step),
        "by grid": functools.partial(by_hand, plain.step_by_grid),
    }
    found = by_turns(ways, rounds)
    return {
        "pairs": pairs,
        "loss": {"ours": mine["preference_loss"], "plain": loss},
        "gradient": {"ours": mine["grad_norm"], "plain": float(theirs)},
        "pairs_per_second": {name: pairs / statistics.median(values) for name, values in found.items()},
        "ratio": ratio(found["plain"], found["ours"]),
        "ratio_by_grid": ratio(found["by grid"], found["ours"]),
        "goal": GOALS["pairs"],
    }


def _equal(ours: float, theirs: float, what: str) -> None:
    """Two ways are compared only if they do the same."""
    if not math.isclose(ours, theirs, rel_tol=1e-4, abs_tol=1e-5):
        raise SystemExit(f"the {what} is {ours:.6f}, the plain way's {theirs:.6f}: it is no baseline")


class Nothing(nn.Module):
    """A head of one weight: what a step costs with it, it costs without its model.

    Args:
        dim: The width of an embedding.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim, self.scale = dim, nn.Parameter(torch.ones(1))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """The first numbers of the features, or zeros after them, as if they were an embedding."""
        flat = features.flatten(1)
        return nn.functional.pad(flat, (0, self.dim - flat.shape[1])) * self.scale


def outside(data: TrainingData, rounds: int, grids: int = GRIDS, **settings: Any) -> dict[str, float]:
    """The share of a step outside the model: the same step with heads that do nothing, over the step."""
    bare = copy.copy(data)
    bare.text, bare.image = copy.copy(data.text), copy.copy(data.image)
    bare.replace_heads({name: Nothing(data.text.reference.shape[1]) for name in data.heads()})
    trainers = {"step": _trainer(data, grids, **settings), "outside": _trainer(bare, grids, **settings)}
    found = by_turns({name: trainer.advance for name, trainer in trainers.items()}, rounds)
    return {**ratio(found["outside"], found["step"]), "goal": GOALS["outside"]}


def outside_of_a_block(photos: Path, folder: Path, rounds: int) -> dict[str, float]:
    """The same for heads as large as people have them: the last block of both towers of a ViT-B/32."""
    folder.mkdir()
    world = make(photos, VIT_PHOTOS, folder, random_vit(folder, blocks=1))
    data = world.data(AlignSettings(tune="both"), folder / "features")
    return outside(data, rounds, FEW, tune="both", pretraining_batch=16)


def against_whole_tower(data: TrainingData, world: World, rounds: int) -> dict[str, float]:
    """A step on kept features against one that runs the frozen part for its photos first (pixels in memory)."""
    build = builder()
    encoder = encoder_of(build)
    trainer = _trainer(data, FEW, tune="both", pretraining_weight=0.0)
    photos = len(trainer.step_at(0).image.rows)
    paths = Gallery.open(world.gallery, build).paths()[:photos]
    pixels = [encoder.preprocess(decode(Path(path))) for path in paths]

    def whole() -> None:
        encoder.pixel_features(pixels)
        trainer.advance()

    found = by_turns({"kept": trainer.advance, "whole": whole}, rounds)
    return ratio(found["whole"], found["kept"])


def memory(world: World, folder: Path) -> dict[str, Any]:
    """Peak memory of an alignment by number of photographs in the gallery."""
    peaks: dict[str, float] = {}
    small = len(Gallery.open(world.gallery, builder()))
    large = folder / "large"
    shutil.copytree(world.gallery, large)
    enlarge(large, (TIMES - 1) * small)
    for gallery in (world.gallery, large):
        count = len(Gallery.open(gallery, builder()))
        own = [sys.executable, "-m", "benchmarks.training", "--measure", str(gallery), str(world.pairs)]
        peaks[str(count)] = peak_of([*own, str(world.captions), "--photos", "-"])
    return {"peak_mb": peaks, "ratio": max(peaks.values()) / min(peaks.values()), "goal": GOALS["memory"]}


def _measure(gallery: Path, pairs: Path, captions: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        align(pairs, gallery, Path(folder, "run"), builder(AlignSettings(steps=20)), captions=captions)
    print(own_peak())


def measure(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Everything."""
    world = make(given.photos, given.count, folder)

    def data(tune: Literal["text", "both"]) -> TrainingData:
        return world.data(AlignSettings(tune=tune), folder / f"features-{tune}")

    steps = by_turns(
        {"both": _trainer(data("both"), tune="both").advance, "text": _trainer(data("text"), tune="text").advance},
        given.rounds,
    )
    return {
        "cores": len(os.sched_getaffinity(0)),
        "rounds": given.rounds,
        "photographs": given.count,
        "against_pairs": against_pairs(data("both"), given.rounds),
        "text_against_both": ratio(steps["both"], steps["text"]),
        "kept_against_whole": against_whole_tower(data("both"), world, max(3, given.rounds // 3)),
        "outside": {
            "both towers": outside(data("both"), given.rounds, tune="both"),
            "text tower": outside(data("text"), given.rounds, tune="text"),
            "ViT-B/32, last blocks": outside_of_a_block(given.photos, folder / "vit", max(3, given.rounds // 3)),
        },
        "memory": memory(world, folder),
    }


def _show(report: dict[str, Any]) -> None:
    def told(value: dict[str, float], percent: bool = False) -> str:
        form = "{:.1%}" if percent else "{:.2f}"
        middle, low, high = (form.format(value[name]) for name in ("median", "least", "most"))
        return f"{middle} ({low} to {high})"

    pairs = report["against_pairs"]
    speeds = pairs["pairs_per_second"]
    print(f"{report['cores']} cores, {report['photographs']} photographs, {report['rounds']} rounds")
    print(f"  {pairs['pairs']:,} pairs a step: {speeds['ours']:,.0f} pairs/s, plain way {speeds['plain']:,.0f}")
    print(f"  times as many pairs a second   {told(pairs['ratio'])}; goal {pairs['goal']:g}")
    print(f"  over each photo of a grid once {told(pairs['ratio_by_grid'])}")
    print(f"  loss {pairs['loss']['ours']:.6f} and {pairs['loss']['plain']:.6f}, gradient's length"
          f" {pairs['gradient']['ours']:.6f} and {pairs['gradient']['plain']:.6f}")  # fmt: skip
    print(f"  text-only steps over both towers' {told(report['text_against_both'])}")
    print(f"  kept features over whole tower    {told(report['kept_against_whole'])}")
    for name, value in report["outside"].items():
        print(f"  outside the model, {name:<22} {told(value, percent=True)}; goal {value['goal']:.0%}")
    peaks = ", ".join(f"{int(n):,} photographs {mb:,.0f} MB" for n, mb in report["memory"]["peak_mb"].items())
    print(f"  peak memory: {peaks}; ratio {report['memory']['ratio']:.2f}, goal {report['memory']['goal']}")


def main() -> None:
    """Runs the benchmark and prints its report."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--photos", type=Path, required=True, help="images/, captions.csv")
    parser.add_argument("--count", type=int, default=1_000, help="photographs")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    parser.add_argument("--measure", type=Path, nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        _measure(*given.measure)
        return
    with tempfile.TemporaryDirectory() as folder:
        report = measure(given, Path(folder))
    if given.json:
        print(json.dumps(report))
    else:
        _show(report)


if __name__ == "__main__":
    main()
