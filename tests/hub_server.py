"""A local server with the part of the hub's HTTP API that uploads and downloads need, and with programmable failures."""

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
from pathlib import Path, PurePosixPath
from threading import Thread
from urllib.parse import parse_qs, unquote, urlsplit

import datasets
import pytest
import yaml
from huggingface_hub import constants

DROPPED = 0
"""Used as a status: the connection is closed without a response."""
KINDS = {"model": "models", "dataset": "datasets"}


class Refusal(Exception):
    """A response with an error status."""

    def __init__(self, status: int, message: str = "", code: str = "", url: str = "", **headers: str):
        super().__init__(message)
        self.status, self.body = status, {"error": message, **({"url": url} if url else {})}
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if code:
            self.headers["X-Error-Code"] = code


@dataclass
class Fault:
    """A failure of the next `times` requests whose "METHOD /path" matches the pattern `request`."""

    request: str
    status: int
    times: int = 1
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Repository:
    """A repository: the files of each commit by path, and the commit of each branch."""

    private: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)

    def commit(self, branch: str, files: dict[str, bytes]) -> str:
        """Add a commit with exactly these files to a branch, and return its hash."""
        content = repr([branch, len(self.commits), sorted((path, sha256(data)) for path, data in files.items())])
        commit_hash = hashlib.sha1(content.encode()).hexdigest()
        self.commits[commit_hash] = files
        self.branches[branch] = commit_hash
        return commit_hash

    def at(self, revision: str) -> tuple[str, dict[str, bytes]]:
        """Return hash and files of a branch or commit."""
        commit_hash = self.branches.get(revision, revision)
        if commit_hash not in self.commits:
            raise Refusal(404, "no such revision", "RevisionNotFound")
        return commit_hash, self.commits[commit_hash]


