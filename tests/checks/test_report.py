"""`electra-ie check`: exit codes, JSON, the HTML page, and no text of documents unless it is asked for."""

from __future__ import annotations

import json
import sys

import pytest
import tiny
from parsed_page import ParsedPage
from typer.testing import CliRunner

from electra_ie.cli.app import app, main
from electra_ie.common.errors import UserError
from electra_ie.data.document import Document
from electra_ie.data.in_memory import resolve
from electra_ie.data.training_data import TrainingData

SECRET = "Zebedee"
KEYS = {
    "format",
    "task",
    "encoder",
    "passed",
    "counts",
    "splits",
    "labels",
    "seen",
    "lengths",
    "scripts",
    "languages",
    "issues",
    "skipped",
}
ISSUE_KEYS = {"check", "severity", "message", "count", "total", "split", "field", "label", "places"}


def check(encoder, *arguments):
    return CliRunner().invoke(app, ["check", *map(str, arguments), "--encoder", encoder("bert")])


@pytest.fixture
def faulty(task):
    """Return the task with a conflict, leakage into test, an empty text, and a character that is markup."""
    train = [json.loads(line) for line in (task.parent / "train.jsonl").read_text("utf-8").splitlines()]
    text = f"<b>{SECRET}</b> \x1b[31m paid \u202e \u20ac5 to {SECRET}"
    span = {"start": 3, "end": 10, "label": "person"}
    rows = [
        {"id": "c1", "text": text, "topic": "trade", "risks": [], "names": [span]},
        {"id": "c2", "text": text, "topic": "travel", "risks": ["late"], "names": [{**span, "label": "amount"}]},
        {"id": "empty", "text": " ", "topic": "trade"},
    ]
    tiny.write_records(task.parent / "train.jsonl", [*train, *rows])
    test = [json.loads(line) for line in (task.parent / "test.jsonl").read_text("utf-8").splitlines()]
    tiny.write_records(task.parent / "test.jsonl", [*test, {"id": "t", "text": text, "topic": "trade"}])
    return task


