"""The Parquet file of grids: what goes in comes out, and nothing else is believed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aesalign_core.errors import AesalignError, PreferenceError
from aesalign_core.preferences import store as preference_store
from aesalign_core.preferences.records import Dropped, PairsHeader, PairsResult
from aesalign_core.preferences.settings import PairSettings
from aesalign_core.preferences.store import HEADER_KEY, SCHEMA, read, read_header, write
from aesalign_core.types import PreferenceGrid, Rephrasing

HEADER = PairsHeader(
    settings=PairSettings(rows=2, columns=2),
    reward="beauty",
    mean=5.0,
    std=0.5,
    rephraser="r",
    encoder="e",
    space="s",
    text_space="t",
    photos=9,
    key="k",
)


def photo(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def grid(query: str = "red") -> PreferenceGrid:
    return PreferenceGrid(
        query=query,
        rephrased=f"{query}, beautiful",
        ids=((photo(0), photo(1)), (photo(2), photo(3))),
        rewards=np.array([[6, 5], [7, 4]], np.float32),
        similarities=np.array([[0.9, 0.8], [0.5, 0.6]], np.float32),
    )


def same(a: PreferenceGrid, b: PreferenceGrid) -> bool:
    return (
        (a.query, a.rephrased, a.ids) == (b.query, b.rephrased, b.ids)
        and (a.rewards == b.rewards).all()
        and bool((a.similarities == b.similarities).all())
    )


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    fallbacks = tuple(Rephrasing(q, q, "k_list", "r", fallback="no answer") for q in ("green", "blue"))
    made = PairsResult(HEADER, (grid(), grid("green")), (Dropped("blue", "too few"),), fallbacks)
    write(tmp_path / "p", made)
    back = read(tmp_path / "p")
    assert back.header == HEADER == read_header(tmp_path / "p")
    assert all(same(a, b) for a, b in zip(made.grids, back.grids, strict=True))
    assert (back.dropped, back.fallbacks) == (made.dropped, made.fallbacks)
    assert [p.name for p in tmp_path.iterdir()] == ["p"]


@given(st.lists(st.text(min_size=1).filter(lambda q: q.strip()), min_size=1, max_size=5, unique=True))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_query_survives(tmp_path: Path, queries: list[str]) -> None:
    try:
        made = PairsResult(HEADER, tuple(grid(q) for q in queries))
        write(tmp_path / "p", made)
    except UnicodeEncodeError:
        assert any(0xD800 <= ord(c) <= 0xDFFF for q in queries for c in q)
        return
    assert [g.query for g in read(tmp_path / "p").grids] == queries


def test_one_row_per_query_that_anybody_can_read(tmp_path: Path) -> None:
    write(tmp_path / "p", PairsResult(HEADER, (grid(),), (Dropped("blue", "too few"),)))
    rows = pq.read_table(tmp_path / "p").to_pylist()
    assert [row["query"] for row in rows] == ["red", "blue"]
    assert rows[0]["rewards"] == [[6, 5], [7, 4]]
    assert rows[1]["ids"] is None


ROW: dict[str, Any] = {
    "query": "red",
    "rephrased": "red",
    "ids": [[photo(0), photo(1)], [photo(2), photo(3)]],
    "rewards": [[6, 5], [7, 4]],
    "similarities": [[0.9, 0.8], [0.5, 0.6]],
}


def forge(path: Path, *, schema: pa.Schema = SCHEMA, header: Any = None, **changes: Any) -> Path:
    header = header if header is not None else HEADER.model_dump(mode="json")
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    table = pa.Table.from_pylist([{**ROW, **changes}], schema=schema.with_metadata({HEADER_KEY: raw}))
    pq.write_table(table, path)
    return path


def test_the_forger_can_write_a_good_one(tmp_path: Path) -> None:
    assert len(read(forge(tmp_path / "p")).grids) == 1


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"query": None}, "a row without a query"),
        ({"query": " "}, "a row without a query"),
        ({"ids": None}, "ragged or empty"),
        ({"rewards": None}, "ragged or empty|as many"),
        ({"rewards": [[1], [1, 2]]}, "ragged or empty"),
        ({"rewards": [[3, 2, 1], [3, 2, 1]]}, "as many rewards"),
        ({"ids": [[photo(0), photo(1)]]}, "not 2 x 2"),
        ({"ids": [[photo(0)], [photo(1)]]}, "not 2 x 2"),
        ({"ids": [[photo(0), photo(0)], [photo(2), photo(3)]]}, "not distinct"),
        ({"ids": [["../../etc", photo(1)], [photo(2), photo(3)]]}, "not distinct sha256"),
        ({"ids": [[None, photo(1)], [photo(2), photo(3)]]}, "not distinct sha256|ragged"),
        ({"rewards": [[6, float("nan")], [7, 4]]}, "not finite"),
        ({"rewards": [[6, None], [7, 4]]}, "ragged or empty|not finite"),
        ({"similarities": [[float("inf"), 0.8], [0.5, 0.6]]}, "not finite"),
        ({"similarities": [[7.0, 0.8], [0.5, 0.6]]}, "no cosine"),
        ({"rewards": [[5, 6], [7, 4]]}, "rewards rise"),
        ({"similarities": [[0.9, 0.5], [0.6, 0.4]]}, "similarities rise"),
    ],
)
def test_an_impossible_grid_is_refused(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(PreferenceError, match=told):
        read(forge(tmp_path / "p", **changes))


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"{",
        b"[]",
        {"format": "aesalign pairs 1"},
        {**HEADER.model_dump(mode="json"), "format": "aesalign pairs 2"},
        {**HEADER.model_dump(mode="json"), "std": 0},
        {**HEADER.model_dump(mode="json"), "mean": "NaN"},
        {**HEADER.model_dump(mode="json"), "more": 1},
        {**HEADER.model_dump(mode="json"), "settings": {"rows": 10**9}},
    ],
)
def test_impossible_metadata_is_refused(tmp_path: Path, header: Any) -> None:
    with pytest.raises(PreferenceError, match="its metadata"):
        read(forge(tmp_path / "p", header=header))


def test_other_columns_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "p")
    with pytest.raises(PreferenceError, match="other columns"):
        read(tmp_path / "p")


def test_what_is_too_large_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = forge(tmp_path / "p", query="a" * 5000)  # packs to nearly nothing
    monkeypatch.setattr(preference_store, "MAX_BYTES", 2000)
    with pytest.raises(PreferenceError, match="more than"):
        read(path)


def test_a_column_name_that_is_no_text_is_one_error(tmp_path: Path) -> None:
    path = forge(tmp_path / "p")
    path.write_bytes(path.read_bytes().replace(b"dropped", b"\x80ropped"))
    with pytest.raises(PreferenceError, match="utf-8"):
        read(path)


@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_file_is_refused_or_still_whole(tmp_path: Path, data: st.DataObject) -> None:
    raw = bytearray(forge(tmp_path / "p").read_bytes())
    if data.draw(st.booleans()):
        raw = raw[: data.draw(st.integers(0, len(raw) - 1))]
    else:
        for _ in range(data.draw(st.integers(1, 8))):
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "p").write_bytes(raw)
    try:
        back = read(tmp_path / "p")
    except PreferenceError:
        return
    assert all(g.shape == (back.header.settings.rows, back.header.settings.columns) for g in back.grids)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(PreferenceError, match="there are no pairs at"):
            read(path)


def test_what_cannot_be_written_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "p", PairsResult(HEADER, (grid(),)))
    before = (tmp_path / "p").read_bytes()

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(AesalignError, match="No space left on device"):
        write(tmp_path / "p", PairsResult(HEADER, (grid("green"),)))
    assert (tmp_path / "p").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["p"]
