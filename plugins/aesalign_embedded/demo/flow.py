"""Index, rephrase, retrieve, score, cut grids, align, and compare before with after on held-out queries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aesalign_core.alignment.align import align
from aesalign_core.build import Builder
from aesalign_core.captions import write_captions
from aesalign_core.files import write_text
from aesalign_core.gallery import Gallery
from aesalign_core.indexing.index import index
from aesalign_core.preferences.pairs import make_pairs
from aesalign_core.recipe import Use
from aesalign_core.report.page import write_comparison
from aesalign_core.searching import search
from aesalign_embedded.demo import judging, packaged, page
from aesalign_embedded.demo.claim import claim
from aesalign_embedded.demo.material import Asked, Material, StageProgress, joined
from aesalign_embedded.demo.own import OwnPhotographs
from aesalign_embedded.demo.packaged import PackagedPhotographs
from aesalign_embedded.demo.photographs import COPIES, VIEWS
from aesalign_embedded.demo.result import DemoResult, Round
from aesalign_embedded.demo.settings import recipe_for, without_captions
from aesalign_embedded.demo.stages import Stages

if TYPE_CHECKING:
    from aesalign_core.preferences.records import PairsResult
    from aesalign_core.protocols import Encoder
    from aesalign_core.types import SearchResult
    from aesalign_embedded.demo.judging import Answers

LIMIT = 2_000
"""Of the user's photos, so that the demonstration stays short."""


def run_demo(
    photos: Path | None,
    out: Path,
    builder: Builder,
    *,
    captions: Path | None = None,
    queries: Path | None = None,
    limit: int = LIMIT,
    views: int = VIEWS,
    copies: int = COPIES,
    seed: int = 0,
    progress: StageProgress | None = None,
) -> DemoResult:
    """Runs the whole flow; run again, it goes on from what is there.

    Args:
        photos: The user's folder, or list of photos; None: photographs that installed packages carry.
        out: Where everything goes: photos, galleries, `round-N/` with pairs and RUN, `report.html`, `result.json`.
        builder: Of the components. What its recipe says of pairs and alignment overrides the demonstration's own.
        captions: CSV with the columns file and caption, of the user's photos.
        queries: The user's queries, one a line, instead of everyday ones.
        limit: How many of the user's photos are used at most, evenly chosen; 0: all.
        views: Pictures made of each photograph, if no folder is given.
        copies: Flawed copies of each of those.
        seed: Of the split and the training.
        progress: Called with (stage, done, total).

    Raises:
        AesalignError: `out` holds another demonstration, or a stage failed.
    """
    stages = Stages(progress)
    material: Material
    if photos is None:
        claim(out, packaged.key(seed=seed, views=views, copies=copies))
        material = PackagedPhotographs(
            out / "photos", seed=seed, views=views, copies=copies, progress=stages.enter("photographs")
        )
    else:
        material = OwnPhotographs(photos, out=out, captions=captions, queries=queries, limit=limit, seed=seed)
        claim(out, material.key)
    return _Demonstration(material, out, builder, seed, stages).run()


