"""The answers of the server that labels are made with: a session, its suggestions and its trainings."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import time
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from typing import Any

import processes
import psutil
import pytest
import tiny
from command_line import command
from fastapi.testclient import TestClient
from filelock import FileLock
from test_store import AMOUNT, FIRST, KEY, PERSON, TEXTS, YAML, answer, lines, new_task

from electra_ie.common.errors import UserError
from electra_ie.data.task import Task
from electra_ie.labeling import drafts, record_files, text_order
from electra_ie.labeling.record_files import key_of
from electra_ie.labeling.server import build_app
from electra_ie.labeling.session import Options, Session
from electra_ie.labeling.store import DEV, NOTHING
from electra_ie.runs.layout import CARD
from electra_ie.web.access import Access


class Client(TestClient):
    """A client of a session, with what the page does."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.session = Session(Task.load(folder), Options(**options))
        super().__init__(build_app(self.session, Access()), base_url="http://localhost")

    def save(self, key: str, annotation: dict[str, Any], version: str = NOTHING, **more: Any) -> Any:
        body = {"annotation": annotation, "version": version, "task": self.session.version, **more}
        return self.put(f"/api/texts/{key}", json=body)

    def next(self) -> dict[str, Any]:
        return self.get("/api/next").json()

    def label_next(self, **fields: Any) -> dict[str, Any]:
        shown = self.next()
        return self.save(shown["text"]["key"], answer(**fields), shown["version"]).json()


@pytest.fixture
def folder(tmp_path):
    return new_task(tmp_path / "t")


@pytest.fixture(autouse=True)
def unordered(request, monkeypatch):
    """Do not choose texts, which loads an encoder, but in tests of the order."""
    if "order" not in request.node.name:
        monkeypatch.setattr(text_order, "FEW", 0)


def test_a_text_is_saved_and_the_next_one_is_given(folder):
    with Client(folder) as client:
        task = client.get("/api/task").json()
        assert [field["name"] for field in task["fields"]] == ["topic", "risks", "names", "links"]
        first = client.next()
        assert client.next()["text"] == first["text"], "the same text as long as it is not saved"
        second = client.save(first["text"]["key"], answer(topic="trade"), first["version"]).json()
        assert second["text"]["key"] != first["text"]["key"] and second["progress"]["own"] == 1
        assert client.get("/api/recent").json()["texts"][0]["key"] == first["text"]["key"]
        again = client.get(f"/api/texts/{first['text']['key']}").json()
        assert again["saved"] and again["annotation"]["topic"] == "trade"
        assert client.get("/api/status").json()["training"]["state"] == "idle"
    assert "chosen" in [*lines(folder), *lines(folder, "dev.jsonl")][-1]


def test_all_texts_are_given_once_and_a_share_of_them_for_dev(tmp_path):
    folder = new_task(tmp_path / "t", train=None)
    tiny.write_records(folder / "pool.jsonl", [{"text": f"text {number}"} for number in range(40)])
    with Client(folder) as client:
        seen = []
        while (shown := client.next())["text"]:
            seen.append(shown["text"]["text"])
            client.save(shown["text"]["key"], answer(topic="trade"), shown["version"])
        assert sorted(seen) == sorted(f"text {number}" for number in range(40))
        assert shown["progress"]["open"] == 0
    dev, train = lines(folder, "dev.jsonl"), lines(folder)
    assert 5 <= len(dev) <= 16 and len(dev) + len(train) == 40
    assert {each["chosen"] for each in dev} == {"random"}, "what is chosen never becomes dev"
    assert [index for index, text in enumerate(seen) if text in {each["text"] for each in dev}][0] == 1
    with Client(folder) as client:
        assert client.session.order.grows_dev


def test_a_dev_split_of_its_own_does_not_grow(folder):
    (folder / "dev.jsonl").write_text(
        '{"text": "held out", "topic": "trade"}\n' + json.dumps({"text": TEXTS[3]}), "utf-8"
    )
    with Client(folder) as client:
        assert not client.session.order.grows_dev
        for _ in range(5):
            client.label_next()
        assert client.next()["text"] is None
    assert len(lines(folder, "dev.jsonl")) == 2 and len(lines(folder)) == 5, "texts of dev are not labeled for train"


