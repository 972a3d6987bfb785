"""Tests of the model card.

Its code works without this package and finds what extract finds, its metadata are those of the Hub, and it contains no
text of the corpus.
"""

from __future__ import annotations

import dataclasses
import json
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tiny
import yaml
from huggingface_hub import ModelCard

from electra_ie import Extractor, UserError, compare, evaluate, train
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
from electra_ie.runs.model_card import model_card
from electra_ie.runs.model_card_metadata import base_model
from electra_ie.runs.usage_snippets import StockFolder

EXECUTE = """
import json, sys
sys.modules["electra_ie"] = None  # from here on it cannot be imported
import os
told = {}
for run, (folder, blocks, texts) in json.load(sys.stdin).items():
    os.chdir(folder)
    names = {}
    for block in blocks:
        exec(block, names)
    told[run] = {name: [names[name](text) for text in texts] for name in names if name.startswith(("read_", "find_"))}
json.dump(told, sys.stdout, default=float)
"""


def blocks(card: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", card, re.MULTILINE | re.DOTALL)


def texts_of(extractor: Extractor) -> list[str]:
    """Texts of one window each; marks that combine, blanks of other widths and characters unknown to the vocabulary."""
    texts = [document.text for document in tiny.documents(90, seed=6)]
    texts += ["Café\u0301  Brisk\u00a0paid\n3.100,25 to the \u4e2d\u6587 bank.", "Arden", "paid 5.975,74, Corvo"]
    texts += [
        "Arden\nBrisk\r\nCorvo paid 5.975,74\n3.100,25",
        "\U0001f3e6 Arden \U0001f44d\U0001f3fd paid 5.975,74 \u2713",
    ]
    return [text for text in texts if len(extractor.windower(text)) == 1]


def valid(extractor: Extractor, text: str) -> bool:
    """Are the most probable tags of the field of spans a valid sequence as they are?"""
    rows = tiny.rows(extractor.windower, [Document("", text)])
    batch = collate(rows, extractor.windower, ())
    logits = extractor.discriminator.eval().answers(batch)["names"][0][batch.owned[0]].numpy()
    return bool((viterbi(tiny.NAMED, logits) == logits.argmax(1)).all())


@pytest.fixture(scope="module")
def runs(run, encoder, tmp_path_factory) -> dict[str, Path]:
    """By name: word pieces of which words or tokens are judged, and a tokenizer whose words no pipeline knows."""
    folder = tmp_path_factory.mktemp("cards")
    task, settings = (
        str(tiny.write_task(folder / "task")),
        {"preset": "supervised", "max_steps": 140, "pooling": "stock"},
    )
    other = train(task, folder / "bytes", **tiny.settings(encoder("roberta"), **settings))
    with pytest.MonkeyPatch.context() as patch:  # as where words cannot spell the gold
        patch.setattr(
            TrainingData,
            "windower",
            lambda _, tokenizer, size, context_overlap, *others: WindowTokenizer(tokenizer, size, context_overlap),
        )
        tokens = train(task, folder / "tokens", **tiny.settings(encoder("bert"), **settings))
    return {"words": run, "tokens": tokens, "bytes": other}


@pytest.fixture(scope="module")
def answers(runs, tmp_path_factory) -> dict[str, dict[str, list]]:
    """What the code of each card says to each text, as it stands there; one Python for all, since torch loads slowly."""
    asked = {
        name: [str(run), blocks((run / "README.md").read_text("utf-8")), texts_of(Extractor.load(str(run)))]
        for name, run in runs.items()
    }
    done = subprocess.run(
        [sys.executable, "-I", "-W", "ignore", "-c", EXECUTE], input=json.dumps(asked), check=False, capture_output=True,
        encoding="utf-8", cwd=tmp_path_factory.mktemp("elsewhere"), timeout=180,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(("name", "strategy"), [("words", "first"), ("tokens", "simple"), ("bytes", None)])
def test_the_code_of_the_card_finds_what_extract_finds(runs, answers, name, strategy):
    run, told = runs[name], answers[name]
    assert StockFolder.read(run, tiny.NAMED).strategy == strategy
    assert set(told) == {"read_topic", "read_risks", "find_names"} | ({"read_names"} if strategy else set())
    extractor = Extractor.load(str(run))
    texts = texts_of(extractor)
    readings = list(extractor.read(Document("", text) for text in texts))
    compared = 0
    for number, (text, reading) in enumerate(zip(texts, readings, strict=True)):
        found = {field.name: [each for each in reading.findings if each.field == field.name] for field in tiny.FIELDS}
        topic = told["read_topic"][number][0][0]
        assert (topic["label"], near(topic)) == (found["topic"][0].label, found["topic"][0].score)
        risks = [each for each in told["read_risks"][number][0] if each["score"] > 0.5]
        assert {each["label"]: near(each) for each in risks} == {each.label: each.score for each in found["risks"]}
        spans = [(each.label, each.start, each.end, each.score) for each in found["names"]]
        exact = [(each["label"], each["start"], each["end"], near(each)) for each in told["find_names"][number]]
        assert spans == exact, text
        if strategy and valid(extractor, text) and text.isascii() and "\n" not in text:
            compared += bool(spans)
            piped = [
                (each["entity_group"], each["start"], each["end"], near(each)) for each in told["read_names"][number]
            ]
            assert spans == piped, text
    assert compared >= 5 or not strategy, f"tags were valid in {compared} texts: too little was compared"


def near(answer: dict):
    return pytest.approx(answer["score"], abs=1e-4)


def test_the_metadata_are_what_the_hub_reads(run):
    data = ModelCard((run / "README.md").read_text("utf-8")).data
    assert (data.library_name, data.pipeline_tag) == ("transformers", "token-classification")
    assert data.base_model is None
    assert data.license is None
    assert data.datasets is None, "nothing that is not known"
    assert {"electra_ie", "text-classification", "token-classification"} <= set(data.tags)
    scores = json.loads((run / "scores.json").read_text("utf-8"))["dev"]
    told = {each.task_name: (each.dataset_split, each.metric_type, each.metric_value) for each in data.eval_results}
    assert told == {
        "topic": ("dev", "accuracy", round(scores["topic"]["accuracy"], 4)),
        "risks": ("dev", "f1", round(scores["risks"]["macro_f1"], 4)),
        "names": ("dev", "f1", round(scores["names"]["f1"], 4)),
    }


@pytest.mark.parametrize(("encoder", "name"), [
    ("all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"), ("google/electra-small-discriminator",) * 2,
    ("google/electra-small-discriminator@" + 40 * "a", "google/electra-small-discriminator"), ("bert@main", "bert"),
    ("./mine", None), ("/home/somebody/mine", None), ("mine", None), ("./mine@2", None), ("/mine/or@2", None),
])  # fmt: skip
def test_the_base_model_is_a_name_on_the_hub_or_nothing(encoder, name, tmp_path, monkeypatch):
    assert base_model(encoder) == name
    monkeypatch.chdir(tmp_path)
    (tmp_path / "google" / "electra-small-discriminator").mkdir(parents=True)
    assert base_model("google/electra-small-discriminator") is None, "a folder of that name is taken first"


def test_the_data_card_is_that_of_the_very_task(task):
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
    assert DataCard.of(Task.load(named)) is None, "a task of that name is not yet that task"


@pytest.mark.parametrize(("row", "licence"), [
    ("| Licence | CC BY 4.0 |", "cc-by-4.0"), ("| Licence | MIT, see the file | all |", "mit"), ("|Licence|CC0 1.0|", "cc0-1.0"),
    ("| Licence | Creative Commons, as stated |", None), ("| Licence | MIT-like |", None),
])  # fmt: skip
def test_the_licence_of_a_data_card_has_the_name_that_the_hub_has_for_it(row, licence):
    card = DataCard.parse(
        f"# ours\n\nNotes. German.\n\n| | |\n| --- | --- |\n{row}\n\n| Licence | Apache-2.0, of the code |\n"
    )
    assert (card.hub_license, card.language, card.shipped) == (licence, "German", False)


@pytest.fixture
def mine(run, tmp_path) -> Path:
    """A copy of the finished run, whose card is made anew."""
    return Path(shutil.copytree(run, tmp_path / "mine"))


def test_a_card_says_what_its_reader_must_know(run):
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
    assert str(run.parent) not in card, "no path of the machine"


def test_the_commands_to_repeat_it_install_the_embedded_encoder_where_it_was_used(mine):
    assert INSTALL not in model_card(mine)
    settings = yaml.safe_load((mine / "run.yaml").read_text("utf-8"))
    (mine / "run.yaml").write_text(yaml.safe_dump({**settings, "encoder": EMBEDDED}), encoding="utf-8")
    commands = model_card(mine).partition("## Reproduction")[2].split("```")[1].split("\n")
    assert commands[1].startswith("pip install electra_ie==")
    assert commands[2] == INSTALL


def test_labels_and_descriptions_are_no_markup(mine):
    file = mine / "task.yaml"
    task = yaml.safe_load(file.read_text("utf-8"))
    task["description"] = "Notes\n# of <script>alert(1)</script> | x"
    file.write_text(yaml.safe_dump(task), encoding="utf-8")
    card = model_card(mine)
    assert "Notes # of &lt;script>alert(1)&lt;/script> \\| x" in card
    assert "<script" not in card


def test_the_comparison_is_in_the_card_of_the_run_that_won(mine):
    cells = {RunKey(40, seed, preset): RunScore(60.0 + seed + 3 * (preset == "adversarial"), 50.0, 5.0)
             for preset in ("supervised", "adversarial") for seed in range(3)}  # fmt: skip
    found = Comparison(cells, ["supervised", "adversarial"], ["spans"])
    assert "It was not compared" in model_card(mine)
    told = json.dumps({"task": "t", "split": "dev", **found.as_dict()})
    (mine / "comparison").mkdir()
    (mine / "comparison" / "compare.json").write_text(told, encoding="utf-8")
    card = model_card(mine)
    assert found.verdict in card
    assert "| 40 | adversarial | 64.0 | 1.0 | +3.0 (3.0 to 3.0) |" in card
    assert "kept the weights of their teacher" not in card
    kept = RunKey(40, 2, "adversarial")
    found.run_scores[kept] = dataclasses.replace(found.run_scores[kept], teachers=True)
    told = json.dumps({"task": "t", "split": "dev", **found.as_dict()})
    (mine / "comparison" / "compare.json").write_text(told, encoding="utf-8")
    assert "1 of the 3 runs of adversarial kept the weights of their teacher" in model_card(mine)


def test_scores_on_test_get_into_the_card_unless_somebody_has_edited_it(mine, capsys):
    card = mine / "README.md"
    assert "test had not been scored" in card.read_text("utf-8")
    edited = card.read_text("utf-8") + "Ask the desk of payments.\n"
    scores = evaluate(mine)
    new = card.read_text("utf-8")
    assert f"**names, test: {scores['names']['f1']:.3f}" in new
    assert "test had not been scored" not in new
    assert {each.dataset_split for each in ModelCard(new).data.eval_results} == {"dev", "test"}
    assert evaluate(mine)
    assert card.read_text("utf-8") == new
    assert "warning" not in capsys.readouterr().err
    card.write_text(edited, encoding="utf-8")
    evaluate(mine, "dev")
    assert card.read_text("utf-8") == edited
    assert "README.md: kept, because it has been edited" in capsys.readouterr().err
    audit = json.loads((mine / "audit.json").read_text("utf-8"))
    (mine / "audit.json").write_text(json.dumps({**audit, "overlap": []}), encoding="utf-8")
    with pytest.raises(UserError, match="the card cannot be generated from scores.json and audit.json"):
        evaluate(mine, "dev")


def bare_of(task, split, *names):
    """Take the gold of these fields, which are known, out of a split."""
    file = task.parent / f"{split}.jsonl"
    records = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    tiny.write_records(file, [{**each, **{name: [] for name in names}} for each in records])


def test_a_field_without_gold_in_dev_has_no_score_there_and_no_say(task, tmp_path, encoder, capsys):
    bare_of(task, "dev", "risks", "names")
    run = train(str(task), tmp_path / "run", **tiny.settings(encoder("bert"), "supervised", max_steps=60))
    assert "no document of dev has a label of risks, names: no score is defined there" in capsys.readouterr().err
    dev = json.loads((run / "scores.json").read_text("utf-8"))["dev"]
    assert dev["names"]["f1"] is dev["risks"]["macro_f1"] is dev["names"]["intervals"]["f1"] is None
    assert dev["names"]["false"] == dev["names"]["found"] > 0
    assert dev["names"]["labels"]["person"]["found"] > 0
    rows = [json.loads(line)["dev"] for line in (run / "log.jsonl").read_text("utf-8").splitlines() if '"dev"' in line]
    assert all(row["mean"] == row["topic"] and row["names"] is None for row in rows)
    assert len(rows) == 2
    card = (run / "README.md").read_text("utf-8")
    told = f"**names, dev: –** (F1, strict: same label, same first and last character) on 20 documents, gold 0, found {dev['names']['found']}, false {dev['names']['found']}."
    assert told in card
    assert f"| person | 0 | {dev['names']['labels']['person']['found']} |" in card
    assert {each.dataset_config for each in ModelCard(card).data.eval_results} == {"topic"}, (
        "the hub takes numbers only"
    )
    show_scores(dev, "dev")
    shown = capsys.readouterr()
    rows = [line.split() for line in shown.out.splitlines()]
    false = str(dev["names"]["false"])
    assert ["names", "f1", "-", "20", "0", false, false, "precision", "0.000,", "recall", "-"] in rows
    assert "no score of risks, names: no document of dev has a label of it" in shown.err


def test_without_any_gold_in_dev_the_last_weights_are_kept(task, tmp_path, encoder, capsys):
    task.write_text(re.sub(r"  (topic|names): .*\n", "", task.read_text("utf-8")), encoding="utf-8")
    bare_of(task, "dev", "risks")
    run = train(str(task), tmp_path / "run", **tiny.settings(encoder("bert"), "adversarial"))
    shown = capsys.readouterr().err
    assert (
        shown.count("no document of dev has a label of any field: no score is defined there, and the last weights") == 1
    )
    scores = json.loads((run / "scores.json").read_text("utf-8"))
    assert scores["training"]["best_step"] is None
    assert scores["dev"]["risks"]["macro_f1"] is None
    card = (run / "README.md").read_text("utf-8")
    assert "**risks, dev: –** (macro F1)" in card
    assert "weights were chosen on dev" not in card
    with pytest.raises(UserError, match='no document of the split "dev" has a label: no score is defined there'):
        compare(str(task), tmp_path / "compared", encoder=encoder("bert"))
    assert not (tmp_path / "compared").exists()


def test_examples_are_shown_only_where_they_were_asked_for(mine):
    from electra_ie.runs.layout import load_task

    texts = [document.text for document in load_task(mine).read("dev")]
    assert not [text for text in texts if text in model_card(mine)]
    settings = yaml.safe_load((mine / "run.yaml").read_text("utf-8"))
    assert settings["include_examples"] is False
    (mine / "run.yaml").write_text(yaml.safe_dump({**settings, "include_examples": True}), encoding="utf-8")
    card = model_card(mine)
    assert [text for text in texts if text in card] == texts[:3]
    assert "except the examples below" in card


@pytest.mark.pictures
def test_a_corpus_leaves_no_trace_in_the_run(task, tmp_path, encoder):
    """Words that stand nowhere else: no eight characters of any text are in any file, weights and pictures included."""
    draw = random.Random(9)

    def secret() -> str:
        return " ".join("".join(draw.choices("bcdfghjklmnpqrstvwxz", k=draw.randint(5, 9))) for _ in range(8))

    grams: set[bytes] = set()
    for name in ("train", "dev", "test", "pool"):
        file = task.parent / f"{name}.jsonl"
        records = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        for record in records:
            record["text"] = secret()
            grams |= {record["text"].encode()[at : at + 8] for at in range(len(record["text"]) - 7)}
            if name != "pool":
                record["names"] = [{"start": 0, "end": record["text"].index(" "), "label": "person"}]
        records[-1]["text"] = records[0]["text"]  # a copy, which the audit points at by ids
        if name != "pool":
            records[-1]["names"] = records[0]["names"]
        tiny.write_records(file, records)
    run = train(str(task), tmp_path / "run", **tiny.settings(encoder("bert"), "latent", pooling="stock"))
    files = [file for file in run.rglob("*") if file.is_file()]
    assert len(files) > 15
    assert len(grams) > 4000
    for file in files:
        raw = file.read_bytes().lower()
        assert not [gram for gram in {raw[at : at + 8] for at in range(len(raw))} & grams], file
