"""Runs, encoders and data on the hub: the real client against a local server with programmable failures."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import datasets
import processes
import pytest
import tiny
import yaml
from command_line import command
from hub_server import DROPPED, Hub, running, use_hub
from huggingface_hub import ModelCard, close_session, constants, snapshot_download
from safetensors.torch import load_file, save_file

import electra_ie
from electra_ie import (
    ExportedExtractor,
    Extractor,
    Task,
    UserError,
    distill,
    evaluate,
    push_data,
    push_to_hub,
    train,
    verify,
)
from electra_ie.api import plan_push
from electra_ie.cli.app import main
from electra_ie.common.hub_client import parse_hub_name
from electra_ie.models.encoders import resolve_encoder

CANARY = "hf_canary" + "0123456789abcdefghij" * 2
READER = "hf_reader" + "9876543210zyxwvutsrq" * 2
NAME = "acme/payments"
TEXT = "invoice goods Arden paid 5.975,74 later than monday."


@pytest.fixture
def hub(monkeypatch, tmp_path) -> Iterator[Hub]:
    """Run a hub for the client of this process, with an empty cache and a token that may write."""
    with running(tokens={CANARY: "write", READER: "read"}) as server:
        use_hub(monkeypatch, server.url, tmp_path)
        monkeypatch.setenv("HF_TOKEN", CANARY)
        yield server
        close_session()


@pytest.fixture
def copy(run, tmp_path) -> Path:
    """Return a copy of the finished run, to be changed."""
    return Path(shutil.copytree(run, tmp_path / "copy"))


def sent(hub: Hub, part: str) -> int:
    """Return the number of requests that contain `part`."""
    return sum(part in request for request in hub.requests)


def test_pushed_run_loads_from_the_hub_and_from_the_cache(hub, run, monkeypatch, capsys):
    pushed = push_to_hub(run, NAME, private=True)
    assert f"sending 27 files to {NAME}, which is private" in capsys.readouterr().err
    assert sent(hub, "/commit/") == 1
    assert hub.repositories[NAME].private
    assert pushed == f"{NAME}@{hub.repositories[NAME].branches['main']}"
    remote = hub.files(NAME)
    local = {path.relative_to(run).as_posix(): path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert set(remote) == {*local, ".gitattributes"}, "a file of a finished run was not sent"
    assert {path for path in local if remote[path] != local[path]} == {"task.yaml"}
    assert "data" not in yaml.safe_load(remote["task.yaml"]), "a local path was sent"
    expected = Extractor.from_pretrained(run)(TEXT)
    assert expected
    assert Extractor.from_pretrained(NAME)(TEXT) == expected
    assert Extractor.from_pretrained(NAME, revision=pushed.partition("@")[2])(TEXT) == expected
    count = len(hub.requests)
    assert Extractor.from_pretrained(pushed)(TEXT) == expected and len(hub.requests) == count, (
        "a cached commit was requested"
    )
    assert Extractor.from_pretrained(NAME, local_files_only=True)(TEXT) == expected
    assert len(hub.requests) == count
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert Extractor.from_pretrained(NAME)(TEXT) == expected and len(hub.requests) == count, (
        "offline mode made a request"
    )
    assert verify(NAME).same, "the downloaded run differs from its audit"


def test_calibration_thresholds_and_assumptions_go_through_the_hub(hub, copy):
    result = electra_ie.calibrate(copy, ["recall=0.05:person"])
    assert result.met
    promises = Extractor.from_pretrained(copy).calibration.promises
    pushed = push_to_hub(copy, NAME)
    downloaded = Extractor.from_pretrained(NAME)
    assert downloaded.calibration.promises == promises
    assert downloaded.calibration.decide("names", "person", 0.0) == Extractor.from_pretrained(copy).calibration.decide(
        "names", "person", 0.0
    )
    card = hub.files(NAME)["README.md"].decode()
    assert "| names | person | recall 0.05 | in the mean |" in card
    assert all(f"- {text}" in card for text in result.assumptions)
    sent_file = hub.files(NAME)["calibration.json"].decode()
    assert not any(name in sent_file for name in tiny.NAMES), "it holds no text"
    assert verify(pushed).same
    with pytest.raises(UserError, match="the thresholds of a run on the Hub are not set"):
        electra_ie.calibrate(NAME, ["recall=0.05:person"])


def test_only_files_of_a_run_are_sent(hub, copy):
    texts = ["findings.jsonl", "notes.txt", ".lock", ".README.md.part", "names/.config.json.part", "names/notes.txt"]
    code = [
        "names/pytorch_model.bin",
        "names/modeling.py",
        "names/deeper/config.json",
        "old/config.json",
        "dev_old.png",
    ]
    for name in [*texts, *code, ".env"]:
        (copy / name).parent.mkdir(exist_ok=True)
        (copy / name).write_text(f"not to be sent {CANARY}", encoding="utf-8")
    push_to_hub(copy, NAME)
    assert not [path for path, content in hub.files(NAME).items() if b"not to be sent" in content]
    assert {"run.yaml", "README.md", "names/model.safetensors", "dev_names.png"} <= set(hub.files(NAME))


def test_card_with_examples_is_a_warning(copy, capsys):
    plan_push(copy, NAME)
    assert "contains texts" not in capsys.readouterr().err
    settings = yaml.safe_load((copy / "run.yaml").read_text("utf-8"))
    (copy / "run.yaml").write_text(yaml.safe_dump({**settings, "include_examples": True}), encoding="utf-8")
    plan_push(copy, NAME)
    assert "README.md: the card to be sent contains texts" in capsys.readouterr().err


@pytest.mark.parametrize(("damage", "words"), [
    ("link", "this is a link.*Replace the link by a copy"),
    ("linked folder", "this is a link"),
    ("token", "run.yaml:2: the file contains an access token; nothing was sent"),
    ("token in the card", "README.md:[0-9]+: the file contains an access token; nothing was sent"),
    ("token in a config", "names/config.json:[0-9]+: the file contains an access token; nothing was sent"),
    ("token in a tokenizer", "topic/tokenizer.json:[0-9]+: the file contains an access token; nothing was sent"),
    ("checkpoint", "not finished. Finish it with: electra-ie train ... --resume"),
    ("no card", "not finished"),
    ("no weights", 'has no model.safetensors for the field "names"'),
    ("no run", "this is not the folder of a run"),
])  # fmt: skip
def test_push_refuses_links_tokens_and_unfinished_runs(hub, copy, tmp_path, damage, words):
    match damage:
        case "link":
            (tmp_path / "secret").write_text("secret", encoding="utf-8")
            (copy / "names" / "vocab.txt").unlink(missing_ok=True)
            (copy / "names" / "vocab.txt").symlink_to(tmp_path / "secret")
        case "linked folder":
            (copy / "names").rename(tmp_path / "names")
            (copy / "names").symlink_to(tmp_path / "names")
        case "token":
            (copy / "run.yaml").write_text(f"task: tiny\nencoder: {CANARY}\n", encoding="utf-8")
        case "token in the card" | "token in a config" | "token in a tokenizer":
            file = {"card": "README.md", "config": "names/config.json", "tokenizer": "topic/tokenizer.json"}[
                damage.split()[-1]
            ]
            (copy / file).write_text((copy / file).read_text("utf-8") + f"\n{CANARY}\n", encoding="utf-8")
        case "checkpoint":
            (copy / "checkpoint").mkdir()
            (copy / "checkpoint" / "last.safetensors").touch()
        case "no card":
            (copy / "README.md").unlink()
        case "no weights":
            (copy / "names" / "model.safetensors").unlink()
        case "no run":
            copy = tmp_path
    with pytest.raises(UserError, match=words) as caught:
        push_to_hub(copy, NAME)
    assert CANARY not in str(caught.value)
    assert hub.requests == []


def with_old_field(hub) -> bytes:
    """Return the task.yaml of the repository with one more field, whose model is in the folder `old`."""
    task = yaml.safe_load(hub.files(NAME)["task.yaml"])
    task["fields"]["old"] = {"kind": "spans", "labels": ["x"]}
    return yaml.safe_dump(task).encode()


def test_a_first_push_deletes_nothing(hub, copy):
    theirs = {"config.json": b"{}", "2_Dense/config.json": b"{}", "2_Dense/model.safetensors": b"x", "test_a.png": b""}
    push_to_hub(copy, NAME)
    hub.repositories[NAME].commit("main", theirs)  # the repository of another program
    push_to_hub(copy, NAME)
    assert {name for name in theirs if hub.files(NAME).get(name) == theirs[name]} == set(theirs) - {"config.json"}


def test_second_push_replaces_the_first(hub, copy, caplog):
    first = push_to_hub(copy, NAME)
    assert push_to_hub(copy, NAME) == first, "a commit was made without changes"
    theirs = {
        "LICENSE": b"theirs", "onnx/model.onnx": b"theirs", "2_Dense/config.json": b"{}", "train_loss.png": b"",
        "2_Dense/model.safetensors": b"theirs",
    }  # fmt: skip
    ours = {
        "old/config.json": b"{}", "old/model.safetensors": b"old", "old/model.onnx": b"old", "old/export.json": b"{}",
    }  # fmt: skip
    hub.repositories[NAME].commit("main", {**hub.files(NAME), **ours, **theirs, "task.yaml": with_old_field(hub)})
    (copy / "log.jsonl").write_text("{}\n", encoding="utf-8")
    second = push_to_hub(copy, NAME)
    assert second != first
    assert "deleting 4 files of an earlier push: old/config.json, old/model.safetensors, " in caplog.text
    assert hub.files(NAME)["log.jsonl"] == b"{}\n"
    assert not ours.keys() & hub.files(NAME).keys()
    assert theirs.items() <= hub.files(NAME).items()
    (copy / "log.jsonl").write_text("[]\n", encoding="utf-8")
    third = push_to_hub(copy, NAME, revision="trial")
    assert hub.files(NAME)["log.jsonl"] == b"{}\n"
    assert hub.files(NAME, "trial")["log.jsonl"] == b"[]\n"
    assert third == f"{NAME}@{hub.repositories[NAME].branches['trial']}"


BREAKS = [
    ("/commit/", DROPPED, r"the Hub cannot be reached \(RemoteProtocolError.*Push again: the repository is unchanged"),
    ("/commit/", 503, r"the Hub failed \(HTTP 503\). Wait a few minutes. Push again: the repository is unchanged"),
    ("PUT /objects", 403, "the token has no write access to the repository"),
    ("POST .*/verify", 404, "the Hub has no such repository or file"),
]
"""A request, its failure, and the message."""


@pytest.mark.parametrize(("request_", "status", "words"), BREAKS)
def test_failed_first_push_changes_nothing_and_the_next_completes(hub, run, request_, status, words):
    hub.fail(request_, status)
    with pytest.raises(UserError, match=words):
        push_to_hub(run, NAME)
    assert set(hub.files(NAME)) == {".gitattributes"}
    before, commits = sent(hub, "PUT /objects"), sent(hub, "/commit/")
    push_to_hub(run, NAME)
    assert "names/model.safetensors" in hub.files(NAME)
    assert sent(hub, "/commit/") == commits + 1
    if "commit" in request_:
        assert sent(hub, "PUT /objects") == before, "an uploaded file was sent again"


@pytest.mark.parametrize(("request_", "status", "words"), BREAKS)
def test_failed_second_push_leaves_the_first_unchanged(hub, copy, request_, status, words):
    """The push has new weights, a changed log and a removed file, which are applied by one commit or not at all."""
    push_to_hub(copy, NAME)
    assert sent(hub, "/commit/") == 1
    hub.repositories[NAME].commit(
        "main", {**hub.files(NAME), "old/model.safetensors": b"old", "task.yaml": with_old_field(hub)}
    )
    files, head = dict(hub.files(NAME)), hub.repositories[NAME].branches["main"]
    weights = load_file(copy / "names" / "model.safetensors")
    save_file(
        {name: value + 1 for name, value in weights.items()}, copy / "names" / "model.safetensors", {"format": "pt"}
    )
    (copy / "log.jsonl").write_text("{}\n", encoding="utf-8")
    hub.fail(request_, status)
    with pytest.raises(UserError, match=words):
        push_to_hub(copy, NAME)
    assert hub.files(NAME) == files
    assert hub.repositories[NAME].branches["main"] == head
    commits = sent(hub, "/commit/")
    assert commits == 1 + ("commit" in request_), "a push made several commits"
    push_to_hub(copy, NAME)
    assert sent(hub, "/commit/") == commits + 1
    remote = hub.files(NAME)
    assert remote["names/model.safetensors"] == (copy / "names" / "model.safetensors").read_bytes()
    assert remote["log.jsonl"] == b"{}\n"
    assert "old/model.safetensors" not in remote


def test_temporary_failure_is_retried(hub, run):
    hub.fail("PUT /objects", 503)
    push_to_hub(run, NAME)
    assert "names/model.safetensors" in hub.files(NAME)


def test_concurrent_pushes_do_not_mix(hub, run, copy):
    push_to_hub(run, NAME)
    theirs = {**hub.files(NAME), "log.jsonl": b"theirs"}
    hub.callbacks["/preupload/"] = lambda: hub.repositories[NAME].commit("main", theirs)
    (copy / "scores.json").write_text("{}\n", encoding="utf-8")
    with pytest.raises(UserError, match="another push has changed the repository in the meantime. Push again"):
        push_to_hub(copy, NAME)
    assert hub.files(NAME) == theirs
    push_to_hub(copy, NAME)
    assert hub.files(NAME)["log.jsonl"] == (copy / "log.jsonl").read_bytes()


def test_private_push_to_a_public_repository_is_refused(hub, run, capsys):
    push_to_hub(run, NAME)
    assert "which is PUBLIC" in capsys.readouterr().err
    count = len(hub.requests)
    with pytest.raises(UserError, match="exists and is public; nothing was sent. Make it private"):
        push_to_hub(run, NAME, private=True, revision="trial")
    assert not [request for request in hub.requests[count:] if "preupload" in request or "branch" in request]


def status_and_code(status: int | str) -> tuple[int, dict[str, str]]:
    """Return the status of "404 RepoNotFound" and the header by which the client chooses the class of the error."""
    value, _, code = str(status).partition(" ")
    disabled = {"X_Error_Message": "Access to this resource is disabled."}
    return int(value), disabled if code == "disabled" else {"X_Error_Code": code} if code else {}


@pytest.mark.parametrize(("status", "words"), [
    (401, "the Hub does not accept the token. Run: hf auth login, or set HF_TOKEN"),
    ("401 RepoNotFound", "the Hub does not accept the token. Run: hf auth login, or set HF_TOKEN"),
    (403, "the token has no write access to the repository (no, Bearer ***, you may not). Use a token with write"),
    (404, "the Hub has no such repository or file. Check the name"),
    ("404 RepoNotFound", "the repository does not exist on the Hub, or it is private. Check the name"),
    ("404 RevisionNotFound", 'the repository has no revision "main". Check the branch, tag or commit'),
    (409, "another push to the repository is in progress. Push again"),
    (429, "the Hub has received too many requests. Wait 60 seconds. Push again"),
    (500, "the Hub failed (HTTP 500). Wait a few minutes. Push again"),
    (413, "the Hub rejected the request (HTTP 413)"),
    (DROPPED, "the Hub cannot be reached (RemoteProtocolError: Server disconnected"),
])  # fmt: skip
def test_error_of_a_push_is_one_line_without_the_token(hub, run, caplog, capsys, status, words):
    """The server repeats the token, as an error page of a proxy may; the token does not have the form of the hub's."""
    canary = "canary.of.another.form"
    hub.tokens[canary] = "write"
    reply = f"no, Bearer {canary}, you may not"
    status, headers = status_and_code(status)
    hub.fail("POST /api/models/.*/commit", status, message=reply, headers={"Retry_After": "60", **headers})
    with pytest.raises(UserError) as caught:
        push_to_hub(run, NAME, token=canary)
    message = str(caught.value)
    assert message.startswith(f"{NAME}: {words}")
    assert "\n" not in message
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    captured = capsys.readouterr()
    assert canary not in message + caplog.text + captured.out + captured.err
    assert set(hub.files(NAME)) == {".gitattributes"}


