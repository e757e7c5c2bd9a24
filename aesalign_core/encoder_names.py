"""What an encoder can be called: a component, an open_clip model, or a RUN folder, whole or in part."""

from __future__ import annotations

import math
from pathlib import Path

from aesalign_core.errors import SettingsError

MODEL_PREFIX = "open_clip:"
"""How galleries and runs name an open_clip model, so that it can be built again from the name."""
MAX_STRENGTH = 4.0
"""Beyond 1 the way from the base to the aligned weights is followed further: stronger, and less sure."""


def is_model_spec(name: str) -> bool:
    """Whether an encoder's name is a model (`ARCH/PRETRAINED`, `hf-hub:…`) or a RUN folder, not a component."""
    return "/" in name or name.startswith(("hf-hub:", MODEL_PREFIX)) or _is_run(name) or _is_run(_split(name)[0])


def run_of(name: str) -> tuple[Path, float] | None:
    """The RUN folder and the strength that `RUN` or `RUN@STRENGTH` means; None if it is not a folder.

    Raises:
        SettingsError: The strength is no number from 0 to `MAX_STRENGTH`.
    """
    if Path(name).is_dir():
        return Path(name), 1.0
    folder, strength = _split(name)
    if not folder or not Path(folder).is_dir():
        return None
    try:
        value = float(strength)
    except ValueError:
        value = math.nan
    if not 0 <= value <= MAX_STRENGTH:
        raise SettingsError(
            f"the strength of {name!r} is no number from 0 to {MAX_STRENGTH:g}",
            hint=f"for example {folder}@0.6: 0 is the encoder before alignment, 1 the aligned one",
        )
    return Path(folder), value


def run_name(folder: Path, strength: float) -> str:
    """The name that `run_of` reads."""
    return str(folder) if strength == 1 else f"{folder}@{strength:g}"


def _split(name: str) -> tuple[str, str]:
    folder, _, strength = name.rpartition("@")
    return folder, strength


def _is_run(name: str) -> bool:
    return bool(name) and (Path(name) / "run.json").is_file()
