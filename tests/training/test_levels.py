"""Spans within spans of one label (scheme `levels`), and spans of several fragments, from training to findings."""

from __future__ import annotations

import csv
import json
import re
import shutil

import leveled
import pytest
import tiny
from pyarrow import parquet

import electra_ie
from electra_ie.common.errors import UserError
from electra_ie.data.document import Document, Span
from electra_ie.export.exporter import export_run
from electra_ie.formats.annotations import AnnotatedDocument
from electra_ie.formats.preannotations import preannotations
from electra_ie.inference.engine.exported import ExportedExtractor
from electra_ie.inference.extractor import Extractor
from electra_ie.inference.review import read_queue

TEXT = leveled.records(1, 9)[0]


def train(encoder, folder, preset="supervised", data=None, fields=leveled.FIELDS, **settings):
    given = {
        **tiny.settings(encoder("bert"), preset),
        "head_learning_rate": 2e-2,
        "max_steps": 120,
        "num_evaluations": 1,
    }
    return electra_ie.train(data or leveled.data(), folder, fields=fields, **{**given, **settings})


@pytest.fixture(scope="module")
def run(encoder, tmp_path_factory):
    return train(encoder, tmp_path_factory.mktemp("levels") / "run")


def gold(record):
    return {
        Span(each["start"], each["end"], each["label"], tuple(map(tuple, each.get("fragments", ()))))
        for each in record["names"]
    }


def test_nested_and_divided_spans_are_learned_and_found(run):
    scores = run.scores["dev"]["names"].metrics
    assert scores["overlapping"] == 0
    assert scores["fragments"]["support"] == 8
    assert scores["fragments"]["f1"] > 0.8
    assert {label: scores["labels"][label]["f1"] > 0.8 for label in ("house", "amount")} == {
        "house": True,
        "amount": True,
    }
    (result,) = run.extractor().read([Document("d", TEXT["text"])])
    found = [finding.span for finding in result.findings]
    assert found == sorted(found)
    assert set(found) == gold(TEXT) == set(result.answers["names"])
    (divided,) = (finding for finding in result.findings if finding.fragments)
    assert divided.text == TEXT["text"][divided.start : divided.end]
    assert run.scores.training["not_expressed"] == {"spans": 96, "overlapping": 0, "inside": 0, "divided": 0}


def test_the_code_of_the_card_finds_the_same_with_stock_transformers(run, monkeypatch):
    card = (run.path / "README.md").read_text("utf-8")
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", card, re.DOTALL) if "def find_names" in block]
    assert "electra_ie" not in code
    monkeypatch.chdir(run.path)
    names = {}
    exec(code, names)
    extractor = run.extractor()
    for record in leveled.records(6, 4):
        expected = [
            {
                **{"label": each.label, "start": each.start, "end": each.end, "text": each.text},
                "score": pytest.approx(each.score, abs=1e-4),
                **({"fragments": each.fragments} if each.fragments else {}),
            }
            for each in extractor(record["text"])
        ]
        assert any("fragments" in each for each in expected)
        assert names["find_names"](record["text"]) == expected
    assert "No pipeline fits `names`: each label has one or several sequences of tags" in card
    assert "(but in `names`, up to the number of levels), nor can a span of several pieces (but in `names`" in card


def test_the_names_of_the_outputs_tell_level_and_fragment(run):
    config = Extractor.from_pretrained(run.path).discriminator.heads["field_names"].model.config
    assert list(config.id2label.values()) == [
        f"{tag}{level}-{label}" for label in ("house", "amount") for level in ("", 2) for tag in "BIC"
    ]
    assert type(run.extractor().discriminator.heads["field_names"].model).__name__ == "BertForTokenClassification"
    assert "levels: 2" in (run.path / "task.yaml").read_text("utf-8")


