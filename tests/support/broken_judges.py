"""Judges that break one promise each, made of the one that `aesalign plugins new` writes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aesalign_plain_eye.judge import PlainEyeJudge

from aesalign_core import Component, hookimpl


class Good(PlainEyeJudge):
    pass


class Copying(Good):
    """What it says of the first it says of all."""

    def compare(self, queries: Any, old: Any, new: Any) -> Any:
        found = super().compare(queries, old, new)
        return [replace(one, outcome=found[0].outcome, reason=found[0].reason) for one in found]


class Undecided(Good):
    def compare(self, queries: Any, old: Any, new: Any) -> Any:
        return [replace(one, outcome="better") for one in super().compare(queries, old, new)]  # type: ignore[arg-type]


class NotANumber(Good):
    def compare(self, queries: Any, old: Any, new: Any) -> Any:
        return [replace(one, score_new=float("nan")) for one in super().compare(queries, old, new)]


class Printing(Good):
    def compare(self, queries: Any, old: Any, new: Any) -> Any:
        print(*queries)
        return super().compare(queries, old, new)


BROKEN = {"good": Good, "copying": Copying, "undecided": Undecided, "nan": NotANumber, "printing": Printing}


@hookimpl
def aesalign_judges() -> list[Component]:
    return [Component(name, f"broken_judges:{made.__name__}", summary="Broken.") for name, made in BROKEN.items()]
