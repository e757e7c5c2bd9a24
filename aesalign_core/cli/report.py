"""`aesalign report`: two systems → a page with their photos, what was measured, and what a judge says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aesalign_core.cli import compose, console, pages
from aesalign_core.cli.options import Debug, Device, Json, Recipe, Set
from aesalign_core.errors import EvaluationError, UnknownComponentError

if TYPE_CHECKING:
    from aesalign_core.build import Builder
    from aesalign_core.captions import Matched
    from aesalign_core.evaluation.judging import Judgement
    from aesalign_core.evaluation.questions import Question
    from aesalign_core.evaluation.systems import System
    from aesalign_core.gallery import Gallery as Photos
    from aesalign_core.report.comparison import Comparison

NAME = "report"
_LISTS = (".jsonl", ".json", ".txt", ".run", ".trec", ".res")


def command(
    old: Annotated[str, typer.Argument(help="A file of ranked lists, or an encoder.")],
    new: Annotated[str, typer.Argument(help="Another: a file, an encoder, a RUN folder, or RUN@STRENGTH.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The HTML file.")] = Path("aesalign-report.html"),
    gallery: Annotated[
        Path | None, typer.Option("--gallery", "-g", help="Where encoders search; rewards of the photos.")
    ] = None,
    against_gallery: Annotated[
        Path | None, typer.Option("--against-gallery", help="NEW's gallery, if its image tower is another.")
    ] = None,
    queries: Annotated[
        Path | None, typer.Option("--queries", help="What encoders are asked, one query a line.")
    ] = None,
    captions: Annotated[
        Path | None,
        typer.Option("--captions", help="CSV file,caption: which photo is right; what encoders are asked."),
    ] = None,
    photos_root: Annotated[Path | None, typer.Option("--photos-root", help="What relative paths are below.")] = None,
    judge: Annotated[str | None, typer.Option("--judge", help="Judge component, such as reward or litellm.")] = None,
    reward: Annotated[str | None, typer.Option("--reward", "-r", help="The reward to show and to order by.")] = None,
    pairs: Annotated[Path | None, typer.Option("--pairs", "-p", help="Show some of the grids of `pairs`.")] = None,
    run: Annotated[
        Path | None, typer.Option("--run", help="Show this RUN's training; NEW itself, if it is one.")
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, max=100, help="Photos of a row.")] = 10,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Queries at most, evenly chosen.")] = None,
    title: Annotated[str, typer.Option("--title", help="Of the page.")] = "",
    show: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    recipe: Recipe = None,
    overrides: Set = None,
    device: Device = None,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Write a page about two systems: summary, biggest wins and losses, every query's photos before and after.

    OLD and NEW are ranked lists of any engine, or encoders that search a gallery for --queries or --captions. With a
    RUN and captions the page also shows recall against reward, over all strengths and against re-ranking.

    Example: [bold]aesalign report old.jsonl new.jsonl --judge reward --out page.html --open[/bold]

    Example: [bold]aesalign report embedded run -g gallery --captions captions.csv --pairs pairs.parquet[/bold]
    """
    from aesalign_core.encoder_names import run_of

    build = compose.builder(recipe=recipe, overrides=overrides, device=device, judge=judge)
    asked = _ask((old, new), build, _Given(gallery, against_gallery, queries, captions, photos_root, k, limit))
    shown_run = run or (None if Path(new).is_file() else (run_of(new) or (None,))[0])
    material = pages.Material(
        build, gallery=asked.photos, captions=asked.matched, reward=reward, run=shown_run, pairs=pairs
    )
    is_judged = judge is not None or "judge" in build.recipe.model_fields_set
    judgement = _judge(build, asked) if is_judged else None
    evidence = material.evidence(*asked.systems, judgement, asked.caveats)
    made = pages.write(out, *asked.systems, asked.questions, evidence, k=k, title=title)
    _tell(made, out, json=json)
    pages.announce(out, is_opened=show)


@dataclass(frozen=True)
class _Given:
    """The flags that say what is asked, and of what."""

    gallery: Path | None
    against_gallery: Path | None
    queries: Path | None
    captions: Path | None
    photos_root: Path | None
    k: int
    limit: int | None


@dataclass(frozen=True)
class _Asked:
    """Two systems and what both answered."""

    systems: tuple[System, System]
    questions: Sequence[Question]
    photos: Photos | None
    matched: Matched | None
    caveats: tuple[str, ...]


