"""The server of `electra-ie label` as a process of its own: killed in the middle of saves, stopped, its port taken."""

from __future__ import annotations

import json
import re
import socket
import sys
import time

import httpx
import processes
import psutil
import pytest
import tiny
from test_api import Forked
from test_store import NOTHING, lines, new_task

from electra_ie.data.task import Task
from electra_ie.labeling.retraining import TrainingProcess
from electra_ie.labeling.store import LabelStore

ANSWER = {"topic": "trade", "risks": [], "names": [], "links": []}


def start(folder, messages, *options):
    """Start the server, without an encoder to choose texts by, and return the process and a client."""
    messages.write_text("", "utf-8")
    process = processes.start(
        ["-m", "electra_ie", "label", str(folder), "--port", "0", "--encoder", "none", *options], messages
    )
    end = time.monotonic() + processes.SECONDS
    while not (found := re.search(r"http://[\d.]+:\d+", messages.read_text("utf-8"))):
        assert process.is_alive() and time.monotonic() < end, messages.read_text("utf-8")
        time.sleep(0.02)
    return process, httpx.Client(base_url=found[0], timeout=60)


@pytest.mark.slow
def test_nothing_that_was_acknowledged_is_lost_when_the_server_is_killed(tmp_path):
    folder = new_task(tmp_path / "t", train=None)
    tiny.write_records(folder / "pool.jsonl", [{"id": f"p{n}", "text": f"text {n}"} for n in range(500)])
    done = {}
    for kill_after in (3, 8):
        process, client = start(folder, tmp_path / "messages")
        task, shown = client.get("/api/task").json()["version"], client.get("/api/next").json()
        assert shown["progress"]["own"] >= len(done)
        saved = 0
        try:
            while True:
                key, text = shown["text"]["key"], shown["text"]["text"]
                if saved == kill_after:  # while the next save is on its way
                    with socket.create_connection((client.base_url.host, client.base_url.port)) as connection:
                        connection.send(request(client, key, task))
                        process.kill()
                shown = client.put(f"/api/texts/{key}", json=body(task, shown["version"])).raise_for_status().json()
                done[text] = True
                saved += 1
        except httpx.TransportError:
            process.join(processes.SECONDS)
        assert saved >= kill_after
        store = LabelStore(Task.load(folder))
        records = [*lines(folder), *lines(folder, "dev.jsonl")]
        assert set(done) <= {each["text"] for each in records} and len(records) - len(done) in (0, 1, 2)
        assert all(each["topic"] == "trade" for each in records)
        assert len(store.journal("annotator").saved()) == len(records)
        done = {each["text"]: True for each in records}


def body(task, version=NOTHING):
    return {"annotation": ANSWER, "version": version, "task": task}


def request(client, key, task):
    content = json.dumps(body(task)).encode()
    head = f"PUT /api/texts/{key} HTTP/1.1\r\nHost: {client.base_url.netloc.decode()}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


def test_it_ends_when_it_is_told_to_and_a_taken_port_is_one_line(tmp_path):
    folder = new_task(tmp_path / "t")
    process, client = start(folder, tmp_path / "messages", "--annotator", "ann")
    assert (
        client.get("/").status_code == 200 and "script-src 'self'" in client.get("/").headers["content-security-policy"]
    )
    ended = processes.run(["-m", "electra_ie", "label", str(folder), "--port", str(client.base_url.port)])
    assert ended.code == 2 and "is taken by another program" in ended.messages
    assert sum(line.startswith("error: ") for line in ended.messages.splitlines()) == 1
    client.close()
    process.terminate()
    process.join(processes.SECONDS)
    assert process.exitcode == 0


def test_a_training_that_outlives_a_killed_server_is_found(tmp_path):
    with (tmp_path / "log").open("wb") as log:
        left = Forked([sys.executable, "-c", "import time; time.sleep(600)"], None, log, log)
    try:
        state = {"run": "001", "pid": left.pid, "created": psutil.Process(left.pid).create_time()}
        (tmp_path / "training.json").write_text(json.dumps(state), "utf-8")
        (tmp_path / "001").mkdir()
        training = TrainingProcess(tmp_path, tmp_path / "task.yaml", ())
        assert training.progress().state == "running"
        training.stop()
        assert training.progress().state == "stopped" and not (tmp_path / "001").exists()
        assert TrainingProcess(tmp_path, tmp_path / "task.yaml", ()).progress().state == "failed"
    finally:
        left.kill()
