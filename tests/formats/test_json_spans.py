"""JSON records with spans under keys that options name."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import annotated
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from electra_ie.common.errors import UserError
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan, Attribute, canonical
from electra_ie.formats.json_spans import JSON_SPANS

CMEEE = Path(__file__).parents[2] / "../shared/data/cmeee/dev.json.gz"
OF_CMEEE = {
    "spans": "entities", "start": "start_idx", "end": "end_idx", "label": "type", "quoted": "entity", "inclusive": True,
}  # fmt: skip
NESTED = {
    "text": "data.text", "id": "data.meta.id", "spans": "answers.spans", "start": "at.start", "end": "at.end",
    "label": "kind", "quoted": "of.text", "layout": "lines",
}  # fmt: skip


def written(folder: Path, records: object) -> Path:
    path = folder / "data.json"
    path.write_text(json.dumps(records), encoding="utf-8")
    return path


def read(path: Path, **options: object) -> list[AnnotatedDocument]:
    return list(JSON_SPANS.documents(path, options))


def test_inclusive_ends_of_cmeee_are_read_and_written_again(tmp_path):
    records = [
        {
            "text": "成人SARS",
            "entities": [{"start_idx": 2, "end_idx": 5, "type": "dis", "entity": "SARS"}],
            "source": {"page": 1},
        },
        {"text": "无", "entities": []},
        {"text": "未"},
    ]
    documents = read(written(tmp_path, records), **OF_CMEEE)
    assert documents[0].spans == (AnnotatedSpan("T1", "dis", ((2, 6),)),)
    assert documents[0].metadata == {"source": {"page": 1}}
    assert [document.layers for document in documents] == [("",), ("",), None]
    assert not JSON_SPANS.save(documents, tmp_path / "again.json.gz", OF_CMEEE)
    assert read(tmp_path / "again.json.gz", **OF_CMEEE) == documents
    JSON_SPANS.save(documents, tmp_path / "plain.json", OF_CMEEE)
    assert json.loads((tmp_path / "plain.json").read_text("utf-8")) == records


def test_cmeee_is_read_as_it_is_published():
    if not CMEEE.exists():
        pytest.skip("the data set is not here")
    documents = read(CMEEE, **OF_CMEEE)
    assert len(documents) == 5000
    assert documents[0].passage(documents[0].spans[0]) == "SARST细胞亚群"


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(documents=st.lists(annotated.documents(), min_size=1, max_size=3, unique_by=lambda document: document.id))
@pytest.mark.parametrize("options", [OF_CMEEE, NESTED])
def test_any_keys_return_what_was_written(options, documents):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data"
        expected = [JSON_SPANS.reduced(document, options)[0] for document in documents]
        JSON_SPANS.save(documents, path, options)
        assert [*map(canonical, read(path, **options))] == [*map(canonical, expected)]


def test_values_beside_those_of_dotted_keys_are_kept(tmp_path):
    record = {
        "data": {"text": "ACME paid", "meta": {"id": 7, "page": 1}},
        "answers": {"spans": [{"at": {"start": 0, "end": 4, "by": "x"}, "kind": "ORG", "sure": True}]},
        "a.b": 1,
    }
    (document,) = read(written(tmp_path, [record]), **NESTED)
    assert (document.id, document.metadata) == ("7", {"data": {"meta": {"page": 1}}, "a.b": 1})
    assert document.spans[0].attributes == (Attribute("at", '{"by": "x"}'), Attribute("sure", "true"))
    (document,) = read(written(tmp_path, [{"a.text": "b", "spans": []}]), text="a.text")
    assert document.text == "b"
    JSON_SPANS.save([AnnotatedDocument("7", "a", metadata={"data": {"meta": {"page": 1}}})], tmp_path / "out", NESTED)
    assert json.loads((tmp_path / "out").read_text("utf-8"))["data"] == {"meta": {"id": "7", "page": 1}, "text": "a"}


def test_values_with_the_name_of_a_key_are_lost_and_counted(tmp_path):
    span = AnnotatedSpan(
        "T1", "ORG", ((0, 4),), attributes=(Attribute("start"), Attribute("a", "1"), Attribute("a", "2"))
    )
    document = AnnotatedDocument("", "ACME", (span,), metadata={"id": 3, "page": 1})
    losses = JSON_SPANS.save([document], tmp_path / "data")
    assert losses == {
        "attributes of spans with the name of another or of a key": 2,
        "other values with the name of a key": 1,
    }
    (again,) = read(tmp_path / "data")
    assert again.metadata == {"page": 1}
    assert again.spans[0].attributes == (Attribute("a", "1"),)


def test_record_without_the_key_of_spans_is_a_warning_if_no_record_has_it(tmp_path, capsys):
    assert read(written(tmp_path, [{"text": "a", "span": []}]))[0].layers is None
    assert 'no record has "spans", so that none has spans. Did you mean "span"?' in capsys.readouterr().err


SPAN = {"start": 0, "end": 4, "label": "ORG"}


@pytest.mark.parametrize(("record", "options", "words"), [
    ({"spans": []}, {}, 'the record has no "text"'),
    ({"text": 3}, {}, 'has 3 as "text"'),
    ({"text": "ACME", "id": []}, {}, 'An id must be a text'),
    ({"text": "ACME", "spans": {}}, {}, "not a list of spans"),
    ({"text": "ACME", "spans": ["ORG"]}, {}, 'a span is "ORG", not an object'),
    ({"text": "ACME", "spans": [{"start": 0, "end": 4, "type": "ORG"}]}, {}, '"label" of the span'),
    ({"text": "ACME", "spans": [{**SPAN, "start": "0"}]}, {}, "not a whole number"),
    ({"text": "ACME", "spans": [{**SPAN, "end": True}]}, {}, "not a whole number"),
    ({"text": "ACME", "spans": [{**SPAN, "label": ""}]}, {}, "has an empty label"),
    ({"text": "ACME", "spans": [{**SPAN, "text": 4}]}, {}, "that is not a text"),
    ({"text": "ACME", "spans": [{**SPAN, "end": 5}]}, {}, "is outside the text"),
    ({"text": "ACME", "spans": [{**SPAN, "text": "ACM"}]}, {}, "is 'ACME', not 'ACM'"),
    ({"text": "ACME x", "spans": [{**SPAN, "end": 3, "text": "ACME"}]}, {}, "Set the option inclusive: true"),
    ({"text": "ACME"}, {"start": ""}, "the option start is ''"),
    ({"text": "ACME"}, {"start": "end"}, "all must differ"),
    ({"text": "ACME"}, {"spans": "text.spans"}, "all must differ"),
])  # fmt: skip
def test_faults_are_refused(tmp_path, record, options, words):
    with pytest.raises(UserError, match="data.json") as caught:
        read(written(tmp_path, [record]), **options)
    assert words in str(caught.value)


def test_reading_goes_on_after_a_fault(tmp_path):
    path = tmp_path / "data.json"
    path.write_text('[\n{"text": "a", "id": 1},\n{"text": 2},\n{"text": "b", "id": 1},\n{"text": "c", "id": 2}\n]')
    faults: list[UserError] = []
    assert [document.text for document in JSON_SPANS.documents(path, {}, faults.append)] == ["a", "c"]
    assert [fault.line for fault in faults] == [3, 4]
    assert 'the id "1" is also that of line 2' in str(faults[1])


def test_offsets_in_utf_16_are_converted_by_the_quoted_text(tmp_path, capsys):
    text = "\N{GRINNING FACE} ACME"
    (document,) = read(written(tmp_path, [{"text": text, "spans": [{**SPAN, "start": 3, "end": 7, "text": "ACME"}]}]))
    assert document.spans[0].fragments == ((2, 6),)
    assert "count UTF-16 code units" in capsys.readouterr().err


def test_damaged_files_are_refused(tmp_path):
    JSON_SPANS.save([AnnotatedDocument("1", "ACME")], tmp_path / "a.json.gz")
    whole = (tmp_path / "a.json.gz").read_bytes()
    (tmp_path / "b.json.gz").write_bytes(whole[:20])
    (tmp_path / "c.json").write_bytes(b'[{"text": "a"}')
    for name, words in {
        "b.json.gz": "damaged or truncated",
        "c.json": "Is the file whole",
        "d.json": "no such file",
    }.items():
        with pytest.raises(UserError, match=words):
            read(tmp_path / name)
