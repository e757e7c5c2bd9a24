"""Whether something seeds the random numbers of the whole process."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

SEEDS = (20_011, 20_021)


def seeded_by(use: Callable[[], object]) -> list[str]:
    """The global generators that `use` seeds.

    From two seeds it is run twice: drawing numbers leaves two states, and only who seeds makes one of them.
    """
    with _kept():
        ends = []
        for seed in SEEDS:
            _seed(seed)
            use()
            ends.append(_states())
        return [name for name, state in ends[0].items() if ends[1].get(name) == state]


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the generator that everybody shares is what this is about
    if torch := sys.modules.get("torch"):
        torch.manual_seed(seed)


def _states() -> dict[str, Any]:
    states: dict[str, Any] = {
        "random": random.getstate(),
        "numpy.random": [str(part) for part in _numpy_state()],
    }
    if torch := sys.modules.get("torch"):
        states["torch"] = torch.get_rng_state().tolist()
    return states


def _numpy_state() -> tuple[Any, ...]:
    name, keys, place, *_ = np.random.get_state()  # noqa: NPY002
    return name, np.asarray(keys).tobytes().hex(), place


@contextmanager
def _kept() -> Iterator[None]:
    """Whatever is done to them, they are put back."""
    plain, numbers = random.getstate(), np.random.get_state()  # noqa: NPY002
    torch = sys.modules.get("torch")
    tensors = torch.get_rng_state() if torch else None
    try:
        yield
    finally:
        random.setstate(plain)
        np.random.set_state(numbers)  # noqa: NPY002
        if torch:
            torch.set_rng_state(tensors)
