"""The model card: its code needs no electra_ie, its metadata are valid on the Hub, and it contains no text."""

from __future__ import annotations

import dataclasses
import json
import random
import re
import shutil
from pathlib import Path

import processes
import pytest
import tiny
import yaml
from huggingface_hub import ModelCard

from electra_ie import Extractor, SplitScores, UserError, compare, evaluate, train
from electra_ie.cli.listing import show_scores
from electra_ie.comparison.statistics import Comparison, RunKey, RunScore
from electra_ie.config.train import EMBEDDED
from electra_ie.data.batching import collate
from electra_ie.data.bio import viterbi
from electra_ie.data.dataset_card import DataCard
from electra_ie.data.document import Document
from electra_ie.data.task import Task
from electra_ie.data.training_data import TrainingData
from electra_ie.data.windowing import WindowTokenizer
from electra_ie.models.encoders import INSTALL
from electra_ie.runs.cards.metadata import base_model
from electra_ie.runs.cards.usage_snippets import StockFolder
from electra_ie.runs.model_card import model_card

EXECUTE = """
import json, sys
sys.modules["electra_ie"] = None  # makes its import fail
import os
folder, blocks, texts = json.loads(open(sys.argv[1], encoding="utf-8").read())
os.chdir(folder)
names = {}
for block in blocks:
    exec(block, names)
functions = {name: value for name, value in names.items() if name.startswith(("read_", "find_"))}
print(json.dumps({name: [function(text) for text in texts] for name, function in functions.items()}, default=float))
"""


