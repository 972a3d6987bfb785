"""A YAML file of declarations, and the line of each of its keys, so that a mistake can be shown where it stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from electra_ie.common.errors import UserError, nearest
from electra_ie.common.text_files import read_text, reading

QUOTE = "Put it in quotes: yes, no, on, off, null, numbers and dates are not text without."
TEXT = "tag:yaml.org,2002:str"
MOST_BYTES, MOST_VALUES = 2**20, 200_000
"""What a file of declarations may measure: as it is, and with every alias written out."""

Keys = tuple[str, ...]
"""Where a value stands in a file: the keys that lead to it."""


@dataclass(frozen=True)
class Source:
    """A file and the lines (from 1) of its keys; without lines where it was not read here."""

    file: Path
    lines: Mapping[Keys, int]

    @classmethod
    def read(cls, file: Path) -> tuple[Any, Source]:
        """What a YAML file says, in plain values, and where it says it.

        Raises:
            UserError: the file is not text, not YAML, asks for more than plain values, names a key twice, or is too
                large, by itself or by its aliases.
        """
        with reading(file):
            size = file.stat().st_size
        if size > MOST_BYTES:
            remedy = "Data belongs in the files that it names."
            raise UserError(f"{size:,} bytes of YAML; {MOST_BYTES:,} are the most.", file=file, remedy=remedy)
        try:
            loader = yaml.SafeLoader(read_text(file).removeprefix("\ufeff"))
            node = loader.get_single_node()
            if node and written_out(node, {}, file) > MOST_VALUES:
                message = f"its aliases stand for more than {MOST_VALUES:,} values."
                raise UserError(message, file=file, remedy="Write out what they stand for.")
            lines = dict(key_lines(node, file, (), set()))
            value = loader.construct_document(node) if node else {}
        except (yaml.YAMLError, RecursionError, ValueError) as error:  # ValueError: no date, or a number without end
            mark = getattr(error, "problem_mark", None)
            problem = getattr(error, "problem", None) or "a character, a date, a number or a nesting that it forbids"
            message = f"this is not valid YAML: {problem}."
            line = mark.line + 1 if mark else None
            raise UserError(message, file=file, line=line, remedy="Check indents, colons and quotes.") from None
        return value, cls(file, lines)

    def error(self, keys: Keys, message: str, remedy: str = "") -> UserError:
        """A mistake at `keys`, or at the nearest key above that has a line."""
        return UserError(message, file=self.file, line=self.line(keys), remedy=remedy)

    def line(self, keys: Keys) -> int | None:
        """The line of `keys`, or of the nearest key above."""
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return self.lines.get(keys)

    def check_keys(self, keys: Keys, value: Any, valid: Iterable[str]) -> None:
        """Raises UserError unless `value`, found at `keys`, is a mapping whose keys are all in `valid`."""
        self.check_mapping(keys, value)
        for key in value:
            if key not in valid:
                message = f'unknown key "{key}"{" in " + ".".join(keys) if keys else ""}.'
                raise self.error((*keys, str(key)), message, nearest(key, valid))

    def check_mapping(self, keys: Keys, value: Any) -> None:
        """Raises UserError unless `value` is a mapping that names something by text."""
        if not isinstance(value, Mapping):
            raise self.error(keys, f"{'.'.join(keys) or 'the file'} must be a mapping.", "Write it as key: value.")
        for key in value:
            if not isinstance(key, str):
                raise self.error((*keys, str(key)), f"the key {key!r} is not text.", QUOTE)

    def texts(self, keys: Keys, value: Any) -> tuple[str, ...]:
        """`value`, a list of texts, none of them empty or given twice."""
        found: list[str] = []
        for each in value if isinstance(value, list) else [value]:
            if not isinstance(each, str):
                raise self.error(keys, f"{'.'.join(keys)} holds {each!r}, which YAML does not take for text.", QUOTE)
            if not each or each in found:
                fault = f'"{each}" twice' if each else "an empty text"
                raise self.error(keys, f"{'.'.join(keys)} holds {fault}.", "Give each once.")
            found.append(each)
        if not found:
            raise self.error(keys, f"{'.'.join(keys)} is empty.", "Give at least one.")
        return tuple(found)


def written_out(node: yaml.Node, known: dict[int, int], file: Path) -> int:
    """How many values a node stands for, those of an alias counted each time. `known` holds what is counted already.

    Raises:
        UserError: an alias leads back to what it stands in.
    """
    if id(node) in known:
        if not known[id(node)]:
            line = node.start_mark.line + 1
            raise UserError("an alias leads back to itself.", file=file, line=line, remedy="Write it out.")
        return known[id(node)]
    known[id(node)] = 0
    inner = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
    parts = inner if isinstance(node, yaml.CollectionNode) else ()
    known[id(node)] = 1 + sum(written_out(part, known, file) for part in parts)
    return known[id(node)]


def key_lines(node: yaml.Node | None, file: Path, above: Keys, seen: set[int]) -> Iterator[tuple[Keys, int]]:
    """The line of each key below `above`.

    Raises:
        UserError: a key given twice, which YAML would pass over, or one that it does not take for text.
    """
    # An alias may lead back to its own anchor.
    if not isinstance(node, yaml.MappingNode) or id(node) in seen:
        return
    seen.add(id(node))
    names = set()
    for key, value in node.value:
        line = key.start_mark.line + 1
        name = str(key.value)
        if key.tag != TEXT:
            raise UserError(f"the key {name} is not text to YAML.", file=file, line=line, remedy=QUOTE)
        if name in names:
            raise UserError(f'the key "{name}" is given twice.', file=file, line=line, remedy="Keep one of them.")
        names.add(name)
        yield (*above, name), line
        yield from key_lines(value, file, (*above, name), seen)
