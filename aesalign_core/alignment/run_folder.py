"""A RUN folder while it is being made: one writer, begun or gone on with, finished once."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from aesalign_core import __version__
from aesalign_core import recipe as recipes
from aesalign_core.alignment import checkpoints, runs
from aesalign_core.alignment.runs import RunRecord
from aesalign_core.errors import AlignmentError
from aesalign_core.files import write_text
from aesalign_core.fingerprints import of_file
from aesalign_core.recipe import Recipe

if TYPE_CHECKING:
    from torch import Tensor

_LOCK = ".lock"
_LIBRARIES = ("torch", "numpy", "safetensors")


def versions() -> dict[str, str]:
    """Of this program and the libraries that a run's numbers depend on."""
    return {"aesalign": __version__, **{name: version(name) for name in _LIBRARIES}}


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Makes the folder if need be and holds it against other processes.

    Raises:
        AlignmentError: Another process trains there, or it is no folder that a run could be in.
    """
    from filelock import FileLock, Timeout

    if folder.exists() and not folder.is_dir():
        raise AlignmentError(f"{folder} is a file", hint="name a folder for the run")
    if folder.is_dir() and not (folder / runs.RECORD).exists() and any(_foreign(folder)):
        raise AlignmentError(f"the folder {folder} holds other files", hint="name a new folder for the run")
    with checkpoints.storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / _LOCK, timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise AlignmentError(f"another process is training in {folder}", hint="wait for it") from None
    try:
        yield
    finally:
        lock.release()


def _foreign(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if not path.name.startswith("."))


def begin(folder: Path, record: RunRecord, recipe: Recipe, *, resume: bool) -> RunRecord:
    """Starts a run, or checks that the one in the folder is the very same.

    Returns:
        The record of the run in the folder.

    Raises:
        AlignmentError: Another run is in the folder, or any is and `resume` is False.
    """
    if not (folder / runs.RECORD).exists():
        _write(folder, record)
        write_text(folder / runs.RECIPE, recipes.dumps(recipe))
        return record
    old = runs.read_record(folder)
    if not resume:
        raise AlignmentError(f"there is a run in {folder} already", hint="name another folder, or resume it")
    differences = list(_differences(old.made_from, record.made_from))
    if differences and not (old.finished or any((folder / runs.CHECKPOINTS).glob("step-*"))):
        # Another run was begun here and took no step that is kept: nothing is lost.
        for log in (runs.METRICS, runs.WATCH):
            (folder / log).unlink(missing_ok=True)
        _write(folder, record)
        write_text(folder / runs.RECIPE, recipes.dumps(recipe))
        return record
    if differences:
        raise AlignmentError(
            f"the run in {folder} is another one: " + ", ".join(differences),
            hint="name another folder, or give what it was started with to resume it",
        )
    if not (folder / runs.RECIPE).exists():
        write_text(folder / runs.RECIPE, recipes.dumps(recipe))
    return old


def check_same(record: RunRecord, own: RunRecord) -> None:
    """Checks that a process would train the very run that the main process trains.

    Raises:
        AlignmentError: They were given, or have installed, something else.
    """
    differences = list(_differences(record.made_from | record.versions, own.made_from | own.versions))
    if differences:
        raise AlignmentError(
            "not all processes have the same run: " + ", ".join(differences),
            hint="give all the same command, files and library versions",
        )


def _differences(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield f"{name} is {new.get(name, 'not set')}, was {old.get(name, 'not set')}"


def finish(folder: Path, record: RunRecord, heads: dict[str, Tensor], kept: int) -> RunRecord:
    """Writes the aligned weights, of the step that is kept, then says that they are there."""
    from safetensors.torch import save

    from aesalign_core.files import replacing

    # One entry: safetensors writes several in any order, and equal runs are to give equal files.
    about = {"format": record.format, "base": record.base.model_dump()}
    with replacing(folder / runs.WEIGHTS) as temporary:
        temporary.write_bytes(save(heads, metadata={"aesalign": json.dumps(about, sort_keys=True)}))
    done = record.model_copy(update={"finished": True, "weights": of_file(folder / runs.WEIGHTS), "kept": kept})
    _write(folder, done)
    return done


def _write(folder: Path, record: RunRecord) -> None:
    write_text(folder / runs.RECORD, record.model_dump_json(indent=2) + "\n")
