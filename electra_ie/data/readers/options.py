"""The options of a reader: a closed vocabulary, so that a misspelt one is an error and not a default."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from electra_ie.common.errors import UserError, nearest

WORDS = {bool: "true or false", int: "a whole number", str: "text", list: "a list of texts"}


@dataclass(frozen=True, slots=True)
class Option:
    """One setting: its default, and what else than a value of the default's type it may be."""

    default: Any
    types: tuple[type, ...] = ()
    choices: tuple[str, ...] = ()

    def accepts(self, value: Any) -> bool:
        """Whether `value` is of a type (a bool is no number, a list holds texts only) and a choice allowed here."""
        if type(value) not in (self.types or (type(self.default),)):
            return False
        if isinstance(value, list) and not all(isinstance(each, str) for each in value):
            return False
        return not self.choices or value in self.choices

    def __str__(self) -> str:
        if self.choices:
            return " or ".join(self.choices)
        return " or ".join(WORDS[each] for each in (self.types or (type(self.default),)))


def settle(
    given: Mapping[str, Any],
    declared: Mapping[str, Option],
    format: str,
    file: str | os.PathLike[str] | None = None,
    line: int | None = None,
) -> dict[str, Any]:
    """Every option of `declared` with its value. Raises UserError for a name or a value that is not in it."""
    for name, value in given.items():
        if name not in declared:
            message = f'the format {format} has no option "{name}".'
            remedy = nearest(name, declared) if declared else "It has none."
            raise UserError(message, file=file, line=line, remedy=remedy)
        if not declared[name].accepts(value):
            message = f"the option {name} is {value!r}."
            raise UserError(message, file=file, line=line, remedy=f"It must be {declared[name]}.")
    return {name: given.get(name, option.default) for name, option in declared.items()}
