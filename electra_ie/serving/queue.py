"""The queue of a server: documents of many requests, read together by the one thread that owns the model."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from electra_ie.common.logs import warn
from electra_ie.data.document import Document
from electra_ie.inference.engine.base import TextExtractor
from electra_ie.inference.engine.results import DocumentResult
from electra_ie.web.errors import described

QUIET_SECONDS = 0.003
PATIENCE = 1 / 16
"""Before a call, more documents are waited for until none has come for `QUIET_SECONDS`, at most for this share of the
time of the last call: the clients that it has answered send their next documents then, and few long calls cost less
than many short ones."""
CHARACTERS_AT_ONCE = 1 << 16
"""Characters that are read together at most: enough for full batches, few enough for a short wait of the next ones."""
Render = Callable[[DocumentResult], Any]
"""Makes an answer of a result, in the thread with the model."""


class QueueFullError(Exception):
    """Error for documents that the queue has no room for. seconds: how long its documents take, estimated."""

    def __init__(self, seconds: float) -> None:
        super().__init__("the queue is full")
        self.seconds = seconds


class StoppedError(Exception):
    """Error for documents when the thread with the model has ended."""


class UnreadableError(Exception):
    """Error for a document that the model cannot read."""


@dataclass
class _Waiting:
    """A document in the queue, and the future of its answer, or of its error as a result."""

    document: Document
    render: Render
    answer: asyncio.Future[Any]


class ModelQueue:
    """A bounded queue in front of a model.

    `put` is called in an event loop. A thread takes the documents that wait, of however many requests, and reads them
    in one call: as the findings of a document do not depend on the others, they are those that it has alone. Documents
    whose request has ended are left out. If a call fails, its documents are read one by one, and those that fail alone
    get an error.

    Args:
        extractor: The model.
        places: The number of documents that may wait.
        read_together: Called with the number of documents of each call.
    """

    def __init__(
        self, extractor: TextExtractor, places: int, read_together: Callable[[int], object] = lambda _: None
    ) -> None:
        self.places = places
        self._extractor, self._read_together = extractor, read_together
        self._waiting: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._seconds = self._call_seconds = 0.0
        """The time of a document, as an average that follows the latest, and that of the last call."""
        self._thread = threading.Thread(target=self._work, name="model", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the call that it is in; documents that wait get `StoppedError`."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    @property
    def is_running(self) -> bool:
        """Whether documents are read."""
        return self._thread.is_alive() and not self._stopping

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, documents: Sequence[Document], render: Render) -> list[asyncio.Future[Any]]:
        """Put documents at the end, and return the futures of their answers. Cancel one to leave its document out.

        The answer is an `UnreadableError` for a document that cannot be read, a `StoppedError` if the thread ends: not
        as an exception, since nobody may be left to retrieve it.

        Raises:
            QueueFullError: There is no room for all of them. None is put in.
            StoppedError: The thread has ended.
        """
        loop = asyncio.get_running_loop()
        added = [_Waiting(document, render, loop.create_future()) for document in documents]
        with self._changed:
            if not self.is_running:
                raise StoppedError
            if len(self._waiting) + len(added) > self.places:
                self._waiting = deque(each for each in self._waiting if not each.answer.cancelled())
            if len(self._waiting) + len(added) > self.places:
                raise QueueFullError(self._seconds * len(self._waiting))
            if not self._waiting:
                self._changed.notify()
            self._waiting.extend(added)
        return [each.answer for each in added]

    def _work(self) -> None:
        """Read until the end; whatever ends it, nobody waits for an answer that never comes."""
        batch: list[_Waiting] = []
        try:
            for batch in self._batches():
                began = time.perf_counter()
                answers = self._read(batch)
                self._call_seconds = time.perf_counter() - began
                self._seconds += (self._call_seconds / len(batch) - self._seconds) / 8
                self._read_together(len(batch))
                _answer(batch, answers)
        except BaseException as error:
            warn(f"the thread with the model has ended with {described(error)}. Start the server again.")
        finally:
            with self._changed:
                self._stopping = True
                rest = [*batch, *self._waiting]  # the first have their answers already, unless reading them failed
                self._waiting.clear()
            _answer(rest, [StoppedError()] * len(rest))

    def _batches(self) -> Iterator[list[_Waiting]]:
        """Yield what is read together, until the end."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._stopping)
                self._collect()
                if self._stopping:
                    return
                batch, characters = list[_Waiting](), 0
                while self._waiting and characters < CHARACTERS_AT_ONCE:
                    each = self._waiting.popleft()
                    if not each.answer.cancelled():
                        batch.append(each)
                        characters += len(each.document.text)
            if batch:
                yield batch

    def _collect(self) -> None:
        """Wait for more documents, with the lock, which is released meanwhile."""
        until, before = time.monotonic() + PATIENCE * self._call_seconds, 0
        while before < len(self._waiting) and (left := until - time.monotonic()) > 0:
            before = len(self._waiting)
            self._changed.wait_for(lambda: self._stopping, min(QUIET_SECONDS, left))

    def _read(self, batch: Sequence[_Waiting]) -> list[Any]:
        """Return the answer of each document, or its error."""
        try:
            results = self._extractor.read([each.document for each in batch])
            return [each.render(result) for each, result in zip(batch, results, strict=True)]
        except Exception as error:
            if len(batch) > 1:
                return [answer for each in batch for answer in self._read([each])]
            warn(f"a document could not be read: {described(error)}.")
            return [UnreadableError()]


def _answer(batch: Sequence[_Waiting], answers: Sequence[Any]) -> None:
    """Set the answers in the event loop that waits for them, all in one call."""
    if batch:
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            batch[0].answer.get_loop().call_soon_threadsafe(_set, batch, answers)


def _set(batch: Sequence[_Waiting], answers: Sequence[Any]) -> None:
    for each, answer in zip(batch, answers, strict=True):
        if not each.answer.done():
            each.answer.set_result(answer)
