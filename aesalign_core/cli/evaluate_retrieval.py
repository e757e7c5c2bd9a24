"""`aesalign eval retrieval`: captions find their photos, and photos their captions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated

import typer

from aesalign_core.cli import browser, compose, console, differences, pages
from aesalign_core.cli.options import (
    AgainstGallery,
    Captions,
    CaptionsPerPhoto,
    Debug,
    Device,
    Encoder,
    Gallery,
    Json,
    OnlyCaptioned,
    PhotosRoot,
    Recipe,
    Set,
    Split,
)

if TYPE_CHECKING:
    from aesalign_core.build import Builder
    from aesalign_core.captions import Caption, Matched
    from aesalign_core.evaluation.retrieval import Rankings, RetrievalReport
    from aesalign_core.gallery import Gallery as Photos
    from aesalign_core.protocols import Encoder as Model


def retrieval(
    gallery: Gallery,
    captions: Captions,
    encoder: Encoder = None,
    against: Annotated[
        str | None, typer.Option("--against", help="The new encoder: a RUN folder, or any encoder.")
    ] = None,
    against_gallery: AgainstGallery = None,
    split: Split = None,
    captions_per_photo: CaptionsPerPhoto = None,
    only_captioned: OnlyCaptioned = False,
    photos_root: PhotosRoot = None,
    k: Annotated[int, typer.Option("-k", min=10, max=10_000, help="Photos per caption in --save-run.")] = 10,
    save_run: Annotated[
        list[Path] | None,
        typer.Option("--save-run", help="Write what was found as a TREC run; once more for --against."),
    ] = None,
    save_qrels: Annotated[
        Path | None, typer.Option("--save-qrels", help="Write which photo answers which caption as TREC qrels.")
    ] = None,
    page: pages.Page = None,
    recipe: Recipe = None,
    overrides: Set = None,
    device: Device = None,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """R@1/5/10 text→image and image→text from captions, and the mean reward of the top 10.

    With --against, both encoders answer the same captions; differences come with 95 % bootstrap intervals, resampled
    by photograph.

    Example: [bold]aesalign eval retrieval -g gallery --captions captions.csv --against run --report page.html[/bold]

    Example: [bold]aesalign eval retrieval -g coco --captions dataset_coco.json --split test --only-captioned[/bold]
    """
    from aesalign_core.evaluation.retrieval import report
    from aesalign_core.gallery import Gallery as OpenGallery

    if save_run and len(save_run) != 1 + bool(against):
        raise typer.BadParameter("--save-run is given once for each encoder")
    if page and not against:
        raise typer.BadParameter("--report compares two encoders: add --against")
    build = compose.builder(recipe=recipe, overrides=overrides, device=device, encoder=encoder)
    read = read_captions(captions, split=split, per_photo=captions_per_photo)
    photos = OpenGallery.open(gallery, build)
    matched = match_captions(read, photos, photos_root=photos_root)
    encoders = [compose.encoder_of(photos, build, chosen=bool(encoder or recipe))]
    encoders += [build.encoder(against)] if against else []
    searched = galleries(photos, build, against_gallery)
    rankings = rank_all(matched, searched, encoders, k=k, only_captioned=only_captioned)
    _save(matched, rankings, save_run or (), save_qrels)
    found = report(rankings, matched.ids, rewards_of(photos))
    if page and against:
        pages.write_encoders(page, encoders, searched, matched, build, new=against)
    if json:
        console.print_json({**found.as_dict(), "photos": len(photos), "missing": list(matched.missing)})
    else:
        _show(found, [r.encoder for r in rankings], len(photos))
    if page:
        browser.announce(page, is_opened=False)


def read_captions(path: Path, *, split: Sequence[str] | None, per_photo: int | None) -> list[Caption]:
    """The captions that the flags describe."""
    from aesalign_core.captions import first_of_each
    from aesalign_core.captions import read_captions as read

    found = read(path, splits=split or ())
    return first_of_each(found, per_photo) if per_photo else found


def match_captions(read: Sequence[Caption], photos: Photos, *, photos_root: Path | None) -> Matched:
    """Those of photos that the gallery holds; says how many files it does not."""
    from aesalign_core.captions import match

    matched = match(read, photos, photos_root=photos_root)
    if matched.missing:
        console.note(f"{len(matched.missing)} captioned files are not in the gallery and were left out")
    return matched


def galleries(photos: Photos, build: Builder, against_gallery: PurePath | None) -> tuple[Photos, Photos]:
    """Where the old and the new encoder search.

    Raises:
        EvaluationError: The two galleries hold different photos, so that nothing could be compared.
    """
    from aesalign_core.errors import EvaluationError
    from aesalign_core.gallery import Gallery as OpenGallery

    if against_gallery is None:
        return photos, photos
    other = OpenGallery.open(against_gallery, build)
    if odd := len(set(photos.ids()) ^ set(other.ids())):
        raise EvaluationError(
            f"{odd} photos are in {photos.path} or in {other.path}, but not in both",
            hint="index the same photos into both",
        )
    return photos, other


def rank_all(
    matched: Matched, searched: Sequence[Photos], encoders: Sequence[Model], *, k: int = 10, only_captioned: bool
) -> list[Rankings]:
    """What each encoder answers. That an encoder does not fit its gallery is told before any work."""
    from aesalign_core.evaluation.answering import answer

    pairs = list(zip(encoders, searched, strict=False))
    for encoder, photos in pairs:
        photos.check_encoder(encoder)
    found = []
    for encoder, photos in pairs:
        with phases_of(encoder.name) as told:
            found.append(answer(matched, photos, encoder, k=k, only_captioned=only_captioned, progress=told))
    return found


@contextmanager
def phases_of(name: str) -> Iterator[Callable[[str, int, int], None]]:
    """Bars of phases that say which encoder is at work."""
    with console.phases() as progress:
        yield lambda phase, done, total: progress(f"{phase}, {name}", done, total)


def rewards_of(photos: Photos) -> dict[str, dict[str, float]]:
    """Every reward column that has a score for each photo; a gap would bias a mean, so it is said and left out."""
    import numpy as np

    ids, found = photos.ids(), {}
    for name in photos.rewards:
        scores = photos.scores(name)
        if np.isfinite(scores).all():
            found[name] = dict(zip(ids, scores.tolist(), strict=True))
        else:
            console.note(f"reward {name} is missing for some photos and was left out; index again to complete it")
    return found


def _save(matched: Matched, rankings: Sequence[Rankings], runs: Sequence[Path], qrels: Path | None) -> None:
    """Captions are numbered from 1, in the file's order, without those that were left out."""
    from aesalign_core.evaluation.qrels import write_qrels
    from aesalign_core.evaluation.run_files import write_trec

    numbers = [str(number) for number in range(1, len(matched.ids) + 1)]
    for path, one in zip(runs, rankings, strict=False):
        write_trec(path, dict(zip(numbers, map(list, one.ids), strict=True)), tag="aesalign")
    if qrels:
        write_qrels(qrels, {n: {photo: 1} for n, photo in zip(numbers, matched.ids, strict=True)})


def _show(found: RetrievalReport, encoders: list[str], photos: int) -> None:
    title = f"{found.queries} captions, {photos} photos"
    if found.differences:
        differences.show(title, encoders, found.differences)
        return
    rows = [[name, f"{values[encoders[0]]:.4f}"] for name, values in found.metrics.items()]
    console.table(title, ["metric", encoders[0]], rows, numbers=[1])
