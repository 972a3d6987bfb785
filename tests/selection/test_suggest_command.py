"""The command `suggest`: the pool of a task, tables, files of tools, and errors."""

from __future__ import annotations

import json

import pytest
import tiny
from typer.testing import CliRunner

from electra_ie.cli.app import app
from electra_ie.common.errors import UserError
from electra_ie.data.task import Task
from electra_ie.formats import FORMATS
from electra_ie.selection.pool import texts_of


def call(*arguments):
    """Return the result of the command; a UserError of it is raised."""
    result = CliRunner().invoke(app, ["suggest", *map(str, arguments)])
    if isinstance(result.exception, UserError):
        raise result.exception
    return result


def ids(file):
    return [json.loads(line)["id"] for line in file.read_text("utf-8").splitlines()]


def test_a_table_shows_typical_texts_of_the_unlabeled_documents(task, encoder):
    result = call(task.parent, "--count", 5, "--encoder", encoder("bert"))
    assert result.exit_code == 0, result.output
    assert result.output.count("typical") == 4
    assert result.output.count("random") == 1
    assert result.output == call(task, "--count", 5, "--encoder", encoder("bert"), "--seed", 0).output


def test_the_file_of_a_run_has_its_predictions_and_comes_back_as_training_data(run, task, tmp_path):
    file = tmp_path / "tasks.json"
    result = call(task, "--run", run, "--count", 10, "-o", file, "--to", "label_studio")
    assert result.exit_code == 0, result.output
    assert "What 20 more labels would bring is not known" in result.stdout
    assert "10 documents with" in result.stderr
    read = list(FORMATS["label_studio"].documents(file))
    assert all(document.predicted for document in read)
    ways = [document.metadata["chosen"] for document in read]
    assert (ways.count("uncertain"), ways.count("random")) == (8, 2)


@pytest.mark.parametrize("option", [["--to", "label_studio"], ["--write", "a=b"], ["--lossy"]])
def test_options_of_a_file_need_one(task, option):
    with pytest.raises(UserError, match=rf"^{option[0]} needs --output FILE\. Add it, or omit {option[0]}"):
        call(task, *option)


def test_a_run_stands_for_its_task(run, task, tmp_path):
    moved = ["--data", task.parent]
    texts = ["--count", 4, "--to", "jsonl"]
    assert call(run, *moved, *texts, "-o", tmp_path / "a.jsonl").exit_code == 0
    assert call(task, "--run", run, *texts, "-o", tmp_path / "b.jsonl").exit_code == 0
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


def test_all_texts_of_a_file_are_ordered_by_uncertainty(run, tmp_path):
    tiny.write_records(
        tmp_path / "texts.jsonl", [{"id": f"n{n}", "text": each.text} for n, each in enumerate(tiny.documents(6, 9))]
    )
    assert call(run, tmp_path / "texts.jsonl", "--count", 0, "-o", tmp_path / "all.jsonl").exit_code == 0
    assert sorted(ids(tmp_path / "all.jsonl")) == [f"n{n}" for n in range(6)]


def test_all_texts_are_distinct_and_not_labeled(run, task, tmp_path):
    labeled = json.loads((task.parent / "train.jsonl").read_text("utf-8").splitlines()[0])["text"]
    texts = [labeled, "Vela Ltd paid 3 EUR", "Vela  Ltd paid 3 EUR", " ", "nothing"]
    tiny.write_records(tmp_path / "texts.jsonl", [{"id": f"n{n}", "text": text} for n, text in enumerate(texts)])
    assert call(task, tmp_path / "texts.jsonl", "--run", run, "--count", 0, "-o", tmp_path / "all.jsonl").exit_code == 0
    assert sorted(ids(tmp_path / "all.jsonl")) == ["n1", "n4"]


def test_a_format_without_predictions_is_refused(run, task, tmp_path):
    result = call(task, "--run", run, "--count", 3, "-o", tmp_path / "tasks.conll")
    assert result.exit_code == 1
    assert not (tmp_path / "tasks.conll").exists()
    assert call(task, "--run", run, "--count", 3, "-o", tmp_path / "tasks.conll", "--lossy").exit_code == 0


def test_nothing_is_loaded_for_an_output_that_exists(tmp_path):
    (tmp_path / "tasks.json").write_text("mine", "utf-8")
    with pytest.raises(UserError, match="this path exists"):
        call("no_task", "--run", "no_run", "--to", "label_studio", "-o", tmp_path / "tasks.json")
    assert (tmp_path / "tasks.json").read_text("utf-8") == "mine"


def test_mistakes_are_explained(run, task, tmp_path):
    with pytest.raises(UserError, match="--count 0: that many texts cannot be chosen without a run"):
        call(task, "--count", 0)
    with pytest.raises(UserError, match="--count -1"):
        call(task, "--run", run, "--count", -1)
    other = tiny.write_task(tmp_path / "other", tiny.YAML.replace("[late, cash]", "[late]"))
    with pytest.raises(UserError, match="the run has other fields or labels than the task other: risks"):
        call(other, "--run", run)
    (tmp_path / "bare").mkdir()
    bare = tmp_path / "bare" / "task.yaml"
    bare.write_text(tiny.YAML.replace(", unlabeled: pool.jsonl", ""), "utf-8")
    with pytest.raises(UserError, match="there is no text to label"):
        call(bare)


def test_the_pool_is_what_is_neither_labeled_nor_held_out(task):
    train = [json.loads(line) for line in (task.parent / "train.jsonl").read_text("utf-8").splitlines()]
    for record in train[30:]:
        for name in tiny.LABELS:
            del record[name]
    tiny.write_records(task.parent / "train.jsonl", train)
    held_out = json.loads((task.parent / "test.jsonl").read_text("utf-8").splitlines()[0])
    with (task.parent / "pool.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"id": "copy", "text": held_out["text"] + " "}) + "\n")
    texts = texts_of(Task.load(task))
    assert len(texts.labeled) == 30
    assert [document.id for document in texts.pool[:10]] == [f"r{n}" for n in range(30, 40)]
    pool = [document.id for document in texts.pool[10:]]
    assert "copy" not in pool
    assert "unlabeled-r0" in pool, "train has this id already"
    assert len({each.id for each in (*texts.labeled, *texts.pool)}) == 30 + len(texts.pool)
    assert not any(document.gold for document in texts.pool)


def test_nothing_has_to_be_labeled_before_the_first_choice(task, encoder):
    (task.parent / "train.jsonl").write_text("", "utf-8")
    for name in ("dev", "test"):
        (task.parent / f"{name}.jsonl").unlink()
    assert call(task, "--count", 5, "--encoder", encoder("bert")).output.count("typical") == 4
    (task.parent / "train.jsonl").unlink()
    assert texts_of(Task.load(task)).labeled == []


@pytest.mark.slow
def test_an_exported_model_chooses_too(run, task, tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    from electra_ie.export.exporter import export_run

    exported = export_run(run, tmp_path / "exported").path
    result = call(task, "--run", exported, "--count", 0, "-o", tmp_path / "a.jsonl")
    assert result.exit_code == 0, result.output
    assert call(task, "--run", run, "--count", 0, "-o", tmp_path / "b.jsonl").exit_code == 0
    assert ids(tmp_path / "a.jsonl") == ids(tmp_path / "b.jsonl")