@pytest.mark.parametrize(("status", "words"), [
    (401, "the Hub requires a valid token. Run: hf auth login, or set HF_TOKEN"),
    ("401 RepoNotFound", "the repository does not exist on the Hub, or it is private. Check the name. A private"),
    (403, "the Hub denies access to the repository (ask its owner). Request access"),
    ("403 GatedRepo", "the repository is gated, and you have no access to it (ask its owner). Request access"),
    ("403 disabled", "the repository is disabled (Access to this resource is disabled). See its page"),
    (404, "the Hub has no such repository or file. Check the name, the revision"),
    ("404 RepoNotFound", "the repository does not exist on the Hub, or it is private. Check the name"),
    ("404 RevisionNotFound", 'the repository has no revision "main". Check the branch, tag or commit'),
    ("404 EntryNotFound", "the repository lacks a file that is needed. Check the name and the revision"),
    (429, "the Hub has received too many requests. Wait a few minutes. Try again"),
    (503, "the Hub failed (HTTP 503). Wait a few minutes. Try again"),
    (DROPPED, "the Hub cannot be reached (RemoteProtocolError"),
])  # fmt: skip
def test_error_of_a_download_is_one_line(hub, status, words):
    status, headers = status_and_code(status)
    message = "Access to this resource is disabled." if "X_Error_Message" in headers else "ask its owner"
    hub.fail("GET /api/models", status, message=message, headers=headers)
    with pytest.raises(UserError) as caught:
        Extractor.from_pretrained(NAME)
    assert str(caught.value).startswith(f"{NAME}: {words}")
    assert "\n" not in str(caught.value)


