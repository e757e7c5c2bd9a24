"""A reader sees the old file or the new one, never half of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from aesalign_core import files
from aesalign_core.errors import AesalignError


def _write_and_fail(path: Path) -> None:
    path.write_text("new")
    raise LookupError


def test_a_failure_leaves_the_old_file_and_no_rubbish(tmp_path: Path) -> None:
    path = tmp_path / "kept.txt"
    path.write_text("old")
    with pytest.raises(LookupError), files.replacing(path) as temporary:
        _write_and_fail(temporary)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["kept.txt"]


def test_a_disk_error_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "kept.txt"
    path.write_text("old")
    with pytest.raises(AesalignError, match=r"cannot write .*kept\.txt: No space"), files.replacing(path):
        raise OSError(28, "No space left on device")
    assert path.read_text() == "old"


def test_a_folder_in_the_way_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AesalignError, match="cannot write"):
        files.write_text(tmp_path / "file" / "below", "text")
