"""audit.json says what a run was made from, and `verify` names whatever is not so any more."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import distributions, version
from pathlib import Path

import pytest
import tiny
import torch
import yaml

import electra_ie
from electra_ie import Extractor, UserError, train, verify
from electra_ie.cli.app import main
from electra_ie.runs.provenance import git_revision, packages_sum
from electra_ie.runs.upload import plan_run_upload

NAMES = [field.name for field in tiny.FIELDS]


@pytest.fixture
def mine(run, tmp_path) -> Path:
    """A copy of the finished run and of its data, to be changed."""
    shutil.copytree(run.parent / "three_kinds", tmp_path / "data")
    return Path(shutil.copytree(run, tmp_path / "mine"))


def audit_of(run: Path) -> dict:
    return json.loads((run / "audit.json").read_text("utf-8"))


def lines(run: Path) -> list[str]:
    return [str(each) for each in verify(run, data=str(run.parent / "data")).differences]


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_the_audit_says_what_the_run_was_made_from(run):
    audit, data = audit_of(run), run.parent / "three_kinds"
    assert audit["data"] == {
        name: sha256(data / name) for name in ("train.jsonl", "dev.jsonl", "test.jsonl", "pool.jsonl")
    }
    assert audit["recipe"]["run.yaml"] == sha256(run / "run.yaml")
    assert audit["seeds"] == {"seed": 0}
    assert set(audit["splits"]) == {"train", "pool", "dev", "test"}
    for name in NAMES:
        assert audit["weights"][f"{name}/model.safetensors"] == sha256(run / name / "model.safetensors")
        assert f"{name}/config.json" in audit["weights"]
        assert f"{name}/tokenizer.json" in audit["weights"]
    environment = audit["environment"]
    assert environment["torch"] == torch.__version__
    assert environment["transformers"] == version("transformers")
    assert environment["python"] == platform.python_version()
    assert environment["device"]
    assert audit["code"]["electra_ie"] == version("electra_ie")
    assert len(audit["environment_hash"]) == 64
    installed = {(each.name.lower().replace("_", "-"), each.version) for each in distributions()}
    assert audit["packages"].endswith(" packages)")
    assert int(audit["packages"].split("(")[1].split()[0]) <= len(installed)
    assert audit["lock"] == sha256(Path(electra_ie.__file__).parents[1] / "constraints.txt")
    # As a shell would count it: sha256sum of the files in the order of their names, and of what that printed.
    printed = "".join(f"{audit['weights'][name]}  {name}\n" for name in sorted(audit["weights"]))
    assert audit["model"] == hashlib.sha256(printed.encode()).hexdigest()
    texts = [json.loads(line)["text"] for line in (data / "train.jsonl").read_text("utf-8").splitlines()]
    assert not [text for text in texts if text in (run / "audit.json").read_text("utf-8")]


def test_every_line_of_extract_names_model_and_version(run, mine, tmp_path):
    (tmp_path / "a.txt").write_text("invoice goods Arden paid 5.975,74", encoding="utf-8")
    electra_ie.extract(run, [tmp_path / "a.txt"], tmp_path / "found.jsonl")
    record = json.loads((tmp_path / "found.jsonl").read_text("utf-8"))
    assert record["model"] == audit_of(run)["model"][:16]
    assert record["version"] == version("electra_ie")
    spoil(mine / "risks" / "model.safetensors")
    assert Extractor.load(str(mine)).model not in (record["model"], None), "of the files, not of what audit.json says"


def spoil(file: Path) -> None:
    """Change the last byte."""
    raw = file.read_bytes()
    file.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))


def test_an_untouched_run_is_as_its_audit_says(mine, monkeypatch, capsys):
    assert lines(mine) == []
    monkeypatch.setattr(sys, "argv", ["electra-ie", "verify", str(mine)])
    with pytest.raises(SystemExit) as caught:
        main()
    told = capsys.readouterr()
    assert (caught.value.code or 0, told.out) == (0, "")
    assert "matches the audit" in told.err


def test_a_run_is_as_its_audit_says_where_it_was_pushed_to(mine):
    """What is sent is all that is checked; the folder of the data is not, and not looked for."""
    for name, content in plan_run_upload(mine).files.items():
        file = mine.parent / "pulled" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.read_bytes())
    found = verify(mine.parent / "pulled")
    assert found.same
    assert found.unchecked == ["data and splits: the files are missing. Give the data folder with --data."]
    assert lines(mine.parent / "pulled") == []


def test_what_a_run_would_have_read_is_said_or_not_read(mine, tmp_path, capsys):
    assert verify(mine).same
    assert "as the run's task.yaml says" in capsys.readouterr().err
    fetched = tmp_path / "models--bank--risks" / "snapshots" / "0f3a"
    shutil.copytree(mine, fetched)
    found = verify(fetched)
    assert found.same
    assert found.unchecked[0].startswith("data and splits: a run from the Hub may not choose local files to read")
    assert verify(fetched, data=str(mine.parent / "data")).unchecked == []
    assert "task.yaml says" not in capsys.readouterr().err
    (tmp_path / "notes.txt").write_text("private", encoding="utf-8")
    for run in (mine, fetched):
        change_yaml(run / "run.yaml", unlabeled=[str(tmp_path / "notes.txt")])
    found = verify(fetched, data=str(mine.parent / "data"))
    assert len(found.differences) == 1
    assert "may not choose to read" in found.unchecked[0]
    assert "notes.txt" in found.unchecked[0]
    assert [line.partition(": ")[0] for line in lines(mine)] == ["recipe", "data", "splits"]
    assert f"unlabeled texts: {tmp_path / 'notes.txt'}" in capsys.readouterr().err


def test_a_run_whose_data_are_not_here_says_so_though_its_pool_is(mine, tmp_path):
    change_yaml(mine / "task.yaml", data=str(tmp_path / "none"))
    change_yaml(mine / "run.yaml", unlabeled=[str(tmp_path / "data")])
    found = verify(mine)
    assert [each.part for each in found.differences] == ["recipe"]
    assert "the files are missing" in found.unchecked[0]


@pytest.mark.unix("named pipes")
@pytest.mark.parametrize("split", ["train", "test"])
def test_a_pipe_in_the_place_of_data_is_not_waited_for(mine, split, capsys):
    file = mine.parent / "data" / f"{split}.jsonl"
    file.unlink()
    os.mkfifo(file)
    found = verify(mine, data=str(file.parent))
    told = [str(each) for each in found.differences]
    assert told[0] == f"data: {split}.jsonl: missing"
    assert "this is a device or a pipe" in capsys.readouterr().err + " ".join(found.unchecked)


def test_a_link_out_of_a_run_is_not_hashed(mine, tmp_path):
    (mine / "names" / "vocab.txt").symlink_to(tmp_path / "private.txt")
    with pytest.raises(UserError, match="a link that leads out of the run's folder"):
        verify(mine)


def change_yaml(file: Path, **values) -> None:
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text("utf-8")), **values}), encoding="utf-8")


def change_audit(run: Path, part: str, name: str) -> None:
    audit = audit_of(run)
    audit[part][name] = "0.0.1"
    (run / "audit.json").write_text(json.dumps(audit), encoding="utf-8")


def relabel(file: Path) -> None:
    records = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    records[0]["topic"] = "other" if records[0]["topic"] != "other" else "trade"
    tiny.write_records(file, records)


@pytest.mark.parametrize(("change", "told"), [
    (lambda run: spoil(run / "risks" / "model.safetensors"), ["weights: risks/model.safetensors"]),
    (lambda run: (run / "names" / "tokenizer.json").unlink(), ["weights: names/tokenizer.json: missing"]),
    (lambda run: (run / "names" / "special_tokens_map.json").write_text('{"cls_token": "paid"}'), ["weights: names/special_tokens_map.json: new"]),
    (lambda run: (run / "names" / "added_tokens.json").write_text('{"ard": 5}'), ["weights: names/added_tokens.json: new"]),
    (lambda run: change_yaml(run / "run.yaml", learning_rate=0.5), ["recipe: run.yaml"]),
    (lambda run: change_yaml(run / "run.yaml", label_budget=20), ["recipe: run.yaml", "splits: train", "splits: pool"]),
    (lambda run: change_yaml(run / "task.yaml", description="Another."), ["recipe: task.yaml"]),
    (lambda run: relabel(run.parent / "data" / "dev.jsonl"), ["data: dev.jsonl", "splits: dev"]),
    (lambda run: (run.parent / "data" / "pool.jsonl").unlink(), ["data: pool.jsonl: missing"]),
    (lambda run: relabel(run.parent / "data" / "test.jsonl"), ["data: test.jsonl", "splits: test"]),
    (lambda run: change_audit(run, "environment", "torch"), [f"environment: torch: 0.0.1 then, {torch.__version__} now"]),
    (lambda run: change_audit(run, "code", "modules"), ["code: modules: 0.0.1 then"]),
])  # fmt: skip
def test_what_differs_is_named(mine, change, told):
    change(mine)
    found = lines(mine)
    assert len(found) == len(told), found
    assert all(line.startswith(words) for line, words in zip(found, told, strict=True)), found


def test_another_package_is_another_sum(tmp_path, monkeypatch):
    before = packages_sum()
    (tmp_path / "more-1.0.dist-info").mkdir()
    (tmp_path / "more-1.0.dist-info" / "METADATA").write_text("Name: more\nVersion: 1.0\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    after = packages_sum()
    assert after[:64] != before[:64]
    assert int(after[66:].split()[0]) == int(before[66:].split()[0]) + 1


def test_differences_are_lines_and_exit_code_1(mine, monkeypatch, capsys):
    spoil(mine / "topic" / "model.safetensors")
    shutil.rmtree(mine.parent / "data")
    monkeypatch.setattr(sys, "argv", ["electra-ie", "verify", str(mine), "--data", str(mine.parent / "data")])
    with pytest.raises(SystemExit) as caught:
        main()
    told = capsys.readouterr()
    assert caught.value.code == 1
    assert told.out.count("\n") == 1
    assert told.out.startswith("weights: topic/model.safetensors: ")
    assert "not checked: data and splits" in told.err
    assert "--data" in told.err


def test_a_run_without_an_audit_is_refused(mine):
    for content, told in ((b"{}", "lacks parts of an audit"), (b"[]", "not the JSON"), (b"\xff\xfe", "not the JSON")):
        (mine / "audit.json").write_bytes(content)
        with pytest.raises(UserError, match=told):
            verify(mine)
    (mine / "audit.json").unlink()
    with pytest.raises(UserError, match="the run has no audit.json"):
        verify(mine)


def test_trained_again_from_run_yaml_the_weights_have_the_same_hash(task, tmp_path, encoder):
    first = train(str(task), tmp_path / "first", **tiny.settings(encoder("bert"), "supervised"), label_budget=30)
    again = train(str(task), tmp_path / "again", settings=first / "run.yaml")
    assert audit_of(first)["weights"] == audit_of(again)["weights"]
    assert audit_of(first)["model"] == audit_of(again)["model"]
    assert audit_of(first)["splits"] == audit_of(again)["splits"]
    assert "pool.jsonl" not in audit_of(first)["data"], "the supervised preset reads no pool"


def test_test_documents_that_stand_in_train_are_warned_of(task, tmp_path, encoder, capsys):
    train_records = [json.loads(line) for line in (task.parent / "train.jsonl").read_text("utf-8").splitlines()]
    test_records = [json.loads(line) for line in (task.parent / "test.jsonl").read_text("utf-8").splitlines()]
    copied = {**train_records[3], "id": "copied", "text": train_records[3]["text"].replace(" ", "  "), "names": []}
    tiny.write_records(task.parent / "test.jsonl", [*test_records, copied])
    made = train(str(task), tmp_path / "run", **tiny.settings(encoder("bert"), "supervised", max_steps=60))
    told = [line for line in capsys.readouterr().err.splitlines() if "warning: " in line]
    assert told == [
        "warning: 1 of 21 documents of test are also in train (1 exactly, 0 nearly): scores on test are too high. "
        "See audit.json."
    ]
    pair = next(each for each in audit_of(made)["overlap"]["pairs"] if (each["of"], each["in"]) == ("test", "train"))
    assert pair["examples"] == [["copied", "r3"]]


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return its output."""
    identity = ["-c", "user.name=tests", "-c", "user.email=tests@example.org", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout.strip()


def test_the_revision_is_that_of_the_checkout_itself(tmp_path, monkeypatch):
    checkout = tmp_path / "checkout"
    (checkout / "inner").mkdir(parents=True)
    assert git_revision(checkout) is None, "no repository"
    git(checkout, "init", "-q", "-b", "main")
    assert git_revision(checkout) is None, "no commit"
    git(checkout, "commit", "-q", "--allow-empty", "-m", "first")
    commit = git(checkout, "rev-parse", "HEAD")
    assert len(commit) == 40
    assert git_revision(checkout) == commit
    git(checkout, "pack-refs", "--all")
    assert git_revision(checkout) == commit, "a packed reference"
    git(checkout, "worktree", "add", "-q", str(tmp_path / "tree"))
    git(tmp_path / "tree", "commit", "-q", "--allow-empty", "-m", "second")
    assert git_revision(tmp_path / "tree") == git(tmp_path / "tree", "rev-parse", "HEAD") != commit
    git(checkout, "checkout", "-q", "--detach")
    assert git_revision(checkout) == commit, "a detached head"
    assert git_revision(checkout / "inner") is None, "a folder within a repository is not its checkout"
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "tree" / ".git"))
    assert git_revision(checkout) == commit, "as within a hook of another repository"
    monkeypatch.delenv("GIT_DIR")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_revision(checkout) is None, "git is not installed"
