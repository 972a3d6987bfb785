"""The tables of formats, in the terminal and in the docs."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from electra_ie.cli.app import app
from electra_ie.cli.formats import formats_markdown
from electra_ie.formats import FORMATS

PAGE = Path(__file__).parents[2] / "docs" / "formats.md"


def test_page_has_the_generated_table_and_a_row_for_each_format_and_option():
    page = PAGE.read_text("utf-8")
    assert formats_markdown() in page, "run: electra-ie formats --markdown, and replace the table in docs/formats.md"
    page = page.replace(formats_markdown(), "")
    rows = {line.split(" | ")[0]: line for line in page.splitlines() if line.startswith("| `")}
    for name, format in FORMATS.items():
        [row] = [line for cells, line in rows.items() if f"`{name}`" in cells]
        missing = [option for option in format.options if f"`{option}`" not in row and f"`{option}:" not in row]
        assert not missing or "those of `csv`" in row, (name, missing)


def test_command_lists_the_formats():
    result = CliRunner().invoke(app, ["formats"])
    assert all(f" {name} " in result.stdout for name in FORMATS)
    assert CliRunner().invoke(app, ["formats", "--markdown"]).stdout == formats_markdown()


def test_table_says_what_a_format_holds_and_what_not():
    rows = dict(line.removeprefix("| ").split(" | ", 1) for line in formats_markdown().splitlines())
    assert rows["`jsonl`"] == "all | nothing |"
    held, others, _ = rows["`brat`"].split(" |")
    assert "fragments" in held
    assert "events" in held
    assert "scores" in others
