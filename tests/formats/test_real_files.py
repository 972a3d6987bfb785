"""Real annotated files make the round trip through every format; what a format cannot hold is counted before."""

from __future__ import annotations

import functools
import gzip
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from electra_ie.data.document import Span
from electra_ie.data.task import Task
from electra_ie.formats import FORMATS
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan, canonical

DATA = Path(__file__).parents[3] / "shared" / "data"
SIZE = 12
"""Documents of each data set."""


def ade() -> Iterator[AnnotatedDocument]:
    """Sentences with relations and overlapping spans."""
    return FORMATS["jsonl"].documents(DATA / "ade" / "train.jsonl")


def cmeee() -> Iterator[AnnotatedDocument]:
    """Chinese texts with nested spans."""
    with gzip.open(DATA / "cmeee" / "dev.json.gz", "rt", encoding="utf-8") as file:
        records = json.load(file)
    for number, record in enumerate(records):
        spans = [AnnotatedSpan(f"T{index}", entity["type"], ((entity["start_idx"], entity["end_idx"] + 1),))
                 for index, entity in enumerate(record["entities"])]  # fmt: skip
        yield AnnotatedDocument(f"cmeee-{number}", record["text"], tuple(spans))


def of_task(name: str) -> Iterator[AnnotatedDocument]:
    """Documents of a shipped task; each field of spans is a layer, the others are questions."""
    task = Task.load(name)
    for document in task.read("test"):
        layers = tuple(field.name for field in task.fields if field.kind == "spans")
        spans: list[tuple[str, Span]] = [(layer, span) for layer in layers for span in document.gold[layer]]
        yield AnnotatedDocument(
            document.id, document.text,
            tuple(AnnotatedSpan(f"T{index}", span.label, ((span.start, span.end),), layer=layer)
                  for index, (layer, span) in enumerate(spans)),
            labels={name: (gold,) if isinstance(gold, str) else gold
                    for name, gold in document.gold.items() if name not in layers},
            layers=layers or None,
        )  # fmt: skip


SOURCES = {
    "ade": ade,
    "cmeee": cmeee,
    "bc5cdr": lambda: of_task("bc5cdr"),
    "sec_filings": lambda: of_task("sec_filings"),
    "trec_fine": lambda: of_task("trec_fine"),
    "medical_cases": lambda: islice(of_task("medical_cases_real"), 2),
    "transaction_risk": lambda: of_task("transaction_risk"),
}


@functools.cache
def documents_of(source: str) -> tuple[AnnotatedDocument, ...]:
    return tuple(islice(SOURCES[source](), SIZE))


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", [format.name for format in FORMATS.values() if format.write])
def test_real_documents_are_read_as_they_were_written_less_the_losses(source, name, tmp_path):
    if not DATA.is_dir() and source != "transaction_risk":
        pytest.skip("the real data sets are not here")
    format = FORMATS[name]
    if format.package:
        pytest.importorskip(format.package)
    documents = documents_of(source)
    assert any(document.spans or document.labels for document in documents)
    format.save(documents, tmp_path / "data")
    expected = [canonical(format.reduced(document)[0]) for document in documents]
    result = [canonical(document) for document in format.documents(tmp_path / "data")]
    assert sorted(result, key=lambda document: (document.id, document.text)) == sorted(
        expected, key=lambda document: (document.id, document.text)
    )
