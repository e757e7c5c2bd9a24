"""The settings table of the documentation, against the settings."""

from __future__ import annotations

import re
from pathlib import Path

from aesalign_litellm.prompts import Keywords
from aesalign_litellm.settings import RephraserSettings


def test_the_documentation_lists_every_setting_with_its_default() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "rephrasers.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \|([^|]*)\|", page.partition("| setting | default |")[2], re.MULTILINE))
    assert list(rows) == [*list(RephraserSettings.model_fields)]
    for name, field in RephraserSettings.model_fields.items():
        if field.default is not None and not field.is_required():
            assert rows[name].strip(" `") == str(field.default), name


def test_keywords_are_asked_for_by_the_aspects_of_the_core() -> None:
    from aesalign_core.rephrasing import ASPECTS

    assert tuple(Keywords.model_fields) == ASPECTS
