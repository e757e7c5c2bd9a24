"""Photographs to demonstrate on: found offline, cut well, split by whole source."""

from __future__ import annotations

import socket
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from aesalign_core.errors import AesalignError, GalleryError
from aesalign_embedded import flaws
from aesalign_embedded.demo import photographs
from aesalign_embedded.demo.own import OwnPhotographs, concepts, spread
from aesalign_embedded.demo.packaged import PackagedPhotographs
from aesalign_embedded.demo.sources import SOURCES, Source
from aesalign_embedded.demo.split import split_names, split_sources


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("something reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_every_source_is_in_an_installed_package_and_is_a_photograph(no_network: None) -> None:
    for source in SOURCES:
        with Image.open(source.path()) as image:
            assert min(image.size) >= 300


def test_a_source_that_is_missing_says_what_to_do() -> None:
    gone = Source("gone", "sky", "skimage.data", "no-such-file.png", (0, 0, 1, 1), ("q",))
    with pytest.raises(AesalignError, match=r"does not carry no-such-file\.png") as error:
        gone.path()
    assert "pip install" in error.value.hint


def test_queries_are_written_for_one_source_each() -> None:
    queries = [q for s in SOURCES for q in s.queries]
    assert len(set(queries)) == len(queries) == 10 * len(SOURCES)


@pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.name)
@pytest.mark.parametrize("view", range(photographs.VIEWS))
def test_a_view_holds_its_subject_and_is_no_careless_crop(source: Source, view: int) -> None:
    left, top, right, bottom = photographs.view_box(source, (1000, 1000), view)
    assert 0 <= left < right <= 1000
    assert 0 <= top < bottom <= 1000
    assert left <= round(source.subject[0] * 1000) <= round(source.subject[2] * 1000) <= right
    assert top <= round(source.subject[1] * 1000) <= round(source.subject[3] * 1000) <= bottom
    assert min(right - left, bottom - top) >= 1000 * photographs.SHORTEST - 1


def test_files_are_written_once_and_every_flaw_is_equally_frequent(tmp_path: Path, no_network: None) -> None:
    made = photographs.prepare(tmp_path, sources=SOURCES[:1], views=4, copies=4)
    assert Counter(p.flaw for p in made) == {"": 4, **dict.fromkeys(flaws.FLAWS, 2)}
    sizes = {}
    for picture in made:
        with Image.open(tmp_path / picture.path) as image:
            sizes[picture.path] = image.size
    assert len({(tmp_path / p.path).read_bytes() for p in made}) == len(made) == 20
    changed = {p.path: (tmp_path / p.path).stat().st_mtime_ns for p in made}
    assert photographs.prepare(tmp_path, sources=SOURCES[:1], views=4, copies=4) == made
    assert changed == {p.path: (tmp_path / p.path).stat().st_mtime_ns for p in made}


def test_a_lost_file_or_a_damaged_catalogue_is_made_again(tmp_path: Path) -> None:
    made = photographs.prepare(tmp_path, sources=SOURCES[:1], views=1, copies=1)
    (tmp_path / made[1].path).unlink()
    assert photographs.prepare(tmp_path, sources=SOURCES[:1], views=1, copies=1) == made
    assert (tmp_path / made[1].path).is_file()
    (tmp_path / photographs.CATALOGUE).write_text('{"pictures": [{"path": 1, "nonsense": 2}]}')
    assert photographs.prepare(tmp_path, sources=SOURCES[:1], views=1, copies=1) == made


@given(st.integers(0, 2**32))
def test_each_source_is_held_out_once_and_no_two_of_a_kind_together(seed: int) -> None:
    splits = split_sources(SOURCES, seed=seed)
    kinds = {s.name: s.kind for s in SOURCES}
    assert sorted(name for split in splits for name in split.held_out) == sorted(kinds)
    for split in splits:
        assert sorted(split.trained + split.held_out) == sorted(kinds)
        assert len({kinds[name] for name in split.held_out}) == len(split.held_out)
    assert splits == split_sources(SOURCES, seed=seed)


@given(st.lists(st.text(), min_size=2, unique=True), st.floats(0, 1), st.integers(0, 2**32))
def test_names_are_split_into_two_disjoint_sets(names: list[str], share: float, seed: int) -> None:
    split = split_names(names, held_out=share, seed=seed)
    assert split.trained
    assert split.held_out
    assert not set(split.trained) & set(split.held_out)
    assert set(split.trained) | set(split.held_out) == set(names)


def test_nothing_of_a_held_out_photograph_is_trainable(tmp_path: Path) -> None:
    material = PackagedPhotographs(tmp_path, views=1, copies=1, seed=3)
    owner = {q: s.name for s in SOURCES for q in s.queries}
    rounds = material.ask(None, None)  # type: ignore[arg-type]
    assert len(rounds) == len(material.splits) == 3
    for asked, split in zip(rounds, material.splits, strict=True):
        held_out, trained = set(split.held_out), set(split.trained)
        assert {material.source_of[str(p)] for p in asked.trainable} == trained
        assert {material.source_of[c.file] for c in asked.captions} == trained
        assert set(asked.groups) == held_out
        assert {material.source_of[f] for files in asked.relevant.values() for f in files} == held_out
        assert {owner[q] for q in asked.trained} == trained
        assert {owner[c.text] for c in asked.captions} <= trained
        assert {owner[q] for q in asked.held_out} == held_out
        assert not any(material.flaws[c.file] for c in asked.captions)
        assert len(asked.trainable) >= material.fewest


def test_every_held_out_query_knows_its_photographs_flawed_or_not(tmp_path: Path) -> None:
    material = PackagedPhotographs(tmp_path, views=2, copies=1)
    for asked in material.ask(None, None):  # type: ignore[arg-type]
        assert all(len(asked.relevant[q]) == 4 for q in asked.held_out)


def test_the_everyday_queries_are_many_and_different() -> None:
    assert len(concepts()) == len(set(concepts())) >= 400
    assert not set(concepts()) & {""}


@pytest.mark.parametrize(("count", "limit", "kept"), [(5, 0, 5), (5, 9, 5), (10, 4, 4), (7, 7, 7)])
def test_a_limit_spreads_over_the_whole_folder(count: int, limit: int, kept: int) -> None:
    paths = [Path(f"{i:02d}") for i in range(count)]
    chosen = spread(paths, limit)
    assert len(chosen) == kept
    assert chosen == sorted(set(chosen))
    assert chosen[-1].name >= f"{count - -(-count // kept):02d}"


def test_a_folder_with_too_few_photos_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "only.png")
    with pytest.raises(GalleryError, match="holds 1 photos") as error:
        OwnPhotographs(tmp_path, out=tmp_path / "out")
    assert "at least 20" in error.value.hint
