"""A thread that runs one call after another, and that the end of the program does not wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

Result = TypeVar("Result")
SECONDS_TO_END = 5.0
"""Seconds that `close` waits for the call that is running: a download or a choice of texts may take minutes."""


class Worker:
    """A daemon thread with a queue of calls. The interpreter waits for the threads of an executor, but not for it."""

    def __init__(self, name: str) -> None:
        """Start the thread."""
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, call: Callable[[], Result]) -> Future[Result]:
        """Return the future result of a call, which begins when those before it have ended."""
        future: Future[Result] = Future()
        self._calls.put((future, call))
        return future

    def close(self) -> None:
        """Cancel the calls that have not begun, and wait for the one that is running, for `SECONDS_TO_END` at most."""
        self._closed = True
        self._calls.put(None)
        self._thread.join(SECONDS_TO_END)

    def _work(self) -> None:
        while (item := self._calls.get()) is not None:
            future, call = item
            if self._closed:
                future.cancel()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001 - as an executor does, it belongs to the reader of the future
                future.set_exception(error)
