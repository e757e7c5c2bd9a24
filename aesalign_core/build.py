"""From a recipe to built components, each once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any, cast

from pydantic import BaseModel

from aesalign_core import device as devices
from aesalign_core.encoder_names import MODEL_PREFIX, is_model_spec, run_name, run_of
from aesalign_core.errors import ModelError, PluginError
from aesalign_core.hookspecs import Kind
from aesalign_core.locations import StoreUri
from aesalign_core.messages import describe, warn
from aesalign_core.plugins import Registry, registry
from aesalign_core.protocols import (
    CombinedReward,
    ComponentFactory,
    Encoder,
    Judge,
    Objective,
    Prompts,
    Rephraser,
    Retriever,
    Reward,
    TrainableEncoder,
)
from aesalign_core.protocols.kinds import OF_KIND, required
from aesalign_core.recipe import Recipe, Use
from aesalign_core.settings import validate


class Builder:
    """Builds a recipe's components on demand and keeps them. It is the `BuildContext` that they are given."""

    def __init__(self, recipe: Recipe | None = None, *, found: Registry | None = None) -> None:
        self.recipe = recipe or Recipe()
        self.registry = found or registry()
        self._device: str | None = None
        self._built: dict[str, Any] = {}
        self._warned: set[str] = set()

    @property
    def device(self) -> str:
        """The device, chosen on first use."""
        if self._device is None:
            self._device = devices.choose(self.recipe.device)
        return self._device

    def warn(self, message: str) -> None:
        """One line on stderr, once per message."""
        if message not in self._warned:
            self._warned.add(message)
            warn(message)

    def of_recipe(self, recipe: Recipe) -> Builder:
        """A builder of another recipe of the same encoder, which keeps what this one has built."""
        other = Builder(recipe, found=self.registry)
        other._device, other._built, other._warned = self._device, self._built, self._warned
        return other

    def component(self, kind: Kind, use: Use, **extra: Any) -> Any:
        """Builds a component, or gives the one already built from equal settings.

        Raises:
            PluginError: What was built does not do what its kind must.
        """
        key = kind + json.dumps([use.use, {**use.settings, **extra}], sort_keys=True, default=str)
        if key not in self._built:
            factory = self.registry.factory(kind, use.use)
            settings = validate(factory.Settings, {**use.settings, **extra}, where=f"{kind} {use.use}")
            built = self._made(kind, use, factory, settings)
            if problem := _broken(built, kind):
                offer = self.registry.find(kind, use.use)
                raise PluginError(f"{kind} {use.use!r} of {offer.distribution} breaks its contract: {problem}")
            self._built[key] = built
        return self._built[key]

    def _made(self, kind: Kind, use: Use, factory: ComponentFactory, settings: BaseModel) -> Any:
        try:
            return factory(settings, self)
        except TypeError as error:
            if error.__traceback__ is None or error.__traceback__.tb_next is not None:
                raise  # from inside
            offer = self.registry.find(kind, use.use)
            raise PluginError(
                f"{kind} {use.use!r} of {offer.distribution} cannot be built: {describe(error)}",
                hint="it is called with its settings and a BuildContext",
            ) from error

    def encoder(self, spec: str | None = None) -> Encoder:
        """An encoder by component name, `ARCH/PRETRAINED`, RUN folder or `RUN@STRENGTH`; None: the recipe's own."""
        use = self.recipe.encoder if spec in (None, self.recipe.encoder.use) else Use(use=spec or "")
        if not is_model_spec(use.use):
            return cast("Encoder", self.component("encoder", use))
        if run := run_of(use.use):
            return self._aligned(*run)
        model = use.use.removeprefix(MODEL_PREFIX)
        own = self.recipe.encoder.settings
        settings = own if own.get("model") == model else use.settings
        return cast("Encoder", self.component("encoder", Use(use="open_clip", **{**settings, "model": model})))

    def base(self, folder: Path) -> TrainableEncoder:
        """The encoder that a RUN was aligned from, before alignment.

        Raises:
            ModelError: The folder is no RUN, or its encoder cannot have been aligned.
        """
        from aesalign_core.alignment import runs

        key = f"base:{folder.resolve()}"
        if key not in self._built:
            recipe = runs.read(folder).recipe
            inner = Builder(recipe.model_copy(update={"device": self.recipe.device}), found=self.registry)
            inner._device, inner._warned = self._device, self._warned
            encoder = inner.encoder()
            if recipe.align.tune == "adapter":
                from aesalign_core.alignment.adapted import AdaptedEncoder

                encoder = AdaptedEncoder(encoder)
            if not isinstance(encoder, TrainableEncoder):
                raise ModelError(f"{encoder.name} has no heads, so {folder} cannot have been made from it")
            self._built[key] = encoder
        return cast("TrainableEncoder", self._built[key])

    def _aligned(self, folder: Path, strength: float) -> Encoder:
        from aesalign_core.alignment import runs

        key = f"run:{run_name(folder.resolve(), strength)}"
        if key not in self._built:
            self._built[key] = runs.aligned(runs.read(folder), self.base(folder), strength=strength)
        return cast("Encoder", self._built[key])

    def reward(self, spec: str, settings: Mapping[str, Any] | None = None) -> Reward:
        """A reward by component name; without settings, those of the recipe's entry of that name."""
        use = Use(use=spec, **(settings or {}))
        if settings is None:
            use = next((u for u in self.recipe.rewards if u.use == spec), use)
        return cast("Reward", self.component("reward", use))

    def rewards(self) -> list[Reward | CombinedReward]:
        """The recipe's rewards."""
        return [self.component("reward", use) for use in self.recipe.rewards]

    def rephraser(self) -> Rephraser:
        """The recipe's rephraser."""
        return cast("Rephraser", self.component("rephraser", self.recipe.rephraser))

    def retriever(self, location: PurePath) -> Retriever:
        """The recipe's retriever, over the store at a location.

        Raises:
            PluginError: The location is in an object store, and the retriever has no use for one.
        """
        name = self.recipe.retriever.use
        if isinstance(location, StoreUri) and not getattr(
            self.registry.factory("retriever", name), "object_stores", False
        ):
            raise PluginError(
                f"the retriever {name!r} keeps no galleries in object stores, such as {location}",
                hint="use --set retriever.use=lancedb, or a folder",
            )
        return cast("Retriever", self.component("retriever", self.recipe.retriever, location=str(location)))

    def objective(self) -> Objective:
        """The recipe's objective."""
        return cast("Objective", self.component("objective", self.recipe.objective))

    def judge(self) -> Judge:
        """The recipe's judge."""
        return cast("Judge", self.component("judge", self.recipe.judge))

    def prompts(self, name: str) -> Prompts:
        """A prompt set by component name."""
        return cast("Prompts", self.component("prompt", Use(use=name)))


def _broken(built: object, kind: Kind) -> str:
    """What is wrong with a component that was built; empty if nothing is."""
    if not isinstance(built, OF_KIND[kind]):
        missing = sorted(name for name in required(OF_KIND[kind][0]) if not hasattr(built, name))
        return "it lacks " + ", ".join(missing)
    fingerprint: object = getattr(built, "fingerprint", "")
    return "" if isinstance(fingerprint, str) else f"its fingerprint is {type(fingerprint).__name__}, not str"
