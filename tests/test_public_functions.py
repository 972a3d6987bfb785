"""`init`, `convert`, `check` and `suggest` in Python: results, options, refusals, and nothing printed."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
import tiny
import yaml
from typer.testing import CliRunner

import electra_ie
from electra_ie import Extractor, Task, UserError
from electra_ie.cli.app import app
from electra_ie.formats import FORMATS

SECRET = "Zebedee"


@pytest.fixture(autouse=True)
def _nothing_is_printed(capsys):
    """The functions return what the commands print; the logger prints notices and warnings only."""
    yield
    assert capsys.readouterr().out == ""


@pytest.fixture
def records(tmp_path) -> Path:
    """Return a file of 40 records as JSON lines, with spans, a class and flags."""
    draw = tiny.random.Random(2)
    tiny.write_records(tmp_path / "memos.jsonl", [tiny.record(number, draw) for number in range(40)])
    return tmp_path / "memos.jsonl"


# init


def test_init_returns_the_task_that_it_writes_and_what_it_assumes(records, tmp_path):
    done = electra_ie.init(str(records), tmp_path / "task", seed=3, dev=0.25, test=0)
    assert isinstance(done.task, Task)
    assert {field.name: field.kind for field in done.task.fields} == {
        "topic": "classes",
        "risks": "flags",
        "names": "spans",
    }
    assert {split: len(done.task.read(split)) for split in done.task.splits} == {"train": 30, "dev": 10}
    assert "the format is jsonl (JSON lines), by what is in the data" in done.assumptions
    assert any("10 for dev are drawn with seed 3" in line for line in done.assumptions)
    text = (tmp_path / "task" / "task.yaml").read_text("utf-8")
    assert all(f"# {line}\n" in text for line in done.assumptions)
    assert Task.load(tmp_path / "task").read("dev") == done.task.read("dev")


def test_init_takes_a_format_and_refuses_to_overwrite(records, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match='no format "jsonlines"'):
        electra_ie.init(records, format="jsonlines")
    assert electra_ie.init(records, format="jsonl").task.file == Path("memos_task/task.yaml")
    before = Path("memos_task/task.yaml").read_bytes()
    with pytest.raises(UserError, match="not overwritten"):
        electra_ie.init(records, dev=0.5)
    assert Path("memos_task/task.yaml").read_bytes() == before


# convert


def test_convert_counts_what_is_lost_and_writes_only_on_request(records, tmp_path):
    target = tmp_path / "out.conll"
    outcome = electra_ie.convert(records, str(target))
    assert (outcome.documents, outcome.source_format, outcome.target_format) == (40, "jsonl", "conll")
    answers = [
        value
        for line in records.read_text("utf-8").splitlines()
        for name, value in json.loads(line).items()
        if name not in ("id", "text")
    ]
    assert outcome.annotations == sum(len(value) if isinstance(value, list) else 1 for value in answers)
    assert isinstance(outcome.losses, Counter) and outcome.losses
    assert (outcome.written, outcome.is_complete, target.exists()) == (False, False, False)
    kept = electra_ie.convert(records, target, lossy=True)
    assert (kept.losses, kept.written, kept.different) == (outcome.losses, True, None)
    assert "B-person" in target.read_text("utf-8")


def test_convert_compares_on_request(records, tmp_path):
    outcome = electra_ie.convert(records, tmp_path / "out.jsonl", check=True)
    assert (outcome.different, outcome.is_complete, outcome.losses) == ((), True, {})
    [again] = {tuple(FORMATS["jsonl"].documents(path))[0].text for path in (records, tmp_path / "out.jsonl")}
    assert again == json.loads(records.read_text("utf-8").splitlines()[0])["text"]


@pytest.mark.parametrize("as_texts", [False, True])
def test_options_are_values_by_name_or_texts(tmp_path, as_texts):
    (tmp_path / "in.csv").write_text("memo;kind;part\nACME paid;x;1\n", "utf-8")
    options = {"text": "memo", "labels": ["kind"], "delimiter": ";"}
    texts = [f"{name}={json.dumps(value) if isinstance(value, list) else value}" for name, value in options.items()]
    electra_ie.convert(
        tmp_path / "in.csv",
        tmp_path / "out.jsonl",
        source_format="csv",
        source_options=texts if as_texts else options,
        target_options=["text=words"] if as_texts else {"text": "words"},
    )
    row = json.loads((tmp_path / "out.jsonl").read_text("utf-8"))
    assert row["words"] == "ACME paid" and row["kind"] in ("x", ["x"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shceme": "io"}, 'no option "shceme". Did you mean "scheme"'),
        (["shceme=io"], 'no option "shceme". Did you mean "scheme"'),
        ({"scheme": 1}, "the option scheme is 1. It must be iob2 or"),
        (["scheme"], '"scheme" is not key=value'),
    ],
)
def test_an_invalid_option_is_an_error_before_anything_is_written(records, tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        electra_ie.convert(records, tmp_path / "out.conll", target_options=options, lossy=True)
    assert not (tmp_path / "out.conll").exists()


def test_an_option_that_is_not_yaml_is_an_error_and_no_traceback(tmp_path):
    (tmp_path / "in.csv").write_text("text,kind\nACME paid,x\n", "utf-8")
    with pytest.raises(UserError, match=r'the option labels is "\[kind". It must be a list of texts'):
        electra_ie.convert(tmp_path / "in.csv", tmp_path / "out.jsonl", source_options=["labels=[kind"])


# check


@pytest.fixture
def conflict(task) -> Path:
    """Return the task with two equal texts of different topics."""
    text = f"{SECRET} paid and paid again"
    with (task.parent / "train.jsonl").open("a", encoding="utf-8") as file:
        for id, topic in (("c1", "trade"), ("c2", "travel")):
            file.write(json.dumps({"id": id, "text": text, "topic": topic}) + "\n")
    return task


def test_check_returns_the_report_of_the_command(conflict, encoder, tmp_path, capsys):
    report = electra_ie.check(str(conflict), encoder=encoder("bert"), html=tmp_path / "report.html")
    [issue] = [issue for issue in report.issues if issue.check == "conflicting_labels"]
    assert {place.id for place in issue.places} & {"c1", "c2"}
    assert not report.passed and report.count("warning") >= 1
    assert {row.split: row.documents for row in report.splits}["train"] == 42
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "different labels" in page and SECRET not in page
    assert capsys.readouterr().out == ""
    printed = CliRunner().invoke(app, ["check", str(conflict), "--encoder", encoder("bert"), "--json"]).stdout
    assert json.loads(printed) == json.loads(json.dumps(report.as_dict()))
    assert SECRET in json.dumps(report.as_dict(show_text=True)) and SECRET not in printed


def test_check_shows_texts_in_the_page_on_request(conflict, encoder, tmp_path):
    electra_ie.check(Task.load(conflict), encoder=encoder("bert"), html=str(tmp_path / "page.html"), show_text=True)
    assert SECRET in (tmp_path / "page.html").read_text("utf-8")


def test_check_takes_data_in_memory_and_more_unlabeled_texts(encoder, tmp_path):
    rows = [{"text": document.text, "topic": document.gold["topic"]} for document in tiny.documents(20)]
    other = next(label for label in tiny.TOPIC.labels if label != rows[0]["topic"])
    report = electra_ie.check(
        {"train": [*rows, {"text": rows[0]["text"], "topic": other}], "dev": rows[:2]},
        fields={"topic": {"kind": "classes", "labels": list(tiny.TOPIC.labels)}},
        unlabeled=["a text", "another text"],
        encoder=encoder("bert"),
        html=tmp_path / "report.html",
    )
    assert {row.split: row.documents for row in report.splits} == {"train": 21, "dev": 2, "pool": 2}
    assert {"conflicting_labels", "exact_duplicates"} <= {issue.check for issue in report.issues}
    assert (tmp_path / "report.html").is_file()


@pytest.mark.parametrize("name", ["train.jsonl", "task.yaml", "pool/a.txt"])
def test_check_does_not_write_over_what_it_reads(task, encoder, name):
    (task.parent / "pool").mkdir()
    (task.parent / "pool" / "a.txt").write_text("a text", "utf-8")
    before = (task.parent / name).read_bytes()
    with pytest.raises(UserError, match="also an input"):
        electra_ie.check(task, unlabeled=task.parent / "pool", encoder=encoder("bert"), html=task.parent / name)
    assert (task.parent / name).read_bytes() == before


def test_check_does_not_write_over_a_file_in_a_folder_of_the_data(tmp_path, encoder):
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "1.txt").write_text("ACME paid", "utf-8")
    (tmp_path / "corpus" / "1.ann").write_text("T1\tPAYER 0 4\tACME\n", "utf-8")
    mapping = {"description": "d", "format": "brat", "files": {"train": "corpus"}}
    mapping["fields"] = {"names": {"kind": "spans", "labels": ["PAYER"]}}
    (tmp_path / "task.yaml").write_text(yaml.safe_dump(mapping), "utf-8")
    with pytest.raises(UserError, match="also an input"):
        electra_ie.check(tmp_path, encoder=encoder("bert"), html=tmp_path / "corpus" / "1.ann")
    assert (tmp_path / "corpus" / "1.ann").read_text("utf-8").startswith("T1")


# scores


def test_a_wrong_name_of_scores_names_the_right_one(run):
    scores = electra_ie.RunScores.read(run)
    with pytest.raises(KeyError, match='there is no field "name". Did you mean "names"[?] Valid: topic, risks, names'):
        scores["dev"]["name"]
    with pytest.raises(KeyError, match='there is no scored split "test". Valid: dev'):
        scores["test"]
    assert scores["dev"]["names"].metrics["labels"]["person"]["recall"] >= 0


# suggest


@pytest.fixture
def texts(tmp_path) -> Path:
    tiny.write_records(
        tmp_path / "texts.jsonl", [{"id": document.id, "text": document.text} for document in tiny.documents(4)]
    )
    return tmp_path / "texts.jsonl"


def test_suggest_writes_the_findings_of_a_run_as_predictions(run, texts, tmp_path):
    result = electra_ie.suggest(run, texts, tmp_path / "tasks.json", count=0, format="label_studio")
    outcome = result.conversion
    assert (outcome.documents, outcome.written, outcome.target_format, outcome.source_format) == (
        4,
        True,
        "label_studio",
        "",
    )
    read = list(FORMATS["label_studio"].documents(tmp_path / "tasks.json"))
    assert [document.id for document in read] == [choice.document.id for choice in result.choices]
    extractor = Extractor.from_pretrained(run)
    found = {
        document.text: len([each for each in extractor(document.text) if each.text is not None]) for document in read
    }
    labels = sum(len(answers) for document in read for answers in document.labels.values())
    assert outcome.annotations == sum(found.values()) + labels
    assert all(document.predicted and len(document.spans) == found[document.text] for document in read)
    assert all(document.metadata["chosen"] == "uncertain" for document in read)


def test_suggest_writes_nothing_in_a_format_without_predictions(run, texts, tmp_path):
    outcome = electra_ie.suggest(str(run), [texts], tmp_path / "out.conll").conversion
    assert not outcome.written and outcome.losses and not (tmp_path / "out.conll").exists()
    options = {"scheme": "bioes"}
    lossy = electra_ie.suggest(run, [texts], tmp_path / "out.conll", options=options, lossy=True).conversion
    assert lossy.written and lossy.losses == outcome.losses and (tmp_path / "out.conll").is_file()


def test_suggest_chooses_typical_texts_of_a_task_without_a_run(task, encoder):
    chosen = electra_ie.suggest(task, count=5, encoder=encoder("bert"))
    assert {choice.chosen for choice in chosen.choices} == {"typical", "random"}
    assert (chosen.outlook, chosen.conversion) == (None, None)
    assert electra_ie.suggest(Task.load(task), count=5, encoder=encoder("bert")).choices == chosen.choices


def test_suggest_refuses_texts_that_cannot_be_read(run, tmp_path):
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe\x00 not UTF-8 \x80")
    with pytest.raises(UserError, match=r"bad\.txt"):
        electra_ie.suggest(run, tmp_path / "bad.txt", tmp_path / "out.json", format="label_studio")
    assert not (tmp_path / "out.json").exists()
