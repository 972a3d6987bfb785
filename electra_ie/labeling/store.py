"""The annotations of a task: read from and saved in its own JSON lines, with the journals of all annotators.

Equal texts are one text, known by the hash of the text. The file of the task has one annotation of each: that of the
first annotator, until annotators who differ have decided (`adjudicate`). A record that another program has changed is
what it is now; the annotations of it in the journals no longer count.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from electra_ie.common.errors import UserError
from electra_ie.common.files import escapes_folder, repository_of
from electra_ie.common.hashing import of_text
from electra_ie.common.logs import notice
from electra_ie.common.text_files import SourceLine
from electra_ie.data.document import Document
from electra_ie.data.fields import AttributeField
from electra_ie.data.readers import READERS
from electra_ie.data.splits import DEV, TEST, TRAIN, UNLABELED
from electra_ie.data.task import Task
from electra_ie.data.task_files import list_tasks, shipped
from electra_ie.formats.annotations import CHOSEN
from electra_ie.labeling.annotations import Annotation, annotation_of, check_overlaps, with_annotation
from electra_ie.labeling.journal import DECIDE, SAVE, SKIP, UNDO, Event, Journal, check_annotator, journals_of
from electra_ie.labeling.record_files import KEY_DIGITS, Record, RecordFile, acquired, key_of, lock_of

LABELS = "labels"
"""The folder of the journals, beside task.yaml."""
NOTHING = "-"
"""The version of a text without an annotation."""


class Conflict(UserError):
    """A save or undo that would overwrite what somebody else has saved.

    Attributes:
        theirs: The annotation that there is now.
        version: Its version.
    """

    def __init__(self, message: str, remedy: str, theirs: Annotation | None = None, version: str = NOTHING) -> None:
        super().__init__(message, remedy=remedy)
        self.theirs, self.version = theirs, version


@dataclass(frozen=True)
class Text:
    """A text to label.

    Attributes:
        key: The key.
        document: The document, with the gold of its record.
        part: `train` or `dev`: the split that its annotation belongs to.
    """

    key: str
    document: Document
    part: str


@dataclass(frozen=True)
class View:
    """What an annotator sees of a text: the own annotation, or that of the data. Never that of another annotator."""

    annotation: Annotation
    version: str
    is_saved: bool


@dataclass(frozen=True)
class _State:
    """The record of a text in the file of the task, and the annotations of it that count, by annotator.

    events has those since the last change by another program, which the annotations before do not survive.
    """

    file: RecordFile
    record: Record | None
    events: list[Event]
    saved: dict[str, Event]
    changed: bool


class LabelStore:
    """The texts of a task with their annotations, for the annotators of one or several processes.

    Its files are in the folder of the data, and the journals beside task.yaml: a link out of these folders is refused,
    as `train` refuses it.

    Attributes:
        task: The task.
        fields: Its fields that are labeled on the page: all but the attributes of spans, which are kept as they are.
        folder: The folder of the journals.
        train, dev: The files of the labels. dev may be None, or empty at first.
    """

    def __init__(self, task: Task) -> None:
        """Read the texts and annotations of a task, and complete a save that was interrupted.

        Raises:
            UserError: The task has no JSON lines of its own that could be written, or they are invalid.
        """
        check_task(task)
        self.task, self.folder = task, task.file.absolute().parent / LABELS
        self.fields = tuple(field for field in task.all_fields if not isinstance(field, AttributeField))
        self.options = READERS[task.format].settle(task.options)
        self.train = [self._file(name) for name in task.files[TRAIN]]
        self.dev = self._file(task.files[DEV][0]) if DEV in task.files else None
        self.pool: dict[str, Document] = {}
        self.journals: dict[str, Journal] = {}
        self._mutex = threading.RLock()
        _refuse_links_out(self.folder)
        self.folder.mkdir(exist_ok=True)
        self._lock = lock_of(self.folder / ".lock")
        with self.locked():
            self._read_pool()
            self._complete()

    def _file(self, name: str) -> RecordFile:
        self.task.check_data_files(self.task.folder / name)
        required = [field.name for field in self.fields]
        return RecordFile(self.task.folder / name, self.task.all_fields, required, self.options)

    def _name(self, file: RecordFile) -> str:
        """Return the name of a file in the journals: its path from the folder of the task."""
        return Path(os.path.relpath(file.path, self.task.folder)).as_posix()

    @property
    def files(self) -> list[RecordFile]:
        """The files of the labels."""
        return [*self.train, *([self.dev] if self.dev else [])]

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes and threads from saving, and read what they have saved."""
        with self._mutex, acquired(self._lock, self.folder):
            for file in self.files:
                file.refresh()
            for journal in journals_of(self.folder):
                self.journals.setdefault(journal.annotator, journal)
            for journal in self.journals.values():
                journal.refresh()
            yield

    def journal(self, annotator: str) -> Journal:
        """Return the journal of an annotator. Raises UserError for a name that a file cannot have."""
        if annotator not in self.journals:
            self.journals[annotator] = Journal(self.folder / f"{check_annotator(annotator)}.jsonl")
            self.journals[annotator].refresh()
        return self.journals[annotator]

    def _read_pool(self) -> None:
        """Read the unlabeled texts, without those of test, and of further files of dev."""
        held_out: set[str] = set()
        for name in (*self.task.files.get(TEST, ()), *self.task.files.get(DEV, ())[1:]):
            file = self._file(name)
            file.refresh()
            held_out.update(file)
        pool = self.task.read(UNLABELED) if UNLABELED in self.task.files else []
        for document in pool:
            key = key_of(document.text)
            if key not in held_out and document.text.strip():
                self.pool.setdefault(key, document)
        if not self.pool and not any(file.documents() for file in self.train):
            message = "the task has no text to label."
            remedy = "Name texts as the split unlabeled in files: a folder of .txt files, or a .jsonl."
            raise UserError(message, file=self.task.file, remedy=remedy)

    def _complete(self) -> None:
        """Write to the files what the last event of a journal says, if the process ended before it was written."""
        numbers: dict[str, int] = {}
        for journal in self.journals.values():
            for event in journal.events:
                numbers[event.key] = max(event.number, numbers.get(event.key, 0))
        for journal in self.journals.values():
            last = journal.events[-1] if journal.events else None
            if last is None or not last.file or last.before == last.after or last.number != numbers[last.key]:
                continue
            for file in self.files:
                if self._name(file) == last.file and file.record(last.key) == last.before:
                    file.put(last.key, last.after)
                    notice(f"{file.path}: the last annotation of {journal.annotator} was interrupted; it is saved now.")

    # What there is

    def text(self, key: str) -> Text:
        """Return a text. Raises UserError if the task no longer has it."""
        for file in self.files:
            document = file.document(key)
            if document is not None:
                return Text(key, document, DEV if file is self.dev else TRAIN)
        if key in self.pool:
            return Text(key, self.pool[key], TRAIN)
        remedy = "Reload the page. What was saved is in the folder of the labels."
        raise UserError("this text is no longer in the task: its files were changed.", remedy=remedy)

    def has(self, key: str) -> bool:
        """Return whether the task has a text."""
        return key in self.pool or any(key in file for file in self.files)

    def unlabeled(self) -> dict[str, Document]:
        """Return the texts that lack a label, by key: those of the files of train, then the others of the pool."""
        found = {key: document for file in self.train for key, document in file.incomplete.items()}
        in_files = {key for file in self.files for key in file}
        return found | {key: document for key, document in self.pool.items() if key not in in_files}

    def disputed(self) -> list[str]:
        """Return the keys of the texts that annotators have labeled differently, and nobody has settled."""
        if sum(bool(journal.events) for journal in self.journals.values()) <= 1:
            return []  # at once, since this is asked for each text that is shown
        keys = dict.fromkeys(key for journal in self.journals.values() for key in journal.saved())
        return [key for key in keys if self._is_disputed(key)]

    def _is_disputed(self, key: str) -> bool:
        """Return whether the annotations of a text that count differ, and nobody has decided between them."""
        state = self._state(key)
        if any(event.event == DECIDE for event in state.saved.values()):
            return False
        each = [self._view(name, key, state).annotation for name in state.saved]
        return any(one != each[0] for one in each[1:])

    def annotations(self) -> dict[str, dict[str, Event]]:
        """Return the last save of each text by each annotator, by annotator and key."""
        return {name: saved for name, journal in self.journals.items() if (saved := journal.saved())}

    def has_only_new(self, file: RecordFile) -> bool:
        """Return whether all records of a file were added here, by any annotator."""
        name = self._name(file)
        added = {
            event.key
            for journal in self.journals.values()
            for event in journal.events
            if event.file == name and event.before is None
        }
        return all(key in added for key in file)

    def _state(self, key: str, part: str = TRAIN) -> _State:
        found = next((file for file in self.files if key in file), None)
        file = found or (self.dev if part == DEV and self.dev else self.train[0])
        record = file.record(key)
        events = sorted(
            (
                event
                for journal in self.journals.values()
                for event in journal.events
                if event.key == key and event.file
            ),
            key=lambda event: event.number,
        )
        changed = bool(events) and events[-1].after != record
        for place in range(len(events) - 1, 0, -1):
            if events[place].before != events[place - 1].after:
                events = events[place:]
                break
        saved = {name: own[key] for name, own in self.annotations().items() if own.get(key) in events}
        saved = {} if changed else saved
        return _State(file, record, events, saved, changed)

    def view(self, annotator: str, key: str) -> View:
        """Return what an annotator sees of a text."""
        return self._view(annotator, key, self._state(key))

    def _view(self, annotator: str, key: str, state: _State) -> View:
        if annotator in state.saved:
            record: Record | None = state.saved[annotator].record
        else:
            record = None if state.saved else state.record
        if record is None:
            return View({}, NOTHING, False)
        document = state.file.validation().document(record, SourceLine(str(state.file.path), 0))
        version = of_text(repr(sorted(record.items())))[:KEY_DIGITS]
        return View(annotation_of(document, self.fields), version, annotator in state.saved)

    def others(self, annotator: str, key: str) -> dict[str, Annotation]:
        """Return the annotations of a text by others, by annotator, for those who decide between them."""
        state = self._state(key)
        return {name: self._view(name, key, state).annotation for name in state.saved if name != annotator}

    # What is changed

    def save(
        self,
        annotator: str,
        key: str,
        annotation: Annotation,
        version: str,
        *,
        part: str = TRAIN,
        chosen: str = "",
        adjudicate: bool = False,
    ) -> str:
        """Save the annotation of a text, in the journal and in the file of the task, and return its version.

        Args:
            annotator: Who has made it.
            key: The text.
            annotation: The annotation.
            version: The version of what the annotator has seen.
            part: `dev` for a new text that belongs there.
            chosen: How the text was drawn.
            adjudicate: The file gets this annotation, whatever others have saved.

        Raises:
            Conflict: The annotator, or another program, has saved another annotation in the meantime.
            UserError: The annotation is invalid, or the text is gone. Nothing is saved.
            OSError: The disk is full, or a file cannot be written. Nothing is saved.
        """
        with self.locked():
            text, state = self.text(key), self._state(key, part)
            seen = self._view(annotator, key, state)
            if seen.version != version:
                who = "in another window" if seen.is_saved else "by another program"
                message = f"this text was saved {who} since the page has shown it."
                remedy = "Compare it with yours, and save again to replace it."
                raise Conflict(message, remedy, seen.annotation, seen.version)
            base = self._base(annotator, text, state, chosen)
            record = with_annotation(base, text.document.text, annotation, self.fields)
            document = state.file.validation().document(record, SourceLine(f"the text {base[self.options['id']]}", 0))
            check_overlaps(document, self.fields)
            target = record if adjudicate or self._decides(annotator, state) else state.record
            kind, file = DECIDE if adjudicate else SAVE, self._name(state.file)
            self._write(annotator, state, Event(self._next(), kind, key, now(), file, record, state.record, target))
            return self.view(annotator, key).version

    def _base(self, annotator: str, text: Text, state: _State, chosen: str) -> Record:
        """Return the record that an annotation is put into: with all keys of the file, without others' annotations."""
        if annotator in state.saved:
            return dict(state.saved[annotator].record or {})
        if state.record is not None:
            blind = {field.column for field in self.fields} if state.saved else set()
            base = {name: value for name, value in state.record.items() if name not in blind}
            return {**base, self.options["id"]: base.get(self.options["id"]) or text.document.id}
        taken = {id for file in self.files for id in file.ids()}
        id = text.document.id
        if id in taken:
            id = f"{UNLABELED}-{id}"
        if id in taken:
            id = f"{UNLABELED}-{text.key}"
        drawn = {CHOSEN: chosen} if chosen and CHOSEN not in {field.column for field in self.fields} else {}
        return {self.options["id"]: id, self.options["text"]: text.document.text, **drawn}

    @staticmethod
    def _decides(annotator: str, state: _State) -> bool:
        """Return whether the file gets what this annotator saves: nobody else has saved what it has."""
        if state.record is None or not set(state.saved) - {annotator}:
            return True
        others = [event.record for name, event in state.saved.items() if name != annotator]
        own = state.saved.get(annotator)
        return own is not None and own.record == state.record and state.record not in others

    def skip(self, annotator: str, key: str) -> None:
        """Remember that an annotator cannot decide about a text."""
        with self.locked():
            self.text(key)
            self.journal(annotator).append(Event(self._next(), SKIP, key, now()))

    def undo(self, annotator: str) -> Event:
        """Undo the last save or skip of an annotator that was not undone, and return it.

        Raises:
            Conflict: Another program has changed the record since.
            UserError: There is nothing to undo.
            OSError: A file cannot be written. Nothing is undone.
        """
        with self.locked():
            live = self.journal(annotator).live()
            if not live:
                raise UserError("there is nothing to undo.", remedy="Save a text first.")
            last = live[-1]
            if last.event == SKIP:
                self.journal(annotator).append(Event(self._next(), UNDO, last.key, now()))
                return last
            state = self._state(last.key)
            if state.changed or last not in state.events:
                message = "this text was changed by another program since you have saved it."
                raise Conflict(message, "Correct it in place of undoing it.", None)
            target = self._before(annotator, live, state)
            event = Event(self._next(), UNDO, last.key, now(), self._name(state.file), None, state.record, target)
            self._write(annotator, state, event)
            return last

    @staticmethod
    def _before(annotator: str, live: list[Event], state: _State) -> Record | None:
        """Return the record that the file has without the last save of an annotator."""
        last = live[-1]
        if state.events[-1] == last:
            return last.before
        others = [event for name, event in state.saved.items() if name != annotator]
        if any(event.record == state.record for event in others):
            return state.record
        own = [event for event in live[:-1] if event in state.events and event.record]
        remaining = own[-1:] or sorted(others, key=lambda event: event.number)
        return remaining[0].record if remaining else state.events[0].before

    def _write(self, annotator: str, state: _State, event: Event) -> None:
        """Add an event to the journal, then change the file; both or none."""
        journal = self.journal(annotator)
        journal.append(event)
        if event.before != event.after:
            try:
                state.file.put(event.key, event.after)
            except BaseException:
                journal.withdraw()
                raise

    def _next(self) -> int:
        return 1 + max((journal.events[-1].number for journal in self.journals.values() if journal.events), default=0)


