"""The offline rephraser: rules and a small lexicon, no language model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice, zip_longest

from pydantic import Field

from aesalign_core.protocols import BuildContext
from aesalign_core.rephrasing import ASPECTS, Expectations, compose
from aesalign_core.settings import Settings
from aesalign_core.types import Rephrasing, Strategy
from aesalign_embedded.lexicon import Subject, named_in

Aspects = Mapping[str, tuple[str, ...]]
SUBJECTS = 2
"""A query that names more is about the first two; phrases of a third would crowd them out."""


class TemplateSettings(Settings):
    """How the template rephraser fills its patterns.

    Attributes:
        expectations: k of `k_list`; `kw_dict` gets half of it per aspect.
    """

    expectations: int = Field(5, ge=1, le=20)


class TemplateRephraser:
    """Adds expectations that a hand-written lexicon holds for the subjects that a query names.

    Needs no network, key or encoder, and gives the same text for the same query every time.

    Args:
        settings: How many expectations.
        context: Not used; every component is given one.
    """

    Settings = TemplateSettings
    name = "template"

    def __init__(self, settings: TemplateSettings, context: BuildContext | None = None) -> None:
        self.settings = settings

    def rephrase(self, queries: Sequence[str], *, strategy: Strategy) -> list[Rephrasing]:
        """One rephrasing per query, in order; none ever falls back."""
        return [Rephrasing(q, compose(q, strategy, self._expect(q)), strategy, self.name) for q in queries]

    def _expect(self, query: str) -> Expectations:
        aspects = _merged(named_in(query))
        k = self.settings.expectations
        return Expectations(
            description=_description(aspects),
            phrases=tuple(map(_bare, islice(_by_turns(aspects), k))),
            aspects={name: tuple(map(_bare, phrases[: max(k // 2, 1)])) for name, phrases in aspects.items()},
            sentence=_sentence(aspects),
        )


def _merged(named: Sequence[Subject]) -> Aspects:
    """Phrases by aspect, no phrase twice. The subjects take turns at the first place, from aspect to aspect."""
    subjects = named[:SUBJECTS]
    turns = [[*subjects[i % len(subjects) :], *subjects[: i % len(subjects)]] for i in range(len(ASPECTS))]
    return {
        aspect: _mixed(aspect, [s for s in named if aspect in s.decides] or turn)
        for aspect, turn in zip(ASPECTS, turns, strict=True)
    }


def _mixed(aspect: str, subjects: Sequence[Subject]) -> tuple[str, ...]:
    """One aspect: the first phrase of each subject, then the second of each."""
    turns = zip_longest(*(s.aspects[aspect] for s in subjects))
    return tuple(dict.fromkeys(phrase for turn in turns for phrase in turn if phrase))


def _by_turns(aspects: Aspects) -> list[str]:
    """All phrases: the first of every aspect, then the second of every aspect, and so on."""
    return [p for turn in zip_longest(*aspects.values()) for p in turn if p]


def _bare(phrase: str) -> str:
    """A phrase without its article, as keywords are."""
    return phrase.removeprefix("a ").removeprefix("an ")


def _description(aspects: Aspects) -> str:
    first = {name: phrases[0] for name, phrases in aspects.items()}
    return (
        f"A photo with {first['style']} and {first['composition']}, in {first['light']},"
        f" with {first['colour']} and {first['detail']}"
    )


def _sentence(aspects: Aspects) -> str:
    firsts = [phrases[0] for phrases in aspects.values()]
    return f"with {', '.join(firsts[:-1])} and {firsts[-1]}"
