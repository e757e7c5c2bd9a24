"""What must hold for every objective, on any batch of grids."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from grid_batches import batch, batches, numbers
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
def test_it_is_an_objective_of_that_name(name: str) -> None:
    made = objective(name)
    assert isinstance(made, Objective)
    assert made.name == name


@each
@pytest.mark.parametrize("wrong", [{"beta": 0}, {"beta": math.nan}, {"betta": 1}])
def test_settings_are_checked(name: str, wrong: dict[str, float]) -> None:
    kind = type(objective(name)).Settings  # type: ignore[attr-defined]
    with pytest.raises(ValidationError):
        kind(**wrong)


@each
def test_a_batch_without_pairs_gives_zero_with_a_graph(name: str) -> None:
    policy = torch.randn(2, 3, requires_grad=True)
    out = objective(name)(batch(policy, torch.zeros(2, 3), torch.ones(2, 3), torch.zeros(2, 3)))
    out.loss.backward()
    assert numbers(out) == (0.0, 0.0, 0.0, 0)
    assert policy.grad is not None
    assert not policy.grad.any()


@each
def test_the_gradient_is_right(name: str) -> None:
    torch.manual_seed(0)
    policy = torch.randn(3, 6, dtype=torch.float64, requires_grad=True)
    reference, rewards, bands = torch.randn(3, 6, dtype=torch.float64), torch.randn(3, 6), torch.arange(6) // 3
    valid = torch.rand(3, 6) > 0.2
    made = objective(name, beta=0.7)

    def loss(p: torch.Tensor) -> torch.Tensor:
        return made(PreferenceBatch(p, reference, rewards.double(), bands.expand(3, 6), valid)).loss

    assert torch.autograd.gradcheck(loss, (policy,))


@each
def test_the_gradient_brings_the_better_photo_nearer(name: str) -> None:
    # Three photos of one band; the policy is the reference, so that nothing is learnt yet.
    policy = torch.tensor([[0.1, 0.0, 0.2]], requires_grad=True)
    objective(name)(batch(policy, policy.detach(), [[2.0, 1.0, -1.0]], [[0, 0, 0]])).loss.backward()
    assert policy.grad is not None
    best, _, worst = policy.grad[0].tolist()
    assert best < 0 < worst


@each
def test_half_precision_is_computed_in_single(name: str) -> None:
    def of(dtype: torch.dtype) -> torch.Tensor:
        policy = torch.tensor([[3.0, 1.0]], dtype=dtype, requires_grad=True)
        return objective(name)(batch(policy, [[0.0, 0.0]], [[1.0, 0.0]], [[0, 0]])).loss

    half = of(torch.bfloat16)
    assert half.dtype == torch.float32
    assert half.item() == of(torch.float32).item()


@each
@given(batches())
@settings(max_examples=40, deadline=None)
def test_padding_changes_nothing_whatever_it_holds(name: str, grids: PreferenceBatch) -> None:
    def pad(values: torch.Tensor, filler: float) -> torch.Tensor:
        return torch.cat([values, torch.full((len(values), 2), filler).to(values.dtype)], dim=1)

    policy = pad(grids.policy, math.nan).requires_grad_()
    padded = PreferenceBatch(
        policy, pad(grids.reference, math.inf), pad(grids.rewards, 9), pad(grids.bands, 0), pad(grids.valid, 0)
    )
    out = objective(name)(padded)
    out.loss.backward()
    assert numbers(out) == pytest.approx(numbers(objective(name)(grids)), rel=1e-5, abs=1e-6)
    assert policy.grad is not None
    assert policy.grad.isfinite().all()
    assert not policy.grad[:, -2:].any()


@each
@given(batches(), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_order_that_photos_are_listed_in_does_not_matter(name: str, grids: PreferenceBatch, random: Any) -> None:
    order = list(range(grids.policy.shape[1]))
    random.shuffle(order)
    moved = PreferenceBatch(*(getattr(grids, field)[:, order] for field in PreferenceBatch.__slots__))
    assert numbers(objective(name)(moved)) == pytest.approx(numbers(objective(name)(grids)), rel=1e-4, abs=1e-5)


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