def test_a_task_without_faults_passes(task, encoder):
    result = check(encoder, task)
    assert result.exit_code == 0, result.output
    assert "0 errors, 0 warnings" in result.stderr
    assert "train" in result.stdout and "Latin" in result.stdout
    with (task.parent / "train.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"id": "empty", "text": " ", "topic": "trade"}\n')
    assert "0 errors, 1 warning, 0 notes;" in check(encoder, task).stderr


def test_findings_give_exit_code_1_and_are_named_without_texts(faulty, encoder):
    result = check(encoder, faulty)
    assert result.exit_code == 1
    for message in (
        "1 of 43 documents of train is empty",
        "also in train: scores on test are too high",
        "different labels",
    ):
        assert f"{message}" in result.stdout
    assert "train:c1" in result.stdout and SECRET not in result.output


def test_texts_are_shown_on_request_and_cannot_act_on_the_terminal(faulty, encoder):
    result = check(encoder, faulty, "--show-text")
    assert SECRET in result.stdout and "\x1b[31m" not in result.stdout and "\u202e" not in result.stdout


@pytest.mark.parametrize("show", [False, True])
def test_the_json_has_stable_keys_and_texts_only_on_request(faulty, encoder, show):
    result = check(encoder, faulty, "--json", *(["--show-text"] if show else []))
    report = json.loads(result.stdout)
    assert (result.exit_code, report["passed"], set(report)) == (1, False, KEYS)
    assert all(set(issue) == ISSUE_KEYS for issue in report["issues"])
    assert [issue["severity"] for issue in report["issues"]] == sorted(
        (issue["severity"] for issue in report["issues"]), key=["error", "warning", "note"].index
    )
    assert {"empty_texts", "exact_duplicates", "conflicting_labels", "unknown_characters"} <= {
        issue["check"] for issue in report["issues"]
    }
    assert report["counts"]["warning"] == sum(issue["severity"] == "warning" for issue in report["issues"])
    assert report["splits"][0] == {
        "split": "train",
        "documents": 43,
        "labeled": 43,
        "characters": report["splits"][0]["characters"],
    }
    assert (SECRET in result.stdout) is show and "\u202e" not in result.stdout


@pytest.mark.parametrize("show", [False, True])
def test_the_page_is_self_contained_and_shows_texts_only_on_request(faulty, encoder, tmp_path, show):
    file = tmp_path / "report.html"
    result = check(encoder, faulty, "--html", file, *(["--show-text"] if show else []))
    assert result.exit_code == 1
    source = file.read_text("utf-8")
    page = ParsedPage(source)  # asserts that all elements are closed
    words = " ".join(page.words)
    assert "different labels" in words and "Entities that train has" in words
    assert (SECRET in words) is show and (f"<b>{SECRET}</b>" in words) is show
    assert not {"b", "script", "img", "link"} & set(page.tags), "text was read as markup"
    assert "http:" not in source and "https:" not in source and "url(" not in source
    assert "\x1b" not in source and "\u202e" not in source
    assert "default-src 'none'" in page.values("content")[0]
    assert "svg" in page.tags and not page.values("style"), "the policy forbids style attributes"


def test_corrections_of_the_reader_are_issues_instead_of_warnings(task, encoder):
    row = {"id": "x", "text": "Arden paid", "names": [{"start": 0, "end": 6, "label": "person"}]}
    with (task.parent / "train.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    result = check(encoder, task, "--json")
    (issue,) = [issue for issue in json.loads(result.stdout)["issues"] if issue["check"] == "reading"]
    assert "white space at the edges of 1 spans" in issue["message"] and "white space" not in result.stderr
    assert result.exit_code == 1


def test_unlabeled_texts_are_checked_too(task, encoder, tmp_path):
    (tmp_path / "more.txt").write_text("Оплата за товары", encoding="utf-8")
    result = check(encoder, task, "--json", "--unlabeled", tmp_path / "more.txt")
    report = json.loads(result.stdout)
    assert [row["documents"] for row in report["splits"] if row["split"] == "pool"] == [31]
    assert "new_scripts" in [issue["check"] for issue in report["issues"]]


def test_invalid_data_and_outputs_are_errors_of_the_user(task, encoder, tmp_path, monkeypatch, capsys):
    assert isinstance(check(encoder, task, "--html", tmp_path).exception, UserError)
    assert isinstance(check(encoder, task, "--html", tmp_path / "none" / "x.html").exception, UserError)
    before = (task.parent / "train.jsonl").read_bytes()
    assert isinstance(check(encoder, task, "--html", task.parent / "train.jsonl").exception, UserError)
    assert (task.parent / "train.jsonl").read_bytes() == before
    (task.parent / "train.jsonl").write_text('{"id": "1"}\n', encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["electra-ie", "check", str(task), "--encoder", encoder("bert")])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2 and "train.jsonl:1" in capsys.readouterr().err


def test_train_warns_of_conflicts_and_leakage_and_names_the_command(task, capsys):
    text, other = "the same text", "another text"
    train = [
        Document("a", text, {"topic": "trade"}),
        Document("b", f"{text} ", {"topic": "travel"}),
        Document("c", other, {"topic": "other"}),
    ]
    loaded, settings = resolve(
        {"train": [{"id": each.id, "text": each.text, **each.gold} for each in train], "dev": [{"text": other, "topic": "other"}]},
        fields={"topic": {"kind": "classes", "labels": list(tiny.TOPIC.labels)}},
    )  # fmt: skip
    TrainingData.read(loaded, settings)
    warnings = capsys.readouterr().err
    assert (
        "1 text is in train several times with different labels (first: a and b). `electra-ie check` lists them."
        in warnings
    )
    assert warnings.count("`electra-ie check`") == 2 and text not in warnings
