"""A torch module as an ONNX graph with any number of rows."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from aesalign_core.errors import ExportError
from aesalign_core.messages import describe

ABOUT, OUTPUT = "encoder.json", "unit_embedding"
FORMAT = "aesalign onnx 1"
_ONE_FILE = 1_500_000_000
"""Bytes of weights that go into the graph's own file, which may have 2 GB; those of a larger one lie beside it."""


class UnitRows(nn.Module):
    """A tower with rows of unit length.

    Args:
        tower: Whatever gives (n, d).
    """

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, *inputs: Tensor) -> Tensor:
        """(n, …) each → (n, d) float32, rows of unit length."""
        return normalize(self.tower(*inputs).float(), dim=-1)


def write_graph(path: Path, tower: nn.Module, inputs: Mapping[str, Tensor], *, free: tuple[str, ...] = ()) -> None:
    """Writes what a tower computes, with rows brought to unit length, as output `unit_embedding`.

    Args:
        path: The file.
        tower: On the CPU, in eval mode, of float32.
        inputs: An example of each input, by name, of at least two rows. The number of rows is free.
        free: Inputs whose second axis is free, too, and the same for all.

    Raises:
        ExportError: The extra `export` is not installed, or the tower does what ONNX cannot say.
    """
    if missing := [name for name in ("onnx", "onnxscript") if importlib.util.find_spec(name) is None]:
        raise ExportError(f"ONNX graphs need {' and '.join(missing)}", hint="pip install 'aesalign[export]'")
    rows, length = torch.export.Dim("rows"), torch.export.Dim("length")
    shapes = tuple({0: rows, 1: length} if name in free else {0: rows} for name in inputs)
    weights = sum(p.numel() * p.element_size() for p in tower.parameters())
    try:
        with _quiet(), torch.no_grad():
            torch.onnx.export(
                UnitRows(tower).eval(),
                tuple(inputs.values()),
                str(path),
                input_names=list(inputs),
                output_names=[OUTPUT],
                dynamic_shapes=(shapes,),
                dynamo=True,
                external_data=weights > _ONE_FILE,
                verbose=False,
            )
    except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
        raise ExportError(f"this tower cannot be written as an ONNX graph: {describe(error)[:200]}") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No notes of the exporter; torch's fused attention, which ONNX does not have, is left out."""
    fast, logger = torch.backends.mha.get_fastpath_enabled(), logging.getLogger("torch.onnx")
    level = logger.level
    torch.backends.mha.set_fastpath_enabled(False)
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        logger.setLevel(level)
