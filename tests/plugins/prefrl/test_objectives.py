"""What must hold for every objective, on any batch of grids."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from grid_batches import batch, batches
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from aesalign_core.build import Builder
from aesalign_core.plugins import registry
from aesalign_core.protocols import Objective, PreferenceBatch
from aesalign_core.recipe import Recipe, Use

NAMES = ("ranked_dpo", "ipo", "slic", "plackett_luce", "lambda_dpo", "reward_distillation")
each = pytest.mark.parametrize("name", NAMES)


def objective(name: str, **values: Any) -> Objective:
    recipe = Recipe(objective=Use.model_validate({"use": name, **values}))
    return Builder(recipe).objective()


def test_these_are_all_that_the_plugin_brings() -> None:
    assert {offer.component.name for offer in registry().of_kind("objective")} == set(NAMES)


@each
@pytest.mark.parametrize("wrong", [{"beta": 0}, {"beta": math.nan}, {"betta": 1}])
def test_settings_are_checked(name: str, wrong: dict[str, float]) -> None:
    kind = type(objective(name)).Settings  # type: ignore[attr-defined]
    with pytest.raises(ValidationError):
        kind(**wrong)


@each
def test_half_precision_is_computed_in_single(name: str) -> None:
    def of(dtype: torch.dtype) -> torch.Tensor:
        policy = torch.tensor([[3.0, 1.0]], dtype=dtype, requires_grad=True)
        return objective(name)(batch(policy, [[0.0, 0.0]], [[1.0, 0.0]], [[0, 0]])).loss

    half = of(torch.bfloat16)
    assert half.dtype == torch.float32
    assert half.item() == of(torch.float32).item()


@each
@given(batches(), st.floats(-5, 5, width=32))
@settings(max_examples=40, deadline=None)
def test_a_shift_of_one_query_cancels_like_a_partition_function(
    name: str, grids: PreferenceBatch, shift: float
) -> None:
    moved = PreferenceBatch(grids.policy + shift, grids.reference, grids.rewards, grids.bands, grids.valid)
    assert objective(name)(moved).loss.item() == pytest.approx(objective(name)(grids).loss.item(), rel=1e-3, abs=1e-4)


@each
def test_a_step_by_gradient_descent_lowers_the_loss(name: str) -> None:
    torch.manual_seed(1)
    reference, rewards = torch.randn(4, 6), torch.randn(4, 6)
    policy = reference.clone().requires_grad_()
    made, bands = objective(name), (torch.arange(6) // 3).expand(4, 6)
    before = made(batch(policy, reference, rewards, bands))
    before.loss.backward()
    assert policy.grad is not None
    after = made(batch(policy.detach() - 0.1 * policy.grad, reference, rewards, bands))
    assert after.loss < before.loss
    assert after.margin > before.margin
