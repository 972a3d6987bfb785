"""The annotated files, folders and data sets that `electra-ie init` reads: found, named by splits, and read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from electra_ie.common.errors import ErrorCollector, UserError
from electra_ie.common.hub_client import HubName, parse_hub_name
from electra_ie.data.declaration.task_yaml import DATA_SETS
from electra_ie.data.in_memory import SPLIT_NAMES
from electra_ie.data.init.from_hub import HubDocuments, documents_of_folder, documents_of_hub
from electra_ie.data.readers import READERS, read_unlabeled
from electra_ie.data.splits import DEV, SPLITS, TRAIN, UNLABELED
from electra_ie.formats import FORMATS, format_of
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
class Source:
    """A file or folder that one reader reads, and the split that its name says, or ""."""

    path: Path
    split: str

    @property
    def stem(self) -> str:
        """The name without endings."""
        return self.path.name.partition(".")[0]


@dataclass(frozen=True)
class Found:
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

    def with_separators(self, separators: Iterable[str]) -> Found:
        """Return what is found, also to be read with each of these separators of the labels in a cell."""
        more = [{**options, "separator": separator} for separator in separators for options in self.options]
        return replace(self, options=(*self.options, *more))


Documents = dict[Source, list[AnnotatedDocument]]


def refuse_plain_texts(root: Path, format: str | None) -> None:
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


def hub_name_of(
    path: str | os.PathLike[str], format: str | None, configuration: str, options: Options
) -> HubName | None:
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


def read_hub(name: HubName, configuration: str, folder: Path) -> tuple[Found, Documents]:
    """Return a data set of the hub and the documents of its splits."""
    found = documents_of_hub(name, configuration)
    where = f"the data stay on the hub: each command reads {name.repository} from there, or from the cache"
    return _of_splits(found, f"{name.repository} (data set on the hub)", folder, where)


def read_saved(root: Path, options: Options) -> tuple[Found, Documents]:
    """Return a data set that the library `datasets` has saved, and the documents of its splits."""
    if options:
        remedy = "Omit them: the features of the data set say what its columns are."
        raise UserError("options of a format (--read) are given for a data set.", file=root, remedy=remedy)
    name = f"{root.resolve().name} (data set of the library datasets)"
    return _of_splits(documents_of_folder(root), name, root, f"the data stay in {root}")


def _of_splits(found: HubDocuments, name: str, home: Path, where: str) -> tuple[Found, Documents]:
    """Return a data set and the documents of its splits, named by the splits of the data set."""
    sources = [Source(Path(split), split_of(Path(split))) for split in found.documents]
    named, by_name = _named_splits(sources, (), Path())
    documents = dict(zip(named, found.documents.values(), strict=True))
    assumed = [*found.assumed, *by_name]
    return Found(DATA_SETS, f"Labels of {name}.", home, (found.options,), where, assumed), documents


def read_files(root: Path, name: str | None, options: Options) -> tuple[Found, Documents]:
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
    return Found(format.name, description, home, tried, where, assumed), documents


def _find(root: Path, name: str | None) -> tuple[Format, list[Source], list[Path], list[str]]:
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
    sources = walk.found.get(format.name, [Source(root, split_of(root))])
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
        self.found: dict[str, list[Source]] = {}
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
            self.found.setdefault(format.name, []).append(Source(path, split))
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
        self.found[format.name] = [Source(path, split_of(path)) for path in files]
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


def _named_splits(sources: Sequence[Source], plain: Sequence[Path], root: Path) -> tuple[list[Source], list[str]]:
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
    format: Format, sources: Sequence[Source], plain: Sequence[Path], root: Path, options: Mapping[str, Any]
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
        documents[Source(path, UNLABELED)] = texts
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
