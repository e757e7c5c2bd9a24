"""RUN folders: what a training run leaves, and the aligned encoder in it.

A RUN may come from anywhere: everything in it is checked before it is used, and its weights are safetensors.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, ValidationError

from aesalign_core import recipe as recipes
from aesalign_core.errors import ModelError, SettingsError, SpaceMismatchError
from aesalign_core.fingerprints import of_file
from aesalign_core.messages import describe
from aesalign_core.recipe import Recipe
from aesalign_core.settings import Settings
from aesalign_core.types import Tower

if TYPE_CHECKING:
    import torch

    from aesalign_core.protocols import TrainableEncoder

RECORD, RECIPE, WEIGHTS = "run.json", "recipe.toml", "aligned.safetensors"
METRICS, PLOT, CHECKPOINTS, FEATURES = "metrics.jsonl", "loss.png", "checkpoints", "features"
_MAX_RECORD = 1_000_000


class BaseSpaces(Settings):
    """`types.Spaces` of the encoder that was aligned."""

    image: str
    text: str
    image_features: str | None = None
    text_features: str | None = None


class RunRecord(Settings):
    """What `run.json` says.

    Attributes:
        format: Of the folder.
        encoder: The encoder that was aligned, as the user called it.
        base: Its spaces.
        tuned: The towers whose heads are in the weights.
        made_from: Whatever two runs must share to be the same run, by name.
        versions: Of the libraries at the start.
        finished: Whether the weights are there.
        weights: sha256 of the weights, once finished.
    """

    format: Literal["aesalign run 1"] = "aesalign run 1"
    encoder: str
    base: BaseSpaces
    tuned: tuple[Tower, ...] = Field(min_length=1, max_length=2)
    made_from: dict[str, str]
    versions: dict[str, str]
    finished: bool = False
    weights: str | None = None


@dataclass(frozen=True)
class Run:
    """A RUN folder that was read.

    Attributes:
        folder: Where it is.
        recipe: As used; its encoder is the one that was aligned.
        record: What `run.json` says.
    """

    folder: Path
    recipe: Recipe
    record: RunRecord


def read(folder: Path) -> Run:
    """Reads a RUN folder, finished or not.

    Raises:
        ModelError: It is none, or damaged, or the RUNs that it was aligned from lead back to it.
    """
    run = _read(folder)
    base, seen = run, {folder.resolve()}
    while (below := Path(base.recipe.encoder.use)).is_dir():
        if below.resolve() in seen:
            raise ModelError(f"{folder} cannot be used as a RUN: it was aligned from itself", hint="align again")
        seen.add(below.resolve())
        base = _read(below)
    return run


def _read(folder: Path) -> Run:
    record = read_record(folder)
    try:
        path = folder / RECIPE
        if path.stat().st_size > recipes.MAX_BYTES:
            raise ModelError(f"{path} is larger than a recipe can be")
        recipe = recipes.parse(tomllib.loads(path.read_text(encoding="utf-8")), where=str(path))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, SettingsError) as error:
        raise ModelError(f"{folder} cannot be used as a RUN: {RECIPE}: {describe(error)[:200]}") from None
    return Run(folder, recipe, record)


def read_record(folder: Path) -> RunRecord:
    """Reads `run.json` alone.

    Raises:
        ModelError: The folder is no RUN, or damaged.
    """
    path = folder / RECORD
    if not path.is_file():
        raise ModelError(f"{folder} is no RUN folder: it has no {RECORD}", hint="aesalign align --out RUN makes one")
    try:
        if path.stat().st_size > _MAX_RECORD:
            raise ValueError("too large")
        return RunRecord.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        reason = ".".join(map(str, first["loc"])) + " " + first["msg"]
    except (OSError, ValueError) as error:
        reason = describe(error)
    raise ModelError(f"{folder} cannot be used as a RUN: {RECORD}: {reason[:200]}")


def aligned(run: Run, encoder: TrainableEncoder) -> TrainableEncoder:
    """The encoder that a run made.

    Args:
        run: As read.
        encoder: The one that was aligned, built from the run's recipe.

    Raises:
        ModelError: The run is not finished, or its weights are damaged or do not fit.
        SpaceMismatchError: `encoder` is not the one that was aligned.
    """
    if not run.record.finished:
        raise ModelError(
            f"the run {run.folder} is not finished", hint="give the same aesalign align command again; it resumes"
        )
    if asdict(encoder.spaces) != run.record.base.model_dump():
        raise SpaceMismatchError(
            f"the run {run.folder} aligned another {run.record.encoder!r} than {encoder.name!r} is now"
            f" ({_difference(asdict(encoder.spaces), run.record.base.model_dump())})",
            hint="use the model files and versions it was aligned with, or align again",
        )
    heads = _heads(run, encoder)
    return encoder.with_heads(name=str(run.folder), text=heads.get("text"), image=heads.get("image"))


def _difference(now: Mapping[str, object], then: Mapping[str, object]) -> str:
    return ", ".join(f"{name}: {now[name]}, was {then[name]}" for name in now if now[name] != then[name])


def _heads(run: Run, encoder: TrainableEncoder) -> dict[str, dict[str, torch.Tensor]]:
    path = run.folder / WEIGHTS
    try:
        if of_file(path) != run.record.weights:
            raise ValueError(f"not the weights that {RECORD} names")
        return {tower: _read_head(path, tower, encoder) for tower in run.record.tuned}
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path} cannot be used: {describe(error)[:200]}", hint="copy the run again, or align again"
        ) from None


def _read_head(path: Path, tower: Tower, encoder: TrainableEncoder) -> dict[str, torch.Tensor]:
    """One head's weights, after their names, shapes and numbers have been checked against the encoder's own."""
    from safetensors import SafetensorError, safe_open

    expected = (encoder.text_head() if tower == "text" else encoder.image_head()).state_dict()
    head = {}
    try:
        with safe_open(path, framework="pt") as file:
            names = {n.removeprefix(f"{tower}.") for n in file.keys() if n.startswith(f"{tower}.")}  # noqa: SIM118
            if names != set(expected):
                raise ValueError(f"its {tower} head has other weights than {encoder.name}")
            for name, own in expected.items():
                if tuple(file.get_slice(f"{tower}.{name}").get_shape()) != tuple(own.shape):
                    raise ValueError(f"{tower}.{name} has another shape than {encoder.name}'s")
                head[name] = file.get_tensor(f"{tower}.{name}").to(own)
    except SafetensorError as error:
        raise ValueError(str(error)) from None
    if not all(bool(value.isfinite().all()) for value in head.values()):
        raise ValueError(f"its {tower} head holds numbers that are not finite")
    return head
