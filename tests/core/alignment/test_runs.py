"""RUN folders from strangers: whatever is wrong with one is a clear error."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import colours
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_alignment import World

from aesalign_core.alignment import runs
from aesalign_core.errors import ModelError, SpaceMismatchError
from aesalign_core.fingerprints import of_file
from aesalign_core.types import Spaces


@pytest.fixture(scope="module")
def made(world: World) -> Path:
    return world.align(world.root / "made", tune="both", steps=3).run


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "run"))


def edit(run: Path, **changes: Any) -> None:
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, **changes}))


def reweigh(run: Path, tensors: dict[str, torch.Tensor]) -> None:
    save_file(tensors, run / "aligned.safetensors")
    edit(run, weights=of_file(run / "aligned.safetensors"))


def use(run: Path) -> Any:
    return colours.builder().encoder(str(run))


def test_a_copied_run_is_an_encoder(run: Path) -> None:
    encoder = use(run)
    weights = load_file(run / "aligned.safetensors")
    assert torch.equal(encoder.text_head().weight, weights["text.weight"])
    assert torch.equal(encoder.image_head().weight, weights["image.weight"])
    assert encoder.name == str(run)


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is no RUN folder: it has no run"):
        use(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "aesalign run 2"},
        {"tuned": []},
        {"tuned": ["text", "image", "text"]},
        {"tuned": ["audio"]},
        {"base": {}},
        {"made_from": {"a": {"b": 1}}},
        {"more": 1},
    ],
)
def test_a_record_that_no_run_writes(run: Path, changes: dict[str, Any]) -> None:
    edit(run, **changes)
    with pytest.raises(ModelError, match=r"cannot be used as a RUN: run\.json"):
        use(run)


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', "\udcff", "[" * 100_000, " " * 1_000_001])
def test_a_record_that_is_no_record(run: Path, text: str) -> None:
    (run / "run.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ModelError, match=r"cannot be used as a RUN: run\.json") as caught:
        use(run)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("text", [None, "device = ", "\udcff", "[encoder]\nuse = 3\n", "evil = 1\n", "#" * 1_000_001])
def test_a_recipe_that_is_none(run: Path, text: str | None) -> None:
    if text is None:
        (run / "recipe.toml").unlink()
    else:
        (run / "recipe.toml").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ModelError, match=r"recipe\.toml"):
        use(run)


def test_a_run_that_is_not_finished(run: Path) -> None:
    edit(run, finished=False)
    with pytest.raises(ModelError, match="is not finished"):
        use(run)


def test_an_encoder_that_has_changed_since(run: Path) -> None:
    record = json.loads((run / "run.json").read_text())
    edit(run, base={**record["base"], "text": "0" * 16})
    with pytest.raises(SpaceMismatchError, match=f"text: .*, was {'0' * 16}"):
        use(run)


def test_weights_that_are_not_the_run_s(run: Path) -> None:
    data = bytearray((run / "aligned.safetensors").read_bytes())
    data[-1] ^= 1
    (run / "aligned.safetensors").write_bytes(data)
    with pytest.raises(
        ModelError, match=r"aligned\.safetensors cannot be used: .*not the weights that run\.json names"
    ):
        use(run)
    (run / "aligned.safetensors").unlink()
    with pytest.raises(ModelError, match="No such file"):
        use(run)


def test_weights_that_do_not_fit(run: Path) -> None:
    good = load_file(run / "aligned.safetensors")
    for bad, told in (
        ({**good, "text.weight": torch.zeros(2, 2)}, "text.weight has another shape"),
        ({**good, "text.bias": torch.zeros(2)}, "text head has other weights"),
        ({n: v for n, v in good.items() if n != "image.weight"}, "image head has other weights"),
        (
            {**good, "image.weight": good["image.weight"] * float("nan")},
            "image head holds numbers",
        ),
    ):
        reweigh(run, bad)
        with pytest.raises(ModelError, match=told):
            use(run)


def test_weights_that_are_no_safetensors(run: Path) -> None:
    for raw in (b"", b"\xff" * 64, (2**40).to_bytes(8, "little") + b"{}", b"\x80\x04cposix\nsystem\n."):
        (run / "aligned.safetensors").write_bytes(raw)
        edit(run, weights=of_file(run / "aligned.safetensors"))
        with pytest.raises(ModelError, match="cannot be used"):
            use(run)


def test_a_link_out_of_the_run_is_read_only_if_it_is_the_run_s_weights(run: Path, made: Path) -> None:
    (run / "aligned.safetensors").unlink()
    (run / "aligned.safetensors").symlink_to(made / "run.json")
    with pytest.raises(ModelError, match="not the weights"):
        use(run)


def test_nothing_in_a_run_is_a_pickle(made: Path) -> None:
    kinds = {p.suffix for p in made.rglob("*") if p.is_file()} - {""}
    assert kinds == {".json", ".jsonl", ".toml", ".safetensors", ".npy", ".png"}


def test_runs_that_were_aligned_from_each_other(run: Path, made: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(made, tmp_path / "other"))
    recipe = (run / "recipe.toml").read_text()
    for folder, base in ((run, other), (other, run)):
        (folder / "recipe.toml").write_text(recipe.replace('use = "colours"', f'use = "{base}"'))
    with pytest.raises(ModelError, match="it was aligned from itself"):
        use(run)


def test_base_spaces_are_the_spaces_of_an_encoder() -> None:
    assert list(runs.BaseSpaces.model_fields) == list(Spaces.__dataclass_fields__)
