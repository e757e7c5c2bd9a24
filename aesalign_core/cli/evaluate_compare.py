"""`aesalign eval compare`: what an alignment gained and what it lost, in one table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated

import typer

from aesalign_core.cli import compose, console, differences
from aesalign_core.cli import evaluate_retrieval as of_retrieval
from aesalign_core.cli import evaluate_zeroshot as of_zeroshot
from aesalign_core.cli.options import (
    AgainstGallery,
    Batch,
    CaptionsPerPhoto,
    Classes,
    Debug,
    Device,
    Json,
    OnlyCaptioned,
    PhotosRoot,
    Recipe,
    Set,
    Split,
    Templates,
    Workers,
)

if TYPE_CHECKING:
    from aesalign_core.build import Builder
    from aesalign_core.captions import Matched
    from aesalign_core.evaluation.comparing import Comparison
    from aesalign_core.evaluation.hpir import Item
    from aesalign_core.evaluation.qrels import Qrels
    from aesalign_core.gallery import Gallery
    from aesalign_core.protocols import Encoder


def compare(
    base: Annotated[str, typer.Argument(help="The encoder before: any name that --encoder takes.")],
    aligned: Annotated[str, typer.Argument(help="The encoder after: a RUN folder, RUN@STRENGTH, or any encoder.")],
    gallery: Annotated[Path | None, typer.Option("--gallery", "-g", help="The gallery that is searched.")] = None,
    captions: Annotated[
        Path | None, typer.Option("--captions", help="Of its photos: CSV, or COCO's or Karpathy's JSON.")
    ] = None,
    against_gallery: AgainstGallery = None,
    split: Split = None,
    captions_per_photo: CaptionsPerPhoto = None,
    only_captioned: OnlyCaptioned = False,
    qrels: Annotated[
        Path | None, typer.Option("--qrels", help="Graded photos per query text, JSON lines: nDCG@10, AP@100.")
    ] = None,
    zeroshot: Annotated[Path | None, typer.Option("--zeroshot", help="Photos, in a folder for each class.")] = None,
    classes: Classes = None,
    templates: Templates = "openai",
    hpir: Annotated[Path | None, typer.Option("--hpir", help="People's labels of two rows, JSON lines.")] = None,
    photos_root: PhotosRoot = None,
    batch_size: Batch = 64,
    workers: Workers = None,
    recipe: Recipe = None,
    overrides: Set = None,
    device: Device = None,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """One table, base against aligned: gained, lost or undecided, and how many queries would decide it.

    Measures what it is given: retrieval (-g with --captions, or with --qrels), classification (--zeroshot), agreement
    with people (--hpir).

    Example: [bold]aesalign eval compare embedded run -g gallery --captions captions.csv --zeroshot classes[/bold]
    """
    from aesalign_core.evaluation.comparing import Comparison
    from aesalign_core.evaluation.hpir import read_hpir
    from aesalign_core.evaluation.labelled import find_labelled
    from aesalign_core.evaluation.qrels import read_qrels

    if (gallery is None) != (captions is None and qrels is None):
        raise typer.BadParameter("-g belongs together with --captions or --qrels")
    if not (gallery or zeroshot or hpir):
        raise typer.BadParameter("name something to compare on: -g with --captions, --zeroshot, or --hpir")
    # All files before any model: a mistake in the last should not cost the time of the first.
    read = captions and of_retrieval.read_captions(captions, split=split, per_photo=captions_per_photo)
    relevance = qrels and read_qrels(qrels)
    photos = zeroshot and find_labelled(zeroshot)
    items = hpir and read_hpir(hpir, photos_root=photos_root)
    aspects = _aspects(items, hpir) if items and hpir else []
    build = compose.builder(recipe=recipe, overrides=overrides, device=device, encoder=base)
    question = photos and of_zeroshot.asked(build, photos, classes, templates)
    encoders = [build.encoder(), build.encoder(aligned)]
    found = Comparison(encoders[0].name, encoders[1].name)
    if gallery:
        searched = _galleries(build, gallery, against_gallery, encoders)
        if read:
            matched = of_retrieval.match_captions(read, searched[0], photos_root=photos_root)
            _captioned(found, encoders, searched, matched, only_captioned=only_captioned)
        if relevance:
            _graded(found, encoders, searched, relevance, photos_root)
    if photos and question:
        report = of_zeroshot.classify(photos, *question, encoders, batch_size=batch_size, workers=workers)
        found.add("zero-shot", report.differences, **{k: v for k, v in report.as_dict().items() if k in _KEPT})
    if items:
        _hpir(found, encoders, items, aspects)
    if json:
        console.print_json(found.as_dict())
    else:
        _show(found)


_KEPT = ("photos", "classes", "chance", "bad")
_GRADED = ("nDCG@10", "AP@100")


def _aspects(items: Sequence[Item], path: Path) -> list[str]:
    """The aspects that people have an opinion on.

    Raises:
        EvaluationError: There is none, or not one of the photos is there.
    """
    from aesalign_core.errors import EvaluationError
    from aesalign_core.evaluation.agreement import decided_aspects

    if not any(Path(photo).is_file() for item in items for photo in (*item.first, *item.second)):
        raise EvaluationError(f"not one photo of {path} is there: {items[0].first[0]}", hint="check --photos-root")
    return decided_aspects(items)


def _galleries(
    build: Builder, gallery: PurePath, against_gallery: PurePath | None, encoders: Sequence[Encoder]
) -> tuple[Gallery, Gallery]:
    from aesalign_core.gallery import Gallery

    searched = of_retrieval.galleries(Gallery.open(gallery, build), build, against_gallery)
    for encoder, photos in zip(encoders, searched, strict=True):
        photos.check_encoder(encoder)
    return searched


def _captioned(
    found: Comparison,
    encoders: Sequence[Encoder],
    searched: Sequence[Gallery],
    matched: Matched,
    *,
    only_captioned: bool,
) -> None:
    from aesalign_core.evaluation.retrieval import report

    rankings = of_retrieval.rank_all(matched, searched, encoders, only_captioned=only_captioned)
    measured = report(rankings, matched.ids, of_retrieval.rewards_of(searched[0]))
    facts = {"captions": measured.queries, "photos": len(searched[0]), "missing": list(matched.missing)}
    found.add("retrieval", measured.differences, **facts)


def _graded(
    found: Comparison, encoders: Sequence[Encoder], searched: Sequence[Gallery], qrels: Qrels, root: Path | None
) -> None:
    from aesalign_core.captions import PhotoFinder
    from aesalign_core.evaluation.answering import search_all
    from aesalign_core.evaluation.graded import System, grade, of_gallery
    from aesalign_core.evaluation.relevance import Metric

    relevance, missing = of_gallery(qrels, PhotoFinder(searched[0], root))
    if missing:
        console.note(f"{missing} photos of the relevance file are not in the gallery; nobody can find them")
    systems = []
    for encoder, photos in zip(encoders, searched, strict=True):
        with of_retrieval.phases_of(encoder.name) as told:
            ranked = search_all(list(relevance), photos, encoder, k=100, progress=told)
        systems.append(System(encoder.name, ranked))
    measured = grade(systems, relevance, [Metric.parse(name) for name in _GRADED])
    found.add("relevance", measured.differences, queries=measured.queries, missing=missing)


def _hpir(found: Comparison, encoders: Sequence[Encoder], items: Sequence[Item], aspects: Sequence[str]) -> None:
    from aesalign_core.evaluation.agreement import agreement_difference
    from aesalign_core.evaluation.row_choices import encoder_choices

    old, new = (encoder_choices(encoder, items) for encoder in encoders)
    per_aspect = {f"agreement, {aspect}": agreement_difference(items, old, new, aspect) for aspect in aspects}
    found.add("hpir", per_aspect, items=len(items), missing=sum(choice is None for choice in old))


def _show(found: Comparison) -> None:
    rows = [
        row
        for task, measured in found.tasks.items()
        for row in ([task], *([f" {name}", *differences.cells(one)] for name, one in measured.items()))
    ]
    console.table("", ["metric", found.base, found.aligned, *differences.COLUMNS], rows, numbers=[1, 2, 3, 6])
    told = ", ".join(f"{found.verdicts[verdict]} {verdict}" for verdict in ("gained", "lost", "undecided"))
    console.out().print(f"{told}; intervals are of each metric alone", markup=False)
    if bad := found.facts.get("zero-shot", {}).get("bad"):
        console.table("Left out", ["file", "reason"], [[one["path"], one["reason"]] for one in bad])
