"""A service over the gallery of colours, in a process of its own: `python -m serve_colours GALLERY RUN JSON DELAY`.

JSON are `ServeSettings`; DELAY, in seconds, is how long each pass of the text tower takes on top.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import colours

from aesalign_core.gallery import Gallery
from aesalign_core.settings import validate
from aesalign_core.types import Vectors
from aesalign_serve.serving import serve
from aesalign_serve.settings import ServeSettings


def main() -> None:
    """Serves until a signal; prints what is served as one line."""
    gallery, run, given, delay = sys.argv[1:]
    quick = colours.ColourEncoder.text_features

    def slow(self: Any, texts: Sequence[str]) -> Vectors:
        time.sleep(float(delay))
        if any("explode" in text for text in texts):
            raise RuntimeError("the tower\nfell")
        return quick(self, texts)

    colours.ColourEncoder.text_features = slow  # type: ignore[method-assign]
    build = colours.builder()
    settings = validate(ServeSettings, json.loads(given), where="serve")
    serve(
        Gallery.open(Path(gallery), build), build, settings, encoder=run or None,
        ready=lambda facts: print(json.dumps(facts), flush=True),
    )  # fmt: skip


if __name__ == "__main__":
    main()
