"""The records of this package as people and `init` write them, without the key that names the layers."""

from __future__ import annotations

from tool_files import read, write_lines

from electra_ie.formats import FORMATS
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
