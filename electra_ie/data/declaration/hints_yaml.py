r"""The keys `descriptions` and `hints` of a task.yaml: parsing and checking.

descriptions: {COUNTRY: A country or territory.}
hints:
  COUNTRY: {file: countries.txt}                # one term a line, relative to the folder of the data
  structuring: [{terms: [just below the limit]}, {pattern: '(?i)\bsplit\b'}]
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import regex

from electra_ie.common.errors import nearest
from electra_ie.common.yaml_source import Keys, Source
from electra_ie.data.fields import Field
from electra_ie.data.hints import Hint

CONTENT = ("terms", "pattern", "file")
"""The keys of a hint; it has one of them."""
PROBES = ("", "a 1.")
"""Texts on which a pattern must not match the empty string: `x*` matches it in the first, `\\b` in the second."""


def parse_descriptions(value: Any, fields: Sequence[Field], source: Source) -> dict[str, dict[str, str]]:
    """Return the descriptions by field and label.

    Args:
        value: The value of the key `descriptions`: texts by label, or by `field.label`.
        fields: The fields of the task.
        source: The file and its lines.

    Raises:
        UserError: A label does not exist, belongs to several fields or has two descriptions, or a description is not a
            text on one line.
    """
    descriptions: dict[str, dict[str, str]] = {}
    for keys, field, label, text in _by_label("descriptions", value, fields, source):
        if not isinstance(text, str) or not text.strip() or len(text.strip().splitlines()) > 1:
            message = f"the description of {label} is {text!r}."
            raise source.error(
                keys, message, "Write one sentence or phrase on one line, in quotes if it contains `: `."
            )
        descriptions.setdefault(field, {})[label] = text.strip()
    return descriptions


def parse_hints(value: Any, fields: Sequence[Field], source: Source) -> tuple[Hint, ...]:
    """Return the hints, those in files without their terms.

    Args:
        value: The value of the key `hints`: a hint or a list of hints by label, or by `field.label`.
        fields: The fields of the task.
        source: The file and its lines.

    Raises:
        UserError: A label does not exist, belongs to several fields or occurs twice, or a hint is invalid.
    """
    hints: list[Hint] = []
    names: set[str] = set()
    shared = Counter(label for field in fields for label in field.labels)
    for keys, field, label, declared in _by_label("hints", value, fields, source):
        listed = isinstance(declared, list)
        if listed and not declared:
            raise source.error(keys, f"the label {label} has an empty list of hints.", "Add one, or remove the label.")
        for index, item in enumerate(declared if listed else [declared]):
            kind, content = _content((*keys, str(index)) if listed else keys, item, source)
            base = f"{label if shared[label] == 1 else f'{field}.{label}'}: {content if kind == 'file' else kind}"
            name, count = base, 1
            while name in names:
                count += 1
                name = f"{base} {count}"
            names.add(name)
            hints.append(Hint(field, label, name, **{kind: content}, task_file=str(source.file)))
    return tuple(hints)


def declared_descriptions(descriptions: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Return descriptions as in task.yaml, with the keys `field.label`."""
    return {f"{field}.{label}": text for field, texts in descriptions.items() for label, text in texts.items()}


def declared_hints(hints: Sequence[Hint]) -> dict[str, list[dict[str, Any]]]:
    """Return hints as in task.yaml, with the keys `field.label`; of those in files only the file."""
    declared: dict[str, list[dict[str, Any]]] = {}
    for hint in hints:
        content: dict[str, Any] = {"pattern": hint.pattern} if hint.pattern else {"terms": list(hint.terms)}
        declared.setdefault(f"{hint.field}.{hint.label}", []).append({"file": hint.file} if hint.file else content)
    return declared


def _by_label(name: str, value: Any, fields: Sequence[Field], source: Source) -> Iterator[tuple[Keys, str, str, Any]]:
    """Yield the path of each key, its field and label, and its value. Raises UserError for a label without a field."""
    source.check_mapping((name,), value)
    seen: dict[tuple[str, str], str] = {}
    for key, content in value.items():
        keys = (name, key)
        field, label = _label(key, keys, fields, source)
        if (other := seen.setdefault((field, label), key)) != key:
            remedy = "Write one list of hints." if name == "hints" else "Keep one of them."
            raise source.error(keys, f'"{other}" and "{key}" are the same label.', remedy)
        yield keys, field, label, content


def _label(key: str, keys: Keys, fields: Sequence[Field], source: Source) -> tuple[str, str]:
    """Return the field and the label of a key. A key that can be read both ways is `field.label`."""
    by_name = {field.name: field for field in fields}
    name, _, label = key.partition(".")
    if name in by_name and label in by_name[name].labels:
        return name, label
    having = [field.name for field in fields if key in field.labels]
    if len(having) == 1:
        return having[0], key
    if having:
        message = f'the label "{key}" belongs to several fields: {", ".join(having)}.'
        raise source.error(keys, message, f'Write the field before it: "{having[0]}.{key}".')
    if name in by_name and label:
        message = f'the field {name} has no label "{label}".'
        raise source.error(keys, message, nearest(label, by_name[name].labels))
    labels = dict.fromkeys(label for field in fields for label in field.labels)
    raise source.error(keys, f'no field has the label "{key}".', nearest(key, labels))


def _content(keys: Keys, hint: Any, source: Source) -> tuple[str, Any]:
    """Return the only key of a hint, and its value after checks."""
    source.check_keys(keys, hint, CONTENT)
    if len(hint) != 1:
        message = f"a hint has one key of {', '.join(CONTENT)}, and this has {' and '.join(hint) or 'none'}."
        raise source.error(keys, message, "Write several hints as a list: [{terms: [...]}, {pattern: ...}].")
    ((kind, value),) = hint.items()
    keys = (*keys, kind)
    if kind == "terms":
        terms = tuple(term.strip() for term in source.texts(keys, value))
        if not all(terms):
            raise source.error(keys, f"{'.'.join(keys)} contains a blank term.", "Remove it.")
        return kind, terms
    if not isinstance(value, str) or not value.strip():
        raise source.error(keys, f"{'.'.join(keys)} is {value!r}, not a text.", "Put it in quotes.")
    if kind == "file":
        source.check_path(keys, value)
    else:
        _check_pattern(keys, value, source)
    return kind, value


def _check_pattern(keys: Keys, pattern: str, source: Source) -> None:
    """Raise UserError for a pattern that does not compile, or that matches the empty string."""
    try:
        re.compile(pattern)  # `regex` has more syntax, such as approximate matches, that is not supported
        compiled = regex.compile(pattern)
    except (re.error, regex.error, OverflowError, RecursionError) as error:
        message = f"the pattern {pattern} is not a regular expression of Python: {error}."
        raise source.error(keys, message, "Put it in single quotes, so that YAML keeps backslashes.") from None
    if any(match.end() == match.start() for text in PROBES for match in compiled.finditer(text)):
        message = f"the pattern {pattern} matches the empty string."
        raise source.error(keys, message, "Change it so that every match has a character, for example + for *.")
