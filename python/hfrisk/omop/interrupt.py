"""Waiting for a query in such a way that Ctrl-C stops it.

A query runs in a worker thread while the calling thread waits, because a database library does not return from a query for Ctrl-C: the
waiting thread receives the interrupt, asks the database to cancel the query, and only then raises KeyboardInterrupt.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, ParamSpec, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_T = TypeVar("_T")
_P = ParamSpec("_P")
_LISTEN_S = 0.2


class Interruptible:
    """A worker thread for queries.

    Args:
        cancel: Stops the query that is running; called from the waiting thread.
    """

    def __init__(self, cancel: Callable[[], object]) -> None:
        self._cancel = cancel
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hfrisk-query")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._worker.shutdown()

    def __call__(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run a function in the worker and wait for it."""
        future = self._worker.submit(function, *args, **kwargs)
        try:
            # Polars' handler of SIGINT restarts a wait instead of ending it, so a wait without an end would never hear of Ctrl-C.
            while not wait([future], timeout=_LISTEN_S).done:
                pass
            return future.result()
        except KeyboardInterrupt:
            self._cancel()
            wait([future])
            raise
