"""What a strategy makes of a query and expectations, and which answers are fit to be searched with."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aesalign_core.rephrasing import (
    ASPECTS,
    PLAIN,
    Expectations,
    RejectedAnswer,
    checked,
    cleaned,
    compared,
    compose,
    kept,
    similarities,
)
from aesalign_core.types import STRATEGIES, Strategy

FOUND = Expectations(
    description="A dog leaps through spray.",
    phrases=("soft light", "low angle"),
    aspects={"style": ("candid", "playful"), "composition": (), "light": ("golden hour",)},
    sentence="with candid style in golden light",
)


@pytest.mark.parametrize(
    ("strategy", "text"),
    [
        ("original", "a dog on a beach."),
        ("repeat", "a dog on a beach, a dog on a beach, a dog on a beach, a dog on a beach, a dog on a beach"),
        ("detail", "a dog on a beach. A dog leaps through spray."),
        ("k_list", "a dog on a beach, soft light, low angle"),
        ("kw_dict", "a dog on a beach, style: candid, playful, light: golden hour"),
        ("reorg", "a dog on a beach, with candid style in golden light"),
    ],
)
def test_each_strategy_composes_its_own_part_behind_the_query(strategy: Strategy, text: str) -> None:
    assert compose("a dog on a beach.", strategy, FOUND) == text


def test_a_text_that_begins_with_the_query_is_not_led_by_it_twice() -> None:
    assert compose("a cat", "detail", Expectations(description="A cat sleeps.")) == "a cat sleeps."
    assert compose("cat", "detail", Expectations(description="Cathedral at dusk")) == "cat. Cathedral at dusk"


def test_repeat_is_about_as_long_as_the_others_and_never_absurd() -> None:
    assert compose("cat", "repeat").split(", ") == ["cat"] * 8
    assert compose("one two three four five six", "repeat").count("one") == 4  # 24 words
    assert compose(" ".join("w" * 100), "repeat").count(",") == 1


@given(st.text(min_size=1).filter(str.strip), st.sampled_from(STRATEGIES))
def test_the_own_words_of_the_query_come_first(query: str, strategy: Strategy) -> None:
    text = compose(query, strategy, FOUND)
    own = query.strip().rstrip(".,;: ") or query
    assert text == query or text.startswith(own)


@given(st.text(max_size=200))
def test_a_cleaned_text_is_one_plain_line(text: str) -> None:
    try:
        line = cleaned(text, query="", limit=150)
    except RejectedAnswer:
        return
    assert line == " ".join(line.split())
    assert line.isprintable() or "\u200c" in line or "\u200d" in line
    assert len(line) <= 150
    assert not set("<>{}[]`\\|") & set(line)
    assert cleaned(line, query="", limit=150) == line


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "empty answer"),
        (" \n\t\x00 …", "empty answer"),
        ("\u202e\u200b", "empty answer"),
        ("x" * 21, "answer too long: 21 characters, more than 20"),
        ("see https://evil.ex", "answer is no plain text: it holds a web address"),
        ("WWW.evil.example", "answer is no plain text: it holds a web address"),
        ("<b>bold</b>", "answer is no plain text: it holds < >"),
    ],
)
def test_unfit_texts_are_rejected_with_their_kind(text: str, kind: str) -> None:
    with pytest.raises(RejectedAnswer) as caught:
        cleaned(text, query="a dog", limit=20)
    assert str(caught.value) == kind


def test_what_the_query_itself_holds_is_allowed() -> None:
    assert cleaned("a [red] sign, www.x.org", query="[red] www.x.org", limit=40) == "a [red] sign, www.x.org"


def test_control_and_invisible_characters_go_and_scripts_keep_their_joiners() -> None:
    assert cleaned("so\u200bft\x07 \u202elight\n", query="", limit=40) == "soft light"
    assert cleaned("می\u200cخواهم", query="", limit=40) == "می\u200cخواهم"


def test_phrases_are_short_and_their_sum_is_capped() -> None:
    ten = "one two three four five six seven eight nine ten"
    assert checked(Expectations(phrases=(ten + ".",)), query="", limit=60).phrases == (ten,)
    with pytest.raises(RejectedAnswer, match="11 words in one expectation"):
        checked(Expectations(phrases=(ten + " eleven",)), query="", limit=60)
    with pytest.raises(RejectedAnswer, match="12 characters, more than 10"):
        checked(Expectations(phrases=("abcd",), aspects={"light": ("efgh", "ijkl")}), query="", limit=10)


def test_a_description_is_compared_alone_and_keywords_where_they_stand() -> None:
    assert compared("a dog", "detail", FOUND) == "A dog leaps through spray."
    assert compared("a dog", "reorg", FOUND) == "with candid style in golden light"
    assert compared("a dog", "k_list", FOUND) == "a dog, soft light, low angle"


def test_similarities_are_cosines_row_by_row() -> None:
    class Encoder:
        name, dim = "letters", 2

        def encode_texts(self, texts: list[str]) -> np.ndarray:
            table = {"a": (1, 0), "b": (0.6, 0.8), "c": (0, 1)}
            return np.array([table[t] for t in texts], dtype=np.float32).reshape(-1, 2)

    found = similarities(Encoder(), ["a", "b"], ["b", "c"])  # type: ignore[arg-type]
    np.testing.assert_allclose(found, [0.6, 0.8], rtol=1e-6)
    assert similarities(Encoder(), [], []).shape == (0,)  # type: ignore[arg-type]


def test_a_fallback_is_the_query_itself_with_its_reason() -> None:
    record = kept("a dog", "k_list", rephraser="r", reason="timed out: 3 attempts")
    assert (record.text, record.fallback, record.cached) == ("a dog", "timed out: 3 attempts", False)


def test_the_aspects_and_plain_strategies_are_those_of_the_paper() -> None:
    assert ASPECTS == ("style", "composition", "light", "colour", "detail")
    assert set(STRATEGIES) >= PLAIN == {"original", "repeat"}
