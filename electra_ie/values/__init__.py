"""Typed values: what a text says as a number, an amount of money, a date, a quantity, an identifier or a code.

`read_value` is a function of a text, a type and settings: it reads no clock, raises for no text, and refuses what it
does not know. A text with several readings is ambiguous. A type is a module and an entry of `VALUE_TYPES`. The
packages of the extras are imported inside functions.
"""

from __future__ import annotations

from electra_ie.values.code_list import CodeList
from electra_ie.values.reading import VALUE_TYPES, check_type, read_value
from electra_ie.values.settings import ValueSettings
from electra_ie.values.value import Candidate, Value

__all__ = ["VALUE_TYPES", "Candidate", "CodeList", "Value", "ValueSettings", "check_type", "read_value"]
