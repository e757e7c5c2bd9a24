"""Files of queries: one a line."""

from __future__ import annotations

import re
from pathlib import Path

from aesalign_core.errors import AesalignError, QueryError
from aesalign_core.files import read_text
from aesalign_core.searching import check_query

MAX_BYTES = 100_000_000


def read_queries(path: Path) -> list[str]:
    """Reads a file of queries, without its empty lines.

    Raises:
        QueryError: The file cannot be read, holds none, or one of them cannot be searched; the error names the line.
    """
    try:
        # Not `splitlines`: a query may hold U+2028 and its like, which are no ends of lines of a file.
        lines = re.split(r"\r\n|\r|\n", read_text(path, limit=MAX_BYTES))
    except ValueError as error:
        raise QueryError(f"cannot read the queries {path}: {error}") from None
    queries = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            check_query(line)
        except AesalignError as error:
            raise QueryError(f"{path}, line {number}: {error.args[0]}", hint=error.hint) from None
        queries.append(line.strip())
    if not queries:
        raise QueryError(f"{path} holds no query", hint="write one query a line")
    return queries
