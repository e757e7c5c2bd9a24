"""Bundled components against the contract of their kind: the very kit that other people's plugins are tested with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from aesalign_core.testing import (
    CombinedRewardContract,
    ObjectiveContract,
    PromptsContract,
    RephraserContract,
    RetrieverContract,
    RewardContract,
    TrainableEncoderContract,
)


class TestEmbeddedEncoder(TrainableEncoderContract):
    component = "embedded"
    refused = ({"batch_size": 0},)


class TestOpenClipEncoder(TrainableEncoderContract):
    component = "open_clip"
    refused = ({"model": ""}, {"batch_size": 0}, {"precision": "int3"}, {"trainable_blocks": -1})

    @pytest.fixture
    def settings(self, tiny_clip: str) -> Mapping[str, Any]:
        return {"model": tiny_clip}


class TestOpenClipLastBlocks(TrainableEncoderContract):
    component = "open_clip"
    refused = ({"trainable_blocks": "some"},)

    @pytest.fixture
    def settings(self, tiny_clip: str) -> Mapping[str, Any]:
        return {"model": tiny_clip, "trainable_blocks": 1}


class TestTemplateRephraser(RephraserContract):
    component = "template"
    refused = ({"expectations": 0}, {"expectations": 21})


class TestEmbeddedReward(RewardContract):
    component = "embedded"
    refused = ({"name": "No column"}, {"batch_size": 0})


class TestPromptContrast(RewardContract):
    component = "prompt_contrast"
    refused = ({"name": ""}, {"good": []}, {"bad": [" "]})
    other_settings = ({"good": ["a red square"]}, {"bad": ["a green circle"]})


class TestEnsemble(CombinedRewardContract):
    component = "ensemble"
    refused = ({"members": []}, {"members": [{"use": "embedded", "weight": 0}]}, {"members": [{"use": "ensemble"}]})
    other_settings = (
        {"members": [{"use": "embedded"}, {"use": "prompt_contrast", "weight": 3}]},
        {"members": [{"use": "embedded"}, {"use": "prompt_contrast", "good": ["a red square"]}]},
    )

    @pytest.fixture
    def settings(self) -> Mapping[str, Any]:
        return {"members": [{"use": "embedded"}, {"use": "prompt_contrast"}]}


class TestLanceRetriever(RetrieverContract):
    component = "lancedb"
    refused = ({"index": "hnsw"}, {"partitions": 0}, {"nprobes": 0}, {"refine_factor": 0})


class TestRankedDpo(ObjectiveContract):
    component = "ranked_dpo"
    refused = ({"beta": 0.0},)


class TestIpo(ObjectiveContract):
    component = "ipo"
    refused = ({"beta": 0.0},)


class TestSlic(ObjectiveContract):
    component = "slic"
    refused = ({"beta": 0.0},)


class TestPlackettLuce(ObjectiveContract):
    component = "plackett_luce"
    refused = ({"beta": 0.0},)


class TestLambdaDpo(ObjectiveContract):
    component = "lambda_dpo"
    refused = ({"beta": 0.0},)


class TestRewardDistillation(ObjectiveContract):
    component = "reward_distillation"
    refused = ({"target": 0.0},)


class TestOpenAiPrompts(PromptsContract):
    component = "openai"


class TestSimplePrompts(PromptsContract):
    component = "simple"
