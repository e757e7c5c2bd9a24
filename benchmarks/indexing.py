"""How fast and how small indexing is, measured against the least and the simplest it could be.

Run as `python -m benchmarks.indexing --photos ../shared/photos/images`. One run prints

- index throughput over the bare forward pass of the same model and batch on pixels that are in memory already
  (goal: 0.8 or more, as reading, decoding, hashing and storing hide behind the model);
- over a loop that decodes with Pillow and encodes one photo at a time (goal: 2 or more): for the embedded encoder the
  loop that a person writes with timm (`by_hand`), whose embeddings are checked to be the same, for others the
  encoder's own; and, without a goal, over our encoder in such a loop, which shares its faster forward pass;
- the same for copies as large as the web's and a camera's pictures, where decoding weighs more;
- peak memory of fresh processes that index 500 and 5,000 photographs (the goal: flat).

The ways are timed by turns, several times, and the spread is printed with the medians.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from aesalign_core.build import Builder
from aesalign_core.images.decoding import decode, find_photos
from aesalign_core.indexing.index import index
from aesalign_core.recipe import Recipe, Use
from aesalign_core.types import Vectors
from aesalign_embedded.encoder import EmbeddedEncoder
from benchmarks.by_hand import by_hand
from benchmarks.measuring import by_turns, own_peak, peak_of

GOALS = {"bare": 0.8, "loop": 2.0, "our_loop": None}
MEMORY_GOAL = 1.15
"""Peak memory for ten times the photographs, at most."""


def _builder(encoder: str, rewards: Sequence[str]) -> Builder:
    return Builder(Recipe(encoder=Use(use=encoder), rewards=tuple(Use(use=r) for r in rewards)))


def speeds(paths: Sequence[Path], builder: Builder, *, batch: int, rounds: int) -> dict[str, list[float]]:
    """Photos a second of each way, once per round."""
    encoder = builder.encoder()
    pixels = [encoder.preprocess(decode(path)) for path in paths]
    few = paths[: max(batch, len(paths) // 4)]
    builder.rewards()

    def bare() -> int:
        for start in range(0, len(pixels), batch):
            encoder.encode_pixels(pixels[start : start + batch])
        return len(pixels)

    def our_loop() -> int:
        for path in few:
            with Image.open(path) as image:
                encoder.encode_pixels([encoder.preprocess(image.convert("RGB"))])
        return len(few)

    def indexed() -> int:
        with tempfile.TemporaryDirectory() as folder:
            return index(paths, Path(folder, "gallery"), builder, batch_size=batch).added

    ways = {"bare": bare, "index": indexed, "loop": our_loop}
    if isinstance(encoder, EmbeddedEncoder):
        plain = by_hand(encoder)
        _same(plain(few), encoder.encode_pixels([encoder.preprocess(Image.open(path)) for path in few]))
        ways |= {"loop": lambda: len(plain(few)), "our_loop": our_loop}
    done = dict.fromkeys(ways, 0)

    def counted(name: str) -> None:
        done[name] = ways[name]()

    seconds = by_turns({name: functools.partial(counted, name) for name in ways}, rounds)
    return {name: [done[name] / each for each in found] for name, found in seconds.items()}


def _same(theirs: Vectors, ours: Vectors) -> None:
    """A loop is a baseline only if it does the same work."""
    least = float(np.sum(theirs * ours, 1).min())
    if least < 0.999:
        raise SystemExit(f"the loop by hand gives other embeddings (cosine {least:.4f}): it is no baseline")


def ratios(found: dict[str, list[float]]) -> dict[str, dict[str, float | None]]:
    """Of index over each other way: of each round, and of them the median, the least and the most."""
    rounds = {
        base: [mine / other for mine, other in zip(found["index"], speeds, strict=True)]
        for base, speeds in found.items()
        if base != "index"
    }
    return {
        name: {"median": statistics.median(values), "least": min(values), "most": max(values), "goal": GOALS[name]}
        for name, values in rounds.items()
    }


def enlarged(paths: Sequence[Path], side: int, folder: Path) -> list[Path]:
    """Copies with a longer side of so many pixels, as 4:3 JPEGs."""
    made = []
    for path in paths:
        with Image.open(path) as image:
            large = image.convert("RGB").resize((side, side * 3 // 4), Image.Resampling.BICUBIC)
        made.append(folder / path.name)
        large.save(made[-1], "JPEG", quality=90)
    return made


def peak_memory(source: Path, encoder: str, rewards: Sequence[str], batch: int) -> float:
    """Peak resident memory, in MB, of a fresh process that indexes a folder."""
    own = [sys.executable, "-m", "benchmarks.indexing", "--measure", "--photos", str(source), "--encoder", encoder]
    named = [part for reward in rewards for part in ("--reward", reward)]
    return peak_of([*own, *named, "--batch-size", str(batch)])


def _measure(source: Path, builder: Builder, batch: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        index(source, Path(folder, "gallery"), builder, batch_size=batch)
    print(own_peak())


def _copies(paths: Sequence[Path], count: int, folder: Path) -> Path:
    """A folder of `count` photographs; where there are too few, of some twice, told apart by trailing bytes."""
    folder.mkdir()
    for number in range(count):
        again = number // len(paths)
        path = paths[number % len(paths)]
        (folder / f"{number:06d}{path.suffix}").write_bytes(path.read_bytes() + b"\0" * again)
    return folder


def memory(
    paths: Sequence[Path], counts: Sequence[int], encoder: str, rewards: Sequence[str], batch: int
) -> dict[str, Any]:
    """Peak memory by number of photographs, and the most over the least."""
    peaks: dict[str, float] = {}
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            photos = _copies(paths, count, Path(folder, "photos"))
            peaks[str(count)] = peak_memory(photos, encoder, rewards, batch)
    return {"peak_mb": peaks, "ratio": max(peaks.values()) / min(peaks.values()), "goal": MEMORY_GOAL}


def _show(report: dict[str, Any]) -> None:
    print(
        f"{report['encoder']} on {report['device']}, {report['cores']} cores,"
        f" batches of {report['batch_size']}, {report['rounds']} rounds"
    )
    for kind, timed in report["speeds"].items():
        print(f" {timed['photos']} photographs, {kind}")
        for name, values in timed["photos_per_second"].items():
            spread = f"{min(values):.1f} to {max(values):.1f}"
            print(f"  {name.replace('_', ' '):<8} {statistics.median(values):8.1f} photos/s   ({spread})")
        for name, value in timed["ratios"].items():
            goal = f"; goal {value['goal']}" if value["goal"] else ""
            told = f"{value['least']:.2f} to {value['most']:.2f}{goal}"
            print(f"  index over {name.replace('_', ' '):<8} {value['median']:.2f}   ({told})")
    if "memory" in report:
        peaks = ", ".join(f"{int(n):,} photographs {mb:,.0f} MB" for n, mb in report["memory"]["peak_mb"].items())
        print(
            f"  peak memory: {peaks}; ratio {report['memory']['ratio']:.2f}, goal {report['memory']['goal']} or less"
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="a folder or list of photographs")
    parser.add_argument("--encoder", default="embedded")
    parser.add_argument("--reward", action="append", default=[], help="scored in the same pass; may be repeated")
    parser.add_argument("--count", type=int, default=512, help="photographs per timing")
    parser.add_argument(
        "--side", type=int, nargs="*", default=[1024, 3000], help="of the enlarged copies, in pixels; none: none"
    )
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--memory", type=int, nargs="*", default=[500, 5000], help="numbers of photographs; none: skip"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _timings(paths: Sequence[Path], builder: Builder, given: argparse.Namespace) -> dict[str, Any]:
    found = speeds(paths, builder, batch=given.batch_size, rounds=given.rounds)
    return {"photos": len(paths), "photos_per_second": found, "ratios": ratios(found)}


def main() -> None:
    """Runs the benchmark and prints its report."""
    given = _arguments()
    builder = _builder(given.encoder, given.reward)
    if given.measure:
        _measure(given.photos, builder, given.batch_size)
        return
    paths = find_photos(given.photos)
    report: dict[str, Any] = {
        "encoder": given.encoder,
        "rewards": given.reward,
        "device": builder.encoder().device,
        "cores": len(os.sched_getaffinity(0)),
        "batch_size": given.batch_size,
        "rounds": given.rounds,
        "speeds": {"as they are": _timings(paths[: given.count], builder, given)},
    }
    for side in given.side:
        with tempfile.TemporaryDirectory() as folder:
            large = enlarged(paths[: max(given.batch_size, given.count // 4)], side, Path(folder))
            report["speeds"][f"enlarged to {side} pixels"] = _timings(large, builder, given)
    if given.memory:
        report["memory"] = memory(paths, given.memory, given.encoder, given.reward, given.batch_size)
    if given.json:
        print(json.dumps(report))
    else:
        _show(report)


if __name__ == "__main__":
    main()
