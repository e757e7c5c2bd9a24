"""What reaches into a training run from outside: plugins that listen, and Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Mapping
from types import FrameType, TracebackType
from typing import Any

from aesalign_core.messages import describe
from aesalign_core.plugins import Registry


class Events:
    """Tells plugins what happens. One that fails costs one warning; the others and the training go on.

    Args:
        registry: Whose plugins listen.
        warn: Called with the warning.
        run: The run's folder.
    """

    def __init__(self, registry: Registry, warn: Callable[[str], None], run: str) -> None:
        self._hooks = registry.manager.hook
        self._warn = warn
        self._run = run
        self._failed: set[str] = set()

    def started(self, settings: Mapping[str, Any]) -> None:
        """The run begins or resumes."""
        self._tell("aesalign_training_started", settings=settings)

    def step(self, step: int, metrics: Mapping[str, float]) -> None:
        """A step was logged."""
        self._tell("aesalign_training_step", step=step, metrics=dict(metrics))

    def watched(self, step: int, metrics: Mapping[str, float]) -> None:
        """What is held out was looked at."""
        self._tell("aesalign_training_watched", step=step, metrics=dict(metrics))

    def finished(self, step: int) -> None:
        """The aligned weights are written."""
        self._tell("aesalign_training_finished", step=step)

    def _tell(self, hook: str, **values: Any) -> None:
        values["run"] = self._run
        for listener in getattr(self._hooks, hook).get_hookimpls():
            if listener.plugin_name in self._failed:
                continue
            try:
                listener.function(*[values[name] for name in listener.argnames])
            except Exception as error:
                self._failed.add(listener.plugin_name)
                failed = f"plugin {listener.plugin_name!r} failed in {hook} and hears no more of this run"
                self._warn(f"{failed}: {describe(error)}")


class Interruption:
    """Holds the first Ctrl-C back until a step is whole; a second one stops at once.

    Only the main thread is given Ctrl-C, so that elsewhere this does nothing.

    Args:
        patient: Whether more are held back, too: a process that stops at once would leave others waiting for it.
    """

    def __init__(self, *, patient: bool = False) -> None:
        self.requested, self._patient = False, patient
        self._before: Any = None

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested and not self._patient:
            raise KeyboardInterrupt
        self.requested = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self._before or signal.default_int_handler)
