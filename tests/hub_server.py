"""A server on this machine that speaks as much of the hub's HTTP API as reading a data set or a model takes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote, urlsplit

REVISION = "0123456789abcdef0123456789abcdef01234567"


class Handler(BaseHTTPRequestHandler):
    """Files by repository and path; every request is noted."""

    protocol_version = "HTTP/1.1"
    files: dict[str, dict[str, bytes]]
    asked: list[str]

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.asked.append(f"{self.command} {path}")
        for repository, files in self.files.items():
            kind = "datasets/" if repository.startswith("datasets/") else "models/"
            name = repository.removeprefix("datasets/")
            if path in (f"/api/{kind}{name}", f"/api/{kind}{name}/revision/main", f"/api/{kind}{name}/revision/{REVISION}"):
                siblings = [{"rfilename": each} for each in files]
                return self.tell({"id": name, "sha": REVISION, "siblings": siblings, "private": False, "tags": [], "downloads": 0})
            if path.startswith(f"/api/{kind}{name}/tree/"):
                below = path.removeprefix(f"/api/{kind}{name}/tree/").partition("/")[2]
                return self.tell([self.entry(each, files[each]) for each in files if each.startswith(below)])
            for revision in ("main", REVISION):
                start = f"/{repository}/resolve/{revision}/"
                if path.startswith(start) and path.removeprefix(start) in files:
                    return self.send_file(files[path.removeprefix(start)])
        self.send(404, b'{"error": "not found"}', {"X-Error-Code": "EntryNotFound"})

    def do_POST(self) -> None:
        path = unquote(urlsplit(self.path).path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.asked.append(f"POST {path}")
        for repository, files in self.files.items():
            if f"/{repository}/paths-info/" in path:
                wanted = json.loads(body)["paths"] if body.startswith(b"{") else []
                return self.tell([self.entry(each, files[each]) for each in wanted if each in files])
        self.send(404, b"{}", {})

    @staticmethod
    def entry(path: str, content: bytes) -> dict:
        return {"type": "file", "path": path, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}

    def tell(self, value: object) -> None:
        self.send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def send_file(self, content: bytes) -> None:
        headers = {"X-Repo-Commit": REVISION, "ETag": f'"{hashlib.sha1(content).hexdigest()}"', "Accept-Ranges": "bytes"}
        asked = self.headers.get("Range", "")
        if asked.startswith("bytes="):
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, end = int(first or 0), int(last) + 1 if last else len(content)
            headers["Content-Range"] = f"bytes {start}-{min(end, len(content)) - 1}/{len(content)}"
            return self.send(206, content[start:end], headers)
        self.send(200, content, headers)

    def send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def hub(files: dict[str, dict[str, bytes]]) -> Iterator[tuple[str, list[str]]]:
    """A running hub: its address, and what it was asked. `files`: by repository (`datasets/ORG/NAME`, `ORG/NAME`)."""
    asked: list[str] = []
    handler = type("Hub", (Handler,), {"files": files, "asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
