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

    One text is also a list of it.

    Raises:
        UserError: a text is not `key=value`, its option does not exist, or its value is not YAML.
    """
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise UserError(f'"{text}" is not key=value.', remedy=_known(name, declared))
        _check_name(name, declared, format)
        try:
            values[name] = value if isinstance(declared[name].default, str) else yaml.safe_load(value)
            if isinstance(declared[name].default, list) and isinstance(values[name], str):
                values[name] = [values[name]]
        except yaml.YAMLError:
            raise UserError(f'the option {name} is "{value}".', remedy=f"It must be {declared[name]}.") from None
    return values


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
