"""Pages about two systems: the one way to them, whichever verb asks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aesalign_core.cli import console
from aesalign_core.errors import AesalignError

if TYPE_CHECKING:
    from aesalign_core.alignment.runs import Run
    from aesalign_core.build import Builder
    from aesalign_core.captions import Matched
    from aesalign_core.evaluation.judging import Judgement
    from aesalign_core.evaluation.questions import Question
    from aesalign_core.evaluation.systems import System
    from aesalign_core.gallery import Gallery
    from aesalign_core.protocols import Encoder
    from aesalign_core.report.comparing import Evidence
    from aesalign_core.report.comparison import Comparison
    from aesalign_core.report.measuring import Scored
    from aesalign_core.report.records import FrontPlot, GridExample

Page = Annotated[
    Path | None, typer.Option("--report", help="Write a page with all photos, before and after, to this HTML file.")
]


class Material:
    """What a user gave beside two systems, from which the evidence on the page is gathered.

    Args:
        build: Of encoders.
        gallery: With rewards; None: only what lists tell is known.
        captions: Of photos of the gallery.
        reward: The reward that is shown first; None: the one that was trained, or the gallery's first.
        run: The RUN folder whose training is shown.
        pairs: The grids that it was trained on.
    """

    def __init__(
        self,
        build: Builder,
        *,
        gallery: Gallery | None = None,
        captions: Matched | None = None,
        reward: str | None = None,
        run: Path | None = None,
        pairs: Path | None = None,
    ) -> None:
        from aesalign_core.alignment import runs
        from aesalign_core.preferences import store

        self._build, self._gallery, self._captions = build, gallery, captions
        self._run: Run | None = runs.read(run) if run else None
        self._pairs = store.read(pairs) if pairs else None
        if pairs and gallery is None:
            raise AesalignError("grids name photos by their ids", hint="add the --gallery they were made from")
        self._trained = self._trained_reward()
        self._reward = reward or self._known(self._trained)

    def evidence(self, old: System, new: System, judgement: Judgement | None, caveats: Sequence[str]) -> Evidence:
        """Everything that is known.

        Raises:
            AesalignError: Something that was asked for cannot be had.
        """
        from aesalign_core.report import training
        from aesalign_core.report.comparing import Evidence

        rewards = self._rewards(old, new)
        front, why_not = self._front(next(iter(rewards), ""))
        run = self._run
        return Evidence(
            judgement=judgement,
            rewards=rewards,
            trained=self._trained or "",
            grids=self._grids(list(old.rows)),
            curves=training.curves(run.folder, kept=run.record.kept) if run else (),
            settings=training.settings(run) if run else (),
            front=front,
            no_front=why_not,
            facts=(("Gallery", f"{len(self._gallery):,} photos"),) if self._gallery else (),
            caveats=tuple(caveats),
        )

    def _trained_reward(self) -> str | None:
        if self._pairs:
            return self._pairs.header.reward
        if self._run is None:
            return None
        return self._run.recipe.pairs.reward or next(iter(self._gallery.rewards if self._gallery else ()), None)

    def _known(self, reward: str | None) -> str | None:
        return reward if self._gallery and reward in self._gallery.rewards else None

    def _rewards(self, old: System, new: System) -> dict[str, Scored]:
        from aesalign_core.report import evidence

        if self._gallery and (self._reward or self._gallery.rewards):
            return evidence.rewards_of(self._gallery, (old, new), self._reward)
        return evidence.rewards_in((old, new), self._reward)

    def _grids(self, queries: Sequence[str]) -> tuple[GridExample, ...]:
        from aesalign_core.report import grids

        return grids.examples(self._pairs, self._gallery, queries) if self._pairs and self._gallery else ()

    def _front(self, reward: str) -> tuple[FrontPlot | None, str]:
        """The front of the RUN, or why there is none; neither without a RUN."""
        from aesalign_core.evaluation.sweeps import sweep
        from aesalign_core.report import evidence

        if self._run is None:
            return None, ""
        if self._captions is None or self._gallery is None:
            return None, "without captions of a gallery's photos nobody knows what is relevant"
        if reward not in self._gallery.rewards:
            return None, "the gallery has no rewards"
        try:
            base = self._build.base(self._run.folder)
            with console.progress("sweeping strengths and weights") as progress:
                found = sweep(self._gallery, self._captions, reward, self._run, base, progress=progress)
        except AesalignError as error:
            return None, str(error)
        return evidence.front(found, run=str(self._run.folder.resolve()), reward=reward), ""


def write(
    out: Path, old: System, new: System, questions: Sequence[Question], evidence: Evidence, *, k: int, title: str = ""
) -> Comparison:
    """Writes the page, with a bar for its pictures."""
    from aesalign_core.report.comparing import compare
    from aesalign_core.report.page import write_comparison

    comparison = compare(old, new, questions, evidence, k=k, title=title)
    with console.progress("pictures") as progress:
        write_comparison(out, comparison, progress=progress)
    return comparison


def write_encoders(
    out: Path,
    encoders: Sequence[Encoder],
    galleries: Sequence[Gallery],
    captions: Matched,
    build: Builder,
    *,
    new: str,
) -> None:
    """Writes the page of two encoders that are asked captions, each in its gallery; `new` is the new one's name."""
    from aesalign_core.encoder_names import run_of
    from aesalign_core.evaluation import questions, systems
    from aesalign_core.evaluation.fronts import DEPTH

    photos = galleries[0]
    paths = dict(zip(photos.ids(), photos.paths(), strict=True))
    before, after = (
        systems.of_encoder(captions.texts, gallery, encoder, k=DEPTH, paths=paths)
        for encoder, gallery in zip(encoders, galleries, strict=True)
    )
    run, _ = run_of(new) or (None, 0.0)
    material = Material(build, gallery=photos, captions=captions, run=run)
    missing = f"{len(captions.missing):,} captioned files are not in the gallery: left out."
    evidence = material.evidence(before, after, None, [missing] if captions.missing else [])
    write(out, before, after, questions.of_gallery(captions, photos), evidence, k=DEPTH)
