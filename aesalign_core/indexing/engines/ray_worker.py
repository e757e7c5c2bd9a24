"""One worker of a Ray cluster: a recipe's encoder and rewards, on the node's own copy of the photos' file system."""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import ray

from aesalign_core import __version__
from aesalign_core.build import Builder
from aesalign_core.errors import EngineError
from aesalign_core.images.loading import load
from aesalign_core.indexing.columns import Columns
from aesalign_core.indexing.engines.batch import Batch, Gathering
from aesalign_core.indexing.onepass import OnePass
from aesalign_core.protocols import Encoder, Reward
from aesalign_core.recipe import Recipe

Known = npt.NDArray[np.bytes_]


@dataclass(frozen=True)
class Order:
    """What a worker builds and must agree in.

    Attributes:
        recipe: As JSON.
        folder: What relative paths in the recipe are below.
        environment: Variables that decide which plugins are used.
        cores: Of this worker.
        version: Of aesalign.
        space: Fingerprint of the encoder's image space.
        rewards: Fingerprints by name.
    """

    recipe: str
    folder: str
    environment: Mapping[str, str]
    cores: int
    version: str
    space: str
    rewards: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """A batch, and what people should know of how it came about.

    Attributes:
        batch: What was asked for.
        worker: The process.
        restarted: Whether it stands in for one that died.
        warnings: What components had to say when they were built.
    """

    batch: Batch
    worker: str
    restarted: bool
    warnings: Sequence[str]


class Worker:
    """Reads batches of files; two may be asked for at once, so that one is decoded while the model has the other.

    Components are built by the first call and not by `__init__`: Ray counts how often it tries a call again, but
    restarts a process for ever.
    """

    def __init__(self, order: Order) -> None:
        self._order = order
        self._warnings: list[str] = []
        self._lock = threading.Lock()
        self._built: tuple[Encoder, list[Reward]] | None = None
        self._passes: dict[tuple[Any, ...], OnePass] = {}

    def check(self) -> None:
        """Builds the components.

        Raises:
            EngineError: They are not those of the order.
        """
        with self._lock:
            self._components()

    def read(self, paths: Sequence[str], rewards: Sequence[str], embed: bool, known: Known) -> Answer:
        """One batch.

        Args:
            paths: Absolute.
            rewards: By name.
            embed: Whether embeddings are wanted.
            known: Sorted ids of contents that are not even decoded.
        """
        with self._lock:
            one_pass = self._one_pass(tuple(rewards), embed)
        gathering = Gathering(one_pass, ())
        files, cores = (Path(path) for path in paths), self._order.cores
        skip = functools.partial(_holds, known)
        for item in load(files, one_pass.prepare, workers=cores, ahead=len(paths), skip=skip):
            gathering.take(item)
        with self._lock:
            batch = gathering.batch()
        again = bool(ray.get_runtime_context().was_current_actor_reconstructed)
        return Answer(batch, f"{socket.gethostname()}:{os.getpid()}", again, tuple(self._warnings))

    def _one_pass(self, names: tuple[str, ...], embed: bool) -> OnePass:
        if (names, embed) not in self._passes:
            encoder, rewards = self._components()
            wanted = [reward for reward in rewards if reward.name in names]
            self._passes[names, embed] = OnePass(encoder, wanted, embed=embed)
        return self._passes[names, embed]

    def _components(self) -> tuple[Encoder, list[Reward]]:
        if self._built is None:
            self._built = self._build()
        return self._built

    def _build(self) -> tuple[Encoder, list[Reward]]:
        order = self._order
        os.environ.update(order.environment)
        # A folder that this node lacks is told by whatever needs it.
        with contextlib.suppress(OSError):
            os.chdir(order.folder)
        _agree("version of aesalign", __version__, order.version)
        builder = Builder(Recipe.model_validate_json(order.recipe))
        builder.warn = self._warnings.append  # type: ignore[assignment, method-assign]
        encoder, columns = builder.encoder(), Columns(builder.rewards())
        _agree(f"image space of {encoder.name!r}", encoder.spaces.image, order.space)
        for name, fingerprint in order.rewards.items():
            _agree(f"reward {name!r}", columns.fingerprints.get(name, "missing"), fingerprint)
        return encoder, columns.rewards


def _agree(what: str, here: str, there: str) -> None:
    """Rows of one gallery must be of one kind.

    Raises:
        EngineError: They would not be.
    """
    if here != there:
        raise EngineError(
            f"the Ray node {socket.gethostname()!r} has another {what} than the machine that writes the gallery:"
            f" {here} instead of {there}",
            hint="install the same packages and weights on every node; components must come from the recipe alone",
        )


def _holds(known: Known, name: str) -> bool:
    place = int(np.searchsorted(known, np.bytes_(name.encode("ascii"))))
    return place < len(known) and bool(known[place] == name.encode("ascii"))
