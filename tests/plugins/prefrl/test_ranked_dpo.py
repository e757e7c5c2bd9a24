"""Ranked DPO: golden values by hand, and what must hold for any batch."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from grid_batches import batch, batches, numbers
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from aesalign_core.protocols import PreferenceBatch
from aesalign_prefrl.ranked_dpo import RankedDPO


def objective(**values: Any) -> RankedDPO:
    return RankedDPO(RankedDPO.Settings(**values), None)  # type: ignore[arg-type]


def log_sigmoid(x: float) -> float:
    return -math.log1p(math.exp(-x))


def plain(b: PreferenceBatch, beta: float, rows: bool, margin: float, smoothing: float) -> tuple[float, ...]:
    """The definition, pair by pair."""
    losses, right, margins = [], 0, []
    for g in range(b.policy.shape[0]):
        n = b.policy.shape[1]
        for w in range(n):
            for l in range(n):  # noqa: E741
                if not (b.valid[g, w] and b.valid[g, l]):
                    continue
                above = float(b.rewards[g, w] - b.rewards[g, l])
                lower = int(b.bands[g, l] - b.bands[g, w])
                if rows and lower != 0:
                    continue
                if lower < 0 or above < 0 or above < margin or (lower == 0 and above == 0):
                    continue
                x = beta * float((b.policy[g, w] - b.policy[g, l]) - (b.reference[g, w] - b.reference[g, l]))
                losses.append(-(1 - smoothing) * log_sigmoid(x) - smoothing * log_sigmoid(-x))
                right += x > 0
                margins.append(x)
    count = len(losses)
    if not count:
        return 0.0, 0.0, 0.0, 0
    return sum(losses) / count, right / count, sum(margins) / count, count


def test_two_photos_of_one_band_by_hand() -> None:
    # w = photo 0. Policy prefers it by 2, the reference by 0.5: x = 0.5 · 1.5 = 0.75, -log σ(0.75) = 0.386...
    out = objective(beta=0.5)(batch([[3.0, 1.0]], [[1.0, 0.5]], [[1.0, 0.0]], [[0, 0]]))
    assert out.loss.item() == pytest.approx(math.log(1 + math.exp(-0.75)), abs=1e-6)
    assert numbers(out)[1:] == pytest.approx((1.0, 0.75, 1))


def test_the_mean_is_outside_the_log_sigmoid() -> None:
    # Two grids of one pair, x = 2 and x = -2. The mean x is 0, but the mean of the losses is not log 2.
    out = objective()(batch([[2.0, 0.0], [0.0, 2.0]], [[0.0, 0.0]] * 2, [[1.0, 0.0]] * 2, [[0, 0]] * 2))
    assert out.loss.item() == pytest.approx((math.log(1 + math.exp(-2)) + math.log(1 + math.exp(2))) / 2, abs=1e-6)
    assert (out.accuracy.item(), out.margin.item()) == (0.5, 0.0)


def test_a_two_by_two_grid_has_five_pairs_by_dominance_and_two_by_rows() -> None:
    # Bands 0 0 1 1, rewards 3 1 | 2 0: 0>1, 0>2, 0>3, 2>3, 1>3; photo 1 is nearer but poorer than 2: no pair.
    grid = batch([[0.0] * 4], [[0.0] * 4], [[3.0, 1.0, 2.0, 0.0]], [[0, 0, 1, 1]])
    assert objective()(grid).pairs.item() == 5
    assert objective(pairs="rows")(grid).pairs.item() == 2


def test_equal_rewards_prefer_the_nearer_band_and_never_a_photo_to_its_equal() -> None:
    grid = batch([[0.0] * 3], [[0.0] * 3], [[1.0, 1.0, 1.0]], [[0, 0, 1]])
    assert objective()(grid).pairs.item() == 2  # 0>2 and 1>2
    assert objective(pairs="rows")(grid).pairs.item() == 0


def test_margin_asks_for_that_much_more_reward() -> None:
    grid = batch([[0.0] * 3], [[0.0] * 3], [[2.0, 1.5, 0.0]], [[0, 0, 0]])
    assert [objective(margin=m)(grid).pairs.item() for m in (0.0, 0.5, 0.6, 2.0, 2.1)] == [3, 3, 2, 1, 0]


def test_label_smoothing_by_hand() -> None:
    out = objective(label_smoothing=0.1)(batch([[1.0, 0.0]], [[0.0, 0.0]], [[1.0, 0.0]], [[0, 0]]))
    assert out.loss.item() == pytest.approx(-0.9 * log_sigmoid(1) - 0.1 * log_sigmoid(-1), abs=1e-6)


def test_the_gradient_pulls_the_preferred_photo_nearer() -> None:
    policy = torch.zeros(1, 2, requires_grad=True)
    objective()(batch(policy, [[0.0, 0.0]], [[1.0, 0.0]], [[0, 0]])).loss.backward()
    assert policy.grad is not None
    # d/dx -log σ(x) at 0 is -1/2.
    assert policy.grad.tolist() == [[-0.5, 0.5]]


@pytest.mark.parametrize("wrong", [{"beta": 0}, {"beta": -1}, {"margin": -1}, {"label_smoothing": 0.5}, {"betta": 1}])
def test_settings_are_checked(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        RankedDPO.Settings(**wrong)


CASES = st.fixed_dictionaries(
    {
        "beta": st.sampled_from([0.1, 1.0, 2.5]),
        "pairs": st.sampled_from(["dominance", "rows"]),
        "margin": st.sampled_from([0.0, 1.0]),
        "label_smoothing": st.sampled_from([0.0, 0.2]),
    }
)


@given(batches(), CASES)
@settings(max_examples=150, deadline=None)
def test_it_is_the_plain_double_loop(grids: PreferenceBatch, case: dict[str, Any]) -> None:
    out = objective(**case)(grids)
    wanted = plain(grids, case["beta"], case["pairs"] == "rows", case["margin"], case["label_smoothing"])
    assert numbers(out) == pytest.approx(wanted, rel=1e-4, abs=1e-5)


@given(batches(), CASES)
@settings(max_examples=50, deadline=None)
def test_a_policy_that_is_the_reference_loses_log_two(grids: PreferenceBatch, case: dict[str, Any]) -> None:
    same = PreferenceBatch(grids.reference, grids.reference, grids.rewards, grids.bands, grids.valid)
    out = objective(**case)(same)
    assert out.loss.item() == pytest.approx(math.log(2) if out.pairs else 0.0, abs=1e-6)
    assert out.margin.item() == 0


@given(batches())
@settings(max_examples=50, deadline=None)
def test_swapping_policy_and_reference_turns_every_margin_round(grids: PreferenceBatch) -> None:
    swapped = PreferenceBatch(grids.reference, grids.policy, grids.rewards, grids.bands, grids.valid)
    there, back = objective()(grids), objective()(swapped)
    assert there.margin.item() == pytest.approx(-back.margin.item(), abs=1e-5)
    # -log σ(x) - (-log σ(-x)) = -x, pair by pair and so on the mean.
    assert there.loss.item() - back.loss.item() == pytest.approx(-there.margin.item(), abs=1e-4)