def test_missing_repositories_revisions_and_rights_have_different_errors(hub, run, monkeypatch, tmp_path):
    push_to_hub(run, NAME, private=True)
    hub.repositories["acme/bare"] = hub.repositories[NAME].__class__()
    hub.repositories["acme/bare"].commit("main", {"README.md": b"a model of another kind", "model.safetensors": b""})
    for name, words in (
        ("acme/none", "acme/none: the repository does not exist on the Hub, or it is private."),
        (f"{NAME}@none", f'{NAME}@none: the repository has no revision "none". Check the branch, tag or commit'),
        ("acme/bare", r"acme/bare: this is not a run \(no task.yaml in it\)"),
    ):
        with pytest.raises(UserError, match=words):
            Extractor.from_pretrained(name)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(
        UserError, match="is private. Check the name. A private repository needs a token with access to it"
    ):
        Extractor.from_pretrained(NAME)
    assert Extractor.from_pretrained(NAME, token=READER)(TEXT)
    with pytest.raises(UserError, match="no Hub access token is set. Run: hf auth login"):
        push_to_hub(run, NAME)
    with pytest.raises(UserError, match="the token has no write access to the repository"):
        push_to_hub(run, NAME, token=READER)
    with pytest.raises(UserError, match="the Hub does not accept the token"):
        push_to_hub(run, NAME, token="hf_wrong")
    with pytest.raises(UserError, match="token contains an invalid character") as caught:
        push_to_hub(run, NAME, token="hf_ wrong")
    assert "wrong" not in str(caught.value)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="acme/other: HF_HUB_OFFLINE is set, and the repository is not in the cache"):
        Extractor.from_pretrained("acme/other")
    with pytest.raises(UserError, match="HF_HUB_OFFLINE is set. Unset it to push"):
        push_to_hub(run, NAME, token=CANARY)


