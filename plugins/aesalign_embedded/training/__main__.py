"""`python -m aesalign_embedded.training projections|reward --photos ../shared/photos`."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch

from aesalign_core.errors import AesalignError
from aesalign_embedded.training import projections
from aesalign_embedded.training.contrastive import Recipe
from aesalign_embedded.training.features import FeatureStore
from aesalign_embedded.training.split import read
from aesalign_embedded.weights import DATA


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m aesalign_embedded.training", description=__doc__)
    parser.add_argument("what", choices=["projections", "reward"])
    parser.add_argument("--photos", type=Path, required=True, help="images/, captions.csv, laion_b32.csv")
    parser.add_argument("--cache", type=Path, default=Path("runs/embedded-features"), help="features are kept here")
    parser.add_argument("--out", type=Path, default=DATA, help="where the weights go")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--validate",
        action="append",
        metavar="KEY=VALUE,…",
        help="projections: measure this change of the recipe on validation photographs and store nothing; "
        "repeatable, empty for no change",
    )
    parser.add_argument("--seeds", type=int, default=2, help="how many runs each --validate averages")
    return parser.parse_args()


def _changed(changes: str) -> Recipe:
    """A recipe with `key=value` changes, comma-separated; views are joined by `+`."""
    kinds: dict[str, type[Any]] = {f.name: type(getattr(Recipe(), f.name)) for f in fields(Recipe)}
    values: dict[str, Any] = {}
    for key, value in (change.split("=") for change in changes.split(",") if change):
        if key not in kinds:
            raise AesalignError(f"the recipe has no {key!r}", hint="known: " + ", ".join(kinds))
        values[key] = tuple(value.split("+")) if kinds[key] is tuple else kinds[key](value)
    return replace(Recipe(), **values)


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def _projections(features: FeatureStore, arguments: argparse.Namespace) -> None:
    for changes in arguments.validate or ():
        started = time.monotonic()
        found = projections.validate(features, _changed(changes), seeds=arguments.seeds)
        means = "  ".join(f"R@{k} {sum(v) / len(v):.3f} ±{(max(v) - min(v)) / 2:.3f}" for k, v in found.items())
        _say(f"{changes or '(recipe)':60} {means}  {(time.monotonic() - started) / arguments.seeds:.0f} s")
    if arguments.validate is None:
        started = time.monotonic()
        for k, estimate in projections.train(features, Recipe(), out=arguments.out).items():
            _say(f"text → image R@{k:<3} {estimate}")
        _say(f"trained and measured in {time.monotonic() - started:.0f} s")


def main() -> int:
    """Runs what the arguments ask for; 1 after an expected failure."""
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    try:
        features = FeatureStore(read(arguments.photos), arguments.cache)
        if arguments.what == "projections":
            _projections(features, arguments)
        else:
            from aesalign_embedded.training import reward

            for line in reward.train(features, out=arguments.out):
                _say(line)
    except AesalignError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
