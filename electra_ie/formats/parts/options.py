"""The options of a format: a closed set, so that a misspelled option is an error and not ignored."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from electra_ie.common.errors import UserError, nearest

TYPE_NAMES = {bool: "true or false", int: "a whole number", str: "text"}
ITEM_NAMES = {int: "whole numbers", str: "texts"}


@dataclass(frozen=True, slots=True)
class Option:
    """An option: its default, the types it may have (by default that of the default), and its choices, if any.

    items: the types of what a list contains.
    """

    default: Any
    types: tuple[type, ...] = ()
    choices: tuple[str, ...] = ()
    items: tuple[type, ...] = (str,)

    @property
    def may_be_list(self) -> bool:
        """Whether a list is among its types."""
        return list in (self.types or (type(self.default),))

    def accepts(self, value: Any) -> bool:
        """Return whether a value is allowed, as the default always is. A bool is not a whole number."""
        if type(value) not in (self.types or (type(self.default),)):
            return False
        if isinstance(value, list) and not all(type(item) in self.items for item in value):
            return False
        return not self.choices or value in (*self.choices, self.default)

    def __str__(self) -> str:
        if self.choices:
            return " or ".join(self.choices)
        lists = f"a list of {' or '.join(ITEM_NAMES[item] for item in self.items)}"
        return " or ".join(TYPE_NAMES.get(type_, lists) for type_ in (self.types or (type(self.default),)))


def settle(
    values: Mapping[str, Any],
    declared: Mapping[str, Option],
    format: str,
    file: str | os.PathLike[str] | None = None,
    line: int | None = None,
) -> dict[str, Any]:
    """Return a value for every declared option, the default where `values` has none.

    Args:
        values: the options that are set.
        declared: all options of the format.
        format: the name of the format, for errors.
        file: where `values` was read, for errors.
        line: the line in that file.

    Raises:
        UserError: an option does not exist, or its value is not allowed.
    """
    for name, value in values.items():
        _check_name(name, declared, format, file, line)
        if not declared[name].accepts(value):
            message = f"the option {name} is {value!r}."
            raise UserError(message, file=file, line=line, remedy=f"It must be {declared[name]}.")
    return {name: values.get(name, option.default) for name, option in declared.items()}


def parse(texts: Sequence[str], declared: Mapping[str, Option], format: str) -> dict[str, Any]:
    """Return the options in texts `key=value`. A value is read as YAML, unless the default of the option is a text.

    Of an option that may be a text or a list, only a value in brackets is read as YAML: `text=[subject, body]`. The
    values of an option that may be a list are collected if it is given more than once, and one text is also a list
    of it.

    Raises:
        UserError: a text is not `key=value`, its option does not exist or is given twice, or its value is not YAML.
    """
    given: dict[str, list[Any]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise UserError(f'"{text}" is not key=value.', remedy=_known(name, declared))
        _check_name(name, declared, format)
        option, values = declared[name], given.setdefault(name, [])
        values.append(_value(name, value, option))
        if len(values) > 1 and not option.may_be_list:
            message = f"the option {name} is given twice: {values[0]} and {values[1]}."
            raise UserError(message, remedy="Give it once: it has one value.")
    return {name: _collected(values, declared[name]) for name, values in given.items()}


def _value(name: str, text: str, option: Option) -> Any:
    """Return the value of an option that a text states. Raises UserError if it is not YAML."""
    if isinstance(option.default, str) and not (option.may_be_list and text.lstrip().startswith("[")):
        return text
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise UserError(f'the option {name} is "{text}".', remedy=f"It must be {option}.") from None


def _collected(values: Sequence[Any], option: Option) -> Any:
    """Return the value of an option that is given once or, if it may be a list, several times."""
    if len(values) > 1:
        return [item for value in values for item in (value if isinstance(value, list) else [value])]
    return [*values] if isinstance(option.default, list) and isinstance(values[0], str) else values[0]


def _check_name(
    name: str,
    declared: Mapping[str, Option],
    format: str,
    file: str | os.PathLike[str] | None = None,
    line: int | None = None,
) -> None:
    if name not in declared:
        message = f'the format {format} has no option "{name}".'
        raise UserError(message, file=file, line=line, remedy=_known(name, declared))


def _known(name: str, declared: Mapping[str, Option]) -> str:
    return nearest(name, declared) if declared else "It has no options."