def blocks(card: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", card, re.MULTILINE | re.DOTALL)


def texts_of(extractor: Extractor) -> list[str]:
    """Return texts of one window each, some with combining marks, unusual blanks, and characters unknown to the vocabulary."""
    texts = [document.text for document in tiny.documents(50, seed=6)]
    texts += ["Café\u0301  Brisk\u00a0paid\n3.100,25 to the \u4e2d\u6587 bank.", "Arden", "paid 5.975,74, Corvo"]
    texts += [
        "Arden\nBrisk\r\nCorvo paid 5.975,74\n3.100,25",
        "\U0001f3e6 Arden \U0001f44d\U0001f3fd paid 5.975,74 \u2713",
    ]
    return [text for text in texts if len(extractor.windower(text)) == 1]


def has_valid_tags(extractor: Extractor, text: str) -> bool:
    """Return whether the most probable tags of the span field are a valid sequence without Viterbi."""
    rows = tiny.rows(extractor.windower, [Document("", text)])
    batch = collate(rows, extractor.windower, ())
    logits = extractor.discriminator.eval().predict_logits(batch)["names"][0][batch.token_mask[0]].numpy()
    return bool((viterbi(tiny.NAMED, logits) == logits.argmax(1)).all())


@pytest.fixture(scope="module")
def card_run(request, run, encoder, tmp_path_factory) -> Path:
    """Return a run by name: WordPiece with labels on words or on tokens, or a tokenizer whose words no pipeline supports."""
    if request.param == "words":
        return run
    folder = tmp_path_factory.mktemp("cards")
    task = str(tiny.write_task(folder / "task"))
    settings = {"preset": "supervised", "pooling": "stock"}
    if request.param == "bytes":
        return train(task, folder / "bytes", **tiny.settings(encoder("roberta"), max_steps=60, **settings)).path
    with pytest.MonkeyPatch.context() as patch:  # as if words could not express the gold
        patch.setattr(
            TrainingData,
            "windower",
            lambda _, tokenizer, size, context_overlap, *others: WindowTokenizer(tokenizer, size, context_overlap),
        )
        return train(task, folder / "tokens", **tiny.settings(encoder("bert"), max_steps=140, **settings)).path


def answers(run: Path, folder: Path) -> dict[str, list]:
    """Return what the code of a card gives for each text, in a process with a transformers of its own."""
    inputs = [str(run), blocks((run / "README.md").read_text("utf-8")), texts_of(Extractor.from_pretrained(run))]
    (folder / "inputs.json").write_text(json.dumps(inputs), encoding="utf-8")
    ended = processes.run(["-c", EXECUTE, str(folder / "inputs.json")], again=("electra_ie", "transformers"))
    assert ended.code == 0, ended.messages
    return json.loads(ended.output)


@pytest.mark.parametrize(
    ("card_run", "strategy"),
    [
        ("words", "first"),
        pytest.param("tokens", "simple", marks=pytest.mark.slow),
        pytest.param("bytes", None, marks=pytest.mark.slow),
    ],
    indirect=["card_run"],
)
def test_code_of_the_card_gives_the_findings_of_extract(card_run, tmp_path, strategy):
    run, results = card_run, answers(card_run, tmp_path)
    assert StockFolder.read(run, tiny.NAMED).strategy == strategy
    assert set(results) == {"read_topic", "read_risks", "find_names"} | ({"read_names"} if strategy else set())
    extractor = Extractor.from_pretrained(run)
    texts = texts_of(extractor)
    extractor.calibration = None  # stock models give the scores of the model
    documents = list(extractor.read(Document("", text) for text in texts))
    compared = 0
    for index, (text, document) in enumerate(zip(texts, documents, strict=True)):
        findings = {
            field.name: [finding for finding in document.findings if finding.field == field.name]
            for field in tiny.FIELDS
        }
        topic = results["read_topic"][index][0][0]
        assert (topic["label"], near(topic)) == (findings["topic"][0].label, findings["topic"][0].score)
        risks = {risk["label"]: near(risk) for risk in results["read_risks"][index][0] if risk["score"] > 0.5}
        assert risks == {finding.label: finding.score for finding in findings["risks"]}
        spans = [(span.label, span.start, span.end, span.score) for span in findings["names"]]
        exact = [(span["label"], span["start"], span["end"], near(span)) for span in results["find_names"][index]]
        assert spans == exact, text
        if strategy and has_valid_tags(extractor, text) and text.isascii() and "\n" not in text:
            compared += bool(spans)
            of_pipeline = [
                (span["entity_group"], span["start"], span["end"], near(span)) for span in results["read_names"][index]
            ]
            assert spans == of_pipeline, text
    assert compared >= 5 or not strategy, f"tags were valid in {compared} texts only"


def near(answer: dict):
    return pytest.approx(answer["score"], abs=1e-4)


def test_metadata_are_valid_on_the_hub(run):
    data = ModelCard((run / "README.md").read_text("utf-8")).data
    assert (data.library_name, data.pipeline_tag) == ("transformers", "token-classification")
    assert data.base_model is None and data.license is None and data.datasets is None, "unknown values must be omitted"
    assert {"electra_ie", "text-classification", "token-classification"} <= set(data.tags)
    scores = json.loads((run / "scores.json").read_text("utf-8"))["dev"]
    results = {
        result.task_name: (result.dataset_split, result.metric_type, result.metric_value)
        for result in data.eval_results
    }
    assert results == {
        "topic": ("dev", "accuracy", round(scores["topic"]["accuracy"], 4)),
        "risks": ("dev", "f1", round(scores["risks"]["macro_f1"], 4)),
        "names": ("dev", "f1", round(scores["names"]["f1"], 4)),
    }


@pytest.mark.parametrize(("encoder", "name"), [
    ("all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"), ("google/electra-small-discriminator",) * 2,
    ("google/electra-small-discriminator@" + 40 * "a", "google/electra-small-discriminator"), ("bert@main", "bert"),
    ("./own", None), ("/home/somebody/own", None), ("own", None), ("./own@2", None), ("/own/or@2", None),
])  # fmt: skip
def test_base_model_is_a_name_on_the_hub_or_none(encoder, name, tmp_path, monkeypatch):
    assert base_model(encoder) == name
    monkeypatch.chdir(tmp_path)
    (tmp_path / "google" / "electra-small-discriminator").mkdir(parents=True)
    assert base_model("google/electra-small-discriminator") is None, "a folder of that name has precedence"


def test_data_card_is_found_for_the_shipped_task_only(task):
    card = DataCard.of(Task.load("transaction_risk"))
    assert card
    assert (card.language, card.hub_license, card.shipped) == ("English", "apache-2.0", True)
    real = DataCard.of(Task.load("bc5cdr"))
    assert real
    assert real.hub_license == "cc-by-4.0"
    assert "MTL-Bioinformatics-2016" in real.source
    assert not real.shipped
    unknown = DataCard.of(Task.load("trec_fine"))
    assert unknown
    assert unknown.hub_license is None
    assert unknown.license.startswith("None is stated")
    assert DataCard.of(Task.load(task)) is None
    named = task.parent.parent / "trec_fine"
    shutil.copytree(task.parent, named)
    assert DataCard.of(Task.load(named)) is None, "a user's task with that name has the card of the shipped one"


@pytest.mark.parametrize(("row", "license_id"), [
    ("| License | CC BY 4.0 |", "cc-by-4.0"), ("| License | MIT, see the file | all |", "mit"), ("|License|CC0 1.0|", "cc0-1.0"),
    ("| License | Creative Commons, as stated |", None), ("| License | MIT-like |", None),
])  # fmt: skip
def test_license_of_a_data_card_becomes_the_hub_identifier(row, license_id):
    card = DataCard.parse(
        f"# ours\n\nNotes. German.\n\n| | |\n| --- | --- |\n{row}\n\n| License | Apache-2.0, of the code |\n"
    )
    assert (card.hub_license, card.language, card.shipped) == (license_id, "German", False)


@pytest.fixture
def run_copy(run, tmp_path) -> Path:
    """Return a copy of the finished run, whose card is generated again."""
    return Path(shutil.copytree(run, tmp_path / "copy"))


def test_card_contains_scores_limits_and_provenance(run):
    card = (run / "README.md").read_text("utf-8")
    scores = json.loads((run / "scores.json").read_text("utf-8"))["dev"]["names"]
    low, high = scores["intervals"]["f1"]
    assert f"**names, dev: {scores['f1']:.3f} ({low:.3f} to {high:.3f})**" in card
    for words in ("Who decides?", "personal data", "not calibrated", "overlap cannot both be found", "--settings run.yaml",
                  "electra-ie verify", "There is no data card", "| test | train | 20 |", "threads"):  # fmt: skip
        assert words in card, words
    audit = json.loads((run / "audit.json").read_text("utf-8"))
    assert audit["model"][:16] in card
    assert audit["weights"]["names/model.safetensors"] in card
    assert str(run.parent) not in card, "the card contains a local path"


def test_reproduction_commands_install_the_default_encoder_if_it_was_used(run_copy):
    assert INSTALL not in model_card(run_copy)
    settings = yaml.safe_load((run_copy / "run.yaml").read_text("utf-8"))
    (run_copy / "run.yaml").write_text(yaml.safe_dump({**settings, "encoder": EMBEDDED}), encoding="utf-8")
    commands = model_card(run_copy).partition("## Reproduction")[2].split("```")[1].split("\n")
    assert commands[1].startswith("pip install electra_ie==")
    assert commands[2] == INSTALL


def test_descriptions_are_escaped(run_copy):
    file = run_copy / "task.yaml"
    task = yaml.safe_load(file.read_text("utf-8"))
    task["description"] = "Notes\n# of <script>alert(1)</script> | x"
    file.write_text(yaml.safe_dump(task), encoding="utf-8")
    card = model_card(run_copy)
    assert "Notes # of &lt;script>alert(1)&lt;/script> \\| x" in card
    assert "<script" not in card


def test_card_of_the_winner_contains_the_comparison(run_copy):
    gains = {"supervised": (0.0, 0.0, 0.0), "self_training": (3.0, 3.2, 2.8)}
    run_scores = {RunKey(40, seed, preset): RunScore(60.0 + seed + gain, 50.0, 5.0)
                  for preset, each in gains.items() for seed, gain in enumerate(each)}  # fmt: skip
    comparison = Comparison(run_scores, ["supervised", "self_training"], ["spans"])
    assert "It was not compared" in model_card(run_copy)
    content = json.dumps({"task": "t", "split": "dev", **comparison.as_dict()})
    (run_copy / "comparison").mkdir()
    (run_copy / "comparison" / "compare.json").write_text(content, encoding="utf-8")
    card = model_card(run_copy)
    assert comparison.verdict in card
    assert "| 40 | self_training | 64.0 | 0.9 | +3.0 (2.5 to 3.5) |" in card
    assert "kept the weights of their teacher" not in card
    key = RunKey(40, 2, "self_training")
    comparison.run_scores[key] = dataclasses.replace(comparison.run_scores[key], teachers=True)
    content = json.dumps({"task": "t", "split": "dev", **comparison.as_dict()})
    (run_copy / "comparison" / "compare.json").write_text(content, encoding="utf-8")
    assert "1 of the 3 runs of self_training kept the weights of their teacher" in model_card(run_copy)


def test_test_scores_update_the_card_unless_it_was_edited(run_copy, capsys):
    card = run_copy / "README.md"
    assert "test had not been scored" in card.read_text("utf-8")
    edited = card.read_text("utf-8") + "Ask the desk of payments.\n"
    scores = evaluate(run_copy)
    new = card.read_text("utf-8")
    assert f"**names, test: {scores['names'].value:.3f}" in new
    assert "test had not been scored" not in new
    assert {result.dataset_split for result in ModelCard(new).data.eval_results} == {"dev", "test"}
    assert evaluate(run_copy).fields
    assert card.read_text("utf-8") == new
    assert "warning" not in capsys.readouterr().err
    card.write_text(edited, encoding="utf-8")
    evaluate(run_copy, "dev")
    assert card.read_text("utf-8") == edited
    assert "README.md: kept, because it has been edited" in capsys.readouterr().err
    audit = json.loads((run_copy / "audit.json").read_text("utf-8"))
    (run_copy / "audit.json").write_text(json.dumps({**audit, "overlap": []}), encoding="utf-8")
    with pytest.raises(UserError, match="the card cannot be generated from scores.json and audit.json"):
        evaluate(run_copy, "dev")


def remove_gold(task, split, *names):
    """Empty the gold of these fields in a split; the fields still count as labeled."""
    file = task.parent / f"{split}.jsonl"
    records = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    tiny.write_records(file, [{**record, **{name: [] for name in names}} for record in records])


@pytest.mark.slow
def test_field_without_gold_in_dev_has_no_score_and_selects_no_weights(task, tmp_path, encoder, capsys):
    remove_gold(task, "dev", "risks", "names")
    run = train(str(task), tmp_path / "run", **tiny.settings(encoder("bert"), "supervised", max_steps=60)).path
    assert "no document of dev has a label of risks, names: no score is defined there" in capsys.readouterr().err
    dev = json.loads((run / "scores.json").read_text("utf-8"))["dev"]
    assert dev["names"]["f1"] is dev["risks"]["macro_f1"] is dev["names"]["intervals"]["f1"] is None
    assert dev["names"]["false"] == dev["names"]["found"] > 0
    assert dev["names"]["labels"]["person"]["found"] > 0
    rows = [json.loads(line)["dev"] for line in (run / "log.jsonl").read_text("utf-8").splitlines() if '"dev"' in line]
    assert all(row["mean"] == row["topic"] and row["names"] is None for row in rows)
    assert len(rows) == 2
    card = (run / "README.md").read_text("utf-8")
    line = f"**names, dev: –** (F1, strict: same label, same first and last character) on 20 documents, gold 0, found {dev['names']['found']}, false {dev['names']['found']}."
    assert line in card
    assert f"| person | 0 | {dev['names']['labels']['person']['found']} |" in card
    configs = {result.dataset_config for result in ModelCard(card).data.eval_results}
    assert configs == {"topic"}, "the hub accepts numbers only"
    show_scores(SplitScores.of(dev), "dev")
    captured = capsys.readouterr()
    rows = [line.split() for line in captured.out.splitlines()]
    false = str(dev["names"]["false"])
    assert ["names", "f1", "-", "20", "0", false, false, "precision", "0.000,", "recall", "-"] in rows
    assert "no score of risks, names: no document of dev has a label of it" in captured.err


def test_without_any_gold_in_dev_the_last_weights_are_kept(task, tmp_path, encoder, capsys):
    task.write_text(re.sub(r"  (topic|names): .*\n", "", task.read_text("utf-8")), encoding="utf-8")
    remove_gold(task, "dev", "risks")
    run = train(str(task), tmp_path / "run", **tiny.settings(encoder("bert"), "self_training", max_steps=4)).path
    warning = "no document of dev has a label of any field: no score is defined there, and the last weights"
    assert capsys.readouterr().err.count(warning) == 1
    scores = json.loads((run / "scores.json").read_text("utf-8"))
    assert scores["training"]["best_step"] is None
    assert scores["dev"]["risks"]["macro_f1"] is None
    card = (run / "README.md").read_text("utf-8")
    assert "**risks, dev: –** (macro F1)" in card
    assert "weights were chosen on dev" not in card
    assert "with 15 % of the tokens masked (selected at random), the model was trained" in card
    with pytest.raises(UserError, match='no document of the split "dev" has a label: no score is defined there'):
        compare(str(task), tmp_path / "compared", encoder=encoder("bert"))
    assert not (tmp_path / "compared").exists()


def test_examples_are_shown_only_on_request(run_copy):
    from electra_ie.runs.layout import load_task

    texts = [document.text for document in load_task(run_copy).read("dev")]
    assert not [text for text in texts if text in model_card(run_copy)]
    settings = yaml.safe_load((run_copy / "run.yaml").read_text("utf-8"))
    assert settings["include_examples"] is False
    (run_copy / "run.yaml").write_text(yaml.safe_dump({**settings, "include_examples": True}), encoding="utf-8")
    card = model_card(run_copy)
    assert [text for text in texts if text in card] == texts[:3]
    assert "except the examples below" in card


@pytest.mark.slow
@pytest.mark.pictures
def test_run_contains_no_text_of_the_corpus(task, tmp_path, encoder):
    """With texts of random words, no eight characters of any text occur in any file, including weights and plots."""
    draw = random.Random(9)

    def secret() -> str:
        return " ".join("".join(draw.choices("bcdfghjklmnpqrstvwxz", k=draw.randint(5, 9))) for _ in range(8))

    grams: set[bytes] = set()
    for name in ("train", "dev", "test", "pool"):
        file = task.parent / f"{name}.jsonl"
        records = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        for record in records:
            record["text"] = secret()
            grams |= {record["text"].encode()[start : start + 8] for start in range(len(record["text"]) - 7)}
            if name != "pool":
                record["names"] = [{"start": 0, "end": record["text"].index(" "), "label": "person"}]
        records[-1]["text"] = records[0]["text"]  # a duplicate, which the audit names by ids
        if name != "pool":
            records[-1]["names"] = records[0]["names"]
        tiny.write_records(file, records)
    settings = tiny.settings(encoder("bert"), "latent", max_steps=4, pooling="stock")
    run = train(str(task), tmp_path / "run", **settings).path
    files = [file for file in run.rglob("*") if file.is_file()]
    assert len(files) > 15
    assert len(grams) > 4000
    for file in files:
        raw = file.read_bytes().lower()
        assert not [gram for gram in {raw[start : start + 8] for start in range(len(raw))} & grams], file
