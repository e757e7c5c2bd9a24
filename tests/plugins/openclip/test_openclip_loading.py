from __future__ import annotations

import json
import os
import pickle
import shutil
import socket
import time
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file

from aesalign_core.build import Builder
from aesalign_core.errors import ModelError
from aesalign_core.testing import tiny_clip
from aesalign_openclip import hub, spec
from aesalign_openclip.encoder import OpenClipEncoder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models")
    tiny_clip.tiny_model(path)
    return path


@pytest.fixture(scope="module")
def weights(folder: Path) -> Path:
    return folder / "seed0.safetensors"


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    # The library reads the variable when it is imported, which may have been before the test began.
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


def build(model: str) -> OpenClipEncoder:
    encoder = Builder().encoder(model)
    assert isinstance(encoder, OpenClipEncoder)
    return encoder


@pytest.mark.parametrize(
    ("model", "message", "hint"),
    [
        ("ViT-B-32/", "names no weights", "ViT-B-32/TAG, with TAG openai"),
        ("ViT-B-32/openia", "no weights 'openia'", "'openai'"),
        ("vitb32/openai", "no architecture 'vitb32'", "'ViT-B-32'"),
        ("ViT-B-32/nowhere.safetensors", "no file nowhere.safetensors", "path"),
        ("ViT-B-32/some/weights.pt", "pickle", "ViT-B-32/weights.safetensors"),
        ("ViT-B-32/some/weights.bin", "pickle", "safetensors"),
        ("ViT-B-32/some/weights.json", "not a safetensors file", "safetensors"),
        ("hf-hub:", "names no hub repository", "hf-hub:organisation/name"),
        ("hf-hub:onlyname", "names no hub repository", "hf-hub:organisation/name"),
    ],
)
def test_a_name_that_cannot_be_meant_is_refused(model: str, message: str, hint: str) -> None:
    with pytest.raises(ModelError, match=message) as error:
        build(model)
    assert hint in error.value.hint
    assert "\n" not in str(error.value)


def test_an_architecture_alone_never_means_random_weights(folder: Path) -> None:
    for model in ("ViT-B-32", tiny_clip.ARCH):
        with pytest.raises(ModelError, match="names no weights"):
            spec.parse(model)


def test_a_tag_is_found_however_it_is_spelled() -> None:
    assert spec.parse("ViT-B-32/laion2B-s34B-b79K").tag == "laion2b_s34b_b79k"


@pytest.mark.parametrize("model", ["ViT-B-32/openai", "hf-hub:nobody/nothing"])
def test_no_network_is_one_line_at_once(model: str) -> None:
    began = time.perf_counter()
    with pytest.raises(ModelError, match="the model hub cannot be reached") as error:
        build(model)
    assert time.perf_counter() - began < 5
    assert "safetensors" in error.value.hint


def test_a_hub_that_refuses_connections_is_noticed_before_its_library_retries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for name in [n for n in os.environ if n.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{port}")
    assert not hub.reachable()
    began = time.perf_counter()
    with pytest.raises(ModelError, match="cannot be reached"):
        build("ViT-B-32/openai")
    assert time.perf_counter() - began < 5
    assert constants.HF_HUB_OFFLINE is False


def test_a_damaged_file_says_so(folder: Path, weights: Path) -> None:
    broken = folder / "broken.safetensors"
    for content in (b"", b"not safetensors at all", weights.read_bytes()[:-100]):
        broken.write_bytes(content)
        with pytest.raises(ModelError, match="is damaged") as error:
            build(f"{tiny_clip.ARCH}/{broken}")
        assert "\n" not in str(error.value)


def test_a_pickle_under_a_safetensors_name_is_not_run(folder: Path, tmp_path: Path) -> None:
    class Attack:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "pwned"),)

    evil = folder / "evil.safetensors"
    evil.write_bytes(pickle.dumps(Attack()))
    with pytest.raises(ModelError, match="is damaged"):
        build(f"{tiny_clip.ARCH}/{evil}")
    assert not (tmp_path / "pwned").exists()


def test_weights_of_another_shape_do_not_fit(folder: Path, weights: Path) -> None:
    state = load_file(weights)
    del state["visual.proj"]
    save_file(state, folder / "missing.safetensors")
    state["visual.proj"] = torch.zeros(48, 99)
    save_file(state, folder / "wrong.safetensors")
    save_file({}, folder / "empty.safetensors")
    for name in ("missing", "wrong", "empty"):
        with pytest.raises(ModelError, match=f"{name}.safetensors does not fit {tiny_clip.ARCH}") as error:
            build(f"{tiny_clip.ARCH}/{folder / name}.safetensors")
        assert "\n" not in str(error.value)


