"""What a strategy makes of a query and of what a viewer hopes to see; shared by every rephraser.

The six strategies are those of the paper (arXiv 2406.09397, section 3.1). A rephraser finds `Expectations`, by
whatever means; how they are put beside the query, and what an answer may look like, is said here once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from aesalign_core.messages import one_line
from aesalign_core.promises import embedded_texts
from aesalign_core.types import Rephrasing, Scores, Strategy

if TYPE_CHECKING:
    from aesalign_core.protocols import Encoder

ASPECTS: tuple[str, ...] = ("style", "composition", "light", "colour", "detail")
"""The keys of `kw_dict`."""
PLAIN: frozenset[Strategy] = frozenset({"original", "repeat"})
"""Strategies that add nothing to the query, and so need no expectations."""
REPEAT_WORDS = 24
"""`repeat` is to be as long as the others: about a query of six words with five expectations."""
MAX_COPIES = 8
MAX_PHRASE_CHARS = 80
MAX_PHRASE_WORDS = 10
"""A phrase of more is a sentence, and speaks of something else than light and colour."""

_MARKUP = re.compile(r"[<>{}\[\]`\\|]")
_ADDRESS = re.compile(r"://|\bwww\.", re.IGNORECASE)


class RejectedAnswer(ValueError):  # noqa: N818 (a verdict on an answer, not a failure of the program)
    """An answer that must not become a search text. Its message is `kind: detail`; it never leaves a rephraser."""


@dataclass(frozen=True, slots=True)
class Expectations:
    """What a viewer would hope to see in photos for one query. A strategy reads its own part only.

    Attributes:
        description: For `detail`: a description of such a photo.
        phrases: For `k_list`: short expectations.
        aspects: For `kw_dict`: keywords by aspect.
        sentence: For `reorg`: the keywords reorganised into one sentence.
    """

    description: str = ""
    phrases: tuple[str, ...] = ()
    aspects: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sentence: str = ""


def compose(query: str, strategy: Strategy, found: Expectations | None = None) -> str:
    """The text to search with. The query's own words always come first, in their order.

    Args:
        query: The user's own words.
        strategy: Which part of `found` is used, and how.
        found: Not needed for the strategies in `PLAIN`.
    """
    found = found or Expectations()
    lead = query.strip().rstrip(".,;: ") or query
    match strategy:
        case "original":
            return query
        case "repeat":
            return ", ".join([lead] * _copies(lead))
        case "k_list":
            return ", ".join([lead, *found.phrases])
        case "kw_dict":
            return ", ".join(
                [lead, *(f"{name}: {', '.join(words)}" for name, words in found.aspects.items() if words)]
            )
        case "detail":
            return _led_by(lead, found.description, joiner=". ")
        case "reorg":
            return _led_by(lead, found.sentence, joiner=", ")


def _copies(lead: str) -> int:
    """How often a query is repeated: at least twice, at most `MAX_COPIES`."""
    return min(max(math.ceil(REPEAT_WORDS / max(len(lead.split()), 1)), 2), MAX_COPIES)


def _led_by(lead: str, text: str, *, joiner: str) -> str:
    """The text if it begins with the query's own words, else both."""
    start, rest = text[: len(lead)], text[len(lead) :]
    if start.casefold() == lead.casefold() and not rest[:1].isalnum():
        return lead + rest
    return lead + joiner + text if text else lead


def compared(query: str, strategy: Strategy, found: Expectations) -> str:
    """What is compared with the query to see whether an answer drifted from it.

    A description or sentence speaks of the subject, so it is compared as it was given: behind the query's own words
    any text would look near. Loose keywords name no subject, so they are compared where they will stand.
    """
    if strategy == "detail":
        return found.description
    return found.sentence if strategy == "reorg" else compose(query, strategy, found)


def similarities(encoder: Encoder, queries: Sequence[str], texts: Sequence[str]) -> Scores:
    """Cosine of each query and its text in the encoder's text tower: (n,) float32."""
    if not queries:
        return np.zeros(0, dtype=np.float32)
    vectors = embedded_texts(encoder, [*queries, *texts])
    first, second = vectors[: len(queries)], vectors[len(queries) :]
    return np.asarray(np.einsum("nd,nd->n", first, second), dtype=np.float32)


def cleaned(text: str, *, query: str, limit: int) -> str:
    """One line of plain text from what somebody else wrote.

    Control and invisible characters go, white space becomes single spaces.

    Args:
        text: Part of an answer.
        query: Whose own characters are allowed, whatever they are.
        limit: Most characters.

    Raises:
        RejectedAnswer: It is empty, too long, or holds an address or markup that the query does not.
    """
    line = one_line(text)
    if not any(c.isalnum() for c in line):
        raise RejectedAnswer("empty answer")
    if len(line) > limit:
        raise RejectedAnswer(f"answer too long: {len(line):,} characters, more than {limit:,}")
    if _ADDRESS.search(line) and not _ADDRESS.search(query):
        raise RejectedAnswer("answer is no plain text: it holds a web address")
    if strange := set(_MARKUP.findall(line)) - set(query):
        raise RejectedAnswer(f"answer is no plain text: it holds {' '.join(sorted(strange))}")
    return line


def checked(found: Expectations, *, query: str, limit: int) -> Expectations:
    """Cleans every part of somebody else's expectations.

    Args:
        found: As they came.
        query: What they are for.
        limit: Most characters that they may add to the query in all; phrases are short besides.

    Raises:
        RejectedAnswer: See `cleaned`.
    """

    def phrases(words: Sequence[str]) -> tuple[str, ...]:
        return tuple(_phrase(w, query) for w in words)

    aspects = {name: phrases(words) for name, words in found.aspects.items()}
    made = Expectations(
        description=cleaned(found.description, query=query, limit=limit) if found.description else "",
        phrases=phrases(found.phrases),
        aspects=aspects,
        sentence=cleaned(found.sentence, query=query, limit=limit) if found.sentence else "",
    )
    added = sum(map(len, made.phrases)) + sum(len(w) for words in aspects.values() for w in words)
    if added > limit:
        raise RejectedAnswer(f"answer too long: {added:,} characters, more than {limit:,}")
    return made


def _phrase(text: str, query: str) -> str:
    line = cleaned(text, query=query, limit=MAX_PHRASE_CHARS).rstrip(".,;")
    if (count := len(line.split())) > MAX_PHRASE_WORDS:
        raise RejectedAnswer(f"answer too long: {count} words in one expectation, more than {MAX_PHRASE_WORDS}")
    return line


def kept(query: str, strategy: Strategy, *, rephraser: str, reason: str, cached: bool = False) -> Rephrasing:
    """The rephrasing of a query that falls back to itself."""
    return Rephrasing(query, query, strategy, rephraser, fallback=reason, cached=cached)
