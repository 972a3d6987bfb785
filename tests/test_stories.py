"""The whole path on a tiny encoder: train, evaluate, extract; by the functions, and by the command line."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import tiny

from electra_ie import Extractor, UserError, evaluate, extract, train
from electra_ie.cli.app import main
from electra_ie.inference import extractor as extractor_module

BAD = b"\xff\xfe\x00 not UTF-8 \x80"


@pytest.fixture
def texts(tmp_path) -> Path:
    """A folder: two text files, one far longer than a window with line ends of two characters, and two JSON lines."""
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_bytes(b"invoice goods Arden paid 5.975,74 later than monday.")
    line = "Caf\u00e9 \U0001f469\u200d\U0001f467 Brisk paid 3.100,25 to the bank.\r\n"
    (folder / "b.txt").write_bytes(line.encode() * 20)
    tiny.write_records(folder / "c.jsonl", [{"id": "one", "text": "river winter Corvo paid 1.234,56"}, {"text": ""}])
    return folder


def read(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def check(records, folder: Path, window: int = 48):
    """Each record is whole, and each finding is the passage it says it is."""
    assert [Path(each["file"]).name for each in records] == ["a.txt", "b.txt", "c.jsonl", "c.jsonl"]
    sources = [(folder / name).read_bytes().decode("utf-8") for name in ("a.txt", "b.txt")]
    sources += [json.loads(line)["text"] for line in (folder / "c.jsonl").read_text("utf-8").splitlines()]
    for record, text in zip(records, sources, strict=True):
        assert list(record) == ["id", "file", "characters", "windows", "model", "version", "findings"]
        assert record["characters"] == len(text)
        for finding in record["findings"]:
            own = "text" if finding["field"] == "names" else "window"
            assert list(finding) == ["field", "label", "start", "end", own, "score"]
            assert finding.get("text") in (None, text[finding["start"] : finding["end"]])
            assert finding["label"] in tiny.LABELS[finding["field"]]
            assert 0 < finding["score"] <= 1
        assert [each["field"] for each in record["findings"]].count("topic") == (1 if text else 0)
    assert records[0]["windows"] == records[3]["windows"] == 1
    assert records[1]["windows"] > 5


LOUD = {"late": "later later later later", "cash": "green green green green"}


def make_plain(task: Path) -> None:
    """Say the class and the flags of each text again at its end, so that 30 labels are enough to learn both."""
    for name in ("train", "dev", "test"):
        records = read(task.parent / f"{name}.jsonl")
        for each in records:
            each["text"] += "".join(
                f" {cue}" for cue in [tiny.CUES[each["topic"]]] * 3 + [LOUD[flag] for flag in each["risks"]]
            )
        tiny.write_records(task.parent / f"{name}.jsonl", records)


@pytest.mark.parametrize(("preset", "pooling"), [("supervised", "mean"), ("latent", "stock"), ("adversarial", "mean")])
def test_train_evaluate_extract(task, tmp_path, texts, encoder, preset, pooling):
    make_plain(task)
    settings = tiny.settings(encoder("bert"), preset, max_steps=200, pooling=pooling, seed=1)
    run = train(str(task), tmp_path / "run", **settings, label_budget=30)
    scores = evaluate(run, file=tmp_path / "scores.json")
    assert {name: each["documents"] for name, each in scores.items()} == {"topic": 20, "risks": 20, "names": 20}
    assert scores["names"]["f1"] > 0.5, "names and amounts are easy to learn"
    assert scores["names"]["support"] == 40
    assert scores["topic"]["accuracy"] > 0.8, "the commonest class has 0.45"
    assert scores["risks"]["macro_f1"] > 0.7, "to give both flags to every text has 0.6"
    assert json.loads((tmp_path / "scores.json").read_text("utf-8"))["scores"] == scores
    saved = json.loads((run / "scores.json").read_text("utf-8"))
    assert saved["test"] == scores
    assert set(saved) == {"training", "dev", "test"}
    assert saved["training"]["labelled"]["documents"] == 30
    assert saved["training"]["unlabelled"]["documents"] == (0 if preset == "supervised" else 40)
    assert all((run / f"test_{name}.png").is_file() for name in ("topic", "risks", "names"))

    counts = extract(run, [texts], tmp_path / "findings.jsonl", tmp_path / "page.html")
    records = read(tmp_path / "findings.jsonl")
    check(records, texts)
    assert counts["documents"] == 4
    for name in ("characters", "windows"):
        assert counts[name] == sum(each[name] for each in records)
    assert counts["findings"] == sum(len(each["findings"]) for each in records) > 20
    places = [each["start"] / records[1]["characters"] for each in records[1]["findings"] if each["field"] == "names"]
    assert len(places) >= 8
    assert {int(5 * place) for place in places} == set(range(5)), "found all along the long text"
    assert "Arden" in (tmp_path / "page.html").read_text("utf-8")

    text = "invoice goods Arden paid 5.975,74 later than monday."
    found = Extractor.load(str(run))(text)
    assert [(each.start, each.end, each.label) for each in found] == [
        (each["start"], each["end"], each["label"]) for each in records[0]["findings"]
    ]


def test_a_file_that_cannot_be_read_leaves_nothing_behind(run, texts, tmp_path, monkeypatch):
    monkeypatch.setattr(extractor_module, "WINDOWS_AT_ONCE", 1)  # so that something was written when it is met
    (texts / "bb.txt").write_bytes(BAD)
    output, page = tmp_path / "findings.jsonl", tmp_path / "page.html"
    with pytest.raises(UserError, match="bb.txt"):
        extract(run, [texts], output, page, strict=True)
    assert not [path.name for path in tmp_path.iterdir() if path.name != "texts"]
    output.write_text("from before", encoding="utf-8")
    with pytest.raises(UserError):
        extract(run, [texts], output, page, strict=True)
    assert output.read_text("utf-8") == "from before", "an older file stays as it was"
    with pytest.raises(UserError, match="folder of the output does not exist"):
        extract(run, [texts / "a.txt"], tmp_path / "none" / "findings.jsonl")


def test_findings_are_written_as_they_come(run, texts, monkeypatch):
    """Documents are read one after another, not all before the first is judged."""
    monkeypatch.setattr(extractor_module, "WINDOWS_AT_ONCE", 1)
    stream = io.StringIO()
    (texts / "bb.txt").write_bytes(BAD)
    with pytest.raises(UserError):
        extract(run, [texts], stream, strict=True)
    assert len(stream.getvalue().splitlines()) >= 1


def test_train_writes_nothing_when_the_input_is_wrong(task, tmp_path, encoder):
    good = tiny.settings(encoder("bert"))
    wrong = [
        {"encoder": str(tmp_path / "none")}, {"encoder": "no-such-encoder"}, {"overrides": ["generator.charms=1"]},
        {"label_budget": 99}, {"window": 4000}, {"unlabeled": (str(tmp_path / "none.txt"),)}, {"preset": "plain"},
    ]  # fmt: skip
    for each in wrong:
        with pytest.raises(UserError):
            train(str(task), tmp_path / "run", **{**good, **each})
        assert not (tmp_path / "run").exists(), each
    (task.parent / "dev.jsonl").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match='"dev" is empty'):
        train(str(task), tmp_path / "run", **good)
    assert not (tmp_path / "run").exists()


def test_fields_that_only_some_documents_have_are_trained_together(task, tmp_path, encoder):
    """Half of the records know the class only, the others the names only: some batches lack a field altogether."""
    records = [json.loads(line) for line in (task.parent / "train.jsonl").read_text("utf-8").splitlines()]
    for number, record in enumerate(records):
        for name in ("names", "risks") if number % 2 else ("topic", "risks"):
            record[name] = None
    records[0]["risks"] = ["late"]
    tiny.write_records(task.parent / "train.jsonl", records)
    for preset in ("supervised", "latent", "adversarial"):
        run = train(str(task), tmp_path / preset, **tiny.settings(encoder("bert"), preset, batch_size=2))
        assert evaluate(run)["names"]["support"] == 40


def test_without_dev_the_last_weights_are_saved(task, tmp_path, encoder):
    task.write_text(task.read_text("utf-8").replace("dev: dev.jsonl, ", ""), encoding="utf-8")
    run = train(str(task), tmp_path / "run", **tiny.settings(encoder("bert"), "supervised"))
    saved = json.loads((run / "scores.json").read_text("utf-8"))
    assert set(saved) == {"training"}
    assert saved["training"]["best_step"] is None
    assert (run / "names" / "model.safetensors").is_file()
    assert not (run / "checkpoint").exists()


def test_an_error_is_one_line_and_exit_code_2(monkeypatch, capsys, tmp_path):
    for arguments, words in (
        (["train", "no_such_task"], 'there is no task "no_such_task"'),
        (["extract", str(tmp_path), "x.txt"], "not the folder of a run"),
        (["evaluate", str(tmp_path)], "not the folder of a run"),
        (["train", "trec_fine", "--set", "stepz=3"], 'unknown setting "stepz"'),
    ):
        monkeypatch.setattr(sys, "argv", ["electra-ie", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        message = capsys.readouterr().err
        assert caught.value.code == 2
        assert message.startswith("error: "), message
        assert words in message, message
        assert message.count("\n") == 1, message


COMMANDS = """
import sys
from electra_ie.cli.app import main
codes = []
for line in sys.stdin.read().splitlines():
    sys.argv = ["electra-ie", *line.split("|")]
    try:
        main()
    except SystemExit as end:
        codes.append(end.code or 0)
