"""Training, extraction and scoring of relations, with a tiny encoder."""

from __future__ import annotations

import json

import linked
import pytest
import tiny
import yaml
from command_line import command
from second_stage_runs import check_audit, check_damage
from training_facts import check_facts
from transformers import pipeline

import electra_ie
from electra_ie.common.errors import UserError
from electra_ie.data.anchored.marked_spans import marked
from electra_ie.data.document import Document, Span
from electra_ie.data.in_memory import resolve
from electra_ie.inference.extractor import Extractor
from electra_ie.inference.relation_scoring import score_relations
from electra_ie.runs.layout import is_finished, load_task
from electra_ie.runs.provenance import verify

TEXT = linked.records(3, 7)[2]["text"]
TRAIN = {"head_learning_rate": 2e-2, "max_steps": 50, "num_evaluations": 1}


def train(encoder, folder, preset="supervised", **settings):
    return electra_ie.train(
        linked.data(), folder, fields=linked.FIELDS, **{**tiny.settings(encoder("bert"), preset), **TRAIN, **settings}
    )


@pytest.fixture(scope="module")
def run(encoder, tmp_path_factory):
    """A supervised run that has learned the relation `pays`."""
    return train(encoder, tmp_path_factory.mktemp("relations") / "run").path


@pytest.fixture(scope="module")
def extractor(run):
    return Extractor.from_pretrained(run)


def test_a_run_has_a_stock_model_for_each_field_of_relations(run, extractor):
    assert not (run / "checkpoint").exists()
    (result,) = extractor.read([Document("d", TEXT)])
    reader = extractor.anchored_readers[0]
    spans = [Span(each.start, each.end, each.label) for each in result.findings]
    classify = pipeline("text-classification", model=str(run / "links"), device="cpu")
    found = {}
    for pair in reader.rules.candidates(TEXT, spans):
        (best,) = classify([marked(TEXT, pair)])
        if best["label"] != "no relation":
            found[pair] = (best["label"], round(best["score"], 4))
    assert found
    ours = {(each.relation.head, each.relation.tail): each for each in result.relations}
    for (head, tail), (label, probability) in found.items():
        each = ours[min(head, tail), max(head, tail)] if label == "knows" else ours[head, tail]
        assert each.label == label
        assert each.score == pytest.approx(probability * each.head.score * each.tail.score, abs=2e-4)


def test_scores_are_strict_without_labels_and_given_the_spans(run):
    scores = electra_ie.evaluate(run, "dev", data=linked.data()["dev"])["links"]
    assert scores.metric == "f1"
    assert scores.metrics["support"] == 20
    assert scores.metrics["labels"]["pays"]["support"] == 10
    assert scores.metrics["given_spans"]["f1"] >= scores.value > 0.3
    assert scores.metrics["boundaries"]["f1"] >= scores.value
    assert scores.interval[0] <= scores.value <= scores.interval[1]


def test_an_error_in_a_span_counts_against_the_strict_score_only(extractor):
    records = linked.records(4, 2)
    for record in records:
        record["names"][1]["label"] = "person"
    documents = resolve(records, None, (), fields=linked.FIELDS)[0].read("train")
    scores = score_relations(extractor, documents, list(extractor.read(documents)))["links"]
    assert scores["labels"]["pays"]["f1"] == 0
    assert scores["boundaries"]["recall"] > 0


def test_findings_are_the_same_alone_and_together(extractor):
    texts = [each["text"] for each in linked.records(9, 8)]
    together = [result.record() for result in extractor.read([Document("d", text) for text in texts])]
    alone = [next(extractor.read([Document("d", text)])).record() for text in texts]
    assert together == alone
    assert any(record["relations"] for record in together)


def test_texts_without_pairs_have_no_relations_and_keep_their_place(extractor):
    texts = ["today", TEXT, "", "Arden", TEXT, "today"]
    results = list(extractor.read([Document(str(place), text) for place, text in enumerate(texts)]))
    assert [result.document.id for result in results] == list("012345")
    assert results[1].record()["relations"] == results[4].record()["relations"] != []
    assert [len(results[place].relations) for place in (0, 2, 3, 5)] == [0, 0, 0, 0]


def test_a_damaged_or_missing_model_is_one_line(run, tmp_path):
    check_damage(run, tmp_path / "run", "links", "pairs")


