"""YAML files with the line of each key, for error messages, and with limits on size and aliases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import yaml

from electra_ie.common.errors import UserError, nearest
from electra_ie.common.text_files import read_text, reading

QUOTE = "Put it in quotes: without, YAML reads yes, no, on, off, null, numbers and dates as other types."
TEXT = "tag:yaml.org,2002:str"
MAX_BYTES, MAX_VALUES = 2**20, 200_000
"""Limits of a file: its bytes, and its values with every alias expanded."""

Keys = tuple[str, ...]
"""The path of a value in a file: the keys that lead to it."""


@dataclass(frozen=True)
class Source:
    """A YAML file with the lines (from 1) of its keys; `lines` is empty for a mapping from another origin."""

    file: Path
    lines: Mapping[Keys, int]

    @classmethod
    def read(cls, file: Path) -> tuple[Any, Source]:
        """Return the plain values of a YAML file, and the lines of its keys.

        Raises:
            UserError: the file is not text, not YAML, has tags for other than plain values, has a key twice, or is too
                large, by itself or with its aliases expanded.
        """
        with reading(file):
            size = file.stat().st_size
        if size > MAX_BYTES:
            remedy = "Move data to the files that it names."
            raise UserError(f"{size:,} bytes of YAML; the limit is {MAX_BYTES:,}.", file=file, remedy=remedy)
        try:
            loader = yaml.SafeLoader(read_text(file).removeprefix("\ufeff"))
            node = loader.get_single_node()
            if node and count_values(node, {}, file) > MAX_VALUES:
                message = f"its aliases expand to more than {MAX_VALUES:,} values."
                raise UserError(message, file=file, remedy="Write the values instead of aliases.")
            lines = dict(key_lines(node, file, (), set()))
            value = _construct(loader, node, file) if node else {}
        except UserError:
            raise
        except (yaml.YAMLError, RecursionError) as error:
            mark = getattr(error, "problem_mark", None)
            problem = getattr(error, "problem", None) or "an invalid character, or too many levels"
            message = f"this is not valid YAML: {problem}."
            line = mark.line + 1 if mark else None
            raise UserError(message, file=file, line=line, remedy="Check indents, colons and quotes.") from None
        return value, cls(file, lines)

    def error(self, keys: Keys, message: str, remedy: str = "") -> UserError:
        """Return a UserError at the line of `keys`."""
        return UserError(message, file=self.file, line=self.line(keys), remedy=remedy)

    def line(self, keys: Keys) -> int | None:
        """Return the line of `keys`, or of the nearest parent key with a line, or None."""
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return self.lines.get(keys)

    def check_keys(self, keys: Keys, value: Any, valid: Iterable[str]) -> None:
        """Raise UserError unless `value`, at `keys`, is a mapping with keys from `valid`."""
        self.check_mapping(keys, value)
        for key in value:
            if key not in valid:
                message = f'unknown key "{key}"{" in " + ".".join(keys) if keys else ""}.'
                raise self.error((*keys, str(key)), message, nearest(key, valid))

    def check_mapping(self, keys: Keys, value: Any) -> None:
        """Raise UserError unless `value`, at `keys`, is a mapping whose keys are strings."""
        if not isinstance(value, Mapping):
            raise self.error(keys, f"{'.'.join(keys) or 'the file'} must be a mapping.", "Write it as key: value.")
        for key in value:
            if not isinstance(key, str):
                raise self.error((*keys, str(key)), f"the key {key!r} is not text.", QUOTE)

    def check_path(self, keys: Keys, path: str) -> None:
        """Raise UserError for a path of a data file that may leave the folder of the data."""
        # Both rules on every system, so that a task file is safe to share.
        if any(part.anchor or ".." in part.parts for part in (PurePosixPath(path), PureWindowsPath(path))):
            remedy = "Give a path relative to the folder of the data, without .., and the folder by data or --data."
            raise self.error(keys, f'the path "{path}" may leave the folder of the data.', remedy)

    def texts(self, keys: Keys, value: Any) -> tuple[str, ...]:
        """Return `value`, a string or a list of strings. Raises UserError if one is empty, repeated or not a string."""
        strings: list[str] = []
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, (list, dict)):
                message = f"{'.'.join(keys)} contains {item!r}, and each of its values has to be a text."
                raise self.error(keys, message, "Write texts without [ ] and { } around each.")
            if not isinstance(item, str):
                message = f"{'.'.join(keys)} contains {item!r}, which YAML does not read as text."
                raise self.error(keys, message, QUOTE)
            if not item or item in strings:
                problem = f'"{item}" twice' if item else "an empty text"
                raise self.error(keys, f"{'.'.join(keys)} contains {problem}.", "Remove it.")
            strings.append(item)
        if not strings:
            raise self.error(keys, f"{'.'.join(keys)} is empty.", "Give at least one value.")
        return tuple(strings)


def _construct(loader: yaml.SafeLoader, node: yaml.Node, file: Path) -> Any:
    """Return the value of a document. Raises UserError by line for a date or a number that is none: 2021-02-30."""
    for value in _scalars(node, set()):
        try:
            loader.construct_object(value)
        except ValueError:
            message = f"this is not valid YAML: {value.value[:80]} is no date and no number."
            line = value.start_mark.line + 1
            raise UserError(message, file=file, line=line, remedy="Correct it, or quote it as a text.") from None
    return loader.construct_document(node)


def _scalars(node: yaml.Node | None, seen: set[int]) -> Iterator[yaml.ScalarNode]:
    """Yield the values in a document, keys included."""
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif isinstance(node, yaml.CollectionNode) and id(node) not in seen:
        seen.add(id(node))
        pairs = isinstance(node, yaml.MappingNode)
        for part in [each for pair in node.value for each in pair] if pairs else node.value:
            yield from _scalars(part, seen)


def count_values(node: yaml.Node, known: dict[int, int], file: Path) -> int:
    """Return the number of values in a node with its aliases expanded.

    Nested aliases expand to exponentially many values; each node is counted once, so that this takes linear time.

    Args:
        node: the node.
        known: the counts of nodes by id; 0 while a node is being counted.
        file: the file, for the error.

    Raises:
        UserError: an alias refers to a node that contains it.
    """
    if id(node) in known:
        if not known[id(node)]:
            line = node.start_mark.line + 1
            message = "an alias refers to a value that contains it."
            raise UserError(message, file=file, line=line, remedy="Write the value.")
        return known[id(node)]
    known[id(node)] = 0
    inner = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
    parts = inner if isinstance(node, yaml.CollectionNode) else ()
    known[id(node)] = 1 + sum(count_values(part, known, file) for part in parts)
    return known[id(node)]


def key_lines(node: yaml.Node | None, file: Path, above: Keys, seen: set[int]) -> Iterator[tuple[Keys, int]]:
    """Yield each key below the keys `above` with its line. The keys of the items of a list are "0", "1", ...

    Raises:
        UserError: a key occurs twice, of which PyYAML would keep the last without an error, or is not a string.
    """
    # `seen`: a node is visited once, since aliases repeat it.
    if not isinstance(node, yaml.CollectionNode) or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield (*above, str(index)), item.start_mark.line + 1
            yield from key_lines(item, file, (*above, str(index)), seen)
        return
    names = set()
    for key, value in node.value:
        line = key.start_mark.line + 1
        name = str(key.value)
        if key.tag != TEXT:
            raise UserError(f"YAML does not read the key {name} as text.", file=file, line=line, remedy=QUOTE)
        if name in names:
            raise UserError(f'the key "{name}" occurs twice.', file=file, line=line, remedy="Keep one of them.")
        names.add(name)
        yield (*above, name), line
        yield from key_lines(value, file, (*above, name), seen)
