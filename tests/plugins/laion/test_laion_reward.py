from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import open_clip
import pytest
from PIL import Image

from aesalign_core.build import Builder
from aesalign_core.errors import AesalignError, ModelError, SettingsError, SpaceMismatchError
from aesalign_core.protocols import Reward
from aesalign_core.recipe import Recipe, Use
from aesalign_core.testing import tiny_clip
from aesalign_laion.published import HEADS
from aesalign_laion.reward import LaionReward, own_encoder

pytestmark = pytest.mark.photos
HEAD = HEADS["v1-vit-b-32"]


@pytest.fixture(scope="module")
def weights(photos_dir: Path) -> str:
    path = photos_dir.parent / "laion" / HEAD.file
    if not path.exists():
        pytest.skip("the published heads are not in ../shared/laion")
    return str(path)


@pytest.fixture
def clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands small random weights in for OpenAI's, under the published names and of the published width."""
    file = None
    for arch in ("ViT-B-32", "ViT-B-32-quickgelu"):
        config = {**tiny_clip.CONFIG, "embed_dim": 512, "quick_gelu": arch.endswith("quickgelu")}
        monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, arch, config)
        file = file or tiny_clip.save_weights(tmp_path, arch=arch)
        tag = {**open_clip.get_pretrained_cfg(arch, "openai"), "file": str(file)}
        monkeypatch.setitem(open_clip.pretrained._PRETRAINED, arch, {"openai": tag})
    assert file is not None
    return file


def build(weights: str, *, encoder: str = "ViT-B-32/openai", **settings: object) -> tuple[Builder, LaionReward]:
    use = Use(use="laion", weights=weights, **settings)
    builder = Builder(Recipe(device="cpu", encoder=Use(use=encoder), rewards=(use,)))
    reward = builder.rewards()[0]
    assert isinstance(reward, LaionReward)
    return builder, reward


def photos(n: int = 5) -> list[Image.Image]:
    draw = np.random.default_rng(0)
    return [Image.fromarray(draw.integers(0, 256, (70, 90, 3), dtype=np.uint8)) for _ in range(n)]


def test_a_gallery_of_the_heads_own_encoder_is_scored_from_its_vectors(clip: Path, weights: str) -> None:
    builder, reward = build(weights)
    encoder = builder.encoder()
    assert isinstance(reward, Reward)
    assert reward.name == "laion"
    assert reward.space == encoder.spaces.image
    assert reward._encoder is encoder  # the model is loaded once
    vectors = encoder.encode_pixels([encoder.preprocess(photo) for photo in photos()])
    scores = reward.score_pixels([reward.preprocess(photo) for photo in photos()])
    np.testing.assert_allclose(scores, reward.score_vectors(vectors), atol=1e-5)


def test_both_spellings_and_a_local_copy_are_one_space(clip: Path, weights: str) -> None:
    named = build(weights)[1]
    quick = build(weights, encoder="ViT-B-32-quickgelu/openai")
    assert quick[0].encoder().spaces.image == named.space
    use = Use(use="laion", weights=weights, encoder=f"ViT-B-32-quickgelu/{clip}", name="mine")
    local = Builder(Recipe(device="cpu", rewards=(use,))).rewards()[0]
    assert isinstance(local, LaionReward)
    assert (local.space, local.fingerprint, local.name) == (named.space, named.fingerprint, "mine")


def test_vectors_of_another_width_are_refused(clip: Path, weights: str) -> None:
    with pytest.raises(SpaceMismatchError, match="512 numbers"):
        build(weights)[1].score_vectors(np.ones((2, 768), np.float32))


@pytest.mark.parametrize(
    "asked",
    ["ViT-B-32/laion2b_s34b_b79k", "ViT-B-16/openai", "ViT-B-32/copy.safetensors", "hf-hub:a/b", "embedded", "run"],
)
def test_a_head_is_never_given_another_encoder(asked: str) -> None:
    with pytest.raises(SpaceMismatchError, match=r"trained on embeddings of ViT-B-32/openai") as error:
        own_encoder("v1-vit-b-32", asked)
    assert "ViT-B-32-quickgelu/path/to/openai.safetensors" in error.value.hint


def test_without_a_network_one_line_says_which_encoder_is_missing(weights: str) -> None:
    with pytest.raises(ModelError, match=r"cannot load ViT-B-32/openai.*the model hub cannot be reached"):
        build(weights, encoder="embedded")


def test_an_unknown_head_names_the_known_ones(weights: str) -> None:
    with pytest.raises(SettingsError, match="v1-vit-b-32"):
        build(weights, head="v3")


def test_no_file_in_the_cache_and_no_network_is_one_line(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # a network that refuses every connection
    with pytest.raises(AesalignError, match="cannot fetch .*" + re.escape(HEAD.file)):
        Builder(Recipe(device="cpu", rewards=(Use(use="laion"),))).rewards()


def test_the_cache_is_used_and_a_damaged_copy_in_it_is_not(
    clip: Path, weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    cached = tmp_path / "home" / "aesalign" / "laion" / HEAD.file
    cached.parent.mkdir(parents=True)
    cached.write_bytes(Path(weights).read_bytes())
    reward = Builder(Recipe(device="cpu", rewards=(Use(use="laion"),))).rewards()[0]
    assert reward.fingerprint == build(weights)[1].fingerprint
    cached.write_bytes(b"damaged")
    with pytest.raises(ModelError, match="cannot fetch"):
        Builder(Recipe(device="cpu", rewards=(Use(use="laion"),))).rewards()
