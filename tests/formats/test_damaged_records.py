"""Records of annotation tools with any value replaced: read, or refused by line, and never a traceback."""

from __future__ import annotations

import copy
from itertools import product

import pytest
import test_argilla
import test_label_studio
import test_label_studio_min
import test_prodigy
from tool_files import faults, read, write_array, write_lines

from electra_ie.common.errors import UserError
from electra_ie.formats.annotations import canonical

JUNK = (None, True, 3, -1, 0.5, "", "x", [], [3], ["x"], [{}], {}, {"x": 1}, {"start": 0}, {"value": None})
LABEL_STUDIO = test_label_studio.task(
    test_label_studio.annotation(
        test_label_studio.region(2, 6, "ACME", "A", meta={"text": ["x"]}),
        {"value": {"choices": ["high"]}, "id": "r1", "from_name": "trust", "type": "choices"},
        {"value": {"choices": ["a"]}, "id": "c", "from_name": "risk", "type": "choices", "score": 0.5, "scores": [0.5]},
        {"value": {"taxonomy": [["a"]]}, "id": "r1", "from_name": "place", "type": "taxonomy"},
        {"value": {"taxonomy": [["a"]]}, "id": "t", "from_name": "place", "type": "taxonomy"},
        {"from_id": "r1", "to_id": "r1", "type": "relation", "direction": "bi", "labels": ["knows"]},
        parent_prediction=5,
    ),
    predictions=[{"id": 5, "result": [{"id": "r1", "type": "labels"}]}],
)
DOCCANO = {
    "id": 1, "text": "ACME paid", "Comments": [{"comment": "x"}], "cats": ["x"],
    "entities": [{"id": 1, "label": "A", "start_offset": 0, "end_offset": 4}],
    "relations": [{"id": 1, "from_id": 1, "to_id": 1, "type": "x"}],
}  # fmt: skip
PRODIGY = test_prodigy.record(
    tokens=test_prodigy.TOKENS, spans=[test_prodigy.ACME], options=[{"id": "a", "score": 0.5}], accept=["a"], meta={"a": 1},
    relations=[
        {"head": 1, "child": 1, "label": "x"}, {"head": 1, "child": 1, "label": "x", "head_span": test_prodigy.ACME},
    ],
)  # fmt: skip
ARGILLA = test_argilla.record(
    spans=[test_argilla.ACME], risk=["x"],
    suggestions={"spans": test_argilla.suggestion([test_argilla.ACME], [0.5]), "risk": test_argilla.suggestion(["x"], [0.5])},
)  # fmt: skip
SERVER = ARGILLA | {
    "responses": [{"values": {"risk": {"value": "x"}}, "user_id": "u", "status": "submitted"}],
    "suggestions": [{"question_name": "risk", "value": "x", "score": 0.5}],
}
MIN = test_label_studio_min.record(
    label=[test_label_studio_min.region(5, 9, "ACME", "A")], topics={"choices": ["a"]},
    trust=[{"start": 5, "end": 9, "text": "ACME", "choices": ["high"]}],
)  # fmt: skip
JSON_LINES = {
    "id": "1", "text": "ACME paid", "risk": ["fraud"], "kind": "a", "names": [
        {"start": 0, "end": 4, "text": "ACME", "label": "PAYER", "id": "T1", "attributes": [["b", None], ["a", "x"]],
         "references": [["MeSH", "D1", "n"]], "notes": ["x"], "score": 0.5, "origin": "person"},
        {"start": 5, "end": 9, "fragments": [[5, 6], [8, 9]], "label": "VERB", "id": "T2"},
    ],
    "_layers": ["names"], "_notes": ["x"], "_metadata": {"a": 1}, "_predicted": True,
    "_scores": {"risk": [0.5]}, "_origins": {"risk": "person"},
    "_relations": [{"id": "R1", "label": "r", "arguments": [["Arg1", "T1"], ["Arg2", "T2"]], "symmetric": True}],
    "_events": [{"id": "E1", "label": "e", "trigger": "T2", "arguments": [["by", "T1"]]}],
}  # fmt: skip
WHOLE = [
    ("label_studio", LABEL_STUDIO), ("label_studio_min", MIN), ("doccano", DOCCANO),
    ("doccano", {"text": "ACME paid", "label": [[0, 4, "A"]]}), ("prodigy", PRODIGY), ("argilla", ARGILLA),
    ("argilla", SERVER),
]  # fmt: skip