def test_skip_and_undo(folder):
    with Client(folder) as client:
        first = client.next()["text"]["key"]
        second = client.post(f"/api/texts/{first}/skip").json()
        assert second["text"]["key"] != first and second["progress"]["skipped"] == 1
        client.save(second["text"]["key"], answer(topic="trade", names=[]), second["version"])
        undone = client.post("/api/undo").json()
        assert undone["text"]["key"] == second["text"]["key"] and not undone["saved"]
        assert undone["draft"]["topic"] == "trade", "what was marked is not lost"
        assert client.next()["text"]["key"] == second["text"]["key"]
        assert client.get("/api/skipped").json()["text"]["key"] == first
        assert client.post("/api/undo").json()["text"]["key"] == first
        refused = client.post("/api/undo")
        assert refused.status_code == 422 and "nothing to undo" in refused.json()["error"]["message"]
        assert client.get("/api/skipped").status_code == 422


def test_drafts_survive_a_restart(folder):
    with Client(folder) as client:
        key = client.next()["text"]["key"]
        marked = {"annotation": {"#page": {"list": []}}, "task": client.session.version}
        assert client.put(f"/api/texts/{key}/draft", json=marked).status_code == 200
    with Client(folder) as client:
        shown = client.next()
        assert (shown["text"]["key"], shown["draft"]) == (key, {"#page": {"list": []}})
        assert shown["text"]["chosen"] == "random"
        client.save(key, answer())
        assert client.get(f"/api/texts/{key}").json()["draft"] is None


def test_two_pages_are_told(folder):
    with Client(folder) as one, Client(folder) as two:
        assert one.save(KEY, answer(topic="trade")).status_code == 200
        refused = two.save(KEY, answer(topic="travel"))
        assert refused.status_code == 409 and "in another window" in refused.json()["error"]["message"]
        theirs = two.get(f"/api/texts/{KEY}").json()
        assert theirs["annotation"]["topic"] == "trade"
        assert two.save(KEY, answer(topic="travel"), theirs["version"]).status_code == 200
        assert one.next()["text"]["key"] != KEY


def test_a_task_that_changes_under_the_page(folder):
    with Client(folder) as client:
        version = client.session.version
        body = {"annotation": answer(topic="trade"), "version": NOTHING, "task": version}
        yaml = folder / "task.yaml"
        yaml.write_text(YAML.replace("[trade, travel]", "[trade, travel, other]"), "utf-8")
        refused = client.put(f"/api/texts/{KEY}", json=body)
        assert refused.status_code == 412 and "was changed since the page" in refused.json()["error"]["message"]
        marked = {"annotation": {"topic": "trade"}, "task": version}
        assert client.put(f"/api/texts/{KEY}/draft", json=marked).status_code == 412
        assert "other" in client.get("/api/task").json()["fields"][0]["labels"]
        assert client.get(f"/api/texts/{KEY}").json()["draft"] == {"topic": "trade"}, "kept nevertheless"
        assert client.save(KEY, answer(topic="other")).status_code == 200
        yaml.write_text("fields: [", "utf-8")
        broken = client.get("/api/task")
        assert broken.status_code == 412 and "cannot be read" in broken.json()["error"]["message"]
        yaml.write_text(YAML.replace("[trade, travel]", "[trade, travel, other]"), "utf-8")
        assert client.get("/api/task").status_code == 200


def test_a_text_that_is_gone_and_an_invalid_annotation(folder):
    with Client(folder) as client:
        assert client.save("0" * 16, answer()).status_code == 422
        wrong = client.save(KEY, answer(topic="nothing"))
        assert wrong.status_code == 422 and 'no class "nothing"' in wrong.json()["error"]["message"]
        assert client.put(f"/api/texts/{KEY}", json={"annotation": 3}).status_code == 422


