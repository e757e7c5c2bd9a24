"""LAION's reward against the contract of rewards, with small random weights where OpenAI's would be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import open_clip
import pytest

from aesalign_core.recipe import Recipe, Use
from aesalign_core.testing import RewardContract, tiny_clip
from aesalign_laion.published import HEADS


@pytest.mark.photos
class TestLaion(RewardContract):
    component = "laion"
    refused = ({"name": "No column"}, {"head": "v9"})
    other_settings = ({},)  # its heads are of one published model each, of which there is one here
    rebuilds = False  # the weights are small ones, in this process only
    network = True  # models are looked for on the hub by their names

    @pytest.fixture(autouse=True)
    def published(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Under the published name and of the published width."""
        monkeypatch.setitem(
            open_clip.factory._MODEL_CONFIGS, "ViT-B-32", {**tiny_clip.CONFIG, "embed_dim": 512, "quick_gelu": False}
        )
        file = tiny_clip.save_weights(tmp_path, arch="ViT-B-32")
        tag = {**open_clip.get_pretrained_cfg("ViT-B-32", "openai"), "file": str(file)}
        monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "ViT-B-32", {"openai": tag})

    @pytest.fixture
    def recipe(self) -> Recipe:
        return Recipe(device="cpu", encoder=Use(use="ViT-B-32/openai"))

    @pytest.fixture
    def settings(self, photos_dir: Path) -> Mapping[str, Any]:
        return {"weights": str(photos_dir.parent / "laion" / HEADS["v1-vit-b-32"].file)}
