"""BERT from torch's layers against transformers' own model, with the real checkpoint."""

from __future__ import annotations

import pytest
import torch

from aesalign_embedded import weights
from aesalign_embedded.bert import from_checkpoint
from aesalign_embedded.towers import TEXT_TOKENS, TEXT_WIDTH, TextTower

SIZES = {"width": TEXT_WIDTH, "layers": 6, "heads": 12, "inner": 1536}


def test_states_are_those_of_transformers() -> None:
    from transformers import BertConfig, BertModel

    state = weights.text_state()
    state.pop("embeddings.position_ids", None)
    config = BertConfig(hidden_size=TEXT_WIDTH, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536)
    theirs = BertModel(config, add_pooling_layer=False).eval()
    theirs.load_state_dict({k: v for k, v in state.items() if not k.startswith("pooler.")})
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, 30_522, (5, TEXT_TOKENS), generator=generator)
    mask = (torch.arange(TEXT_TOKENS) < torch.tensor([[1], [2], [13], [100], [TEXT_TOKENS]])).long()
    with torch.inference_mode():
        ours = from_checkpoint(state, **SIZES)(ids, mask)
        expected = theirs(input_ids=ids, attention_mask=mask).last_hidden_state
    torch.testing.assert_close(ours[mask == 1], expected[mask == 1], atol=2e-5, rtol=1e-5)


def test_padding_has_no_say() -> None:
    tower = TextTower()
    alone = tower.features(["a dog"])
    beside = tower.features(["a dog", "a very long caption about two dogs that run along the beach " * 3])
    assert alone[0] == pytest.approx(beside[0], abs=1e-5)


def test_a_checkpoint_without_a_tensor_or_of_another_shape_is_refused() -> None:
    state = weights.text_state()
    with pytest.raises(RuntimeError, match="size mismatch"):
        from_checkpoint(state, **SIZES | {"inner": 8})
    del state["encoder.layer.5.output.dense.weight"]
    with pytest.raises(KeyError, match=r"layer\.5"):
        from_checkpoint(state, **SIZES)