@pytest.mark.parametrize("preset", ["self_training", "adversarial"])
def test_a_teacher_teaches_every_level(encoder, tmp_path, preset):
    result = train(encoder, tmp_path / "run", preset, max_steps=4)
    assert result.scores["dev"]["names"].value is not None
    assert result.scores.training["teacher"]


def test_the_latent_generator_refuses_levels(encoder, tmp_path):
    with pytest.raises(UserError, match="the preset latent does not generate states for the scheme levels"):
        train(encoder, tmp_path / "run", "latent")


def test_findings_keep_their_fragments_in_every_output(run, tmp_path):
    inbox = tmp_path / "inbox.jsonl"
    inbox.write_text(json.dumps({"id": "a", "text": TEXT["text"]}) + "\n", encoding="utf-8")
    page = tmp_path / "page.html"
    for ending in ("jsonl", "csv", "parquet"):
        electra_ie.extract(run.path, [inbox], tmp_path / f"found.{ending}", page if ending == "jsonl" else None)
    (divided,) = (finding for finding in run.extractor()(TEXT["text"]) if finding.fragments)
    expected = [list(pair) for pair in divided.fragments]
    record = json.loads((tmp_path / "found.jsonl").read_text("utf-8"))
    assert [each["fragments"] for each in record["findings"] if "fragments" in each] == [expected]
    rows = list(csv.DictReader((tmp_path / "found.csv").read_text("utf-8").splitlines()))
    assert sorted(row["fragments"] for row in rows) == ["", "", "", ";".join(f"{a} {b}" for a, b in divided.fragments)]
    (row,) = parquet.read_table(tmp_path / "found.parquet").to_pylist()
    assert [each["fragments"] for each in row["findings"] if each["fragments"]] == [expected]
    html = page.read_text("utf-8")
    assert html.count("amount 0.") >= 1
    assert "(1 of 2)" in html
    assert "(2 of 2)" in html
    (document,) = preannotations([AnnotatedDocument("a", TEXT["text"])], [record])
    assert divided.fragments in [span.fragments for span in document.spans]


def test_a_review_queue_keeps_the_fragments(run, tmp_path):
    inbox, queue = tmp_path / "inbox.jsonl", tmp_path / "queue.jsonl"
    inbox.write_text(json.dumps({"id": "a", "text": TEXT["text"]}) + "\n", encoding="utf-8")
    electra_ie.extract(run.path, [inbox], tmp_path / "found.jsonl", review=queue)
    record = json.loads(queue.read_text("utf-8"))
    for finding in record["findings"]:
        finding["correct"] = True
    queue.write_text(json.dumps(record) + "\n", encoding="utf-8")
    (document,) = read_queue(queue, run.extractor().fields)
    assert set(document.gold["names"]) == gold(TEXT)


def test_scores_are_calibrated_and_uncertainty_is_measured(run, tmp_path):
    copy = shutil.copytree(run.path, tmp_path / "copy")
    (tmp_path / "dev.jsonl").write_text("".join(json.dumps(each) + "\n" for each in leveled.records(8, 2)), "utf-8")
    result = electra_ie.calibrate(copy, ["recall=0.05:amount"], data=tmp_path)
    assert result.met
    documents = [Document("d", TEXT["text"]), Document("e", "later")]
    assert all(0 <= each["names"] <= 1 for each in run.extractor().reader().uncertainties(documents))


@pytest.mark.slow  # the graph of a run of one sequence is exported by tests/export
def test_an_exported_model_finds_the_same(run, tmp_path):
    (tmp_path / "texts.txt").write_text("\n".join(each["text"] for each in leveled.records(6, 4)), encoding="utf-8")
    exported = export_run(run.path, tmp_path / "exported", texts=[tmp_path / "texts.txt"])
    assert exported.comparison.other_findings == 0
    assert list(ExportedExtractor.from_pretrained(tmp_path / "exported")(TEXT["text"])) == list(
        run.extractor()(TEXT["text"])
    )