def test_name_with_a_revision_refers_to_the_hub(hub, run, tmp_path, monkeypatch):
    """Also if there is a local folder with the name of the organization; a complete local path has precedence."""
    commit = push_to_hub(run, NAME).partition("@")[2]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "acme").mkdir()
    assert Extractor.from_pretrained(NAME, revision=commit)(TEXT)
    assert Extractor.from_pretrained(f"{NAME}@main", revision=commit)(TEXT)
    count = len(hub.requests)
    shutil.copytree(run, tmp_path / NAME)
    assert Extractor.from_pretrained(NAME, revision="none")(TEXT)
    assert len(hub.requests) == count


def test_folder_has_precedence_and_a_mistyped_path_is_not_sent_to_the_hub(hub, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(run, tmp_path / "runs" / "first")
    assert Extractor.from_pretrained("runs/first")(TEXT)
    with pytest.raises(UserError, match='runs/frist: there is no such folder in "runs".*write runs/frist@main'):
        Extractor.from_pretrained("runs/frist")
    for name in ("frist", "./acme/none", "a/b/c", "/acme/none", "acme/..", "acme/no--ne", "acme/none@", "~/none"):
        with pytest.raises(UserError, match="not the folder of a run"):
            Extractor.from_pretrained(name)
        assert parse_hub_name(name) is None
    assert hub.requests == []
    assert parse_hub_name("runs/frist@main") == ("runs/frist", "main")
    assert parse_hub_name("acme/none") == (
        "acme/none",
        None,
    )


@pytest.mark.parametrize(("name", "revision", "words"), [
    ("payments", None, "not of the form ORG/NAME"), ("a/b/c", None, "not of the form ORG/NAME"),
    ("acme/pay ments", None, "alphanumeric"), ("acme/x--y", None, "Cannot have -- or .."),
    (NAME, "0" * 40, "not a valid branch name"), (NAME, "no branch", "not a valid branch name"),
])  # fmt: skip
def test_push_to_an_invalid_name_is_refused(hub, run, name, revision, words):
    with pytest.raises(UserError, match=words):
        push_to_hub(run, name, revision=revision)
    assert hub.requests == []


def test_files_that_could_contain_code_are_not_downloaded(hub, run):
    push_to_hub(run, NAME)
    evil = {"names/pytorch_model.bin": b"", "names/modeling.py": b"", "state.pkl": b"", "x.pt": b"", "names/a.txt": b""}
    hub.repositories[NAME].commit("main", {**hub.files(NAME), **evil})
    assert Extractor.from_pretrained(NAME)(TEXT)
    assert not [request for request in hub.requests if any(request.endswith(name) for name in evil)]


def test_run_on_the_hub_is_scored_on_local_data(hub, run):
    push_to_hub(run, NAME)
    with pytest.raises(UserError, match="a run on the hub has no data to be scored on. Give .* --data"):
        evaluate(NAME)
    data = str(run.parent / "three_kinds")
    scores = evaluate(NAME, data=data)
    assert scores["names"].metrics["documents"] == 20
    assert "test" not in json.loads((Path(snapshot_download(NAME)) / "scores.json").read_text("utf-8")), (
        "the cached run was changed"
    )


def test_encoder_of_the_hub_is_pinned_to_a_commit(hub, encoder, task, tmp_path):
    files = {path.name: path.read_bytes() for path in Path(encoder("bert")).iterdir()}
    more = {
        "1_Pooling/config.json": b'{"pooling_mode_mean_tokens": true}',
        "pytorch_model.bin": b"",
        "onnx/model.onnx": b"",
    }
    with running({"acme/encoder": {**files, **more}}) as other:
        hub.repositories.update(other.repositories)
    commit = hub.repositories["acme/encoder"].branches["main"]
    run = train(str(task), tmp_path / "run", **tiny.settings("acme/encoder", "supervised", max_steps=2)).path
    settings = yaml.safe_load((run / "run.yaml").read_text("utf-8"))
    assert settings["encoder"] == f"acme/encoder@{commit}"
    assert settings["pooling"] == "mean"
    card = ModelCard((run / "README.md").read_text("utf-8"))
    assert card.data.base_model == "acme/encoder"
    assert f"`acme/encoder`, revision `{commit}`," in card.text
    assert not [request for request in hub.requests if "pytorch_model" in request or "onnx" in request]
    for name in ("acme/encoder", "acme/encoder@main"):  # the run is finished: its commit is not looked up
        train(str(task), run, resume=True, **tiny.settings(name, "supervised", max_steps=2))
    hub.repositories["acme/encoder"].commit("main", {"config.json": b"{}"})
    count = len(hub.requests)
    cached = Path(resolve_encoder(settings["encoder"]))
    assert (cached / "model.safetensors").read_bytes() == files["model.safetensors"]
    assert len(hub.requests) == count
    for file in (run / "names").glob("*.json"):
        assert str(tmp_path) not in file.read_text("utf-8"), "a local path is in the run"


def test_encoder_without_an_organization_is_pinned_and_checked(hub, encoder, task, tmp_path):
    """As with the first encoders on the hub, such as bert-base-uncased."""
    files = {path.name: path.read_bytes() for path in Path(encoder("bert")).iterdir()}
    evil = json.dumps({**json.loads(files["config.json"]), "_attn_implementation": "evil/kernel"}).encode()
    with running({"plain": {**files, "pytorch_model.bin": b""}, "strange": {**files, "config.json": evil}}) as other:
        hub.repositories.update(other.repositories)
    commit = hub.repositories["plain"].branches["main"]
    run = train(str(task), tmp_path / "run", **tiny.settings("plain", "supervised", max_steps=2)).path
    assert yaml.safe_load((run / "run.yaml").read_text("utf-8"))["encoder"] == f"plain@{commit}"
    assert Path(resolve_encoder(f"plain@{commit}")).name == commit
    assert not sent(hub, "pytorch_model")
    for name, words in (
        ("strange", "refers to code to be downloaded: evil/kernel"),
        ("plane", 'encoder "plane" is not a folder'),
    ):
        with pytest.raises(UserError, match=words):
            tiny.discriminator_of(name)


def test_pushed_data_are_unchanged_and_can_be_trained_on(hub, task, tmp_path, encoder):
    records = [json.loads(line) for line in (task.parent / "train.jsonl").read_text("utf-8").splitlines()]
    del records[0]["risks"], records[1]["topic"]
    tiny.write_records(task.parent / "train.jsonl", records)
    task.write_text(task.read_text("utf-8").replace("topic: {kind", "subject: {from: topic, kind"), encoding="utf-8")
    (task.parent / "README.md").write_text(
        "---\nlicense: mit\nconfigs: own\n---\n# Ours\n\nOf the tests.\n", encoding="utf-8"
    )
    pushed = push_data(str(task), "acme/three", private=True)
    assert sent(hub, "/commit/") == 1
    remote = hub.files("datasets/acme/three")
    assert set(remote) == {
        ".gitattributes",
        "README.md",
        "task.yaml",
        *(f"{split}.jsonl" for split in ("train", "dev", "test", "unlabeled")),
    }
    assert pushed == f"acme/three@{hub.repositories['datasets/acme/three'].branches['main']}"
    card = remote["README.md"].decode()
    assert "license: mit\n" in card
    assert "# Ours" in card
    assert "configs: own" not in card
    folder = snapshot_download("acme/three", repo_type="dataset", local_dir=tmp_path / "three")
    original, downloaded = Task.load(task), Task.load(folder)
    for split in original.splits:
        contents = [
            [(document.id, document.text, document.gold) for document in version.read(split)]
            for version in (original, downloaded)
        ]
        assert contents[0] == contents[1], split
    settings = {**tiny.settings(encoder("bert"), "supervised", max_steps=2), "num_evaluations": 1}
    run = train(str(folder), tmp_path / "run", **settings).path
    card = ModelCard((run / "README.md").read_text("utf-8"))
    assert card.data.datasets == ["acme/three"]
    assert "Data set `acme/three` on the Hub" in card.text


FULL = """\
description: Everything that a task has.
format: jsonl
files: {train: train.jsonl, dev: dev.jsonl, unlabeled: pool.jsonl}
fields:
  topic: {kind: classes, labels: [trade, travel], from: subject}
  names: {kind: spans, labels: [PAYER, VERB], scheme: levels, levels: [1, 2], fragments: true}
  sure: {kind: attributes, labels: ['yes', 'no'], of: [PAYER], default: 'no'}
  pays: {kind: relations, labels: [pays], between: [[PAYER, VERB]], symmetric: [pays]}
descriptions: {trade: Goods are sold.}
record: {fields: {payer: {from: PAYER}}}
"""
PAYER = {"start": 0, "end": 4, "label": "PAYER"}
VERB = {"start": 5, "end": 9, "label": "VERB", "fragments": [[5, 6], [8, 9]]}
FULL_RECORDS = (
    {"id": "1", "text": "ACME paid", "subject": "trade", "names": [{**PAYER, "sure": "yes"}, VERB], "chosen": "random",
     "pays": [{"head": PAYER, "tail": VERB, "label": "pays"}]},
    {"id": "2", "text": "ACME pays", "names": [PAYER], "sure": None},
)  # fmt: skip


@pytest.fixture
def full(hub, tmp_path) -> Path:
    """Push a task with fields of all kinds, and return its folder."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own/task.yaml").write_text(FULL, "utf-8")
    tiny.write_records(tmp_path / "own/train.jsonl", FULL_RECORDS)
    tiny.write_records(tmp_path / "own/dev.jsonl", [{**FULL_RECORDS[0], "id": "3"}])
    tiny.write_records(tmp_path / "own/pool.jsonl", [{"id": "4", "text": "Brisk paid"}])
    push_data(str(tmp_path / "own"), "acme/full")
    return tmp_path / "own"


def test_init_of_pushed_data_gives_the_same_task(hub, full, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = electra_ie.init("acme/full")
    text = (tmp_path / "full_task/task.yaml").read_text("utf-8")
    assert text.endswith("\n" + hub.files("datasets/acme/full")["task.yaml"].decode())
    commit = hub.repositories["datasets/acme/full"].branches["main"]
    assert f"# the data set is acme/full of the hub, at the commit {commit}\n" in text
    original, own = Task.load(full), Task.load("full_task")
    assert own == made.task and own.all_fields == tuple(replace(field, source="") for field in original.all_fields)
    for part in ("description", "descriptions", "record", "splits"):
        assert getattr(own, part) == getattr(original, part), part
    for split in original.splits:
        read = [
            [(document.id, document.text, document.gold, document.chosen) for document in version.read(split)]
            for version in (original, own)
        ]
        assert read[0] == read[1], split
    use_hub(monkeypatch, hub.url, tmp_path, offline=True)
    assert electra_ie.init("acme/full", "again").task.all_fields == own.all_fields, "from the cache"
    (tmp_path / "full_task/task.yaml").unlink()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=r"README\.md: this file exists and is not overwritten"):
        electra_ie.init("acme/full")
    assert sorted(tmp_path.rglob("*")) == before


def test_pushed_data_are_loaded_by_the_library_with_how_texts_were_chosen(full):
    rows = datasets.load_dataset("acme/full")["train"]
    assert [row["chosen"] for row in rows] == ["random", None] and rows[0]["names"][0]["sure"] == "yes"


@pytest.mark.parametrize(
    "content",
    [
        b"task: arithmetic\ndataset_path: acme/full\n",
        b"format: jsonl\nfiles: {train: ../train.jsonl}\nfields: {topic: {kind: flags, labels: [trade]}}\n",
        b"format: jsonl\nfiles: {train: train.jsonl}\nfields: {}\nhints: {trade: {file: /etc/passwd}}\n",
        b"a: [",
        b"- arithmetic",
    ],
)
def test_a_task_yaml_that_push_data_did_not_write_is_not_used(hub, full, tmp_path, monkeypatch, content):
    repository = hub.repositories["datasets/acme/full"]
    repository.commit("main", {**hub.files("datasets/acme/full"), "task.yaml": content})
    monkeypatch.chdir(tmp_path)
    made = electra_ie.init("acme/full", dev=0, test=0)
    assert made.task.description == "Labels of acme/full (data set on the hub)." and made.task.format == "datasets"


COMMANDS = """
import json, os, sys
from electra_ie.cli.app import main
from electra_ie.api import plan_push
lines, place = sys.argv[1:]
os.chdir(place)
for line in lines.splitlines():
    sys.argv = ["electra-ie", *line.split("|")]
    try:
        main()
    except SystemExit as end:
        assert not end.code, end.code
import datasets
data = datasets.load_dataset("acme/three")
print(json.dumps({"rows": {name: len(split) for name, split in data.items()}, "first": data["train"][0],
                  "pool": data["unlabeled"][0]["names"], "columns": data["train"].column_names}))
"""


@pytest.mark.slow
def test_command_line_pushes_extracts_and_pushes_data(hub, run, task, tmp_path):
    """In another process, which gets the hub from HF_ENDPOINT and the token from HF_TOKEN."""
    home = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": CANARY}
    (tmp_path / "a.txt").write_text(TEXT, encoding="utf-8")
    lines = [
        ["push", str(run), NAME, "--private"],
        ["extract", NAME, "a.txt", "-o", "findings.jsonl"],
        ["push-data", str(task), "acme/three"],
    ]
    ended = processes.run(
        ["-c", COMMANDS, "\n".join("|".join(line) for line in lines), str(tmp_path)],
        {**home, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"},
        processes.READ_THE_ENVIRONMENT,
    )
    assert ended.code == 0, ended.messages
    assert CANARY not in ended.output + ended.messages
    assert f"extract {NAME}@{hub.repositories[NAME].branches['main']} PATH" in ended.messages
    record = json.loads((tmp_path / "findings.jsonl").read_text("utf-8"))
    assert record["findings"] == [as_record(finding) for finding in Extractor.from_pretrained(run)(TEXT)]
    data = json.loads(ended.output.splitlines()[-1])
    assert data["rows"] == {"train": 40, "dev": 20, "test": 20, "unlabeled": 30}
    assert data["pool"] is None
    assert data["columns"] == ["id", "text", "topic", "risks", "names"]
    gold = Task.load(task).read("train")[0].gold["names"]
    assert data["first"]["names"] == [{"start": span.start, "end": span.end, "label": span.label} for span in gold]


def as_record(finding: electra_ie.Finding) -> dict:
    """Return a finding as a line of extract contains it."""
    key = "text" if finding.field == "names" else "window"
    return {name: getattr(finding, name) for name in ("field", "label", "start", "end", key, "score")}


@pytest.mark.parametrize("command", ["push", "push-data"])
def test_dry_run_shows_all_files_and_makes_no_request(hub, run, task, monkeypatch, capsys, command):
    monkeypatch.delenv("HF_TOKEN")
    source = str(run) if command == "push" else str(task)
    monkeypatch.setattr(sys, "argv", ["electra-ie", command, source, NAME, "--dry-run"])
    with pytest.raises(SystemExit) as caught:
        main()
    shown = capsys.readouterr().out
    assert caught.value.code == 0
    assert hub.requests == []
    expected = ["names/model.safetensors", "dev_names.png"] if command == "push" else ["unlabeled.jsonl", "dev.jsonl"]
    assert all(word in shown for word in [*expected, "task.yaml", "README.md:", "# "])


def test_an_extractor_of_a_run_pushes_the_run(hub, run):
    extractor = Extractor.from_pretrained(run)
    pushed = extractor.push_to_hub(NAME, private=True, revision="draft")
    assert pushed == f"{NAME}@{hub.repositories[NAME].branches['draft']}"
    assert hub.repositories[NAME].private
    sent = hub.files(NAME, "draft")
    assert {"run.yaml", "scores.json", "audit.json"} <= set(sent)
    assert sent["README.md"] == (run / "README.md").read_bytes(), "the card of the run"
    downloaded = Extractor.from_pretrained(NAME, revision="draft")
    assert downloaded(TEXT) == extractor(TEXT)
    downloaded.push_to_hub("acme/copy")  # its files are links in the cache, which a run must not have
    assert "run.yaml" not in hub.files("acme/copy")
    assert Extractor.from_pretrained("acme/copy")(TEXT) == extractor(TEXT)


def test_an_extractor_without_a_run_pushes_models_and_a_short_card(hub, run, tmp_path):
    expected = Extractor.from_pretrained(run)
    expected.save_pretrained(tmp_path / "saved")
    saved = Extractor.from_pretrained(tmp_path / "saved")
    assert saved(TEXT) == expected(TEXT)
    (tmp_path / "saved" / "notes.txt").write_text("a secret text", encoding="utf-8")
    pushed = saved.push_to_hub(NAME)
    files = hub.files(NAME)
    models = {path.relative_to(run).as_posix() for path in run.glob("*/*") if path.parent.name in tiny.LABELS}
    assert set(files) == {*models, "config.json", "task.yaml", "calibration.json", "README.md", ".gitattributes"}
    card = ModelCard(files["README.md"].decode())
    assert card.data.library_name == "transformers"
    assert "| names | spans | person, amount |" in card.content
    assert f'Extractor.from_pretrained("{NAME}")' in card.content
    assert "data" not in yaml.safe_load(files["task.yaml"])
    assert Extractor.from_pretrained(pushed)(TEXT) == expected(TEXT)


def test_an_extractor_is_not_pushed_where_a_run_would_not_be(hub, run):
    extractor = Extractor.from_pretrained(run)
    with pytest.raises(UserError, match='"payments" is not a valid repository name'):
        extractor.push_to_hub("payments")
    with pytest.raises(UserError, match="the Hub does not accept the token"):
        extractor.push_to_hub(NAME, token="hf_wrong")
    assert NAME not in hub.repositories


def test_an_exported_model_loads_from_the_hub_and_from_the_cache(hub, exported_run, tmp_path, monkeypatch, capsys):
    pushed = push_to_hub(exported_run, NAME, private=True)
    assert f"sending 7 files to {NAME}, which is private" in capsys.readouterr().err
    assert sent(hub, "/commit/") == 1
    remote = hub.files(NAME)
    del remote[".gitattributes"]
    assert remote == {path.name: path.read_bytes() for path in exported_run.iterdir()}
    expected = ExportedExtractor.from_pretrained(exported_run)
    assert expected(TEXT)
    assert ExportedExtractor.from_pretrained(NAME)(TEXT) == expected(TEXT)
    loaded = ExportedExtractor.from_pretrained(NAME, revision=pushed.partition("@")[2])
    assert (loaded.model, loaded(TEXT)) == (expected.model, expected(TEXT))
    (tmp_path / "a.txt").write_text(TEXT, encoding="utf-8")
    assert command(monkeypatch, "extract", pushed, tmp_path / "a.txt", "-o", tmp_path / "found.jsonl") == 0
    record = json.loads((tmp_path / "found.jsonl").read_text("utf-8"))
    assert json.loads(remote["audit.json"])["model"].startswith(record["model"])
    assert [each["label"] for each in record["findings"]] == [each.label for each in expected(TEXT)]
    assert command(monkeypatch, "verify", pushed) == 0
    count = len(hub.requests)
    assert ExportedExtractor.from_pretrained(pushed)(TEXT) == expected(TEXT)
    assert ExportedExtractor.from_pretrained(NAME, local_files_only=True)(TEXT) == expected(TEXT)
    assert len(hub.requests) == count, "what is in the cache was requested"
    with pytest.raises(UserError, match=f"{NAME}: this is an exported model, which torch cannot run"):
        Extractor.from_pretrained(NAME)


def test_a_run_and_an_exported_model_replace_each_other(hub, run, exported_run):
    push_to_hub(exported_run, NAME)
    push_to_hub(run, NAME)
    assert not {"model.onnx", "export.json", "tokenizer.json"} & set(hub.files(NAME))
    assert Extractor.from_pretrained(NAME)(TEXT) == Extractor.from_pretrained(run)(TEXT)
    with pytest.raises(UserError, match="this is no exported model"):
        ExportedExtractor.from_pretrained(NAME)
    push_to_hub(exported_run, NAME)
    assert not [path for path in hub.files(NAME) if path.endswith((".safetensors", ".yaml")) and path != "task.yaml"]
    assert ExportedExtractor.from_pretrained(NAME)(TEXT) == ExportedExtractor.from_pretrained(exported_run)(TEXT)


def test_only_the_files_of_an_exported_model_are_sent(hub, exported_run, tmp_path, monkeypatch, capsys):
    copy = Path(shutil.copytree(exported_run, tmp_path / "copy"))
    (copy / "findings.jsonl").write_text("not to be sent", encoding="utf-8")
    assert command(monkeypatch, "push", copy, NAME, "--dry-run") == 0
    shown = capsys.readouterr().out
    assert "not sent: findings.jsonl" in shown and "model.onnx" in shown and "exported to ONNX" in shown
    assert hub.requests == []
    push_to_hub(copy, NAME)
    assert "findings.jsonl" not in hub.files(NAME) and "model.onnx" in hub.files(NAME)
    count = len(hub.requests)
    (copy / "audit.json").rename(tmp_path / "audit.json")
    with pytest.raises(UserError, match="the exported model has no audit.json. Restore the file"):
        push_to_hub(copy, NAME)
    (copy / "audit.json").symlink_to(tmp_path / "audit.json")
    with pytest.raises(UserError, match="this is a link.*Replace the link by a copy"):
        push_to_hub(copy, NAME)
    assert len(hub.requests) == count


@pytest.mark.slow
def test_a_pushed_export_is_extracted_with_and_verified_without_torch(hub, exported_run, tmp_path):
    pushed = push_to_hub(exported_run, NAME)
    (tmp_path / "a.txt").write_text(TEXT, encoding="utf-8")
    script = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(['torch', 'transformers', 'accelerate', 'datasets', 'scipy', 'sklearn']))\n"
        "import electra_ie\n"
        "name, text = sys.argv[1:]\n"
        "assert electra_ie.ExportedExtractor.from_pretrained(name)(open(text).read())\n"
        "assert electra_ie.verify(name).same\n"
        "electra_ie.extract(name, [text], sys.stdout)\n"
    )
    home = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script, pushed, str(tmp_path / "a.txt")], env={**os.environ, **home},
        capture_output=True, encoding="utf-8", timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["findings"]


@pytest.mark.slow
def test_distilled_runs_load_from_the_hub(hub, finished, tmp_path):
    """A cut run and a static one, with what their cards and audits say of the distillation."""
    teacher = finished(tmp_path / "teacher", "supervised", max_steps=60)
    for options in ({"layers": 1}, {"to": "static"}):
        run = distill(teacher, tmp_path / str(options), overrides=["max_steps=10", "precision=no"], **options).path
        pushed = push_to_hub(run, NAME)
        remote = hub.files(NAME)
        local = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file() and path.name != ".lock"}
        assert set(remote) == {*local, ".gitattributes"}
        taught = json.loads((teacher / "audit.json").read_text("utf-8"))["model"]
        assert json.loads(remote["audit.json"])["distillation"]["teacher"] == taught
        assert (
            f"## Distillation\n\nThis model is smaller and faster than the run that taught it: `teacher`, model `{taught[:16]}`"
            in (remote["README.md"].decode("utf-8"))
        )
        assert Extractor.from_pretrained(pushed)(TEXT) == Extractor.from_pretrained(run)(TEXT)
        assert verify(pushed).same