def test_a_full_disk_is_said(folder, monkeypatch):
    with Client(folder) as client:

        def full(*_):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            refused = client.save(KEY, answer(topic="trade"))
            assert (
                refused.status_code == 507
                and "the disk is full; nothing was saved" in refused.json()["error"]["message"]
            )
            marked = {"annotation": {"topic": "trade"}, "task": client.session.version}
            assert client.put(f"/api/texts/{KEY}/draft", json=marked).status_code == 507
        assert len(lines(folder)) == 1
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(PermissionError(errno.EACCES, "denied")))
            assert "cannot be written (denied)" in client.save(KEY, answer()).json()["error"]["message"]
        with monkeypatch.context() as patch:
            patch.setattr("electra_ie.labeling.drafts.write_lines", full)
            assert client.save(KEY, answer(topic="trade")).status_code == 200, "what is saved is not said to be lost"
            assert client.post("/api/undo").status_code == 507 and len(lines(folder)) == 2
        assert client.post("/api/undo").status_code == 200 and len(lines(folder)) == 1


def test_agreement_of_annotators(folder):
    def both(client, names, risks):
        client.save(KEY, answer(topic="trade", names=names, risks=risks))
        client.save(key_of(TEXTS[3]), answer(topic="travel", risks=[]))

    with Client(folder, annotator="ann") as ann:
        assert ann.get("/api/agreement").json() == {"agreements": [], "disputed": []}
        both(ann, [PERSON, AMOUNT], ["late"])
    with Client(folder, annotator="bob") as bob:
        assert bob.get(f"/api/texts/{KEY}").json()["annotation"] == {}
        both(bob, [PERSON], ["late"])
        found = bob.get("/api/agreement").json()
        values = {(each["field"], each["label"]): each["value"] for each in found["agreements"]}
        assert values == {
            ("topic", ""): 1.0, ("risks", "late"): 1.0, ("risks", "cash"): None,
            ("names", ""): pytest.approx(2 / 3), ("links", ""): None,
        }  # fmt: skip
        assert [each["key"] for each in found["disputed"]] == [KEY]
        shown = bob.get(f"/api/texts/{KEY}").json()
        assert shown["others"]["ann"]["names"] == [PERSON, AMOUNT]
        assert bob.save(KEY, answer(names=[PERSON, AMOUNT]), shown["version"], decide=True).status_code == 200
        assert bob.get("/api/agreement").json()["disputed"] == []
        assert bob.get("/api/agreement").json()["agreements"] == found["agreements"], "a decision is not independent"


def test_another_annotator_gets_some_of_the_same_texts(tmp_path):
    folder = new_task(tmp_path / "t", train=None)
    tiny.write_records(folder / "pool.jsonl", [{"text": f"text {number}"} for number in range(40)])
    with Client(folder, annotator="ann") as ann:
        first = [ann.next()["text"]["key"] for _ in range(10) if ann.label_next(topic="trade")]
    with Client(folder, annotator="bob") as bob:
        keys = []
        for _ in range(10):
            keys.append(bob.next()["text"]["key"])
            bob.label_next(topic="trade")
        done = {event.key for event in bob.session.store.journal("ann").live()}
        assert len(first) == 10 and sum(key in done for key in keys) == 2


def test_the_order_and_the_suggestions_are_those_of_a_run(tmp_path, run):
    task = tiny.write_task(tmp_path / "t")
    with Client(task, run=run) as client:
        client.session.loading.result(120)
        assert client.get("/api/status").json()["run"] == run.name
        shown = client.next()
        assert shown["text"]["chosen"] == "random", "until the order is computed"
        client.session.order._choice.result(300)
        client.next()
        assert set(client.session.order.chosen.values()) >= {"uncertain"}
        found = client.get(f"/api/texts/{shown['text']['key']}/suggestions").json()["suggestions"]
        assert set(found) <= {"topic", "risks", "names"} and 0 < found["topic"]["score"] <= 1
        kept = (
            [label["label"] for label in found["topic"].values()]
            if isinstance(found["topic"], list)
            else found["topic"]
        )
        assert kept
        client.save(shown["text"]["key"], {"topic": found["topic"]["label"], "risks": [], "names": []})
        client.next()
        assert client.session.order.failure == ""


def test_a_run_that_cannot_be_read_is_said(folder, tmp_path):
    (tmp_path / "broken").mkdir()
    with Client(folder, run=tmp_path / "broken") as client:
        answered = client.get(f"/api/texts/{KEY}/suggestions").json()
        assert answered["suggestions"] == {} and "not the folder of a run" in answered["failure"]


