"""Low-rank adapters on the heads, by the peft library (LoRA, Hu et al., arXiv 2106.09685).

They are in a run's checkpoints only: a RUN holds plain heads, with the adapters added in.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from aesalign_core.errors import AlignmentError

_ADAPTER = "default"


def adapt(tower: str, head: nn.Module, rank: int) -> nn.Module:
    """A head with an adapter on each of its linear maps; nothing else of it is trained.

    Args:
        tower: Whose head it is.
        head: Changed in place; one that is a linear map itself is wrapped. Maps inside torch's attention have none.
        rank: Of each adapter, at most. Its output is not scaled (peft's α is the rank).

    Raises:
        AlignmentError: peft is not installed, or the head has no linear map.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError:
        raise AlignmentError(
            f"align.{tower}_lora_rank needs the peft library", hint="pip install 'aesalign[lora]'"
        ) from None
    whole = nn.ModuleDict({tower: head})
    maps = [name for name, module in whole.named_modules() if isinstance(module, nn.Linear)]
    # torch's attention reads its maps' weights itself and would never run an adapter on them.
    attention = tuple(f"{n}." for n, module in whole.named_modules() if isinstance(module, nn.MultiheadAttention))
    maps = [name for name in maps if not name.startswith(attention)]
    if not maps:
        raise AlignmentError(
            f"the {tower} head has no linear map to put an adapter on", hint=f"set align.{tower}_lora_rank to 0"
        )
    whole.requires_grad_(False)
    inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=rank, target_modules=maps), whole, _ADAPTER)
    return whole[tower]


def merged(heads: nn.ModuleDict) -> dict[str, Tensor]:
    """The heads' weights under their own names, adapters added in, as copies."""
    found = {}
    for name, value in heads.state_dict().items():
        if ".lora_" not in name:
            found[name.replace(".base_layer.", ".")] = value.detach().clone()
    for name, module in heads.named_modules():
        if hasattr(module, "get_delta_weight"):
            found[f"{name}.weight"] += _change(module)
    return found


def _change(layer: Any) -> Tensor:
    change: Tensor = layer.get_delta_weight(_ADAPTER).detach()
    return change
