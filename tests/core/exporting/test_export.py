"""Exports by the public API: adapters with NumPy alone, and whatever is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import colours
import numpy as np
import pytest
from libraries import cosine
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from tiny_alignment import World

from aesalign_core import export
from aesalign_core.errors import AesalignError, ExportError, ModelError, SettingsError
from aesalign_core.exporting.adapter import QueryAdapter

TEXTS = ["red", "a blue photo", "magenta", "beautiful yellow"]


@pytest.fixture(scope="module")
def run(world: World) -> Path:
    return world.align(world.root / "to-export", tune="adapter").run


@pytest.fixture(scope="module")
def folder(run: Path) -> Path:
    return export(run, "adapter", run.parent / "exported-adapter", colours.builder()).folder


@pytest.mark.parametrize("strength", [0.0, 0.25, 1.0, 2.5, 4.0])
def test_an_adapter_gives_the_run_s_embeddings_of_the_base_s(run: Path, folder: Path, strength: float) -> None:
    adapter, base = QueryAdapter.load(folder), colours.builder().encoder().encode_texts(TEXTS)
    mine = colours.builder().encoder(f"{run}@{strength:g}").encode_texts(TEXTS)
    assert cosine(adapter(base, strength=strength), mine) >= 0.999999
    assert cosine(adapter(3 * base, strength=strength), mine) >= 0.999999  # an API may not normalise
    np.testing.assert_allclose(adapter(base[0], strength=strength), mine[0], atol=1e-5)


def test_a_strength_is_exported_too(run: Path, tmp_path: Path) -> None:
    result = export(run, "adapter", tmp_path / "out", colours.builder(), strength=0.5)
    assert result.run == f"{run}@0.5"
    assert result.as_dict()["files"].keys() == {"adapter.json", "adapter.safetensors"}
    same = export(f"{run}@0.5", "adapter", tmp_path / "same", colours.builder())
    base, mine = colours.builder().encoder(), colours.builder().encoder(f"{run}@0.5")
    for made in (result, same):
        adapter = QueryAdapter.load(made.folder)
        assert cosine(adapter(base.encode_texts(TEXTS)), mine.encode_texts(TEXTS)) >= 0.999999


def test_it_says_what_it_is_for(run: Path, folder: Path) -> None:
    about = json.loads((folder / "adapter.json").read_text())
    space = colours.builder().encoder().spaces.text
    assert about == {
        "format": "aesalign query adapter 1",
        "dim": colours.DIM,
        "encoder": "colours",
        "space": space,
        "run": str(run),
    }


def test_it_is_applied_without_torch(folder: Path) -> None:
    program = (
        "import sys, numpy\n"
        "from aesalign_core.exporting.adapter import QueryAdapter\n"
        f"found = QueryAdapter.load({str(folder)!r})(numpy.eye({colours.DIM}, dtype='float32'), strength=0.5)\n"
        f"assert found.shape == ({colours.DIM}, {colours.DIM}) and found.dtype == 'float32'\n"
        "print([m for m in ('torch', 'pydantic', 'pyarrow', 'PIL') if m in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.strip() == "[]"


def test_an_adapter_of_an_adapted_run_reads_the_same_embeddings(run: Path, world: World, tmp_path: Path) -> None:
    from aesalign_core.alignment.align import align
    from aesalign_core.alignment.settings import AlignSettings

    build = colours.builder(encoder={"use": str(run)}, align=AlignSettings(tune="text", steps=3))
    further = align(world.pairs, world.gallery, tmp_path / "further", build).run
    adapter = QueryAdapter.load(export(further, "adapter", tmp_path / "out", colours.builder()).folder)
    mine = colours.builder().encoder(str(further)).encode_texts(TEXTS)
    assert cosine(adapter(colours.builder().encoder().encode_texts(TEXTS)), mine) >= 0.999999


@pytest.mark.parametrize("strength", [-0.1, 4.1, float("nan")])
def test_a_strength_that_is_none(folder: Path, strength: float) -> None:
    with pytest.raises(SettingsError, match="is no number from 0 to 4"):
        QueryAdapter.load(folder)(np.eye(colours.DIM, dtype=np.float32), strength=strength)


@pytest.mark.parametrize("vectors", [np.ones((2, 3)), np.ones(()), np.ones((1, 2, colours.DIM))])
def test_embeddings_of_another_width_say_which_encoder(folder: Path, vectors: np.ndarray) -> None:
    with pytest.raises(ModelError, match=f"maps embeddings of {colours.DIM} numbers.*colours"):
        QueryAdapter.load(folder)(vectors)


def test_embeddings_that_are_not_finite(folder: Path) -> None:
    with pytest.raises(ModelError, match="not finite"):
        QueryAdapter.load(folder)(np.full(colours.DIM, np.inf))


def test_none_gives_none(folder: Path) -> None:
    assert QueryAdapter.load(folder)(np.empty((0, colours.DIM), np.float32)).shape == (0, colours.DIM)


def test_a_folder_of_a_stranger(folder: Path, tmp_path: Path) -> None:
    tensors, about = load_file(folder / "adapter.safetensors"), (folder / "adapter.json").read_text()
    with pytest.raises(ModelError, match="holds no adapter"):
        QueryAdapter.load(tmp_path)
    for text in ("", "[]", "{}", "[" * 100_000, " " * 1_000_001):
        (tmp_path / "adapter.json").write_text(text)
        with pytest.raises(ModelError, match="holds no adapter"):
            QueryAdapter.load(tmp_path)
    (tmp_path / "adapter.json").write_text(about)
    nan = {**tensors, "bias": tensors["bias"] * np.nan}
    for wrong in ({"weight": tensors["weight"]}, {**tensors, "bias": tensors["bias"][:3]}, nan):
        save_file(wrong, tmp_path / "adapter.safetensors")
        with pytest.raises(ModelError, match="holds no adapter"):
            QueryAdapter.load(tmp_path)
    (tmp_path / "adapter.safetensors").write_bytes(b"\xff" * 64)
    with pytest.raises(ModelError, match="holds no adapter"):
        QueryAdapter.load(tmp_path)


def test_a_text_head_that_is_no_map_on_embeddings_says_what_to_train(world: World, tmp_path: Path) -> None:
    text = world.align(tmp_path / "run", steps=2).run  # its head reads 14 features, of which an embedding keeps 12
    with pytest.raises(ExportError, match="no linear map on its embeddings") as raised:
        export(text, "adapter", tmp_path / "out", colours.builder())
    assert "--tune adapter" in raised.value.hint
    assert not (tmp_path / "out").exists()


def test_a_format_that_the_encoder_has_not_names_those_it_has(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"the RUN .* of colours cannot be exported to 'onnx'") as raised:
        export(run, "onnx", tmp_path / "out", colours.builder())
    assert raised.value.hint == "it can be to adapter where the text head is a linear map"


def test_an_encoder_of_a_plugin_writes_what_it_names(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    def write(self: colours.ColourEncoder, to: str, folder: Path) -> None:
        (folder / "deep").mkdir()
        (folder / "deep" / "weights").write_bytes(self._text.weight.detach().numpy().tobytes())

    monkeypatch.setattr(colours.ColourEncoder, "export_formats", ("own",), raising=False)
    monkeypatch.setattr(colours.ColourEncoder, "export", write, raising=False)
    text = world.align(tmp_path / "run", steps=2).run
    result = export(text, "own", tmp_path / "out", colours.builder())
    shown = [path.relative_to(result.folder) for path in result.folder.rglob("*")]
    assert shown == [Path("deep"), Path("deep/weights")]
    assert result.files == {"deep/weights": 4 * colours.DIM * colours.F_TEXT}


def test_what_is_in_the_way_stays(run: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name in ("out", "file"):
        with pytest.raises(AesalignError, match="there is something at"):
            export(run, "adapter", tmp_path / name, colours.builder())
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]
    (tmp_path / "empty").mkdir()
    assert export(run, "adapter", tmp_path / "empty", colours.builder()).folder == tmp_path / "empty"


def test_an_export_that_fails_leaves_nothing(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AesalignError, match="No space left on device"):
        export(run, "adapter", tmp_path / "out", colours.builder())
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_for_safetensors_is_one_error(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(self: colours.ColourEncoder, to: str, folder: Path) -> None:
        raise SafetensorError("I/O error: No space left on device")

    monkeypatch.setattr(colours.ColourEncoder, "export_formats", ("own",), raising=False)
    monkeypatch.setattr(colours.ColourEncoder, "export", write, raising=False)
    text = world.align(tmp_path / "run", steps=2).run
    with pytest.raises(ExportError, match="No space left"):
        export(text, "own", tmp_path / "out", colours.builder())
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("name", ["nothing", "ViT-B-32/openai", ""])
def test_what_is_no_run(tmp_path: Path, name: str) -> None:
    with pytest.raises(AesalignError, match="RUN"):
        export(name and str(tmp_path / name), "adapter", tmp_path / "out", colours.builder())
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="is no RUN folder"):
        export(tmp_path / "empty", "adapter", tmp_path / "out", colours.builder())


def test_a_strength_is_given_once_and_in_range(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="has a strength already"):
        export(f"{run}@0.5", "adapter", tmp_path / "out", colours.builder(), strength=0.5)
    with pytest.raises(SettingsError, match="no number from 0 to 4"):
        export(run, "adapter", tmp_path / "out", colours.builder(), strength=7)


def test_onnx_without_its_extra_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    import torch

    from aesalign_core.exporting.onnx_graph import write_graph

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ExportError, match="ONNX graphs need onnx and onnxscript") as raised:
        write_graph(tmp_path / "x.onnx", torch.nn.Identity(), {"x": torch.zeros(2, 3)})
    assert "aesalign[export]" in raised.value.hint
