"""Records of JSON files, validated: one object a line, or an array of objects over several lines."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from electra_ie.common.errors import OnError, UserError, nearest
from electra_ie.common.text_files import SourceLine, lines, read_text

_SPACE = re.compile(r"[ \t\r\n]*")


def records(path: Path, on_error: OnError, whole: Sequence[str] = ()) -> Iterator[tuple[dict[str, Any], SourceLine]]:
    """Yield the objects of a file with the lines on which they begin.

    A file that begins with `[` is an array of objects, otherwise each line is one. A JSON lines file is read line by
    line, an array as a whole.

    Args:
        path: The file, which may be compressed with gzip.
        on_error: Called for each record that is not a valid object.
        whole: The keys of which one holds the records, if the file is a single object over several lines.

    Raises:
        UserError: The file cannot be read, or is not JSON at all.
    """
    first = next((line for _, line in lines(path) if line.strip()), "")
    opened = first.lstrip("\ufeff").lstrip()
    if opened.startswith("[") or (whole and opened.startswith("{") and _is_whole(first, whole)):
        yield from _of_whole(path, on_error, whole)
        return
    for number, line in lines(path, on_error):
        if line.strip():
            source = SourceLine(str(path), number)
            try:
                record = parse(line, source)
            except UserError as error:
                on_error(error)
                continue
            yield record, source


def _is_whole(line: str, whole: Sequence[str]) -> bool:
    """Return whether a file with this first line is one object with all records in it."""
    try:
        value = json.loads(line.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return True
    return isinstance(value, dict) and any(isinstance(value.get(key), list) for key in whole)


def _of_whole(path: Path, on_error: OnError, whole: Sequence[str]) -> Iterator[tuple[dict[str, Any], SourceLine]]:
    """Yield the objects of an array, which may be the value of a key of the outermost object."""
    text = read_text(path).removeprefix("\ufeff")
    position = _SPACE.match(text).end()  # type: ignore[union-attr]
    if not text.startswith("[", position):
        position = _start_of_array(text, path, whole)
    position = _skip(text, position + 1)
    line, counted = 1 + text.count("\n", 0, position), position
    while not text.startswith("]", position):
        line, counted = line + text.count("\n", counted, position), position
        source = SourceLine(str(path), line)
        value, position = _value(text, position, source)
        if isinstance(value, dict):
            yield value, source
        else:
            on_error(source.error(f"{json.dumps(value)[:40]} is not an object.", "Each record is an object: {...}."))
        position = _skip(text, position)
        if text.startswith(",", position):
            position = _skip(text, position + 1)
        elif not text.startswith("]", position):
            at = SourceLine(str(path), 1 + text.count("\n", 0, position))
            raise at.error("the array of records does not end here with ] or go on with a comma.", "Is the file whole?")


def _start_of_array(text: str, path: Path, whole: Sequence[str]) -> int:
    """Return the index of the `[` after one of the keys, at the outermost level of an object."""
    source = SourceLine(str(path), 1)
    position = _skip(text, text.index("{") + 1)
    seen = []
    while not text.startswith("}", position):
        key, position = _value(text, position, source)
        position = _skip(text, position)
        position = _skip(text, position + 1) if text.startswith(":", position) else position
        if key in whole and text.startswith("[", position):
            return position
        seen.append(str(key))
        _, position = _value(text, position, source)
        position = _skip(text, position)
        position = _skip(text, position + 1) if text.startswith(",", position) else position
    raise source.error(f"this object has no array {' or '.join(whole)}, but {', '.join(seen) or 'nothing'}.")


def _skip(text: str, position: int) -> int:
    return _SPACE.match(text, position).end()  # type: ignore[union-attr]


def _value(text: str, position: int, source: SourceLine) -> tuple[Any, int]:
    """Return the JSON value at a position and the position after it. Raises UserError with the line of the error."""
    decoder = json.JSONDecoder(
        object_pairs_hook=partial(check_pairs, source=source), parse_constant=partial(refuse_constant, source=source)
    )
    try:
        return decoder.raw_decode(text, position)
    except UserError:
        raise
    except json.JSONDecodeError as error:
        at = SourceLine(source.file, error.lineno)
        raise at.error(f"this is not JSON: {error.msg} (column {error.colno}).", "Is the file whole?") from None
    except (ValueError, RecursionError):
        message = "this JSON has too many levels, or a number with too many digits."
        raise source.error(message, "Simplify the record.") from None


def parse(line: str, source: SourceLine) -> dict[str, Any]:
    """Return the object in a line.

    Raises:
        UserError: it is not JSON, not an object, has a key twice, or NaN or Infinity, which JSON does not have and
            other programs do not read.
    """
    pairs, constant = partial(check_pairs, source=source), partial(refuse_constant, source=source)
    try:
        record = json.loads(line, object_pairs_hook=pairs, parse_constant=constant)
    except UserError:
        raise
    except json.JSONDecodeError as error:
        remedy = "Write one JSON object a line."
        raise source.error(f"this is not JSON: {error.msg} (character {error.pos + 1}).", remedy) from None
    except (ValueError, RecursionError):
        message = "this JSON has too many levels, or a number with too many digits."
        raise source.error(message, "Simplify the record.") from None
    if not isinstance(record, dict):
        raise source.error("this line is not a JSON object.", 'Write {"text": "..."} on each line.')
    return record


def check_pairs(pairs: Sequence[tuple[str, Any]], source: SourceLine) -> dict[str, Any]:
    """Return an object from its keys and values. Raises UserError for a repeated key: one value would be lost."""
    record = dict(pairs)
    if len(record) < len(pairs):
        repeated = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise source.error(f'the key "{repeated}" occurs twice in one object.', "Keep one of them.")
    return record


def refuse_constant(name: str, source: SourceLine) -> None:
    """Raise UserError for NaN, Infinity and -Infinity."""
    raise source.error(f"this is not JSON: it contains {name}.", "Write null for an unknown value.")


def text_of(record: Mapping[str, Any], key: str, source: SourceLine) -> str:
    """Return the text of a record."""
    if key not in record:
        remedy = f"{nearest(key, record)} The option text names the key, for extract --text."
        raise source.error(f'the record has no "{key}".', remedy)
    text = record[key]
    if not isinstance(text, str):
        remedy = "Put the text in quotes." if text is not None else "Give the record a text, or remove it."
        raise source.error(f'"{key}" is {json.dumps(text)[:40]}, not a text.', remedy)
    refuse_surrogates(text, "text", source)
    return text


def refuse_surrogates(text: str, name: str, source: SourceLine) -> None:
    """Raise UserError for a lone surrogate, which JSON can escape but UTF-8 cannot encode."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        character = f"\\u{ord(text[error.start]):04x}"
        message = f"character {error.start} of the {name} is half of a surrogate pair ({character})."
        raise source.error(message, "Write the whole character, as UTF-8 or as both halves of the pair.") from None


def id_of(record: Mapping[str, Any], key: str, source: SourceLine) -> str:
    """Return the id of a record, or "" if it has none."""
    id = record.get(key)
    if id is None:
        return ""
    if isinstance(id, bool) or not isinstance(id, str | int) or id == "":
        message = f'"{key}" is {json.dumps(id)[:40]}.'
        raise source.error(message, "An id must be a text that is not empty, or a whole number.")
    refuse_surrogates(str(id), "id", source)
    return str(id)
