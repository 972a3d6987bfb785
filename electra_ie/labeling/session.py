"""A session of one annotator: which text comes next, what is suggested, what was saved, and the training beside it."""

from __future__ import annotations

import threading
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from electra_ie.common.errors import UserError, first_line
from electra_ie.common.hashing import of_text
from electra_ie.common.logs import warn
from electra_ie.common.text_files import SourceLine
from electra_ie.config.train import EMBEDDED
from electra_ie.data.splits import DEV, TRAIN
from electra_ie.data.task import Task
from electra_ie.labeling.agreement import Agreement, agreements
from electra_ie.labeling.annotations import Annotation, annotation_of
from electra_ie.labeling.drafts import Drafts
from electra_ie.labeling.journal import SKIP, Event, check_annotator
from electra_ie.labeling.record_files import Signature, signature_of
from electra_ie.labeling.retraining import TrainingProcess
from electra_ie.labeling.store import LabelStore
from electra_ie.labeling.suggester import Suggester
from electra_ie.labeling.text_order import RANDOM, TextOrder

RUNS = "runs"
"""The folder of the runs, in the folder of the labels."""
RECENT = 100
"""Texts in the list of those that were labeled."""
SHOWN = 80
"""Characters of a text in a list."""


class TaskChanged(UserError):
    """The task.yaml is another one than the page was loaded with."""


@dataclass(frozen=True)
class Options:
    """How a session works.

    Attributes:
        annotator: The name of the annotator.
        run: The run that suggests at first; None for the last one of the session's folder.
        seed: The seed of the order of the texts.
        output: The folder of the runs; None for `labels/runs` beside task.yaml.
        encoder: The encoder, of the order and of the trainings.
        training: Options of `electra-ie train`.
    """

    annotator: str = "annotator"
    run: Path | None = None
    seed: int = 0
    output: Path | None = None
    encoder: str | None = None
    training: tuple[str, ...] = ()


