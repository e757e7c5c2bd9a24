"""Checkpoints: a folder appears whole or not at all, and what is in it is proved before it is used.

Files are written into a temporary folder and fsynced, then a manifest with their sha256, then the folder is renamed.
Killed at any instant, the newest complete checkpoint is there. Tensors are safetensors, everything else is JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from aesalign_core import __version__
from aesalign_core.errors import AlignmentError
from aesalign_core.fingerprints import of_file
from aesalign_core.messages import describe, warn
from aesalign_core.settings import Settings

MANIFEST = "manifest.json"
PARTS = ("heads.safetensors", "optimizer.safetensors")
_PREFIX, _TEMPORARY = "step-", ".tmp-"
_MAX_MANIFEST = 100_000


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run between two steps.

    Attributes:
        step: Steps done.
        heads: Weights of the trained heads, `text.…` and `image.…`.
        optimizer: The optimiser's tensors, by weight.
    """

    step: int
    heads: dict[str, Tensor]
    optimizer: dict[str, Tensor]


class _Manifest(Settings):
    step: int = Field(ge=0)
    files: dict[str, str]
    versions: dict[str, str]


def save(folder: Path, checkpoint: Checkpoint, *, keep: int, best: int | None = None) -> Path:
    """Writes a checkpoint and removes all but the newest few and the one of the best step.

    Raises:
        AlignmentError: It cannot be written; the earlier ones are untouched.
    """
    final = folder / f"{_PREFIX}{checkpoint.step}"
    with storage_errors(final):
        folder.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(folder)
        temporary = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=folder))
        try:
            _fill(temporary, checkpoint)
            temporary.chmod(0o755)
            if final.exists():  # damaged, or the run would have gone on from it
                _discard(final)
            temporary.rename(final)
            _sync_folder(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        for old in _superseded(folder, checkpoint.step, keep):
            if _step(old) != best:
                _discard(old)
    return final


def newest(folder: Path) -> Checkpoint | None:
    """The newest complete checkpoint; a damaged one costs a warning and the one before it is used."""
    for candidate in _by_age(folder):
        try:
            return _load(candidate)
        except (OSError, ValueError, SafetensorError, ValidationError) as error:
            warn(f"{candidate} is damaged and was skipped: {describe(error)[:160]}")
    return None


def at(folder: Path, step: int) -> Checkpoint:
    """The checkpoint of a step.

    Raises:
        AlignmentError: It is not there, or damaged.
    """
    path = folder / f"{_PREFIX}{step}"
    try:
        return _load(path)
    except (OSError, ValueError, SafetensorError, ValidationError) as error:
        raise AlignmentError(
            f"{path}, the best step of the run, cannot be used: {describe(error)[:160]}",
            hint="train into another folder",
        ) from None


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turns a failed write, such as on a full disk, into one clear error."""
    try:
        yield
    except OSError as error:
        raise AlignmentError(
            f"cannot write {path}: {error.strerror or error}",
            hint="make room and run the same command again; it goes on from the last checkpoint",
        ) from error


def write_durably(path: Path, data: bytes) -> None:
    """Writes a file and waits until it is on the disk."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _fill(folder: Path, checkpoint: Checkpoint) -> None:
    for name, tensors in zip(PARTS, (checkpoint.heads, checkpoint.optimizer), strict=True):
        write_durably(folder / name, save_tensors(tensors))
    manifest = _Manifest(
        step=checkpoint.step,
        files={name: of_file(folder / name) for name in PARTS},
        versions={"aesalign": __version__, "torch": torch.__version__},
    )
    write_durably(folder / MANIFEST, manifest.model_dump_json(indent=1).encode())
    _sync_folder(folder)


def _load(folder: Path) -> Checkpoint:
    raw = (folder / MANIFEST).read_bytes()
    if len(raw) > _MAX_MANIFEST:
        raise ValueError("its manifest is too large")
    manifest = _Manifest.model_validate(json.loads(raw))
    if set(manifest.files) != set(PARTS) or folder.name != f"{_PREFIX}{manifest.step}":
        raise ValueError("its manifest belongs to another checkpoint")
    for name, digest in manifest.files.items():
        if of_file(folder / name) != digest:
            raise ValueError(f"{name} is not what the manifest says")
    heads, optimizer = (load_tensors((folder / name).read_bytes()) for name in PARTS)
    return Checkpoint(manifest.step, heads, optimizer)


def _by_age(folder: Path) -> list[Path]:
    """Checkpoints, newest first."""
    found = [p for p in folder.glob(f"{_PREFIX}*") if p.name.removeprefix(_PREFIX).isdecimal()]
    return sorted(found, key=_step, reverse=True)


def _step(folder: Path) -> int:
    return int(folder.name.removeprefix(_PREFIX))


def _superseded(folder: Path, step: int, keep: int) -> list[Path]:
    """What a new checkpoint makes useless: older ones than the newest few, and damaged ones of later steps."""
    up_to = [p for p in _by_age(folder) if _step(p) <= step]
    return [p for p in _by_age(folder) if p not in up_to[:keep]]


def _discard(path: Path) -> None:
    """Removes a checkpoint; renamed first, so that a kill leaves no half of one under its name."""
    gone = path.with_name(f"{_TEMPORARY}{path.name}-{os.getpid()}")
    path.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _remove_leftovers(folder: Path) -> None:
    for path in folder.glob(f"{_TEMPORARY}*"):
        shutil.rmtree(path, ignore_errors=True)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # a folder cannot be opened there, and a rename needs no fsync
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
