"""The records of this package as people and `init` write them, without the key that names the layers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tool_files import read, write_lines

from electra_ie.common.errors import UserError
from electra_ie.data.readers import READERS
from electra_ie.data.task import Task
from electra_ie.formats import FORMATS
from electra_ie.formats.annotations import Attribute, canonical
from electra_ie.formats.conversion import Side, convert
from electra_ie.formats.detection import detect

SPAN = {"start": 0, "end": 4, "label": "ORG"}


def test_an_empty_list_is_a_layer_where_another_record_has_spans_there(tmp_path):
    path = write_lines(
        tmp_path / "x.jsonl",
        {"text": "Nobody paid", "names": [], "risk": []},
        {"text": "ACME paid", "names": [SPAN], "risk": ["fraud"]},
        {"text": "ACME", "names": [SPAN], "spans": []},
        {"text": "unknown", "topic": "a"},
    )
    empty, full, nameless, unknown = read("jsonl", path)
    assert (empty.layers, empty.labels) == (("names",), {"risk": ()})
    assert (full.layers, full.labels) == (("names",), {"risk": ("fraud",)})
    assert (nameless.layers, nameless.labels) == (("names", ""), {})
    assert (unknown.layers, unknown.labels) == (None, {"topic": ("a",)})
    for name in ("label_studio", "parquet"):
        outcome = convert(Side(path, FORMATS["jsonl"]), Side(tmp_path / name, FORMATS[name]), lossy=True, check=True)
        assert outcome.is_complete and not outcome.losses


def test_stated_layers_are_obeyed(tmp_path):
    path = write_lines(
        tmp_path / "x.jsonl",
        {"text": "ACME paid", "names": [SPAN], "_layers": ["names"]},
        {"text": "Nobody paid", "names": [], "_layers": []},
    )
    assert [(document.layers, document.labels) for document in read("jsonl", path)] == [
        (("names",), {}),
        (None, {"names": ()}),
    ]


def test_a_file_of_classified_texts_of_doccano_is_detected(tmp_path):
    path = write_lines(tmp_path / "x.jsonl", {"id": 1, "text": "ACME paid", "label": ["pos"], "Comments": []})
    assert detect(path).name == "doccano"
    own = write_lines(tmp_path / "y.jsonl", {"id": 1, "text": "ACME paid", "risk": ["fraud"], "Comments": "checked"})
    assert FORMATS["jsonl"].detect(own)


ANN, ACME = {"start": 0, "end": 3, "label": "PERSON"}, {"start": 14, "end": 18, "label": "COMPANY"}
TIES = {"text": "Ann works for Acme.", "names": [ANN, ACME], "ties": [{"head": 0, "tail": 1, "label": "works_for"}]}
IN_FULL = {**TIES, "ties": [{"head": ANN, "tail": ACME, "label": "works_for"}]}


def converted(source: Path, target: Path, format: str, **options: bool):
    return convert(Side(source, FORMATS["jsonl"]), Side(target, FORMATS[format]), check=True, **options)


@pytest.mark.parametrize("record", [TIES, IN_FULL])
def test_relations_are_read_by_place_and_in_full_and_written_under_their_key(tmp_path, record):
    [document] = read("jsonl", write_lines(tmp_path / "x.jsonl", record))
    [relation] = document.relations
    passages = {span.id: document.passage(span) for span in document.spans}
    assert [(role, passages[target]) for role, target in relation.arguments] == [("Arg1", "Ann"), ("Arg2", "Acme")]
    assert (relation.label, relation.layer, document.relation_layers) == ("works_for", "ties", ("ties",))
    assert (document.labels, document.metadata) == ({}, {})
    assert not converted(tmp_path / "x.jsonl", tmp_path / "y.jsonl", "jsonl").losses
    written = json.loads((tmp_path / "y.jsonl").read_text("utf-8"))
    [tie] = written["ties"]
    assert [tie["label"], tie["head"]["start"], tie["tail"]["start"], written["_relation_layers"]] == [
        "works_for", 0, 14, ["ties"],
    ]  # fmt: skip
    assert "_relations" not in written
    assert [*map(canonical, read("jsonl", tmp_path / "y.jsonl"))] == [canonical(document)]


def test_relations_are_lost_and_counted_where_a_format_has_none_of_them(tmp_path):
    path = write_lines(tmp_path / "x.jsonl", {"text": "nobody", "names": [], "ties": []}, TIES)
    assert converted(path, tmp_path / "a", "conll").losses == {"relations": 1}
    assert not converted(path, tmp_path / "b", "label_studio").written
    plain = write_lines(tmp_path / "y.jsonl", *(
        {"text": record["text"], "spans": record["names"], "relations": record["ties"]}
        for record in ({"text": "nobody", "names": [], "ties": []}, TIES)
    ))  # fmt: skip
    for name in ("brat", "doccano", "label_studio", "prodigy", "bioc", "cas", "parquet"):
        if FORMATS[name].package:
            pytest.importorskip(FORMATS[name].package)
        lost = converted(plain, tmp_path / name, name, lossy=True)
        assert set(lost.losses) <= {"layers of spans"}, name
        again = list(FORMATS[name].documents(tmp_path / name))
        assert sorted(len(document.relations) for document in again) == [0, 1], name


@pytest.mark.parametrize("format", ["bioc", "cas", "jsonl", "parquet"])
def test_an_empty_list_of_relations_is_none_and_a_record_without_it_is_unknown(tmp_path, format):
    if FORMATS[format].package:
        pytest.importorskip(FORMATS[format].package)
    nobody = {"text": "nobody", "names": []}
    path = write_lines(
        tmp_path / "x.jsonl", {**nobody, "ties": []}, TIES, nobody, {**nobody, "ties": None}, {"text": "x"}
    )
    layers = [("ties",), ("ties",), (), (), ("",)]
    assert [document.relation_layers for document in read("jsonl", path)] == layers
    assert converted(path, tmp_path / "data", format).is_complete
    convert(Side(tmp_path / "data", FORMATS[format]), Side(tmp_path / "y.jsonl", FORMATS["jsonl"]))
    assert [document.relation_layers for document in read("jsonl", tmp_path / "y.jsonl")] == layers
    records = [json.loads(line) for line in (tmp_path / "y.jsonl").read_text("utf-8").splitlines()]
    assert [record.get("ties") == [] for record in records] == [True, False, False, False, False]
    assert converted(path, tmp_path / "brat", "brat", lossy=True).losses == {
        "layers of spans": 4, "layers of relations": 2, "documents whose relations were not annotated": 2,
    }  # fmt: skip


def test_values_of_relations_are_kept(tmp_path):
    tie = {
        "head": 1,
        "tail": 0,
        "label": "r",
        "id": "R7",
        "score": 0.5,
        "kind": "past",
        "symmetric": True,
        "roles": ["a", "b"],
    }
    path = write_lines(tmp_path / "x.jsonl", {**TIES, "relations": [tie]})
    document = read("jsonl", path)[0]
    relation = next(item for item in document.relations if item.id == "R7")
    assert (relation.score, relation.symmetric, relation.layer) == (0.5, True, "")
    assert relation.attributes == (Attribute("kind", "past"),)
    assert [role for role, _ in relation.arguments] == ["a", "b"]
    assert converted(path, tmp_path / "y.jsonl", "jsonl").is_complete
    assert canonical(read("jsonl", tmp_path / "y.jsonl")[0]) == canonical(document)


def test_a_head_is_the_span_with_its_fragments_and_its_id(tmp_path):
    parts = {"start": 0, "end": 18, "label": "PERSON", "fragments": [[0, 3], [14, 18]], "id": "a"}
    whole = {"start": 0, "end": 18, "label": "PERSON", "id": "b"}
    ends = [parts, whole, {**whole, "id": "c"}]
    record = {"text": TIES["text"], "names": ends, "ties": [{"head": ends[0], "tail": ends[2], "label": "r"}]}
    path = write_lines(tmp_path / "x.jsonl", record)
    assert [target for _, target in read("jsonl", path)[0].relations[0].arguments] == ["a", "c"]
    assert converted(path, tmp_path / "y.jsonl", "jsonl").is_complete


@pytest.mark.parametrize(
    ("tie", "says"),
    [
        ({"head": 0, "tail": 2, "label": "r"}, '"ties" gives the place 2, and the record has 2 spans. Places begin with 0.'),
        ({"head": 0, "tail": 1}, 'there is no "label"'),
        ({"head": "T1", "tail": 1, "label": "r"}, 'the head of a relation of "ties" is "T1", not a span of the record.'),
        ({"head": 0, "tail": {**ACME, "end": 17}, "label": "r"}, 'the tail of a relation of "ties" is {"start": 14, "end": 17'),
        ({"head": 0, "tail": {"start": [1], "label": "COMPANY"}, "label": "r"}, 'the tail of a relation of "ties" is '),
        ({"head": 0, "tail": 1, "label": "r", "roles": ["a"]}, 'a relation of "ties" has "roles": ["a"]. They must be two'),
    ],
)  # fmt: skip
def test_an_invalid_relation_is_an_error_of_its_line(tmp_path, tie, says):
    with pytest.raises(UserError) as caught:
        read("jsonl", write_lines(tmp_path / "x.jsonl", {**TIES, "ties": [tie]}))
    assert f"{tmp_path}/x.jsonl:1" in str(caught.value) and says in str(caught.value)


def test_a_place_in_several_lists_of_spans_is_refused(tmp_path):
    record = {**TIES, "amounts": [{"start": 4, "end": 9, "label": "A"}]}
    with pytest.raises(UserError, match='"ties" gives the place of a span, and the record has 2 lists of spans'):
        read("jsonl", write_lines(tmp_path / "x.jsonl", record))


@pytest.mark.parametrize("format", ["bioc", "cas", "parquet"])
@pytest.mark.parametrize("name", ["transaction_relations", "medical_assertions"])
def test_a_task_reads_the_same_gold_after_two_conversions(tmp_path, name, format):
    if FORMATS[format].package:
        pytest.importorskip(FORMATS[format].package)
    task = Task.load(name)
    source = task.folder / task.files["dev"][0]
    assert converted(source, tmp_path / "data", format).is_complete
    convert(Side(tmp_path / "data", FORMATS[format]), Side(tmp_path / "dev.jsonl", FORMATS["jsonl"]))
    found = READERS["jsonl"].read(tmp_path / "dev.jsonl", task.all_fields)
    assert [document.gold for document in found] == [document.gold for document in task.read("dev")]