def trained(client, state="finished", seconds=300):
    end = time.monotonic() + seconds
    while (status := client.get("/api/status").json())["training"]["state"] == "running":
        assert time.monotonic() < end
        time.sleep(0.1)
    assert status["training"]["state"] == state, status
    return status


class Forked(processes.Popen):
    """A training that is forked from the server of processes, as the session uses it."""

    def __init__(self, command, stdin, stdout, stderr):
        super().__init__(command, os.environ, stdout, stderr)
        self.pid, self.kill = self.process.pid, self.process.kill

    def wait(self, timeout):
        return super().wait()


OVERRIDES = ["max_steps=2", "batch_size=6", "num_evaluations=1", "window=48", "context_overlap=4", "precision=no"]


@pytest.mark.slow
def test_training_beside_the_page(tmp_path, encoder, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", Forked)
    task = tiny.write_task(tmp_path / "t")
    training = [word for each in OVERRIDES for word in ("--set", each)]
    with Client(task, encoder=encoder("bert"), training=tuple(training)) as client:
        assert client.post("/api/training").json() == {"run": "001"}
        again = client.post("/api/training")
        assert again.status_code == 422 and "is being trained" in again.json()["error"]["message"]
        status = trained(client)
        assert status["run"] == "001", "its suggestions are used"
        (point,) = status["curve"]
        assert (point["labels"], point["dev_texts"]) == (40, 20) and 0 <= point["score"] <= 1
        shown = client.next()
        found = client.get(f"/api/texts/{shown['text']['key']}/suggestions").json()
        assert "topic" in found["suggestions"]
        assert client.post("/api/training").json() == {"run": "002"}
        client.delete("/api/training")
        status = trained(client, "stopped")
        assert not (task.parent / "labels/runs/002").exists() and status["run"] == "001"
    with Client(task, encoder="nowhere") as client:
        assert client.session.suggester.run.name == "001", "the last run is found"
        client.post("/api/training")
        failed = trained(client, "failed")["training"]
        assert failed["run"] == "003" and "nowhere" in failed["message"]


def test_training_needs_labels(tmp_path):
    folder = new_task(tmp_path / "t", train=None)
    with Client(folder) as client:
        refused = client.post("/api/training")
        assert refused.status_code == 422 and "no text of train has a label" in refused.json()["error"]["message"]
        client.save(KEY, answer(topic="trade"))
        assert "no text of dev" in client.post("/api/training").json()["error"]["message"]


def test_what_the_command_refuses(tmp_path, monkeypatch, capsys):
    folder = new_task(tmp_path / "t")
    for arguments, message in (
        (["transaction_risk"], "task of the package"),
        ([folder, "--run", folder], "not the folder of a finished run"),
        ([folder, "--annotator", "../x"], "cannot be the name of an annotator"),
        ([tmp_path], "no task.yaml"),
    ):
        assert command(monkeypatch, "label", *arguments) == 2
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1
    with pytest.raises(UserError):
        Session(Task.load(folder), Options(annotator="a/b"))
    assert DEV == "dev"


def test_attributes_are_not_shown(folder, capsys):
    file = folder / "task.yaml"
    declared = "  said: {kind: attributes, labels: [sure, unsure], of: [person], default: sure}\n"
    file.write_text(file.read_text("utf-8").replace("fields:\n", f"fields:\n{declared}"), encoding="utf-8")
    with Client(folder) as client:
        assert "the page does not show attributes (said): spans keep theirs" in capsys.readouterr().err
        assert "said" not in [field["name"] for field in client.get("/api/task").json()["fields"]]
        client.label_next(names=[PERSON])
    assert Task.load(folder).read("train")[0].gold["said"][0].label == "sure"


def test_dev_of_texts_of_the_pool_does_not_grow(folder):
    tiny.write_records(folder / "dev.jsonl", [{"id": "d", "text": TEXTS[3], "topic": "trade"}])
    with Client(folder) as client:
        assert not client.session.order.grows_dev
        shown = client.get(f"/api/texts/{key_of(TEXTS[3])}").json()
        client.save(key_of(TEXTS[3]), answer(topic="travel"), shown["version"])
    with Client(folder) as client:
        assert not client.session.order.grows_dev, "a correction adds nothing"


def test_the_training_of_another_server_is_left_running(folder):
    other = subprocess.Popen(["sleep", "600"])
    try:
        state = {"run": "001", "pid": other.pid, "created": psutil.Process(other.pid).create_time()}
        (folder / "labels/runs/001").mkdir(parents=True)
        (folder / "labels/runs/training.json").write_text(json.dumps(state), "utf-8")
        with Client(folder) as client:
            assert client.get("/api/status").json()["training"]["state"] == "running"
        assert other.poll() is None and (folder / "labels/runs/001").is_dir()
    finally:
        other.kill()
        other.wait()


@pytest.mark.parametrize("run", [".", "..", "../../..", 1, None, "ABSOLUTE"])
def test_only_a_run_is_taken_from_the_state_of_a_training(folder, tmp_path, capsys, run):
    other = tmp_path / "documents"
    for each in (other, folder / "labels/runs"):
        each.mkdir(parents=True)
        (each / "kept.txt").write_text("kept", "utf-8")
    state = {"run": str(other) if run == "ABSOLUTE" else run, "pid": 1, "created": 0}
    (folder / "labels/runs/training.json").write_text(json.dumps(state), "utf-8")
    with Client(folder) as client:
        assert client.get("/api/status").json()["training"]["state"] == "idle"
    assert (other / "kept.txt").is_file() and (folder / "labels/runs/kept.txt").is_file()
    assert "not the name of a run" in capsys.readouterr().err


def test_an_unfinished_run_whose_process_is_not_of_this_machine_is_kept(folder):
    (folder / "labels/runs/001").mkdir(parents=True)
    (folder / "labels/runs/training.json").write_text('{"run": "001", "pid": 1, "created": 0}', "utf-8")
    with Client(folder) as client:
        assert client.get("/api/status").json()["training"]["state"] == "failed"
    assert (folder / "labels/runs/001").is_dir()


def test_the_run_that_was_named_stays_after_an_earlier_training(folder):
    for run in (folder / "labels/runs/001", folder / "best"):
        run.mkdir(parents=True)
        (run / CARD).write_text("x", "utf-8")
    (folder / "labels/runs/training.json").write_text('{"run": "001", "pid": 1, "created": 0}', "utf-8")
    with Client(folder, run=folder / "best") as client:
        client.session.watch_training()
        assert client.session.suggester.run == folder / "best"


def test_the_next_text_after_a_change_of_the_task_waits_for_no_lock(folder, monkeypatch):
    monkeypatch.setattr(record_files, "WAIT", 0.05)
    for method in (Session.next, lambda session: session.skip(KEY)):
        with Client(folder) as client:
            yaml = folder / "task.yaml"
            yaml.write_text(yaml.read_text("utf-8") + "# changed\n", "utf-8")
            assert method(client.session)["text"]


def test_how_a_text_was_chosen_is_known_after_a_change_of_the_task(folder):
    with Client(folder) as client:
        key = client.next()["text"]["key"]
        yaml = folder / "task.yaml"
        yaml.write_text(yaml.read_text("utf-8") + "# changed\n", "utf-8")
        assert client.next()["text"]["key"] == key and client.next()["text"]["chosen"] == "random"


def test_annotations_with_labels_that_are_gone_are_not_compared(folder, capsys):
    with Client(folder) as client:
        client.save(KEY, answer(topic="trade"))
        for file in (folder / "task.yaml", folder / "train.jsonl"):
            file.write_text(file.read_text("utf-8").replace("trade", "goods"), "utf-8")
        client.get("/api/task")
        assert client.get("/api/agreement").json()["agreements"] == []
        assert "1 annotations have labels that the task no longer has" in capsys.readouterr().err
        assert "changed by another program" in client.post("/api/undo").json()["error"]["message"]


def test_two_servers_keep_the_drafts_of_both(folder):
    with Client(folder) as one, Client(folder) as two:
        for client, key in ((one, KEY), (two, key_of(TEXTS[1]))):
            client.session.keep_draft(key, {"#page": {}}, client.session.version)
    with Client(folder) as client:
        assert len(client.session.drafts.by_key) == 2


def test_a_draft_that_another_server_is_keeping_is_not_lost(folder, monkeypatch):
    """Each reads the file and writes it with its own draft: the other may not do so in between."""
    with Client(folder) as one, Client(folder) as two:
        other = Thread(target=two.session.keep_draft, args=(KEY, {"#page": {}}, two.session.version))
        write = drafts.write_lines

        def while_the_other_writes(path: Path, content: list[str]) -> None:
            monkeypatch.setattr(drafts, "write_lines", write)
            other.start()
            other.join(0.5)  # it waits, unless it is allowed to write now
            write(path, content)

        monkeypatch.setattr(drafts, "write_lines", while_the_other_writes)
        one.session.keep_draft(key_of(TEXTS[1]), {"#page": {}}, one.session.version)
        other.join()
        assert one.get(f"/api/texts/{KEY}").json()["draft"] == {"#page": {}}, "also of the other server"
        assert two.get(f"/api/texts/{key_of(TEXTS[1])}").json()["draft"] == {"#page": {}}


def test_drafts_that_another_process_does_not_let_go_are_one_line(folder, monkeypatch):
    monkeypatch.setattr(record_files, "WAIT", 0)
    with Client(folder) as client, FileLock(folder / "labels/.annotator.drafts.lock"):
        marked = {"annotation": {"#page": {}}, "task": client.session.version}
        refused = client.put(f"/api/texts/{KEY}/draft", json=marked)
        assert refused.status_code == 422
        assert "another process is changing this" in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"current": ["a"]}, '"current" is ["a"], not a text'),
        ({"chosen": 3}, '"chosen" is 3, not a text'),
        ({"drafts": []}, '"drafts" is [], not an object'),
        ({"drafts": {"a": None}}, 'the draft of the text "a" is null, not an object'),
    ],
)
def test_drafts_of_another_type_are_refused_by_line(folder, content, message):
    file = folder / "labels/annotator.drafts.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"current": None, "chosen": None, "drafts": None}), "utf-8")
    with Client(folder) as client:
        assert client.next()["draft"] is None, "null is the same as no key"
    file.write_text(json.dumps(content), "utf-8")
    with pytest.raises(UserError, match=re.escape(f"{file}:1: {message}")):
        Client(folder)


