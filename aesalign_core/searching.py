"""From a query to hits, with the optional cascade: rephrase first, re-rank by reward after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aesalign_core.errors import PluginError, QueryError
from aesalign_core.messages import describe
from aesalign_core.promises import embedded_texts
from aesalign_core.types import Hit, Match, Rephrasing, SearchResult, Strategy, Vectors

if TYPE_CHECKING:
    from aesalign_core.gallery import Gallery
    from aesalign_core.plugins import Registry
    from aesalign_core.protocols import Encoder, Rephraser

MAX_QUERY_CHARS = 2_000
MAX_K = 10_000
RERANK_FACTOR = 10
RERANK_LEAST = 100


def search(
    queries: Sequence[str],
    gallery: Gallery,
    encoder: Encoder,
    *,
    k: int = 10,
    rephraser: Rephraser | None = None,
    strategy: Strategy = "k_list",
    reward: str | None = None,
    reward_weight: float = 0.0,
    where: str | None = None,
    plugins: Registry | None = None,
) -> list[SearchResult]:
    """Answers a batch of queries.

    Args:
        queries: Non-empty texts of at most `MAX_QUERY_CHARS` characters.
        gallery: Where to search.
        encoder: Whose text tower embeds the queries; its image tower must have filled the gallery.
        k: Hits per query.
        rephraser: Rewrites the queries before they are embedded.
        strategy: How it does so.
        reward: A reward column of the gallery; brought along with each hit.
        reward_weight: w of `similarity + w · z`, where z is the reward in standard deviations of the gallery. If it
            is not 0, the 10·k (at least 100) nearest photos are re-ranked.
        where: SQL condition on the gallery's columns.
        plugins: Whose `aesalign_hits` hooks may filter or re-order each result.

    Returns:
        One result per query, in order.

    Raises:
        QueryError: A query or an option cannot be searched.
        SpaceMismatchError: The gallery belongs to another encoder.
    """
    _check(queries, k, reward, reward_weight)
    gallery.check_encoder(encoder)
    rephrasings = rephraser.rephrase(queries, strategy=strategy) if rephraser else None
    texts = [r.text for r in rephrasings] if rephrasings else list(queries)
    if reward:
        gallery.default_reward(reward)  # an unknown one is refused before the model runs
    return search_vectors(
        queries,
        embedded_texts(encoder, texts),
        gallery,
        k=k,
        rephrasings=rephrasings,
        reward=reward,
        reward_weight=reward_weight,
        where=where,
        plugins=plugins,
    )


def search_vectors(
    queries: Sequence[str],
    vectors: Vectors,
    gallery: Gallery,
    *,
    k: int = 10,
    rephrasings: Sequence[Rephrasing] | None = None,
    reward: str | None = None,
    reward_weight: float = 0.0,
    where: str | None = None,
    plugins: Registry | None = None,
) -> list[SearchResult]:
    """As `search`, for queries that are embedded already.

    Args:
        queries: As `search` takes them.
        vectors: Their embeddings, (q, d), by an encoder whose image tower filled the gallery.
        gallery: Where to search.
        k: Hits per query.
        rephrasings: What was embedded instead of each query.
        reward: As in `search`.
        reward_weight: As in `search`.
        where: As in `search`.
        plugins: As in `search`.

    Raises:
        QueryError: A query or an option cannot be searched.
    """
    _check(queries, k, reward, reward_weight)
    column = gallery.default_reward(reward) if reward else None
    candidates = max(RERANK_FACTOR * k, RERANK_LEAST) if reward_weight else k
    found = gallery.search(vectors, candidates, rewards=(column,) if column else (), where=where)
    made: Sequence[Rephrasing | None] = rephrasings or [None] * len(queries)
    results = [
        SearchResult(query, _rank(gallery, matches, column, reward_weight)[:k], rephrasing)
        for query, matches, rephrasing in zip(queries, found, made, strict=True)
    ]
    return [_after_hooks(result, plugins) for result in results] if plugins else results


def _check(queries: Sequence[str], k: int, reward: str | None, weight: float) -> None:
    if not 1 <= k <= MAX_K:
        raise QueryError(f"k is {k}", hint=f"ask for 1 to {MAX_K} hits")
    if weight and not reward:
        raise QueryError("a reward weight without a reward", hint="name the reward to re-rank by")
    for query in queries:
        check_query(query)


def check_query(query: str) -> None:
    """Refuses a text that no text tower could make sense of.

    Raises:
        QueryError: It is empty, or too long.
    """
    if not query.strip():
        raise QueryError("the query is empty", hint="say what the photos should show")
    if len(query) > MAX_QUERY_CHARS:
        raise QueryError(
            f"the query has {len(query):,} characters",
            hint=f"text towers read a sentence; use at most {MAX_QUERY_CHARS:,}",
        )


def _rank(gallery: Gallery, matches: Sequence[Match], column: str | None, weight: float) -> tuple[Hit, ...]:
    mean, std = gallery.statistics(column) if column and weight else (0.0, 1.0)

    def score(match: Match) -> float:
        # A photo without this reward counts as average: it keeps its place by similarity.
        reward = match.rewards.get(column, mean) if column else mean
        return match.similarity + weight * (reward - mean) / (std or 1.0)

    hits = [Hit(m.id, m.path, score(m), m.similarity, m.rewards) for m in matches]
    return tuple(sorted(hits, key=lambda h: (-h.score, h.id)))


def _after_hooks(result: SearchResult, plugins: Registry) -> SearchResult:
    """Lets each plugin see what the one before it made; a broken one is an error that names it."""
    for implementation in plugins.manager.hook.aesalign_hits.get_hookimpls():
        try:
            changed = implementation.function(*[{"result": result}[name] for name in implementation.argnames])
        except Exception as error:
            raise PluginError(
                f"plugin {implementation.plugin_name!r} failed in aesalign_hits: {describe(error)}",
                hint=f"AESALIGN_DISABLE_PLUGINS={implementation.plugin_name} leaves it out",
            ) from error
        if changed is not None and not isinstance(changed, SearchResult):
            raise PluginError(f"plugin {implementation.plugin_name!r} returned no SearchResult from aesalign_hits")
        result = changed or result
    return result


def fell_back(results: Sequence[SearchResult]) -> list[Rephrasing]:
    """The rephrasings that fell back to the user's own words."""
    return [r.rephrasing for r in results if r.rephrasing is not None and r.rephrasing.fallback]
