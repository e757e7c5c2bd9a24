"""The small parts of a training run: batch order, learning rate, contrastive loss, log, plot."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from aesalign_core.alignment.batches import Batches
from aesalign_core.alignment.log import MetricsLog, read_metrics
from aesalign_core.alignment.pretraining import contrastive_loss
from aesalign_core.alignment.ranking_kl import ranking_kl
from aesalign_core.alignment.trainer import ramp
from aesalign_core.errors import AesalignError
from aesalign_core.report.loss_plot import draw


@given(st.integers(1, 40), st.integers(1, 50), st.integers(0, 2**40), st.integers(0, 60))
@settings(max_examples=100, deadline=None)
def test_each_item_comes_once_per_epoch_and_every_step_stands_alone(
    count: int, size: int, seed: int, start: int
) -> None:
    walked = Batches(count, size, seed=seed, stream=0)
    batches = [walked.at(step) for step in range(start + 3)]
    assert {len(b) for b in batches} == {min(size, count)}
    stream = np.concatenate(batches)
    for epoch in range(len(stream) // count):
        assert sorted(stream[epoch * count : (epoch + 1) * count]) == list(range(count))
    # One that begins at `start` sees what one that walked there sees.
    assert Batches(count, size, seed=seed, stream=0).at(start).tolist() == batches[start].tolist()


def test_epochs_seeds_and_streams_differ() -> None:
    def order(epoch: int = 0, seed: int = 0, stream: int = 0) -> list[int]:
        found: list[int] = Batches(20, 20, seed=seed, stream=stream).at(epoch).tolist()
        return found

    assert order() == order()
    assert order() not in (order(epoch=1), order(seed=1), order(stream=1))


def test_nothing_to_batch_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="no items"):
        Batches(0, 1, seed=0, stream=0)


def test_the_learning_rate_by_hand() -> None:
    assert [ramp(s, 8, 0.25) for s in range(8)] == pytest.approx(
        [0.5, 1.0] + [0.5 * (1 + math.cos(math.pi * i / 6)) for i in range(6)]
    )
    assert ramp(0, 1, 0.0) == 1.0
    assert [ramp(s, 4, 1.0) for s in range(4)] == [0.25, 0.5, 0.75, 1.0]


def test_the_contrastive_loss_by_hand() -> None:
    # Two pairs, right-angled: logits [[1/τ, 0], [0, 1/τ]], each row's loss is log(1 + e^{-1/τ}).
    unit = torch.eye(2)
    loss = contrastive_loss(unit, unit, torch.tensor([0, 1]), temperature=0.5)
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-2)), abs=1e-6)


def test_captions_of_one_photo_share_its_target() -> None:
    # Photo 0 twice, photo 1 once. Text rows equal image rows; logits of row 0: (2, 2, 0), targets (1/2, 1/2, 0).
    text = torch.tensor([[1.0, 0], [1, 0], [0, 1]])
    loss = contrastive_loss(text, text, torch.tensor([7, 7, 3]), temperature=0.5)
    twice = math.log(2 * math.exp(2) + 1) - 2
    once = math.log(2 + math.exp(2)) - 2
    assert loss.item() == pytest.approx((2 * twice + once) / 3, abs=1e-6)


def test_the_kl_of_rankings_by_hand() -> None:
    # Reference (1/2, 1/2), policy (3/4, 1/4): ½ log(2/3) + ½ log 2 = ½ log(4/3). The second query: equal, 0.
    policy = torch.tensor([[math.log(3.0), 0.0], [5.0, 1.0]])
    reference = torch.tensor([[0.0, 0.0], [7.0, 3.0]])
    assert ranking_kl(policy, reference).item() == pytest.approx(0.5 * math.log(4 / 3) / 2, abs=1e-6)


def test_the_gradient_of_the_kl_is_right() -> None:
    torch.manual_seed(0)
    policy = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    reference = torch.randn(3, 5, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda p: ranking_kl(p, reference), (policy,))
    assert ranking_kl(reference, reference).item() == pytest.approx(0.0, abs=1e-12)


@given(st.integers(2, 8), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_the_contrastive_loss_is_symmetric(count: int, seed: int) -> None:
    torch.manual_seed(seed)
    text, image = (torch.nn.functional.normalize(torch.randn(count, 5), dim=1) for _ in range(2))
    photos = torch.randint(0, 3, (count,))
    there, back = contrastive_loss(text, image, photos, 0.1), contrastive_loss(image, text, photos, 0.1)
    assert there.item() == pytest.approx(back.item(), rel=1e-5)


def test_a_log_goes_on_after_the_step_it_is_cut_back_to(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    log = MetricsLog(path, after=0)
    for step in (1, 2, 3):
        log.append({"step": step, "loss": step / 3, "seconds": step * 1.5})
    log.close()
    again = MetricsLog(path, after=2)
    assert again.seconds == 3.0
    again.append({"step": 3, "loss": 9.0})
    again.sync()
    again.close()
    assert [(line["step"], line["loss"]) for line in read_metrics(path)] == [(1, 1 / 3), (2, 2 / 3), (3, 9.0)]


def test_a_log_from_anywhere_is_read_up_to_the_first_bad_line(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    for bad in (b"[1]", b"3", b'{"step": [1]}', b"\xff\xfe", b'{"step"'):
        path.write_bytes(b'{"step": 1, "loss": 2}\n' + bad + b'\n{"step": 3, "loss": 2}\n')
        assert read_metrics(path) == [{"step": 1.0, "loss": 2.0}]
    assert read_metrics(tmp_path / "none") == []


def test_nothing_to_draw_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AesalignError, match="holds no step"):
        draw(tmp_path / "metrics.jsonl", tmp_path / "loss.png")
