"""An open_clip encoder in the formats of other libraries."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aesalign_openclip.heads import Heads
    from aesalign_openclip.loading import Loaded

FORMATS = ("open_clip", "transformers", "onnx")
_HOMES = {"open_clip": "native", "transformers": "clip_model", "onnx": "graphs"}


def write(to: str, folder: Path, loaded: Loaded, heads: Heads, name: str) -> None:
    """Writes one of `FORMATS` into an empty folder.

    Raises:
        ExportError: The architecture does not fit the format.
    """
    import_module(f"{__name__}.{_HOMES[to]}").write(folder, loaded, heads, name)
