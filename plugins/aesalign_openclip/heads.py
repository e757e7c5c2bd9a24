"""The trainable ends of a model's towers: which they are, and the spaces that they make."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import torch
from torch import nn

from aesalign_core.errors import ModelError
from aesalign_core.fingerprints import fingerprint
from aesalign_core.types import Spaces, Tower
from aesalign_openclip import identity, tails, wholes

if TYPE_CHECKING:
    from aesalign_openclip.loading import Loaded

Blocks = int | Literal["all"]


class Heads:
    """The heads of both towers.

    Args:
        loaded: The model, where it computes.
        dim: d.
        blocks: How many of the last blocks of a tower belong to its head; 0: a d × d map after it; `all`: the whole
            tower.
        name: Of the encoder, for errors.
        device: Where heads are wanted.
    """

    def __init__(self, loaded: Loaded, dim: int, blocks: Blocks, name: str, device: str) -> None:
        self._model, self._dim, self._name, self._device = loaded.model, dim, name, device
        self.blocks = blocks
        self._towers: dict[Tower, str] = {"image": identity.of_tower(loaded, "image")}
        self._towers["text"] = identity.of_tower(loaded, "text")
        self._changed: dict[Tower, nn.Module] = {}

    def changed(self, tower: Tower) -> nn.Module | None:
        """The head, if it is not the model's own."""
        return self._changed.get(tower)

    def of(self, tower: Tower) -> nn.Module:
        """A copy of the head.

        Raises:
            ModelError: The last blocks of such a tower cannot be taken.
        """
        changed = self._changed.get(tower)
        return self._own(tower) if changed is None else copy.deepcopy(changed)

    def _own(self, tower: Tower) -> nn.Module:
        """The model's own."""
        if self.blocks == "all":
            return wholes.whole_of(self._model, tower)
        if self.blocks:
            return tails.tail_of(self._model, tower, self.blocks, self._name)
        head = nn.Linear(self._dim, self._dim, bias=False, device=self._device)
        nn.init.eye_(head.weight)
        return head.eval()

    def replaced(self, given: Mapping[Tower, Mapping[str, torch.Tensor]]) -> Heads:
        """Heads with other weights for some towers.

        Raises:
            ModelError: Weights of another shape, or with numbers that are not finite.
        """
        other = copy.copy(self)
        other._changed = dict(self._changed)
        for tower, state in given.items():
            head = self._checked(tower, state)
            # The model's own weights are no change, and make no other space.
            if _same(head.state_dict(), self._own(tower).state_dict()):
                other._changed.pop(tower, None)
            else:
                other._changed[tower] = head
        return other

    def _checked(self, tower: Tower, state: Mapping[str, torch.Tensor]) -> nn.Module:
        head = self._own(tower)
        expected = {key: tuple(value.shape) for key, value in head.state_dict().items()}
        shapes = {key: tuple(value.shape) for key, value in state.items()}
        if shapes != expected:
            wrong = sorted(k for k in {*shapes, *expected} if shapes.get(k) != expected.get(k))[0]
            raise ModelError(
                f"a {tower} head of {self._name} has {wrong}: {expected.get(wrong, 'no such weight')}, not"
                f" {shapes.get(wrong, 'no such weight')}",
                hint=f"it was trained with other encoder.trainable_blocks than {self.blocks}, or on another model",
            )
        if not all(bool(value.isfinite().all()) for value in state.values()):
            raise ModelError(f"the {tower} head for {self._name} holds numbers that are not finite")
        head.load_state_dict(dict(state))
        return head

    def spaces(self) -> Spaces:
        """Fingerprints over architecture, preprocessing, weights and heads, whatever the precision."""
        features = {
            tower: fingerprint(of_tower, "blocks", self.blocks) if self.blocks else of_tower
            for tower, of_tower in self._towers.items()
        }
        return Spaces(self._space("image"), self._space("text"), features["image"], features["text"])

    def _space(self, tower: Tower) -> str:
        head = self._changed.get(tower)
        if head is None:  # of whatever kind: an untrained head changes nothing
            return fingerprint(self._towers[tower], identity.of_weights({"weight": torch.eye(self._dim)}))
        kind = ("blocks",) if self.blocks else ()
        return fingerprint(self._towers[tower], *kind, identity.of_weights(head.state_dict()))


def _same(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())
