"""From a RUN to a folder that another library loads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aesalign_core.encoder_names import run_name, run_of
from aesalign_core.errors import ExportError
from aesalign_core.files import new_folder
from aesalign_core.messages import describe
from aesalign_core.protocols import Exportable

if TYPE_CHECKING:
    from aesalign_core.build import Builder

ADAPTER = "adapter"


@dataclass(frozen=True)
class ExportResult:
    """What `export` wrote.

    Attributes:
        run: The RUN, with its strength if that is not 1.
        encoder: The encoder that was aligned.
        to: The format.
        folder: Where it is.
        files: Bytes of each file, by name.
    """

    run: str
    encoder: str
    to: str
    folder: Path
    files: Mapping[str, int]

    def as_dict(self) -> dict[str, Any]:
        """The record as plain JSON types."""
        return {
            "run": self.run,
            "encoder": self.encoder,
            "to": self.to,
            "folder": str(self.folder),
            "files": dict(self.files),
        }


def export(run: str | Path, to: str, out: Path, builder: Builder, *, strength: float | None = None) -> ExportResult:
    """Writes an aligned encoder for another library.

    The folder appears at once and whole, or not at all.

    Args:
        run: A RUN folder, or `RUN@STRENGTH`.
        to: `adapter`, or a format that the encoder names: for open_clip's `open_clip`, `transformers`, `onnx`.
        out: The folder to make.
        builder: Builds the encoder.
        strength: As in `RUN@STRENGTH`, which then must not be in `run`.

    Raises:
        ExportError: The encoder cannot be written in this format, or `out` exists.
        ModelError: `run` is no RUN folder, or damaged.
        SettingsError: The strength is no number from 0 to 4.
    """
    folder, whole = _found(run, strength)
    name, base = run_name(folder, whole), builder.base(folder)
    encoder = builder.encoder(name)
    formats = tuple(encoder.export_formats) if isinstance(encoder, Exportable) else ()
    if to != ADAPTER and to not in formats:
        raise ExportError(
            f"the RUN {name} of {base.name} cannot be exported to {to!r}",
            hint="it can be to " + " or ".join((*formats, f"{ADAPTER} where the text head is a linear map")),
        )
    with new_folder(out) as temporary:
        if to == ADAPTER:
            from aesalign_core.exporting.linear import query_adapter

            query_adapter(encoder, base).save(temporary, run=name)
        elif isinstance(encoder, Exportable):
            _written(encoder, to, temporary)
        files = {str(p.relative_to(temporary)): p.stat().st_size for p in sorted(temporary.rglob("*")) if p.is_file()}
    return ExportResult(name, base.name, to, out, files)


def _written(encoder: Exportable, to: str, folder: Path) -> None:
    from safetensors import SafetensorError

    try:
        encoder.export(to, folder)
    except SafetensorError as error:  # what a full disk is to it
        raise ExportError(f"cannot write {to}: {describe(error)[:200]}", hint="check free space") from error


def _found(run: str | Path, strength: float | None) -> tuple[Path, float]:
    known = run_of(str(run))
    if known is None:
        raise ExportError(f"there is no RUN folder {run}", hint="aesalign align --out RUN makes one")
    if strength is None:
        return known
    if not Path(run).is_dir():
        raise ExportError(f"{run} has a strength already", hint="leave one of them out")
    return run_of(run_name(Path(run), strength)) or known
