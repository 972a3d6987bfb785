"""The options of a reader: a closed set, so that a misspelled option is an error and not ignored."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from electra_ie.common.errors import UserError, nearest

TYPE_NAMES = {bool: "true or false", int: "a whole number", str: "text", list: "a list of texts"}


@dataclass(frozen=True, slots=True)
class Option:
    """An option: its default, the types it may have (by default that of the default), and its choices, if any."""

    default: Any
    types: tuple[type, ...] = ()
    choices: tuple[str, ...] = ()

    def accepts(self, value: Any) -> bool:
        """Return whether a value is allowed. A bool is not a whole number, and a list contains strings only."""
        if type(value) not in (self.types or (type(self.default),)):
            return False
        if isinstance(value, list) and not all(isinstance(item, str) for item in value):
            return False
        return not self.choices or value in self.choices

    def __str__(self) -> str:
        if self.choices:
            return " or ".join(self.choices)
        return " or ".join(TYPE_NAMES[type_] for type_ in (self.types or (type(self.default),)))


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
        if name not in declared:
            message = f'the format {format} has no option "{name}".'
            remedy = nearest(name, declared) if declared else "It has no options."
            raise UserError(message, file=file, line=line, remedy=remedy)
        if not declared[name].accepts(value):
            message = f"the option {name} is {value!r}."
            raise UserError(message, file=file, line=line, remedy=f"It must be {declared[name]}.")
    return {name: values.get(name, option.default) for name, option in declared.items()}
