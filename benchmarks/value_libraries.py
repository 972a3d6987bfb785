"""What libraries that are used for values make of texts with a trap, beside `electra-ie value`.

    python -m venv .venv-values
    pip install babel dateparser price-parser python-dateutil "quantulum3[classifier]"
    python benchmarks/value_libraries.py            # with that environment: writes results/value_libraries.json
    python benchmarks/value_libraries.py --table    # with the environment of this package: prints the table

The libraries are called as their documentation shows, without settings. Where today fills a part of a date, the answer
says so: the clock is moved to 2 January 2019 for these calls.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "value_libraries.json"
MONEY = ("-5 USD", "(1,200.00)", "USD 1.2 million", "£10k", "€1.234", "$5", "1.2万元", "2 Mio. EUR")
DATES = ("03/04/2021", "13/04/2021", "10", "May", "2021", "31/02/2021", "Tuesday, 3 May 2021")
QUANTITIES = ("7.4 mmol/L", "1.5 mIU/L", "120/80 mmHg", "10^9/L", "98.6F")
LIBRARIES = {
    "price-parser": MONEY,
    "babel": MONEY,
    "dateparser": DATES,
    "python-dateutil": DATES,
    "quantulum3": QUANTITIES,
}
"""The texts that are given to each library; babel alone is `parse_decimal` in the locale en."""
TYPES = {"money": MONEY, "date": DATES, "quantity": QUANTITIES}
NOW = (2019, 1, 2)
"""The day on which the libraries that read the clock are called."""


def price_parser(text: str) -> str:
    from price_parser import Price

    price = Price.fromstring(text)
    return f"{price.amount} {price.currency or ''}".strip()


def babel(text: str) -> str:
    from babel.numbers import NumberFormatError, parse_decimal

    try:
        return str(parse_decimal(text, locale="en", strict=True))
    except NumberFormatError:
        return "error"


def dateparser(text: str) -> str:
    from datetime import datetime

    import dateparser

    found = dateparser.parse(text, settings={"RELATIVE_BASE": datetime(*NOW)})
    return str(found.date()) if found else "none"


def python_dateutil(text: str) -> str:
    from datetime import datetime

    from dateutil.parser import ParserError, parse

    try:
        return str(parse(text, default=datetime(*NOW)).date())
    except ParserError:
        return "error"


def quantulum3(text: str) -> str:
    from quantulum3 import parser

    return "; ".join(f"{each.value:g} {each.unit.name}" for each in parser.parse(text)) or "none"


READERS: dict[str, Callable[[str], str]] = {
    "price-parser": price_parser,
    "babel": babel,
    "dateparser": dateparser,
    "python-dateutil": python_dateutil,
    "quantulum3": quantulum3,
}


def measure() -> dict[str, Any]:
    """Return version and answers by library."""
    results = {}
    for library, texts in LIBRARIES.items():
        answers = {}
        for text in texts:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    answers[text] = READERS[library](text)
                except Exception as error:  # what a user of the library gets
                    answers[text] = type(error).__name__
        results[library] = {"version": version(library), "answers": answers}
    return results


def ours(type: str, text: str) -> str:
    """Return the value of this package, or its status with the readings or the rule."""
    from electra_ie.values import read_value
    from electra_ie.values.value import plain

    value = read_value(type, text)
    if value.status == "refused":
        return f"refused: {value.reason}"
    readings = value.candidates or (value,)
    shown = [" ".join(str(part) for part in (plain(each.value), each.unit, each.currency) if part) for each in readings]
    if not value.is_certain:
        return "ambiguous: " + ", ".join(shown[:3]) + (", ..." if len(shown) > 3 else "")
    return shown[0]


def table() -> str:
    """Return a Markdown table with a row for each text."""
    results = json.loads(RESULTS.read_text("utf-8"))
    lines = []
    for type, texts in TYPES.items():
        libraries = [library for library, read in LIBRARIES.items() if read == texts]
        names = [f"{library} {results[library]['version']}" for library in libraries]
        lines += [f"| {type} | {' | '.join(names)} | `electra-ie value {type}` |", "| --- " * (len(names) + 2) + "|"]
        for text in texts:
            answers = [results[library]["answers"][text] for library in libraries]
            lines.append(f"| `{text}` | {' | '.join(answers)} | {ours(type, text)} |")
        lines.append("")
    return "\n".join(lines).rstrip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="store_true", help="only print the table of the results")
    if not parser.parse_args().table:
        RESULTS.write_text(json.dumps(measure(), indent=1, ensure_ascii=False, sort_keys=True) + "\n", "utf-8")
        return
    print(table())


if __name__ == "__main__":
    main()
