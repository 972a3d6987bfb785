"""`electra-ie init`: a task made from annotated data, with splits, fields and, where needed, the data as JSON lines.

The data are files, or a data set of the hub (see `from_hub`).
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from electra_ie.common.errors import ErrorCollector, UserError
from electra_ie.common.escaping import escape_controls
from electra_ie.common.files import atomic_path, locked, write
from electra_ie.common.folders import count, is_saved_data_set
from electra_ie.common.hub_client import HubName, parse_hub_name
from electra_ie.common.logs import silenced, warn
from electra_ie.data.declaration.task_yaml import DATA_SETS, declaration
from electra_ie.data.document import Document, is_biased
from electra_ie.data.document_ids import repeated_ids
from electra_ie.data.fields import AnyField, Field
from electra_ie.data.in_memory import SPLIT_NAMES
from electra_ie.data.init.field_inference import infer
from electra_ie.data.init.from_hub import HubDocuments, documents_of_folder, documents_of_hub
from electra_ie.data.init.from_pushed import Pushed, pushed_task
from electra_ie.data.init.split_drawing import draw_splits, rough_scores
from electra_ie.data.readers import READERS, read_unlabeled
from electra_ie.data.readers.jsonl import record_of
from electra_ie.data.splits import DEV, SPLITS, TEST, TRAIN, UNLABELED
from electra_ie.data.task import Task
from electra_ie.data.task_files import TASK_FILE
from electra_ie.formats import FORMATS, format_of, json_spans
from electra_ie.formats.annotations import CHOSEN, AnnotatedDocument
from electra_ie.formats.base import Format, Options, in_one_line
from electra_ie.formats.detection import candidates, detect

NAMES = {**SPLIT_NAMES, "labeled": TRAIN, "devel": DEV, "development": DEV}
"""The words in the names of files and folders that say the split."""
SHOWN = 5
LOOKED_AT = 50
"""Texts of a folder of which it is found out whether they are annotated."""
ENDINGS = (
    *dict.fromkeys(ending for format in FORMATS.values() for ending in format.endings),
    ".json", ".txt", ".xml", ".zip", ".gz", ".ann",
)  # fmt: skip
"""Endings of annotated files."""
OPTIONS_IN_PLACE: tuple[Mapping[str, Any], ...] = ({}, {"discontinuous": "hull"})
"""Options with which readers are tried on the data where they are."""


@dataclass(frozen=True)
class Initialized:
    """A task that was written for annotated data.

    Attributes:
        task: The task.
        assumptions: A line for each assumption that was made. They are also comments in its task.yaml.
    """

    task: Task
    assumptions: list[str]


@dataclass(frozen=True)
class _Source:
    """A file or folder that one reader reads, and the split that its name says, or ""."""

    path: Path
    split: str

    @property
    def stem(self) -> str:
        """The name without endings."""
        return self.path.name.partition(".")[0]


def init_task(
    path: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    format: str | None = None,
    seed: int = 0,
    dev: float = 0.2,
    test: float = 0.2,
    configuration: str = "",
    options: Options = (),
) -> Initialized:
    """Write a task for annotated data, as `electra_ie.init` describes.

    The data stay where they are if the readers of tasks read them there, split as they are. Otherwise they are written
    as JSON lines.

    Raises:
        UserError: The data are invalid or have no labels, their format is unknown, the output exists, or the hub does
            not give the data set. Nothing is written then.
    """
    root = Path(path)
    _refuse_plain_texts(root, format)
    hub_name = _hub_name(path, format, configuration, options)
    name = hub_name.repository.partition("/")[2] if hub_name else root.resolve().name.partition(".")[0]
    folder = Path(output) if output is not None else Path(f"{name}_task")
    for option, share in (("dev", dev), ("test", test)):
        if not 0 <= share < 1 or dev + test >= 1:
            remedy = "Give shares from 0, which together are less than 1."
            raise UserError(f"--{option} is {share}.", remedy=remedy)
    _refuse_existing(folder / TASK_FILE)
    if hub_name and not configuration and (pushed := pushed_task(hub_name)):
        return _of_pushed(pushed, hub_name, folder)
    if hub_name:
        found, documents = _read_hub(hub_name, configuration, folder)
    elif is_saved_data_set(root) and format in (None, DATA_SETS):
        found, documents = _read_saved(root, options)
    else:
        found, documents = _read_files(root, format, options)
    errors = ErrorCollector()
    inferred = infer([document for own in documents.values() for document in own], errors.add)
    errors.raise_any(f"the data in {path}")
    if not inferred.fields:
        reasons = "; ".join([*found.assumed, *inferred.assumptions])
        message = f"there are no labels that a model could learn: {reasons}."
        known = "; ".join(filter(None, (json_spans.explain(source.path) for source in documents)))
        remedy = f"But {known}." if known else "Annotate spans of texts or labels of documents."
        raise UserError(message, file=path, remedy=remedy)
    remaining = iter(inferred.documents)
    read, left_out = _without_unlabeled_tests(
        {source: list(islice(remaining, len(own))) for source, own in documents.items()}
    )
    by_source, renamed = _with_ids(read)
    splits, drawn = _splits(by_source, inferred.fields, {DEV: dev, TEST: test}, seed)
    with locked(folder):
        _refuse_existing(folder / TASK_FILE)  # again: another process may have written it in the meantime
        task = _in_place(found.with_separators(inferred.separators), folder, by_source, splits, inferred.fields)
        where = [found.in_place] if task else [*renamed, f"the data are written as JSON lines in {folder}"]
        task = task or _converted(found, folder, splits, inferred.fields)
        assumed = [*found.assumed, *inferred.assumptions, *left_out, *drawn, *where]
        assumed = [escape_controls(" ".join(line.split())) for line in assumed]
        _write_task(task, assumed)
    return Initialized(Task.load(folder), assumed)


def _of_pushed(pushed: Pushed, name: HubName, folder: Path) -> Initialized:
    """Write the task of a data set that was sent with it: the same task.yaml, files and splits."""
    for file in pushed.files:
        _refuse_existing(folder / file)
    folder.mkdir(parents=True, exist_ok=True)
    for file in pushed.files:
        with atomic_path(folder / file) as part:
            shutil.copyfile(pushed.task.folder / file, part)
    assumed = [
        f"the data set is {name.repository} of the hub, at the commit {pushed.commit}",
        "it was sent by push-data: fields and splits are those of its own task.yaml; shares and seed are not used",
        f"the data are written as JSON lines in {folder}",
    ]
    _write_text(folder / TASK_FILE, assumed, pushed.yaml)
    return Initialized(Task.load(folder), assumed)


def _refuse_plain_texts(root: Path, format: str | None) -> None:
    """Raise UserError for a .txt, or a folder of nothing else, without annotation: CoNLL and PubTator are .txt, too."""
    files = sorted(path for path in root.iterdir() if not path.name.startswith(".")) if root.is_dir() else [root]
    if (
        files
        and not format
        and all(file.suffix.lower() == ".txt" and file.is_file() for file in files)
        and not any(map(candidates, files[:LOOKED_AT]))
    ):
        remedy = "Declare what to label: --field NAME=KIND:LABEL,LABEL; then label them: electra-ie label TASK."
        raise UserError("these are texts without labels.", file=root, remedy=remedy)


def _hub_name(path: str | os.PathLike[str], format: str | None, configuration: str, options: Options) -> HubName | None:
    """Return the data set on the hub that is meant; None for a path.

    Raises:
        UserError: the name may be a mistyped path, or a format or options of one are given for a data set, or a
            configuration for files.
    """
    # A name like that of a file is not sent to a server, unless a revision says what it is.
    is_file = Path(path).suffix.lower() in ENDINGS
    name = None if is_file else parse_hub_name(path)
    if name and format:
        remedy = "Omit it: the features of the data set say what its columns are."
        raise UserError(f"--format is {format}, and {name} is a data set on the hub.", remedy=remedy)
    if name and options:
        remedy = "Omit them: the features of the data set say what its columns are."
        raise UserError(f"options of a format (--read) are given, and {name} is on the hub.", remedy=remedy)
    if configuration and not name:
        remedy = "Omit it, or give a data set on the hub: ORG/NAME or ORG/NAME@REVISION."
        raise UserError(
            f"--configuration is {configuration}, and this is no data set on the hub.", file=path, remedy=remedy
        )
    return name


def _refuse_existing(file: Path) -> None:
    if file.exists():
        remedy = "Give another folder with --output, or remove it."
        raise UserError("this file exists and is not overwritten.", file=file, remedy=remedy)


# What there is


@dataclass(frozen=True)
class _Found:
    """What there is to read, and how a task reads it where it is.

    Attributes:
        reader: The name of the format.
        description: One sentence on the data.
        home: The folder of the data.
        options: Options of the reader, in the order in which they are tried.
        in_place: What is said if the data stay where they are.
        assumed: What was assumed.
    """

    reader: str
    description: str
    home: Path
    options: tuple[Mapping[str, Any], ...]
    in_place: str
    assumed: list[str]

    def with_separators(self, separators: Iterable[str]) -> _Found:
        """Return what is found, also to be read with each of these separators of the labels in a cell."""
        more = [{**options, "separator": separator} for separator in separators for options in self.options]
        return replace(self, options=(*self.options, *more))


Documents = dict[_Source, list[AnnotatedDocument]]


def _read_hub(name: HubName, configuration: str, folder: Path) -> tuple[_Found, Documents]:
    """Return a data set of the hub and the documents of its splits."""
    found = documents_of_hub(name, configuration)
    where = f"the data stay on the hub: each command reads {name.repository} from there, or from the cache"
    return _of_splits(found, f"{name.repository} (data set on the hub)", folder, where)


def _read_saved(root: Path, options: Options) -> tuple[_Found, Documents]:
    """Return a data set that the library `datasets` has saved, and the documents of its splits."""
    if options:
        remedy = "Omit them: the features of the data set say what its columns are."
        raise UserError("options of a format (--read) are given for a data set.", file=root, remedy=remedy)
    name = f"{root.resolve().name} (data set of the library datasets)"
    return _of_splits(documents_of_folder(root), name, root, f"the data stay in {root}")


def _of_splits(found: HubDocuments, name: str, home: Path, where: str) -> tuple[_Found, Documents]:
    """Return a data set and the documents of its splits, named by the splits of the data set."""
    sources = [_Source(Path(split), split_of(Path(split))) for split in found.documents]
    named, by_name = _named_splits(sources, (), Path())
    documents = dict(zip(named, found.documents.values(), strict=True))
    assumed = [*found.assumed, *by_name]
    return _Found(DATA_SETS, f"Labels of {name}.", home, (found.options,), where, assumed), documents


def _read_files(root: Path, name: str | None, options: Options) -> tuple[_Found, Documents]:
    """Return the files of a folder, or one file, and the documents in them.

    name: the format, if it is given. options: those of its reader.
    """
    format, sources, plain, assumed = _find(root, name)
    given = format.parse(options)
    if not given and (given := next(filter(None, (format.guess(source.path) for source in sources)), {})):
        assumed.append(f"its options are {in_one_line(given)}, by what is in it")
    documents = _read(format, sources, plain, root, given)
    of_task = READERS[format.name].options if format.name in READERS else ()
    kept = {key: value for key, value in given.items() if key in of_task}
    home = root if root.is_dir() else root.parent
    where = f"the data stay in {home}"
    description = f"Labels of {root.resolve().name} ({format.title})."
    tried = tuple({**kept, **own} for own in OPTIONS_IN_PLACE)
    return _Found(format.name, description, home, tried, where, assumed), documents


def _find(root: Path, name: str | None) -> tuple[Format, list[_Source], list[Path], list[str]]:
    """Return the format of files, those that have it, plain unlabeled texts, and what was assumed.

    Raises:
        UserError: The format is unknown, or there are several.
    """
    walk = _Walk([format_of(name)] if name else list(FORMATS.values()))
    if root.is_dir():
        walk.descend(root, "")
        if name and not walk.found:
            walk.take_named_splits(root)
        format = walk.only_format(root)
    else:
        format = walk.formats[0] if name else detect(root)
    sources = walk.found.get(format.name, [_Source(root, split_of(root))])
    how = "as given" if name else "by what is in the data"
    assumed = [f"the format is {format.name} ({format.title}), {how}"]
    if walk.left_out:
        names = ", ".join(_relative(path, root) for path in walk.left_out[:SHOWN])
        more = f" and {len(walk.left_out) - SHOWN} more" if len(walk.left_out) > SHOWN else ""
        assumed.append(f"left out, since they do not have this format: {names}{more}")
    sources, by_name = _named_splits(sources, walk.plain, root)
    return format, sources, walk.plain, assumed + by_name


class _Walk:
    """The sources below a folder by the name of their format, the plain unlabeled texts, and what is left out."""

    def __init__(self, formats: Sequence[Format]) -> None:
        self.formats = formats
        self.found: dict[str, list[_Source]] = {}
        self.plain: list[Path] = []
        self.left_out: list[Path] = []

    def descend(self, folder: Path, split: str) -> None:
        """Add the folder as a whole if it has a format, else its files. split: the split that its name says."""
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
        by_name = not split and any(split_of(entry) == TRAIN and self._detected(entry) for entry in entries)
        if not by_name and self._add(folder, split):
            return
        for entry in entries:
            own = split_of(entry) or split
            if entry.is_dir() and own == UNLABELED and not self._detected(entry):
                self.plain.append(entry)
            elif entry.is_dir():
                self.descend(entry, own)
            elif not self._add(entry, own):
                is_text = own == UNLABELED and entry.suffix.lower() == ".txt"
                (self.plain if is_text else self.left_out).append(entry)

    def _detected(self, path: Path) -> list[Format]:
        return [format for format in self.formats if format.detect(path)]

    def _add(self, path: Path, split: str) -> bool:
        """Add a file or folder if it has a format. Raises UserError if it may have several."""
        formats = self._detected(path)
        if formats:
            format = formats[0] if len(formats) == 1 else detect(path)
            self.found.setdefault(format.name, []).append(_Source(path, split))
        return bool(formats)

    def take_named_splits(self, root: Path) -> None:
        """Add the files that are named by splits, which may have the given format although it is not detected.

        Raises:
            UserError: There is none, and the format reads files.
        """
        (format,) = self.formats
        if format.writes_folder:
            return
        files = [path for path in (*self.left_out, *self.plain) if path.is_file() and split_of(path)]
        if not files:
            ending = (*format.endings, ".json")[0]
            remedy = f"Name the files by their splits, such as train{ending} and test{ending}, or give one file."
            message = (
                f"no file of this folder has the format {format.name} by what is in it, and none is named by a split."
            )
            raise UserError(message, file=root, remedy=remedy)
        self.found[format.name] = [_Source(path, split_of(path)) for path in files]
        self.left_out = [path for path in self.left_out if path not in files]
        self.plain = [path for path in self.plain if path not in files]

    def only_format(self, root: Path) -> Format:
        """Return the format of all sources. Raises UserError if there are several, or none."""
        if len(self.found) > 1:
            shown = ", ".join(f"{sources[0].path.name} ({name})" for name, sources in self.found.items())
            remedy = "Read those of one format with --format NAME."
            raise UserError(f"the files have several formats: {shown}.", file=root, remedy=remedy)
        if not self.found:
            return self.formats[0] if len(self.formats) == 1 else detect(root)
        return format_of(next(iter(self.found)))


def _named_splits(sources: Sequence[_Source], plain: Sequence[Path], root: Path) -> tuple[list[_Source], list[str]]:
    """Return the sources with the splits that their names say, and what was assumed.

    If none is train, the names are not used. Otherwise the sources without a split are part of train.
    """
    if not any(source.split == TRAIN for source in sources):
        return [replace(source, split="") for source in sources], []
    others = [_relative(source.path, root) for source in sources if not source.split]
    named = [replace(source, split=source.split or TRAIN) for source in sources]
    assumed = []
    for split in SPLITS:
        paths = [source.path for source in named if source.split == split]
        if names := [_relative(path, root) for path in [*paths, *(plain if split == UNLABELED else ())]]:
            assumed.append(f"the split {split} is {', '.join(names)}, by name")
    if others:
        assumed.append(f"{', '.join(others)}: no split in the name, so part of train")
    return named, assumed


def split_of(path: Path) -> str:
    """Return the split that the name of a file or folder says by its first or last word, or ""."""
    words = [word for word in "".join(c if c.isalpha() else " " for c in path.name.partition(".")[0]).lower().split()]
    named = [NAMES[word] for word in words[:1] + words[-1:] if word in NAMES]
    return named[0] if len(set(named)) == 1 else ""


def _relative(path: Path, root: Path) -> str:
    return path.name if path == root else path.relative_to(root).as_posix()


def _read(
    format: Format, sources: Sequence[_Source], plain: Sequence[Path], root: Path, options: Mapping[str, Any]
) -> Documents:
    """Return the documents of each source. Raises UserError with the first ten errors in all of them."""
    errors = ErrorCollector()
    documents: Documents = {}
    for source in sources:
        documents[source] = []
        try:
            documents[source] += format.documents(source.path, options, errors.add)
        except UserError as error:
            errors.add(error)
    for path in plain:
        texts = [
            AnnotatedDocument(text.id, text.text, layers=None, file=text.file, line=text.line)
            for text in read_unlabeled(path)
        ]
        documents[_Source(path, UNLABELED)] = texts
    errors.raise_any(f"the data in {root}")
    return {
        source: [_without_labels(document) for document in own] if source.split == UNLABELED else own
        for source, own in documents.items()
    }


def _without_labels(document: AnnotatedDocument) -> AnnotatedDocument:
    """Return a text of the split unlabeled: what is said of it is no label, such as the `unknown` of a benchmark."""
    chosen = {key: value for key, value in document.metadata.items() if key == CHOSEN}
    return AnnotatedDocument(
        document.id, document.text, layers=None, metadata=chosen, file=document.file, line=document.line
    )


def _without_unlabeled_tests(
    by_source: Mapping[_Source, list[Document]],
) -> tuple[dict[_Source, list[Document]], list[str]]:
    """Return the sources without those of dev and test that have no label, as of benchmarks, and what was assumed."""
    empty = [
        source
        for source, documents in by_source.items()
        if source.split in (DEV, TEST) and not any(any(document.gold.values()) for document in documents)
    ]
    kept = {source: documents for source, documents in by_source.items() if source not in empty}
    return kept, [f"{source.path.name} is left out: none of its documents has a label" for source in empty]


def _with_ids(
    by_source: Mapping[_Source, Sequence[Document]],
) -> tuple[dict[_Source, list[Document]], list[str]]:
    """Return the documents with an id each, and what was assumed.

    A record without an id gets the name of its file and its line. Where files have the same id, the name of the file is
    put before it.

    Raises:
        UserError: Records of one file have the same id.
    """
    named = {
        source: [
            replace(document, id=document.id or f"{source.stem}-{document.line or number}")
            for number, document in enumerate(documents, start=1)
        ]
        for source, documents in by_source.items()
    }
    files = Counter(id for documents in named.values() for id in {document.id for document in documents})
    distinct = {
        source: [
            replace(document, id=f"{source.stem}-{document.id}") if files[document.id] > 1 else document
            for document in documents
        ]
        for source, documents in named.items()
    }
    errors = ErrorCollector()
    for error in repeated_ids(document for documents in distinct.values() for document in documents):
        errors.add(error)
    errors.raise_any("the ids")
    shared = sum(number > 1 for number in files.values())
    return distinct, [f"{shared:,} ids are in several files: the name of the file is put before them"] if shared else []


# Splits


def _splits(
    by_source: Mapping[_Source, Sequence[Document]], fields: Sequence[AnyField], shares: Mapping[str, float], seed: int
) -> tuple[dict[str, list[Document]], list[str]]:
    """Return the documents of each split, and what was assumed."""
    splits: dict[str, list[Document]] = {split: [] for split in SPLITS}
    for source, documents in by_source.items():
        for document in documents:
            unlabeled = not document.gold and source.split in ("", TRAIN)
            splits[UNLABELED if unlabeled else source.split or TRAIN].append(document)
    assumed = []
    moved = sum(
        not document.gold for source, docs in by_source.items() if source.split != UNLABELED for document in docs
    )
    if moved and splits[UNLABELED]:
        without = count(moved, "document without labels is", "documents without labels are")
        assumed.append(f"{without} in the split unlabeled")
    missing = {split: share for split, share in shares.items() if share and not splits[split]}
    if missing:
        train = splits[TRAIN]
        drawn = draw_splits(train, fields, {TRAIN: 1 - sum(missing.values()), **missing}, seed)
        splits |= drawn
        counts = " and ".join(f"{len(drawn[split]):,} for {split}" for split in missing)
        assumed.append(
            f"of {len(train):,} labeled documents, {counts} are drawn with seed {seed}: labels in proportion, equal "
            "texts together; each record counts as a document of its own"
        )
        if biased := sum(map(is_biased, train)):
            assumed.append(f"{biased:,} documents that were chosen by what they say stay in {TRAIN}")
        if warning := rough_scores(drawn, fields):
            warn(warning)
        assumed += [f"too few documents for a split {split}" for split in missing if not drawn[split]]
    assumed += list(_unseen(splits, fields))
    return {split: documents for split, documents in splits.items() if documents}, assumed


def _unseen(splits: Mapping[str, Sequence[Document]], fields: Sequence[AnyField]) -> Iterator[str]:
    """Yield a line for each field with labels that no document of train has."""
    for field in fields:
        values = [document.gold[field.name] for document in splits[TRAIN] if field.name in document.gold]
        seen = {
            label
            for value in values
            for label in ([value] if isinstance(value, str) else [getattr(item, "label", item) for item in value])
        }
        if unseen := [label for label in field.labels if label not in seen]:
            yield f"{field.name}: no document of train has {', '.join(unseen[:SHOWN])}{', ...' * (len(unseen) > SHOWN)}"


# The task


def _in_place(
    found: _Found,
    folder: Path,
    by_source: Mapping[_Source, Sequence[Document]],
    splits: Mapping[str, Sequence[Document]],
    fields: Sequence[AnyField],
) -> Task | None:
    """Return the task on the data where they are; None if its readers do not read the same documents and splits."""
    if found.reader not in READERS or not all(source.split for source in by_source):
        return None
    files: dict[str, list[str]] = {}
    for source in sorted(by_source, key=lambda source: SPLITS.index(source.split)):
        name = source.path if found.reader == DATA_SETS else source.path.relative_to(found.home)
        files.setdefault(source.split, []).append(name.as_posix())
    mapping = {
        "name": folder.name,
        "description": found.description,
        "format": found.reader,
        "files": files,
        "fields": {field.name: declaration(field) for field in fields},
    }
    for options in found.options:
        with suppress(UserError), silenced():
            task = Task.from_dict({**mapping, "options": dict(options)}, folder / TASK_FILE, data=found.home)
            read = task.read_splits(task.splits)
            if all(_content(read.get(split, ())) == _content(splits.get(split, ())) for split in SPLITS):
                return task
    return None


def _content(documents: Iterable[Document]) -> Counter[str]:
    """Return texts and gold, to compare documents that were read in two ways."""
    return Counter(repr((document.text, sorted(document.gold.items()))) for document in documents)


def _converted(
    found: _Found, folder: Path, splits: Mapping[str, Sequence[Document]], fields: Sequence[AnyField]
) -> Task:
    """Write the documents of each split as JSON lines, and return the task."""
    files = {split: (f"{split}.jsonl",) for split in splits}
    for (name,) in files.values():
        _refuse_existing(folder / name)
    for split, (name,) in files.items():
        own = () if split == UNLABELED else fields
        lines = [json.dumps(_quoted(document, own), ensure_ascii=False) + "\n" for document in splits[split]]
        write(folder / name, "".join(lines))
    named = [replace(field, source="") for field in fields]
    of_texts = tuple(field for field in named if isinstance(field, Field))
    anchored = tuple(field for field in named if not isinstance(field, Field))
    return Task(
        folder.name, found.description, "jsonl", folder, files, {}, of_texts, folder / TASK_FILE, anchored=anchored
    )


def _quoted(document: Document, fields: Sequence[AnyField]) -> dict[str, Any]:
    """Return the record of a document with the texts of its spans, which prove the unit of their offsets."""
    record = record_of(document, fields)
    for field in fields:
        if field.kind == "spans":
            for item, span in zip(record[field.name] or (), document.gold.get(field.name, ()), strict=True):
                parts = [document.text[start:end] for start, end in span.ranges]
                item["text"] = parts if span.fragments else parts[0]
    return record


def _write_task(task: Task, assumed: Sequence[str]) -> None:
    """Write task.yaml, with what was assumed as comments."""
    elsewhere = task.folder.resolve() != task.file.parent.resolve()
    folder = Path(os.path.relpath(task.folder, task.file.parent)).as_posix()
    mapping = {
        "description": task.description,
        "format": task.format,
        **({"data": folder} if elsewhere else {}),
        "files": {split: names[0] if len(names) == 1 else list(names) for split, names in task.files.items()},
        **({"options": dict(task.options)} if task.options else {}),
        "fields": {field.name: declaration(field) for field in task.all_fields},
    }
    text = yaml.safe_dump(mapping, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None)
    _write_text(task.file, assumed, text)


def _write_text(file: Path, assumed: Sequence[str], text: str) -> None:
    comments = "".join(f"# {line}\n" for line in assumed)
    write(file, f"# Written by electra-ie init. It assumed:\n{comments}{text}")
