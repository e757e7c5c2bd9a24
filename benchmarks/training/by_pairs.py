"""The plain way to train on preference pairs: for each pair, policy and reference embed its query and both photos."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, normalize

from aesalign_core.alignment.batches import Indices
from aesalign_core.alignment.data import TrainingData
from aesalign_core.alignment.towers import similarities
from aesalign_core.protocols import PreferenceBatch
from aesalign_prefrl.grids import pair_mask

AT_ONCE = 512
"""Pairs per forward pass."""


class ByPairs:
    """Ranked DPO (β = 1) over all dominance pairs of a batch, pair by pair.

    Args:
        data: Of a run; both towers are trained.
        policy: Heads that are trained, by tower.
        reference: Frozen heads, by tower.
    """

    def __init__(
        self, data: TrainingData, policy: Mapping[str, nn.Module], reference: Mapping[str, nn.Module]
    ) -> None:
        self._data, self._policy, self._reference = data, policy, reference

    def step(self, queries: Indices) -> tuple[float, int]:
        """Loss and number of pairs of a batch; gradients are added to the policy's weights."""
        rows = torch.from_numpy(queries)
        query, chosen, rejected = self._pairs(rows)
        total, count = 0.0, len(query)
        for part in torch.split(torch.arange(count), AT_ONCE):
            given = (query[part], chosen[part], rejected[part])
            with torch.no_grad():
                reference = self._margin(self._reference, *given)
            loss = -logsigmoid(self._margin(self._policy, *given) - reference).sum() / count
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        return total, count

    def step_by_grid(self, queries: Indices) -> tuple[float, int]:
        """The same, each grid's query and photos embedded once by policy and reference, no photo shared or kept."""
        rows = torch.from_numpy(queries)
        photos, mask = self._data.grid_photos[rows], pair_mask(self._batch(rows), rows_only=False, margin=0.0)
        with torch.no_grad():
            reference = self._similar(self._reference, rows, photos)
        shift = self._similar(self._policy, rows, photos) - reference
        margins = (shift.unsqueeze(2) - shift.unsqueeze(1))[mask]
        loss = -logsigmoid(margins).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach()), len(margins)

    def _similar(self, heads: Mapping[str, nn.Module], rows: Tensor, photos: Tensor) -> Tensor:
        texts, images = self._data.text.features, self._data.image.features
        assert texts is not None
        assert images is not None
        text = normalize(heads["text"](texts[rows]), dim=1)
        image = normalize(heads["image"](images[photos.flatten()]), dim=1)
        return similarities(text, image, self._data.temperature)

    def _batch(self, rows: Tensor) -> PreferenceBatch:
        data, photos = self._data, self._data.grid_photos[rows]
        return PreferenceBatch(
            policy=data.reference[rows],
            reference=data.reference[rows],
            rewards=data.rewards[rows],
            bands=data.bands.expand_as(photos),
            valid=data.readable[photos],
        )

    def _pairs(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rows of the text tower, and of the image tower for the preferred and the other photo."""
        photos = self._data.grid_photos[rows]
        grid, better, worse = pair_mask(self._batch(rows), rows_only=False, margin=0.0).nonzero(as_tuple=True)
        return rows[grid], photos[grid, better], photos[grid, worse]

    def _margin(self, heads: Mapping[str, nn.Module], query: Tensor, chosen: Tensor, rejected: Tensor) -> Tensor:
        texts, images = self._data.text.features, self._data.image.features
        assert texts is not None
        assert images is not None
        text = normalize(heads["text"](texts[query]), dim=1)
        first = normalize(heads["image"](images[chosen]), dim=1)
        second = normalize(heads["image"](images[rejected]), dim=1)
        return ((first - second) * text).sum(1) / self._data.temperature