class Session:
    """What the page of one annotator can do with a task. Its methods may be called from several threads.

    Attributes:
        task: The task.
        version: The version of its task.yaml.
        order: The order of the texts.
        loading: Done when the first run is loaded; None without one.
    """

    def __init__(self, task: Task, options: Options) -> None:
        """Read the task and its labels, and begin to load the run.

        Raises:
            UserError: The task cannot be labeled, its files are invalid, or there is no such run.
        """
        self.options, self.annotator = options, check_annotator(options.annotator)
        self._mutex = threading.RLock()
        self._file, self._signature = task.file, signature_of(task.file)
        self._open(task)
        self.drafts = Drafts(self.store.folder, self.annotator)
        encoder = ["--encoder", options.encoder] if options.encoder else []
        folder = options.output or self.store.folder / RUNS
        self.training = TrainingProcess(folder.absolute(), task.file.absolute(), [*encoder, *options.training])
        self.suggester = Suggester(self.store.fields, options.encoder or EMBEDDED)
        self.order = TextOrder(self.store, self.suggester, self.annotator, options.seed)
        self.order.chosen[self.drafts.current] = self.drafts.chosen
        run = options.run or next(reversed([*self.training.runs()]), None)
        self.loading = self.suggester.use(run) if run else None

    def _open(self, task: Task) -> None:
        self.task, self.store = task, LabelStore(task)
        if task.attributes:
            names = ", ".join(field.name for field in task.attributes)
            warn(f"the page does not show attributes ({names}): spans keep theirs, and new ones have none.")
        self.version = of_text(self._file.read_text("utf-8"))

    def check(self, version: str | None = None) -> None:
        """Read a task.yaml that has changed, and check that the page has the same version.

        Raises:
            TaskChanged: It has another one; or the new task.yaml is invalid.
        """
        with self._mutex:
            signature: Signature = signature_of(self._file)
            if signature != self._signature:
                try:
                    self._open(Task.load(self._file))
                except UserError as error:
                    message = f"task.yaml was changed, and cannot be read: {first_line(error)}."
                    raise TaskChanged(message, remedy="Correct it; what you have marked is kept.") from error
                self._signature = signature
                self.suggester.take_fields(self.store.fields)
                self.order.take_store(self.store)
            if version is not None and version != self.version:
                message = "task.yaml was changed since the page was loaded."
                raise TaskChanged(message, remedy="Reload the page; what you have marked is kept as a draft.")

    # Texts

    def next(self) -> dict[str, Any]:
        """Return the text to label, as the page shows it: the one that it has shown last, as long as that is open."""
        with self._mutex:
            self.check()  # first, since it opens another store, which waits for the lock of this one
            with self.store.locked():
                open_keys = self.order.open_keys()
                self.order.follow(open_keys)
                shared, current = self.order.shared(), self.drafts.current
                key = current if current in open_keys or current in shared else self.order.next_key(open_keys, shared)
                if key is None:
                    return {"text": None, "progress": self.progress(open_keys)}
                return self.show(key, open_keys)

    def show(self, key: str, open_keys: Collection[str] | None = None) -> dict[str, Any]:
        """Return a text with what the annotator has saved of it, and the draft. open_keys: as for `progress`."""
        with self._mutex, self.store.locked():
            text, view = self.store.text(key), self.store.view(self.annotator, key)
            self.drafts.show(key, self.order.chosen.get(key, ""))
            part = text.part if key not in self.store.pool else self.order.part(key)
            others = self.store.others(self.annotator, key) if key in self.store.disputed() else {}
            return {
                "text": {
                    "key": key,
                    "id": text.document.id,
                    "text": text.document.text,
                    "part": part,
                    "chosen": self.order.chosen.get(key, ""),
                    "skipped": key in self.store.journal(self.annotator).skipped(),
                },
                "annotation": view.annotation,
                "version": view.version,
                "saved": view.is_saved,
                "draft": self.drafts.get(key),
                "others": others,
                "progress": self.progress(open_keys),
            }

    def save(self, key: str, annotation: Annotation, version: str, task: str, decide: bool = False) -> dict[str, Any]:
        """Save an annotation, and return the next text.

        Raises:
            TaskChanged, Conflict, UserError, OSError: as `check` and `LabelStore.save`; nothing is saved.
        """
        with self._mutex:
            self.check(task)
            with self.store.locked():
                part = self.order.part(key)
                chosen = self.order.chosen.get(key) or (RANDOM if part == DEV else "")
                self.store.save(self.annotator, key, annotation, version, part=part, chosen=chosen, adjudicate=decide)
            self._forget(key)
            return self.next()

    def skip(self, key: str) -> dict[str, Any]:
        """Remember that the annotator cannot decide about a text, and return the next one. What is marked is kept."""
        with self._mutex:
            self.store.skip(self.annotator, key)
            return self.next()

    def keep_draft(self, key: str, annotation: Annotation | None, task: str) -> None:
        """Keep what is marked and not saved, also for another version of the task."""
        with self._mutex:
            self.drafts.put(key, annotation)
            self.check(task)

    def _forget(self, key: str) -> None:
        """Forget the draft of a text that is saved.

        A full disk, or drafts that another process keeps locked, do not undo the save: the draft is the same.
        """
        with suppress(OSError, UserError):
            self.drafts.put(key, None)

    def undo(self) -> dict[str, Any]:
        """Undo the last save or skip, and return its text, with what was saved as the draft."""
        with self._mutex:
            self.check()
            live = self.store.journal(self.annotator).live()
            key = live[-1].key if live else ""
            draft, saved = self.drafts.get(key), self._annotation_of(live[-1]) if live else None
            if saved is not None:  # first, since a disk that is full then undoes nothing
                self.drafts.put(key, saved)
            try:
                undone = self.store.undo(self.annotator)
            except (UserError, OSError):
                self.drafts.put(key, draft)
                raise
            return self.show(undone.key)

    def again(self) -> dict[str, Any]:
        """Return the first text that was skipped."""
        with self._mutex, self.store.locked():
            skipped = self.store.journal(self.annotator).skipped()
            if not skipped:
                raise UserError("no text was skipped.")
            return self.show(skipped[0])

    def _annotation_of(self, event: Event) -> Annotation | None:
        """Return what an event has saved; None if it is a skip, or has labels that the task no longer has."""
        if event.record is None:
            return None
        try:
            document = self.store.train[0].validation().document(event.record, SourceLine(str(self.store.folder), 0))
        except UserError:
            return None
        return annotation_of(document, self.store.fields)

    # Suggestions, training and results

    def suggest(self, key: str, seconds: float) -> dict[str, Any] | None:
        """Return what the run suggests for a text; None if it takes longer than some seconds."""
        with self._mutex:
            document = self.store.text(key).document
            future = self.suggester.suggest(key, document)
            for other in self.order.coming(2):
                self.suggester.suggest(other, self.store.text(other).document)
        try:
            return future.result(seconds)
        except TimeoutError:
            return None

    def train(self) -> str:
        """Start a training, and return the name of its run.

        Raises:
            UserError: One is running, or train or dev has no labels yet.
            OSError: A file cannot be written.
        """
        with self._mutex, self.store.locked():
            for split, files in ((TRAIN, self.store.train), (DEV, [self.store.dev] if self.store.dev else [])):
                if files and not any(document.gold for file in files for document in file.documents()):
                    raise UserError(f"no text of {split} has a label yet.", remedy="Label more texts.")
            return self.training.start()

    def stop_training(self) -> None:
        """End the training."""
        self.training.stop()

    def watch_training(self) -> None:
        """Take the run of a training that has finished since the session began."""
        last = next(reversed([*self.training.runs()]), None)
        with self._mutex:
            trained = self.training.progress().run if self.training.has_seen_it_run else ""
            if last is not None and last.name == trained and last != self.suggester.run:
                self.suggester.use(last)
                self.order.choose_again()

    def progress(self, open_keys: Collection[str] | None = None) -> dict[str, int]:
        """Return how many texts are labeled, and how many are open. open_keys: the latter, if they are known."""
        with self._mutex:
            journal = self.store.journal(self.annotator)
            is_open = self.order.open_keys() if open_keys is None else open_keys
            return {
                "train": sum(len(file.labeled) for file in self.store.train),
                "dev": len(self.store.dev.labeled) if self.store.dev else 0,
                "own": len(journal.saved()),
                "skipped": len(journal.skipped()),
                "open": len(is_open) + len(self.order.shared()),
            }

    def agreement(self) -> tuple[list[Agreement], list[str]]:
        """Return the agreement of the annotators, and the keys of the texts that they differ about."""
        with self._mutex, self.store.locked():
            found: dict[str, dict[str, Annotation]] = {}
            for name, journal in self.store.journals.items():
                read = {key: self._annotation_of(event) for key, event in journal.independent().items()}
                found[name] = {key: annotation for key, annotation in read.items() if annotation is not None}
                if lost := len(read) - len(found[name]):
                    warn(f"{journal.path}: {lost} annotations have labels that the task no longer has: not compared.")
            return agreements(found, self.store.fields), self.store.disputed()

    def recent(self) -> list[dict[str, Any]]:
        """Return the texts that the annotator has saved or skipped, the last one first."""
        with self._mutex, self.store.locked():
            last = {event.key: event for event in self.store.journal(self.annotator).live()}
            events = sorted(last.values(), key=lambda event: -event.number)[:RECENT]
            return [self._listed(event.key, event.event == SKIP) for event in events if self.store.has(event.key)]

    def listed(self, keys: list[str]) -> list[dict[str, Any]]:
        """Return texts as a list shows them."""
        with self._mutex, self.store.locked():
            return [self._listed(key, False) for key in keys if self.store.has(key)]

    def _listed(self, key: str, skipped: bool) -> dict[str, Any]:
        document = self.store.text(key).document
        return {"key": key, "id": document.id, "start": document.text[:SHOWN], "skipped": skipped}

    def close(self) -> None:
        """End the training and the thread of suggestions."""
        self.training.close()
        self.suggester.close()
