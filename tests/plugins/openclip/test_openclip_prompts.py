"""The prompts that open_clip ships, and that we build the classifier that open_clip builds from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch

from aesalign_core.build import Builder
from aesalign_core.errors import UnknownComponentError
from aesalign_core.evaluation.class_names import name_classes
from aesalign_core.evaluation.zeroshot import class_vectors
from aesalign_core.recipe import Recipe
from aesalign_core.testing.tiny_clip import tiny_model


def test_templates_are_those_of_open_clip() -> None:
    build = Builder()
    openai, simple = build.prompts("openai").templates, build.prompts("simple").templates
    assert [t.replace("{}", "cat") for t in openai] == [make("cat") for make in open_clip.OPENAI_IMAGENET_TEMPLATES]
    assert [t.replace("{}", "cat") for t in simple] == [make("cat") for make in open_clip.SIMPLE_IMAGENET_TEMPLATES]
    assert (len(openai), len(simple)) == (80, 7)
    assert all(t.count("{}") == 1 for t in openai)


def test_synsets_are_named_one_by_one_so_that_part_of_imagenet_will_do() -> None:
    # As ImageNet itself numbers them: the first, a bird, a machine and the last.
    known = {
        "n01440764": "tench",
        "n02012849": "crane bird",
        "n03126707": "construction crane",
        "n15075141": "toilet paper",
    }
    found = Builder().prompts("simple").class_names([*known, "cats"])
    assert found == known
    assert name_classes(["n01440764", "cats"], found) == ("tench", "cats")


def test_all_of_imagenet_has_the_order_of_open_clip() -> None:
    from timm.data import ImageNetInfo

    folders = sorted(ImageNetInfo().label_names())
    named = Builder().prompts("openai").class_names(folders)
    assert [named[folder] for folder in folders] == list(open_clip.IMAGENET_CLASSNAMES)


def test_the_nearest_prompt_set_is_named() -> None:
    with pytest.raises(UnknownComponentError, match=r"'simpel'.*'simple'"):
        Builder().prompts("simpel")


def test_class_vectors_are_open_clip_s_own(tmp_path: Path) -> None:
    spec = tiny_model(tmp_path)
    encoder = Builder(Recipe(device="cpu")).encoder(spec)
    arch, _, weights = spec.partition("/")
    model, _, _ = open_clip.create_model_and_transforms(arch, pretrained=weights)
    names = ["cat", "dog", "golden retriever"]
    theirs = open_clip.build_zero_shot_classifier(
        model.eval(), open_clip.get_tokenizer(arch), names, open_clip.SIMPLE_IMAGENET_TEMPLATES
    )
    with torch.no_grad():
        expected = theirs.T.numpy()
    ours = class_vectors(encoder, names, Builder().prompts("simple").templates)
    assert np.abs(ours - expected).max() < 1e-5
