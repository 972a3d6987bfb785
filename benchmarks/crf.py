"""A linear-chain conditional random field for spans (python-crfsuite)."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cell_data import CellData
from linear_peers import Predict

from electra_ie.data.document import Span
from electra_ie.data.fields import Field, drop_overlapping

TOKEN = re.compile(r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+|[^\w\s]")
"""A Chinese character, another word, or a symbol."""
SENTENCE = re.compile(r".+?(?:[.!?](?=\s+[A-Z])|\n|$)", re.DOTALL)
REPEATED = re.compile(r"(.)\1+")
CRF = {"c1": 0.1, "c2": 0.01, "max_iterations": 100, "feature.possible_transitions": True}
"""Penalties (L1 and L2) and steps of L-BFGS. Of six pairs of penalties these were best on held-out labels of three
cells (bc5cdr:100, sec_filings:50, transaction_risk@844e7c0:60; seeds 0 and 1), by less than a point."""


def crf(field: Field, data: CellData) -> Predict:
    """Fit a linear-chain conditional random field on words, shapes, affixes and neighbors (python-crfsuite)."""
    import pycrfsuite

    trainer = pycrfsuite.Trainer(verbose=False)
    trainer.set_params(CRF)
    for document in data.train:
        spans = drop_overlapping(document.gold[field.name])[0]
        for tokens in sentences(document.text):
            trainer.append(features_of(document.text, tokens), tags_of(tokens, spans))
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "model")
        trainer.train(file)
        tagger = pycrfsuite.Tagger()
        tagger.open(file)

    def predict(texts: Sequence[str]) -> list[Any]:
        return [
            tuple(
                span for tokens in sentences(text) for span in spans_of(tokens, tagger.tag(features_of(text, tokens)))
            )
            for text in texts
        ]

    return predict


def sentences(text: str) -> Iterator[list[tuple[int, int]]]:
    """Yield the offsets of the tokens of each sentence."""
    for sentence in SENTENCE.finditer(text):
        if tokens := [match.span() for match in TOKEN.finditer(text, *sentence.span())]:
            yield tokens


def features_of(text: str, tokens: Sequence[tuple[int, int]]) -> list[list[str]]:
    """Return the features of each token: word, shape, affixes, and the words and shapes of two neighbors each side."""
    words = [text[start:end] for start, end in tokens]
    lowered, shapes = [word.lower() for word in words], [shape(word) for word in words]
    short_shapes = [REPEATED.sub(r"\1", its_shape) for its_shape in shapes]
    rows = []
    for index, word in enumerate(lowered):
        row = ["bias", f"word={word}", f"shape={shapes[index]}", f"short shape={short_shapes[index]}"]
        row += [f"prefix={word[:size]}" for size in (1, 2, 3, 4)] + [f"suffix={word[-size:]}" for size in (1, 2, 3, 4)]
        for offset in (-2, -1, 1, 2):
            inside = 0 <= index + offset < len(words)
            neighbor, its_shape = (lowered[index + offset], shapes[index + offset]) if inside else ("(none)", "(none)")
            row += [f"word {offset}={neighbor}", f"shape {offset}={its_shape}"]
        row.append(f"before and word={lowered[index - 1] if index else '(none)'} {word}")
        rows.append(row)
    return rows


def shape(word: str) -> str:
    """Return a word with capitals as X, other letters as x and digits as 0."""
    return "".join("X" if c.isupper() else "x" if c.isalpha() else "0" if c.isdigit() else c for c in word)


def tags_of(tokens: Sequence[tuple[int, int]], spans: Sequence[Span]) -> list[str]:
    """Return the BIO tags of tokens; a token that a span covers in part belongs to the span."""
    tags, current = [], None
    for start, end in tokens:
        span = next((span for span in spans if span.start < end and start < span.end), None)
        tags.append("O" if span is None else f"{'I' if span == current else 'B'}-{span.label}")
        current = span
    return tags


def spans_of(tokens: Sequence[tuple[int, int]], tags: Sequence[str]) -> Iterator[Span]:
    """Yield the spans of BIO tags. An I- tag without a beginning begins a span."""
    current: Span | None = None
    for (start, end), tag in zip(tokens, tags, strict=True):
        prefix, _, label = tag.partition("-")
        if current and prefix == "I" and label == current.label:
            current = Span(current.start, end, label)
            continue
        if current:
            yield current
        current = Span(start, end, label) if label else None
    if current:
        yield current
