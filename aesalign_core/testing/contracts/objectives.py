"""The contract of objectives."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import pytest

from aesalign_core.hookspecs import Kind
from aesalign_core.protocols import Objective, ObjectiveOutput, PreferenceBatch
from aesalign_core.testing.contracts.base import ComponentContract

if TYPE_CHECKING:
    import torch


def batch(grids: int = 5, rows: int = 3, columns: int = 4, *, seed: int = 0, double: bool = False) -> PreferenceBatch:
    """Random grids: (grids, rows x columns) photos, a sixth of them padding, the policy away from the reference."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    shape, dtype = (grids, rows * columns), torch.float64 if double else torch.float32
    reference = torch.randn(shape, generator=generator, dtype=dtype)
    policy = reference + 0.5 * torch.randn(shape, generator=generator, dtype=dtype)
    rewards = torch.randn(shape, generator=generator)
    bands = torch.arange(rows).repeat_interleave(columns).expand(shape).contiguous()
    valid = torch.rand(shape, generator=generator) > 1 / 6
    return PreferenceBatch(policy.requires_grad_(), reference, rewards, bands, valid)


class ObjectiveContract(ComponentContract):
    """What a `protocols.Objective` must do."""

    kind: ClassVar[Kind] = "objective"

    def exercise(self, built: Objective) -> object:
        """The loss of a batch."""
        return built(batch())

    def test_its_numbers(self, built: Objective) -> None:
        """Finite scalars; only the loss carries gradients."""
        given = batch()
        out = built(given)
        assert isinstance(out, ObjectiveOutput)
        assert built.name
        assert out.loss.requires_grad
        for number in (out.loss, out.accuracy, out.margin, out.pairs):
            assert number.shape == ()
            assert number.isfinite()
        assert not any(number.requires_grad for number in (out.accuracy, out.margin, out.pairs))
        assert 0 <= out.accuracy <= 1
        assert out.pairs > 0

    def test_the_gradient_is_the_loss_s_own(self, built: Objective) -> None:
        """As finite differences have it, in double precision."""
        import torch

        given = batch(2, 2, 3, double=True)
        assert torch.autograd.gradcheck(lambda policy: built(replace(given, policy=policy)).loss, (given.policy,))

    def test_padding_plays_no_part(self, built: Objective) -> None:
        """It gets no gradient, and whatever stands there changes nothing."""
        import torch

        given = batch()
        out = built(given)
        gradient = _gradient(out, given)
        assert gradient.isfinite().all()
        assert not gradient[~given.valid].any()
        assert gradient[given.valid].any()
        empty = ~given.valid
        strange = replace(
            given,
            policy=given.policy.detach().masked_fill(empty, 1e4).requires_grad_(),
            reference=given.reference.masked_fill(empty, -1e4),
            rewards=given.rewards.masked_fill(empty, 77.0),
            bands=given.bands.masked_fill(empty, 0),
        )
        torch.testing.assert_close(built(strange).loss, out.loss)
        assert built(strange).pairs == out.pairs

    def test_neither_the_order_of_grids_nor_of_photos_matters(self, built: Objective) -> None:
        """Bands and rewards say all that there is of an order."""
        import torch

        given = batch()
        photos = torch.randperm(given.policy.shape[1], generator=torch.Generator().manual_seed(1))
        for chosen in ((torch.arange(len(given.policy)).flip(0), slice(None)), (slice(None), photos)):
            names = ("policy", "reference", "rewards", "bands", "valid")
            other = PreferenceBatch(**{name: getattr(given, name)[chosen[0]][:, chosen[1]] for name in names})
            for name in ("loss", "accuracy", "margin", "pairs"):
                torch.testing.assert_close(getattr(built(other), name), getattr(built(given), name))

    def test_the_untrained_model_prefers_nothing(self, built: Objective) -> None:
        """Where policy and reference agree every margin is 0, and each tie counts half."""
        given = batch()
        out = built(replace(given, policy=given.reference.clone().requires_grad_()))
        assert out.margin == 0
        assert out.accuracy == pytest.approx(0.5)

    def test_a_step_down_the_gradient_prefers_what_is_better(self, built: Objective) -> None:
        """From the untrained model, margins become positive."""
        given = batch()
        start = given.reference.clone().requires_grad_()
        gradient = _gradient(built(replace(given, policy=start)), replace(given, policy=start))
        moved = (start.detach() - 1e-2 * gradient / gradient.norm()).requires_grad_()
        out = built(replace(given, policy=moved))
        assert out.margin > 0
        assert out.accuracy > 0.5

    def test_nothing_to_compare_costs_nothing(self, built: Objective) -> None:
        """Single photos, and grids that are all padding: no pairs, no loss, no gradient, and none of it is NaN."""
        import torch

        padded = batch()
        for given in (batch(2, 1, 1), replace(padded, valid=torch.zeros_like(padded.valid))):
            out = built(given)
            assert (out.loss.item(), out.pairs.item(), out.margin.item()) == (0, 0, 0)
            assert not _gradient(out, given).any()

    def test_equal_rewards_are_no_preference(self, built: Objective) -> None:
        """Within a band: nothing is better than what is as good."""
        import torch

        given = batch(3, 1, 5)
        out = built(replace(given, rewards=torch.zeros_like(given.rewards)))
        assert out.pairs == 0
        assert out.loss.isfinite()

    def test_it_says_the_same_twice(self, built: Objective) -> None:
        """On the same batch."""
        assert built(batch()).loss.item() == built(batch()).loss.item()


def _gradient(out: ObjectiveOutput, given: PreferenceBatch) -> torch.Tensor:
    """The loss's gradient with respect to the policy's similarities."""
    import torch

    (found,) = torch.autograd.grad(out.loss, given.policy, allow_unused=True)
    return torch.zeros_like(given.policy) if found is None else found
