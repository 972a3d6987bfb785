"""audit.json records what a run was trained from, and `verify` reports every difference."""

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
import yaml

import electra_ie
from electra_ie import Extractor, UserError, train, verify
from electra_ie.cli.app import main
from electra_ie.runs.provenance import git_revision, packages_sum
from electra_ie.runs.upload import plan_upload

NAMES = [field.name for field in tiny.FIELDS]


@pytest.fixture
def run_copy(run, tmp_path) -> Path:
    """Return a copy of the finished run, to be changed; its data are in `data` next to it."""
    shutil.copytree(run.parent / "three_kinds", tmp_path / "data")
    return Path(shutil.copytree(run, tmp_path / "copy"))


def audit_of(run: Path) -> dict:
    return json.loads((run / "audit.json").read_text("utf-8"))


def lines(run: Path) -> list[str]:
    return [str(difference) for difference in verify(run, data=str(run.parent / "data")).differences]


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_audit_records_files_splits_environment_and_hashes(run):
    audit, data = audit_of(run), run.parent / "three_kinds"
    assert audit["data"] == {
        name: sha256(data / name) for name in ("train.jsonl", "dev.jsonl", "test.jsonl", "pool.jsonl")
    }
    assert audit["settings"]["run.yaml"] == sha256(run / "run.yaml")
    assert audit["seeds"] == {"seed": 0}
    assert set(audit["splits"]) == {"train", "pool", "dev", "test"}
    for name in NAMES:
        assert audit["weights"][f"{name}/model.safetensors"] == sha256(run / name / "model.safetensors")
        assert f"{name}/config.json" in audit["weights"]
        assert f"{name}/tokenizer.json" in audit["weights"]
    environment = audit["environment"]
    assert environment["torch"] == version("torch")
    assert environment["transformers"] == version("transformers")
    assert environment["python"] == platform.python_version()
    assert environment["device"]
    assert audit["code"]["electra_ie"] == version("electra_ie")
    assert len(audit["environment_hash"]) == 64
    installed = {(package.name.lower().replace("_", "-"), package.version) for package in distributions()}
    assert audit["packages"].endswith(" packages)")
    assert int(audit["packages"].split("(")[1].split()[0]) <= len(installed)
    assert audit["lock"] == sha256(Path(electra_ie.__file__).parents[1] / "constraints.txt")
    # As in a shell: sha256sum of the files in the order of their names, then of that output.
    printed = "".join(f"{audit['weights'][name]}  {name}\n" for name in sorted(audit["weights"]))
    assert audit["model"] == hashlib.sha256(printed.encode()).hexdigest()
    texts = [json.loads(line)["text"] for line in (data / "train.jsonl").read_text("utf-8").splitlines()]
    assert not [text for text in texts if text in (run / "audit.json").read_text("utf-8")]


def test_every_line_of_extract_names_model_and_version(run, run_copy, tmp_path):
    (tmp_path / "a.txt").write_text("invoice goods Arden paid 5.975,74", encoding="utf-8")
    electra_ie.extract(run, [tmp_path / "a.txt"], tmp_path / "findings.jsonl")
    record = json.loads((tmp_path / "findings.jsonl").read_text("utf-8"))
    assert record["model"] == audit_of(run)["model"][:16]
    assert record["version"] == version("electra_ie")
    spoil(run_copy / "risks" / "model.safetensors")
    with pytest.raises(UserError, match=r"calibration\.json: the calibration belongs to the weights \w{16}, and these"):
        Extractor.from_pretrained(run_copy)
    (run_copy / "calibration.json").unlink()
    assert Extractor.from_pretrained(run_copy).model not in (record["model"], None), (
        "the hash is read from audit.json, not computed from the files"
    )


def spoil(file: Path) -> None:
    """Change the last byte of a file."""
    raw = file.read_bytes()
    file.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))


def test_unchanged_run_matches_its_audit(run_copy, monkeypatch, capsys):
    assert lines(run_copy) == []
    monkeypatch.setattr(sys, "argv", ["electra-ie", "verify", str(run_copy)])
    with pytest.raises(SystemExit) as caught:
        main()
    captured = capsys.readouterr()
    assert (caught.value.code or 0, captured.out) == (0, "")
    assert "matches the audit" in captured.err


