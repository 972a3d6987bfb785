"""The documents on standard input: JSON lines, or one text."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, cast

from electra_ie.common.errors import OnError, UserError
from electra_ie.common.text_files import UTF_8_MARK, SourceLine, decode, lines_of
from electra_ie.data.document import Document
from electra_ie.data.readers import jsonl
from electra_ie.formats.parts.json_values import parse

NAME = "<standard input>"
OBJECT = re.compile(rb'\s*\{\s*"')
"""The beginning of a JSON object, which no text has."""


def read_standard_input(
    id: str, options: Mapping[str, Any], fail: OnError, *, require_id: bool, has_keys: bool
) -> Iterator[Document]:
    """Yield the documents on standard input: of JSON lines one for each record, else one text.

    Args:
        id: The id of the one text, and the prefix of the ids of records without an id.
        options: Those of JSON lines.
        fail: Called with the error of each record that cannot be read.
        require_id: A record without an id is an error.
        has_keys: The user has named keys, which one text has not.

    Raises:
        UserError: The text is not UTF-8, or one text with names of keys.
    """
    stream = io.BufferedReader(cast(io.RawIOBase, sys.stdin.buffer))
    try:
        if OBJECT.match(stream.peek().removeprefix(UTF_8_MARK)):
            yield from _records(stream, id, options, fail, require_id)
        elif has_keys:
            remedy = "Leave --text and --id out, or give JSON lines."
            raise UserError("this is one text, which has no keys.", file=NAME, remedy=remedy)
        else:
            yield Document(id, decode(stream.read(), NAME), {}, NAME, 1)
    finally:
        stream.detach()  # else standard input is closed with it


def _records(
    stream: BinaryIO, stem: str, options: Mapping[str, Any], fail: OnError, require_id: bool
) -> Iterator[Document]:
    records = jsonl.Records(NAME, (), options, stem, require_id)
    for number, line, fault in lines_of(stream, NAME):
        if not line.strip() and not fault:
            continue
        try:
            if fault:
                raise fault
            source = SourceLine(NAME, number)
            document = records.document(parse(line, source), source)
        except UserError as error:
            fail(error)
            continue
        yield document
    records.report()
