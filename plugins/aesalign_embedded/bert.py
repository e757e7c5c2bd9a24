"""BERT's encoder (Devlin et al., arXiv 1810.04805) from torch's own layers, with the names of published checkpoints.

transformers' `BertModel` gives the same numbers (a test compares them), but every search would wait for its import.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

EPS = 1e-12
"""Of each layer norm, as BERT was trained."""
_PARTS = {
    "self_attn.out_proj": "attention.output.dense",
    "norm1": "attention.output.LayerNorm",
    "linear1": "intermediate.dense",
    "linear2": "output.dense",
    "norm2": "output.LayerNorm",
}


class Bert(nn.Module):
    """The states of the last layer; texts are single sentences, so every token is of kind 0.

    Args:
        width: Of a token's state.
        layers: How many.
        heads: Of attention, per layer.
        inner: Width within a layer's feed-forward part.
        words: Size of the vocabulary.
        positions: Tokens of the longest text.
    """

    def __init__(
        self, *, width: int, layers: int, heads: int, inner: int, words: int = 30_522, positions: int = 512
    ) -> None:
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.positions = nn.Embedding(positions, width)
        self.kinds = nn.Embedding(2, width)
        self.norm = nn.LayerNorm(width, eps=EPS)
        layer = nn.TransformerEncoderLayer(
            width, heads, inner, dropout=0.0, activation="gelu", layer_norm_eps=EPS, batch_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(n, t) token ids and their mask, 1 where there is a token → (n, t, width)."""
        states = self.words(ids) + self.kinds.weight[0] + self.positions.weight[: ids.shape[1]]
        found: torch.Tensor = self.encoder(self.norm(states), src_key_padding_mask=mask == 0)
        return found


def from_checkpoint(state: Mapping[str, torch.Tensor], *, width: int, layers: int, heads: int, inner: int) -> Bert:
    """A frozen `Bert` with the tensors of a published checkpoint, under the names that `BertModel` gives them.

    Raises:
        KeyError: A tensor is missing.
        RuntimeError: A tensor has another shape.
    """
    tensors = {
        f"{ours}.weight": state[f"embeddings.{theirs}_embeddings.weight"]
        for ours, theirs in (("words", "word"), ("positions", "position"), ("kinds", "token_type"))
    }
    for part in ("weight", "bias"):
        tensors[f"norm.{part}"] = state[f"embeddings.LayerNorm.{part}"]
        for i in range(layers):
            theirs, ours = f"encoder.layer.{i}", f"encoder.layers.{i}"
            three = [state[f"{theirs}.attention.self.{name}.{part}"] for name in ("query", "key", "value")]
            tensors[f"{ours}.self_attn.in_proj_{part}"] = torch.cat(three)
            tensors |= {f"{ours}.{new}.{part}": state[f"{theirs}.{old}.{part}"] for new, old in _PARTS.items()}
    # Not on the meta device: drawing its first weights there imports torch._dynamo, which takes a second.
    model = Bert(width=width, layers=layers, heads=heads, inner=inner)
    model.load_state_dict(tensors, assign=True)
    return model.requires_grad_(False).eval()