@dataclass
class Hub:
    """The state of a hub.

    repositories: by `ORG/NAME` or `datasets/ORG/NAME`. objects: large files by SHA-256. tokens: `read` or `write` by
    token. callbacks: functions by pattern, each called once before the first request that matches. requests: all
    requests so far, as "METHOD /path".
    """

    url: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    callbacks: dict[str, Callable[[], object]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    def fail(self, request: str, status: int, **more) -> None:
        """Let the next request that matches fail."""
        self.faults.append(Fault(request, status, **more))

    def fault(self, request: str) -> Fault | None:
        """Return the fault that applies to a request, if any, and count it."""
        for fault in self.faults:
            if fault.times and re.search(fault.request, request):
                fault.times -= 1
                return fault
        return None

    def files(self, name: str, revision: str = "main") -> dict[str, bytes]:
        """Return the files of a repository; none if it does not exist."""
        return self.repositories[name].at(revision)[1] if name in self.repositories else {}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def is_large(path: str) -> bool:
    return path.endswith(".safetensors")


def oid(path: str, content: bytes) -> str:
    """Return the id of a file: git's hash of the blob, or the SHA-256 of a large file."""
    return sha256(content) if is_large(path) else hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def entry(path: str, content: bytes) -> dict:
    info = {"type": "file", "path": path, "size": len(content), "oid": oid(path, content)}
    return {**info, "lfs": {"oid": info["oid"], "size": len(content), "pointerSize": 130}} if is_large(path) else info


def entries(files: Mapping[str, bytes]) -> dict[str, dict]:
    """Return the entries of files and of the folders that they are in, by path."""
    folders = {str(folder) for path in files for folder in PurePosixPath(path).parents if str(folder) != "."}
    found = {
        path: {"type": "directory", "path": path, "size": 0, "oid": sha256(path.encode())[:40]} for path in folders
    }
    return found | {path: entry(path, content) for path, content in files.items()}


class Handler(BaseHTTPRequestHandler):
    """A handler that records each request, finds its method in `ROUTES`, and responds from the state of the hub."""

    protocol_version = "HTTP/1.1"
    hub: Hub

    def answer(self) -> None:
        path = urlsplit(self.path).path
        request = f"{self.command} {unquote(path)}"
        self.hub.requests.append(request)
        for pattern in [pattern for pattern in self.hub.callbacks if re.search(pattern, request)]:
            self.hub.callbacks.pop(pattern)()
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
                match = re.fullmatch(pattern, f"{self.command} {path}")  # quoted: a revision may contain slashes
                if match:
                    values = {name: value and unquote(value) for name, value in match.groupdict().items()}
                    return method(self, **values)
            raise Refusal(404, "not found", "EntryNotFound")
        except Refusal as refusal:
            self.send(refusal.status, json.dumps(refusal.body).encode(), refusal.headers)

    do_GET = do_HEAD = do_POST = do_PUT = answer

    # Access

    @property
    def right(self) -> str:
        """`write`, `read`, or an empty string without a token."""
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token and token not in self.hub.tokens:
            raise Refusal(
                401,
                "Invalid credentials in Authorization header",
                X_Error_Message="Invalid credentials in Authorization header",
            )
        return self.hub.tokens.get(token, "")

    def repository(self, name: str, write: bool = False) -> Repository:
        """Return a repository, or raise `Refusal` if the token may not see it, or write to it."""
        repository, right = self.hub.repositories.get(name), self.right
        if not repository or (repository.private and not right):
            raise Refusal(404 if right else 401, "Repository not found", "RepoNotFound")
        if write and right != "write":
            raise Refusal(403, "you have no right to write here")
        return repository

    # Reading

    def info(self, kind: str, name: str, revision: str | None = None) -> None:
        repository = self.repository(self.of_kind(kind, name))
        commit_hash, files = repository.at(revision or "main")
        siblings = [{"rfilename": path} for path in files]
        info = {"id": name, "sha": commit_hash, "siblings": siblings, "private": repository.private, "tags": []}
        self.send_json({**info, "downloads": 0})

    def tree(self, kind: str, name: str, revision: str, below: str | None = None) -> None:
        found = entries(self.repository(self.of_kind(kind, name)).at(revision)[1])
        start = f"{below.rstrip('/')}/" if below else ""
        if below and below.rstrip("/") not in found:
            raise Refusal(404, "no such folder", "EntryNotFound")
        deep = parse_qs(urlsplit(self.path).query).get("recursive", ["false"])[0].lower() in ("true", "1")
        inner = [path for path in found if path.startswith(start) and (deep or "/" not in path.removeprefix(start))]
        self.send_json([found[path] for path in inner])

    def paths_info(self, kind: str, name: str, revision: str) -> None:
        found = entries(self.repository(self.of_kind(kind, name)).at(revision)[1])
        body = self.body.decode()
        wanted = json.loads(body)["paths"] if body.startswith("{") else parse_qs(body).get("paths", [])
        self.send_json([found[path] for path in wanted if path in found])

    def resolve(self, name: str, revision: str, path: str) -> None:
        commit_hash, files = self.repository(name).at(revision)
        if path not in files:
            raise Refusal(404, "no such file", "EntryNotFound", X_Repo_Commit=commit_hash)
        content = files[path]
        headers = {"X-Repo-Commit": commit_hash, "ETag": f'"{oid(path, content)}"', "Accept-Ranges": "bytes"}
        byte_range = self.headers.get("Range", "")
        if byte_range.startswith("bytes="):
            first, _, last = byte_range.removeprefix("bytes=").partition("-")
            start, end = int(first or 0), int(last) + 1 if last else len(content)
            headers["Content-Range"] = f"bytes {start}-{min(end, len(content)) - 1}/{len(content)}"
            return self.send(206, content[start:end], headers)
        self.send(200, content, headers)

    # Writing

    def create(self) -> None:
        options = json.loads(self.body)
        if self.right != "write":
            raise Refusal(403 if self.right else 401, "you have no right to create a repository here")
        name = self.of_kind(KINDS[options.get("type", "model")], f"{options['organization']}/{options['name']}")
        if name in self.hub.repositories:
            raise Refusal(409, "You already created this repo", url=f"{self.hub.url}/{name}")
        private = options.get("visibility") == "private" or options.get("private", False)
        self.hub.repositories[name] = Repository(private)
        self.hub.repositories[name].commit("main", {".gitattributes": b""})
        self.send_json({"url": f"{self.hub.url}/{name}"})

    def validate(self) -> None:
        front = re.match(r"---\n(.*?\n)---\n", json.loads(self.body)["content"], re.DOTALL)
        try:
            metadata = yaml.safe_load(front[1]) if front else {}
        except yaml.YAMLError:
            return self.send(400, b'{"errors": [{"message": "not YAML"}]}', {"Content-Type": "application/json"})
        self.send_json({"errors": [], "warnings": [] if metadata else [{"message": "empty or missing yaml metadata"}]})

    def preupload(self, kind: str, name: str, revision: str) -> None:
        files = self.repository(self.of_kind(kind, name), write=True).at(revision)[1]
        plan = []
        for path in (file["path"] for file in json.loads(self.body)["files"]):
            mode = "lfs" if is_large(path) else "regular"
            known = oid(path, files[path]) if path in files else None
            plan.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": known})
        self.send_json({"files": plan})

    def batch(self, name: str) -> None:
        self.repository(name, write=True)
        objects = json.loads(self.body)["objects"]
        for item in objects:
            url = f"{self.hub.url}/objects/{item['oid']}"
            if item["oid"] not in self.hub.objects:
                item["actions"] = {"upload": {"href": url}, "verify": {"href": f"{url}/verify"}}
        self.send_json({"transfer": "basic", "objects": objects})

    def put_object(self, sha: str) -> None:
        if sha256(self.body) != sha:
            raise Refusal(400, "the content has another hash")
        self.hub.objects[sha] = self.body
        self.send(200, b"", {})

    def verify(self, sha: str) -> None:
        if sha not in self.hub.objects:
            raise Refusal(404, "no such object")
        self.send_json({})

    def branch(self, kind: str, name: str, revision: str) -> None:
        repository = self.repository(self.of_kind(kind, name), write=True)
        if revision in repository.branches:
            raise Refusal(409, "the branch exists")
        repository.branches[revision] = repository.branches["main"]
        self.send_json({})

    def commit(self, kind: str, name: str, revision: str) -> None:
        """Apply all lines to a copy, so that a request that is refused halfway changes nothing."""
        repository = self.repository(self.of_kind(kind, name), write=True)
        commit_hash, files = repository.at(revision)
        files = dict(files)
        for line in self.body.splitlines():
            operation = json.loads(line)
            key, value = operation["key"], operation["value"]
            if key == "header" and value.get("parentCommit", commit_hash) != commit_hash:
                raise Refusal(412, "the branch has moved on")
            elif key == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif key == "lfsFile":
                files[value["path"]] = self.hub.objects[value["oid"]]
            elif key == "deletedFile":
                del files[value["path"]]
        new_hash = repository.commit(revision, files)
        self.send_json({"commitUrl": f"{self.hub.url}/{name}/commit/{new_hash}", "commitOid": new_hash})

    # Responses

    @staticmethod
    def of_kind(kind: str, name: str) -> str:
        return name if kind == "models" else f"{kind}/{name}"

    def send_json(self, value: object) -> None:
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
    (r"PUT /objects/(?P<sha>\w+)", Handler.put_object),
    (r"POST /objects/(?P<sha>\w+)/verify", Handler.verify),
    (rf"POST {API}/branch/(?P<revision>[^/]+)", Handler.branch),
    (rf"POST {API}/commit/(?P<revision>[^/]+)", Handler.commit),
)  # fmt: skip


