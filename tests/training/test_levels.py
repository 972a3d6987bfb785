"""Spans within spans of one label (scheme `levels`), and spans of several fragments, from training to findings."""

from __future__ import annotations

import csv
import json
import re
import shutil

import leveled
import pytest
import torch
import yaml
from hub_server import running, use_hub
from huggingface_hub import close_session
from pyarrow import parquet
from served import served

import electra_ie
from electra_ie.api.training import result_of
from electra_ie.common.errors import UserError
from electra_ie.comparison import finished
from electra_ie.data.document import Document, Span
from electra_ie.export.exporter import export_run
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan
from electra_ie.formats.conversion import Side, write_all
from electra_ie.formats.preannotations import preannotations
from electra_ie.inference.engine.exported import ExportedExtractor
from electra_ie.inference.extractor import Extractor
from electra_ie.inference.review.reading import read_queue
from electra_ie.serving.model import ServedModel

TEXT = leveled.records(1, 9)[0]


def train(encoder, folder, preset="supervised", data=None, fields=leveled.FIELDS, **settings):
    return electra_ie.train(
        data or leveled.data(), folder, fields=fields, **leveled.settings(encoder, preset, **settings)
    )


@pytest.fixture(scope="module")
def run(encoder, made_once):
    return result_of(leveled.trained(encoder, made_once))


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


@pytest.mark.parametrize(("key", "value", "message"), [
    ("levels", [3, 1], 'levels: [2, 2], and the field "names" in the run\'s task.yaml [3, 1]'),
    ("levels", 1, "levels: [2, 2]"),
    ("scheme", "tracks", 'scheme: "levels", and the field "names" in the run\'s task.yaml "tracks"'),
    ("fragments", False, 'fragments: true, and the field "names" in the run\'s task.yaml false'),
])  # fmt: skip
def test_a_run_refuses_a_task_that_tags_spans_otherwise(run, tmp_path, key, value, message):
    copy = shutil.copytree(run.path, tmp_path / "run")
    task = yaml.safe_load((copy / "task.yaml").read_text("utf-8"))
    names = task["fields"]["names"]
    names[key] = value
    if names["scheme"] == "tracks":
        names.pop("levels", None)
    (copy / "task.yaml").write_text(yaml.safe_dump(task, sort_keys=False), "utf-8")
    with pytest.raises(UserError) as caught:
        Extractor.from_pretrained(copy)
    assert message in str(caught.value)


def code_of_card(run, monkeypatch):
    """The names that the code of the card defines; it imports transformers only."""
    card = (run.path / "README.md").read_text("utf-8")
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", card, re.DOTALL) if "def find_names" in block]
    assert "electra_ie" not in code
    monkeypatch.chdir(run.path)
    names = {}
    exec(code, names)
    return names


def as_by_card(finding):
    return {
        **{"label": finding.label, "start": finding.start, "end": finding.end, "text": finding.text},
        "score": pytest.approx(finding.score, abs=1e-4),
        **({"fragments": finding.fragments} if finding.fragments else {}),
    }


def test_the_code_of_the_card_finds_the_same_with_stock_transformers(run, monkeypatch):
    names, extractor = code_of_card(run, monkeypatch), run.extractor()
    for record in leveled.records(6, 4):
        expected = list(map(as_by_card, extractor(record["text"])))
        assert any("fragments" in each for each in expected)
        assert names["find_names"](record["text"]) == expected
    card = (run.path / "README.md").read_text("utf-8")
    assert "No pipeline fits `names`: each label has one or several sequences of tags" in card
    assert "| (several fragments) | 8 |" in card
    assert "(but in `names`, up to the number of levels), nor can a span of several pieces (but in `names`" in card


def test_the_code_of_the_card_decodes_any_logits_as_the_engine(run, monkeypatch):
    """Weights by chance give invalid tags; with those of the first level for both, every finding is found twice."""
    names, extractor = code_of_card(run, monkeypatch), run.extractor()
    heads = names["model_names"].classifier, extractor.discriminator.heads["field_names"].output_layer
    texts = [
        "Arden of Brisk sent 3\nand 4 goods today \U0001f600 late.",
        *(each["text"] for each in leveled.records(3)),
    ]
    divided = 0
    for seed in range(6):
        weights = torch.randn(heads[0].weight.shape, generator=torch.Generator().manual_seed(seed))
        if seed > 3:
            weights[3:6], weights[9:12] = weights[:3], weights[6:9]
        for head in heads:
            head.weight.data.copy_(weights)
            head.bias.data.zero_()
        for text in texts:
            expected = extractor(text)
            assert names["find_names"](text) == list(map(as_by_card, expected))
            assert len({finding.span for finding in expected}) == len(expected)
            divided += sum(bool(finding.fragments) for finding in expected)
    assert divided > 10


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


