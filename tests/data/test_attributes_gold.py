"""Fields of attributes in task.yaml, and attributes of spans in data files and records."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from electra_ie.common.errors import UserError
from electra_ie.data.document import Attribute, Document, Span, as_bytes
from electra_ie.data.fields import AttributeField, Field
from electra_ie.data.in_memory import resolve
from electra_ie.data.readers import READERS
from electra_ie.data.readers.jsonl import record_of
from electra_ie.data.task import Task
from electra_ie.formats import FORMATS
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan
from electra_ie.formats.annotations import Attribute as Said
from electra_ie.runs.hub_dataset_card import features

NAMES = "  names: {kind: spans, labels: [CONDITION, DRUG]}\n"
SAID = "  assertion: {kind: attributes, labels: [present, negated, historical], of: [CONDITION], default: present}\n"
TEXT = "No fever, asthma as a child, takes Ardenol."
FEVER, ASTHMA, DRUG = Span(3, 8, "CONDITION"), Span(10, 16, "CONDITION"), Span(35, 42, "DRUG")
FIELDS = (
    Field("names", "spans", ("CONDITION", "DRUG")),
    AttributeField("assertion", ("present", "negated", "historical"), ("CONDITION",), "present"),
)


def spans(fever=None, asthma=None, drug=None):
    """The spans of a record, each with further keys."""
    return [
        {"start": span.start, "end": span.end, "label": span.label, **(more or {})}
        for span, more in ((FEVER, fever), (ASTHMA, asthma), (DRUG, drug))
    ]


def task(folder, fields=NAMES + SAID, record=None):
    """A task with these fields and one record of train."""
    text = f"format: jsonl\nfiles: {{train: train.jsonl}}\nfields:\n{fields}"
    (folder / "task.yaml").write_text(text, encoding="utf-8")
    content = record or {"text": TEXT, "names": spans()}
    (folder / "train.jsonl").write_text(json.dumps(content) + "\n", encoding="utf-8")
    return folder / "task.yaml"


def gold(folder, names, fields=NAMES + SAID, **more):
    """The attributes of a record with these spans; None if it is unlabeled for them."""
    loaded = Task.load(task(folder, fields, {"text": TEXT, "names": names, **more}))
    (document,) = loaded.read("train")
    return document.gold.get(loaded.attributes[0].name)


def test_a_field_of_attributes_is_apart_from_the_others(tmp_path):
    loaded = Task.load(task(tmp_path, SAID.replace("default", "from: said, default") + NAMES))
    assert [field.name for field in loaded.fields] == ["names"]
    (field,) = loaded.attributes
    assert field == AttributeField("assertion", ("present", "negated", "historical"), ("CONDITION",), "present", "said")
    assert loaded.relations == ()
    assert Task.from_dict(loaded.as_dict(), "task.yaml").attributes == (field,)


def test_without_of_all_spans_have_the_attribute(tmp_path):
    (field,) = Task.load(task(tmp_path, NAMES + "  said: {kind: attributes, labels: [a, b]}\n")).attributes
    assert (field.of, field.default) == (("CONDITION", "DRUG"), "")


@pytest.mark.parametrize(
    ("fields", "line", "message"),
    [
        (SAID, 4, "the field assertion says something of spans, and the task has no field of kind spans."),
        (NAMES + SAID.replace("[CONDITION]", "[CONDITON]"), 5, 'there is no label "CONDITON". Did you mean "CONDIT'),
        (NAMES + SAID.replace("default: present", "default: presnt"), 5, 'default is "presnt", which is no label of'),
        (NAMES + SAID.replace("default: present", "default: no"), 5, 'default is "False", which is no label of the'),
        (NAMES + SAID.replace("[CONDITION]", "CONDITION"), 5, "of is 'CONDITION', not a list."),
        (NAMES + SAID.replace("[present, negated, historical]", "[present]"), 5, "the field assertion has only one"),
        (NAMES + SAID.replace("[present, negated, historical]", "present"), 5, "labels is 'present', not a list."),
        (NAMES + SAID.replace("of:", "between:"), 5, 'unknown key "between"'),
        (NAMES + SAID + SAID.replace("assertion", "Assertion"), 6, 'the fields "assertion" and "Assertion" differ in'),
        (NAMES + SAID + SAID, 6, 'the key "assertion" occurs twice'),
        (NAMES + SAID.replace("attributes", "attribute"), 5, 'there is no kind "attribute". Did you mean "attributes"'),
    ],
)
def test_errors_in_a_declaration_name_the_line(tmp_path, fields, line, message):
    file = task(tmp_path, fields)
    with pytest.raises(UserError) as error:
        Task.load(file)
    assert str(error.value).startswith(f"{file}:{line}: {message}")


def test_a_span_of_which_nothing_is_said_has_the_default(tmp_path):
    found = gold(tmp_path, spans({"assertion": "negated"}))
    assert found == (Attribute(FEVER, "negated"), Attribute(ASTHMA, "present"))
    assert gold(tmp_path, spans({"assertion": None})) == (Attribute(FEVER, "present"), Attribute(ASTHMA, "present"))
    assert gold(tmp_path, []) == ()


def test_without_a_default_it_is_unlabeled(tmp_path):
    bare = NAMES + SAID.replace(", default: present", "")
    assert gold(tmp_path, spans({"assertion": "negated"}), bare) == (Attribute(FEVER, "negated"),)
    assert gold(tmp_path, spans(), bare) is None


def test_a_record_without_spans_or_with_null_is_unlabeled(tmp_path):
    assert gold(tmp_path, None) is None
    assert gold(tmp_path, spans({"assertion": "negated"}), assertion=None) is None


def test_keys_are_those_of_from(tmp_path):
    fields = NAMES + SAID.replace("default", "from: said, default")
    assert gold(tmp_path, spans({"said": "negated"}), fields)[0] == Attribute(FEVER, "negated")


def test_what_convert_writes_is_read(tmp_path, capsys):
    said = {"attributes": [["assertion", "negated"], ["course", "acute"]]}
    assert gold(tmp_path, spans(said, {"attributes": [["historical", None]]})) == (
        Attribute(FEVER, "negated"),
        Attribute(ASTHMA, "historical"),
    )
    assert "1 attributes of spans are not read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "label"), [(None, "historical"), ("", "historical"), (True, "historical"), (False, "present")]
)
def test_an_attribute_with_the_name_of_a_label_is_a_flag(tmp_path, value, label):
    assert gold(tmp_path, spans({"attributes": [["historical", value]]}))[0] == Attribute(FEVER, label)


def test_an_attribute_of_another_span_is_not_read_silently(tmp_path, capsys):
    assert gold(tmp_path, spans(drug={"assertion": "negated"})) == tuple(
        Attribute(span, "present") for span in (FEVER, ASTHMA)
    )
    assert "1 attributes of spans are not read" in capsys.readouterr().err


def test_a_boolean_is_the_label_of_a_field_of_this_name(tmp_path):
    fields = NAMES + "  negated: {kind: attributes, labels: ['true', 'false'], default: 'false'}\n"
    assert [each.label for each in gold(tmp_path, spans({"negated": True}), fields)] == ["true", "false", "false"]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"assertion": "negatd"}, 'the field assertion has no label "negatd". Did you mean "negated"?'),
        ({"assertion": 1}, 'a span of "names" has the attribute ["assertion", 1]. It must be one label in quotes'),
        ({"asertion": "negated"}, 'a span of "names" has no "assertion", but "asertion". Rename it'),
        (
            {"attributes": [["negated", None], ["historical", None]]},
            "CONDITION 3 to 8 has two labels of assertion: negated and historical. Keep one, or make a field",
        ),
    ],
)
def test_errors_in_attributes_name_the_line(tmp_path, said, message):
    with pytest.raises(UserError) as error:
        gold(tmp_path, spans(said))
    assert f"train.jsonl:1: {message}" in str(error.value)


@pytest.mark.parametrize(
    "content",
    [
        {"text": TEXT, "names": spans({"assertion": "negated"})},
        {"text": TEXT},
        {"text": TEXT, "names": spans(), "assertion": None},
    ],
)
def test_a_written_record_is_read_again(tmp_path, content):
    before = Task.load(task(tmp_path, record=content))
    (document,) = before.read("train")
    written = record_of(document, before.all_fields)
    assert ("assertion" in written) == ("assertion" in content)
    assert Task.load(task(tmp_path, record={**written, "id": "train-1"})).read("train") == [document]


def test_records_for_the_hub_load_with_their_declared_columns(tmp_path):
    datasets = pytest.importorskip("datasets")
    tie = "  ties: {kind: relations, labels: [treats]}\n"
    ties = [{"head": 2, "tail": 0, "label": "treats"}]
    record = {"text": TEXT, "names": spans({"assertion": "negated"}), "ties": ties}
    loaded = Task.load(task(tmp_path, NAMES + SAID + tie, record))
    documents = loaded.read("train")
    unlabeled = replace(documents[0], id="2", gold={"names": documents[0].gold["names"], "ties": ()})
    for number, some in enumerate((documents, [*documents, unlabeled])):
        lines = [json.dumps(record_of(document, loaded.all_fields)) + "\n" for document in some]
        (tmp_path / f"{number}.jsonl").write_text("".join(lines), encoding="utf-8")
        columns = features(loaded.all_fields, some)
        file = str(tmp_path / f"{number}.jsonl")
        table = datasets.load_dataset("json", data_files=file, features=columns, cache_dir=str(tmp_path))["train"]
        assert ("assertion" in table.column_names) == (len(some) > 1)
        assert [span["assertion"] for span in table[0]["names"]] == ["negated", "present", None]
        assert table[0]["ties"][0]["head"] == {"start": 35, "end": 42, "label": "DRUG"}


def test_hashes_of_documents_without_attributes_are_as_before():
    document = Document("d", TEXT, {"names": (FEVER,)})
    assert as_bytes(document) == f"('d', {TEXT!r}, [('names', (Span(start=3, end=8, label='CONDITION'),))])".encode()


BRAT = "T1\tCONDITION 3 8\tfever\nT2\tCONDITION 10 16\tasthma\nT3\tDRUG 35 42\tArdenol\n"


def of_brat(folder, lines, fields=FIELDS):
    (folder / "a.txt").write_text(TEXT, encoding="utf-8")
    (folder / "a.ann").write_text(BRAT + lines, encoding="utf-8")
    (document,) = READERS["brat"].read(folder, fields)
    return document.gold.get("assertion")


def test_brat_attributes_are_read_by_value_and_by_name(tmp_path, capsys):
    found = of_brat(tmp_path, "A1\tassertion T1 negated\nA2\thistorical T2\nA3\tUnsure T2\nA4\tassertion T3 negated\n")
    assert found == (Attribute(FEVER, "negated"), Attribute(ASTHMA, "historical"))
    assert "not read, since fields cannot express them: 2 attributes of spans" in capsys.readouterr().err
    with pytest.raises(UserError, match=r'a\.ann:1: the field assertion has no label "absent"'):
        of_brat(tmp_path, "A1\tassertion T1 absent\n")
    with pytest.raises(UserError, match="has two labels of assertion: negated and historical"):
        of_brat(tmp_path, "A1\tnegated T1\nA2\thistorical T1\n")


@pytest.mark.parametrize("name", ["brat", "bioc", "cas", "label_studio", "jsonl", "json_spans", "parquet"])
def test_attributes_are_read_from_every_format_that_holds_them(tmp_path, name):
    said, flag, rash = (Said("assertion", "negated"),), (Said("historical"),), Span(20, 25, "CONDITION")
    annotated = AnnotatedDocument(
        "1", TEXT, (AnnotatedSpan("T1", "CONDITION", ((3, 8),), attributes=said),
                    AnnotatedSpan("T2", "CONDITION", ((10, 16),), attributes=flag),
                    AnnotatedSpan("T3", "CONDITION", ((20, 25),))),
    )  # fmt: skip
    format = FORMATS[name]
    path = tmp_path / f"data{format.endings[0] if format.endings else ''}"
    format.save([annotated], path)
    fields = (Field("names", "spans", ("CONDITION",), "spans" if name == "jsonl" else ""), FIELDS[1])
    (document,) = READERS[name].read(path, fields)
    assert [(each.span, each.label) for each in document.gold["assertion"]] == [
        (FEVER, "negated"), (ASTHMA, "historical"), (rash, "present"),
    ]  # fmt: skip


def test_keys_of_spans_in_json_lines_are_attributes_for_convert(tmp_path):
    (tmp_path / "x.jsonl").write_text(json.dumps({"text": TEXT, "names": spans({"assertion": "negated"})}) + "\n")
    (document,) = FORMATS["jsonl"].documents(tmp_path / "x.jsonl")
    assert [span.attributes for span in document.spans] == [(Said("assertion", "negated"),), (), ()]


def test_a_format_without_attributes_is_refused(tmp_path):
    file = task(tmp_path)
    file.write_text(file.read_text("utf-8").replace("jsonl\n", "conll\n"), encoding="utf-8")
    with pytest.raises(UserError, match="the format conll cannot express the field assertion of kind attributes"):
        Task.load(file)


def test_records_in_memory_have_attributes_with_collected_labels():
    datasets = pytest.importorskip("datasets")
    said = spans({"assertion": "negated"}, {"assertion": "present"}, {"assertion": None})
    fields = {"names": {"kind": "spans"}, "assertion": {"kind": "attributes", "of": ["CONDITION"]}}
    for data in ([{"text": TEXT, "names": said}], datasets.Dataset.from_list([{"text": TEXT, "names": said}])):
        loaded, _ = resolve(data, None, (), fields=fields)
        assert loaded.attributes[0].labels == ("negated", "present")
        assert loaded.read("train")[0].gold["assertion"] == (Attribute(FEVER, "negated"), Attribute(ASTHMA, "present"))


def test_a_field_of_attributes_may_have_a_name_like_a_key_of_spans(tmp_path):
    status = "  status: {kind: attributes, labels: [present, negated], of: [CONDITION], default: present}\n"
    record = {"id": "1", "text": TEXT, "names": spans(fever={"status": "negated"})}
    (document,) = Task.load(task(tmp_path, NAMES + status, record)).read("train")
    assert sorted(each.label for each in document.gold["status"]) == ["negated", "present"]
