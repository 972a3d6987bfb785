"""The codes of units in UCUM, the Unified Code for Units of Measure.

A unit is read part by part between slashes. A part is looked up in the spellings, then in capitals (laboratory printers
have no small letters, and in the codes of UCUM in capitals MG is a milligram). Otherwise it is a code of UCUM, if texts
use it: UCUM makes a code of nearly every short word, as megatesla of MT and hour times second of h.s.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import product
from typing import Any

from electra_ie.values.unit_names import (
    AS_WRITTEN,
    METRIC,
    NOT_IN_CAPITALS,
    OTHER_NAMES,
    PER_MINUTE,
    SEVERAL,
    SEVERAL_IN_PARTS,
    SEVERAL_OF_LANGUAGE,
    WHOLE,
)
from electra_ie.values.value import Refused

POWER = re.compile(r"(?:[x*\u00b7] ?)?10 ?(?:\^|\*{1,2}|[Ee]\+?|exp) ?0?(?P<power>\d{1,2})")
"""A power of ten before a unit: x10^9/L, 10E9/L."""
PER = re.compile(r" ?/ ?| (?:per|pro|par|por) ")
FACTOR = re.compile(r"(?P<code>[A-Za-z%]*(?:\[[^\[\] ]+\])?)(?:-?[1-5])?(?:(?<=[\w%\]])\{[^{} ]+\})?")
"""A code of UCUM with its power and annotation: kg, kg-1, m2, g{creat}."""
TIMES = re.compile(r"[1-9]\d{0,2}\.")
"""The number in brackets before a code: mg/(8.h), g/(100.g)."""
LETTERS = ("A.h", "A.s", "J.s", "N.m", "N.s", "V.A", "W.h", "W.s")
"""Products of two letters that are units: others are abbreviations, as a.m. and h.s."""
WITH_STOP = ("g", "h", "l", "L")
"""Letters that are the same unit with a full stop behind them: others are abbreviations, as J. of German years."""
COUNTS = {"K": "10*3", "k": "10*3", "M": "10*6"}
"""Letters that are a power of ten before a volume of blood."""
VOLUMES = ("L", "dL", "mL", "uL", "nL", "mm3")
COUNTED_VOLUMES = ("mL", "uL", "mm3")


def _spellings() -> dict[str, str]:
    spellings = {prefix + unit: prefix + unit for unit, prefixes in METRIC.items() for prefix in prefixes}
    others = (("[IU]", "IU"), ("[IU]", "IE"), ("[IU]", "UI"), ("eq", "Eq"), ("L", "l"))
    spellings |= {f"{prefix}{name}": f"{prefix}{unit}" for unit, name in others for prefix in METRIC[unit]}
    spellings |= {name: unit for unit, names in OTHER_NAMES.items() for name in (unit, *names.split("|")) if name}
    return spellings


SPELLINGS = _spellings()
"""The code of each spelling of a part; micro is written u."""
CAPITALS = {
    name.upper(): unit
    for name, unit in reversed(SPELLINGS.items())
    if len(name) > 1 and name.upper() not in NOT_IN_CAPITALS
} | {unit.upper(): unit for unit in ("g", "m", "h", "d", "s")}
"""The code of each spelling in capitals."""
USED = {*SPELLINGS.values()} | {prefix + unit for unit, prefixes in AS_WRITTEN.items() for prefix in prefixes}
"""The codes of UCUM that are read as they are written; those with brackets are read too."""


def codes_of(text: str, language: str = "en") -> tuple[str, ...]:
    """Return the codes of UCUM that a unit may mean.

    Args:
        text: A unit that `cleaning.clean` has returned.
        language: The language of the text, in which a letter may be an abbreviation.

    Raises:
        Refused: there is no such unit.
    """
    unit = re.sub(r"[\u00b5\u03bc](?=[A-Za-z\[])", "u", text.strip()).replace("\u03a9", "Ohm").replace("\u2126", "Ohm")
    unit = re.sub(r"(?<=[a-zA-Z])\^(?=-?\d)", "", unit)  # m^2 is m2 in UCUM
    without_stop = unit.removesuffix(".")
    of_language = SEVERAL_OF_LANGUAGE.get(language, {})
    for spelled in (unit, without_stop) if len(without_stop) > 1 or without_stop in WITH_STOP else (unit,):
        if several := of_language.get(spelled) or SEVERAL.get(spelled):
            return several
        codes = (WHOLE[spelled],) if spelled in WHOLE else _codes(spelled)
        if codes and all(map(is_ucum, codes)):
            return codes
    raise Refused("unknown_unit", f'"{text.strip()}" is neither a known spelling of a unit nor a code of UCUM in use')


def _codes(unit: str) -> tuple[str, ...]:
    """Return the codes that a unit may mean, part by part; none if a part has none."""
    if unit in SPELLINGS:
        return (SPELLINGS[unit],)
    match = POWER.match(unit)
    power = f"10*{int(match['power'])}" if match else ""
    rest = unit[match.end() :].strip() if match else unit
    if not (power or rest):
        return ()
    if power and rest in WHOLE:
        return (f"{power}.{WHOLE[rest]}",)
    parts = PER.split(rest)
    options = [_part(part, in_capitals=rest == rest.upper()) for part in parts]
    if len(parts) > 1:
        options[0] = _first(parts[0], options)
        if options[-1] == ("m",) and set(options[0]) & set(PER_MINUTE):
            options[-1] = ("m", "min")
    options[1:] = [_below(part, codes) for part, codes in zip(parts[1:], options[1:], strict=True)]
    between = "." if power and parts[0] else ""
    return tuple(power + between + "/".join(codes) for codes in product(*options))


def _below(part: str, codes: tuple[str, ...]) -> tuple[str, ...]:
    """Return what a part behind a slash may mean: in UCUM mg/kg.d is mg/kg times d, in texts mostly mg/(kg.d)."""
    if all("." not in code or code[0] in "({" for code in codes):
        return codes
    whole = tuple(f"({code})" for code in codes)
    return (*whole, *codes) if part in codes else whole


def _part(part: str, in_capitals: bool) -> tuple[str, ...]:
    """Return the codes that a part of a unit may mean."""
    if part == "" or part in SPELLINGS:
        return (SPELLINGS.get(part, ""),)
    if in_capitals and part in CAPITALS:
        return (CAPITALS[part],)
    if several := SEVERAL.get(part) or SEVERAL_IN_PARTS.get(part):
        return several
    return (part,) if _is_used(part) else ()


def _first(part: str, options: list[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the codes of the part before the first slash, which what is behind it may decide: K/uL, U/h."""
    per = options[1]
    if part in COUNTS and per and set(per) <= set(COUNTED_VOLUMES):
        return (COUNTS[part],)
    if part in ("K", "k", "M", "m") and set(per) & set(VOLUMES):
        return ()
    if part in ("U", "u"):  # with a slash, u is no atomic mass
        return ("U",) if set(per) & {"L", "dL"} else SEVERAL["U"]
    return options[0]


def _is_used(part: str) -> bool:
    """Return whether a part is a code of UCUM that texts use, or a product of such codes."""
    inner = TIMES.sub("", part[1:-1], count=1) if part[0] == "(" and part[-1] == ")" and "." in part else part
    factors = inner.split(".")
    matches = [FACTOR.fullmatch(factor) for factor in factors]
    if not all(match and (match["code"] in USED or "[" in match["code"]) for match in matches):
        return False
    return len(factors) == 1 or inner in LETTERS or any(len(factor) > 1 for factor in factors)


@cache
def is_ucum(code: str) -> bool:
    """Return whether ucumvert reads a code."""
    from lark.exceptions import LarkError

    try:
        _parser().parse(code)
    except LarkError:
        return False
    return True


@cache
def _parser() -> Any:
    from ucumvert import get_ucum_parser

    return get_ucum_parser()
