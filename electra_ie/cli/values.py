"""The command `value`: what a text says as a typed value, and by which rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from electra_ie.values import Candidate, Value


def value(
    type: Annotated[
        str, typer.Argument(metavar="TYPE", help="Type of the value, such as money or date.", show_default=False)
    ],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The text to read.", show_default=False)],
    locale: Annotated[
        str | None,
        typer.Option(
            metavar="LOCALE",
            help="Locale of the text, such as de_DE: its separators, words and country [default: separators with one "
            "reading, English words].",
            show_default=False,
        ),
    ] = None,
    date_order: Annotated[
        str | None,
        typer.Option(
            metavar="ORDER",
            help="DMY, MDY or YMD, for dates in digits [default: several readings are ambiguous].",
            show_default=False,
        ),
    ] = None,
    currency: Annotated[
        str | None,
        typer.Option(
            metavar="CODE", help="Currency of amounts that state none, or a symbol of several.", show_default=False
        ),
    ] = None,
    codes: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="List for the type code: a code a line, or .csv with code, name and synonyms.",
            show_default=False,
        ),
    ] = None,
    reference_date: Annotated[
        str | None,
        typer.Option(metavar="DAY", help="Day that relative dates count from, as 2021-05-03.", show_default=False),
    ] = None,
    scheme: Annotated[
        str | None,
        typer.Option(
            metavar="SCHEME",
            help="Identifier to expect: iban, bic, lei, isin or luhn (cards) [default: any].",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the value as JSON.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with code 1 if the value is ambiguous or refused.")
    ] = False,
) -> None:
    """Read a text as a typed value, and show the rule that fired.

    Types: text, integer, decimal, money, date, quantity, percentage, yes_no, identifier, code.

    Exit codes: 0, also for an ambiguous or refused value, which are results; 1, with --strict, for these; 2, an error.
    """
    import json

    from electra_ie import api
    from electra_ie.cli.tables import print_table, use_utf8
    from electra_ie.common.escaping import escape_json
    from electra_ie.common.progress import output

    read = api.value(
        type,
        text,
        locale=locale,
        date_order=date_order,
        currency=currency,
        codes=codes,
        reference_date=reference_date,
        scheme=scheme,
    )
    if as_json:
        use_utf8()
        typer.echo(escape_json(json.dumps(read.as_dict(), ensure_ascii=False)))
    else:
        print_table([_row(read) | {"status": read.status, "rule": read.rule, "version": read.version}])
        if read.reason:
            output().print(f"reason: {read.reason}", markup=False, soft_wrap=True)
        if read.candidates:
            print_table([_row(each) for each in read.candidates], title="readings")
    if strict and not read.is_certain:
        raise typer.Exit(1)


def _row(read: Value | Candidate) -> dict[str, object]:
    """Return the cells of a value or a reading that it has."""
    from electra_ie.values.value import plain

    cells = {"value": plain(read.value), "unit": read.unit, "currency": read.currency}
    return {name: cell if isinstance(cell, bool) else str(cell) for name, cell in cells.items() if cell is not None}
