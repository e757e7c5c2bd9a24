"""One optimiser step, and the state between two steps."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from aesalign_core.alignment import lora
from aesalign_core.alignment.batches import Batches
from aesalign_core.alignment.checkpoints import Checkpoint
from aesalign_core.alignment.data import TrainingData
from aesalign_core.alignment.pretraining import contrastive_loss
from aesalign_core.alignment.processes import ALONE, Processes
from aesalign_core.alignment.ranking_kl import ranking_kl
from aesalign_core.alignment.settings import AlignSettings, Schedule
from aesalign_core.alignment.step import Passes, Step
from aesalign_core.errors import AlignmentError
from aesalign_core.promises import output_of
from aesalign_core.protocols import Objective

_GRIDS, _CAPTIONS, _CANDIDATES = 0, 1, 2
"""Streams of batches."""


class Trainer:
    """Heads, optimiser and batch order.

    Everything a step does follows from the state and the step's number, so that a run that resumes from a state
    takes the very steps that the run before it would have taken.

    Args:
        data: What the steps read; its heads are trained in place.
        objective: The preference loss.
        settings: Of the run.
        processes: That take the steps together, each with the same weights, data and settings.
    """

    def __init__(
        self, data: TrainingData, objective: Objective, settings: AlignSettings, processes: Processes = ALONE
    ) -> None:
        self.data, self.objective, self.settings, self.processes = data, objective, settings, processes
        self.steps_done = 0
        self.heads = self._heads()
        self._weights = {name: w for name, w in self.heads.named_parameters() if w.requires_grad}
        self._passes = Passes(
            micro_batch=settings.micro_batch,
            half=settings.precision == "bf16",
            processes=processes,
        )
        self._optimizer = torch.optim.AdamW(_groups(self._weights, settings.weight_decay), lr=settings.learning_rate)
        self._grids = Batches(len(data.grid_photos), settings.batch_size, seed=settings.seed, stream=_GRIDS)
        self._captions: Batches | None = None
        if settings.pretraining_weight and len(data.caption_texts):
            size = settings.pretraining_batch
            self._captions = Batches(len(data.caption_texts), size, seed=settings.seed, stream=_CAPTIONS)
        self._candidates: Batches | None = None
        if settings.kl_weight:
            count, size = len(data.usable), settings.kl_candidates
            self._candidates = Batches(count, size, seed=settings.seed, stream=_CANDIDATES)

    def _heads(self) -> nn.ModuleDict:
        heads = nn.ModuleDict(self.data.heads())
        ranks = {"text": self.settings.text_lora_rank, "image": self.settings.image_lora_rank}
        with torch.random.fork_rng([]):
            torch.manual_seed(self.settings.seed)
            for tower in [name for name in heads if ranks[name]]:
                heads[tower] = lora.adapt(tower, heads[tower], ranks[tower])
        if self.settings.gradient_checkpointing:
            for tower, head in heads.items():
                _checkpoint(tower, head)
        self.data.replace_heads(dict(heads.items()))
        return heads

    def advance(self) -> dict[str, float]:
        """Takes one step.

        Returns:
            `step` (steps done), `loss`, `preference_loss`, `pretraining_loss` and `kl` (0 if they are off),
            `accuracy` and `margin` of the implicit reward, `pairs`, `grad_norm` (before clipping), `lr`.

        Raises:
            AlignmentError: The objective gave no loss with gradients, or the loss or its gradient is not finite; no
                weight was changed by this step.
        """
        # Heads are in eval mode and draw nothing, but an objective may: then it draws the same after a resume.
        torch.manual_seed(self.settings.seed + self.steps_done)
        number, settings = self.steps_done, self.settings
        rate = settings.learning_rate * ramp(number, settings.steps, settings.warmup, settings.schedule)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        step = self.step_at(number)
        output = output_of(self.objective, self.objective(step.grids()))
        off = torch.zeros((), device=self.data.reference.device)
        pretraining = contrastive_loss(*step.captions(), self.data.temperature) if self._captions else off
        kl = ranking_kl(*step.rankings()) if self._candidates else off
        loss = output.loss + settings.pretraining_weight * pretraining + settings.kl_weight * kl
        norm = self._backward(loss, step)
        measured = [loss, output.loss, pretraining, kl, output.accuracy, output.margin, output.pairs, norm]
        names = ("loss", "preference_loss", "pretraining_loss", "kl", "accuracy", "margin", "pairs", "grad_norm")
        # One copy from the device for all of them.
        values = torch.stack([m.detach().to(loss.device, torch.float32) for m in measured]).tolist()
        metrics = dict(zip(names, values, strict=True))
        if not all(math.isfinite(metrics[name]) for name in ("loss", "grad_norm")):
            raise AlignmentError(
                f"the loss or its gradient is not finite at step {self.steps_done + 1}",
                hint="lower align.learning_rate or the objective's beta",
            )
        self._optimizer.step()
        self.steps_done += 1
        return {"step": self.steps_done, **metrics, "lr": rate}

    def step_at(self, number: int) -> Step:
        """What the step of a number, counting from 0, reads, embedded with the weights as they are now."""
        captions = self._captions.at(number) if self._captions else None
        candidates = self._candidates.at(number) if self._candidates else None
        return Step(self.data, self._grids.at(number), captions, candidates, self._passes)

    def _backward(self, loss: Tensor, step: Step) -> Tensor:
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        step.backward()
        self.processes.add_gradients(self._weights.values())
        return torch.nn.utils.clip_grad_norm_(self._weights.values(), self.settings.clip)

    def state(self) -> Checkpoint:
        """The state between two steps, as copies."""
        moments = {
            f"{name}.{key}": value.detach().cpu().clone()
            for name, weight in self._weights.items()
            for key, value in self._optimizer.state[weight].items()
        }
        return Checkpoint(self.steps_done, _copies(self.heads.state_dict()), moments)

    def trained(self) -> dict[str, Tensor]:
        """The heads' weights, `text.…` and `image.…`, as copies, with adapters added in."""
        return _copies(lora.merged(self.heads))

    def restore(self, checkpoint: Checkpoint) -> None:
        """Goes back to a state.

        Raises:
            AlignmentError: It is not of such a run.
        """
        try:
            self.heads.load_state_dict(checkpoint.heads)
            for name, weight in self._weights.items():
                self._optimizer.state[weight] = _moments(checkpoint.optimizer, name, weight)
        except (RuntimeError, ValueError) as error:
            first = " ".join(str(error).split())[:160]
            raise AlignmentError(
                f"the checkpoint of step {checkpoint.step} does not fit this run: {first}",
                hint="train into another folder",
            ) from None
        self.steps_done = checkpoint.step


