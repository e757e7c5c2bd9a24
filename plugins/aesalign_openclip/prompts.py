"""The templates and ImageNet class names that open_clip ships: those of CLIP's authors (Radford et al., 2021)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aesalign_core.protocols import BuildContext
from aesalign_core.settings import NoSettings


class OpenAiPrompts:
    """80 templates, tuned on ImageNet by CLIP's authors.

    Attributes:
        templates: Each holds one `{}`.
    """

    Settings = NoSettings
    _constant = "OPENAI_IMAGENET_TEMPLATES"

    def __init__(self, settings: NoSettings, context: BuildContext) -> None:
        from open_clip import zero_shot_metadata

        # open_clip has functions; of the place for the name each gives the template itself.
        self.templates: Sequence[str] = [make("{}") for make in getattr(zero_shot_metadata, self._constant)]

    def class_names(self, folders: Sequence[str]) -> Mapping[str, str]:
        """Names of ImageNet-1k's synsets (`n01440764`: tench), by timm's list of which synset is which class."""
        from open_clip import IMAGENET_CLASSNAMES
        from timm.data import ImageNetInfo

        names = dict(zip(ImageNetInfo("imagenet-1k").label_names(), IMAGENET_CLASSNAMES, strict=True))
        return {folder: names[folder] for folder in folders if folder in names}


class SimplePrompts(OpenAiPrompts):
    """The seven templates that CLIP's authors found to do nearly as well."""

    _constant = "SIMPLE_IMAGENET_TEMPLATES"