def test_the_run_writes_the_facts_of_their_type(run):
    check_facts(run, "relations")


def test_the_audit_covers_the_models_of_relations(run, tmp_path):
    check_audit(run, tmp_path / "run", "links")


@pytest.mark.slow
def test_an_interrupted_run_is_completed_to_the_same_bytes(run, tmp_path, encoder, monkeypatch):
    """The process ends after the fields, and during the training of the relations."""
    from electra_ie.training import second_stage, trainer

    def ends(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(trainer, "train_anchored", ends)
    with pytest.raises(KeyboardInterrupt):
        train(encoder, tmp_path / "run")
    assert not (tmp_path / "run" / "links").exists()
    monkeypatch.undo()
    monkeypatch.setattr(second_stage, "add_anchored", ends)
    with pytest.raises(KeyboardInterrupt):
        train(encoder, tmp_path / "run", resume=True)
    monkeypatch.undo()
    with pytest.raises(UserError, match="the run has no model.safetensors"):
        Extractor.from_pretrained(tmp_path / "run")
    assert not is_finished(tmp_path / "run")
    with pytest.raises(UserError, match="learning_rate"):
        train(encoder, tmp_path / "run", resume=True, learning_rate=1e-5)
    monkeypatch.setattr(second_stage, "_complete", ends)
    with pytest.raises(KeyboardInterrupt):
        train(encoder, tmp_path / "run", resume=True)
    monkeypatch.undo()
    assert not is_finished(tmp_path / "run")
    train(encoder, tmp_path / "run", resume=True)
    assert "## Relations" in (tmp_path / "run" / "README.md").read_text("utf-8")
    assert not verify(tmp_path / "run").differences
    for name in ("links/model.safetensors", "links/config.json", "names/model.safetensors"):
        assert (tmp_path / "run" / name).read_bytes() == (run / name).read_bytes()
    assert not (tmp_path / "run" / "checkpoint").exists()


@pytest.mark.slow
def test_the_pool_teaches_relations_too(encoder, tmp_path):
    result = train(encoder, tmp_path / "run", "self_training", max_steps=20)
    summary = result.scores.training["relations"]["links"]
    assert (
        summary["pairs"] == 24 * 5
    )  # person and amount in both orders is not seen in training, person and person in one
    assert summary["related"] == 48
    assert summary["unlabeled_pairs"] > 0
    assert load_task(result.path).relations[0].labels == ("pays", "knows")


@pytest.mark.slow
def test_texts_of_the_pool_may_repeat_an_id(encoder, tmp_path):
    """Here those without a label budget are also in a file of unlabeled texts."""
    more = tmp_path / "more.jsonl"
    records = [{"id": each["id"], "text": each["text"]} for each in linked.data()["train"]]
    more.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    result = train(encoder, tmp_path / "run", "self_training", label_budget=12, unlabeled=[more])
    assert result.scores.training["relations"]["links"]["unlabeled_pairs"] > 0


def test_without_a_labeled_relation_nothing_is_written(encoder, tmp_path):
    data = linked.data()
    for record in data["train"]:
        record["links"] = []
    with pytest.raises(UserError, match="no labeled document has a relation of links"):
        electra_ie.train(data, tmp_path / "run", fields=linked.FIELDS, **tiny.settings(encoder("bert"), "supervised"))
    assert not (tmp_path / "run").exists()


def test_extract_writes_relations_in_each_format(run, tmp_path, monkeypatch):
    import pyarrow.parquet

    inbox = tmp_path / "inbox.txt"
    inbox.write_text(TEXT, encoding="utf-8")
    page = tmp_path / "page.html"
    assert command(monkeypatch, "extract", run, inbox, "--output", tmp_path / "out.jsonl", "--html", page) == 0
    record = json.loads((tmp_path / "out.jsonl").read_text("utf-8"))
    first = record["relations"][0]
    assert TEXT[first["head"]["start"] : first["head"]["end"]] == first["head"]["text"]
    assert page.read_text("utf-8").count("<tr>") == 1 + len(record["relations"])
    assert command(monkeypatch, "extract", run, inbox, "--output", tmp_path / "out.parquet") == 0
    (row,) = pyarrow.parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert row["relations"] == record["relations"]


def test_csv_has_no_place_for_relations(run, tmp_path, monkeypatch, capsys):
    (tmp_path / "inbox.txt").write_text(TEXT, encoding="utf-8")
    assert command(monkeypatch, "extract", run, tmp_path / "inbox.txt", "--output", tmp_path / "out.csv") == 2
    assert "CSV has no columns for relations (links). Write jsonl or parquet" in capsys.readouterr().err
    assert not (tmp_path / "out.csv").exists()


def test_filters_apply_to_relations_and_these_are_counted(run, tmp_path, monkeypatch, capsys):
    (tmp_path / "inbox.txt").write_text(TEXT, encoding="utf-8")
    arguments = ("extract", run, tmp_path / "inbox.txt", "--output", tmp_path / "out.jsonl", "--label", "knows")
    assert command(monkeypatch, *arguments) == 0
    record = json.loads((tmp_path / "out.jsonl").read_text("utf-8"))
    assert record["findings"] == []
    related = record["relations"]
    assert related and {each["label"] for each in related} == {"knows"}
    shown = f"{len(related)} findings ({len(related)} of them relations) -> "
    assert shown in capsys.readouterr().err
    assert command(monkeypatch, *arguments) == 0
    assert shown in capsys.readouterr().err, "from the manifest"


def test_check_and_tasks_count_relations(tmp_path, monkeypatch, capsys):
    records = linked.records(4)
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records), encoding="utf-8")
    fields = yaml.safe_dump({"format": "jsonl", "files": {"train": "train.jsonl"}, "fields": linked.FIELDS})
    (tmp_path / "task.yaml").write_text(fields, encoding="utf-8")
    report = electra_ie.check(tmp_path / "task.yaml")
    assert {(each.field, each.label): each.counts["train"] for each in report.labels if each.field == "links"} == {
        ("links", "pays"): 4,
        ("links", "knows"): 4,
    }
    assert command(monkeypatch, "tasks", tmp_path / "task.yaml") == 0
    assert "relations" in capsys.readouterr().out


