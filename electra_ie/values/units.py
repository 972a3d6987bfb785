"""Spellings of units, with their codes in UCUM, the Unified Code for Units of Measure.

A unit is read part by part between slashes. A part is looked up in `SPELLINGS`, then in capitals in `CAPITALS`
(laboratory printers have no small letters, and in the codes of UCUM in capitals MG is a milligram), and is otherwise a
code of UCUM itself, which ucumvert checks.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from electra_ie.values.value import Refused

METRIC = {
    "g": ("", "k", "m", "u", "n", "p"),
    "L": ("", "d", "c", "m", "u", "n", "f"),
    "mol": ("", "k", "m", "u", "n", "p", "f"),
    "m": ("", "k", "d", "c", "m", "u", "n"),
    "[IU]": ("", "k", "m", "u"),
    "eq": ("", "m", "u"),
    "osm": ("", "m"),
    "kat": ("", "m", "u", "n"),
    "Pa": ("", "h", "k", "M"),
    "Bq": ("", "k", "M", "G"),
    "Gy": ("", "c", "m"),
    "Sv": ("", "m", "u"),
    "J": ("", "k", "M"),
    "W": ("", "m", "k", "M"),
    "V": ("", "m", "k", "u"),
    "A": ("", "m", "u"),
    "Hz": ("", "k", "M", "G"),
    "s": ("", "m", "u", "n"),
    "cal": ("", "k"),
    "N": ("", "k", "m"),
}
"""Units of UCUM with the prefixes that texts use."""
OTHER_NAMES = {
    "g": "克|gm|gms|gram|grams|gramme|grammes|Gramm",
    "kg": "公斤|千克|kgs|kilo|kilos|kilogram|kilograms|Kilogramm|KG|Kg",
    "mg": "毫克|mgs|milligram|milligrams|Milligramm|mgr",
    "ug": "微克|mcg|mcgs|microgram|micrograms|Mikrogramm",
    "ng": "nanogram|nanograms",
    "L": "升|l|liter|liters|litre|litres|Liter|lt|ltr",
    "mL": "毫升|cc|ccm|milliliter|milliliters|millilitre|millilitres|Milliliter|mls",
    "uL": "mcL|mcl|microliter|microliters|microlitre|λ",
    "mmol": "毫摩尔|mMol|millimol|millimole|millimoles",
    "umol": "微摩尔|uMol|mcmol|micromol|micromole",
    "m": "米|meter|meters|metre|metres|Meter",
    "cm": "厘米|centimeter|centimeters|centimetre|centimetres|Zentimeter",
    "mm": "毫米|millimeter|millimeters|millimetre|millimetres|Millimeter",
    "km": "公里|千米|kilometer|kilometers|kilometre|kilometres|Kilometer",
    "[IU]": "国际单位|IU|iu|I.U.|IE|I.E.|UI|U.I.|international units|international unit",
    "meq": "mEq|mval",
    "eq": "Eq",
    "mosm": "mOsm|mOsmol|mosmol",
    "osm": "Osm|osmol",
    "cal": "calories|calorie",
    "kcal": "Kcal|千卡|大卡|kilocalories",
    "Pa": "pascal|Pascal",
    "mm[Hg]": "毫米汞柱|mmHg|mm Hg|mmhg|mm hg|MMHG|torr|Torr|mm[Hg]",
    "cm[H2O]": "cmH2O|cm H2O|cmH20|cm[H2O]",
    "bar": "",
    "mbar": "",
    "Cel": "°c|°C|° C|ºC|º C|℃|degC|deg C|"
    "degrees C|degrees Celsius|degree Celsius|celsius|Celsius|Grad Celsius|oC|摄氏度",
    "[degF]": "°F|° F|ºF|℉|degF|deg F|degrees F|degrees Fahrenheit|fahrenheit|Fahrenheit|oF",
    "K": "kelvin|Kelvin",
    "%": "%|percent|vol%|Vol.-%|vol-%",
    "/min": "次/分|次/分钟|bpm|BPM|beats/min|beats per minute|breaths/min|breaths per minute|Schläge/min|"
    "beats/minute|breaths/minute|x/min|/minute|/Minute",
    "s": "秒|sec|secs|sec.|second|seconds|Sek|Sek.|Sekunden",
    "ms": "msec|msecs|milliseconds",
    "min": "分钟|min|min.|mins|minute|minutes|Minute|Minuten",
    "h": "小时|个小时|h|hr|hrs|hour|hours|Std|Std.|Stunde|Stunden",
    "d": "d|day|days|Tag|Tage|jour|jours|días|天",
    "wk": "个星期|星期|wk|wks|week|weeks|Woche|Wochen|周",
    "mo": "个月|mo|month|months|Monat|Monate",
    "a": "年|a|y|yr|yrs|year|years|y.o.|yo|Jahr|Jahre|ans|años|岁",
    "[pH]": "pH",
    "[lb_av]": "lb|lbs|lb.|lbs.|pound|pounds",
    "[oz_av]": "oz|oz.|ounce|ounces",
    "[foz_us]": "fl oz|fl. oz.",
    "[in_i]": "in|inch|inches|Zoll",
    "[ft_i]": "ft|foot|feet",
    "[mi_i]": "mi|mile|miles",
    "[stone_av]": "stone|stones",
    "[drp]": "gtt|gtts|drop|drops|Tropfen|Tr.",
    "[Ch]": "Fr|Ch|Charr",
    "[diop]": "dpt|diopters|dioptres",
    "[ppm]": "ppm",
    "[ppb]": "ppb",
    "t": "t|tonne|tonnes|Tonnen",
    "har": "ha|hectares",
    "mm3": "mm3|cmm",
    "cm3": "cm3",
    "m3": "m3|cbm",
    "m2": "m2|sqm",
    "mm2": "mm2",
    "cm2": "cm2",
    "[HPF]": "HPF|hpf|GF",
    "[LPF]": "LPF|lpf",
    "{1.73_m2}": "1.73m2|1.73 m2|1,73m2|1,73 m2|1.73sqm",
    "(24.h)": "24h|24 h|24 hr|24hr|24 hours|24hrs|24 Std",
    "dB": "dB",
    "rad": "rad",
    "deg": "deg",
    "kW.h": "kWh|kWh.",
    "MW.h": "MWh",
    "U": "",
    "kU": "",
    "mU": "",
    "uU": "",
    "dL": "100 mL|100mL|100 ml|100ml|deciliter|decilitre",
    "{copies}": "copies|cp",
    "": "cells|cell|Zellen",
    "[CFU]": "CFU|KBE",
    "10*9": "Gpt|Gpt.|Giga",
    "10*12": "Tpt|Tpt.|Tera",
    "10*3": "thousand|thou|Tsd|Tsd.",
    "10*6": "Mpt|million|Mio|Mio.",
}
"""Other spellings of units of UCUM, divided by |."""
WHOLE = {
    **dict.fromkeys(("LPM", "lpm"), "L/min"),
    "K/uL": "10*3/uL",
    "k/uL": "10*3/uL",
    "K/ul": "10*3/uL",
    "k/ul": "10*3/uL",
    "K/mm3": "10*3/mm3",
    "M/uL": "10*6/uL",
    "M/ul": "10*6/uL",
    "Th/uL": "10*3/uL",
    "G/l": "10*9/L",
    "T/l": "10*12/L",
    "T/L": "10*12/L",
    "mm/hr": "mm/h",
    "mm/1h": "mm/h",
    "mg%": "mg/dL",
    "mg %": "mg/dL",
    "gm%": "g/dL",
    "mM": "mmol/L",
    "uM": "umol/L",
    "nM": "nmol/L",
    "pM": "pmol/L",
}
"""Whole units that mean something else than their parts."""
SEVERAL = {
    **dict.fromkeys(
        ("U", "units", "unit", "Units", "Unit", "E", "Einheiten", "unidades", "UNITS", "单位"), ("[IU]", "U")
    ),
    **dict.fromkeys(("U/mL", "U/ml", "units/mL", "units/ml"), ("[IU]/mL", "U/mL")),
    **dict.fromkeys(("U/h", "units/h", "units/hr"), ("[IU]/h", "U/h")),
    **dict.fromkeys(("U/kg", "units/kg"), ("[IU]/kg", "U/kg")),
    **dict.fromkeys(("ton", "tons"), ("[ston_av]", "[lton_av]", "t")),
    **dict.fromkeys(("gal", "gallon", "gallons"), ("[gal_us]", "[gal_br]")),
    **dict.fromkeys(("pint", "pints"), ("[pt_us]", "[pt_br]")),
    "F": ("[degF]", "F"),
    "C": ("Cel", "C"),
    "Grad": ("Cel", "deg"),
    "\u00b0": ("Cel", "[degF]", "deg"),
    "u": ("[IU]", "U", "u"),
    "Ml": ("mL", "ML"),
    "G": ("g", "G"),
    "M": ("m", "mol/L"),
    "H": ("h", "H"),
    "S": ("s", "S"),
    "D": ("d", "[diop]"),
    "G/L": ("10*9/L", "g/L"),
    "MV": ("mV", "MV"),
    "MU": ("mU", "MU"),
    "MIU": ("m[IU]", "M[IU]"),
    "gr": ("g", "[gr]"),
    "pt": ("[pt_us]", "[pt_br]"),
    "'": ("[ft_i]", "'"),
    '"': ("[in_i]", "''"),
    **dict.fromkeys(("degrees", "degree"), ("Cel", "[degF]", "deg")),
    **{f"AU{per}": (f"[arb'U]{per}", f"AU{per}") for per in ("", "/mL", "/L")},
    "Cal": ("kcal", "cal"),
}
"""Units with several meanings: F is Fahrenheit, and farad in UCUM, a unit is of insulin or of an enzyme."""
MEGA = re.compile(r"(?<![A-Za-z])M(?=(?:g|L|l|m|mol|eq|s)(?![A-Za-z]))")
"""A capital that makes a megagram of a milligram, which no laboratory measures in."""
NO_UNITS = ("am", "pm", "as", "at", "fa", "pa", "pat", "das")
"""Codes of UCUM that are words or times in a text: 5 pm is no picometer."""
POWER = re.compile(r"(?:[x*\u00b7] ?)?10 ?(?:\^|\*{1,2}|[Ee]\+?|exp) ?0?(?P<power>\d{1,2})")
"""A power of ten before a unit: x10^9/L, 10E9/L."""
PER = re.compile(r" ?/ ?| (?:per|pro|par|por) ")


def _spellings() -> dict[str, str]:
    spellings = {prefix + unit: prefix + unit for unit, prefixes in METRIC.items() for prefix in prefixes}
    others = (("[IU]", "IU"), ("[IU]", "IE"), ("[IU]", "UI"), ("eq", "Eq"), ("L", "l"))
    spellings |= {f"{prefix}{name}": f"{prefix}{unit}" for unit, name in others for prefix in METRIC[unit]}
    spellings |= {name: unit for unit, names in OTHER_NAMES.items() for name in (unit, *names.split("|")) if name}
    return spellings


SPELLINGS = _spellings()
"""The code of each spelling of a part; micro is written u."""
CAPITALS = {name.upper(): unit for name, unit in reversed(SPELLINGS.items()) if len(name) > 1} | {
    unit.upper(): unit for unit in ("g", "m", "h", "d", "s")
}
"""The code of each spelling in capitals."""


def codes_of(text: str) -> tuple[str, ...]:
    """Return the codes of UCUM that a unit may mean.

    Args:
        text: A unit that `cleaning.clean` has returned.

    Raises:
        Refused: there is no such unit.
    """
    unit = re.sub(r"[\u00b5\u03bc](?=[A-Za-z\[])", "u", text.strip())
    unit = re.sub(r"(?<=[a-zA-Z])\^(?=-?\d)", "", unit)  # m^2 is m2 in UCUM
    for spelled in (unit, unit.removesuffix(".")):
        if spelled in SEVERAL:
            return SEVERAL[spelled]
        code = WHOLE.get(spelled) or _code(spelled)
        if code is not None and is_ucum(code):
            small = MEGA.sub("m", code)
            return (code,) if small == code else (small, code)
    raise Refused("unknown_unit", f'"{text.strip()}" is neither a unit of UCUM nor a spelling that is known')


def _code(unit: str) -> str | None:
    """Return the code of a unit, part by part; None if a part has none."""
    if unit in SPELLINGS:
        return SPELLINGS[unit]
    match = POWER.match(unit)
    power = f"10*{int(match['power'])}" if match else ""
    rest = unit[match.end() :].strip() if match else unit
    in_capitals = rest == rest.upper()
    parts = [_part(part, in_capitals) for part in PER.split(rest)]
    if None in parts or not (power or rest):
        return None
    between = "." if power and parts[0] else ""
    return power + between + "/".join(map(str, parts))


def _part(part: str, in_capitals: bool) -> str | None:
    """Return the code of a part of a unit; None for one that cannot have one."""
    if part == "" or part in SPELLINGS:
        return SPELLINGS.get(part, "")
    if in_capitals and part in CAPITALS:
        return CAPITALS[part]
    if part in NO_UNITS:
        return None
    is_code = part.isascii() and not part[0].isdigit() and not re.search(r"[ {}]", part)
    return part if is_code else None


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
