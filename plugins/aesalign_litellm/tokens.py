"""Estimating tokens without a tokenizer: tokenizers differ by provider, and some are fetched from the web."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import BaseModel

BYTES_PER_TOKEN = 3
"""English has four and more; other scripts about three. Fewer means that a budget errs on the safe side."""
PER_MESSAGE = 8
PER_IMAGE = 1_500


def estimate(messages: Sequence[Mapping[str, Any]], answer: type[BaseModel]) -> int:
    """Tokens of messages and of the schema of their answer; rather too many than too few."""
    return _of_schema(answer) + sum(PER_MESSAGE + _of_content(m["content"]) for m in messages)


@cache
def _of_schema(answer: type[BaseModel]) -> int:
    return of_text(json.dumps(answer.model_json_schema()))


def _of_content(content: Any) -> int:
    if isinstance(content, str):
        return of_text(content)
    return sum(of_text(part["text"]) if part.get("type") == "text" else PER_IMAGE for part in content)


def of_text(text: str) -> int:
    """Tokens of a text; rather too many than too few."""
    return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)
