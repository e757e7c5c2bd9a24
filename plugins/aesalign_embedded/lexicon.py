"""The lexicon of the template rephraser: which subjects a query names, and what is hoped for of each.

The words stand in `lexicon.toml`, beside this module, for people to read and extend.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import pairwise

from aesalign_core.rephrasing import ASPECTS

DEFAULT = "anything"
_WORD = re.compile(r"[^\W_]+(?:'s)?")
_ENDINGS = ("'s", "ing", "ies", "es", "ed", "s")
_LEAST_STEM = 3


@dataclass(frozen=True, slots=True)
class Subject:
    """One table of the lexicon.

    Attributes:
        name: Of the table.
        triggers: Stemmed words, or pairs of them, that name the subject.
        aspects: Phrases by aspect, best first; every aspect has one at least.
        decides: Aspects that it settles alone wherever it is named.
    """

    name: str
    triggers: frozenset[str]
    aspects: Mapping[str, tuple[str, ...]]
    decides: frozenset[str]


def stem(word: str) -> str:
    """A word without its ending, roughly: `running`, `runs` and `run` agree, and so do `puppies` and `puppy`."""
    word = word.casefold()
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _LEAST_STEM and not word.endswith("ss"):
            word = word[: -len(ending)]
            break
    if len(word) > _LEAST_STEM and word[-1] in "ey":  # race, puppy
        word = word[:-1]
    return word[:-1] if len(word) > _LEAST_STEM and word[-1] == word[-2] else word  # runn(ing), pupp(y)


def stems(text: str) -> list[str]:
    """The stems of a text, in order."""
    return [stem(word) for word in _WORD.findall(text.casefold())]


@cache
def subjects() -> tuple[Subject, ...]:
    """All subjects in the order of the file, the default one first."""
    text = resources.files(__package__).joinpath("lexicon.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(text)
    spare = tables[DEFAULT]
    return tuple(
        Subject(
            name,
            frozenset(" ".join(stems(words)) for words in table["words"]),
            {aspect: tuple(table.get(aspect, spare[aspect])) for aspect in ASPECTS},
            frozenset(table.get("decides", ())),
        )
        for name, table in tables.items()
    )


def named_in(query: str) -> tuple[Subject, ...]:
    """The subjects that a query names: the one named most often first, among equals the one named first.

    The default subject, alone, if it names none.
    """
    found = stems(query)
    terms = [*found, *(f"{a} {b}" for a, b in pairwise(found))]
    default, *known = subjects()
    places = {s.name: [i for i, term in enumerate(terms) if term in s.triggers] for s in known}
    named = sorted((s for s in known if places[s.name]), key=lambda s: (-len(places[s.name]), places[s.name]))
    return tuple(named) or (default,)