def test_uploaded_files_match_the_audit(run_copy):
    """The data are not uploaded, and so not checked; everything else is."""
    for name, content in plan_upload(run_copy).files.items():
        file = run_copy.parent / "pulled" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.read_bytes())
    verification = verify(run_copy.parent / "pulled")
    assert verification.same
    assert verification.unchecked == ["data and splits: the files are missing. Give the data folder with --data."]
    assert lines(run_copy.parent / "pulled") == []


def test_files_named_by_a_run_are_announced_or_not_read(run_copy, tmp_path, capsys):
    assert verify(run_copy).same
    assert "as the run's task.yaml says" in capsys.readouterr().err
    fetched = tmp_path / "models--bank--risks" / "snapshots" / "0f3a"
    shutil.copytree(run_copy, fetched)
    verification = verify(fetched)
    assert verification.same
    assert verification.unchecked[0].startswith(
        "data and splits: a run from the Hub may not choose local files to read"
    )
    assert verify(fetched, data=str(run_copy.parent / "data")).unchecked == []
    assert "task.yaml says" not in capsys.readouterr().err
    (tmp_path / "notes.txt").write_text("private", encoding="utf-8")
    for run in (run_copy, fetched):
        change_yaml(run / "run.yaml", unlabeled=[str(tmp_path / "notes.txt")])
    verification = verify(fetched, data=str(run_copy.parent / "data"))
    assert len(verification.differences) == 1
    assert "may not choose to read" in verification.unchecked[0]
    assert "notes.txt" in verification.unchecked[0]
    assert [line.partition(": ")[0] for line in lines(run_copy)] == ["settings", "data", "splits"]
    assert f"unlabeled texts: {tmp_path / 'notes.txt'}" in capsys.readouterr().err


def test_missing_data_are_reported_even_if_the_pool_exists(run_copy, tmp_path):
    change_yaml(run_copy / "task.yaml", data=str(tmp_path / "none"))
    change_yaml(run_copy / "run.yaml", unlabeled=[str(tmp_path / "data")])
    verification = verify(run_copy)
    assert [difference.part for difference in verification.differences] == ["settings"]
    assert "the files are missing" in verification.unchecked[0]


@pytest.mark.unix("named pipes")
@pytest.mark.parametrize("split", ["train", "test"])
def test_pipe_instead_of_data_is_not_read(run_copy, split, capsys):
    file = run_copy.parent / "data" / f"{split}.jsonl"
    file.unlink()
    os.mkfifo(file)
    verification = verify(run_copy, data=str(file.parent))
    assert str(verification.differences[0]) == f"data: {split}.jsonl: missing"
    assert "this is a device or a pipe" in capsys.readouterr().err + " ".join(verification.unchecked)


def test_link_out_of_a_run_is_an_error(run_copy, tmp_path):
    (run_copy / "names" / "vocab.txt").symlink_to(tmp_path / "private.txt")
    with pytest.raises(UserError, match="a link that leads out of the run's folder"):
        verify(run_copy)


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


@pytest.mark.parametrize(("change", "expected"), [
    (lambda run: spoil(run / "risks" / "model.safetensors"), ["weights: risks/model.safetensors"]),
    (lambda run: (run / "names" / "tokenizer.json").unlink(), ["weights: names/tokenizer.json: missing"]),
    (lambda run: (run / "names" / "special_tokens_map.json").write_text('{"cls_token": "paid"}'), ["weights: names/special_tokens_map.json: new"]),
    (lambda run: (run / "names" / "added_tokens.json").write_text('{"ard": 5}'), ["weights: names/added_tokens.json: new"]),
    (lambda run: change_yaml(run / "run.yaml", learning_rate=0.5), ["settings: run.yaml"]),
    (lambda run: change_yaml(run / "run.yaml", label_budget=20), ["settings: run.yaml", "splits: train", "splits: pool"]),
    (lambda run: change_yaml(run / "task.yaml", description="Another."), ["settings: task.yaml"]),
    (lambda run: relabel(run.parent / "data" / "dev.jsonl"), ["data: dev.jsonl", "splits: dev"]),
    (lambda run: (run.parent / "data" / "pool.jsonl").unlink(), ["data: pool.jsonl: missing"]),
    (lambda run: relabel(run.parent / "data" / "test.jsonl"), ["data: test.jsonl", "splits: test"]),
    (lambda run: change_audit(run, "environment", "torch"), [f"environment: torch: 0.0.1 then, {version('torch')} now"]),
    (lambda run: change_audit(run, "code", "modules"), ["code: modules: 0.0.1 then"]),
])  # fmt: skip
def test_difference_is_named(run_copy, change, expected):
    change(run_copy)
    printed = lines(run_copy)
    assert len(printed) == len(expected), printed
    assert all(line.startswith(words) for line, words in zip(printed, expected, strict=True)), printed


