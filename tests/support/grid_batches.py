"""Small batches of grids, by hand and at random, and what objectives say of them."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import strategies as st

from aesalign_core.protocols import ObjectiveOutput, PreferenceBatch


def batch(policy: Any, reference: Any, rewards: Any, bands: Any, valid: Any = None) -> PreferenceBatch:
    policy = torch.as_tensor(policy, dtype=torch.float32) if not isinstance(policy, torch.Tensor) else policy
    return PreferenceBatch(
        policy=policy,
        reference=torch.as_tensor(reference, dtype=policy.dtype),
        rewards=torch.as_tensor(rewards, dtype=torch.float32),
        bands=torch.as_tensor(bands, dtype=torch.int64),
        valid=torch.ones(policy.shape, dtype=torch.bool) if valid is None else torch.as_tensor(valid),
    )


def numbers(out: ObjectiveOutput) -> tuple[float, ...]:
    return out.loss.item(), out.accuracy.item(), out.margin.item(), out.pairs.item()


@st.composite
def batches(draw: st.DrawFn) -> PreferenceBatch:
    b, n = draw(st.integers(1, 3)), draw(st.integers(1, 6))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))

    def normal() -> torch.Tensor:
        return torch.randn(b, n, generator=generator) * 3

    def whole(top: int) -> torch.Tensor:
        return torch.randint(0, top, (b, n), generator=generator)

    # Whole rewards, so that ties are common.
    return batch(normal(), normal(), whole(4).float(), whole(3), whole(5) > 0)
