"""Conversion of files between formats: losses are counted, and nothing is written unless they are allowed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from electra_ie.common.errors import UserError
from electra_ie.formats import FORMATS
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan, Relation
from electra_ie.formats.base import Format
from electra_ie.formats.conversion import Side, convert, read_all
from electra_ie.formats.features import Feature

JSON_LINES = FORMATS["jsonl"]
POOR = replace(JSON_LINES, name="poor", title="Poor", holds=frozenset(Feature) - {Feature.RELATIONS, Feature.FRAGMENTS})
"""JSON lines without relations and spans of several fragments."""
SPANS = (
    AnnotatedSpan("T1", "PAYER", ((0, 4),)),
    AnnotatedSpan("T2", "AMOUNT", ((10, 13), (14, 17))),
    AnnotatedSpan("T3", "AMOUNT", ((14, 17),)),
)
RELATIONS = (
    Relation("R1", "pays", (("Arg1", "T1"), ("Arg2", "T2"))),
    Relation("R2", "pays", (("Arg1", "T1"), ("Arg2", "T3"))),
)
DOCUMENT = AnnotatedDocument("1", "ACME paid EUR 900", SPANS, RELATIONS)


@pytest.fixture
def source(tmp_path) -> Side:
    JSON_LINES.save([DOCUMENT, replace(DOCUMENT, id="2", spans=SPANS[:1], relations=())], tmp_path / "in.jsonl")
    return Side(tmp_path / "in.jsonl", JSON_LINES)


def test_conversion_without_loss_writes_the_same_documents(source, tmp_path):
    outcome = convert(source, Side(tmp_path / "out.jsonl", JSON_LINES), check=True)
    assert (outcome.documents, outcome.annotations, outcome.losses) == (2, 6, {})
    assert outcome.is_complete
    assert (tmp_path / "out.jsonl").read_bytes() == source.path.read_bytes()


def test_loss_is_counted_by_kind_and_nothing_is_written(source, tmp_path):
    outcome = convert(source, Side(tmp_path / "out.jsonl", POOR))
    assert outcome.losses == {"relations": 2, "spans of several fragments": 1}
    assert not outcome.is_complete
    assert [file.name for file in tmp_path.iterdir()] == ["in.jsonl"]


def test_lossy_conversion_writes_what_the_format_holds(source, tmp_path):
    outcome = convert(source, Side(tmp_path / "out.jsonl", POOR), lossy=True, check=True)
    assert outcome.is_complete
    first = read_all(Side(tmp_path / "out.jsonl", POOR))[0]
    assert [span.id for span in first.spans] == ["T1", "T3"]
    assert first.relations == ()


def test_check_removes_a_target_that_reads_differently(source, tmp_path):
    def careless(documents, path, options):
        JSON_LINES.save([documents[0], replace(documents[1], text=documents[1].text + " ")], path)

    outcome = convert(source, Side(tmp_path / "out.jsonl", replace(JSON_LINES, write=careless)), check=True)
    assert outcome.different == ("2",)
    assert not outcome.is_complete
    assert [file.name for file in tmp_path.iterdir()] == ["in.jsonl"]


def test_check_sees_documents_that_are_missing(source, tmp_path):
    def careless(documents, path, options):
        JSON_LINES.save(documents[:1], path)

    outcome = convert(source, Side(tmp_path / "out.jsonl", replace(JSON_LINES, write=careless)), check=True)
    assert outcome.different == ("1 documents instead of 2",)


def test_faults_are_reported_together_by_line_and_nothing_is_written(tmp_path):
    lines = [
        '{"id": "1", "text": "ACME", "names": [{"start": 0, "end": 9, "label": "X"}]}',
        '{"id": "2"}',
        "{",
        '{"id": "3", "text": "a"}',
        '{"id": "3", "text": "b"}',
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(lines), "utf-8")
    with pytest.raises(UserError) as caught:
        convert(Side(tmp_path / "in.jsonl", JSON_LINES), Side(tmp_path / "out.jsonl", JSON_LINES))
    assert [error.line for error in caught.value.errors] == [1, 2, 3, 5]
    assert "outside the text of 4 characters" in str(caught.value.errors[0])
    assert not (tmp_path / "out.jsonl").exists()


def test_existing_target_is_not_overwritten(source, tmp_path):
    (tmp_path / "out.jsonl").write_text("mine", "utf-8")
    with pytest.raises(UserError, match="this path exists"):
        convert(source, Side(tmp_path / "out.jsonl", JSON_LINES))
    assert (tmp_path / "out.jsonl").read_text("utf-8") == "mine"


def test_errors_of_writing_name_the_target_and_not_a_temporary_path(source, tmp_path):
    with pytest.raises(UserError) as caught:
        convert(source, Side(tmp_path / "none" / "out.jsonl", JSON_LINES))
    assert str(caught.value).startswith(f"{tmp_path}/none/out.jsonl: the folder of the output does not exist.")

    def failing(documents, path, options):
        inner = UserError("a line is wrong.", file=path / "x.txt", line=3)
        raise UserError("this cannot be written.", file=path, remedy="Change it.", errors=[inner])

    target = tmp_path / "out.jsonl"
    with pytest.raises(UserError) as caught:
        convert(source, Side(target, replace(JSON_LINES, write=failing)))
    assert str(caught.value) == f"{target}: this cannot be written. Change it.\n{target}/x.txt:3: a line is wrong."


def test_format_that_is_only_read_is_refused(source, tmp_path):
    with pytest.raises(UserError, match="only read"):
        convert(source, Side(tmp_path / "out", Format("old", "Old", JSON_LINES.read)))


def test_target_within_a_source_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match="inside a folder of input"):
        convert(Side(tmp_path, JSON_LINES), Side(tmp_path / "out.jsonl", JSON_LINES))


def test_missing_package_names_its_extra(source, tmp_path):
    needy = replace(JSON_LINES, package="no_such_package", extra="formats")
    with pytest.raises(UserError, match=r'pip install "electra_ie\[formats\]"'):
        convert(source, Side(tmp_path / "out.jsonl", needy))


def test_offsets_of_utf_16_are_converted_where_the_quoted_text_proves_it(tmp_path):
    record = {"text": "\N{GRINNING FACE} ACME", "names": [{"start": 3, "end": 7, "label": "X", "text": "ACME"}]}
    (tmp_path / "in.jsonl").write_text(json.dumps(record), "utf-8")
    [document] = read_all(Side(tmp_path / "in.jsonl", JSON_LINES))
    assert document.passage(document.spans[0]) == "ACME"
    assert document.spans[0].fragments == ((2, 6),)