@contextmanager
def running(
    files: Mapping[str, dict[str, bytes]] | None = None, tokens: Mapping[str, str] | None = None
) -> Iterator[Hub]:
    """Run a hub in a thread.

    files: the files of each repository (`datasets/ORG/NAME`, `ORG/NAME`) by path. tokens: `write` or `read` by token.
    """
    hub = Hub(tokens=dict(tokens or {}))
    for name, content in (files or {}).items():
        hub.repositories[name] = Repository()
        hub.repositories[name].commit("main", dict(content))
    handler = type("HubHandler", (Handler,), {"hub": hub})
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


def use_hub(patch: pytest.MonkeyPatch, url: str, home: Path, *, offline: bool = False) -> None:
    """Let the client and the library `datasets` of this process use a hub and the cache in the folder `home`.

    Both read the environment when they are imported: address, cache and offline mode are set in their modules.
    """
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, url)
    for module, values in (
        (constants, {
            "HUGGINGFACE_CO_URL_TEMPLATE": template, "ENDPOINT": url, "HF_HUB_OFFLINE": offline,
            "HF_HUB_DISABLE_XET": True, "HF_HUB_CACHE": str(home / "cache"), "HF_TOKEN_PATH": str(home / "none"),
        }),
        (datasets.config, {
            "HF_ENDPOINT": url, "HF_HUB_OFFLINE": offline, "HF_DATASETS_OFFLINE": offline,
            "HUB_DATASETS_URL": f"{url}/datasets/{{repo_id}}/resolve/{{revision}}/{{path}}",
            "HF_DATASETS_CACHE": home / "datasets", "DOWNLOADED_DATASETS_PATH": home / "datasets" / "downloads",
            "EXTRACTED_DATASETS_PATH": home / "datasets" / "downloads" / "extracted",
        }),
    ):  # fmt: skip
        for name, value in values.items():
            patch.setattr(module, name, value)
    patch.setenv("HF_TOKEN", "")
