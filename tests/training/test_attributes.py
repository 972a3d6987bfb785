"""Training, extraction and scoring of attributes of spans, with a tiny encoder."""

from __future__ import annotations

import json
import re

import asserted
import pytest
import tiny
import torch
from command_line import command
from hub_server import running, use_hub
from huggingface_hub import close_session
from processes import run_two
from safetensors.torch import load_file
from second_stage_runs import check_audit, check_damage
from training_facts import check_facts
from transformers import pipeline

import electra_ie
from electra_ie.common.errors import UserError
from electra_ie.data.anchored.marked_spans import marked
from electra_ie.data.document import Document
from electra_ie.data.in_memory import resolve
from electra_ie.inference.attribute_scoring import score_attributes
from electra_ie.inference.extractor import Extractor
from electra_ie.runs.layout import is_finished, load_task
from electra_ie.runs.provenance import verify

TEXT = asserted.records(3, 7)[2]["text"]
TRAIN = {"head_learning_rate": 2e-2, "max_steps": 60, "num_evaluations": 1}


def train(encoder, folder, preset="supervised", fields=asserted.BOTH, **settings):
    return electra_ie.train(
        asserted.data(), folder, fields=fields, **{**tiny.settings(encoder("bert"), preset), **TRAIN, **settings}
    )


@pytest.fixture(scope="module")
def run(encoder, tmp_path_factory):
    """A supervised run that has learned the attribute, and relations of the same spans."""
    return train(encoder, tmp_path_factory.mktemp("attributes") / "run").path


@pytest.fixture(scope="module")
def extractor(run):
    return Extractor.from_pretrained(run)


def test_an_extractor_that_is_saved_into_its_own_folder_keeps_all_models(extractor, tmp_path):
    extractor.save_pretrained(tmp_path / "saved")
    again = Extractor.from_pretrained(tmp_path / "saved")
    (before,) = again.read([Document("d", TEXT)])
    assert any(finding.attributes for finding in before.findings)
    again.save_pretrained(tmp_path / "saved" / ".." / "saved")
    (after,) = Extractor.from_pretrained(tmp_path / "saved").read([Document("d", TEXT)])
    assert after.record() == before.record()


def test_each_finding_has_the_attribute_of_a_stock_model(run, extractor):
    assert not (run / "checkpoint").exists()
    (result,) = extractor.read([Document("d", TEXT)])
    classify = pipeline("text-classification", model=str(run / "assertion"), device="cpu")
    for finding, record in zip(result.findings, result.record()["findings"], strict=True):
        if finding.label == "person":
            (best,) = classify([marked(TEXT, (finding.span,))])
            expected = {"assertion": {"label": best["label"], "score": pytest.approx(best["score"], abs=1e-4)}}
            assert record["attributes"] == expected
        else:
            assert record["attributes"] == {}
    assert {each.head.attributes for each in result.relations} <= {each.attributes for each in result.findings}
    assert result.relations
    assert "attributes" not in result.record()["relations"][0]["head"]


def test_the_attribute_is_learned_and_scored_beside_the_rule(run):
    scores = electra_ie.evaluate(run, "dev", data=asserted.data()["dev"])["assertion"]
    metrics = scores.metrics
    assert scores.metric == "f1"
    assert metrics["support"] == metrics["given_spans"]["support"] == metrics["rule_baseline"]["support"] == 20
    assert metrics["given_spans"]["accuracy"] > 0.8
    assert metrics["given_spans"]["accuracy"] >= scores.value > 0.5
    assert metrics["rule_baseline"]["rule"] == "cue words"
    assert metrics["rule_baseline"]["accuracy"] == metrics["rule_baseline"]["macro_f1"] == 1
    low, high = metrics["given_spans"]["intervals"]["accuracy"]
    assert low <= metrics["given_spans"]["accuracy"] <= high
    assert scores.interval[0] <= scores.value <= scores.interval[1]


def test_an_error_in_a_span_counts_against_the_strict_score_only(extractor):
    records = asserted.records(4, 2)
    for record in records:
        for span in record["names"]:
            span["end"] -= span["label"] == "person"
    documents = resolve(records, None, (), fields=asserted.BOTH)[0].read("train")
    scores = score_attributes(extractor, documents, list(extractor.read(documents)))["assertion"]
    assert scores["f1"] == 0
    assert scores["given_spans"]["support"] == 8
    assert scores["rule_baseline"]["accuracy"] == 1


