"""The server: the same answers as `extract`, limits, counts, and a model whose files change."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import linked
import pytest
import tiny
import unicode_texts
from command_line import command
from served import held, served, with_goals
from web_servers import raw, status_and_json

import electra_ie
from electra_ie.common.errors import UserError
from electra_ie.data.document import Document
from electra_ie.export.exporter import export_run
from electra_ie.serving import application
from electra_ie.serving.model import ServedModel
from electra_ie.serving.queue import ModelQueue

PRIVATE = "Arden paid 9.999 on behalf of a patient"


def documents_of(size):
    return [Document(each.id, each.text) for each in tiny.documents(size)]


def sent(document):
    return {"text": document.text, "id": document.id}


def error_of(answer):
    return answer.json()["error"]


def until(check, seconds=20):
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_served_findings_are_those_of_extract_byte_for_byte(client, model, lines):
    documents = documents_of(24)
    expected = lines(model.extractor, documents)
    assert [client.post("/extract", json=sent(each)).text for each in documents] == expected
    batch = client.post("/extract/batch", json={"documents": [*map(sent, documents)]})
    assert batch.text == '{"results": [' + ", ".join(expected) + "]}"

    def send(document):
        return httpx.post(f"{client.base_url}/extract", json=sent(document), timeout=60).text

    with ThreadPoolExecutor(8) as clients:  # read together, in whatever groups
        assert list(clients.map(send, documents)) == expected
    assert json.loads(expected[0])["findings"], "the run finds nothing"


def test_the_command_extract_and_the_server_find_the_same(client, run_with_records, tmp_path):
    documents = documents_of(4)
    (tmp_path / "inbox.jsonl").write_text("".join(json.dumps(sent(each)) + "\n" for each in documents), "utf-8")
    electra_ie.extract(run_with_records, tmp_path / "inbox.jsonl", tmp_path / "out.jsonl")
    written = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    found = [client.post("/extract", json=sent(each)).json() for each in documents]
    assert [{**line, "file": ""} for line in written] == found


@pytest.mark.parametrize("text", [*unicode_texts.SCRIPTS.values(), *unicode_texts.TRICKY, "", "😀𠀀 Arden paid 1.000"])
def test_offsets_are_code_points_of_the_text(client, text):
    found = client.post("/extract", json={"text": text}).json()
    assert found["characters"] == len(text)
    for finding in found["findings"]:
        assert finding.get("text", text[finding["start"] : finding["end"]]) == text[finding["start"] : finding["end"]]


def test_records_are_those_of_extract(client, run_with_records, tmp_path):
    (document,) = documents_of(1)
    (tmp_path / "inbox.jsonl").write_text(json.dumps(sent(document)) + "\n", "utf-8")
    target = tmp_path / "records.jsonl"
    electra_ie.extract(run_with_records, tmp_path / "inbox.jsonl", tmp_path / "out.jsonl", records=target)
    expected = json.loads(target.read_text("utf-8"))["records"]
    answer = client.post("/extract", json=sent(document), params={"records": True}).json()
    assert answer["records"] == expected and expected[0]["fields"]["sums"]
    assert "records" not in client.post("/extract", json=sent(document)).json()


def test_records_of_a_task_without_them_are_refused(model):
    with served(replace(model, maker=None)) as client:
        answer = client.post("/extract", json={"text": "a"}, params={"records": True})
    assert answer.status_code == 422 and "no records" in error_of(answer)["message"]


@pytest.mark.parametrize("records", [False, True])
def test_decisions_are_those_of_the_thresholds(model, records):
    document = documents_of(1)[0]
    model = with_goals(model)
    with served(model) as client:
        plain = client.post("/extract", json=sent(document), params={"records": records}).json()
        asked = {"decisions": True, "records": records}
        decided = client.post("/extract", json=sent(document), params=asked).json()
        batch = client.post("/extract/batch", json={"documents": [sent(document)]}, params=asked).json()
        thresholds = {(each["field"], each["label"]): each for each in client.get("/info").json()["thresholds"]}
    assert batch == {"results": [decided]}
    decisions = [finding.pop("decision") for finding in decided["findings"]]
    assert decided == plain and ("records" in plain) == records
    for finding, decision in zip(decided["findings"], decisions, strict=True):
        limits = thresholds.get((finding["field"], finding["label"]), {"accept": 2, "keep": -1})
        kept = "review" if finding["score"] >= limits["keep"] else "dropped"
        assert decision == ("accepted" if finding["score"] >= limits["accept"] else kept)
    assert set(decisions) > {"review"}, "no threshold is applied"


def test_decisions_of_a_run_without_goals_are_refused(client):
    answer = client.post("/extract", json={"text": "a"}, params={"decisions": True})
    assert answer.status_code == 422 and "no goals" in error_of(answer)["message"]
    assert "electra-ie calibrate" in error_of(answer)["remedy"]
    assert client.post("/extract", json={"text": "a"}, params={"decisions": False}).status_code == 200


def test_a_key_of_the_query_that_does_not_exist_is_refused_with_the_nearest(client):
    for path, body in (("/extract", {"text": "a"}), ("/extract/batch", {"documents": [{"text": "a"}]})):
        answer = client.post(path, json=body, params={"recrods": True, "records": True})
        assert answer.status_code == 422, path
        (fault,) = error_of(answer)["faults"]
        assert fault["where"] == "query.recrods" and 'Did you mean "records"? ' in fault["message"]
        assert "records, decisions" in fault["message"]


def test_load_balancers_ask_for_the_state_without_its_body(model):
    with served(model, token="correct-horse-battery") as client:
        for path in ("/health", "/ready"):
            answer, whole = client.head(path), client.get(path)
            assert (answer.status_code, answer.content) == (200, b"") and whole.content
            assert answer.headers["content-length"] == whole.headers["content-length"]
        assert client.head("/").status_code == 401
        assert client.head("/", headers={"Authorization": "Bearer correct-horse-battery"}).status_code == 200


def test_relations_are_found_as_alone(linked_run):
    model = ServedModel.load(linked_run)
    (text,) = (each["text"] for each in linked.records(1, 9))
    (result,) = model.extractor.read([Document("", text)])
    with served(model) as client:
        assert client.post("/extract", json={"text": text}).json() == json.loads(json.dumps(result.record()))
        fields = {field["name"]: field["kind"] for field in client.get("/info").json()["fields"]}
    assert fields == {"names": "spans", "links": "relations"} and "relations" in result.record()


@pytest.mark.slow
def test_an_exported_model_is_served_as_well(run, tmp_path):
    pytest.importorskip("onnxruntime")
    exported = export_run(run, tmp_path / "exported").path
    model = ServedModel.load(exported)
    (document,) = documents_of(1)
    (result,) = model.extractor.read([document])
    with served(model) as client:
        assert client.post("/extract", json=sent(document)).json() == json.loads(json.dumps(result.record()))
    (exported / "model.onnx").write_bytes(b"something else")
    assert model.check_files() not in (None, model.extractor.model)
    (exported / "model.onnx").unlink()
    assert model.check_files() == "missing"


def test_the_state_of_a_server(client, model):
    assert client.get("/health").json() == {"status": "alive"}
    ready = client.get("/ready").json()
    assert ready == {"status": "ready", "model": model.extractor.model, "files": None, "waiting": 0}
    info = client.get("/info").json()
    assert info["run"] == "run_with_records" and info["has_records"] is True and info["max_documents"] == 256
    assert {field["name"]: field["labels"] for field in info["fields"]} == {
        name: list(labels) for name, labels in tiny.LABELS.items()
    }


def test_limits_of_a_request(model):
    with served(model, max_characters=100, queue=3) as client:
        assert client.post("/extract", json={"text": "é" * 100}).status_code == 200
        answer = client.post("/extract", json={"text": "é" * 101})
        assert answer.status_code == 413 and "100 characters" in error_of(answer)["message"]
        assert client.post("/extract", json={"text": "a" * 2_000_000}).status_code == 413
        answer = client.post("/extract/batch", json={"documents": [{"text": "a"}] * 4})
        assert answer.status_code == 413 and "3 texts" in error_of(answer)["message"]
        mixed = client.post("/extract/batch", json={"documents": [{"text": "a"}, {"text": "b" * 101, "id": "long"}]})
        good, bad = mixed.json()["results"]
        assert mixed.status_code == 200 and good["characters"] == 1
        assert bad["id"] == "long" and bad["error"]["status"] == 413


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("/extract", {}, "body.text"),
        ("/extract", {"text": None}, "body.text"),
        ("/extract", {"text": "a", "Id": "x"}, "body.Id"),
        ("/extract", {"text": "a", "id": 7}, "body.id"),
        ("/extract/batch", {"documents": []}, "body.documents"),
        ("/extract/batch", {"documents": [{"text": "a"}, {"text": 7}]}, "body.documents.1.text"),
        ("/extract?records=perhaps", {"text": "a"}, "query.records"),
    ],
)
def test_what_is_not_as_the_schema_says_is_named(client, path, body, where):
    answer = client.post(path, json=body)
    assert answer.status_code == 422 and error_of(answer)["faults"][0]["where"] == where


def test_requests_beyond_the_queue_are_refused_and_those_within_it_answered(model):
    model = held(model)
    with served(model, queue=2) as client, ThreadPoolExecutor(4) as clients:

        def send(text):
            return httpx.post(f"{client.base_url}/extract", json={"text": text}, timeout=60)

        reading = clients.submit(send, "being read")
        assert model.extractor.begun.wait(20)
        waiting = [clients.submit(send, f"waiting {number}") for number in range(2)]
        until(lambda: client.get("/ready").json()["waiting"] == 2)
        assert "electra_ie_queue_documents 2.0" in client.get("/metrics").text
        refused = send("too many")
        assert refused.status_code == 503 and int(refused.headers["retry-after"]) >= 1
        assert "2 texts may wait" in error_of(refused)["message"]
        model.extractor.let.set()
        assert [each.result().status_code for each in (reading, *waiting)] == [200] * 3
    assert model.extractor.calls[0] == ["being read"]
    assert sorted(model.extractor.calls[1]) == ["waiting 0", "waiting 1"], "they were not read together"


def test_a_request_that_takes_too_long_is_answered_and_left_out(model):
    model = held(model)
    with served(model, timeout=0.4) as client, ThreadPoolExecutor(2) as clients:
        first = clients.submit(client.post, "/extract", json={"text": "being read"})
        assert model.extractor.begun.wait(20)
        late = client.post("/extract", json={"text": "late"})
        assert late.status_code == first.result().status_code == 504 and "0.4 seconds" in error_of(late)["message"]
        model.extractor.let.set()
        until(lambda: client.get("/ready").json()["waiting"] == 0)
        assert client.post("/extract", json={"text": "next"}).status_code == 200
    assert model.extractor.calls == [["being read"], ["next"]]


def test_a_client_that_hangs_up_does_not_stop_others(model):
    model = held(model)
    with served(model) as client, ThreadPoolExecutor(2) as clients:
        reading = clients.submit(client.post, "/extract", json={"text": "being read"})
        assert model.extractor.begun.wait(20)
        body = b'{"text": "hung up"}'
        head = f"POST /extract HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        with socket.create_connection((client.base_url.host, client.base_url.port)) as connection:
            connection.sendall(head.encode() + b"\r\n\r\n" + body)
            until(lambda: client.get("/ready").json()["waiting"] == 1)
        until(lambda: 'path="/extract",status="400"' in client.get("/metrics").text)
        other = clients.submit(client.post, "/extract", json={"text": "other"})
        until(lambda: client.get("/ready").json()["waiting"] == 2)
        model.extractor.let.set()
        assert reading.result().status_code == other.result().status_code == 200
    assert model.extractor.calls == [["being read"], ["other"]]


def test_a_text_that_cannot_be_read_does_not_fail_its_neighbors(model, caplog):
    model = held(model, fails=PRIVATE)
    model.extractor.let.set()
    logging.getLogger("electra_ie").propagate = True
    try:
        with served(model) as client:
            texts = [{"text": "good"}, {"text": PRIVATE, "id": "bad"}, {"text": "also good"}]
            answer = client.post("/extract/batch", json={"documents": texts})
            alone = client.post("/extract", json={"text": PRIVATE})
            ready = client.get("/ready")
    finally:
        logging.getLogger("electra_ie").propagate = False
    first, bad, last = answer.json()["results"]
    assert (first["characters"], bad["id"], bad["error"]["status"], last["characters"]) == (4, "bad", 500, 9)
    assert alone.status_code == 500 and ready.status_code == 200
    assert "MemoryError in served.py" in caplog.text and "Arden" not in caplog.text + answer.text + alone.text


def test_the_end_of_the_thread_is_seen(model, monkeypatch):
    model = held(model)
    monkeypatch.setattr(model.extractor, "read", lambda documents: (_ for _ in ()).throw(SystemExit))
    with served(model) as client:
        assert client.post("/extract", json={"text": "a"}).status_code == 503
        ready = client.get("/ready")
        assert ready.status_code == 503 and "Start the server again" in error_of(ready)["remedy"]
        assert client.post("/extract", json={"text": "a"}).status_code == 503
        assert client.get("/health").status_code == 200


def test_counts_have_neither_texts_nor_names_of_others(client):
    client.post("/extract", json={"text": PRIVATE, "id": "secret"})
    client.get("/secret")
    counts = client.get("/metrics").text
    assert 'electra_ie_requests_total{path="/extract",status="200"}' in counts
    assert 'electra_ie_requests_total{path="other",status="404"}' in counts
    assert 'electra_ie_request_seconds_bucket{le="0.5",path="/extract"}' in counts
    assert 'electra_ie_findings_total{field="topic"' in counts
    assert "secret" not in counts and "Arden" not in counts


def test_nothing_of_a_text_is_logged(client, capfd):
    client.post("/extract", json={"text": PRIVATE})
    client.post("/extract", json={"text": PRIVATE, "more": PRIVATE})
    client.get("/nothing", params={"text": PRIVATE})
    raw(str(client.base_url).rstrip("/"), f"POST /extract HTTP/1.1\r\n{PRIVATE}\r\n\r\n".encode())
    assert capfd.readouterr() == ("", "")


def test_a_token_is_needed_for_everything_but_the_state(model):
    with served(model, token="correct-horse-battery") as client:
        assert client.post("/extract", json={"text": "a"}).status_code == 401
        assert client.get("/metrics").status_code == client.get("/info").status_code == 401
        assert client.get("/ready").status_code == client.get("/health").status_code == 200
        bearer = {"Authorization": "Bearer correct-horse-battery"}
        assert client.post("/extract", json={"text": "a"}, headers=bearer).status_code == 200
        assert client.get("/openapi.json", headers=bearer).json()["security"] == [{"token": []}]


def test_a_model_that_is_replaced_goes_on_answering_and_says_so(run, tmp_path, monkeypatch, lines, capfd):
    monkeypatch.setattr(application, "CHECK_SECONDS", 0.05)
    folder = shutil.copytree(run, tmp_path / "run")
    model = ServedModel.load(folder)
    documents = documents_of(3)
    expected = lines(model.extractor, documents)
    weights = folder / "names" / "model.safetensors"
    before = weights.read_bytes()
    with served(model) as client:
        # In place, as `cp` does: a process that has mapped the file sees the new bytes.
        with weights.open("r+b") as file:
            file.seek(-len(before) // 2, 2)
            file.write(bytes(len(before) // 2))
        until(lambda: client.get("/ready").json()["status"] == "replaced")
        assert [client.post("/extract", json=sent(each)).text for each in documents] == expected
        ready = client.get("/ready").json()
        assert ready["model"] == model.extractor.model != ready["files"]
        assert "electra_ie_model_replaced 1.0" in client.get("/metrics").text
        weights.write_bytes(before)
        until(lambda: client.get("/ready").json()["status"] == "ready")
        (folder / "calibration.json").write_text("{}", "utf-8")
        until(lambda: client.get("/ready").json()["files"] == "calibration")
        shutil.rmtree(folder / "names")
        until(lambda: client.get("/ready").json()["files"] not in ("calibration", None))
        assert client.post("/extract", json=sent(documents[0])).text == expected[0]
    messages = capfd.readouterr().err
    # A check may also see a file that is half written.
    assert messages.count("goes on answering") >= 3 and f"The loaded model {model.extractor.model}" in messages


def test_the_server_is_healthy_after_what_clients_do_wrong(client):
    address = str(client.base_url).rstrip("/")
    head = "POST /extract HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    cases = {
        b"\x16\x03\x01\x02\x00\x01\x00": 408,  # TLS that ends here
        f"{head}Content-Length: 5\r\n\r\n{{".encode(): None,
        f"{head}Content-Length: 99999999999\r\n\r\n".encode(): 413,
        f"{head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nX\r\n".encode(): 400,
        f"{head}Content-Length: 2\r\n\r\n{{}}".encode() * 3: 422,
        f"{head}Content-Length: 7\r\n\r\n[[[[[[[".encode(): 400,
    }
    for begun in cases:
        with socket.create_connection((client.base_url.host, client.base_url.port)) as connection:
            connection.sendall(begun)  # and hang up
    for begun, expected in cases.items():
        if expected not in (None, 408):
            status, _ = status_and_json(
                raw(
                    address,
                    begun.replace(b"POST /extract HTTP/1.1\r\n", b"POST /extract HTTP/1.1\r\nConnection: close\r\n", 1),
                )
            )
            assert status == expected, begun
    (document,) = documents_of(1)
    assert client.post("/extract", json=sent(document)).status_code == 200
    assert client.get("/ready").json()["waiting"] == 0


def test_the_command_serves_and_refuses_what_it_cannot(monkeypatch, capfd, run, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert command(monkeypatch, "serve", run, "--port", port) == 2
        assert f"port {port} of 127.0.0.1 is taken" in capfd.readouterr().err
    assert command(monkeypatch, "serve", tmp_path, "--port", 0) == 2
    assert "this is not the folder of a run" in capfd.readouterr().err
    assert command(monkeypatch, "serve", run, "--timeout", 0) == 2
    assert "timeout is 0.0" in capfd.readouterr().err
    assert command(monkeypatch, "serve", run, "--token-file", tmp_path / "none") == 2
    assert "the token cannot be read" in capfd.readouterr().err


def test_a_model_that_changes_while_it_is_loaded_is_refused(run, tmp_path, monkeypatch):
    folder = shutil.copytree(run, tmp_path / "run")
    from electra_ie.serving import model as module

    def load(path):
        extractor = electra_ie.Extractor.from_pretrained(path)
        (folder / "names" / "model.safetensors").touch()
        return extractor

    monkeypatch.setattr(module, "load_extractor", load)
    with pytest.raises(UserError, match="changed while it was loaded"):
        ServedModel.load(folder)


def test_the_function_serves_until_it_is_stopped(run, monkeypatch):
    """`electra_ie.serve` in a thread, where no signal reaches it."""
    from electra_ie.web import running

    servers, where = [], []
    made = running.Server.__init__

    def keep(server, *arguments):
        made(server, *arguments)
        servers.append(server)

    monkeypatch.setattr(running.Server, "__init__", keep)
    thread = threading.Thread(target=electra_ie.serve, args=(run,), kwargs={"port": 0, "started": where.append})
    thread.start()
    until(lambda: where)
    assert httpx.get(where[0] + "health").status_code == 200
    servers[0].should_exit = True
    thread.join(30)
    assert not thread.is_alive()


def test_documents_of_requests_that_have_ended_leave_their_place():
    reading, go_on = threading.Event(), threading.Event()

    class Slow:
        def read(self, documents):
            reading.set()
            go_on.wait()
            return documents

    async def fill():
        queue = ModelQueue(Slow(), 2)
        queue.start()
        first = queue.put([Document("a", "x")], lambda result: result.id)
        await asyncio.to_thread(reading.wait)
        for answer in queue.put([Document("b", "x")] * 2, lambda result: result.id):
            answer.cancel()
        last = queue.put([Document("c", "x")], lambda result: result.id)
        go_on.set()
        found = [await each for each in (*first, *last)]
        await asyncio.to_thread(queue.stop)
        return found

    assert asyncio.run(fill()) == ["a", "c"]
