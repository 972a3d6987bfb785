"""Terminal output: results and notices on separate streams, and no control characters from documents."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time

import pytest
from rich.cells import cell_len

from electra_ie.cli import tables
from electra_ie.common.escaping import escape_controls
from electra_ie.common.logs import notice
from electra_ie.common.progress import document_progress, progress

EVIL = "\x1b[31m[bold]red[/bold]\x1b]0;title\x07\r\n\x9b2J \u202etxt\u2066 \x00\x7f \ud800"


@pytest.fixture
def terminal(monkeypatch):
    """Make a stream of the test look like a terminal of 100 columns with colors."""

    def pretend(*names):
        for name in ("NO_COLOR", "FORCE_COLOR", "CI", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("COLUMNS", "100")
        monkeypatch.setenv("TERM", "xterm-256color")
        for name in names:
            monkeypatch.setattr(getattr(sys, name), "isatty", lambda: True, raising=False)

    return pretend


def test_escaped_text_is_one_line_without_control_characters():
    shown = escape_controls(EVIL)
    assert shown == "␛[31m[bold]red[/bold]␛]0;title␇␍↵<U+009B>2J <U+202E>txt<U+2066> ␀␡ <U+D800>"
    assert escape_controls("Zoë\tWeiß 👩‍👧 نص") == "Zoë⇥Weiß 👩‍👧 نص"


def test_tables_go_to_standard_output_without_markup(capsys):
    rows = [{"label": EVIL, "f1": 0.12345, "n": 1200}, {"label": "[red]x[/]", "f1": None, "ok": True}]
    tables.print_table(rows, title="[b]scores")
    out, err = capsys.readouterr()
    assert err == ""
    assert "[red]x[/]" in out
    assert "[b]scores" in out
    assert escape_controls(EVIL) in out
    assert "0.123" in out
    assert "1,200" in out
    assert "yes" in out
    assert not set(out) & set("\x1b\x07\r\x9b\u202e")


def test_wide_table_is_not_wrapped_in_a_log(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    tables.print_table([{"a": "x" * 60, "b": "y" * 60}])
    assert "x" * 60 + "   " + "y" * 60 in capsys.readouterr().out


def test_score_table_is_sorted_and_undefined_scores_are_dashes(capsys):
    defined = {"precision": 1, "recall": 0.5, "f1": 0.667, "support": 4, "found": 1200, "false": 0}
    empty = {"precision": None, "recall": None, "f1": None, "support": 0, "found": 0, "false": 0}
    false = {**empty, "precision": 0.0, "found": 10, "false": 10}
    zero = {**defined, "precision": None, "recall": 0.0, "f1": 0.0, "found": 0}
    scores = {"EMPTY": empty, "FALSE": false, "ZERO": zero, "LOW": {**defined, "f1": 0.1}, "HIGH": defined}
    tables.score_table(scores, title="entities")
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["label", "gold", "found", "false", "precision", "recall", "f1"] in rows
    assert ["HIGH", "4", "1,200", "0", "1.000", "0.500", "0.667"] in rows
    assert ["ZERO", "4", "0", "0", "-", "0.000", "0.000"] in rows
    assert ["EMPTY", "0", "0", "0", "-", "-", "-"] in rows
    assert ["FALSE", "0", "10", "10", "0.000", "-", "-"] in rows
    order = [row[0] for row in rows if row and row[0] in scores]
    assert order == ["HIGH", "LOW", "ZERO", "EMPTY", "FALSE"]


def test_dash_for_an_undefined_number_is_right_aligned(capsys):
    tables.print_table([{"a": 1234.5}, {"a": tables.DASH}, {"a": None}])
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines() if line.strip(" ─")]
    assert [line.strip() for line in lines] == ["a", "1234.500", "-"]
    assert len(lines[1]) == len(lines[2]), "the dash is not aligned with the number"


def test_notices_go_to_standard_error(capsys):
    notice("[b]done " + EVIL)
    out, err = capsys.readouterr()
    assert (out, err) == ("", "[b]done " + escape_controls(EVIL) + "\n")


def test_progress_in_a_log_is_about_ten_lines(capsys):
    with progress(205, "training") as report:
        for step in range(1, 206):
            report(step, loss=1 / step, dev=0.5 if step == 41 else None)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert len(lines) == 10
    assert lines[0].startswith("training: 21/205 steps 10%, loss 0.048, 0 s")
    assert "dev" not in lines[0] and "dev 0.500" in lines[2], "the last dev score is not repeated"
    assert lines[-1].startswith("training: 205/205 steps 100%, loss 0.005 dev 0.500")


def test_no_progress_is_shown_where_no_warnings_are(capsys, caplog):
    caplog.set_level(logging.ERROR, logger="electra_ie")
    with progress(10, "training") as report, document_progress("extracting") as of_documents:
        report(5, loss=0.1)
        of_documents(5, 100, 0.5)
    assert capsys.readouterr().err == ""


def test_progress_of_a_resumed_loop_that_ends_early(capsys):
    with progress(100, "training", start=55) as report:
        for step in range(56, 73):
            report(step)
    counts = [line.split()[1] for line in capsys.readouterr().err.splitlines()]
    assert counts == ["60/100", "70/100", "72/100"]


def test_time_left_counts_only_the_steps_of_this_run(capsys, monkeypatch):
    now = iter([0.0, 10.0, 20.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    with progress(100, "training", start=80) as report:
        report(90)
        report(100)
    assert capsys.readouterr().err.splitlines() == [
        "training: 90/100 steps 90%, 10 s, 10 s left",
        "training: 100/100 steps 100%, 20 s",
    ]


def test_progress_without_a_total(capsys):
    with progress(None, "extracting", unit="documents") as report:
        for done in range(1, 101):
            report(done)
    counts = [line.split()[1] for line in capsys.readouterr().err.splitlines()]
    assert counts == ["1", "2", "4", "8", "16", "32", "64", "100"]


def test_progress_of_documents_shows_speed_and_time_left(capsys, monkeypatch):
    """After an interruption, only what this process has done counts for the speed and the time left."""
    now = iter([0.0, 0.0, 0.0, 60.0, 60.0, 7260.0, 7260.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(now, 7260.0))
    with document_progress("extracting", documents=1000, characters=50_000) as report:
        report(1000, 50_000, 0.1)
        report(1200, 110_000, 0.2)
        report(3000, 2_228_000, 1.0)
    first, second, third = capsys.readouterr().err.splitlines()
    assert first.startswith("extracting: 1,000 documents, 0 characters/s, ")
    assert second == "extracting: 1,200 documents, 1,000 characters/s, 8 min 00 s left, 60 s"
    assert third == "extracting: 3,000 documents, 300 characters/s, 7260 s"


def test_progress_of_documents_without_a_known_size(capsys):
    with document_progress("extracting") as report:
        for done in range(1, 101):
            report(done, 10 * done, None)
    counts = [line.split()[1] for line in capsys.readouterr().err.splitlines()]
    assert counts == ["1", "2", "4", "8", "16", "32", "64", "100"]


def test_progress_of_documents_on_a_terminal_is_a_bar(capsys, terminal):
    terminal("stderr")
    with document_progress("extracting [b]") as report:
        report(1500, 10_000, 0.5)
    err = capsys.readouterr().err
    assert (
        "extracting [b]" in err and "1,500 documents" in err and "characters/s" in err and "left" in err and "━" in err
    )


def test_progress_on_a_terminal_is_a_bar(capsys, terminal):
    terminal("stderr")
    with progress(10, "training [b]") as report:
        for step in range(1, 11):
            report(step, loss=0.25, dev=0.5)
    out, err = capsys.readouterr()
    assert out == ""
    assert "training [b]" in err
    assert "10/10" in err
    assert "loss 0.250 dev 0.500" in err
    assert "━" in err


def test_failing_loop_reports_no_end(capsys):
    def fail():
        with progress(100, "training") as report:
            report(5)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert capsys.readouterr().err == ""


def a_finding(text, passage, label="COUNTERPARTY"):
    start = text.index(passage)
    return {"field": "entities", "label": label, "start": start, "end": start + len(passage), "score": 0.978}


def test_finding_is_one_line_with_context(capsys):
    text = "x" * 50 + " paid\r\nto Acme LLP in Cyprus " + "y" * 50
    tables.show_finding("in/a.txt", a_finding(text, "Acme LLP"), text, context=12)
    assert capsys.readouterr().out == "in/a.txt  …xx paid␍↵to «Acme LLP» in Cyprus y…  COUNTERPARTY 0.98\n"
    tables.show_finding("a", a_finding("Acme", "Acme"), "Acme")
    assert capsys.readouterr().out == "a  «Acme»  COUNTERPARTY 0.98\n"


def test_finding_prints_no_control_characters(capsys, terminal):
    terminal("stdout")
    text = EVIL + "Acme" + EVIL
    tables.show_finding(EVIL, a_finding(text, "Acme" + EVIL, EVIL), text)
    out = capsys.readouterr().out
    assert out.endswith("\n")
    assert "\n" not in out[:-1]
    assert not set(out) & set("\x07\r\x9b\u202e\x00")
    assert "␛[31m[bold]red[/bold]" in out


def test_color_only_on_a_terminal_and_without_no_color(capsys, terminal, monkeypatch):
    text = "paid to Acme LLP in Cyprus"
    terminal("stdout")
    tables.show_finding("a.txt", a_finding(text, "Acme LLP"), text)
    colored = capsys.readouterr().out
    assert "\x1b[" in colored
    assert "«" not in colored
    monkeypatch.setenv("NO_COLOR", "1")
    tables.show_finding("a.txt", a_finding(text, "Acme LLP"), text)
    plain = capsys.readouterr().out
    assert "«Acme LLP»" in plain
    assert not any(f"{code}m" in plain for code in range(31, 38)), "a color code was printed"


def test_finding_fits_the_terminal_and_a_long_one_is_shortened(capsys, terminal, monkeypatch):
    terminal("stdout")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    text = "before " * 20 + "Acme LLP" + " after" * 20
    tables.show_finding("inbox/a.txt", a_finding(text, "Acme LLP"), text)
    line = capsys.readouterr().out.rstrip("\n")
    assert 60 < cell_len(line) <= 100
    long = "Entry one. " * 100
    tables.show_finding("a.txt", {"label": "flag", "start": 0, "end": len(long), "score": 1.0}, long)
    assert len(capsys.readouterr().out) < 120


def test_ascii_terminal_gets_escapes():
    code = "from electra_ie.cli.tables import *; from electra_ie.common.logs import *; use_cli_format(); print_table([{'a': 'Zoë'}]); notice('Søns')"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert "Zo\\xeb" in process.stdout
    assert "S\\xf8ns" in process.stderr


def test_a_command_whose_package_is_missing_says_what_to_install():
    """An exported model runs without torch, so that the other commands are there without it too."""
    code = "import sys; sys.modules['torch'] = None; from electra_ie.cli.app import main; main()"
    command = [sys.executable, "-c", code, "evaluate", "runs/none"]
    done = subprocess.run(command, check=False, capture_output=True, encoding="utf-8", timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: this needs the package torch, which is not installed. Run: pip install torch")