class _Demonstration:
    """The stages, in order."""

    def __init__(self, material: Material, out: Path, builder: Builder, seed: int, stages: Stages) -> None:
        self.material, self.out, self.stages = material, out, stages
        self._given = builder.recipe
        recipe = recipe_for(builder.recipe, photos=material.fewest, seed=seed)
        self.builder = Builder(recipe, found=builder.registry)
        self.encoder = self.builder.encoder()

    def run(self) -> DemoResult:
        gallery = self._index(self.out / "gallery", self.material.photos, self.builder)
        rounds = self.material.ask(gallery, self.encoder)
        if not any(asked.captions for asked in rounds):
            self.builder.recipe = without_captions(self.builder.recipe, self._given)
        played = []
        for number, asked in enumerate(rounds, 1):
            self.stages.suffix = f" ({number} of {len(rounds)})" if len(rounds) > 1 else ""
            played.append(self._round(asked, gallery, self.out / f"round-{number}"))
        self.stages.suffix = ""
        return self._report(gallery, joined(rounds), played)

    def _round(self, asked: Asked, gallery: Gallery, folder: Path) -> _Played:
        trainable = gallery
        if len(asked.trainable) < len(self.material.photos):
            trainable = self._index(folder / "gallery-trained", asked.trainable, self.builder)
        pairs = self._pairs(asked, trainable, folder)
        aligned = self._align(asked, trainable, folder)
        old = self._answers(asked, gallery, self.encoder)
        new = self._answers(asked, self._searched_after(gallery, aligned, folder), aligned)
        return _Played(Round(folder / "run", asked.trained, asked.held_out), trainable, pairs, old, new)

    def _index(self, folder: Path, photos: Sequence[Path], builder: Builder) -> Gallery:
        report = index(photos, folder, builder, prune=True, progress=self.stages.enter(f"index {folder.name}"))
        if report.bad:
            first = report.bad[0]
            builder.warn(f"{len(report.bad)} files were left out; the first: {first.path}: {first.reason}")
        return Gallery.open(folder, builder)

    def _pairs(self, asked: Asked, gallery: Gallery, folder: Path) -> PairsResult:
        return make_pairs(
            asked.trained,
            gallery,
            self.encoder,
            self.builder.rephraser(),
            self.builder.recipe.pairs,
            out=folder / "pairs.parquet",
            progress=self.stages.enter("rephrase, retrieve, cut grids"),
        )

    def _align(self, asked: Asked, gallery: Gallery, folder: Path) -> Encoder:
        captions = folder / "captions.csv" if asked.captions else None
        if captions:
            write_captions(captions, asked.captions)
        report = self.stages.enter("align")
        align(
            folder / "pairs.parquet",
            gallery.path,
            folder / "run",
            self.builder,
            captions=captions,
            photos_root=self.out,
            progress=lambda phase, done, total, numbers: report(done, total, numbers),  # noqa: ARG005
        )
        return self.builder.encoder(str(folder / "run"))

    def _searched_after(self, gallery: Gallery, aligned: Encoder, folder: Path) -> Gallery:
        """The same gallery where only the text tower was tuned; else one that the new image tower fills."""
        if aligned.spaces.image == gallery.space:
            return gallery
        changes = {"encoder": Use(use=str((folder / "run").resolve())), "rewards": ()}
        builder = Builder(self.builder.recipe.model_copy(update=changes), found=self.builder.registry)
        return self._index(folder / "gallery-aligned", self.material.photos, builder)

    def _answers(self, asked: Asked, gallery: Gallery, encoder: Encoder) -> list[SearchResult]:
        self.stages.enter("search")
        return search(asked.held_out, gallery, encoder, k=judging.K, plugins=self.builder.registry)

    def _report(self, gallery: Gallery, asked: Asked, played: Sequence[_Played]) -> DemoResult:
        old, new = [a for p in played for a in p.old], [a for p in played for a in p.new]
        reward = gallery.default_reward(self.builder.recipe.pairs.reward)
        rewards = dict(zip(gallery.ids(), map(float, gallery.scores(reward)), strict=True))
        flaws = self.material.flaws
        self.stages.enter("judge")
        judge = self.builder.judge()
        result = DemoResult(
            out=self.out,
            report=self.out / "report.html",
            gallery=gallery.path,
            photos=len(gallery),
            rounds=tuple(p.round for p in played),
            measures=judging.measures(asked, old, new, reward=reward, rewards=rewards, flaws=flaws),
            tallies=judging.tallies(judge, asked, old, new),
            queries=judging.rows(asked, old, new, rewards=rewards, flaws=flaws),
            caveats=(page.same_reward(reward, judge.name), *self.material.caveats),
            seconds=self.stages.seconds,
        )
        grids, kept = [len(p.pairs.grids) for p in played], judging.kept(old, new)
        facts = page.facts(self.builder.recipe, grids, queries=len(asked.held_out), kept=kept)
        examples = page.example(played[0].pairs, played[0].trainable, flaws)
        comparison = page.comparison(result, self.material, old=self.encoder.name, facts=facts, examples=examples)
        write_comparison(result.report, comparison, progress=self.stages.enter("write the page"))
        self.stages.finish()
        write_text(self.out / "result.json", json.dumps(result.as_dict(), ensure_ascii=False, indent=2) + "\n")
        return result


@dataclass(frozen=True)
class _Played:
    """A round, its grids and the gallery they were cut from, and the answers before and after."""

    round: Round
    trainable: Gallery
    pairs: PairsResult
    old: Answers
    new: Answers
