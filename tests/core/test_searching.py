"""Bad queries are refused before any model is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aesalign_core.errors import QueryError
from aesalign_core.queries import read_queries
from aesalign_core.searching import MAX_QUERY_CHARS, search


@pytest.mark.parametrize(
    ("queries", "options", "message"),
    [
        ([""], {}, "the query is empty"),
        (["  \t"], {}, "the query is empty"),
        (["x" * (MAX_QUERY_CHARS + 1)], {}, "2,001 characters"),
        (["a dog"], {"k": 0}, "k is 0"),
        (["a dog"], {"k": -1}, "k is -1"),
        (["a dog"], {"reward_weight": 0.1}, "a reward weight without a reward"),
    ],
)
def test_bad_input_is_one_line(queries: list[str], options: dict[str, Any], message: str) -> None:
    with pytest.raises(QueryError, match=message):
        search(queries, None, None, **options)  # type: ignore[arg-type]


def test_a_file_of_queries_skips_empty_lines(tmp_path: Path) -> None:
    path = tmp_path / "queries.txt"
    path.write_text("a dog\n\n  a cat  \n")
    assert read_queries(path) == ["a dog", "a cat"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\n\n", "holds no query"),
        (b"a\n" + b"x" * 3000, "line 2: the query has 3,000 characters"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_a_bad_file_of_queries_is_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "queries.txt"
    path.write_bytes(content)
    with pytest.raises(QueryError, match=message):
        read_queries(path)


def test_a_missing_file_of_queries_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="No such file"):
        read_queries(tmp_path / "none.txt")