def _ask(names: tuple[str, str], build: Builder, given: _Given) -> _Asked:
    """Reads lists and searches, as either system needs."""
    from aesalign_core.captions import match, read_captions
    from aesalign_core.evaluation import questions
    from aesalign_core.gallery import Gallery

    lists = [_listed(name, given) for name in names]
    captions = read_captions(given.captions) if given.captions else []
    photos = Gallery.open(given.gallery, build) if given.gallery else None
    matched = match(captions, photos, photos_root=given.photos_root) if photos and captions else None
    texts, caveats = _texts(names, lists, matched, given)
    other = Gallery.open(given.against_gallery, build) if given.against_gallery else photos
    old, new = (
        found or _searched(name, texts, build, where, given.k)
        for name, found, where in zip(names, lists, (photos, other), strict=True)
    )
    if photos and matched and not (given.queries or any(lists)):
        chosen = set(texts)
        asked = tuple(one for one in questions.of_gallery(matched, photos) if one.query in chosen)
    else:
        asked = questions.of_lists(texts, captions, (old, new), photos_root=given.photos_root)
    if captions and not any(one.right for one in asked):
        caveats.append("No query is one of the captions, word by word: recall of the rows is not known.")
    if matched and matched.missing:
        caveats.append(f"{len(matched.missing):,} captioned files are not in the gallery and were left out.")
    for caveat in caveats:
        console.note(f"note: {caveat}")
    return _Asked((old, new), asked, photos, matched, tuple(caveats))


def _listed(name: str, given: _Given) -> System | None:
    """The system that a file is; None: it is to be an encoder.

    Raises:
        EvaluationError: It is neither, by its looks.
    """
    from aesalign_core.evaluation import systems

    if Path(name).is_file():
        return systems.of_file(Path(name), k=given.k, photos_root=given.photos_root)
    if Path(name).suffix.lower() in _LISTS:
        raise EvaluationError(
            f"there is no file {name}", hint="give ranked lists, or an encoder that searches --gallery"
        )
    if given.gallery is None:
        raise EvaluationError(
            f"{name} is no file of ranked lists, and as an encoder it needs photos", hint="add --gallery"
        )
    return None


def _texts(
    names: tuple[str, str], lists: Sequence[System | None], matched: Matched | None, given: _Given
) -> tuple[list[str], list[str]]:
    """What is asked, each query once, and what must be said of it."""
    from aesalign_core.queries import read_queries

    files = [system for system in lists if system]
    if given.queries:
        texts = read_queries(given.queries)
    elif files:
        texts = [query for system in files for query in system.rows]
    elif matched:
        texts = list(matched.texts)
    else:
        raise EvaluationError("encoders must be asked something", hint="add --queries FILE, or --captions CSV")
    every = list(dict.fromkeys(texts))
    kept = [text for text in every if all(text in system.rows for system in files)]
    if not kept:
        raise EvaluationError(
            f"{' and '.join(names)} have no query in common", hint="ask both systems the same queries"
        )
    told = []
    if len(kept) < len(every):
        told.append(f"{len(every) - len(kept):,} queries were not answered by both systems and are left out.")
    if given.limit and len(kept) > given.limit:
        told.append(f"Of {len(kept):,} queries {given.limit:,} were compared, evenly chosen.")
        kept = [kept[place * len(kept) // given.limit] for place in range(given.limit)]
    return kept, told


def _searched(name: str, texts: Sequence[str], build: Builder, photos: Photos | None, k: int) -> System:
    from aesalign_core.evaluation import systems

    assert photos is not None  # noqa: S101 - without a gallery `_listed` refuses encoders
    try:
        encoder = build.encoder(name)
    except UnknownComponentError as error:
        raise EvaluationError(f"{name} is neither a file of ranked lists nor an encoder", hint=error.hint) from None
    with console.progress(f"searching with {encoder.name}") as progress:
        return systems.of_encoder(texts, photos, encoder, k=k, progress=progress)


def _judge(build: Builder, asked: _Asked) -> Judgement:
    from aesalign_core.evaluation.judging import judge_rows

    chosen = build.judge()
    queries = list(dict.fromkeys(question.query for question in asked.questions))
    with console.progress(f"judging with {chosen.name}") as progress:
        return judge_rows(chosen, queries, *(s.paths(queries) for s in asked.systems), progress=progress)


def _tell(made: Comparison, out: Path, *, json: bool) -> None:
    from aesalign_core.report import summary, wording

    if json:
        console.print_json({"report": str(out), **summary.as_dict(made)})
        return
    title = wording.plural(len(made.queries), "query")
    console.table(title, ["measure", *summary.COLUMNS], summary.table(made.measures))
    for tally in made.tallies:
        told = f"{tally.judge}: {tally.wins} better, {tally.similar} no different, {tally.losses} worse"
        console.out().print(told, markup=False)
