"""Text and spans of records that have tokens and tags: `{"tokens": ["ACME", "paid"], "ner_tags": ["B-ORG", "O"]}`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from electra_ie.common.errors import OnError, UserError
from electra_ie.common.logs import warn
from electra_ie.common.text_files import SourceLine, SourceRecord
from electra_ie.formats.parts.columns import join, without_blanks
from electra_ie.formats.parts.tagged_words import Tags, chunks

TOKENS = "tokens"
"""The key of the tokens, by default."""
Records = Sequence[tuple[SourceRecord, dict[str, Any]]]


def with_texts(
    records: Records, text_key: str, tokens_key: str, columns: Iterable[str], how: str, on_error: OnError
) -> list[tuple[SourceRecord, dict[str, Any]]]:
    """Return records in which those without a text have the one of their tokens, and spans in place of tags.

    Args:
        records: The records of one file or split, as JSON values.
        text_key: The key of the text.
        tokens_key: The key of the tokens.
        columns: The keys of tags: lists of one tag for each token.
        how: What is put between tokens, as the option join of the format conll.
        on_error: Called for each record whose tokens or tags are invalid.
    """
    valid, made = [], []
    for source, record in records:
        try:
            if text_key not in record:
                made.append(_tokens(record, tokens_key, source))
        except UserError as error:
            on_error(error)
            continue
        valid.append((source, record))
    glued = without_blanks(made) if how == "auto" else [False] * len(made)
    schemes = {
        column: Tags(
            (tag for _, record in valid for tag in _tags(record.get(column))),
            where=f'They are the values of "{column}".',
        )
        for column in columns
    }
    result, sentences = [], iter(zip(made, glued, strict=True))
    for source, record in valid:
        if text_key in record:
            result.append((source, record))
            continue
        tokens, glue = next(sentences)
        try:
            result.append((source, _with_text(record, text_key, tokens, "glue" if glue else how, schemes, source)))
        except UserError as error:
            on_error(error)
    if any(glued):
        warn(
            f"{records[0][0].file}: {sum(glued)} of {len(glued)} records are joined without blanks between tokens, as "
            "Chinese, Japanese, Thai and other scripts are written."
        )
    return result


def labels_of_tags(names: Iterable[str]) -> list[str]:
    """Return the labels of the names of tags, without prefixes and `O`."""
    return Tags(names).found


def _tokens(record: Mapping[str, Any], key: str, source: SourceLine) -> list[str]:
    """Return the tokens of a record."""
    tokens = record.get(key)
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise source.error(f'"{key}" is {json.dumps(tokens)[:60]}, not a list of texts.', "Correct or remove it.")
    if not tokens:
        raise source.error(f'"{key}" is empty.', "Remove the record.")
    return tokens


def _tags(value: Any) -> list[str]:
    """Return the tags of a record, none if its value is something else."""
    return value if isinstance(value, list) and all(isinstance(tag, str) for tag in value) else []


def _with_text(
    record: Mapping[str, Any],
    text_key: str,
    tokens: Sequence[str],
    how: str,
    schemes: Mapping[str, Tags],
    source: SourceLine,
) -> dict[str, Any]:
    """Return a record with the text of its tokens, and with spans for the tags in the columns of `schemes`."""
    text, offsets = join(tokens, how)
    spans = {}
    for column, scheme in schemes.items():
        value = record.get(column)
        if value is None or (value and isinstance(value, list) and all(isinstance(item, dict) for item in value)):
            continue  # unknown, or spans already
        if not isinstance(value, list) or len(value) != len(tokens):
            message = f'"{column}" is {json.dumps(value)[:60]}, and the record has {len(tokens)} tokens.'
            raise source.error(message, "It must be a list of one tag for each token.")
        parsed = [_parse(tag, column, scheme, source) for tag in value]
        spans[column] = [
            {"start": offsets[first][0], "end": offsets[last][1], "label": label}
            | {"text": text[offsets[first][0] : offsets[last][1]]}
            for first, last, label in chunks(parsed)
        ]
    return {**record, text_key: text, **spans}


def _parse(tag: Any, column: str, scheme: Tags, source: SourceLine) -> tuple[str, str]:
    """Return prefix and label of a tag, both empty for `O`."""
    if not isinstance(tag, str):
        remedy = "Tags are texts, or numbers of a ClassLabel feature, which has their names."
        raise source.error(f'"{column}" has the tag {json.dumps(tag)}, which has no name.', remedy)
    return scheme.parse(tag, source)
