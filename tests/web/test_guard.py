"""What protects a local server: names, origins, tokens, limits, headers, and errors that repeat nothing."""

from __future__ import annotations

import logging
import socket
import time
from contextlib import suppress

import httpx
import pytest
from fastapi.responses import HTMLResponse
from pydantic import BaseModel
from web_servers import raw, serving, status_and_json

from electra_ie.common.errors import UserError
from electra_ie.web import running
from electra_ie.web.access import Access, host_name, read_token
from electra_ie.web.app import create_app
from electra_ie.web.assets import add_assets
from electra_ie.web.errors import RequestError, Unicode, error_responses
from electra_ie.web.guard import Limits

TOKEN = "correct-horse-battery-staple"
PRIVATE = "Jane Roe paid EUR 9,800"


class Sent(BaseModel):
    text: Unicode
    number: int = 0


def application(token=None, **limits):
    app = create_app("Test", Access(token, hosts=["proxy.example"]), limits=Limits(**limits))

    @app.post("/echo", responses=error_responses(422))
    async def echo(sent: Sent) -> Sent:
        return sent

    @app.get("/")
    async def page() -> HTMLResponse:
        return HTMLResponse("<p>page")

    @app.get("/fail/{how}")
    async def fail(how: str) -> None:
        if how == "user":
            raise UserError("the file is full.", file="/secret/place", remedy="Delete something.")
        if how == "known":
            raise RequestError(503, "the queue is full.", "Wait.", {"Retry-After": "1"})
        raise ValueError(PRIVATE)

    return app


@pytest.fixture(scope="module")
def open_server():
    with serving(application(bytes=1000, body_seconds=0.5)) as address:
        yield address


@pytest.fixture(scope="module")
def closed_server():
    app = application(TOKEN)
    with serving(app) as address:
        yield address, app.state.access


def error_of(answer):
    assert answer.headers["content-type"] == "application/json"
    return answer.json()["error"]


def test_answers_have_the_headers_that_protect_a_page(open_server):
    for path in ("/", "/nothing", "/static/base.css"):
        headers = httpx.get(open_server + path).headers
        assert "script-src 'self'" in headers["content-security-policy"], path
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert "server" not in headers
    assert httpx.get(open_server + "/").headers["cache-control"] == "no-store"
    assert httpx.get(open_server + "/docs").status_code == 404


def test_shared_files_are_served_and_asked_for_again(open_server):
    style = httpx.get(open_server + "/static/base.css")
    assert "--hue0" in style.text and style.headers["content-type"].startswith("text/css")
    again = httpx.get(open_server + "/static/base.css", headers={"If-None-Match": style.headers["etag"]})
    assert again.status_code == 304
    assert httpx.get(open_server + "/static/text.js").headers["content-type"].startswith("text/javascript")
    assert httpx.get(open_server + "/static/..%2F__init__.py").status_code == 404


def test_two_files_of_one_name_are_a_mistake_of_the_program():
    app = application()
    add_assets(app, "electra_ie.inference", "report.css", "base.css", "html_report.py")
    assert "report.css" in app.state.assets and "html_report.py" not in app.state.assets
    with pytest.raises(ValueError, match=r"two files are named page\.css"):
        add_assets(app, "electra_ie.checks", "page.css")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "localhost.evil.example", "", "a b", "[::1"])
def test_a_request_for_another_name_is_refused(open_server, host):
    answer = raw(open_server, f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    status, body = status_and_json(answer)
    assert status == 421 and "--allow-host" in body["error"]["remedy"]


@pytest.mark.parametrize(
    "host", ["localhost:1", "LOCALHOST", "127.0.0.1", "[::1]:80", "192.0.2.7", "proxy.example:443"]
)
def test_a_request_for_a_name_of_the_server_is_answered(open_server, host):
    assert httpx.get(open_server, headers={"Host": host}).status_code == 200


def test_a_host_header_is_read_as_a_name():
    assert [host_name(host) for host in ("A.b:1", "[::1]:2", "a.", "a:b", ":1", "[::1]x", "")] == [
        "a.b", "::1", "a", None, None, None, None,
    ]  # fmt: skip


def test_another_web_page_cannot_write(open_server):
    def send(**headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.post(open_server + "/echo", json={"text": "a"}, headers=named).status_code

    assert send() == send(Origin=open_server) == send(Origin=open_server, Sec_Fetch_Site="same-origin") == 200
    assert send(Origin="http://evil.example") == send(Origin="null") == send(Sec_Fetch_Site="cross-site") == 403
    assert send(Origin="http://127.0.0.1:1") == send(Sec_Fetch_Site="same-site") == 403
    answer = httpx.get(open_server, headers={"Origin": "http://evil.example"})
    assert not any(name.startswith("access-control") for name in answer.headers)


def test_a_token_is_needed_where_one_is_set(closed_server):
    address, _ = closed_server
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}, {"Cookie": "a=b; ;c"}):
        answer = httpx.get(address, headers=headers)
        assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"
        assert TOKEN not in answer.text
    assert httpx.get(address, headers={"Authorization": f"bearer {TOKEN}"}).status_code == 200
    assert httpx.get(address + "/static/base.css").status_code == 200
    assert httpx.get(address + "/openapi.json").status_code == 401


