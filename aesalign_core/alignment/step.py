"""What one step reads: every distinct text and photo goes through its tower's head once, in parts that fit memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from aesalign_core.alignment.batches import Indices
from aesalign_core.alignment.data import TrainingData
from aesalign_core.alignment.processes import ALONE, Processes
from aesalign_core.alignment.towers import Tower, embed, similarities
from aesalign_core.protocols import PreferenceBatch


@dataclass(frozen=True, slots=True)
class Passes:
    """How items go through a head.

    Attributes:
        micro_batch: Items at once; None: all of a step.
        half: Whether in bfloat16, weights staying float32.
        processes: Which of them this process embeds, and what gathers the rest.
    """

    micro_batch: int | None = None
    half: bool = False
    processes: Processes = ALONE


class Embedded:
    """One tower's embeddings of all that a step reads.

    In one part, gradients flow through the head as usual. In several, the parts are first embedded without a graph;
    the losses' gradient stops at the embeddings, and `backward` takes it through the head part by part (gradient
    caching, Gao et al., arXiv 2101.06983). So every loss sees the whole batch, with the contrastive loss's negatives,
    and the gradient is that of the whole batch whatever the parts, which adding up losses of parts would not give.
    Several processes do the same: each embeds its share and takes its share's gradient, the losses see all.

    Args:
        tower: Whose.
        rows: What is read, as rows of the tower, in any number of tensors of any shape.
        passes: How.

    Attributes:
        rows: What goes through the head, each row once; as given if the tower is not trained.
    """

    def __init__(self, tower: Tower, rows: Sequence[Tensor], passes: Passes) -> None:
        self._tower, self._passes = tower, passes
        flat = torch.cat([r.flatten() for r in rows])
        self._leaf: Tensor | None = None
        if tower.head is None:
            self.rows, self._places, self._embeddings = flat, flat, tower.reference
        else:
            self.rows, self._places = torch.unique(flat, return_inverse=True)
            self._own = passes.processes.share(len(self.rows))
            own = self.rows[self._own]
            self._parts = torch.split(own, passes.micro_batch or len(own)) if len(own) else ()
            self._embeddings = self._embed_all()
        self._ends = torch.tensor([r.numel() for r in rows]).cumsum(0).tolist()

    def of(self, number: int) -> Tensor:
        """(k, d) unit rows: the embeddings of the given tensor of rows, flattened."""
        start = self._ends[number - 1] if number else 0
        return self._embeddings[self._places[start : self._ends[number]]]

    def backward(self) -> None:
        """Takes the gradient of this process's share through the head, after the loss's own `backward`."""
        if self._leaf is None or self._leaf.grad is None or not self._parts:
            return
        gradients = torch.split(self._leaf.grad[self._own], len(self._parts[0]))
        for part, gradient in zip(self._parts, gradients, strict=True):
            self._embed(part).backward(gradient)  # type: ignore[no-untyped-call]

    def _embed_all(self) -> Tensor:
        processes = self._passes.processes
        if len(self._parts) == processes.count == 1:
            return self._embed(self._parts[0])
        with torch.no_grad():
            nothing = self._tower.reference[:0]  # a share may be empty
            own = torch.cat([nothing, *(self._embed(part) for part in self._parts)])
            embedded = processes.gather(own, len(self.rows))
        self._leaf = embedded.requires_grad_()
        return self._leaf

    def _embed(self, rows: Tensor) -> Tensor:
        head, features = self._tower.head, self._tower.features
        assert head is not None  # noqa: S101 - the type checker's; a tower without a head is not embedded
        assert features is not None  # noqa: S101
        return embed(head, features[rows], half=self._passes.half)


class Step:
    """The embeddings of a step, as the losses read them.

    Args:
        data: Of the run.
        queries: (b,) whose grids.
        captions: (p,) caption pairs; none: no pre-training loss.
        candidates: (m,) places among the photos that can be read; none: no ranking to compare.
        passes: How items go through the heads.

    Attributes:
        text: Embeddings of queries, then captions.
        image: Embeddings of grids, then captioned photos, then candidates.
    """

    def __init__(
        self,
        data: TrainingData,
        queries: Indices,
        captions: Indices | None = None,
        candidates: Indices | None = None,
        passes: Passes | None = None,
    ) -> None:
        self._data = data
        none = torch.empty(0, dtype=torch.int64, device=data.reference.device)
        self._queries = self._on_device(queries)
        self._photos = data.grid_photos[self._queries]
        pairs = none if captions is None else self._on_device(captions)
        self._captioned = data.caption_photos[pairs]
        self._candidates = none if candidates is None else data.usable[self._on_device(candidates)]
        given = passes or Passes()
        self.text = Embedded(data.text, [self._queries, data.caption_texts[pairs]], given)
        self.image = Embedded(data.image, [self._photos, self._captioned, self._candidates], given)

    def _on_device(self, indices: Indices) -> Tensor:
        return torch.from_numpy(indices).to(self._data.reference.device)

    def grids(self) -> PreferenceBatch:
        """The grids of the b queries."""
        data = self._data
        return PreferenceBatch(
            policy=similarities(self.text.of(0), self.image.of(0), data.temperature),
            reference=data.reference[self._queries],
            rewards=data.rewards[self._queries],
            bands=data.bands.expand_as(self._photos),
            valid=data.readable[self._photos],
        )

    def captions(self) -> tuple[Tensor, Tensor, Tensor]:
        """(p, d) text and (p, d) image embeddings of the caption pairs, and (p,) which photo each shows."""
        return self.text.of(1), self.image.of(1), self._captioned

    def rankings(self) -> tuple[Tensor, Tensor]:
        """Similarities of the queries with the candidates, ÷ τ, of policy and frozen model: (b, m) each."""
        data = self._data
        policy = self.text.of(0) @ self.image.of(2).T
        reference = data.text.reference[self._queries] @ data.image.reference[self._candidates].T
        return policy / data.temperature, reference / data.temperature

    def backward(self) -> None:
        """What is left of the backward pass after the loss's own; nothing if all went through at once."""
        for embedded in (self.text, self.image):
            embedded.backward()
