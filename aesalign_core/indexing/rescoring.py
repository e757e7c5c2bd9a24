"""Scoring photos that are in a gallery already: from stored vectors where they will do, else by reading again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from aesalign_core.gallery import SPACE_KEY, as_matrix
from aesalign_core.indexing.engines.batch import Batch
from aesalign_core.indexing.engines.engine import Engine
from aesalign_core.promises import scores_of
from aesalign_core.protocols import Encoder, Retriever, Reward
from aesalign_core.types import BadFile, Scores

_TOGETHER = 2_048
"""Photos per write: rewriting a column costs by the write, and a cut-off run loses no more than this."""


class Rescorer:
    """Fills gaps in reward columns.

    Args:
        retriever: The store, whose columns exist.
        encoder: Who filled it.
        engine: Reads the photos whose vectors will not do.
    """

    def __init__(self, retriever: Retriever, encoder: Encoder, engine: Engine) -> None:
        self._retriever, self._encoder, self._engine = retriever, encoder, engine
        self._space = retriever.metadata()[SPACE_KEY]
        self.unscored: Counter[str] = Counter()

    def fill(
        self, rewards: Sequence[Reward], progress: Callable[[int, int], None]
    ) -> tuple[dict[str, int], list[BadFile]]:
        """Scores what is missing.

        Returns:
            How many photos got each reward, and the files that could not be read for it. Files that are gone are
            not among these. Photos that a reward has no finite score for are counted in `unscored`.
        """
        missing, paths = self._missing([r.name for r in rewards])
        filled: dict[str, int] = {}
        for reward in rewards:
            if missing[reward.name] and reward.space == self._space:
                filled[reward.name] = self._from_vectors(reward, missing.pop(reward.name))
        readers = [r for r in rewards if missing.get(r.name)]
        if not readers:
            return filled, []
        counts, bad = self._from_files(readers, missing, paths, progress)
        return filled | counts, bad

    def _missing(self, names: Sequence[str]) -> tuple[dict[str, list[str]], dict[str, str]]:
        """Ids without each reward, and the paths of all of them."""
        missing: dict[str, list[str]] = {name: [] for name in names}
        paths: dict[str, str] = {}
        for batch in self._retriever.scan(["id", "path", *names]):
            ids, places = batch["id"], batch["path"]
            for name in names:
                empty = batch[name].is_null()
                missing[name] += ids.filter(empty).to_pylist()
                paths.update(zip(ids.filter(empty).to_pylist(), places.filter(empty).to_pylist(), strict=True))
        return missing, paths

    def _from_vectors(self, reward: Reward, ids: Sequence[str]) -> int:
        for start in range(0, len(ids), _TOGETHER):
            part = ids[start : start + _TOGETHER]
            vectors = as_matrix(self._retriever.fetch(part, ["vector"])["vector"], self._encoder.dim)
            self._set(reward.name, part, scores_of(reward, reward.score_vectors(vectors), len(part)))
        return len(ids) - self.unscored[reward.name]

    def _set(self, name: str, ids: Sequence[str], scores: Scores) -> int:
        """Writes scores; gives how many there are."""
        self._retriever.set_column(name, ids, scores)
        none = int(np.isnan(scores).sum())
        self.unscored[name] += none
        return len(ids) - none

    def _from_files(
        self,
        rewards: Sequence[Reward],
        missing: Mapping[str, list[str]],
        paths: Mapping[str, str],
        progress: Callable[[int, int], None],
    ) -> tuple[dict[str, int], list[BadFile]]:
        lacking = {r.name: set(missing[r.name]) for r in rewards}
        ids = {paths[i]: i for i in set().union(*lacking.values()) if Path(paths[i]).is_file()}
        bad: list[BadFile] = []
        counts = {r.name: 0 for r in rewards}
        done = 0
        for group in self._groups(rewards, ids, bad):
            for name, scores in group.items():
                wanted = {i: s for i, s in scores.items() if i in lacking[name]}
                counts[name] += self._set(name, list(wanted), np.array(list(wanted.values()), dtype=np.float32))
                lacking[name] -= wanted.keys()
            done += len(next(iter(group.values())))
            progress(done, len(ids))
        progress(len(ids), len(ids))
        return {name: n for name, n in counts.items() if n}, bad

    def _groups(
        self, rewards: Sequence[Reward], ids: Mapping[str, str], bad: list[BadFile]
    ) -> Iterator[dict[str, dict[str, float]]]:
        """Scores by reward and id, enough for one write at a time."""
        group: dict[str, dict[str, float]] = {}
        count = 0
        for batch in self._engine.read([Path(path) for path in sorted(ids)], rewards, embed=False):
            bad += [*batch.bad, *_changed(batch, ids)]
            for name, values in batch.scores.items():
                group.setdefault(name, {}).update(zip([i.id for i in batch.photos], values.tolist(), strict=True))
            count += len(batch.photos)
            if count >= _TOGETHER:
                yield group
                group, count = {}, 0
        if group:
            yield group


def _changed(batch: Batch, ids: Mapping[str, str]) -> list[BadFile]:
    """Files that hold something else than their row was made of. A score is the content's, whichever file had it."""
    changed = [item.path for item in (*batch.photos, *batch.known) if item.id != ids[str(item.path)]]
    return [BadFile(str(path), "has changed since it was indexed") for path in changed]