def test_a_browser_signs_in_with_the_token_or_by_a_link_that_works_once(closed_server):
    address, access = closed_server
    page = {"Accept": "text/html"}
    with httpx.Client(base_url=address, headers=page) as browser:
        asked = browser.get("/")
        assert asked.status_code == 303 and asked.headers["location"] == "/sign-in"
        assert "password" in browser.get("/sign-in").text
        assert browser.post("/sign-in", data={"token": "wrong"}).status_code == 401
        done = browser.post("/sign-in", data={"token": TOKEN})
        assert done.status_code == 303 and "HttpOnly" in done.headers["set-cookie"]
        assert "samesite=strict" in done.headers["set-cookie"].lower() and TOKEN not in done.headers["set-cookie"]
        assert browser.get("/").status_code == 200
    link = access.first_path()
    with httpx.Client(base_url=address, headers=page) as first, httpx.Client(base_url=address, headers=page) as second:
        assert first.get(link).status_code == 303 and first.get("/").status_code == 200
        assert second.get(link).status_code == 401 and second.get("/").status_code == 303


def test_the_oldest_of_many_sessions_ends():
    access = Access(TOKEN)
    first = access.new_session()
    for _ in range(1000):
        last = access.new_session()
    assert not access.is_session(first) and access.is_session(last) and not access.is_session(None)


@pytest.mark.parametrize(
    ("body", "where", "message"),
    [
        (b'{"text": 7}', "body.text", "string"),
        (b'{"text": "a", "number": "%s"}' % PRIVATE.encode(), "body.number", "integer"),
        (b'{"text": "\\ud800"}', "body.text", "surrogate"),
        (b"[]", "body", "dict"),
    ],
)
def test_what_is_not_as_the_schema_says_is_named_without_its_content(open_server, body, where, message):
    answer = httpx.post(open_server + "/echo", content=body, headers={"Content-Type": "application/json"})
    error = error_of(answer)
    assert answer.status_code == error["status"] == 422
    assert error["faults"][0]["where"].startswith(where) and message in error["faults"][0]["message"]
    assert "Jane" not in answer.text


def test_a_body_that_is_broken_json_is_said_with_its_place_and_without_its_content(open_server):
    body = b'{"text": "%s"' % PRIVATE.encode()
    answer = httpx.post(open_server + "/echo", content=body, headers={"Content-Type": "application/json"})
    error = error_of(answer)
    assert answer.status_code == 400 and error["message"] == f"the body is not JSON from position {len(body)} on."
    assert "Jane" not in answer.text and error["faults"] == []


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", None])
def test_a_body_whose_type_is_not_json_is_refused_with_the_header_to_send(open_server, kind):
    headers = {"Content-Type": kind} if kind else {}
    answer = httpx.post(open_server + "/echo", content=b'{"text": "Aspirin"}', headers=headers)
    assert answer.status_code == 415 and "Content-Type: application/json" in error_of(answer)["remedy"]
    answer = httpx.post(
        open_server + "/echo", content=b'{"text": "a"}', headers={"Content-Type": "application/json; charset=utf-8"}
    )
    assert answer.status_code == 200


def test_head_is_answered_as_get_without_the_body(open_server):
    head = b"HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = raw(open_server, head)
    assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"\r\n\r\n") and b"content-length: 7" in answer
    assert httpx.head(open_server + "/nothing").status_code == 404
    refused = httpx.head(open_server + "/echo")
    assert refused.status_code == 405 and refused.headers["allow"] == "POST"


