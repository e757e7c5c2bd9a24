"""How steps are taken: in parts, in half precision, with adapters, on a schedule; and where they lead."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import colours
import pytest
import torch
from safetensors.torch import load_file
from tiny_alignment import QUICK, World

from aesalign_core.alignment.align import align
from aesalign_core.alignment.log import read_metrics
from aesalign_core.alignment.settings import AlignSettings
from aesalign_core.alignment.trainer import ramp
from aesalign_core.errors import AlignmentError
from aesalign_core.recipe import Use

GOLDEN = Path(__file__).parent / "golden_curve.json"
OBJECTIVES = ("ranked_dpo", "ipo", "slic", "plackett_luce", "lambda_dpo", "reward_distillation")
EVERYTHING = {"tune": "both", "kl_weight": 0.5, "kl_candidates": 7, "learning_rate": 0.01}
Lines = list[dict[str, float]]


def trained(
    world: World, out: Path, objective: str = "ranked_dpo", **settings: Any
) -> tuple[Lines, dict[str, torch.Tensor]]:
    """Runs a training and gives its metrics, without the time, and its weights."""
    made = AlignSettings(**{**QUICK, **EVERYTHING, **settings})
    builder = colours.builder(align=made, objective=Use(use=objective))
    run = align(world.pairs, world.gallery, out, builder, captions=world.captions).run
    lines = [{k: v for k, v in line.items() if k != "seconds"} for line in read_metrics(run / "metrics.jsonl")]
    return lines, load_file(run / "aligned.safetensors")


@pytest.fixture(scope="module")
def plain(world: World) -> tuple[Lines, dict[str, torch.Tensor]]:
    """A run with all three losses and both towers."""
    return trained(world, world.root / "plain")


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_parts_of_a_batch_do_not_matter(world: World, tmp_path: Path, objective: str) -> None:
    whole, weights = trained(world, tmp_path / "whole", objective)
    parts, same = trained(world, tmp_path / "parts", objective, micro_batch=1)
    assert parts[0] == pytest.approx(whole[0], rel=1e-5, abs=1e-6)
    # AdamW divides by a gradient's size, so that rounding grows over the steps.
    for line, other in zip(whole, parts, strict=True):
        assert other == pytest.approx(line, rel=2e-3, abs=1e-4)
    for name, weight in weights.items():
        assert torch.allclose(same[name], weight, atol=1e-3), name


@pytest.mark.parametrize("micro_batch", [2, 5, 1_000])
def test_parts_of_any_size(
    world: World, plain: tuple[Lines, dict[str, torch.Tensor]], tmp_path: Path, micro_batch: int
) -> None:
    lines, _ = trained(world, tmp_path / "run", micro_batch=micro_batch)
    assert [line["loss"] for line in lines] == pytest.approx([line["loss"] for line in plain[0]], rel=1e-4)


def test_the_reference_goes_through_in_parts_too(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    own = torch.nn.Linear.forward

    def counting(self: torch.nn.Linear, rows: torch.Tensor) -> torch.Tensor:
        seen.append(len(rows))
        return own(self, rows)

    monkeypatch.setattr(torch.nn.Linear, "forward", counting)
    guard = {"recall_floor": 0.5, "held_out": 0.5, "watch_every": 20}
    trained(world, tmp_path / "run", micro_batch=4, **guard)
    assert max(seen) == 4


def test_a_small_head_has_nothing_to_compute_again(world: World, tmp_path: Path) -> None:
    with pytest.raises(AlignmentError, match="has no blocks to compute again"):
        trained(world, tmp_path / "run", gradient_checkpointing=True)
    # The folder is not lost to the run that follows the advice.
    lines, _ = trained(world, tmp_path / "run", micro_batch=4)
    assert len(lines) == 40


def test_adapters_for_a_head_that_is_not_trained_are_refused() -> None:
    with pytest.raises(ValueError, match="image_lora_rank is set, but tune = 'text'"):
        AlignSettings(tune="text", image_lora_rank=4)


def test_a_weight_without_a_gradient_does_not_spoil_checkpoints(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Idle(torch.nn.Linear):
        def __init__(self, own: torch.nn.Module) -> None:
            super().__init__(own.in_features, own.out_features, bias=False)  # type: ignore[arg-type]
            self.load_state_dict(own.state_dict())
            self.idle = torch.nn.Parameter(torch.ones(3))
            self.fixed = torch.nn.Parameter(torch.ones(3), requires_grad=False)

    own = colours.ColourEncoder.text_head
    monkeypatch.setattr(colours.ColourEncoder, "text_head", lambda self: Idle(own(self)))

    def stop(phase: str, done: int, total: int, metrics: Any) -> None:
        if (phase, done) == ("training", 25):
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        world.align(tmp_path / "run", progress=stop)
    assert world.align(tmp_path / "run").resumed_from == 20


def test_half_precision_begins_at_the_reference_and_goes_the_same_way(
    world: World, plain: tuple[Lines, dict[str, torch.Tensor]], tmp_path: Path
) -> None:
    lines, weights = trained(world, tmp_path / "run", precision="bf16")
    assert (lines[0]["margin"], lines[0]["kl"]) == (0, pytest.approx(0, abs=1e-6))
    assert [line["loss"] for line in lines] != [line["loss"] for line in plain[0]]
    assert lines[-1]["loss"] == pytest.approx(plain[0][-1]["loss"], rel=0.05)
    assert {w.dtype for w in weights.values()} == {torch.float32}


def test_the_losses_are_those_of_this_file(world: World, tmp_path: Path) -> None:
    """Refactoring must not change what is learnt: 50 steps, written down."""
    lines, _ = trained(world, tmp_path / "run", steps=50)
    assert [line["loss"] for line in lines] == pytest.approx(json.loads(GOLDEN.read_text()), rel=1e-3)


def test_schedules() -> None:
    # 10 steps, the first two warm up.
    assert [ramp(s, 10, 0.2, "linear") for s in range(10)] == pytest.approx(
        [0.5, 1, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8]
    )
    assert [ramp(s, 10, 0.2, "constant") for s in range(10)] == pytest.approx([0.5] + [1] * 9)
    # A cosine is half way down at half of the way, and at a quarter (1 + √½) / 2.
    assert [ramp(s, 10, 0.2, "cosine") for s in (0, 1, 2, 4, 6)] == pytest.approx(
        [0.5, 1, 1, (1 + 0.5**0.5) / 2, 0.5]
    )


def test_adapters_change_heads_by_little_rank_and_are_added_in(world: World, tmp_path: Path) -> None:
    lines, weights = trained(world, tmp_path / "run", text_lora_rank=1, image_lora_rank=2)
    assert lines[-1]["loss"] < lines[0]["loss"] - 0.1
    base = colours.builder().encoder()
    assert isinstance(base, colours.ColourEncoder)
    for name, head, rank in (("text.weight", base.text_head(), 1), ("image.weight", base.image_head(), 2)):
        singular = torch.linalg.svdvals(weights[name] - head.state_dict()["weight"])
        assert singular[rank - 1] > 1e-3
        assert singular[rank] < 1e-5
    aligned = colours.builder().encoder(str(tmp_path / "run"))
    assert aligned.spaces.image != base.spaces.image


def test_one_tower_may_have_adapters_and_the_other_none(world: World, tmp_path: Path) -> None:
    _, weights = trained(world, tmp_path / "run", image_lora_rank=1)
    base = colours.builder().encoder()
    assert isinstance(base, colours.ColourEncoder)
    text = torch.linalg.svdvals(weights["text.weight"] - base.text_head().state_dict()["weight"])
    image = torch.linalg.svdvals(weights["image.weight"] - base.image_head().state_dict()["weight"])
    assert text[2] > 1e-3
    assert image[1] < 1e-5


def test_a_run_with_adapters_resumes_with_the_same_bits(world: World, tmp_path: Path) -> None:
    def stop(phase: str, done: int, total: int, metrics: Any) -> None:
        if phase == "training" and done == 25:
            raise RuntimeError("stopped")

    settings = {"text_lora_rank": 2, "tune": "text"}
    lines, weights = trained(world, tmp_path / "whole", **settings)
    with pytest.raises(RuntimeError, match="stopped"):
        world.align(tmp_path / "run", progress=stop, **{**EVERYTHING, **settings})
    again, same = trained(world, tmp_path / "run", **settings)
    assert again == lines
    assert {n: w.numpy().tobytes() for n, w in same.items()} == {n: w.numpy().tobytes() for n, w in weights.items()}


def test_adapters_without_peft_are_one_clear_error(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(AlignmentError, match="needs the peft library") as raised:
        trained(world, tmp_path / "run", text_lora_rank=2)
    assert "aesalign[lora]" in (raised.value.hint or "")
