"""Which Ray cluster, and how its cores and GPUs are shared among workers."""

from __future__ import annotations

import os
import socket
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import ray

from aesalign_core.errors import EngineError, SettingsError
from aesalign_core.images.loading import default_workers
from aesalign_core.messages import describe

ADDRESS = "RAY_ADDRESS"
_CORES = 4
"""Cores per worker where there is no GPU and nobody says how many workers: every worker holds the models once."""
_ANSWER_SECONDS = 10.0
_QUIET = {"log_to_driver": False, "logging_level": "ERROR"}
"""Workers' prints would come out of our stdout, which is JSON's."""


@dataclass(frozen=True)
class Plan:
    """So many workers, each with so many cores and GPUs."""

    workers: int
    cores: int
    gpus: int

    def __str__(self) -> str:
        each = [f"{self.cores} {'core' if self.cores == 1 else 'cores'}", *(["1 GPU"] if self.gpus else [])]
        return f"{self.workers} {'worker' if self.workers == 1 else 'workers'} of {' and '.join(each)}"


@contextmanager
def joined(address: str | None, workers: int | None) -> Iterator[str]:
    """Joins a cluster, or starts one of this machine for as long as it is needed; gives which.

    A cluster that this process has joined before is used and left as it is.

    Raises:
        EngineError: No cluster answers, or none can be started.
    """
    if ray.is_initialized():
        if address:
            raise EngineError(
                "this process has joined a Ray cluster already", hint="give no address, or call ray.shutdown() first"
            )
        yield f"the cluster at {ray.get_runtime_context().gcs_address}"
        return
    address = address or os.environ.get(ADDRESS)
    if address == "local":  # Ray's word for none
        address = None
    try:
        if address:
            _answers(address)
            ray.init(address=address, **_QUIET)
        else:
            _start(workers)
    except (OSError, OverflowError, RuntimeError, ValueError, AssertionError, ray.exceptions.RayError) as error:
        raise EngineError(_why(address, error), hint=_hint(address)) from error
    try:
        there = f"the cluster at {ray.get_runtime_context().gcs_address}"
        yield there if address else "a cluster that runs on this machine for as long as this takes"
    finally:
        ray.shutdown()


def _answers(address: str) -> None:
    """Ray itself asks an address that does not answer for many minutes.

    Raises:
        EngineError: It is no address of a cluster's head.
        OSError: Nothing answers.
    """
    if "://" in address:
        raise EngineError(
            f"{address!r} is an address for Ray's client", hint="give the HOST:PORT of the cluster's head"
        )
    host, _, port = address.rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_SECONDS).close()


def _start(workers: int | None) -> None:
    """Starts a cluster of this machine, without dashboard and with nothing that calls home."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    cores = max(default_workers(), workers or 1)
    with warnings.catch_warnings():
        # Stores that this process has opened warn of forks; these children become Ray's own programs at once.
        warnings.filterwarnings("ignore", message=".*fork", category=RuntimeWarning)
        ray.init(address="local", num_cpus=cores, include_dashboard=False, **_QUIET)


def _why(address: str | None, error: BaseException) -> str:
    what = f"the Ray cluster at {address!r} cannot be joined" if address else "no Ray cluster can be started"
    return f"{what}: {describe(error)[:300]}"


def _hint(address: str | None) -> str:
    if not address:
        return "--engine local needs none"
    return f"check --ray-address and {ADDRESS}; with neither, a cluster is started on this machine"


def plan(nodes: Sequence[Mapping[str, float]], workers: int | None, device: str) -> Plan:
    """Shares nodes among workers: one GPU each if there are any and the recipe's device allows it.

    Args:
        nodes: Resources of each, as Ray names them.
        workers: How many; None: as many as fit.
        device: The recipe's.

    Raises:
        SettingsError: There is no GPU for `cuda`, or the device is one machine's.
        EngineError: So many workers do not fit.
    """
    if ":" in device:
        raise SettingsError(f"{device!r} is one machine's device", hint="with the engine ray use cuda, cpu or auto")
    cores = [int(node.get("CPU", 0)) for node in nodes]
    pairs = [(c, int(node.get("GPU", 0))) for c, node in zip(cores, nodes, strict=True)]
    able = [(c, g) for c, g in pairs if c and g] if device in ("auto", "cuda") else []
    if able:
        most = sum(min(c, g) for c, g in able)
        each = min(max(1, c // g) for c, g in able)
    elif device == "cuda":
        raise SettingsError("the Ray cluster has no GPU with a core beside it", hint="use --device cpu, or auto")
    else:
        most = sum(cores)
        each = _cores(cores, workers)
    if not most or (workers or 0) > most:
        has = f"{most} {'GPUs' if able else 'cores'}"
        who = f"{workers} workers do not fit" if workers else "no worker fits"
        raise EngineError(f"{who} on a Ray cluster of {has}", hint="use fewer --workers, or another cluster")
    return Plan(workers or (most if able else sum(c // each for c in cores)), each, int(bool(able)))


def _cores(cores: Sequence[int], workers: int | None) -> int:
    """The most cores per worker with which so many workers fit."""
    if workers is None:
        return min([_CORES, *(c for c in cores if c)])
    return next((each for each in range(max(cores, default=1), 1, -1) if sum(c // each for c in cores) >= workers), 1)