def test_a_published_tag_gets_the_activation_it_was_trained_with(
    folder: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = tiny_clip.add_arch(folder, "aesalign-tiny-quick", quick_gelu=True)
    tag = {**open_clip.get_pretrained_cfg("ViT-B-32", "openai"), "file": str(weights)}
    assert tag["quick_gelu"]
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, tiny_clip.ARCH, {"mine": tag})
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, quick, {"mine": tag})
    plain, named = build(f"{tiny_clip.ARCH}/mine"), build(f"{quick}/mine")
    assert plain.spaces == named.spaces
    np.testing.assert_array_equal(plain.encode_texts(["a dog"]), named.encode_texts(["a dog"]))
    assert plain.spaces != build(f"{tiny_clip.ARCH}/{weights}").spaces


def test_a_local_file_is_preprocessed_like_the_published_weights_of_its_architecture(
    folder: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = {**open_clip.get_pretrained_cfg("ViT-B-16-SigLIP", "webli"), "file": str(weights)}
    published = tiny_clip.add_arch(folder, "aesalign-tiny-published")
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, published, {"mine": tag})
    local, by_tag = build(f"{published}/{weights}"), build(f"{published}/mine")
    assert local._loaded.preprocess["mean"] == (0.5, 0.5, 0.5)
    assert local.spaces == by_tag.spaces


def test_a_hub_repository_in_the_cache_works_without_a_network(
    tmp_path: Path, folder: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = tmp_path / "models--somebody--tiny"
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    shutil.copy(weights, snapshot / "open_clip_model.safetensors")
    (snapshot / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": tiny_clip.CONFIG, "preprocess_cfg": {"mean": [0.1] * 3, "std": [0.2] * 3}})
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    cached, local = build("hf-hub:somebody/tiny"), build(f"{tiny_clip.ARCH}/{weights}")
    np.testing.assert_array_equal(cached.encode_texts(["a dog"]), local.encode_texts(["a dog"]))
    assert cached.spaces.text == local.spaces.text
    assert cached.spaces.image != local.spaces.image  # other mean and deviation


def test_a_siglip_model_has_a_bias_that_no_cosine_needs(folder: Path) -> None:
    arch = tiny_clip.add_arch(folder, "aesalign-tiny-bias", init_logit_bias=-10, init_logit_scale=2.0)
    encoder = build(f"{arch}/{tiny_clip.save_weights(folder, arch=arch, name='bias')}")
    assert encoder.temperature == pytest.approx(np.exp(-2.0))
    assert encoder.encode_texts(["a dog"]).shape == (1, tiny_clip.DIM)


TEXT, VISION = tiny_clip.CONFIG["text_cfg"], tiny_clip.CONFIG["vision_cfg"]
FAMILIES: dict[str, dict[str, object]] = {
    "custom-text": {"custom_text": True},
    "resnet": {"vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 32, "patch_size": None}},
    "timm": {"custom_text": True, "vision_cfg": {"timm_model_name": "resnet18", "image_size": 64}},
    "coca": {
        "custom_text": True,
        "text_cfg": {**TEXT, "output_tokens": True, "embed_cls": True},
        "vision_cfg": {**VISION, "output_tokens": True, "attentional_pool": True, "attn_pooler_heads": 4},
        "multimodal_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
    },
}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_of_architectures_works(family: str, folder: Path) -> None:
    arch = tiny_clip.add_arch(folder, f"aesalign-tiny-{family}", **FAMILIES[family])
    encoder = build(f"{arch}/{tiny_clip.save_weights(folder, arch=arch, name=family)}")
    images = encoder.encode_pixels([*np.random.default_rng(0).normal(size=(2, 3, 64, 64)).astype(np.float32)])
    texts = encoder.encode_texts(["a dog", "a cat"])
    for vectors in (images, texts):
        assert vectors.shape == (2, tiny_clip.DIM)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_the_same_model_in_another_layout_has_the_same_fingerprints(folder: Path, weights: Path) -> None:
    arch = tiny_clip.add_arch(folder, "aesalign-tiny-layout", custom_text=True)
    assert build(f"{arch}/{weights}").spaces == build(f"{tiny_clip.ARCH}/{weights}").spaces
