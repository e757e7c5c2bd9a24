"""Files of queries."""

from __future__ import annotations

from pathlib import Path

import pytest

from aesalign_core.errors import QueryError
from aesalign_core.queries import read_queries


def test_one_query_a_line_whatever_ends_it(tmp_path: Path) -> None:
    path = tmp_path / "queries.txt"
    path.write_bytes("a dog\r\n\n  a cat \ra\u2028line\x85in it\n".encode())
    assert read_queries(path) == ["a dog", "a cat", "a\u2028line\x85in it"]


@pytest.mark.parametrize(("text", "reason"), [("\n \n", "holds no query"), ("a\n" + "b" * 3_000, "line 2")])
def test_what_cannot_be_asked_is_told(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "queries.txt").write_text(text)
    with pytest.raises(QueryError, match=reason):
        read_queries(tmp_path / "queries.txt")
