"""Helpers of the tests of annotation tools: files by hand, and what is read from them."""

from __future__ import annotations

import json

from electra_ie.common.errors import UserError
from electra_ie.formats import FORMATS


def write_array(path, *records):
    """Write records as a JSON array, one a line from line 2 on."""
    path.write_text("[\n" + ",\n".join(json.dumps(record) for record in records) + "\n]\n", encoding="utf-8")
    return path


def write_lines(path, *records):
    """Write records as JSON lines."""
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def read(name, path, **options):
    """Return the documents of a file."""
    return list(FORMATS[name].documents(path, options))


def faults(name, path, **options):
    """Return the documents of a file that are valid, and the errors as text."""
    errors: list[UserError] = []
    documents = list(FORMATS[name].documents(path, options, errors.append))
    return documents, [str(error).removeprefix(f"{path}:") for error in errors]


def spans(document):
    """Return layer, label and passage of the spans of a document."""
    return [(span.layer, span.label, document.passage(span)) for span in document.spans]
