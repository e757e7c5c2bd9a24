"""Workers of a Ray cluster read, embed and score; their batches come back to the process that writes the gallery.

Actors in Ray's `ActorPool`, not Ray Data: a batch of files is one call and one small answer, so there are no blocks
to plan or to shuffle, and batches come in order and are written one by one as they are made. Ray itself restarts a
worker that dies and makes its calls again; as workers keep nothing and write nothing, a call made twice is harmless,
and its answer is taken once.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterator, Sequence, Set
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import ray
from pydantic_core import PydanticSerializationError
from ray.exceptions import RayError
from ray.util import ActorPool

from aesalign_core import __version__
from aesalign_core.errors import EngineError
from aesalign_core.indexing.columns import Columns
from aesalign_core.indexing.engines import ray_cluster
from aesalign_core.indexing.engines.batch import Batch
from aesalign_core.indexing.engines.ray_errors import TRIES, told
from aesalign_core.indexing.engines.ray_worker import Answer, Known, Order, Worker
from aesalign_core.messages import describe, note
from aesalign_core.plugins import DISABLE, ONLY, registry
from aesalign_core.protocols import Reward

if TYPE_CHECKING:
    from aesalign_core.build import Builder

_AT_ONCE = 2
"""Batches that a worker has in hand: one is decoded while the model has the other."""
_AHEAD = 3
"""Batches that a worker is given before the first of them is written; with the workers, what bounds memory."""
_PATIENCE = 60.0
"""Seconds without any answer after which people are told."""


class RayEngine:
    """See `Engine`. Its cluster is joined or started on entering, its workers by the first file that is to be read.

    Args:
        builder: Its recipe is what workers build.
        batch_size: Files per call, and photos per forward pass at most.
        workers: How many; None: as many as fit.
        address: Of the cluster; see `ray_cluster.joined`.

    Raises:
        EngineError: Workers could not build what this builder builds; on entering: there is no cluster.
    """

    name = "ray"

    def __init__(self, builder: Builder, *, batch_size: int, workers: int | None, address: str | None) -> None:
        _check_registry(builder)
        self._builder, self._batch_size = builder, batch_size
        self._wanted, self._address = workers, address
        self._cluster = ""
        self._workers: list[Any] = []
        self._restarted: set[str] = set()
        self._open = ExitStack()

    def __enter__(self) -> RayEngine:
        self._cluster = self._open.enter_context(ray_cluster.joined(self._address, self._wanted))
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def read(
        self, paths: Sequence[Path], rewards: Sequence[Reward], *, known: Set[str] = frozenset(), embed: bool = True
    ) -> Iterator[Batch]:
        """Batches of `batch_size` files, the last one of fewer.

        Raises:
            EngineError: Workers fail again and again.
        """
        if not paths:
            return
        if not self._workers:
            self._start()
        names, skip = [r.name for r in rewards], ray.put(_sorted(known))
        pool = ActorPool(self._workers * _AHEAD)
        waiting: deque[list[str]] = deque()

        def send(worker: Any, files: list[str]) -> Any:
            return worker.read.remote(files, names, embed, skip)

        for start in range(0, len(paths), self._batch_size):
            if not pool.has_free():
                yield self._next(pool, waiting.popleft())
            waiting.append([str(path) for path in paths[start : start + self._batch_size]])
            pool.submit(send, waiting[-1])
        while waiting:
            yield self._next(pool, waiting.popleft())

    def _next(self, pool: ActorPool, files: Sequence[str]) -> Batch:
        """The oldest batch that was asked for."""

        def take() -> Answer:
            while True:
                try:
                    answer: Answer = pool.get_next(timeout=_PATIENCE)
                    return answer
                except RayError:  # a component's own TimeoutError comes as one that is both
                    raise
                except TimeoutError:
                    note(f"ray: no batch for {_PATIENCE:.0f} seconds; still waiting (has the cluster lost nodes?)")

        answer = told(take, f"files {files[0]} to {files[-1]}")
        for warning in answer.warnings:
            self._builder.warn(warning)
        if answer.restarted and answer.worker not in self._restarted:
            self._restarted.add(answer.worker)
            note(f"ray: a worker died; {answer.worker} stands in for it, and what it had in hand was read again")
        return answer.batch

    def _start(self) -> None:
        """Starts workers and waits for them."""
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        plan = ray_cluster.plan(nodes, self._wanted, self._builder.recipe.device)
        note(f"ray: {plan}, on {self._cluster}")
        actor = ray.remote(Worker).options(
            num_cpus=plan.cores,
            num_gpus=plan.gpus,
            max_concurrency=_AT_ONCE,
            max_restarts=-1,
            max_task_retries=TRIES,
        )
        order = _order(self._builder, plan)
        self._workers = [actor.remote(order) for _ in range(plan.workers)]
        self._open.callback(_kill, self._workers)
        told(lambda: _wait([worker.check.remote() for worker in self._workers]), "loading the models")


def _order(builder: Builder, plan: ray_cluster.Plan) -> Order:
    try:
        recipe = builder.recipe.model_dump(mode="json")
    except PydanticSerializationError as error:
        raise EngineError(
            f"the recipe cannot be sent to Ray's workers: {describe(error)[:200]}",
            hint="its settings must be texts, numbers, lists and tables, or use the engine local",
        ) from error
    # `auto` would make do with the CPU if a worker could not use its GPU.
    device = {"device": "cuda"} if plan.gpus else {}
    return Order(
        recipe=json.dumps(recipe | device),
        folder=str(Path.cwd()),
        environment={name: os.environ[name] for name in (DISABLE, ONLY) if name in os.environ},
        cores=plan.cores,
        version=__version__,
        space=builder.encoder().spaces.image,
        rewards=Columns(builder.rewards()).fingerprints,
    )


def _check_registry(builder: Builder) -> None:
    """Workers know installed plugins only."""
    if builder.registry is registry():
        return
    installed = {(o.kind, o.component) for o in registry().offers}
    kinds = ("encoder", "reward")
    own = [o for o in builder.registry.offers if o.kind in kinds and (o.kind, o.component) not in installed]
    if own:
        raise EngineError(
            f"Ray's workers cannot build the {own[0].kind} {own[0].component.name!r}: its plugin is known to this"
            " process only",
            hint="install the plugin as a package, here and on every node, or use the engine local",
        )


def _sorted(known: Set[str]) -> Known:
    """Ids as one array, which the workers of a node share. An id that is no sha256 is no content of a file."""
    return np.array(sorted(i for i in known if len(i) == 64 and i.isascii()), dtype="S64")


def _wait(calls: Sequence[Any]) -> None:
    """Until all calls are done; says so if that takes long, as on a cluster that has no room."""
    left = list(calls)
    while left:
        done, left = ray.wait(left, num_returns=len(left), timeout=_PATIENCE)
        ray.get(done)
        if left:
            note(
                f"ray: {len(calls) - len(left)} of {len(calls)} workers have started; waiting for the others"
                " (is the cluster busy? fewer --workers need less room)"
            )


def _kill(workers: Sequence[Any]) -> None:
    """Ends workers, as a cluster that was joined outlives this run."""
    for worker in workers:
        ray.kill(worker, no_restart=True)