print("codes", *codes)
"""


def test_the_story_by_the_command_line(task, tmp_path, texts, encoder):
    """In a Python of its own, where no test has set anything up; one for all commands, since torch loads slowly."""
    settings = tiny.settings(encoder("bert"), "adversarial", max_steps=60)
    chosen = []
    for name, value in settings.items():
        for part, each in value.items() if isinstance(value, dict) else [("", value)]:
            chosen += ["--set", f"{name}{'.' * bool(part)}{part}={each}"]
    more = tmp_path / "more.txt"
    more.write_text("a text for the pool", encoding="utf-8")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.txt").write_bytes(b"fine")
    (tmp_path / "bad" / "b.txt").write_bytes(BAD)
    run = str(tmp_path / "run")
    lines = [
        ["train", str(task), "--output", run, "--label-budget", "30", "--seed", "1", "--unlabeled", str(more), *chosen],
        ["evaluate", run, "--json", str(tmp_path / "scores.json")],
        ["extract", run, str(texts), "-o", str(tmp_path / "findings.jsonl"), "--html", str(tmp_path / "page.html")],
        ["extract", run, str(texts / "a.txt")],
        ["extract", run, str(tmp_path / "bad"), "-o", str(tmp_path / "some.jsonl")],
        ["extract", run, str(tmp_path / "bad"), "-o", str(tmp_path / "none.jsonl"), "--strict"],
    ]
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS], input="\n".join("|".join(line) for line in lines), check=False, capture_output=True,
        encoding="utf-8", cwd=tmp_path, timeout=180,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1:] == ["codes 0 0 0 0 3 2"], done.stderr
    records = read(tmp_path / "findings.jsonl")
    check(records, texts)
    printed = next(json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
    assert printed["findings"] == records[0]["findings"], "standard output has what the file has"
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "b.txt" in done.stderr.splitlines()[-1]
    assert [each["id"] for each in read(tmp_path / "some.jsonl")] == ["a.txt"]
    assert not (tmp_path / "none.jsonl").exists()
    assert "Traceback" not in done.stderr
    assert json.loads((tmp_path / "scores.json").read_text("utf-8"))["scores"]["names"]["support"] == 40
    summary = json.loads((tmp_path / "run" / "scores.json").read_text("utf-8"))["training"]
    assert (summary["labelled"]["documents"], summary["unlabelled"]["documents"]) == (30, 41)
