"""Captions in the two JSON forms that image retrieval is published in: Karpathy's splits, and COCO's annotations.

Karpathy's `dataset_coco.json`, `dataset_flickr30k.json`, `dataset_flickr8k.json` (Karpathy and Fei-Fei, 2015):

    {"images": [{"filepath": "val2014", "filename": "….jpg", "split": "test", "sentences": [{"raw": "A dog."}, …]}]}

COCO's `captions_val2017.json` (Chen et al., 2015):

    {"images": [{"id": 1, "file_name": "….jpg"}], "annotations": [{"id": 7, "image_id": 1, "caption": "A dog."}]}
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

MAX_CHARS = 10_000
"""Of one caption."""
Triple = tuple[str, str, str | None]
"""File, caption and, in Karpathy's form, the split."""
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_CHARS)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4_096)]
_KEY = {name: re.compile(rf'"{name}"\s*:') for name in ("sentences", "annotations")}


class _Record(BaseModel):
    """What is not named is skipped while it is parsed: Karpathy's files are tokens for the most part."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _Sentence(_Record):
    raw: Text


class _Described(_Record):
    filename: Name
    split: Name
    sentences: list[_Sentence]
    filepath: str = Field("", max_length=4_096)


class _Karpathy(_Record):
    images: list[_Described]


class _Image(_Record):
    id: int
    file_name: Name


class _Annotation(_Record):
    id: int
    image_id: int
    caption: Text


class _Coco(_Record):
    images: list[_Image]
    annotations: list[_Annotation]


F = TypeVar("F", _Karpathy, _Coco)


def parse(text: str) -> list[Triple]:
    """Reads either form, told apart by its keys.

    Raises:
        ValueError: It is neither, or something in it is wrong; its words say what and where.
    """
    # A key stands between plain quotes, which a caption's own text cannot hold: there they are escaped.
    if _KEY["sentences"].search(text):
        return list(_karpathy(_validated(_Karpathy, text)))
    if _KEY["annotations"].search(text):
        return list(_coco(_validated(_Coco, text)))
    raise ValueError("it is JSON of neither Karpathy's form (images with sentences) nor COCO's (annotations)")


def _validated(form: type[F], text: str) -> F:
    try:
        return form.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))[:80]
        raise ValueError(f"{place}: {first['msg']}" if place else str(first["msg"])) from None


def _karpathy(file: _Karpathy) -> Iterator[Triple]:
    names = [f"{i.filepath}/{i.filename}" if i.filepath else i.filename for i in file.images]
    _refuse_twice("the image", names)
    for name, image in zip(names, file.images, strict=True):
        for sentence in image.sentences:
            yield name, sentence.raw, image.split


def _coco(file: _Coco) -> Iterator[Triple]:
    _refuse_twice("the image id", (i.id for i in file.images))
    _refuse_twice("the annotation id", (a.id for a in file.annotations))
    names = {image.id: image.file_name for image in file.images}
    for position, annotation in enumerate(file.annotations):
        if annotation.image_id not in names:
            raise ValueError(f"annotations.{position}: there is no image of the id {annotation.image_id}")
        yield names[annotation.image_id], annotation.caption, None


def _refuse_twice(what: str, names: Iterable[object]) -> None:
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise ValueError(f"{what} {str(twice)[:80]!r} comes twice")
