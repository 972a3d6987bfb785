"""Warnings and notices: what a library prints by default, what the command line prints, and how to change it."""

from __future__ import annotations

import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import processes
import pytest

from electra_ie.common import logs
from electra_ie.common.logs import StderrHandler, collected_warnings, notice, silenced, use_cli_format, warn


def python(code: str) -> str:
    """The standard error of a new process that imports the package and runs `code`."""
    code = f"import logging, electra_ie\n{code}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == ""
    return done.stderr


SAY = "from electra_ie.common.logs import notice, warn; warn('odd\\n  file'); notice('saved')\n"


def test_a_library_prints_warnings_only_and_its_name():
    assert python(SAY) == "[electra_ie] warning: odd file\n"


def test_the_level_shows_notices_or_hides_warnings():
    set_level = "logging.getLogger('electra_ie').setLevel({!r})\n"
    assert python(set_level.format("INFO") + SAY) == "[electra_ie] warning: odd file\n[electra_ie] saved\n"
    assert python(set_level.format("ERROR") + SAY) == ""


def test_an_application_can_take_over_the_messages():
    code = (
        "logging.basicConfig(format='%(name)s|%(levelname)s|%(message)s')\n"
        "logger = logging.getLogger('electra_ie'); logger.handlers.clear(); logger.propagate = True\n"
    )
    assert python(code + SAY) == "electra_ie|WARNING|odd file\n"


def test_a_handler_installed_before_the_import_is_kept():
    code = "import logging; logging.getLogger('electra_ie').addHandler(logging.NullHandler())\n" + SAY
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""


def test_the_command_line_prints_both_without_a_name(capsys):
    warn("odd\n  file")
    notice("saved")
    assert capsys.readouterr().err == "warning: odd file\nsaved\n"
    use_cli_format()
    assert sum(isinstance(handler, StderrHandler) for handler in logs.logger.handlers) == 1, "no line is printed twice"


@pytest.mark.parametrize("rank", ["0", "1"])
def test_only_the_main_process_logs(monkeypatch, capsys, rank):
    monkeypatch.setenv("RANK", rank)
    warn("odd")
    notice("saved")
    assert capsys.readouterr().err == ("warning: odd\nsaved\n" if rank == "0" else "")


def test_within_silenced_nothing_is_logged(capsys):
    with silenced():
        warn("odd")
    warn("even")
    assert capsys.readouterr().err == "warning: even\n"


def test_warnings_of_other_threads_are_neither_silenced_nor_collected(capsys):
    with ThreadPoolExecutor(1) as pool, collected_warnings() as collected, silenced():
        pool.submit(warn, "odd").result()
    assert not collected
    assert capsys.readouterr().err == "warning: odd\n"


def test_a_record_has_its_level_and_the_line_of_its_caller(monkeypatch):
    records: list[logging.LogRecord] = []
    monkeypatch.setattr(StderrHandler, "emit", lambda self, record: records.append(record))
    warn("50% odd")
    notice("50% done")
    assert [(record.levelname, record.getMessage()) for record in records] == [
        ("WARNING", "50% odd"), ("INFO", "50% done"),
    ]  # fmt: skip
    assert {record.filename for record in records} == {"test_logs.py"}


def test_a_forked_process_of_the_tests_has_no_handler_of_pytest():
    """It would write to a descriptor that is another by then, such as the pipe of multiprocessing's resource tracker."""
    done = processes.run(["-c", "import logging; assert not logging.root.handlers, logging.root.handlers"])
    assert done.code == 0, done.messages
