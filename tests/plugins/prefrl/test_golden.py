"""Each objective's value on batches small enough to work out by hand. Ranked DPO has a file of its own."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from grid_batches import batch, batches, numbers
from hypothesis import given, settings

from aesalign_core.protocols import PreferenceBatch
from aesalign_prefrl.ipo import IPO
from aesalign_prefrl.lambda_dpo import LambdaDPO
from aesalign_prefrl.losses import ndcg_changes
from aesalign_prefrl.plackett_luce import PlackettLuce
from aesalign_prefrl.ranked_dpo import RankedDPO
from aesalign_prefrl.reward_distillation import RewardDistillation
from aesalign_prefrl.slic import SLiC

PAIR = batch([[3.0, 1.0]], [[1.0, 0.5]], [[1.0, 0.0]], [[0, 0]])
"""h = (3 − 1) − (1 − 0.5) = 1.5 for the preferred photo 0."""


def of(kind: Any, **values: Any) -> Any:
    return kind(kind.Settings(**values), None)


def test_ipo_by_hand() -> None:
    # β = 0.5: the margin wanted is 1/(2·0.5) = 1, and (1.5 − 1)² = 0.25; the margin in β units is 0.75.
    assert numbers(of(IPO, beta=0.5)(PAIR)) == pytest.approx((0.25, 1.0, 0.75, 1))


def test_ipo_is_content_at_its_margin() -> None:
    out = of(IPO, beta=1 / 3)(PAIR)  # 1/(2β) = 1.5
    assert out.loss.item() == pytest.approx(0.0, abs=1e-6)


def test_slic_by_hand() -> None:
    # β h = 0.75: with δ = 1 a quarter is missing, with δ = 0.5 nothing.
    assert numbers(of(SLiC, beta=0.5)(PAIR)) == pytest.approx((0.25, 1.0, 0.75, 1))
    assert of(SLiC, beta=0.5, delta=0.5)(PAIR).loss.item() == 0


def test_reward_distillation_by_hand() -> None:
    # Rewards differ by 1 σ, worth 0.4: (1.5 − 0.4)² = 1.21.
    assert numbers(of(RewardDistillation, target=0.4)(PAIR)) == pytest.approx((1.21, 1.0, 1.5, 1))


def test_reward_distillation_ends_at_the_reference_plus_the_scaled_reward() -> None:
    reference, rewards = torch.tensor([[0.3, -1.0, 2.0]]), torch.tensor([[1.0, -0.5, 0.0]])
    policy = reference + 0.7 * rewards + 9.0
    out = of(RewardDistillation, target=0.7)(batch(policy, reference, rewards, [[0, 0, 0]]))
    assert out.loss.item() == pytest.approx(0.0, abs=1e-9)


def test_plackett_luce_by_hand() -> None:
    # One row, r = 1, 0, 2 in the order of falling reward. Two choices: among {1, 0, 2}, then among {0, 2}.
    out = of(PlackettLuce)(batch([[1.0, 0.0, 2.0]], [[0.0] * 3], [[3.0, 2.0, 1.0]], [[0, 0, 0]]))
    first = math.log(math.e + 1 + math.e**2) - 1
    second = math.log(1 + math.e**2) - 0
    assert out.loss.item() == pytest.approx((first + second) / 2, abs=1e-6)
    # Pairs 0>1, 0>2, 1>2 have margins 1, −1, −2.
    assert numbers(out)[1:] == pytest.approx((1 / 3, -2 / 3, 3))


def test_plackett_luce_with_a_tie_by_hand() -> None:
    # Photos 0 and 1 are equal and better than 2: each is a choice among all three; 2 is none.
    out = of(PlackettLuce)(batch([[1.0, 0.0, 2.0]], [[0.0] * 3], [[3.0, 3.0, 1.0]], [[0, 0, 0]]))
    everything = math.log(math.e + 1 + math.e**2)
    assert out.loss.item() == pytest.approx(((everything - 1) + everything) / 2, abs=1e-6)


def test_plackett_luce_does_not_compare_bands() -> None:
    out = of(PlackettLuce)(batch([[1.0, 0.0]], [[0.0, 0.0]], [[1.0, 0.0]], [[0, 1]]))
    assert numbers(out) == (0.0, 0.0, 0.0, 0)


@given(batches())
@settings(max_examples=50, deadline=None)
def test_rows_of_two_make_plackett_luce_dpo_over_rows(grids: PreferenceBatch) -> None:
    two = PreferenceBatch(*(getattr(grids, field)[:, :2] for field in PreferenceBatch.__slots__))
    listwise, pairwise = of(PlackettLuce, beta=0.5)(two), of(RankedDPO, beta=0.5, pairs="rows")(two)
    assert numbers(listwise) == pytest.approx(numbers(pairwise), rel=1e-5, abs=1e-6)


THREE = batch([[0.0, 2.0, 1.0]], [[0.0] * 3], [[2.0, 1.0, 0.0]], [[0, 0, 0]])
"""The policy ranks the best photo last: ranks 3, 1, 2. Labels: 0 is preferred to both others, 1 to one, 2 to none."""


def test_changes_in_ndcg_by_hand() -> None:
    gains = [2**1 - 1, 2**0.5 - 1, 0.0]
    discounts = [1 / math.log2(4), 1 / math.log2(2), 1 / math.log2(3)]
    ideal = gains[0] / math.log2(2) + gains[1] / math.log2(3)
    found = ndcg_changes(THREE)[0]
    for i in range(3):
        for j in range(3):
            wanted = abs(gains[i] - gains[j]) * abs(discounts[i] - discounts[j]) / ideal
            assert found[i, j].item() == pytest.approx(wanted, abs=1e-6)


def test_lambda_dpo_by_hand() -> None:
    # Pairs 0>1, 0>2, 1>2 have x = −2, −1, 1, each with the weight of the test above.
    weights = [ndcg_changes(THREE)[0, i, j].item() for i, j in ((0, 1), (0, 2), (1, 2))]
    losses = [math.log1p(math.exp(-x)) for x in (-2.0, -1.0, 1.0)]
    wanted = sum(w * x for w, x in zip(weights, losses, strict=True)) / sum(weights)
    # Accuracy and margin are of pairs, whatever they weigh.
    assert numbers(of(LambdaDPO)(THREE)) == pytest.approx((wanted, 1 / 3, -2 / 3, 3), abs=1e-6)


def test_a_ranking_that_is_right_still_pulls_most_at_the_top() -> None:
    # Ranks 1, 2, 3 as they should be: exchanging the first two costs more than exchanging the last two.
    right = batch([[2.0, 1.0, 0.0]], [[0.0] * 3], [[2.0, 1.0, 0.0]], [[0, 0, 0]])
    changes = ndcg_changes(right)[0]
    assert changes[0, 1] > changes[1, 2] > 0
