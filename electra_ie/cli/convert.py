"""The commands `convert` and `suggest`: formats by name, content or ending, and the report of what is lost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from electra_ie.common.errors import UserError, nearest, raise_error
from electra_ie.common.folders import count
from electra_ie.common.logs import notice
from electra_ie.formats import FORMATS, format_of
from electra_ie.formats.base import Format
from electra_ie.formats.conversion import Conversion, Side, convert, write_all
from electra_ie.formats.detection import detect

SHOWN = 10
"""Documents that differ after --check and are named; the others are counted."""


def convert_files(
    source: Path,
    target: Path,
    formats: tuple[str | None, str | None],
    options: tuple[Sequence[str], Sequence[str]],
    lossy: bool,
    check: bool,
) -> bool:
    """Convert a file or folder, and report the outcome. Return whether the target is written and, if checked, right.

    formats: the names of both formats, None for what is detected. options: those of both formats, as `key=value`.
    """
    read = format_of(formats[0]) if formats[0] else detect(source)
    write = format_of(formats[1]) if formats[1] else _by_ending(target)
    sides = (Side(source, read, _options(options[0], read)), Side(target, write, _options(options[1], write)))
    outcome = convert(*sides, lossy=lossy, check=check)
    _report(outcome, read.title, sides[1])
    return outcome.is_complete


def suggest_files(
    run: str, paths: Sequence[str], target: Path, format: str | None, options: Sequence[str], lossy: bool
) -> bool:
    """Write what a run finds in texts as predictions for an annotation tool. Return whether the target is written."""
    from electra_ie.inference.extractor import Extractor
    from electra_ie.inference.inputs import Inbox
    from electra_ie.inference.suggestions import suggestions
    from electra_ie.runs.download import run_folder
    from electra_ie.runs.layout import load_task

    write = format_of(format) if format else _by_ending(target)
    side = Side(target, write, _options(options, write))
    write.check_writable(target)
    folder = run_folder(run)
    inbox = Inbox(paths, load_task(folder))
    documents = suggestions(Extractor.from_pretrained(folder), inbox.read(raise_error))
    outcome = write_all(documents, side, lossy=lossy)
    _report(outcome, f"the run {run}", side)
    return outcome.is_complete


def _by_ending(path: Path) -> Format:
    """Return the only format with the ending of a path. Raises UserError if there is none, or several."""
    written = [format for format in FORMATS.values() if format.write]
    candidates = [format for format in written if path.name.lower().endswith(format.endings)]
    if len(candidates) == 1:
        return candidates[0]
    names = ", ".join(format.name for format in candidates or written)
    message = "the ending of this path does not name one format."
    raise UserError(message, file=path, remedy=f"Give the format with --to: {names}.")


def _options(texts: Sequence[str], format: Format) -> dict[str, Any]:
    """Return options from `key=value`. A value is read as YAML, unless the option is a text."""
    values = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or name not in format.options:
            message = f'the format {format.name} has no option "{name}".' if equals else f'"{text}" is not key=value.'
            remedy = nearest(name, format.options) if format.options else "It has no options."
            raise UserError(message, remedy=remedy)
        is_text = isinstance(format.options[name].default, str)
        values[name] = value if is_text else yaml.safe_load(value)
    return format.settle(values)


def _report(outcome: Conversion, origin: str, target: Side) -> None:
    """Print one line on what was read, from where, and written, and one on what is lost."""
    documents = count(outcome.documents, "document", "documents")
    read = f"{documents} with {count(outcome.annotations, 'annotation', 'annotations')} of {origin}"
    if outcome.losses:
        listed = ", ".join(f"{name} ({number:,})" for name, number in sorted(outcome.losses.items()))
        notice(f"{target.format.title} cannot hold: {listed}.")
    if outcome.different:
        more = f", and {len(outcome.different) - SHOWN} more" if len(outcome.different) > SHOWN else ""
        notice(f"read again, these differ, and nothing is written: {', '.join(outcome.different[:SHOWN])}{more}.")
    elif not outcome.written:
        notice(f"{read}: nothing is written, since that would be lost. --lossy writes the rest.")
    else:
        checked = "; read again, they are the same" if outcome.different is not None else ""
        notice(f"{read} to {target.format.title} in {target.path}{checked}.")
