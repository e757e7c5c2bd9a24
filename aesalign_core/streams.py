"""Running a model on CPU cores: small batches side by side, rather than one large batch cut up layer by layer.

Threads inside an operation meet at a barrier after every layer, which on a busy machine costs more than the layer;
and a large batch's activations are fresh pages each time. Small batches, one core each, have neither trouble.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from aesalign_core.types import Vectors

T = TypeVar("T")
SIZE = 4
"""Items per small batch: activations of common vision towers then stay below what malloc gives back at once."""


def streamed(compute: Callable[[Sequence[T]], Vectors], items: Sequence[T], *, size: int = SIZE) -> Vectors:
    """What `compute` makes of items, computed in small batches on all cores.

    Args:
        compute: From m items to (m, d); must be safe to call from several threads, as torch modules in eval mode are.
        items: n of them, at least one. So few that they make one small batch are computed in this thread.
        size: Items per small batch.

    Returns:
        (n, d), in order.
    """
    import torch

    threads = torch.get_num_threads()
    if threads == 1 or len(items) <= size:
        return compute(items)
    parts = [items[start : start + size] for start in range(0, len(items), size)]
    return np.concatenate(list(_pool(threads).map(compute, parts)))


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    import torch

    started = threading.Barrier(threads + 1)

    def begin() -> None:
        torch.get_num_threads()  # a thread's first look copies the common setting, so look before setting
        torch.set_num_threads(1)
        started.wait()

    pool = ThreadPoolExecutor(threads, thread_name_prefix="aesalign-model", initializer=begin)
    for _ in range(threads):
        pool.submit(int)
    started.wait()
    # The setting is each thread's own, but threads that are yet to come copy the last one set.
    torch.set_num_threads(threads)
    return pool
