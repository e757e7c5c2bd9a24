from __future__ import annotations

import csv
import os
import pickle
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from aesalign_core.errors import ModelError, SpaceMismatchError
from aesalign_laion.heads import AffineHead, fold, load_head, read_state
from aesalign_laion.published import HEADS, HeadName

ALL: list[HeadName] = list(HEADS)


class Attack:
    """What a malicious pickle looks like: reading it makes a folder."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.target),)


@pytest.fixture(scope="module")
def published_dir(photos_dir: Path) -> Path:
    folder = photos_dir.parent / "laion"
    if not folder.is_dir():
        pytest.skip("the published heads are not in ../shared/laion")
    return folder


@pytest.mark.photos
def test_the_v1_head_reproduces_the_scores_of_493_photographs(published_dir: Path, photos_dir: Path) -> None:
    head = load_head("v1-vit-b-32", published_dir / HEADS["v1-vit-b-32"].file)
    embeddings = np.load(photos_dir / "clip_vit_b_32_embeddings.npy").astype(np.float32)
    with (photos_dir / "laion_b32.csv").open(newline="") as file:
        expected = np.array([float(row["laion_v1_vit_b_32"]) for row in csv.DictReader(file)])
    assert embeddings.shape == (493, 512)
    assert np.abs(head.score(embeddings) - expected).max() < 1e-2
    # Embeddings are normalised first: their length plays no part.
    np.testing.assert_allclose(head.score(7 * embeddings), head.score(embeddings), rtol=1e-6)


@pytest.mark.photos
@pytest.mark.parametrize("name", ALL)
def test_every_published_head_loads_and_gives_plausible_scores(name: HeadName, published_dir: Path) -> None:
    head = load_head(name, published_dir / HEADS[name].file)
    assert head.weight.shape == (HEADS[name].dim,)
    assert np.isfinite(head.weight).all()


@pytest.mark.photos
def test_the_folded_v2_head_is_the_published_mlp(published_dir: Path) -> None:
    name: HeadName = "v2-vit-l-14"
    path = published_dir / HEADS[name].file
    # The network of its authors, with its dropout, as inference runs it.
    layers = torch.nn.Sequential(
        torch.nn.Linear(768, 1024), torch.nn.Dropout(0.2), torch.nn.Linear(1024, 128), torch.nn.Dropout(0.2),
        torch.nn.Linear(128, 64), torch.nn.Dropout(0.1), torch.nn.Linear(64, 16), torch.nn.Linear(16, 1),
    ).eval()  # fmt: skip
    state = torch.load(path, weights_only=True, map_location="cpu")
    layers.load_state_dict({key.removeprefix("layers."): value for key, value in state.items()})
    embeddings = np.random.default_rng(0).normal(size=(500, 768)).astype(np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    with torch.inference_mode():
        expected = layers(torch.from_numpy(embeddings)).numpy()[:, 0]
    assert np.abs(load_head(name, path).score(embeddings) - expected).max() < 1e-4


def test_folding_by_hand() -> None:
    # Layer 0: (x, y) -> (x + 2y + 1, 3x - 1). Layer 2: (a, b) -> 5a - b + 2.
    # Together: 5(x + 2y + 1) - (3x - 1) + 2 = 2x + 10y + 8.
    head = fold(
        {
            "layers.0.weight": np.array([[1.0, 2.0], [3.0, 0.0]]),
            "layers.0.bias": np.array([1.0, -1.0]),
            "layers.2.weight": np.array([[5.0, -1.0]]),
            "layers.2.bias": np.array([2.0]),
        }
    )
    assert head.weight.tolist() == [2.0, 10.0]
    assert head.bias == 8.0


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 6), min_size=1, max_size=12))
def test_a_fold_equals_its_chain(seed: int, widths: list[int]) -> None:
    draw = np.random.default_rng(seed)
    sizes = [*widths, 1]
    state: dict[str, np.ndarray] = {}
    x = value = draw.normal(size=sizes[0])
    for i, (inputs, outputs) in enumerate(pairwise(sizes)):
        state[f"layers.{i}.weight"] = weight = draw.normal(size=(outputs, inputs))
        state[f"layers.{i}.bias"] = bias = draw.normal(size=outputs)
        value = weight @ value + bias
    head = fold(state)
    assert head.weight @ x + head.bias == pytest.approx(value[0], rel=1e-9, abs=1e-9)


def test_a_score_is_of_the_direction_and_not_of_its_batch() -> None:
    head = AffineHead(np.array([2.0, -1.0]), 5.0)
    # (3, 4) has length 5: 2 * 0.6 - 0.8 + 5 = 5.4. A vector of no length has no direction: b.
    vectors = np.array([[3, 4], [30, 40], [0, -1], [0, 0]], dtype=np.float32)
    assert head.score(vectors).tolist() == pytest.approx([5.4, 5.4, 6.0, 5.0])
    for row, alone in zip(head.score(vectors), vectors, strict=True):
        assert head.score(alone[None])[0] == pytest.approx(row, abs=1e-6)
    assert head.score(np.empty((0, 2), np.float32)).shape == (0,)


@pytest.mark.parametrize("shape", [(4, 3), (4,), (1, 2, 2)])
def test_vectors_of_another_width_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(SpaceMismatchError, match="vectors of 2 numbers"):
        AffineHead(np.array([2.0, -1.0]), 5.0).score(np.zeros(shape, np.float32))


@pytest.mark.parametrize("name", ALL)
def test_a_file_that_is_not_the_published_one_is_refused_unread(name: HeadName, tmp_path: Path) -> None:
    evil = tmp_path / "head.pth"
    evil.write_bytes(pickle.dumps(Attack(tmp_path / "pwned")))
    with pytest.raises(ModelError, match="sha256 is another") as error:
        load_head(name, evil)
    assert HEADS[name].url in error.value.hint
    assert not (tmp_path / "pwned").exists()


def test_a_malicious_file_that_passed_every_check_would_still_run_nothing(tmp_path: Path) -> None:
    evil = BytesIO()
    torch.save({"weight": torch.zeros(1, 2), "bias": Attack(tmp_path / "pwned")}, evil)
    for data in (evil.getvalue(), pickle.dumps(Attack(tmp_path / "pwned")), b"", b"\x80\x04garbage"):
        with pytest.raises(ModelError, match="more than tensors") as error:
            read_state(data)
        assert "\n" not in str(error.value)
    assert not (tmp_path / "pwned").exists()


def test_a_missing_file_and_a_broken_chain_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot read the head"):
        load_head("v1-vit-b-32", tmp_path / "nowhere.pth")
    with pytest.raises(ModelError, match="do not form a chain"):
        fold({"layers.0.weight": np.ones((3, 2)), "layers.0.bias": np.ones(3)})
    with pytest.raises(ModelError, match="do not form a chain"):
        fold({"weight": np.ones((1, 2))})
