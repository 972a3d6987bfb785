"""Findings of a run as predictions for annotation tools."""

from __future__ import annotations

import json

import tiny
from typer.testing import CliRunner

from electra_ie import Extractor
from electra_ie.cli.app import app
from electra_ie.formats import FORMATS
from electra_ie.inference.suggestions import suggestions


def test_suggestions_are_the_findings_of_the_run_the_least_certain_text_first(run):
    documents = [document.unlabeled() for document in tiny.documents(8)]
    extractor = Extractor.from_pretrained(run)
    suggested = suggestions(extractor, documents)
    assert {document.id for document in suggested} == {document.id for document in documents}
    assert all(document.predicted for document in suggested)
    by_id = {document.id: document for document in documents}
    for document in suggested:
        findings = extractor(by_id[document.id].text)
        spans = {(span.start, span.end, span.label, span.score) for span in document.spans}
        assert spans == {(item.start, item.end, item.label, item.score) for item in findings if item.text is not None}
    lowest = [
        min([*(span.score for span in document.spans), *sum(document.label_scores.values(), ())], default=2.0)
        for document in suggested
    ]
    assert lowest == sorted(lowest)


def test_command_writes_predictions_for_a_tool_and_refuses_a_format_without_them(run, tmp_path):
    texts = tmp_path / "texts.jsonl"
    texts.write_text(
        "".join(json.dumps({"id": item.id, "text": item.text}) + "\n" for item in tiny.documents(3)), "utf-8"
    )
    command = ["suggest", str(run), str(texts), "--to"]
    result = CliRunner().invoke(app, [*command, "label_studio", "--output", str(tmp_path / "tasks.json")])
    assert result.exit_code == 0, result.output
    read = list(FORMATS["label_studio"].documents(tmp_path / "tasks.json"))
    assert len(read) == 3
    assert all(document.predicted for document in read)
    result = CliRunner().invoke(app, [*command, "conll", "--output", str(tmp_path / "tasks.conll")])
    assert result.exit_code == 1
    assert not (tmp_path / "tasks.conll").exists()


def test_command_refuses_an_output_that_exists_before_it_loads_the_run(tmp_path):
    (tmp_path / "tasks.json").write_text("mine", "utf-8")
    result = CliRunner().invoke(
        app, ["suggest", "no_run", "no_text", "--to", "label_studio", "--output", str(tmp_path / "tasks.json")]
    )
    assert "this path exists" in str(result.exception)
    assert (tmp_path / "tasks.json").read_text("utf-8") == "mine"