def test_gold_spans_without_an_attribute_take_no_part_in_the_scores(extractor):
    records = asserted.records(6, 2)
    fields = {**asserted.FIELDS, "assertion": {**asserted.FIELDS["assertion"]}}
    del fields["assertion"]["default"]
    documents = resolve(records, None, (), fields=fields)[0].read("train")
    results = list(extractor.read(documents))
    written = [span["assertion"] for record in records for span in record["names"] if "assertion" in span]
    scores = score_attributes(extractor, documents, results)["assertion"]
    assert 0 < scores["support"] == len(written) < 12
    of_gold = [{(span["start"], span["end"]): "assertion" in span for span in record["names"]} for record in records]
    counted = [
        finding
        for labeled, result in zip(of_gold, results, strict=True)
        for finding in result.findings
        if finding.attributes and labeled.get((finding.start, finding.end), True)
    ]
    assert (
        scores["found"] == len(counted) < sum(bool(each.attributes) for result in results for each in result.findings)
    )
    assert scores["labels"]["present"]["support"] == 0


def test_findings_are_the_same_alone_and_together(extractor):
    texts = [*(each["text"] for each in asserted.records(9, 8)), "today", "", "9.123"]
    together = [result.record() for result in extractor.read([Document("d", text) for text in texts])]
    assert together == [next(extractor.read([Document("d", text)])).record() for text in texts]
    assert any(finding["attributes"] for finding in together[0]["findings"])


def test_the_card_has_scores_beside_the_rule_and_code_that_runs(run, monkeypatch):
    card = (run / "README.md").read_text("utf-8")
    section = card[card.index("## Attributes") :]
    assert "| assertion | attributes: one of, for each span | present, negated, historical |" in card
    assert "It reads the spans person. A gold span of which nothing was said counted as present." in section
    assert re.search(r"\| rule baseline: cue words \| 20 \| 1\.000 ", section)
    code = re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]
    monkeypatch.chdir(run)
    names: dict[str, object] = {}
    exec(code, names)  # noqa: S102 - the code of the card
    (answer,) = names["classify_assertion"]("@ * person * Arden @ paid")
    assert answer["label"] in asserted.CUES


def test_a_damaged_or_missing_model_is_one_line(run, tmp_path):
    check_damage(run, tmp_path / "run", "assertion", "spans")


def test_the_run_writes_the_facts_of_their_type(run):
    check_facts(run, "relations", "attributes")


def test_the_audit_covers_the_model(run, tmp_path):
    check_audit(run, tmp_path / "run", "assertion")


@pytest.mark.slow
def test_an_interrupted_run_is_completed_to_the_same_bytes(run, tmp_path, encoder, monkeypatch):
    """The process ends while the attributes are added: the relations are trained already."""
    from electra_ie.training import second_stage

    add = second_stage.add_anchored

    def ends(run, trained, field, rules):
        if field.kind == "attributes":
            raise KeyboardInterrupt
        add(run, trained, field, rules)

    monkeypatch.setattr(second_stage, "add_anchored", ends)
    with pytest.raises(KeyboardInterrupt):
        train(encoder, tmp_path / "run")
    assert not is_finished(tmp_path / "run")
    monkeypatch.undo()
    train(encoder, tmp_path / "run", resume=True)
    for name in ("links/model.safetensors", "assertion/model.safetensors", "assertion/config.json"):
        assert (tmp_path / "run" / name).read_bytes() == (run / name).read_bytes()
    assert not (tmp_path / "run" / "checkpoint").exists()
    assert not verify(tmp_path / "run").differences


@pytest.mark.slow
def test_the_pool_teaches_attributes_too(encoder, tmp_path):
    result = train(encoder, tmp_path / "run", "self_training", asserted.FIELDS, max_steps=30)
    summary = result.scores.training["attributes"]["assertion"]
    assert summary["spans"] == sum(summary["labels"].values()) == 48
    assert summary["unlabeled_spans"] > 0
    assert load_task(result.path).attributes[0].labels == ("present", "negated", "historical")


def test_without_a_labeled_attribute_nothing_is_written(encoder, tmp_path):
    data = asserted.data()
    for record in data["train"]:
        record["assertion"] = None
    with pytest.raises(UserError, match="no labeled document has an attribute of assertion"):
        electra_ie.train(data, tmp_path / "run", fields=asserted.FIELDS, **tiny.settings(encoder("bert"), "supervised"))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_extract_writes_attributes_in_each_format(run, encoder, tmp_path, monkeypatch):
    import csv

    import pyarrow.parquet

    inbox = tmp_path / "inbox.txt"
    inbox.write_text(TEXT, encoding="utf-8")
    page = tmp_path / "page.html"
    assert command(monkeypatch, "extract", run, inbox, "--output", tmp_path / "out.jsonl", "--html", page) == 0
    findings = json.loads((tmp_path / "out.jsonl").read_text("utf-8"))["findings"]
    said = next(each for each in findings if each["attributes"])["attributes"]["assertion"]
    assert f" · {said['label']} {said['score']:.2f}" in page.read_text("utf-8")
    assert "<li>none</li>" not in page.read_text("utf-8")
    assert command(monkeypatch, "extract", run, inbox, "--output", tmp_path / "out.parquet") == 0
    (row,) = pyarrow.parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert [each["attributes"]["assertion"] for each in row["findings"]] == [
        each["attributes"].get("assertion") for each in findings
    ]
    alone = train(encoder, tmp_path / "run", fields=asserted.FIELDS).path
    assert command(monkeypatch, "extract", alone, inbox, "--output", tmp_path / "out.csv") == 0
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    of_persons = {row["attribute_assertion"] for row in rows if row["label"] == "person"}
    assert of_persons <= set(asserted.CUES)
    assert {row["attribute_assertion_score"] for row in rows if row["label"] == "amount"} == {""}


