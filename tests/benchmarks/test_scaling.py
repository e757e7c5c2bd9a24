"""The table of docs/scaling.md, and the vectors that the benchmark draws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.scaling.costs import Rates, row, table
from benchmarks.scaling.synthetic import Synthetic

DOCS = Path(__file__).resolve().parents[2] / "docs" / "scaling.md"


def test_the_docs_show_what_the_command_prints() -> None:
    assert table(Rates()) in DOCS.read_text(encoding="utf-8")


def test_costs_by_hand() -> None:
    rates = Rates(
        photos_per_core=10, rows_per_writer=1000, rows_per_index=500, row_bytes=2000, index_bytes=100,
        known_bytes=500, cores=10, core_hour=0.5, gb_month=0.1,
    )  # fmt: skip
    found = row(9_000_000, rates)
    assert found == pytest.approx(
        {
            "core-hours of embedding": 250,  # 9 million photos at 36,000 an hour
            "hours of it": 25,
            "price of it": 125,
            "hours of the writer, meanwhile": 2.5,
            "hours of the index, at most": 15,  # 5, and three times that, with three times the partitions
            "hours in all": 40,
            "GB stored": 18.9,  # 2,100 bytes each
            "price of a month": 1.89,
            "GB of memory to index again": 4.5,
        }
    )


def test_synthetic_vectors_are_unit_rows_the_same_each_time_and_have_neighbours() -> None:
    drawn = Synthetic(64, seed=0)
    found = pa.concat_tables(drawn.rows(2_500, batch=1_000))
    vectors = np.array(found["vector"].to_pylist(), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert len(set(found["id"].to_pylist())) == 2_500
    again = pa.concat_tables(Synthetic(64, seed=0).rows(2_500, batch=1_000))
    assert again.equals(found)
    queries = drawn.queries(20)
    assert not (queries @ vectors.T > 0.9999).any()
    # Nearer than anything is in vectors without structure, and not the same.
    assert 0.4 < float(np.median((queries @ vectors.T).max(axis=1))) < 0.95
