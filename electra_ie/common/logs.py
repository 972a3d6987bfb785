"""Warnings and notices of the package, through the logger `electra_ie` of the standard library.

As in transformers, a default handler prints warnings on standard error, the level is WARNING, and records do not
propagate to the root logger. The command line calls `use_cli_format`, which also shows notices. Change it as usual:

    logger = logging.getLogger("electra_ie")
    logger.setLevel("INFO")  # show notices too; "ERROR" shows nothing
    logger.handlers.clear()  # do not print, and instead
    logger.propagate = True  # pass all records to the handlers of the root logger

Only the main process logs. Each message is one line without control characters, whatever handler receives it.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from electra_ie.common.escaping import escape_controls
from electra_ie.common.processes import is_main_process

logger = logging.getLogger("electra_ie")


class StderrHandler(logging.Handler):
    """Handler that prints `PREFIXwarning: MESSAGE` for warnings and `PREFIXMESSAGE` for notices on standard error.

    `sys.stderr` is looked up for each record, since progress bars, notebooks and tests replace it.
    """

    def __init__(self, prefix: str = "") -> None:
        super().__init__()
        self.prefix = prefix

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        level = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        try:
            print(f"{self.prefix}{level}{self.format(record)}", file=sys.stderr, flush=True)
        except Exception:
            self.handleError(record)


def _use_library_format() -> None:
    """Install the default handler, unless the application has given this logger one before the import."""
    if logger.handlers:
        return
    logger.addHandler(StderrHandler("[electra_ie] "))
    logger.propagate = False
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.WARNING)


def use_cli_format() -> None:
    """Print warnings and notices on standard error as the command line does, in place of the default handler."""
    for handler in [handler for handler in logger.handlers if isinstance(handler, StderrHandler)]:
        logger.removeHandler(handler)
    logger.addHandler(StderrHandler())
    logger.setLevel(logging.INFO)
    logger.propagate = False


def warn(message: str) -> None:
    """Log a warning: something the user should know about that does not stop the command."""
    if is_main_process():
        logger.warning(escape_controls(" ".join(message.split())), stacklevel=2)


def notice(message: str) -> None:
    """Log a notice: neither a result nor a warning, such as where a file was written."""
    if is_main_process():
        logger.info(escape_controls(message), stacklevel=2)


@contextmanager
def silenced() -> Iterator[None]:
    """Drop all warnings and notices of this thread within the block."""
    thread = threading.get_ident()

    def drop(record: logging.LogRecord) -> bool:
        return record.thread != thread

    logger.addFilter(drop)
    try:
        yield
    finally:
        logger.removeFilter(drop)


@contextmanager
def collected_warnings() -> Iterator[list[str]]:
    """Collect the warnings of this thread within the block in a list, instead of printing them."""
    messages: list[str] = []
    thread = threading.get_ident()

    def collect(record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING or record.thread != thread:
            return True
        messages.append(record.getMessage())
        return False

    logger.addFilter(collect)
    try:
        yield messages
    finally:
        logger.removeFilter(collect)


_use_library_format()