def test_a_label_of_an_attribute_is_no_filter_of_findings(run, tmp_path, monkeypatch, capsys):
    (tmp_path / "inbox.txt").write_text(TEXT, encoding="utf-8")
    assert command(monkeypatch, "extract", run, tmp_path / "inbox.txt", "--label", "negated") == 2
    assert 'no field has the label "negated"' in capsys.readouterr().err


def test_check_counts_attributes(tmp_path):
    records = asserted.records(6)
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records), encoding="utf-8")
    task = {"format": "jsonl", "files": {"train": "train.jsonl"}, "fields": asserted.FIELDS}
    (tmp_path / "task.yaml").write_text(json.dumps(task), encoding="utf-8")
    report = electra_ie.check(tmp_path / "task.yaml")
    counts = {each.label: each.counts["train"] for each in report.labels if each.field == "assertion"}
    assert sum(counts.values()) == 12
    written = [span["assertion"] for record in records for span in record["names"] if "assertion" in span]
    assert counts["negated"] == written.count("negated")


def test_distilled_models_have_no_attributes(run, tmp_path):
    with pytest.raises(
        UserError, match=r"a run with attributes and relations \(assertion, links\) cannot be distilled"
    ):
        electra_ie.distill(run, tmp_path / "distilled", layers=1)


def test_saved_extractors_have_the_model(extractor, tmp_path):
    extractor.save_pretrained(tmp_path / "saved")
    again = Extractor.from_pretrained(tmp_path / "saved")
    before, after = (next(each.read([Document("d", TEXT)])).record()["findings"] for each in (extractor, again))
    assert before == after


def test_a_pushed_run_loads_with_its_attributes_from_the_hub(run, extractor, monkeypatch, tmp_path):
    token = "hf_writer" + "0123456789abcdefghij" * 2
    with running(tokens={token: "write"}) as server:
        use_hub(monkeypatch, server.url, tmp_path)
        monkeypatch.setenv("HF_TOKEN", token)
        electra_ie.push_to_hub(run, "acme/cases", private=True)
        assert {f"assertion/{name}" for name in ("model.safetensors", "config.json")} <= server.files(
            "acme/cases"
        ).keys()
        found = electra_ie.Extractor.from_pretrained("acme/cases")(TEXT)
        assert found == extractor(TEXT)
        assert found[0].attributes
        assert electra_ie.verify("acme/cases").same
        close_session()


def test_the_server_has_a_schema_for_attributes(extractor):
    schemas = pytest.importorskip("electra_ie.serving.schemas", reason="the extra serve is not installed")
    record = next(extractor.read([Document("d", TEXT)])).record()
    found = schemas.Result.model_validate(record).findings
    assert [each.model_dump()["attributes"] for each in found] == [each["attributes"] for each in record["findings"]]


@pytest.mark.slow
def test_two_processes_train_like_one(encoder, tmp_path):
    """The weights of one process and of two differ only by the rounding of sums."""
    settings = {**tiny.settings(encoder("bert"), "self_training"), **TRAIN, "max_steps": 4}
    call = {"data": asserted.data(), "fields": asserted.BOTH, **settings}
    alone = electra_ie.train(call["data"], tmp_path / "alone", fields=asserted.BOTH, **settings).path
    (tmp_path / "call.json").write_text(json.dumps(call), encoding="utf-8")
    program = (
        "import json, sys, electra_ie\n"
        "call = json.load(open(sys.argv[1]))\n"
        "electra_ie.train(call.pop('data'), sys.argv[2], **call)\n"
    )
    run_two(lambda rank: ["-c", program, str(tmp_path / "call.json"), str(tmp_path / "both")])
    assert is_finished(tmp_path / "both")
    for name in ("assertion", "links"):
        one, both = (load_file(each / name / "model.safetensors") for each in (alone, tmp_path / "both"))
        for key, tensor in one.items():
            assert torch.allclose(tensor, both[key], atol=5e-3), (name, key)
