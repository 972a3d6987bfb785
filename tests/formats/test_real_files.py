"""Real annotated files make the round trip through every format; what a format cannot hold is counted before."""

from __future__ import annotations

import functools
import gzip
import json
import re
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path

import pytest

from electra_ie.common.text_files import read_text
from electra_ie.data.document import Span
from electra_ie.data.task import Task
from electra_ie.formats import FORMATS
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan, canonical
from electra_ie.formats.conversion import Side, read_all, write_all

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


def of_json(raw: str, path: Path) -> tuple[int, int, int]:
    """Return the documents, spans and relations of JSON lines, or of an array of records of cmeee."""
    found = json.loads(raw) if path.name.endswith(".json.gz") else [json.loads(line) for line in raw.splitlines()]
    spans = sum(len(record.get("spans") or record.get("entities") or ()) for record in found)
    return len(found), spans, sum(len(record.get("relations") or ()) for record in found)


def of_columns(raw: str, path: Path) -> tuple[int, int, int]:
    """Return the sentences and spans of a file of columns."""
    blocks = [block.splitlines() for block in re.split(r"\n[ \t]*\n", raw)]
    sentences = [lines for lines in blocks if any(line.strip() and "-DOCSTART-" not in line for line in lines)]
    tags = [["O", *(line.split()[-1] for line in lines if line.strip())] for lines in sentences]
    begun = sum(
        tag.startswith("B-") or (tag.startswith("I-") and before[2:] != tag[2:])
        for sentence in tags
        for before, tag in pairwise(sentence)
    )
    return len(sentences), begun, 0


def of_rows(raw: str, path: Path) -> tuple[int, int, int]:
    """Return the rows below the header of a table."""
    return len(raw.splitlines()) - 1, 0, 0


def of_brat(raw: str, path: Path) -> tuple[int, int, int]:
    """Return the documents, spans and relations of a folder of brat."""
    lines = [line for file in path.glob("*.ann") for line in file.read_text("utf-8").splitlines()]
    return (
        len([*path.glob("*.txt")]),
        sum(line.startswith("T") for line in lines),
        sum(line[0] in "R*" for line in lines),
    )


CMEEE = {"spans": "entities", "start": "start_idx", "end": "end_idx", "label": "type", "inclusive": True}
SICK = {"text": ["sentence_A", "sentence_B"], "id": "pair_ID", "labels": ["entailment_judgment"]}
TREC = {"text": "utterance", "labels": ["fine_label"], "delimiter": " ", "quotes": False, "unlabeled": ["UNK:UNK"]}
WHOLE = [
    *(("jsonl", f"ade/{name}.jsonl", {}, of_json) for name in ("train", "dev", "test", "pool")),
    *(("conll", f"bc5cdr/{name}.tsv", {"delimiter": "\t"}, of_columns) for name in ("train", "devel", "test")),
    *(("conll", f"sec_filings/{name}.txt", {}, of_columns) for name in ("train", "test")),
    ("json_spans", "cmeee/dev.json.gz", CMEEE, of_json),
    *(("brat", f"medical_cases/{name}", {}, of_brat) for name in ("train", "test")),
    *(("tsv", f"sick/{name}.tsv", SICK, of_rows) for name in ("train", "trial")),
    *(("csv", f"trec_fine/{name}.tsv", TREC, of_rows) for name in ("labeled", "test", "unlabeled")),
]
"""Files of real data sets: format, path, options, and a plain count of what is in them."""


@pytest.mark.slow
@pytest.mark.parametrize(("name", "file", "options", "counted"), WHOLE, ids=[entry[1] for entry in WHOLE])
def test_a_whole_real_file_is_read_and_kept_as_json_lines(name, file, options, counted, tmp_path):
    path = DATA / file
    if not path.exists():
        pytest.skip("the real data sets are not here")
    raw = "" if path.is_dir() else read_text(path)
    documents = read_all(Side(path, FORMATS[name], options))
    spans, relations = (sum(map(len, each)) for each in zip(*((d.spans, d.relations) for d in documents), strict=True))
    assert (len(documents), spans, relations) == counted(raw, path)
    outcome = write_all(documents, Side(tmp_path / "x.jsonl", FORMATS["jsonl"]), check=True)
    assert outcome.is_complete and not outcome.losses


@pytest.mark.slow
@pytest.mark.parametrize("file", ["train", "trial"])
def test_both_sentences_of_each_pair_of_sick_are_its_text(file):
    path = DATA / "sick" / f"{file}.tsv"
    if not path.exists():
        pytest.skip("the real data sets are not here")
    header, *rows = (line.split("\t") for line in path.read_text("utf-8").splitlines())
    records = [dict(zip(header, row, strict=True)) for row in rows]
    assert [(item.id, item.text, item.labels) for item in FORMATS["tsv"].documents(path, SICK)] == [
        (
            record["pair_ID"],
            f"sentence_A: {record['sentence_A']}\nsentence_B: {record['sentence_B']}",
            {"entailment_judgment": (record["entailment_judgment"],)},
        )
        for record in records
    ]
