"""Local server for the part of the Hub's HTTP API that pushing and pulling models and data sets needs.

It fails where a test says so (`Hub.fail`).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote, urlsplit

import yaml

DROPPED = 0
"""In place of a status: the connection is closed without an answer."""
KINDS = {"model": "models", "dataset": "datasets"}


class Refusal(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, message: str = "", code: str = "", url: str = "", **headers: str):
        super().__init__(message)
        self.status, self.told = status, {"error": message, **({"url": url} if url else {})}
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if code:
            self.headers["X-Error-Code"] = code


@dataclass
class Fault:
    """What the next `times` requests whose "METHOD /path" matches get instead of an answer."""

    request: str
    status: int
    times: int = 1
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Repository:
    """Files by path in each commit, and the commit that each branch is at."""

    private: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)

    def commit(self, branch: str, files: dict[str, bytes]) -> str:
        told = repr([branch, len(self.commits), sorted((path, sha256(content)) for path, content in files.items())])
        hashed = hashlib.sha1(told.encode()).hexdigest()
        self.commits[hashed] = files
        self.branches[branch] = hashed
        return hashed

    def at(self, revision: str) -> tuple[str, dict[str, bytes]]:
        hashed = self.branches.get(revision, revision)
        if hashed not in self.commits:
            raise Refusal(404, "no such revision", "RevisionNotFound")
        return hashed, self.commits[hashed]


@dataclass
class Hub:
    """The state of a hub: repositories by `ORG/NAME` or `datasets/ORG/NAME`, large files by SHA-256, rights by token."""

    url: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    meanwhile: dict[str, Callable[[], object]] = field(default_factory=dict)
    """What happens just before the first request that matches."""
    asked: list[str] = field(default_factory=list)
    """Each request as "METHOD /path"."""

    def fail(self, request: str, status: int, **more) -> None:
        self.faults.append(Fault(request, status, **more))

    def fault(self, request: str) -> Fault | None:
        for each in self.faults:
            if each.times and re.search(each.request, request):
                each.times -= 1
                return each
        return None

    def files(self, name: str, revision: str = "main") -> dict[str, bytes]:
        return self.repositories[name].at(revision)[1] if name in self.repositories else {}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def is_large(path: str) -> bool:
    return path.endswith(".safetensors")


def oid(path: str, content: bytes) -> str:
    """What git calls these bytes; a large file is known by their SHA-256."""
    return sha256(content) if is_large(path) else hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def entry(path: str, content: bytes) -> dict:
    told = {"type": "file", "path": path, "size": len(content), "oid": oid(path, content)}
    return {**told, "lfs": {"oid": told["oid"], "size": len(content), "pointerSize": 130}} if is_large(path) else told


class Handler(BaseHTTPRequestHandler):
    """Each request is noted, looked up in `ROUTES`, and answered from the state of the hub."""

    protocol_version = "HTTP/1.1"
    hub: Hub

    def answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        request = f"{self.command} {path}"
        self.hub.asked.append(request)
        for each in [each for each in self.hub.meanwhile if re.search(each, request)]:
            self.hub.meanwhile.pop(each)()
        fault = self.hub.fault(request)
        if fault and fault.status == DROPPED:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            if fault:
                raise Refusal(fault.status, fault.message, **fault.headers)
            for pattern, method in ROUTES:
                match = re.fullmatch(pattern, request)
                if match:
                    return method(self, **match.groupdict())
            raise Refusal(404, "not found", "EntryNotFound")
        except Refusal as refusal:
            self.send(refusal.status, json.dumps(refusal.told).encode(), refusal.headers)

    do_GET = do_HEAD = do_POST = do_PUT = answer

    # Who asks, and for what

    @property
    def right(self) -> str:
        """`write`, `read`, or nothing without a token."""
        told = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if told and told not in self.hub.tokens:
            raise Refusal(
                401,
                "Invalid credentials in Authorization header",
                X_Error_Message="Invalid credentials in Authorization header",
            )
        return self.hub.tokens.get(told, "")

    def repository(self, name: str, write: bool = False) -> Repository:
        found, right = self.hub.repositories.get(name), self.right
        if not found or (found.private and not right):
            raise Refusal(404 if right else 401, "Repository not found", "RepoNotFound")
        if write and right != "write":
            raise Refusal(403, "you have no right to write here")
        return found

    # Reading

    def info(self, kind: str, name: str, revision: str | None = None) -> None:
        repository = self.repository(self.of_kind(kind, name))
        hashed, files = repository.at(revision or "main")
        siblings = [{"rfilename": each} for each in files]
        told = {"id": name, "sha": hashed, "siblings": siblings, "private": repository.private, "tags": []}
        self.tell({**told, "downloads": 0})

    def tree(self, kind: str, name: str, revision: str, below: str | None = None) -> None:
        files = self.repository(self.of_kind(kind, name)).at(revision)[1]
        self.tell([entry(each, files[each]) for each in files if each.startswith(below or "")])

    def paths_info(self, kind: str, name: str, revision: str) -> None:
        files = self.repository(self.of_kind(kind, name)).at(revision)[1]
        wanted = json.loads(self.body)["paths"] if self.body.startswith(b"{") else []
        self.tell([entry(each, files[each]) for each in wanted if each in files])

    def resolve(self, name: str, revision: str, path: str) -> None:
        hashed, files = self.repository(name).at(revision)
        if path not in files:
            raise Refusal(404, "no such file", "EntryNotFound", X_Repo_Commit=hashed)
        content = files[path]
        headers = {"X-Repo-Commit": hashed, "ETag": f'"{oid(path, content)}"', "Accept-Ranges": "bytes"}
        asked = self.headers.get("Range", "")
        if asked.startswith("bytes="):
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, end = int(first or 0), int(last) + 1 if last else len(content)
            headers["Content-Range"] = f"bytes {start}-{min(end, len(content)) - 1}/{len(content)}"
            return self.send(206, content[start:end], headers)
        self.send(200, content, headers)

    # Writing

    def create(self) -> None:
        asked = json.loads(self.body)
        if self.right != "write":
            raise Refusal(403 if self.right else 401, "you have no right to make a repository here")
        name = self.of_kind(KINDS[asked.get("type", "model")], f"{asked['organization']}/{asked['name']}")
        if name in self.hub.repositories:
            raise Refusal(409, "You already created this repo", url=f"{self.hub.url}/{name}")
        private = asked.get("visibility") == "private" or asked.get("private", False)
        self.hub.repositories[name] = Repository(private)
        self.hub.repositories[name].commit("main", {".gitattributes": b""})
        self.tell({"url": f"{self.hub.url}/{name}"})

    def validate(self) -> None:
        front = re.match(r"---\n(.*?\n)---\n", json.loads(self.body)["content"], re.DOTALL)
        try:
            told = yaml.safe_load(front[1]) if front else {}
        except yaml.YAMLError:
            return self.send(400, b'{"errors": [{"message": "not YAML"}]}', {"Content-Type": "application/json"})
        self.tell({"errors": [], "warnings": [] if told else [{"message": "empty or missing yaml metadata"}]})

    def preupload(self, kind: str, name: str, revision: str) -> None:
        files = self.repository(self.of_kind(kind, name), write=True).at(revision)[1]
        told = []
        for each in json.loads(self.body)["files"]:
            path = each["path"]
            known = oid(path, files[path]) if path in files else None
            told.append(
                {
                    "path": path,
                    "uploadMode": "lfs" if is_large(path) else "regular",
                    "shouldIgnore": False,
                    "oid": known,
                }
            )
        self.tell({"files": told})

    def batch(self, name: str) -> None:
        self.repository(name, write=True)
        told = []
        for each in json.loads(self.body)["objects"]:
            place = f"{self.hub.url}/objects/{each['oid']}"
            if each["oid"] not in self.hub.objects:
                each["actions"] = {"upload": {"href": place}, "verify": {"href": f"{place}/verify"}}
            told.append(each)
        self.tell({"transfer": "basic", "objects": told})

    def put_object(self, hashed: str) -> None:
        if sha256(self.body) != hashed:
            raise Refusal(400, "these are other bytes")
        self.hub.objects[hashed] = self.body
        self.send(200, b"", {})

    def verify(self, hashed: str) -> None:
        if hashed not in self.hub.objects:
            raise Refusal(404, "no such object")
        self.tell({})

    def branch(self, kind: str, name: str, revision: str) -> None:
        repository = self.repository(self.of_kind(kind, name), write=True)
        if revision in repository.branches:
            raise Refusal(409, "the branch exists")
        repository.branches[revision] = repository.branches["main"]
        self.tell({})

    def commit(self, kind: str, name: str, revision: str) -> None:
        """Every line is applied to a copy: a request that is refused half-way has changed nothing."""
        repository = self.repository(self.of_kind(kind, name), write=True)
        hashed, files = repository.at(revision)
        files = dict(files)
        for line in self.body.splitlines():
            each = json.loads(line)
            key, value = each["key"], each["value"]
            if key == "header" and value.get("parentCommit", hashed) != hashed:
                raise Refusal(412, "the branch has moved on")
            elif key == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif key == "lfsFile":
                files[value["path"]] = self.hub.objects[value["oid"]]
            elif key == "deletedFile":
                del files[value["path"]]
        made = repository.commit(revision, files)
        self.tell({"commitUrl": f"{self.hub.url}/{name}/commit/{made}", "commitOid": made})

    # How it is said

    @staticmethod
    def of_kind(kind: str, name: str) -> str:
        return name if kind == "models" else f"{kind}/{name}"

    def tell(self, value: object) -> None:
        self.send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def send(self, status: int, content: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


API = r"/api/(?P<kind>models|datasets)/(?P<name>(?:[^/]+/)?[^/]+)"
PLAIN = r"/(?P<name>(?:datasets/)?(?:[^/]+/)?[^/]+?)"
ROUTES = (
    (rf"GET {API}", Handler.info),
    (rf"GET {API}/revision/(?P<revision>[^/]+)", Handler.info),
    (rf"GET {API}/tree/(?P<revision>[^/]+)(?:/(?P<below>.+))?", Handler.tree),
    (rf"POST {API}/paths-info/(?P<revision>[^/]+)", Handler.paths_info),
    (rf"(?:GET|HEAD) {PLAIN}/resolve/(?P<revision>[^/]+)/(?P<path>.+)", Handler.resolve),
    ("POST /api/repos/create", Handler.create),
    ("POST /api/validate-yaml", Handler.validate),
    (rf"POST {API}/preupload/(?P<revision>[^/]+)", Handler.preupload),
    (rf"POST {PLAIN}\.git/info/lfs/objects/batch", Handler.batch),
    (r"PUT /objects/(?P<hashed>\w+)", Handler.put_object),
    (r"POST /objects/(?P<hashed>\w+)/verify", Handler.verify),
    (rf"POST {API}/branch/(?P<revision>[^/]+)", Handler.branch),
    (rf"POST {API}/commit/(?P<revision>[^/]+)", Handler.commit),
)  # fmt: skip


@contextmanager
def running(
    files: Mapping[str, dict[str, bytes]] | None = None, tokens: Mapping[str, str] | None = None
) -> Iterator[Hub]:
    """Run a hub within the context.

    Args:
        files: the files it has, by repository (`datasets/ORG/NAME`, `ORG/NAME`).
        tokens: `write` or `read` by token.
    """
    hub = Hub(tokens=dict(tokens or {}))
    for name, each in (files or {}).items():
        hub.repositories[name] = Repository()
        hub.repositories[name].commit("main", dict(each))
    handler = type("Speaking", (Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