def now() -> str:
    """Return the time in UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _refuse_links_out(labels: Path) -> None:
    """Raise UserError if the folder of the labels, or anything directly in it, is a link out of the folder of the task.

    Journals, drafts, locks and runs would be written through it. The folder of the task may be a link itself.
    """
    home = repository_of(labels.parent) or labels.parent.resolve()
    for path in (labels, *(sorted(labels.iterdir()) if labels.is_dir() else ())):
        if escapes_folder(path, home):
            remedy = "Replace it by what it leads to. Runs are written elsewhere with --output."
            raise UserError("this link leads out of the folder of the task.", file=path, remedy=remedy)


def check_task(task: Task) -> None:
    """Raise UserError for a task whose labels cannot be saved in JSON lines of its own."""
    format = "jsonl"
    if task.memory or task.hub and task.format != format:
        message = f"the data of the task {task.name} are not in files of its folder."
        raise UserError(message, file=task.file, remedy="Write them as JSON lines, and name them in files.")
    if task.format != format:
        message = f"the data of the task {task.name} have the format {task.format}; labels are saved as JSON lines."
        remedy = f"Convert them: electra-ie convert DATA train.jsonl --from {task.format}; then set format: jsonl."
        raise UserError(message, file=task.file, remedy=remedy)
    if task.file.parent.resolve().parent == shipped("tasks").resolve() and task.name in list_tasks():
        remedy = "Copy its folder, and label the copy."
        raise UserError(f"{task.name} is a task of the package.", file=task.file, remedy=remedy)
    if fragmented := [field.name for field in task.fields if field.fragments]:
        message = f"the page cannot mark spans of several fragments (fragments: true of {', '.join(fragmented)})."
        remedy = (
            "Label them with brat: convert the data there and back. Or make every such span in the data a continuous "
            "one, without its key fragments, and then leave out fragments: true."
        )
        raise UserError(message, file=task.file, remedy=remedy)
    if (option := task.options.get("discontinuous", "error")) != "error":
        message = f"the option discontinuous is {option}: a saved record would lose the fragments of its spans."
        raise UserError(message, file=task.file, remedy="Remove the option, or label the texts with brat.")
    if TRAIN not in task.files:
        message, remedy = "the task names no file of the split train.", "Add train: train.jsonl to files."
        raise UserError(message, file=task.file, remedy=remedy)
    for name in (name for names in task.files.values() for name in names):
        if Path(task.folder / name).resolve().parent == task.file.resolve().parent / LABELS:
            message = f"the file {name} is in the folder {LABELS}, which has the journals of the annotators."
            raise UserError(message, file=task.file, remedy="Move it to another folder, and change files.")
    for name in (*task.files[TRAIN], *task.files.get(DEV, ())):
        path = Path(task.folder / name)
        if path.suffix.lower() != ".jsonl" or path.is_dir():
            message = f"the labels in {name} cannot be saved there: it is not a file with the ending .jsonl."
            raise UserError(message, file=task.file, remedy="Name a .jsonl in files; it may not exist yet.")
