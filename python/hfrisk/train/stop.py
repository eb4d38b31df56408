"""Stop between two steps: a signal asks, the loop answers when its state is whole."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import FrameType

_T = TypeVar("_T")


class Stopped(Exception):  # noqa: N818 - not an error
    """The loop was asked to stop, and stands between two steps."""


class StopRequest:
    """Catch SIGTERM and Ctrl-C while the context lasts. The first one asks; a second one has its usual effect at once.

    A process among several is asked by its terminal and by `torchrun`, which kills what has not ended in half a minute: there a second
    signal means no more than the first.

    Signals reach the main thread only; elsewhere this does nothing.

    Attributes:
        signal: The signal that came, or None.
    """

    def __init__(self, *, is_patient: bool = False) -> None:
        self._is_patient = is_patient
        self.signal: signal.Signals | None = None
        self._previous: dict[signal.Signals, signal._HANDLER] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for name in (signal.SIGTERM, signal.SIGINT):
                self._previous[name] = signal.signal(name, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    def check(self) -> None:
        """Raise `Stopped` if a stop was asked for."""
        if self.signal is not None:
            raise Stopped

    def watch(self, items: Iterable[_T]) -> Iterator[_T]:
        """Yield items until a stop is asked for."""
        for item in items:
            self.check()
            yield item

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        self.signal = signal.Signals(number)
        if not self._is_patient:
            self._restore()

    def _restore(self) -> None:
        for name, handler in self._previous.items():
            signal.signal(name, handler)
        self._previous.clear()