def test_packages_sum_changes_with_another_package(tmp_path, monkeypatch):
    before = packages_sum()
    (tmp_path / "more-1.0.dist-info").mkdir()
    (tmp_path / "more-1.0.dist-info" / "METADATA").write_text("Name: more\nVersion: 1.0\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    after = packages_sum()
    assert after[:64] != before[:64]
    assert int(after[66:].split()[0]) == int(before[66:].split()[0]) + 1


def test_differences_are_printed_and_the_exit_code_is_1(run_copy, monkeypatch, capsys):
    spoil(run_copy / "topic" / "model.safetensors")
    shutil.rmtree(run_copy.parent / "data")
    monkeypatch.setattr(sys, "argv", ["electra-ie", "verify", str(run_copy), "--data", str(run_copy.parent / "data")])
    with pytest.raises(SystemExit) as caught:
        main()
    captured = capsys.readouterr()
    assert caught.value.code == 1
    assert captured.out.count("\n") == 1
    assert captured.out.startswith("weights: topic/model.safetensors: ")
    assert "not checked: data and splits" in captured.err
    assert "--data" in captured.err


def test_missing_or_damaged_audit_is_an_error(run_copy):
    for content, message in (
        (b"{}", "lacks parts of an audit"),
        (b"[]", "not the JSON"),
        (b"\xff\xfe", "not the JSON"),
    ):
        (run_copy / "audit.json").write_bytes(content)
        with pytest.raises(UserError, match=message):
            verify(run_copy)
    (run_copy / "audit.json").unlink()
    with pytest.raises(UserError, match="the run has no audit.json"):
        verify(run_copy)


@pytest.mark.slow
@pytest.mark.parametrize("flags", [True, False])
def test_training_again_from_run_yaml_gives_the_same_hashes(task, tmp_path, encoder, flags):
    if not flags:
        tiny.without(task, "risks")
    first = train(
        str(task), tmp_path / "first", **tiny.settings(encoder("bert"), "supervised", max_steps=2), label_budget=30
    ).path
    again = train(str(task), tmp_path / "again", settings=first / "run.yaml").path
    for part in ("weights", "model", "splits"):
        assert audit_of(first)[part] == audit_of(again)[part], part
    assert ("pool.jsonl" in audit_of(first)["data"]) is flags, "only the thresholds of flags need unlabeled text"


@pytest.mark.slow
def test_overlap_of_test_and_train_is_a_warning(task, tmp_path, encoder, capsys):
    train_records = [json.loads(line) for line in (task.parent / "train.jsonl").read_text("utf-8").splitlines()]
    test_records = [json.loads(line) for line in (task.parent / "test.jsonl").read_text("utf-8").splitlines()]
    copied = {**train_records[3], "id": "copied", "text": train_records[3]["text"].replace(" ", "  "), "names": []}
    tiny.write_records(task.parent / "test.jsonl", [*test_records, copied])
    run = train(str(task), tmp_path / "run", **tiny.settings(encoder("bert"), "supervised", max_steps=60)).path
    warnings = [line for line in capsys.readouterr().err.splitlines() if "warning: " in line]
    assert warnings == [
        "warning: 1 of 21 documents of test are also in train (1 exactly, 0 nearly): scores on test are too high. "
        "See audit.json."
    ]
    pairs = audit_of(run)["overlap"]["pairs"]
    pair = next(pair for pair in pairs if (pair["of"], pair["in"]) == ("test", "train"))
    assert pair["examples"] == [["copied", "r3"]]


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return its output."""
    identity = ["-c", "user.name=tests", "-c", "user.email=tests@example.org", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout.strip()


def test_revision_is_that_of_the_checkout_itself(tmp_path, monkeypatch):
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
