"""The whole exception tree, in one file.

Every failure that a user can cause or repair is an `AesalignError`: one line that says what is wrong, and
`hint`, one line that says what to do next. The command line prints both and exits with 1.
"""

from __future__ import annotations


class AesalignError(Exception):
    """An expected failure.

    Args:
        message: What is wrong, in one line.
        hint: What to do next, in one line; may be empty.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message} ({self.hint})" if self.hint else message


class PluginError(AesalignError):
    """A plugin cannot be loaded, or breaks its contract."""


class UnknownComponentError(PluginError):
    """No component has this name."""


class AmbiguousComponentError(PluginError):
    """Two packages offer a component of this name."""


class SettingsError(AesalignError):
    """A setting has an unknown name or an unusable value."""


class RecipeError(SettingsError):
    """A recipe cannot be read, or one of its entries is wrong."""


class ImageError(AesalignError):
    """An image cannot be decoded safely."""


class ModelError(AesalignError):
    """A model's name, weights or files cannot be used."""


class GalleryError(AesalignError):
    """A gallery is missing, damaged, or cannot be written."""


class EngineError(AesalignError):
    """An engine of many workers cannot be used, or its workers fail."""


class SpaceMismatchError(GalleryError):
    """Vectors of two different embedding spaces were about to be compared."""


class QueryError(AesalignError):
    """A query or its options cannot be searched."""


class LlmError(AesalignError):
    """An LLM cannot be asked at all (a single question that fails is told with its answer instead)."""


class BudgetError(LlmError):
    """A budget of requests, tokens or money is spent."""


class PreferenceError(AesalignError):
    """Preference grids are missing, damaged, or cannot be built."""


class AlignmentError(AesalignError):
    """A training run cannot start, resume or go on."""


class ExportError(AesalignError):
    """An encoder cannot be written in a format."""


class EvaluationError(AesalignError):
    """A comparison cannot be computed from what was given."""


class ListenError(AesalignError):
    """Nothing can be served at an address, or not to those who could reach it."""
