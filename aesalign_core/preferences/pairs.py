"""From queries to preference grids: rephrase, retrieve, cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from aesalign_core.errors import PreferenceError
from aesalign_core.fingerprints import fingerprint
from aesalign_core.preferences import store as preference_store
from aesalign_core.preferences.grids import cut_grid
from aesalign_core.preferences.records import Dropped, PairsHeader, PairsResult
from aesalign_core.preferences.settings import PairSettings
from aesalign_core.promises import embedded_texts
from aesalign_core.searching import check_query
from aesalign_core.types import Match, PreferenceGrid, Rephrasing

if TYPE_CHECKING:
    from aesalign_core.gallery import Gallery
    from aesalign_core.protocols import Encoder, Rephraser

BATCH = 256
BATCH_CANDIDATES = 50_000
"""Candidates held at once: memory follows the batch, not the number of queries."""
REPEATED = "the same as an earlier query"

Progress = Callable[[int, int], None]

__all__ = ["Dropped", "PairsHeader", "PairsResult", "build_grids", "make_pairs"]


def make_pairs(
    queries: Sequence[str],
    gallery: Gallery,
    encoder: Encoder,
    rephraser: Rephraser,
    settings: PairSettings,
    *,
    out: Path,
    progress: Progress | None = None,
) -> PairsResult:
    """Builds the grids of many queries and writes them, or reuses a file that was made from the very same.

    A rephraser whose `settings` are not known cannot be told from another of its name: then nothing is reused.

    Args:
        queries: The users' own words; they are what alignment trains.
        gallery: Where the candidates are.
        encoder: The one to be aligned; its image tower filled the gallery.
        rephraser: Extends the queries before candidates are retrieved.
        settings: How grids are cut.
        out: The Parquet file; written beside and renamed.
        progress: Called with queries done and in all.

    Raises:
        PreferenceError: No query gave a grid, all photos have the same reward, or `out` is a file of something else.
        SpaceMismatchError: The gallery belongs to another encoder.
    """
    header = describe(queries, gallery, encoder, rephraser, settings)
    if out.exists():
        # Anything but our own file stays: a mistyped --out must not cost somebody's data.
        old = preference_store.read_header(out)
        if old.key == header.key and isinstance(getattr(rephraser, "settings", None), BaseModel):
            return preference_store.read(out, reused=True)
    result = build_grids(queries, gallery, encoder, rephraser, settings, progress=progress)
    if not result.grids:
        raise PreferenceError(
            f"none of {len(queries)} queries gave a grid; the first: {result.dropped[0].reason}",
            hint="index more photos, or ask for less: pairs.rows, pairs.columns, pairs.stride, pairs.margin",
        )
    preference_store.write(out, result)
    return result


def build_grids(
    queries: Sequence[str],
    gallery: Gallery,
    encoder: Encoder,
    rephraser: Rephraser,
    settings: PairSettings,
    *,
    progress: Progress | None = None,
) -> PairsResult:
    """Builds the grids of many queries, batch by batch; see `make_pairs`."""
    header = describe(queries, gallery, encoder, rephraser, settings)
    grids: list[PreferenceGrid] = []
    dropped: list[Dropped] = []
    fallbacks: list[Rephrasing] = []
    fresh = list(dict.fromkeys(queries))
    repeated = len(queries) - len(fresh)
    for done, (rephrasing, matches) in enumerate(_retrieve(fresh, gallery, encoder, rephraser, header), 1):
        grid = _cut(rephrasing, matches, header)
        if isinstance(grid, str):
            dropped.append(Dropped(rephrasing.query, grid))
        else:
            grids.append(grid)
        if rephrasing.fallback:
            fallbacks.append(rephrasing)
        if progress:
            progress(done + repeated, len(queries))
    dropped += [Dropped(query, REPEATED) for query in _repeats(queries)]
    return PairsResult(header, tuple(grids), tuple(dropped), tuple(fallbacks))


def describe(
    queries: Sequence[str], gallery: Gallery, encoder: Encoder, rephraser: Rephraser, settings: PairSettings
) -> PairsHeader:
    """Checks everything that can be checked before the work begins, and says what it will be made from."""
    for query in queries:
        check_query(query)
    if not queries:
        raise PreferenceError("no queries", hint="give at least one")
    gallery.check_encoder(encoder)
    reward = gallery.default_reward(settings.reward)
    mean, std = gallery.statistics(reward)
    if std <= 0:
        raise PreferenceError(
            f"every photo of {gallery.path} has the same {reward}", hint="index more photos, or choose another reward"
        )
    names = sorted(gallery.ids())
    how = getattr(rephraser, "settings", None)
    made_from = (
        list(queries), names, settings.model_dump(), reward, gallery.reward_fingerprints[reward], mean, std,
        gallery.space, encoder.spaces.text, rephraser.name,
        how.model_dump_json() if isinstance(how, BaseModel) else "",
    )  # fmt: skip
    return PairsHeader(
        settings=settings,
        reward=reward,
        mean=mean,
        std=std,
        rephraser=rephraser.name,
        encoder=encoder.name,
        space=gallery.space,
        text_space=encoder.spaces.text,
        photos=len(names),
        key=fingerprint(*made_from),
    )


def _retrieve(
    queries: Sequence[str], gallery: Gallery, encoder: Encoder, rephraser: Rephraser, header: PairsHeader
) -> Iterator[tuple[Rephrasing, list[Match]]]:
    settings = header.settings
    depth = settings.candidates + settings.hard_negatives
    size = max(1, min(BATCH, BATCH_CANDIDATES // depth))
    for start in range(0, len(queries), size):
        rephrasings = rephraser.rephrase(queries[start : start + size], strategy=settings.strategy)
        vectors = embedded_texts(encoder, [r.text for r in rephrasings])
        found = gallery.search(vectors, depth, rewards=(header.reward,))
        yield from zip(rephrasings, found, strict=True)


def _cut(rephrasing: Rephrasing, matches: Sequence[Match], header: PairsHeader) -> PreferenceGrid | str:
    return cut_grid(
        [m.id for m in matches],
        [m.similarity for m in matches],
        [m.rewards.get(header.reward, float("nan")) for m in matches],
        header.settings,
        std=header.std,
        query=rephrasing.query,
        rephrased=rephrasing.text,
    )


def _repeats(queries: Sequence[str]) -> list[str]:
    seen: set[str] = set()
    repeats = []
    for query in queries:
        if query in seen:
            repeats.append(query)
        seen.add(query)
    return repeats
