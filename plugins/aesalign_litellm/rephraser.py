"""The rephraser that asks an LLM."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from aesalign_core.protocols import BuildContext, Encoder
from aesalign_core.rephrasing import (
    PLAIN,
    Expectations,
    RejectedAnswer,
    checked,
    compared,
    compose,
    kept,
    similarities,
)
from aesalign_core.types import Rephrasing, Strategy
from aesalign_litellm.client import LlmClient
from aesalign_litellm.prompts import AskedAnswer, request
from aesalign_litellm.questions import Answer, Failure
from aesalign_litellm.settings import RephraserSettings


@dataclass(frozen=True, slots=True)
class _Draft:
    """A query with what the LLM said of it, or why that cannot be used."""

    query: str
    found: Expectations | None = None
    reason: str = ""
    cached: bool = False


class LitellmRephraser:
    """Asks any LLM that litellm knows for what a viewer hopes to see.

    What fails (no answer, a bad one, one that drifted) falls back to the query itself, with the reason in the result
    and one warning per batch. `original` and `repeat` ask nobody.

    Args:
        settings: Which model, how, for how much, and what is accepted.
        context: Gives the text tower for the drift check.
    """

    Settings = RephraserSettings
    name = "litellm"

    def __init__(self, settings: RephraserSettings, context: BuildContext) -> None:
        self.settings = settings
        self.client = LlmClient(settings, warn=context.warn)
        self._floor = -1.0 if settings.min_similarity is None else settings.min_similarity
        self._context = context
        self._seen = self._failed = 0

    def rephrase(self, queries: Sequence[str], *, strategy: Strategy) -> list[Rephrasing]:
        """One rephrasing per query, in order.

        Raises:
            BudgetError: The budget leaves no room for another request; answers so far are in the cache.
            LlmError: No query can be rephrased: no key, no such model, no connection.
        """
        if strategy in PLAIN:
            return [Rephrasing(q, compose(q, strategy), strategy, self.name) for q in queries]
        # An encoder that cannot be built must show before anything is paid for.
        encoder = self._context.encoder() if self._floor > -1 else None
        asked = [request(q, strategy, k=self.settings.expectations) for q in queries]
        answers = self.client.complete(asked)
        drafts = [self._draft(q, a) for q, a in zip(queries, answers, strict=True)]
        if encoder is not None:
            drafts = self._without_drift(drafts, strategy, encoder)
        results = [self._result(d, strategy) for d in drafts]
        self._tell(results)
        return results

    def _draft(self, query: str, answer: Answer[AskedAnswer] | Failure) -> _Draft:
        if isinstance(answer, Failure):
            return _Draft(query, reason=answer.reason)
        try:
            found = answer.value.found(self.settings.expectations)
            return _Draft(query, _filled(found, query, self.settings.max_chars), cached=answer.cached)
        except RejectedAnswer as rejection:
            return _Draft(query, reason=str(rejection), cached=answer.cached)

    def _without_drift(self, drafts: Sequence[_Draft], strategy: Strategy, encoder: Encoder) -> list[_Draft]:
        """Drops what the text tower finds too far from its query."""
        usable = [(i, d, d.found) for i, d in enumerate(drafts) if d.found is not None]
        texts = [compared(d.query, strategy, found) for _, d, found in usable]
        cosines = similarities(encoder, [d.query for _, d, _ in usable], texts)
        kept_drafts = list(drafts)
        for (i, draft, _), cosine in zip(usable, cosines.tolist(), strict=True):
            if not cosine >= self._floor:  # so that NaN fails
                reason = f"drifted from the query: cosine {cosine:.2f}, less than {self._floor:g}"
                kept_drafts[i] = _Draft(draft.query, reason=reason, cached=draft.cached)
        return kept_drafts

    def _result(self, draft: _Draft, strategy: Strategy) -> Rephrasing:
        if draft.found is None:
            return kept(draft.query, strategy, rephraser=self.name, reason=draft.reason, cached=draft.cached)
        text = compose(draft.query, strategy, draft.found)
        return Rephrasing(draft.query, text, strategy, self.name, cached=draft.cached)

    def _tell(self, results: Sequence[Rephrasing]) -> None:
        """One warning per batch. The running totals keep it from being taken for a repetition of an earlier one."""
        kinds = Counter(r.fallback.partition(":")[0] for r in results if r.fallback)
        self._seen += len(results)
        self._failed += kinds.total()
        if kinds:
            reasons = ", ".join(f"{kind} ({count})" for kind, count in kinds.most_common())
            self._context.warn(
                f"litellm: {kinds.total()} of {len(results)} queries keep their own words: {reasons};"
                f" {self._failed} of {self._seen} so far"
            )


def _filled(found: Expectations, query: str, limit: int) -> Expectations:
    """Checked expectations that say something.

    Raises:
        RejectedAnswer: They are empty, or not fit to be searched with.
    """
    if not (found.description or found.phrases or any(found.aspects.values()) or found.sentence):
        raise RejectedAnswer("empty answer")
    return checked(found, query=query, limit=limit)
