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
from aesalign_core.encoder_names import run_name, run_of
from aesalign_core.errors import ModelError, SettingsError, SpaceMismatchError
from aesalign_core.fingerprints import of_file
from aesalign_core.messages import describe
from aesalign_core.recipe import Recipe
from aesalign_core.settings import Settings
from aesalign_core.types import Tower

if TYPE_CHECKING:
    import torch

    from aesalign_core.protocols import TrainableEncoder

    _Head = dict[str, torch.Tensor]

RECORD, RECIPE, WEIGHTS = "run.json", "recipe.toml", "aligned.safetensors"
METRICS, WATCH, PLOT = "metrics.jsonl", "watch.jsonl", "loss.png"
CHECKPOINTS, FEATURES = "checkpoints", "features"
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
        kept: The step that the weights are of; 0: the base's own, as no step was better.
    """

    format: Literal["aesalign run 1"] = "aesalign run 1"
    encoder: str
    base: BaseSpaces
    tuned: tuple[Tower, ...] = Field(min_length=1, max_length=2)
    made_from: dict[str, str]
    versions: dict[str, str]
    finished: bool = False
    weights: str | None = None
    kept: int | None = Field(None, ge=0)


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
    while below := run_of(base.recipe.encoder.use):
        if below[0].resolve() in seen:
            raise ModelError(f"{folder} cannot be used as a RUN: it was aligned from itself", hint="align again")
        seen.add(below[0].resolve())
        base = _read(below[0])
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


def aligned(run: Run, encoder: TrainableEncoder, *, strength: float = 1.0) -> TrainableEncoder:
    """The encoder that a run made, or one on the way to it.

    Args:
        run: As read.
        encoder: The one that was aligned, built from the run's recipe.
        strength: Weights are `(1 − strength) · base + strength · aligned`: 0 is the encoder before alignment, more
            than 1 goes on in the same direction (after WiSE-FT, Wortsman et al., arXiv 2109.01903).

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
    heads = {tower: _on_the_way(encoder, tower, head, strength) for tower, head in _heads(run, encoder).items()}
    name = run_name(run.folder, strength)
    return encoder.with_heads(name=name, text=heads.get("text"), image=heads.get("image"))


def _difference(now: Mapping[str, object], then: Mapping[str, object]) -> str:
    return ", ".join(f"{name}: {now[name]}, was {then[name]}" for name in now if now[name] != then[name])


def _on_the_way(encoder: TrainableEncoder, tower: Tower, head: _Head, strength: float) -> _Head:
    """At 0 and at 1 the very weights, bit by bit, so that fingerprints tell them as what they are."""
    base = _own_head(encoder, tower)
    return {name: (1 - strength) * base[name] + strength * value for name, value in head.items()}


def _own_head(encoder: TrainableEncoder, tower: Tower) -> Mapping[str, torch.Tensor]:
    return (encoder.text_head() if tower == "text" else encoder.image_head()).state_dict()


def _heads(run: Run, encoder: TrainableEncoder) -> dict[Tower, _Head]:
    path = run.folder / WEIGHTS
    try:
        if of_file(path) != run.record.weights:
            raise ValueError(f"not the weights that {RECORD} names")
        return {tower: _read_head(path, tower, encoder) for tower in run.record.tuned}
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path} cannot be used: {describe(error)[:200]}", hint="copy the run again, or align again"
        ) from None


def _read_head(path: Path, tower: Tower, encoder: TrainableEncoder) -> _Head:
    """One head's weights, after their names, shapes and numbers have been checked against the encoder's own."""
    from safetensors import SafetensorError, safe_open

    expected = _own_head(encoder, tower)
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