def places(value, path=()):
    """Yield the paths to all values in a record."""
    yield path
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*path, key))


def replaced(record, path, junk):
    record = copy.deepcopy(record)
    inner = record
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = junk
    return record


@pytest.mark.parametrize(("name", "record"), WHOLE)
def test_a_damaged_record_is_read_or_refused_by_line(tmp_path, name, record):
    """All places and values, of which random draws miss some."""
    write, line = (write_lines, 1) if name in ("doccano", "prodigy") else (write_array, 2)
    for path, junk in product(filter(None, places(record)), JUNK):
        file = write(tmp_path / "x.json", replaced(record, path, junk))
        message = position = f"{file}:{line}: "
        try:
            read(name, file)
        except UserError as error:
            message = str(error)
        assert message.startswith(position), (path, junk)


def test_each_value_of_json_lines_of_another_type_is_read_or_refused_by_line(tmp_path):
    """All places and values, since they are this package's own: what is read can be compared, which needs its types."""
    for path in filter(None, places(JSON_LINES)):
        records = [replaced(JSON_LINES, path, junk) for junk in JUNK]
        documents, errors = faults("jsonl", write_lines(tmp_path / "x.jsonl", *records))
        assert all(map(canonical, documents)), path
        found = [document.line for document in documents] + [int(error.partition(": ")[0]) for error in errors]
        assert sorted(found) == list(range(1, len(JUNK) + 1)), path


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("_layers", "names", '"_layers" is "names". It must be a list.'),
        ("_layers", [3], '"_layers" contains 3. It must be a text in quotes.'),
        ("names", 3, '"names" is 3. It must be a list.'),
        ("_relations", {}, '"_relations" is {}. It must be a list.'),
        ("_relations", [{"label": "r"}], 'there is no "arguments" in {"label": "r"}.'),
        ("_relations", [{"label": "r", "arguments": ["T1"]}], '"arguments" contains "T1". It must be a list [role, id].'),
        ("_events", [3], "3 is not an object."),
        ("_notes", "x", '"_notes" is "x". It must be a list.'),
        ("_metadata", [], '"_metadata" is []. It must be an object.'),
        ("_predicted", "no", '"_predicted" is "no". It must be true or false.'),
        ("_scores", {"risk": [True]}, "label_scores is {'risk': (True,)}; scores are numbers"),
        ("_origins", {"risk": []}, '"risk" is []. It must be a text.'),
        ("id", [], '"id" is []. An id must be a text that is not empty, or a whole number.'),
    ],
)  # fmt: skip
def test_a_wrong_type_in_json_lines_says_what_was_found_and_what_was_expected(tmp_path, key, value, message):
    write_lines(tmp_path / "x.jsonl", JSON_LINES, {**JSON_LINES, "id": "2", key: value})
    (document,), (error,) = faults("jsonl", tmp_path / "x.jsonl")
    assert document.id == "1" and error.startswith("2: ") and message in error


@pytest.mark.parametrize("path", [path for path in places(JSON_LINES) if path and isinstance(path[-1], str)])
def test_null_in_json_lines_is_the_same_as_no_key(tmp_path, path):
    absent = copy.deepcopy(JSON_LINES)
    inner = absent
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    found = []
    for record in (replaced(JSON_LINES, path, None), absent):
        documents, errors = faults("jsonl", write_lines(tmp_path / "x.jsonl", record))
        found.append((len(errors), [document for document in documents if path[0] != "_metadata"]))
    assert found[0] == found[1]


def test_values_of_spans_that_are_no_texts_are_counted(tmp_path, capsys):
    span = {"start": 0, "end": 4, "label": "PAYER", "sure": "yes", "rank": 3, "none": None}
    (document,) = read("jsonl", write_lines(tmp_path / "x.jsonl", {"text": "ACME paid", "names": [span]}))
    assert [(entry.name, entry.value) for entry in document.spans[0].attributes] == [("sure", "yes")]
    assert (
        capsys.readouterr().err
        == f'warning: {tmp_path}/x.jsonl: 1 values of "rank" in spans or relations are no texts, and not read.\n'
    )


@pytest.mark.parametrize(("name", "record"), WHOLE)
def test_the_whole_record_is_valid(tmp_path, name, record):
    write = write_lines if name in ("doccano", "prodigy") else write_array
    (document,) = read(name, write(tmp_path / "x.json", record))
    assert document.spans or document.labels