def ramp(step: int, steps: int, warmup: float, schedule: Schedule = "cosine") -> float:
    """The share of the peak learning rate at a step, which counts from 0: linear up, then as the schedule says."""
    rising = round(warmup * steps)
    if step < rising:
        return (step + 1) / rising
    if schedule == "constant":
        return 1.0
    done = (step - rising) / max(1, steps - rising)
    return 1 - done if schedule == "linear" else 0.5 * (1 + math.cos(math.pi * done))


def _checkpoint(tower: str, head: nn.Module) -> None:
    """Has a head's blocks computed again for the gradient; the name is that of timm's and open_clip's models."""
    switch = getattr(head, "set_grad_checkpointing", None)
    if switch is None:
        raise AlignmentError(
            f"the {tower} head is too small for align.gradient_checkpointing: it has no blocks to compute again",
            hint="use align.micro_batch for less memory",
        )
    switch(True)


def _copies(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone().contiguous() for name, value in weights.items()}


def _groups(weights: dict[str, nn.Parameter], weight_decay: float) -> list[dict[str, object]]:
    """Decays matrices only, as is usual: biases and scales are few and not what overfits."""
    matrices = [w for w in weights.values() if w.ndim > 1]
    others = [w for w in weights.values() if w.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def _moments(stored: dict[str, Tensor], name: str, weight: nn.Parameter) -> dict[str, Tensor]:
    moments = {key: stored.get(f"{name}.{key}") for key in ("step", "exp_avg", "exp_avg_sq")}
    found = {key: value for key, value in moments.items() if value is not None}
    if not found:  # no gradient has reached it yet, and AdamW has nothing on it
        return {}
    if len(found) != len(moments) or any(v.shape != weight.shape for k, v in found.items() if k != "step"):
        raise ValueError(f"the optimiser's state of {name} is missing or of another shape")
    # AdamW keeps its count of steps on the CPU.
    return {key: value if key == "step" else value.to(weight.device) for key, value in found.items()}
