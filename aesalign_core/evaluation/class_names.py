"""What the folders of a data set are called in words: by a file, by a prompt set, or by their own names."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from aesalign_core.errors import EvaluationError
from aesalign_core.files import read_text

MAX_BYTES = 20_000_000
MAX_CHARS = 500
"""Of a class's name, or of a template."""
MAX_TEMPLATES = 1_000
_SYNSET = re.compile(r"n[0-9]{8}")
_NAMES = 'write folder,name a line under that header, or JSON {"folder": "name", …}'
_TEMPLATES = "write one template a line, each with one {} where the class's name goes"


def name_classes(
    folders: Sequence[str], known: Mapping[str, str], given: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """The name of each folder's class.

    Args:
        folders: Names of folders.
        known: What a prompt set calls those that it knows.
        given: What the user calls them; then every folder must be named.

    Raises:
        EvaluationError: The user's names leave a folder out, or it is a synset's number that nobody can name.
    """
    if given is not None:
        if missing := [folder for folder in folders if folder not in given]:
            raise EvaluationError(
                f"{len(missing)} of {len(folders)} folders have no name, {missing[0][:60]!r} for one",
                hint="add them to the file of classes",
            )
        return tuple(given[folder] for folder in folders)
    for folder in folders:
        if folder not in known and _SYNSET.fullmatch(folder):
            raise EvaluationError(
                f"{folder} is no class of ImageNet-1k, so nobody can say what it shows",
                hint="name the classes: --classes FILE with folder,name a line",
            )
    return tuple(known.get(folder) or folder.replace("_", " ") for folder in folders)


def read_class_names(path: Path) -> dict[str, str]:
    """Reads names of folders: CSV with the columns `folder` and `name`, or a JSON object.

    Raises:
        EvaluationError: It cannot be read, or something in it is wrong.
    """
    text = _read(path, _NAMES)
    pairs = _json(path, text) if text.lstrip()[:1] == "{" else _csv(path, text)
    names: dict[str, str] = {}
    for folder, name in pairs:
        if folder in names:
            raise _wrong(path, f"the folder {folder[:60]!r} comes twice", _NAMES)
        if not name.strip() or len(name) > MAX_CHARS:
            raise _wrong(path, f"the name of {folder[:60]!r} is empty, or longer than {MAX_CHARS}", _NAMES)
        names[folder] = name.strip()
    if not names:
        raise _wrong(path, "it names no class", _NAMES)
    return names


def read_templates(path: Path) -> list[str]:
    """Reads templates, one a line.

    Raises:
        EvaluationError: It cannot be read, or a line has not exactly one `{}`.
    """
    lines = [(number, line.strip()) for number, line in enumerate(_read(path, _TEMPLATES).splitlines(), 1)]
    found = [(number, line) for number, line in lines if line]
    if not 1 <= len(found) <= MAX_TEMPLATES:
        raise _wrong(path, f"{len(found):,} templates, not 1 to {MAX_TEMPLATES:,}", _TEMPLATES)
    for number, line in found:
        if line.count("{}") != 1 or len(line) > MAX_CHARS:
            raise _wrong(path, f"line {number}: {line[:60]!r} has not one {{}}, or is too long", _TEMPLATES)
    return [line for _, line in found]


def fill(template: str, name: str) -> str:
    """A template with a class's name in its place; no formatting language, for both are strangers' text."""
    return template.replace("{}", name)


def _json(path: Path, text: str) -> list[tuple[str, str]]:
    def pairs(items: list[tuple[str, object]]) -> list[tuple[str, object]]:
        return items  # a dict would hide what comes twice

    try:
        found = json.loads(text, object_pairs_hook=pairs)
    except (ValueError, RecursionError) as error:
        raise _wrong(path, f"no JSON: {str(error)[:100]}", _NAMES) from None
    for folder, name in found:
        if not isinstance(name, str):
            raise _wrong(path, f"the name of {folder[:60]!r} is no text", _NAMES)
    return [(folder, str(name)) for folder, name in found]


def _csv(path: Path, text: str) -> list[tuple[str, str]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        if not {"folder", "name"} <= set(reader.fieldnames or ()):
            raise _wrong(path, "its first line does not name the columns folder and name", _NAMES)
        return [((row["folder"] or "").strip(), row["name"] or "") for row in reader]
    except csv.Error as error:
        raise _wrong(path, f"line {reader.reader.line_num}: {error}", _NAMES) from None


def _read(path: Path, hint: str) -> str:
    try:
        return read_text(path, limit=MAX_BYTES)
    except ValueError as error:
        raise EvaluationError(f"cannot read {path}: {error}", hint=hint) from None


def _wrong(path: Path, reason: str, hint: str) -> EvaluationError:
    return EvaluationError(f"cannot use {path}: {reason}", hint=hint)
