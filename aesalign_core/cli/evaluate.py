"""`aesalign eval`: metrics of an encoder, or of two over the same queries."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aesalign_core.cli import browser, compose, console, pages
from aesalign_core.cli.evaluate_hpir import hpir
from aesalign_core.cli.options import Debug, Device, Encoder, Gallery, Json, Recipe, Set

if TYPE_CHECKING:
    from aesalign_core.build import Builder
    from aesalign_core.captions import Matched
    from aesalign_core.evaluation.retrieval import Rankings, RetrievalReport
    from aesalign_core.gallery import Gallery as Photos

app = typer.Typer(no_args_is_help=True, help="Measure an encoder, or compare two.")


app.command()(hpir)


@app.command()
def retrieval(
    gallery: Gallery,
    captions: Annotated[Path, typer.Option("--captions", help="CSV with the columns file and caption.")],
    encoder: Encoder = None,
    against: Annotated[
        str | None, typer.Option("--against", help="The new encoder: a RUN folder, or any encoder.")
    ] = None,
    against_gallery: Annotated[
        Path | None, typer.Option("--against-gallery", help="Its gallery, if its image tower is another.")
    ] = None,
    photos_root: Annotated[Path | None, typer.Option("--photos-root", help="What the CSV's files are below.")] = None,
    page: pages.Page = None,
    recipe: Recipe = None,
    overrides: Set = None,
    device: Device = None,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Text→image R@1/5/10 from captions, and the mean reward of the top 10.

    With --against, both encoders answer the same captions; differences come with 95 % bootstrap intervals, resampled
    by photograph.

    Example: [bold]aesalign eval retrieval -g gallery --captions captions.csv --against run --report page.html[/bold]
    """
    from aesalign_core.captions import match, read_captions
    from aesalign_core.evaluation.retrieval import report
    from aesalign_core.gallery import Gallery as OpenGallery

    if page and not against:
        raise typer.BadParameter("--report compares two encoders: add --against")
    read = read_captions(captions)
    build = compose.builder(recipe=recipe, overrides=overrides, device=device, encoder=encoder)
    photos = OpenGallery.open(gallery, build)
    matched = match(read, photos, photos_root=photos_root)
    chosen = build.recipe.encoder.use if encoder or recipe else photos.encoder_name
    rankings = [_rank(matched, photos, build, chosen)]
    other = OpenGallery.open(against_gallery, build) if against_gallery else photos
    if against:
        rankings.append(_rank(matched, other, build, against))
    found = report(rankings, matched.ids, _rewards(photos))
    if matched.missing:
        console.note(f"{len(matched.missing)} captioned files are not in the gallery and were left out")
    if page and against:
        pages.write_encoders(page, (chosen, against), (photos, other), matched, build)
    if json:
        console.print_json({**found.as_dict(), "photos": len(photos), "missing": list(matched.missing)})
    else:
        _show(found, [r.encoder for r in rankings], len(photos))
    if page:
        browser.announce(page, is_opened=False)


def _rank(matched: Matched, photos: Photos, build: Builder, spec: str) -> Rankings:
    from aesalign_core.evaluation.retrieval import DEPTHS, rank

    chosen = build.encoder() if spec == build.recipe.encoder.use else build.encoder(spec)
    with console.progress(f"searching with {chosen.name}") as progress:
        return rank(matched.texts, photos, chosen, k=max(DEPTHS), progress=progress)


def _rewards(photos: Photos) -> dict[str, dict[str, float]]:
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


def _show(found: RetrievalReport, encoders: list[str], photos: int) -> None:
    title = f"{found.queries} captions, {photos} photos"
    if not found.differences:
        rows = [[name, f"{values[encoders[0]]:.4f}"] for name, values in found.metrics.items()]
        console.table(title, ["metric", encoders[0]], rows, numbers=[1])
        return
    compared = [
        [
            name,
            f"{d.old:.4f}",
            f"{d.new:.4f}",
            f"{d.difference:+.4f}",
            f"{d.low:+.4f} … {d.high:+.4f}",
            d.verdict,
        ]
        for name, d in found.differences.items()
    ]
    console.table(title, ["metric", *encoders, "difference", "95 % interval", "verdict"], compared, numbers=[1, 2, 3])