def test_head_does_not_use_the_link_that_works_once(closed_server):
    address, access = closed_server
    link = access.first_path()
    assert httpx.head(address + link).status_code == 405
    assert httpx.get(address + link).status_code == 303


@pytest.mark.parametrize("body", [b"\xff\xfe", b"[" * 900, b'{"text": ' + b"1" * 900])
def test_what_cannot_be_read_at_all_is_answered(open_server, body):
    answer = httpx.post(open_server + "/echo", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422) and error_of(answer)["message"]


def test_errors_have_one_shape_and_name_no_folder(open_server):
    answers = [httpx.get(open_server + f"/fail/{how}") for how in ("user", "known")]
    assert [answer.status_code for answer in answers] == [422, 503]
    assert error_of(answers[0]) == {
        "status": 422,
        "message": "place: the file is full.",
        "remedy": "Delete something.",
        "faults": [],
    }
    assert answers[1].headers["retry-after"] == "1"
    assert error_of(httpx.get(open_server + "/nothing"))["status"] == 404
    assert error_of(httpx.put(open_server + "/echo"))["status"] == 405


def test_a_mistake_of_the_program_is_logged_without_its_message(open_server, caplog):
    logging.getLogger("electra_ie").propagate = True
    try:
        answer = httpx.get(open_server + "/fail/badly")
    finally:
        logging.getLogger("electra_ie").propagate = False
    assert answer.status_code == 500 and "Jane" not in answer.text + caplog.text
    assert "ValueError in test_guard.py:" in caplog.text


def test_a_body_that_is_too_large_is_refused_before_it_is_read(open_server):
    head = "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    status, body = status_and_json(raw(open_server, f"{head}Content-Length: 1000000000\r\n\r\n".encode() + b"x" * 10))
    assert status == 413 and "1,000 bytes" in body["error"]["message"]
    chunks = b"400\r\n" + b" " * 1024 + b"\r\n0\r\n\r\n"
    status, body = status_and_json(raw(open_server, f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunks))
    assert status == 413
    answer = httpx.post(open_server + "/echo", content=b"x" * 3_000_000, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


def test_a_body_that_is_too_slow_is_cut(open_server):
    head = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{"
    status, body = status_and_json(raw(open_server, head))
    assert status == 408 and "0.5 seconds" in body["error"]["message"]
    assert httpx.get(open_server).status_code == 200


def test_headers_that_do_not_arrive_are_cut(open_server, monkeypatch):
    monkeypatch.setattr(running, "HEADER_SECONDS", 0.2)
    for begun in (b"", b"GET / HTTP/1.1\r\nHost:"):
        status, _ = status_and_json(raw(open_server, begun))
        assert status == 408


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\x01\x02\x03\r\n\r\n",
        b"GET / FTP/1.1\r\n\r\n",
        b"GET  HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 40_000,
    ],
)
def test_what_is_not_http_is_answered(open_server, sent):
    status, body = status_and_json(raw(open_server, sent))
    assert status == 400 and body["error"]["message"]
    assert httpx.get(open_server).status_code == 200


def test_a_client_that_does_not_read_its_answer_is_cut(monkeypatch):
    monkeypatch.setattr(running, "WRITE_SECONDS", 0.3)
    app = create_app("Test", Access())

    @app.get("/large")
    async def large() -> HTMLResponse:
        return HTMLResponse("x" * 50_000_000)

    with serving(app) as address, socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))) as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        client.settimeout(10)
        received = len(client.recv(1000))
        time.sleep(1)
        with suppress(ConnectionResetError):
            while part := client.recv(1 << 20):
                received += len(part)
        assert received < 50_000_000
        assert httpx.get(address + "/sign-in").status_code == 303


def test_a_token_is_read_from_a_file_or_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv("ELECTRA_IE_TOKEN", raising=False)
    assert read_token() is None
    monkeypatch.setenv("ELECTRA_IE_TOKEN", TOKEN)
    assert read_token() == TOKEN
    file = tmp_path / "token"
    file.write_text(f"{TOKEN[::-1]}\n", encoding="utf-8")
    assert read_token(file) == TOKEN[::-1]
    for content in ("short", "has spaces within the token", "ümlaut-is-not-printable-ascii", ""):
        file.write_text(content, encoding="utf-8")
        with pytest.raises(UserError, match="at least 16 characters"):
            read_token(file)
    with pytest.raises(UserError, match="cannot be read"):
        read_token(tmp_path / "none")