def test_undo_that_is_refused_keeps_the_draft(folder):
    with Client(folder) as client:
        client.save(KEY, answer(topic="trade"))
        client.session.keep_draft(KEY, {"topic": "goods"}, client.session.version)
        file = folder / "train.jsonl"
        file.write_text(file.read_text("utf-8").replace("trade", "travel"), "utf-8")
        assert client.post("/api/undo").status_code == 409
        assert client.session.drafts.get(KEY) == {"topic": "goods"}


def test_an_error_in_a_file_names_its_line(folder):
    with Client(folder) as client:
        (folder / "train.jsonl").write_text(FIRST + "\n{broken\n", "utf-8")
        refused = client.get("/api/next")
        assert refused.status_code == 422
        assert refused.json()["error"]["message"].startswith("train.jsonl:2: this is not JSON")


def test_an_order_that_an_import_has_failed_is_computed_again(tmp_path, monkeypatch):
    folder = new_task(tmp_path / "t", train=None)
    with Client(folder) as client:
        order = client.session.order
        failed: Future[Any] = Future()
        failed.set_exception(ImportError("cannot import name"))
        monkeypatch.setattr(client.session.suggester, "choose", lambda *_: failed)
        client.next()
        client.next()
        assert order.failure == "cannot import name" and order._choice is failed, "it is not computed again"
        chosen: Future[Any] = Future()
        chosen.set_result([])
        monkeypatch.setattr(client.session.suggester, "choose", lambda *_: chosen)
        client.next()
        client.next()
        assert order.failure == ""
        broken: Future[Any] = Future()
        broken.set_exception(UserError("the run is damaged."))
        monkeypatch.setattr(client.session.suggester, "choose", lambda *_: broken)
        client.next()
        client.next()
        assert order.failure == "the run is damaged" and order._choice is None, "it is computed in vain"
