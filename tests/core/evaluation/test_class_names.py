"""What classes are called, and the templates they are put into."""

from __future__ import annotations

from pathlib import Path

import pytest

from aesalign_core.errors import EvaluationError
from aesalign_core.evaluation.class_names import fill, name_classes, read_class_names, read_templates

SYNSETS = {"n01440764": "tench"}


def written(folder: Path, text: str) -> Path:
    path = folder / "names"
    path.write_text(text, encoding="utf-8")
    return path


def test_folders_name_themselves_unless_somebody_knows_better() -> None:
    assert name_classes(["n01440764", "golden_retriever", "cat"], SYNSETS) == ("tench", "golden retriever", "cat")
    assert name_classes(["a", "b"], {}, {"b": "beer", "a": "ale", "c": "cider"}) == ("ale", "beer")


def test_a_synset_that_nobody_can_name_is_refused() -> None:
    with pytest.raises(EvaluationError, match=r"n99999999 is no class of ImageNet-1k.*--classes FILE"):
        name_classes(["n01440764", "n99999999"], SYNSETS)
    assert name_classes(["n99999999", "x"], SYNSETS, {"n99999999": "thing", "x": "y"}) == ("thing", "y")


def test_names_that_leave_a_folder_out_are_refused() -> None:
    with pytest.raises(EvaluationError, match="1 of 2 folders have no name, 'cat' for one"):
        name_classes(["cat", "dog"], {}, {"dog": "dog"})


@pytest.mark.parametrize(
    "text",
    [
        "folder,name\na,an ale\nb, beer \n",
        "\ufeffname,folder,x\nan ale,a,1\nbeer,b,2\n",
        '{"a": "an ale", "b": "beer"}',
    ],
)
def test_files_of_names(tmp_path: Path, text: str) -> None:
    assert read_class_names(written(tmp_path, text)) == {"a": "an ale", "b": "beer"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "does not name the columns folder and name"),
        ("a,b\n1,2\n", "does not name the columns"),
        ("folder,name\n", "it names no class"),
        ("folder,name\na,x\na,y\n", "the folder 'a' comes twice"),
        ("folder,name\na\n", "the name of 'a' is empty"),
        ("folder,name\na," + "x" * 501, "is empty, or longer than 500"),
        ('folder,name\na,"x', "line 2: unexpected end"),
        ("{}", "it names no class"),
        ('{"a": "x", "a": "y"}', "the folder 'a' comes twice"),
        ('{"a": ["x"]}', "the name of 'a' is no text"),
        ('{"a": "x"', "no JSON"),
        ('{"a": ' + "[" * 100_000, "no JSON"),
    ],
)
def test_a_broken_file_of_names_is_one_clear_error(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(EvaluationError, match=told):
        read_class_names(written(tmp_path, text))


def test_templates_are_filled_and_nothing_in_them_is_run(tmp_path: Path) -> None:
    templates = read_templates(written(tmp_path, "a photo of a {}.\n\n  {0.__class__} {} {x}\n"))
    assert templates == ["a photo of a {}.", "{0.__class__} {} {x}"]
    assert fill(templates[1], "{y}") == "{0.__class__} {y} {x}"


@pytest.mark.parametrize(
    ("text", "told"),
    [("", "0 templates"), ("a photo\n", "line 1: 'a photo' has not one {}"), ("{}\n{} and {}\n", "line 2"),
     ("{}" + "x" * 500, "is too long"), ("{}\n" * 1_001, "1,001 templates")],
)  # fmt: skip
def test_broken_templates_are_one_clear_error(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(EvaluationError, match=told):
        read_templates(written(tmp_path, text))
