"""Small batches side by side give what one large batch gives."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from aesalign_core.streams import streamed


@pytest.fixture(autouse=True)
def _two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("count", [1, 4, 5, 8, 33])
def test_order_and_values(count):
    torch.manual_seed(0)
    model = torch.nn.Linear(6, 3).eval()
    items = [np.random.default_rng(i).normal(size=6).astype(np.float32) for i in range(count)]

    def compute(part):
        with torch.inference_mode():
            return model(torch.from_numpy(np.stack(part))).numpy()

    np.testing.assert_allclose(streamed(compute, items), compute(items), atol=1e-6)


def test_each_stream_has_one_thread_and_nobody_else_is_changed():
    seen = {}

    def compute(part):
        seen[threading.current_thread().name] = torch.get_num_threads()
        return np.zeros((len(part), 1), np.float32)

    streamed(compute, range(40))
    assert set(seen.values()) == {1}
    assert torch.get_num_threads() == 2
    with ThreadPoolExecutor(1) as other:
        assert other.submit(torch.get_num_threads).result() == 2


def test_failures_come_through():
    def compute(part):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        streamed(compute, range(40))
