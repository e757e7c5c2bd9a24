"""The offline rephraser and its lexicon."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aesalign_core.errors import SettingsError
from aesalign_core.rephrasing import ASPECTS, compose
from aesalign_core.settings import validate
from aesalign_core.types import STRATEGIES, Strategy
from aesalign_embedded import lexicon
from aesalign_embedded.template import TemplateRephraser, TemplateSettings


def rephrase(query: str, strategy: Strategy, **settings: int) -> str:
    made = TemplateRephraser(TemplateSettings(**settings)).rephrase([query], strategy=strategy)
    return made[0].text


# "dog" is of animals, "beach" of water. Aspects alternate: style of animals, composition of water, light of animals,
# colour of water, detail of animals; the first phrase of each stands in the lexicon, articles are dropped.
DOG = {
    "original": "a dog on a beach",
    "repeat": "a dog on a beach, a dog on a beach, a dog on a beach, a dog on a beach, a dog on a beach",
    "detail": "a dog on a beach. A photo with an alert expressive pose and a level horizon, in soft side light, with"
    " deep blues and warm sand and sharp eyes",
    "k_list": "a dog on a beach, alert expressive pose, level horizon, soft side light, deep blues and warm sand,"
    " sharp eyes",
    "kw_dict": "a dog on a beach, style: alert expressive pose, calm open mood, composition: level horizon, eye-level"
    " view, light: soft side light, golden evening light, colour: deep blues and warm sand, natural coat colours,"
    " detail: sharp eyes, clear reflections",
    "reorg": "a dog on a beach, with an alert expressive pose, a level horizon, soft side light, deep blues and warm"
    " sand and sharp eyes",
}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_each_strategy_reads_as_it_should(strategy: Strategy) -> None:
    assert rephrase("a dog on a beach", strategy) == DOG[strategy]


def test_k_is_a_setting() -> None:
    assert rephrase("a dog on a beach", "k_list", expectations=2).count(",") == 2
    assert rephrase("a dog on a beach", "k_list", expectations=9).count(",") == 9
    assert "golden evening light" not in rephrase("a dog on a beach", "kw_dict", expectations=3)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("A man smiling", ["portrait"]),
        ("two girls laughing", ["children"]),
        ("Puppies!", ["animals"]),
        ("he is running and jumping", ["action"]),
        ("waves", ["water"]),
        ("hiking in the Mountains", ["landscape"]),
        ("an old church", ["city"]),
        ("breakfast", ["food"]),
        ("a still life", ["flowers"]),
        ("life", ["anything"]),
        ("fireworks", ["night"]),
        ("racing cars", ["action", "vehicles"]),
        ("a boat and a dog", ["water", "animals"]),
        ("a dog and a boat on the sea", ["water", "animals"]),
        ("quantum flux", ["anything"]),
        ("山と海", ["anything"]),
    ],
)
def test_subjects_are_found_by_their_words(query: str, names: list[str]) -> None:
    assert [s.name for s in lexicon.named_in(query)] == names


@pytest.mark.parametrize(
    "words",
    ["run runs running", "race races raced racing", "puppy puppies", "beach beaches", "bus buses", "horse horses"],
)
def test_the_forms_of_a_word_share_a_stem(words: str) -> None:
    assert len(set(lexicon.stems(words))) == 1


@pytest.mark.parametrize("pair", ["glass glance", "bus bush", "car cart", "sea seat", "cat cattle"])
def test_different_words_keep_different_stems(pair: str) -> None:
    assert len(set(lexicon.stems(pair))) == 2


def test_night_settles_the_light_wherever_it_is_named() -> None:
    text = rephrase("a man riding a bike down a street at night", "kw_dict")
    assert "light: glowing highlights with soft shadows, clean darkness without noise, colour" in text


def test_the_lexicon_is_whole() -> None:
    subjects = lexicon.subjects()
    assert subjects[0].name == "anything"
    assert len(subjects) == 12
    for subject in subjects:
        assert tuple(subject.aspects) == ASPECTS
        assert subject.name == "anything" or subject.triggers
        phrases = [p for aspect in subject.aspects.values() for p in aspect]
        assert all(len(aspect) >= 2 for aspect in subject.aspects.values())
        # A comma inside a phrase would make two of it in k_list.
        assert not [p for p in phrases if "," in p or len(p.split()) > 8 or p != p.strip()]


@given(st.text(min_size=1, max_size=300), st.sampled_from(STRATEGIES))
def test_any_query_is_rephrased_the_same_way_each_time_and_keeps_its_words(query: str, strategy: Strategy) -> None:
    text = rephrase(query, strategy)
    assert text == rephrase(query, strategy)
    assert (text == query) if strategy == "original" else text.startswith(query.strip().rstrip(".,;: "))
    assert strategy == "original" or len(text) > len(compose(query, "k_list"))


def test_settings_are_checked() -> None:
    with pytest.raises(SettingsError, match=r"expectation.*did you mean 'expectations'"):
        validate(TemplateSettings, {"expectation": 3}, where="[rephraser]")
    with pytest.raises(SettingsError, match="expectations"):
        validate(TemplateSettings, {"expectations": 0}, where="[rephraser]")


def test_it_needs_neither_torch_nor_an_encoder() -> None:
    program = (
        "import sys; from aesalign_embedded.template import TemplateRephraser as T;"
        "T(T.Settings()).rephrase(['a dog'], strategy='reorg');"
        "print(sorted({'torch', 'transformers', 'timm', 'litellm', 'PIL'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_examples_of_the_documentation_are_what_it_prints() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "rephrasers.md").read_text(encoding="utf-8")
    shown = re.findall(r'^\$ aesalign rephrase "(.+)" --strategy (\w+)\n(.+)$', page, re.MULTILINE)
    assert [strategy for _, strategy, _ in shown] == list(STRATEGIES)
    for query, strategy, text in shown:
        assert rephrase(query, strategy) == text


@pytest.mark.photos
def test_nearly_every_caption_of_real_photographs_names_a_subject(photos_dir: Path) -> None:
    with (photos_dir / "captions.csv").open(encoding="utf-8", newline="") as file:
        captions = [row["caption"] for row in csv.DictReader(file)]
    known = sum(lexicon.named_in(caption)[0].name != "anything" for caption in captions)
    assert known / len(captions) >= 0.98
