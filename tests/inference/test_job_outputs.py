"""Formats of findings, and filters."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from pyarrow import parquet
from test_job_inputs import put

from electra_ie import Extractor, UserError, extract
from electra_ie.inference.jobs.own_files import ROW
from electra_ie.inference.jobs.writers import Columns, csv_lines

TEXTS = ["invoice goods Arden paid 5.975,74 later than monday.", "", "river winter Brisk paid 3.100,20 all in green."]


@pytest.fixture
def memos(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return put("memos.jsonl", "".join(json.dumps({"id": f"={n}", "text": text}) + "\n" for n, text in enumerate(TEXTS)))


def read(file: str) -> list[dict]:
    return [json.loads(line) for line in Path(file).read_text("utf-8").splitlines()]


def test_formats_hold_the_same_findings(untrained, memos):
    for name in ("findings.jsonl", "findings.csv", "findings.parquet"):
        extract(untrained, [memos], name)
    records = read("findings.jsonl")
    assert [len(record["findings"]) > 0 for record in records] == [True, False, True]
    assert sum(finding["field"] == "names" for record in records for finding in record["findings"]) > 1
    table = parquet.read_table("findings.parquet").to_pylist()
    found = [
        [{key: value for key, value in each.items() if value is not None} for each in row["findings"]] for row in table
    ]
    assert [{**row, "findings": each} for row, each in zip(table, found, strict=True)] == [
        {key: record[key] for key in table[0]} for record in records
    ]
    rows = list(csv.DictReader(io.StringIO(Path("findings.csv").read_text("utf-8"), newline="")))
    expected = [{**record, **finding} for record in records for finding in record["findings"] or [{}]]
    for row, cells in zip(rows, expected, strict=True):
        assert row == {**{name: str(cells.get(name, "")) for name in ROW}, "id": f"'{cells['id']}"}


@pytest.mark.parametrize("beginning", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "'"])
def test_no_cell_of_csv_is_a_formula(beginning):
    finding = {"field": "f", "label": f"{beginning}l", "start": 0, "end": 2, "text": f"{beginning}1+1", "score": 0.5}
    record = {
        "id": f"{beginning}i",
        "file": f"{beginning}f",
        "characters": 9,
        "windows": 1,
        "model": "m",
        "version": "1",
    }
    (row,) = csv.reader(io.StringIO(csv_lines({**record, "findings": [finding]}, Columns()), newline=""))
    cells = dict(zip(ROW, row, strict=True))
    assert {name: cells[name] for name in ("id", "file", "label", "text", "start", "score")} == {
        "id": f"'{beginning}i", "file": f"'{beginning}f", "label": f"'{beginning}l", "text": f"'{beginning}1+1", "start": "0", "score": "0.5",
    }  # fmt: skip


def test_ending_or_option_chooses_the_format(untrained, memos):
    extract(untrained, [memos], "out.CSV", format="jsonl")
    assert len(read("out.CSV")) == 3
    extract(untrained, [memos], "out.txt", format="csv")
    stream = io.StringIO()
    extract(untrained, [memos], stream, format="csv")
    assert stream.getvalue() == Path("out.txt").read_text("utf-8")
    with pytest.raises(UserError, match='there is no format "xlsx" of findings. .*Valid: jsonl, csv, parquet'):
        extract(untrained, [memos], "out.xlsx", format="xlsx")
    with pytest.raises(UserError, match="Parquet is not written to standard output"):
        extract(untrained, [memos], io.StringIO(), format="parquet")


@pytest.mark.parametrize("name", ["out.xlsx", "out.TSV", "out.json", "out.jsonl.gz"])
def test_an_ending_of_another_format_is_refused_without_a_format(untrained, memos, name):
    ending = Path(name).suffix.lower()
    message = (
        f"{name}: findings are not written as {ending}. Give an output with the ending .jsonl, .csv or .parquet, or"
    )
    with pytest.raises(UserError, match=f"^{message}"):
        extract(untrained, [memos], name)
    assert not Path(name).exists()
    extract(untrained, [memos], name, format="jsonl")
    assert len(read(name)) == 3


def test_package_of_a_format_is_asked_for_before_anything_is_read(untrained, memos, monkeypatch):
    monkeypatch.setattr("electra_ie.common.packages.find_spec", lambda name: None)
    for options in ({"output": "out.parquet"}, {"output": "out.jsonl", "format": "parquet"}):
        with pytest.raises(UserError, match="Parquet needs the package pyarrow, which is not installed. Run: pip"):
            extract(untrained, [memos], **options)
    assert not Path("out.parquet").exists()


def test_filters_keep_findings_with_a_label_and_a_score(untrained, memos):
    everything = extract(untrained, [memos], "all.jsonl")
    found = [each for record in read("all.jsonl") for each in record["findings"]]
    scores = sorted(each["score"] for each in found)
    lowest = scores[len(scores) // 2]
    label = next(each["label"] for each in found if each["score"] >= lowest)
    some = extract(untrained, [memos], "some.jsonl", labels=[label, "late"], min_score=lowest)
    assert [record["id"] for record in read("some.jsonl")] == [record["id"] for record in read("all.jsonl")]
    for record, kept in zip(read("all.jsonl"), read("some.jsonl"), strict=True):
        passing = [each for each in record["findings"] if each["label"] in (label, "late") and each["score"] >= lowest]
        assert kept == {**record, "findings": passing}
    assert some["findings"] + some.left_out == everything["findings"]
    assert 0 < some["findings"] < everything["findings"]
    for options, message in (
        ({"labels": ["persn"]}, 'no field has the label "persn". Did you mean "person"'),
        ({"min_score": 2}, "the lowest score is 2"),
    ):
        with pytest.raises(UserError, match=message):
            extract(untrained, [memos], "none.jsonl", **options)


def test_html_page_has_the_filtered_findings(untrained, memos):
    (label,) = {each.label for each in Extractor.from_pretrained(untrained)(TEXTS[0]) if each.field == "topic"}
    extract(untrained, [memos], "found.jsonl", "page.html", labels=[label])
    page = Path("page.html").read_text("utf-8")
    assert label in page
    assert "<mark" not in page.split("<main>")[1]
