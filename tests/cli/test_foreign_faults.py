"""What plugins of other people do wrong is told as theirs, in one line, by every command that meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import colours
import launching
import pytest

PLUGIN = """
import numpy as np
from aesalign_core import Component, Settings as BaseSettings, hookimpl

class Reward:
    class Settings(BaseSettings):
        pass
    space = None
    fingerprint = "a"
    def __init__(self, settings, context):
        self.name = type(self).__name__.lower()
    def preprocess(self, image):
        return np.zeros(1, np.float32)
    def score_vectors(self, vectors):
        raise NotImplementedError

class Raising(Reward):
    def score_pixels(self, pixels):
        raise ValueError("two\\nlines")

class Few(Reward):
    def score_pixels(self, pixels):
        return np.zeros(len(pixels) - 1, np.float32)

class Words(Reward):
    def score_pixels(self, pixels):
        return ["good"] * len(pixels)

class Nothing(Reward):
    def score_pixels(self, pixels):
        return np.full(len(pixels), np.nan, np.float32)

class Numbered(Nothing):
    fingerprint = 3

class Closed(Nothing):
    def __init__(self):
        pass

@hookimpl
def aesalign_rewards():
    names = ("Raising", "Few", "Words", "Nothing", "Numbered", "Closed")
    return [Component(name.lower(), "foreign_rewards:" + name) for name in names]
"""


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = launching.plugin(tmp_path_factory.mktemp("plugins"), foreign="foreign_rewards", colours="colours")
    (folder / "foreign_rewards.py").write_text(PLUGIN)
    return launching.environment(folder)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    colours.write_photos(folder, each=2)
    return folder


def run(env: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    given = [sys.executable, "-m", "aesalign_core", *map(str, arguments)]
    return subprocess.run(given, env=env, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    ("reward", "reason"),
    [
        ("raising", "plugin 'foreign' of test-plugins failed: ValueError: two lines (AESALIGN_DEBUG=1"),
        ("few", "reward 'few' gave scores of shape (5,) for 6 photos"),
        ("words", "reward 'words' gave scores that are no array of numbers, but list"),
        ("numbered", "reward 'numbered' of test-plugins breaks its contract: its fingerprint is int, not str"),
        ("closed", "reward 'closed' of test-plugins cannot be built: TypeError: "),
    ],
)
def test_scoring(env: dict[str, str], photos: Path, reward: str, reason: str) -> None:
    done = run(env, "score", photos, "--reward", reward, "--json")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"aesalign: error: {reason}")


def test_a_score_that_is_no_number_is_none_with_a_reason(env: dict[str, str], photos: Path) -> None:
    done = run(env, "score", photos, "--reward", "nothing", "--json")
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(r["reward"], r["reason"]) for r in records] == [("nothing", "the reward gave no finite score")] * 6


def test_indexing_says_which_reward_gives_nothing(env: dict[str, str], photos: Path, tmp_path: Path) -> None:
    given = ("index", photos, "-g", tmp_path / "gallery", "--encoder", "colours", "--reward", "nothing", "--json")
    done = run(env, *given)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["unscored"] == {"nothing": 6}
    warning = "aesalign: warning: reward 'nothing' gives no finite score for 6 photos, which are left without one"
    assert warning in done.stderr.splitlines()
