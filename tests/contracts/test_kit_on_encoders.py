"""Broken encoders fail the kit, which says which promise they break."""

from __future__ import annotations

from pathlib import Path

import kit
import pytest

from aesalign_core.authoring.scaffold import scaffold

ROWS = "test_embeddings_are_unit_rows"
PROMISES = [
    ("nan", ROWS, "encode_texts gave nan for text 7 of 11 ('')"),
    ("long", ROWS, "encode_pixels gave a row of length 2 for photo 1 of 7 (320 x 240 pixels)"),
    ("double", ROWS, "encode_texts gave float64: return a NumPy array of float32 and of shape (11, 4)"),
    (
        "reversed",
        "test_a_text_is_embedded_for_itself",
        "the order was not kept: encode_texts gives the right embeddings",
    ),
    ("stale", "test_other_answers_have_another_fingerprint", "but image stays 'image'"),
]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> kit.Failures:
    folder: Path = tmp_path_factory.mktemp("kit")
    plain = scaffold("plain-colours", "encoder", folder).folder / "src"
    bodies = {component: 'refused = ({"side": 0},)' for component, _, _ in PROMISES}
    tests = " or ".join(sorted({test for _, test, _ in PROMISES}))
    return kit.failures(folder, "EncoderContract", {"broken": "broken_encoders"}, bodies, paths=[plain], only=tests)


@pytest.mark.parametrize(("component", "test", "said"), PROMISES)
def test_a_broken_promise_is_named(found: kit.Failures, component: str, test: str, said: str) -> None:
    assert test in found[component], f"only these failed: {list(found[component])}"
    assert said in found[component][test]
