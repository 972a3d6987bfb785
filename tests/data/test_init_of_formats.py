"""`electra-ie init` over every format: the files that the writers of the package write, and real data sets."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import annotated
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import electra_ie
from electra_ie.common.errors import UserError
from electra_ie.data.init.from_annotations import init_task
from electra_ie.formats import FORMATS
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan, Attribute, Relation, without
from electra_ie.formats.base import Format
from electra_ie.formats.features import Feature

DATA = Path(__file__).parents[2] / "../shared/data"
ENDINGS = {"bioc": ".xml", "brat": "", "cas": ""}
"""Those of files whose format has none of its own; others are JSON."""
WRITTEN = [format for format in FORMATS.values() if format.write]


def document(number: int) -> AnnotatedDocument:
    """Return a document with a field of each kind."""
    text = f"Ann of Acme paid {number} EUR"
    status = ("certain", "doubtful")[number % 2]
    spans = (
        AnnotatedSpan("T1", "PERSON", ((0, 3),), attributes=(Attribute("status", "certain"),)),
        AnnotatedSpan("T2", "COMPANY", ((7, 11),), attributes=(Attribute("status", status),)),
    )
    relations = (Relation("R1", "works_for", (("Arg1", "T1"), ("Arg2", "T2"))),)
    return AnnotatedDocument(f"d{number}", text, spans, relations, labels={"topic": (("trade", "rent")[number % 2],)})


def saved(format: Format, folder: Path, documents: list[AnnotatedDocument]) -> Path:
    if format.package:
        pytest.importorskip(format.package)
    path = folder / f"data{ENDINGS.get(format.name, (*format.endings, '.json')[0])}"
    options = {"labels": sorted({name for each in documents for name in each.labels})} if format.columns else {}
    format.save(documents, path, options if format.name != "parquet" else {})
    return path


@pytest.mark.parametrize("format", WRITTEN, ids=lambda format: format.name)
def test_what_each_writer_writes_becomes_a_task_with_the_kinds_that_the_format_holds(tmp_path, format):
    path = saved(format, tmp_path, [document(number) for number in range(20)])
    done = init_task(path, tmp_path / "task")
    name = (
        "jsonl" if format.name == "json_spans" else format.name
    )  # with its default keys it has the form of JSON lines
    assert f"the format is {name} ({FORMATS[name].title}), by what is in the data" in done.assumptions
    task = electra_ie.Task.load(tmp_path / "task")
    kinds = {field.kind for field in task.all_fields}
    read = task.read_splits(task.splits)
    assert sum(map(len, read.values())) == 20
    assert all(field.name in each.gold for field in task.fields for own in read.values() for each in own)
    holds = {
        "spans": Feature.SPANS,
        "classes": Feature.LABELS,
        "relations": Feature.RELATIONS,
        "attributes": Feature.SPAN_ATTRIBUTES,
    }
    expected = {kind for kind, feature in holds.items() if feature in format.holds}
    if format.name == "docbin":  # its attributes are ids of spans alone
        expected -= {"attributes"}
    assert kinds == expected


@pytest.mark.parametrize("format", WRITTEN, ids=lambda format: format.name)
@settings(
    max_examples=4, deadline=None, derandomize=True, phases=(Phase.generate,), suppress_health_check=list(HealthCheck)
)
@given(drawn=st.lists(annotated.documents(), min_size=1, max_size=6))
def test_any_document_that_a_writer_writes_is_read_or_refused_with_the_reason(format, drawn):
    documents = [replace(_without_blanks(each), id=f"d{number}") for number, each in enumerate(drawn)]
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = saved(format, Path(folder), documents)
        except UserError:  # the names of a layer and of a question collide in the file
            return
        try:
            task = init_task(path, Path(folder) / "task", format.name).task
        except UserError as error:
            if "no labels that a model could learn" not in str(error):
                raise
            return
        assert electra_ie.Task.load(task.file.parent).read_splits(task.splits)


def _without_blanks(document: AnnotatedDocument) -> AnnotatedDocument:
    """Return a document without spans of white space only, which are errors in a task."""
    text = document.text
    blank = [span.id for span in document.spans if any(not text[start:end].strip() for start, end in span.fragments)]
    return without(document, blank)


REAL = {
    "ade": ("dev.jsonl", {}, {"spans", "relations"}),
    "bc5cdr": ("devel.tsv", {}, {"spans"}),
    "cmeee": ("dev.json.gz", {}, {"spans"}),
    "medical_cases": ("test", {}, {"spans", "relations"}),
    "sec_filings": ("test.txt", {}, {"spans"}),
    "sick": ("trial.tsv", {"text": ["sentence_A", "sentence_B"], "id": "pair_ID"}, {"classes"}),
    "trec_fine": ("", {"delimiter": " ", "quotes": False, "text": "utterance"}, {"classes"}),
}
"""By data set: a file or folder of it, the options, and the kinds of the fields."""


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_real_data_sets_become_tasks(tmp_path, name):
    file, options, kinds = REAL[name]
    if not (DATA / name / file).exists():
        pytest.skip("the data set is not here")
    format = "csv" if name == "trec_fine" else None
    init_task(DATA / name / file, tmp_path / "task", format, dev=0, test=0, options=options)
    task = electra_ie.Task.load(tmp_path / "task")
    assert {field.kind for field in task.all_fields} == kinds
    assert task.read("train")
