"""Cutting one query's candidates into a preference grid (the paper's partially ordered set D_po).

Rows fall in semantics and columns fall in reward, so that a photo dominates every photo that is neither above it
nor to the left of it: n = u·v photos give O(n²) preference pairs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aesalign_core.preferences.settings import PairSettings
from aesalign_core.types import PreferenceGrid

_Order = NDArray[np.intp]
_Values = NDArray[np.float32]


def cut_grid(
    ids: Sequence[str],
    similarities: Sequence[float] | _Values,
    rewards: Sequence[float] | _Values,
    settings: PairSettings,
    *,
    std: float = 1.0,
    query: str = "",
    rephrased: str = "",
) -> PreferenceGrid | str:
    """Cuts candidates into u semantic bands and keeps v photos of each, ordered by reward.

    The order of the candidates does not matter: ties are broken by id, a repeated id counts once, and a candidate
    without a finite similarity or reward is left out.

    Args:
        ids: n photo ids.
        similarities: (n,) cosine with the rephrased query.
        rewards: (n,) reward.
        settings: u, v, stride, margin and hard negatives.
        std: The gallery's standard deviation of the reward, the unit of `settings.margin`.
        query: Goes into the grid.
        rephrased: Goes into the grid.

    Returns:
        The grid, or in a few words why there is none.
    """
    names = np.asarray(ids, dtype=object)
    similarity, reward = np.asarray(similarities, dtype=np.float32), np.asarray(rewards, dtype=np.float32)
    ranked = _rank(names, similarity, reward)
    last = settings.candidates if settings.hard_negatives else len(ranked)
    rows = _cut_rows(names, reward, ranked[:last], settings, std)
    if isinstance(rows, str):
        return rows
    if settings.hard_negatives:
        after = ranked[last : last + settings.hard_negatives]
        if len(after) < settings.columns:
            return f"{len(after)} photos after the candidates, {settings.columns} needed as hard negatives"
        rows.append(_by_reward(names, reward, after)[: settings.columns])
    chosen = np.stack(rows)
    counted = reward[chosen]
    if settings.hard_negatives:
        counted[-1] = counted[:-1].min()  # beauty that was not asked for is worth nothing
    return PreferenceGrid(
        query=query,
        rephrased=rephrased,
        ids=tuple(tuple(names[row]) for row in chosen),
        rewards=counted,
        similarities=similarity[chosen],
    )


def _cut_rows(
    names: NDArray[np.object_], reward: _Values, ranked: _Order, settings: PairSettings, std: float
) -> list[_Order] | str:
    """Positions of v photos of each of u bands, or why there are none."""
    needed = settings.rows * settings.columns
    if len(ranked) < needed:
        return f"{len(ranked)} candidates with a reward, {needed} needed for {settings.rows} x {settings.columns}"
    rows = []
    for number, band in enumerate(np.array_split(ranked, settings.rows), 1):
        row = _cut_row(_by_reward(names, reward, band), reward, settings, std)
        if row is None:
            return f"band {number} of {settings.rows} has no {settings.columns} photos far enough apart in reward"
        rows.append(row)
    return rows


def _by_reward(names: NDArray[np.object_], reward: _Values, positions: _Order) -> _Order:
    """The same positions, highest reward first; ties by id."""
    return positions[np.lexsort((names[positions].astype(str), -reward[positions]))]


def _rank(names: NDArray[np.object_], similarity: _Values, reward: _Values) -> _Order:
    """Positions of the usable candidates, most similar first, each id once."""
    order = np.lexsort((-reward, names.astype(str), -similarity))
    usable = np.isfinite(similarity) & np.isfinite(reward)
    first: dict[str, int] = {}
    for position in order[usable[order]]:
        first.setdefault(names[position], position)
    return np.fromiter(first.values(), dtype=np.intp)


def _cut_row(band: _Order, reward: _Values, settings: PairSettings, std: float) -> _Order | None:
    """Keeps v positions of a band that is ordered by reward, at the widest stride that is allowed and fits."""
    widest = settings.stride or max(1, (len(band) - 1) // max(1, settings.columns - 1))
    for stride in range(widest, (settings.stride or 1) - 1, -1):
        row = _greedy(band, reward, settings.columns, stride, settings.margin * std)
        if row is not None:
            return row
    return None


def _greedy(band: _Order, reward: _Values, columns: int, stride: int, margin: float) -> _Order | None:
    """Takes the best photo, then each time the next best that is far enough: if any v photos fit, these do."""
    kept = [0]
    for rank in range(1, len(band)):
        if len(kept) == columns:
            break
        drop = float(reward[band[kept[-1]]]) - float(reward[band[rank]])
        if rank - kept[-1] >= stride and drop >= margin:
            kept.append(rank)
    return band[kept] if len(kept) == columns else None


def dominance(bands: NDArray[np.int64], rewards: _Values) -> NDArray[np.bool_]:
    """Which photo of a grid is preferred to which: at least as good on both axes and better on one.

    Args:
        bands: (n,) row numbers, 0 for the most similar.
        rewards: (n,).

    Returns:
        (n, n), True at [a, b] if a is preferred to b.
    """
    nearer, richer = bands[:, None] <= bands[None], rewards[:, None] >= rewards[None]
    strict = (bands[:, None] < bands[None]) | (rewards[:, None] > rewards[None])
    return np.asarray(nearer & richer & strict, dtype=np.bool_)