def test_relations_that_no_pair_expresses_are_counted(encoder, tmp_path, capsys):
    data = linked.data()
    for record in data["train"]:
        record["links"].append({"head": 2, "tail": 1, "label": "knows"})  # of other labels than those in `between`
    between = {
        **linked.FIELDS,
        "links": {**linked.FIELDS["links"], "between": [["person", "person"], ["person", "amount"]]},
    }
    fields = {**between, "links": {**between["links"], "between": [["person", "person"]]}}
    result = electra_ie.train(
        data, tmp_path / "run", fields=fields, **{**tiny.settings(encoder("bert"), "supervised"), "max_steps": 4}
    )
    lost = result.scores.training["relations"]["links"]["not_expressed"]
    assert lost == {"between other labels": 48}
    assert "48 labeled relations of links are not trained on: 48 between other labels." in capsys.readouterr().err
    assert "were not trained on: 48 between other labels" in (result.path / "README.md").read_text("utf-8")


def test_pairs_that_exclude_every_relation_are_refused_before_training(encoder, tmp_path):
    fields = {**linked.FIELDS, "links": {**linked.FIELDS["links"], "between": [["amount", "amount"]]}}
    with pytest.raises(
        UserError, match=r"no labeled relation of links is between spans that the field considers \(amount to amount\)"
    ):
        electra_ie.train(linked.data(), tmp_path / "run", fields=fields, **tiny.settings(encoder("bert"), "supervised"))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_finished_run_with_relations_teaches_a_student(run, encoder, tmp_path):
    """As in a comparison: the teacher of the fields is given, that of the relations is trained."""
    settings = {**tiny.settings(encoder("bert"), "self_training"), **TRAIN}
    result = electra_ie.train(linked.data(), tmp_path / "run", fields=linked.FIELDS, teacher=run, **settings)
    assert result.scores["dev"]["links"].value is not None


def test_a_table_of_finished_runs_counts_relations(run, tmp_path):
    from electra_ie.comparison.finished import measure

    for split, records in linked.data().items():
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records), encoding="utf-8")
    measured = measure(run, "dev", str(tmp_path))
    scores = electra_ie.RunScores.read(run)["dev"]
    assert measured["score"] == pytest.approx((scores["names"].value + scores["links"].value) / 2)
