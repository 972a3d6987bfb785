"""Records of annotation tools with any value replaced: read, or refused by line, and never a traceback."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path

import pytest
import test_argilla
import test_label_studio
import test_label_studio_min
import test_prodigy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tool_files import read, write_array, write_lines

from electra_ie.common.errors import UserError

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
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_damaged_record_is_read_or_refused_by_line(name, record, data):
    path = data.draw(st.sampled_from([path for path in places(record) if path]))
    broken = replaced(record, path, data.draw(st.sampled_from(JUNK)))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "x.json"
        (write_lines if name in ("doccano", "prodigy") else write_array)(file, broken)
        position = f"{file}:{1 if name in ('doccano', 'prodigy') else 2}: "
        try:
            read(name, file)
        except UserError as error:
            message = str(error)
        else:
            message = position
    assert message.startswith(position)


@pytest.mark.parametrize(("name", "record"), WHOLE)
def test_the_whole_record_is_valid(tmp_path, name, record):
    write = write_lines if name in ("doccano", "prodigy") else write_array
    (document,) = read(name, write(tmp_path / "x.json", record))
    assert document.spans or document.labels
