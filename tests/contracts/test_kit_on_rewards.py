"""Broken rewards fail the kit, which says which promise they break."""

from __future__ import annotations

import kit
import pytest
from broken_rewards import BROKEN

pytestmark = pytest.mark.slow
REFUSED = 'refused = ({"gain": "much"},)'
BODIES = dict.fromkeys(BROKEN, REFUSED) | {
    "words": 'refused, other_settings = ({"colour": 1},), ({"colour": "yellow"},)',
    "unnamed": 'refused = ({"colour": 1},)',
}
ALONE = "test_a_score_depends_on_its_picture_alone"
SHAPE = "test_scores_are_float32_and_finite"
ELSEWHERE = "test_fingerprints_are_the_same_in_another_process"
OTHERS = "test_other_answers_have_another_fingerprint"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> kit.Failures:
    # What is slow, as it starts processes, is not run on all of them.
    slow = f"({ELSEWHERE} and not (good or hashed))"
    return kit.failures(
        tmp_path_factory.mktemp("kit"), "RewardContract", {"broken": "broken_rewards"}, BODIES,
        only=f"not ({slow} or (test_importing and not good))",
    )  # fmt: skip


def test_what_keeps_every_promise_passes(found: kit.Failures) -> None:
    assert found["good"] == {}


@pytest.mark.parametrize(
    ("component", "test", "said"),
    [
        ("nan", SHAPE, "score_pixels gave nan for photo 5 of 7 (1 x 1 pixels)"),
        ("double", SHAPE, "score_pixels gave float64: return a NumPy array of float32 and of shape (7,)"),
        ("column", SHAPE, "score_pixels gave shape (7, 1) for 7 photos"),
        ("reversed", ALONE, "the order was not kept"),
        ("random", ALONE, "scores change when the same photos are given again"),
        ("batched", ALONE, "scores depend on their batch"),
        ("number", "test_fingerprints_are_texts", "breaks its contract: its fingerprint is int, not str"),
        ("hashed", ELSEWHERE, "in another process: a gallery would be scored again by every command"),
        ("stale", OTHERS, "with {'gain': 0.5} it answers differently, but fingerprint stays"),
        ("words", OTHERS, "with {'colour': 'yellow'} it answers differently"),
        ("unnamed", OTHERS, "name in `other_settings` settings that change the scores"),
        ("path", "test_it_can_be_a_column", "'path' is a column of every gallery"),
        ("scribbling", "test_scoring_changes_nothing_that_it_is_given", "changes the pixels of photo 1"),
        ("printing", "test_it_prints_nothing", "it prints 'scoring 2\\n' on stdout"),
        ("seeding", "test_it_seeds_nothing_that_others_draw_from", "it seeds numpy.random for the whole process"),
        ("littering", "test_it_leaves_no_file_in_the_working_folder", "it leaves scores.db in the working folder"),
        ("threaded", "test_it_closes_what_it_opens", "each use leaves a thread running"),
        ("calling", "test_it_reaches_no_network", "(socket.getaddrinfo ('192.0.2.1', 80))"),
        ("threadbound", "test_it_answers_in_another_thread", "RuntimeError: made in another thread"),
    ],
)
def test_a_broken_promise_is_named(found: kit.Failures, component: str, test: str, said: str) -> None:
    assert test in found[component], f"only these failed: {list(found[component])}"
    assert said in found[component][test]