@pytest.mark.parametrize("tool", ["doccano", "label_studio"])
def test_a_queue_or_reviewed_file_that_cannot_hold_fragments_is_refused(run, tmp_path, tool):
    inbox, queue = tmp_path / "inbox.jsonl", tmp_path / "queue.data"
    inbox.write_text(json.dumps({"id": "a", "text": TEXT["text"]}) + "\n", encoding="utf-8")
    message = (
        f"the format {tool} cannot hold spans of several fragments, .*: names. Formats that can: bioc, brat, jsonl"
    )
    with pytest.raises(UserError, match=message):
        electra_ie.extract(run.path, [inbox], tmp_path / "found.jsonl", review=queue, review_format=tool)
    assert not queue.exists()
    copy, reviewed = shutil.copytree(run.path, tmp_path / "copy"), tmp_path / "reviewed.json"
    spans = tuple(
        AnnotatedSpan(f"T{number}", each.label, each.ranges, layer="names")
        for number, each in enumerate(each for each in sorted(gold(TEXT)) if not each.fragments)
    )
    document = AnnotatedDocument("a", TEXT["text"], spans=spans, layers=("names",))
    write_all([document], Side.of_target(reviewed, tool, ()), lossy=True)
    with pytest.raises(UserError, match=message):
        electra_ie.calibrate(copy, ["precision=0.05:amount"], reviewed=reviewed)
    electra_ie.extract(run.path, [inbox], tmp_path / "found.jsonl", review=tmp_path / "brat", review_format="brat")
    (file,) = (tmp_path / "brat").glob("*.ann")
    assert any(";" in line for line in file.read_text("utf-8").splitlines())
    written = json.loads((tmp_path / "found.jsonl.manifest.json").read_text("utf-8"))["outputs"]["brat"]
    assert written["bytes"] == sum(file.stat().st_size for file in (tmp_path / "brat").iterdir())


def test_scores_are_calibrated_and_uncertainty_is_measured(run, tmp_path):
    copy = shutil.copytree(run.path, tmp_path / "copy")
    (tmp_path / "dev.jsonl").write_text("".join(json.dumps(each) + "\n" for each in leveled.records(8, 2)), "utf-8")
    result = electra_ie.calibrate(copy, ["recall=0.05:amount"], data=tmp_path)
    assert result.met
    documents = [Document("d", TEXT["text"]), Document("e", "later")]
    assert all(0 <= each["names"] <= 1 for each in run.extractor().pipeline().uncertainties(documents))


def test_the_server_and_the_hub_give_the_same_findings(run, tmp_path, monkeypatch):
    expected = run.extractor()(TEXT["text"])
    with served(ServedModel.load(run.path)) as client:
        answer = client.post("/extract", json={"text": TEXT["text"]}).json()
        schema = client.get("/openapi.json").json()["components"]["schemas"]["FoundFinding"]
    assert answer == json.loads(json.dumps(expected.result.record()))
    assert "fragments" in schema["properties"]
    with running(tokens={"hf_canary": "write"}) as hub:
        use_hub(monkeypatch, hub.url, tmp_path)
        monkeypatch.setenv("HF_TOKEN", "hf_canary")
        electra_ie.push_to_hub(run.path, "acme/levels", private=True)
        assert Extractor.from_pretrained("acme/levels")(TEXT["text"]) == expected
        close_session()


def test_two_runs_with_other_numbers_of_levels_are_measured_together(run, encoder, tmp_path, monkeypatch):
    """A run of labels that do not overlap has one level of each label."""
    flat = [
        {**each, "names": [span for span in each["names"] if span["start"] == 0 or "fragments" in span]}
        for each in leveled.records(12)
    ]
    other = train(encoder, tmp_path / "run", data={**leveled.data(), "train": flat}, max_steps=2)
    assert other.extractor().fields[0].levels == (1, 1)
    assert other.scores["dev"]["names"].metrics["overlapping"] == 16
    (tmp_path / "dev.jsonl").write_text("".join(json.dumps(each) + "\n" for each in leveled.records(4, 2)), "utf-8")
    facts = {"score": None, "characters_per_second": 1.0, "seconds": 1.0, "megabytes": 1.0, "memory": None}
    monkeypatch.setattr(finished, "_in_process", lambda *_: facts)
    assert len(electra_ie.compare_runs([run.path, other.path], "dev", data=tmp_path)) == 2


@pytest.mark.slow  # relations and attributes of continuous spans are trained by their own tests
def test_relations_and_attributes_are_those_of_divided_spans(encoder, tmp_path):
    def with_links(records):
        for each in records:
            head, _, tail, _ = each["names"]
            each["links"] = [{"head": dict(head), "tail": dict(tail), "label": "sends"}]
            for span in each["names"]:
                span["kind"] = "more" if "fragments" in span else "one"
        return records

    data = {name: with_links(records) for name, records in leveled.data().items() if name != "unlabeled"}
    fields = {
        **leveled.FIELDS,
        "links": {"kind": "relations", "labels": ["sends"]},
        "kind": {"kind": "attributes", "labels": ["more", "one"], "of": ["amount"]},
    }
    result = train(encoder, tmp_path / "run", data=data, fields=fields)
    assert result.scores["dev"]["links"].value > 0.5
    assert result.scores["dev"]["kind"].value > 0.5
    record = result.extractor()(TEXT["text"]).result.record()
    (divided,) = [each for each in record["findings"] if "fragments" in each]
    assert divided["attributes"]["kind"]["label"] == "more"
    assert [each["tail"]["fragments"] for each in record["relations"]] == [divided["fragments"]]


@pytest.mark.slow  # the graph of a run of one sequence is exported by tests/export
def test_an_exported_model_finds_the_same(run, tmp_path):
    (tmp_path / "texts.txt").write_text("\n".join(each["text"] for each in leveled.records(6, 4)), encoding="utf-8")
    exported = export_run(run.path, tmp_path / "exported", texts=[tmp_path / "texts.txt"])
    assert exported.comparison.other_findings == 0
    assert list(ExportedExtractor.from_pretrained(tmp_path / "exported")(TEXT["text"])) == list(
        run.extractor()(TEXT["text"])
    )
