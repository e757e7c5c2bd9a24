"""Discovery, isolation, clashes and disabling of plugins, on real modules written to disk."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path

import pytest

from aesalign_core import plugins
from aesalign_core.errors import AmbiguousComponentError, PluginError, UnknownComponentError

GOOD = """
from aesalign_core import Component, hookimpl

@hookimpl
def aesalign_rewards():
    return [Component("{name}", "{module}_impl:Thing", summary="a thing")]
"""

Write = Callable[..., EntryPoint]


class _Dist(Distribution):
    def __init__(self, name: str) -> None:
        self._name = name

    def read_text(self, filename: str) -> str | None:
        return f"Metadata-Version: 2.1\nName: {self._name}\nVersion: 1.2\n" if filename == "METADATA" else None

    def locate_file(self, path: object) -> Path:
        return Path(str(path))


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a module and gives an entry point of it, as an installed package would have."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def _write(module: str, source: str, *, dist: str = "foreign") -> EntryPoint:
        (tmp_path / f"{module}.py").write_text(source)
        monkeypatch.delitem(sys.modules, module, raising=False)
        point = EntryPoint(module, module, plugins.GROUP)
        vars(point)["dist"] = _Dist(dist)
        return point

    return _write


def test_a_healthy_plugin_is_listed_without_importing_its_factory(write: Write) -> None:
    found = plugins.load([write("healthy", GOOD.format(name="thing", module="healthy"))])
    (record,) = plugins.listing(found)
    assert record == {
        "kind": "reward",
        "name": "thing",
        "summary": "a thing",
        "plugin": "healthy",
        "distribution": "foreign",
        "version": "1.2",
        "status": "ok",
        "reason": "",
    }
    assert "healthy_impl" not in sys.modules


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_package_at_all", "ModuleNotFoundError"),
        ("raise SystemError('boom')", "boom"),
        ("raise SystemExit('install something first')", "install something first"),
        ("import pytest\npytest.importorskip('no_such_package_at_all')", "Skipped"),
        ("from aesalign_core import hookimpl\n@hookimpl\ndef aesalign_reward(): return []", "aesalign_reward"),
        ("from aesalign_core import hookimpl\n@hookimpl\ndef aesalign_rewards(): return ['x']", "not Component"),
        (GOOD.format(name="Bad Name", module="m"), "no component name"),
        (GOOD.format(name="ok", module="m").replace("m_impl:Thing", "nonsense"), "no factory path"),
        ("from aesalign_core import hookimpl\n@hookimpl\ndef aesalign_rewards(): return 1/0", "ZeroDivisionError"),
    ],
)
def test_a_broken_plugin_costs_one_warning_and_nothing_else(
    write: Write, capsys: pytest.CaptureFixture[str], source: str, reason: str
) -> None:
    found = plugins.load([write("bad", source), write("fine", GOOD.format(name="thing", module="fine"))])
    (line,) = capsys.readouterr().err.splitlines()
    assert "'bad'" in line
    assert "foreign" in line
    assert reason in line
    records = {r["plugin"]: r for r in plugins.listing(found)}
    assert records["bad"]["status"] == "broken"
    assert reason in records["bad"]["reason"]
    assert records["fine"]["status"] == "ok"


def test_one_name_in_two_packages_is_an_error_that_names_both(write: Write) -> None:
    points = [
        write("one", GOOD.format(name="thing", module="one"), dist="pkg-one"),
        write("two", GOOD.format(name="thing", module="two"), dist="pkg-two"),
    ]
    found = plugins.load(points)
    with pytest.raises(AmbiguousComponentError, match="pkg-one:thing or pkg-two:thing"):
        found.find("reward", "thing")
    assert found.find("reward", "pkg-two:thing").plugin == "two"
    assert {r["status"] for r in plugins.listing(found)} == {"clash"}


def test_two_packages_may_name_their_plugins_alike(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    points = []
    for dist, module, name in (("pkg-one", "one", "thing"), ("pkg-two", "two", "thing"), ("pkg-two", "own", "other")):
        write(module, GOOD.format(name=name, module=module), dist=dist)
        points.append(EntryPoint("thing" if name == "thing" else "other", module, plugins.GROUP))
        vars(points[-1])["dist"] = _Dist(dist)
    found = plugins.load(points)
    assert [(s.name, s.status) for s in found.statuses] == [
        ("other", "ok"), ("thing", "ok"), ("pkg-two:thing", "ok"),
    ]  # fmt: skip
    with pytest.raises(AmbiguousComponentError, match="pkg-one:thing or pkg-two:thing"):
        found.find("reward", "thing")
    assert [found.find("reward", f"pkg-{n}:thing").component.factory for n in ("one", "two")] == [
        "one_impl:Thing", "two_impl:Thing",
    ]  # fmt: skip
    monkeypatch.setenv(plugins.DISABLE, "pkg-two:thing")
    assert plugins.load(points).find("reward", "thing").distribution == "pkg-one"


def test_environment_disables_or_selects(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    points = [write(n, GOOD.format(name=f"thing-{n}", module=n)) for n in ("one", "two")]
    monkeypatch.setenv(plugins.DISABLE, "one")
    assert [s.status for s in plugins.load(points).statuses] == ["disabled", "ok"]
    monkeypatch.delenv(plugins.DISABLE)
    monkeypatch.setenv(plugins.ONLY, "one")
    found = plugins.load(points)
    assert [s.status for s in found.statuses] == ["ok", "disabled"]
    assert [o.component.name for o in found.offers] == ["thing-one"]


def test_an_unknown_component_names_the_nearest(write: Write) -> None:
    found = plugins.load([write("healthy", GOOD.format(name="sharpness", module="healthy"))])
    with pytest.raises(UnknownComponentError, match="did you mean 'sharpness'"):
        found.find("reward", "sharpnes")
    with pytest.raises(UnknownComponentError, match="known: none"):
        found.find("judge", "sharpness")


def test_a_factory_that_cannot_be_imported_says_whose_it_is(write: Write) -> None:
    found = plugins.load([write("lost", GOOD.format(name="thing", module="lost"))])
    with pytest.raises(PluginError, match="of foreign cannot be imported: ModuleNotFoundError"):
        found.factory("reward", "thing")


def test_a_factory_without_settings_breaks_the_contract(write: Write) -> None:
    point = write("lacking", GOOD.format(name="thing", module="lacking"))
    write("lacking_impl", "class Thing: pass")
    with pytest.raises(PluginError, match="has no Settings"):
        plugins.load([point]).factory("reward", "thing")


def test_every_bundled_plugin_is_healthy_and_every_factory_resolves() -> None:
    found = plugins.load()
    assert {s.name for s in found.statuses if s.status == "ok"} >= {
        "embedded", "human", "laion", "lancedb", "litellm", "openclip", "prefrl",
    }  # fmt: skip
    for offer in found.offers:
        assert found.factory(offer.kind, offer.component.name).Settings.model_config["extra"] == "forbid"
        assert offer.component.summary
