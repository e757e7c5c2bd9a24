"""Preference grids as Parquet: one row per query, what they were made from in the schema metadata.

A file may come from anywhere, so that all of it is checked before any of it is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from aesalign_core.errors import PreferenceError
from aesalign_core.files import replacing
from aesalign_core.messages import describe
from aesalign_core.preferences.records import Dropped, PairsHeader, PairsResult
from aesalign_core.types import PreferenceGrid, Rephrasing

HEADER_KEY = b"aesalign"
MAX_BYTES = 8_000_000_000
"""Unpacked; more than a million queries of 5 x 5."""
BATCH = 1024
_ID_LENGTH = 64
_NESTED = pa.list_(pa.list_(pa.float32()))
SCHEMA = pa.schema(
    [
        ("query", pa.string()),
        ("rephrased", pa.string()),
        ("fallback", pa.string()),
        ("dropped", pa.string()),
        ("ids", pa.list_(pa.list_(pa.string()))),
        ("rewards", _NESTED),
        ("similarities", _NESTED),
    ]
)
"""A row has either a reason in `dropped` or a grid: `ids`, `rewards`, `similarities`, each u lists of v.
`fallback` says why the query was not rephrased."""


def write(path: Path, result: PairsResult) -> None:
    """Writes grids and dropped queries; an older file stays until the new one is whole.

    Raises:
        AesalignError: The file cannot be written.
    """
    schema = SCHEMA.with_metadata({HEADER_KEY: result.header.model_dump_json().encode()})
    with replacing(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        rows = list(_rows(result))
        for start in range(0, len(rows), BATCH):
            writer.write_table(pa.Table.from_pylist(rows[start : start + BATCH], schema=schema))


def _rows(result: PairsResult) -> Iterator[dict[str, Any]]:
    fallbacks = {r.query: r for r in result.fallbacks}
    for grid in result.grids:
        fallback = fallbacks.get(grid.query)
        yield {
            "query": grid.query,
            "rephrased": grid.rephrased,
            "fallback": fallback.fallback if fallback else None,
            "dropped": None,
            "ids": grid.ids,
            "rewards": grid.rewards.tolist(),
            "similarities": grid.similarities.tolist(),
        }
    for dropped in result.dropped:
        fallback = fallbacks.get(dropped.query)
        reason = fallback.fallback if fallback else None
        yield {"query": dropped.query, "fallback": reason, "dropped": dropped.reason}


def read_header(path: Path) -> PairsHeader:
    """Reads what grids were made from.

    Raises:
        PreferenceError: The file is missing or not one of ours.
    """
    with _open(path) as file:
        return _header(path, file)


def read(path: Path, *, reused: bool = False) -> PairsResult:
    """Reads grids and checks every one.

    Raises:
        PreferenceError: The file is missing, damaged, or holds what no grid can hold; the error names the query.
    """
    grids: list[PreferenceGrid] = []
    dropped: list[Dropped] = []
    fallbacks: list[Rephrasing] = []
    names: dict[str, str] = {}
    with _open(path) as file:
        header = _header(path, file)
        for row in _read_rows(path, file):
            if not isinstance(row["query"], str) or not row["query"].strip():
                _refuse(path, "a row without a query")
            if row["dropped"] is None:
                grids.append(_grid(path, row, header, names))
            else:
                dropped.append(Dropped(row["query"], row["dropped"]))
            if row["fallback"] is not None:
                fallbacks.append(_fallback(row, header))
    return PairsResult(header, tuple(grids), tuple(dropped), tuple(fallbacks), reused)


def _open(path: Path) -> pq.ParquetFile:
    if not path.is_file():
        raise PreferenceError(f"there are no pairs at {path}", hint="make them: aesalign pairs --help")
    try:
        file = pq.ParquetFile(path)
        _ = file.schema_arrow  # read now, so that damage shows here
        return file
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        _refuse(path, describe(error)[:200])


def _header(path: Path, file: pq.ParquetFile) -> PairsHeader:
    groups = range(file.metadata.num_row_groups)
    if sum(file.metadata.row_group(i).total_byte_size for i in groups) > MAX_BYTES:
        _refuse(path, f"more than {MAX_BYTES / 1e9:g} GB")
    schema = file.schema_arrow
    if not schema.equals(SCHEMA):
        _refuse(path, "other columns than pairs have")
    try:
        return PairsHeader.model_validate_json((schema.metadata or {}).get(HEADER_KEY, b""))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        _refuse(path, "its metadata: " + ".".join(map(str, first["loc"])) + " " + first["msg"])


def _read_rows(path: Path, file: pq.ParquetFile) -> Iterator[dict[str, Any]]:
    try:
        for batch in file.iter_batches(batch_size=BATCH):
            yield from batch.to_pylist()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        _refuse(path, describe(error)[:200])


def _fallback(row: dict[str, Any], header: PairsHeader) -> Rephrasing:
    return Rephrasing(row["query"], row["query"], header.settings.strategy, header.rephraser, row["fallback"])


def _grid(path: Path, row: dict[str, Any], header: PairsHeader, names: dict[str, str]) -> PreferenceGrid:
    try:
        grid = PreferenceGrid(
            query=row["query"],
            rephrased=str(row["rephrased"]),
            # Photos come back in many grids: one string each is enough.
            ids=tuple(tuple(names.setdefault(name, name) for name in line) for line in row["ids"]),
            rewards=np.array(row["rewards"], dtype=np.float32),
            similarities=np.array(row["similarities"], dtype=np.float32),
        )
        wrong = _what_is_wrong(grid, header.settings.shape)
    except (TypeError, ValueError):
        wrong = "its lists are ragged or empty"
    if wrong:
        _refuse(path, f"the grid of {row['query'][:60]!r}: {wrong}")
    return grid


def _what_is_wrong(grid: PreferenceGrid, shape: tuple[int, int]) -> str:
    ids = [name for row in grid.ids for name in row]
    if any(len(row) != shape[1] for row in grid.ids) or len(grid.ids) != shape[0]:
        return f"not {shape[0]} x {shape[1]} photos"
    if grid.rewards.shape != shape or grid.similarities.shape != shape:
        return "as many rewards and similarities as photos are needed"
    if len(set(ids)) != len(ids) or not all(_is_id(name) for name in ids):
        return "its photo ids are not distinct sha256 digests"
    if not (np.isfinite(grid.rewards).all() and np.isfinite(grid.similarities).all()):
        return "a number is not finite"
    if (np.abs(grid.similarities) > 1.01).any():
        return "a similarity is no cosine"
    if (np.diff(grid.rewards, axis=1) > 0).any():
        return "rewards rise along a row"
    if (grid.similarities[1:].max(axis=1) > grid.similarities[:-1].min(axis=1)).any():
        return "similarities rise from band to band"
    return ""


def _is_id(name: object) -> bool:
    return isinstance(name, str) and len(name) == _ID_LENGTH and set(name) <= set("0123456789abcdef")


def _refuse(path: Path, reason: str) -> NoReturn:
    raise PreferenceError(f"{path} cannot be used as pairs: {reason}", hint="make it again with aesalign pairs")
