"""End-to-end tests on a tiny encoder: train, evaluate, extract, in Python and by the command line."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import processes
import pytest
import tiny

from electra_ie import Extractor, UserError, evaluate, extract, train
from electra_ie.cli.app import main
from electra_ie.inference.jobs import chunks

BAD = b"\xff\xfe\x00 not UTF-8 \x80"


@pytest.fixture
def texts(tmp_path) -> Path:
    """Return a folder with two text files, one of many windows with CR LF line ends, and a file of two JSON lines."""
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
    """Check that all records are complete and that offsets and text of findings agree."""
    assert [Path(record["file"]).name for record in records] == ["a.txt", "b.txt", "c.jsonl", "c.jsonl"]
    sources = [(folder / name).read_bytes().decode("utf-8") for name in ("a.txt", "b.txt")]
    sources += [json.loads(line)["text"] for line in (folder / "c.jsonl").read_text("utf-8").splitlines()]
    for record, text in zip(records, sources, strict=True):
        assert list(record) == ["id", "file", "characters", "windows", "model", "version", "findings"]
        assert record["characters"] == len(text)
        for finding in record["findings"]:
            key = "text" if finding["field"] == "names" else "window"
            assert list(finding) == ["field", "label", "start", "end", key, "score"]
            assert finding.get("text") in (None, text[finding["start"] : finding["end"]])
            assert finding["label"] in tiny.LABELS[finding["field"]]
            assert 0 < finding["score"] <= 1
        assert [finding["field"] for finding in record["findings"]].count("topic") == (1 if text else 0)
    assert [records[index]["windows"] for index in (0, 3)] == [1, 1]
    assert records[1]["windows"] > 5


FLAG_CUES = {"late": "later later later later", "cash": "green green green green"}


def add_cues(task: Path) -> None:
    """Append cue words of class and flags to each text, so that 30 labels are enough to learn them."""
    for name in ("train", "dev", "test"):
        records = read(task.parent / f"{name}.jsonl")
        for record in records:
            cues = [tiny.CUES[record["topic"]]] * 3 + [FLAG_CUES[flag] for flag in record["risks"]]
            record["text"] += "".join(f" {cue}" for cue in cues)
        tiny.write_records(task.parent / f"{name}.jsonl", records)


@pytest.mark.parametrize(
    ("preset", "pooling"),
    [
        ("supervised", "mean"),
        pytest.param("latent", "stock", marks=pytest.mark.slow),
        pytest.param("adversarial", "mean", marks=pytest.mark.slow),
        pytest.param("self_training", "mean", marks=pytest.mark.slow),  # the command line below trains it
    ],
)
def test_train_evaluate_extract(task, tmp_path, texts, encoder, preset, pooling):
    add_cues(task)
    settings = tiny.settings(encoder("bert"), preset, max_steps=140, pooling=pooling, seed=1)
    run = train(str(task), tmp_path / "run", **settings, label_budget=30).path
    scores = evaluate(run, file=tmp_path / "scores.json")
    metrics = {name: field_scores.metrics for name, field_scores in scores.fields.items()}
    documents = {name: field_metrics["documents"] for name, field_metrics in metrics.items()}
    assert documents == {"topic": 20, "risks": 20, "names": 20}
    assert scores["names"].value > 0.5 and metrics["names"]["support"] == 40, "names and amounts were not learned"
    assert scores["topic"].value > 0.8, "the most common class alone gives 0.45"
    assert scores["risks"].value > 0.7, "both flags for every text give 0.6"
    assert [field_scores.metric for field_scores in scores.fields.values()] == ["accuracy", "macro_f1", "f1"]
    assert json.loads((tmp_path / "scores.json").read_text("utf-8"))["scores"] == metrics
    saved = json.loads((run / "scores.json").read_text("utf-8"))
    assert saved["test"] == metrics
    assert set(saved) == {"training", "dev", "test"}
    assert saved["training"]["labeled"]["documents"] == 30
    assert saved["training"]["unlabeled"]["documents"] == 40
    assert all((run / f"test_{name}.png").is_file() for name in ("topic", "risks", "names"))

    counts = extract(run, texts, tmp_path / "findings.jsonl", tmp_path / "page.html")
    records = read(tmp_path / "findings.jsonl")
    check(records, texts)
    assert counts["documents"] == 4
    for name in ("characters", "windows"):
        assert counts[name] == sum(record[name] for record in records)
    assert counts["findings"] == sum(len(record["findings"]) for record in records) > 20
    names = [finding for finding in records[1]["findings"] if finding["field"] == "names"]
    fifths = [int(5 * finding["start"] / records[1]["characters"]) for finding in names]
    assert len(fifths) >= 8 and set(fifths) == set(range(5)), "a part of the long text has no findings"
    assert "Arden" in (tmp_path / "page.html").read_text("utf-8")

    text = "invoice goods Arden paid 5.975,74 later than monday."
    findings = Extractor.from_pretrained(run)(text)
    assert [(finding.start, finding.end, finding.label) for finding in findings] == [
        (finding["start"], finding["end"], finding["label"]) for finding in records[0]["findings"]
    ]


def test_unreadable_file_leaves_no_output(run, texts, tmp_path, monkeypatch):
    monkeypatch.setattr(chunks, "CHARACTERS", 1)  # so that findings are written before the bad file is read
    (texts / "bb.txt").write_bytes(BAD)
    output, page = tmp_path / "findings.jsonl", tmp_path / "page.html"
    with pytest.raises(UserError, match="bb.txt"):
        extract(run, [texts], output, page, strict=True)
    assert not [path.name for path in tmp_path.iterdir() if path.name != "texts"]
    output.write_text("from before", encoding="utf-8")
    with pytest.raises(UserError):
        extract(run, [texts], output, page, strict=True)
    assert output.read_text("utf-8") == "from before", "an older output was changed"
    with pytest.raises(UserError, match="folder of the output does not exist"):
        extract(run, [texts / "a.txt"], tmp_path / "none" / "findings.jsonl")


def test_findings_are_written_while_documents_are_read(run, texts, monkeypatch):
    monkeypatch.setattr(chunks, "CHARACTERS", 1)
    stream = io.StringIO()
    (texts / "bb.txt").write_bytes(BAD)
    with pytest.raises(UserError):
        extract(run, [texts], stream, strict=True)
    assert len(stream.getvalue().splitlines()) >= 1


def test_train_writes_nothing_if_the_input_is_wrong(task, tmp_path, encoder):
    good = tiny.settings(encoder("bert"))
    wrong = [
        {"encoder": str(tmp_path / "none")}, {"encoder": "no-such-encoder"}, {"overrides": ["generator.charms=1"]},
        {"label_budget": 99}, {"window": 4000}, {"unlabeled": (str(tmp_path / "none.txt"),)}, {"preset": "plain"},
    ]  # fmt: skip
    for settings in wrong:
        with pytest.raises(UserError):
            train(str(task), tmp_path / "run", **{**good, **settings})
        assert not (tmp_path / "run").exists(), settings
    (task.parent / "dev.jsonl").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match='"dev" is empty'):
        train(str(task), tmp_path / "run", **good)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_documents_with_different_fields_are_trained_together(task, tmp_path, encoder):
    """Half of the records have the class only, the others the names only, so that some batches lack a field."""
    records = [json.loads(line) for line in (task.parent / "train.jsonl").read_text("utf-8").splitlines()]
    for index, record in enumerate(records):
        for name in ("names", "risks") if index % 2 else ("topic", "risks"):
            record[name] = None
    records[0]["risks"] = ["late"]
    tiny.write_records(task.parent / "train.jsonl", records)
    for preset in ("latent", "adversarial"):  # whose teacher is supervised
        settings = tiny.settings(encoder("bert"), preset, batch_size=2, max_steps=4)
        run = train(str(task), tmp_path / preset, **settings).path
        assert evaluate(run)["names"].metrics["support"] == 40


def test_without_dev_the_last_weights_are_saved(task, tmp_path, encoder):
    task.write_text(task.read_text("utf-8").replace("dev: dev.jsonl, ", ""), encoding="utf-8")
    run = train(str(task), tmp_path / "run", **tiny.settings(encoder("bert"), "supervised", max_steps=4)).path
    saved = json.loads((run / "scores.json").read_text("utf-8"))
    assert set(saved) == {"training"}
    assert saved["training"]["best_step"] is None
    assert (run / "names" / "model.safetensors").is_file()
    assert not (run / "checkpoint").exists()


def test_error_is_one_line_with_exit_code_2(monkeypatch, capsys, tmp_path):
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
for line in sys.argv[1].splitlines():
    sys.argv = ["electra-ie", *line.split("|")]
    try:
        main()
    except SystemExit as end:
        codes.append(end.code or 0)
print("codes", *codes)
"""


@pytest.mark.slow
def test_command_line_trains_evaluates_and_extracts(task, tmp_path, texts, encoder):
    """In another process, without the fixtures of the tests."""
    settings = tiny.settings(encoder("bert"), "self_training")
    overrides = []
    for name, value in settings.items():
        for part, part_value in value.items() if isinstance(value, dict) else [("", value)]:
            overrides += ["--set", f"{name}{'.' * bool(part)}{part}={part_value}"]
    more = tmp_path / "more.txt"
    more.write_text("a text for the pool", encoding="utf-8")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.txt").write_bytes(b"fine")
    (tmp_path / "bad" / "b.txt").write_bytes(BAD)
    run = str(tmp_path / "run")
    lines = [
        [
            "train",
            str(task),
            "--output",
            run,
            "--label-budget",
            "30",
            "--seed",
            "1",
            "--unlabeled",
            str(more),
            *overrides,
        ],
        ["evaluate", run, "--json", str(tmp_path / "scores.json")],
        ["extract", run, str(texts), "-o", str(tmp_path / "findings.jsonl"), "--html", str(tmp_path / "page.html")],
        ["extract", run, str(texts / "a.txt")],
        ["extract", run, str(tmp_path / "bad"), "-o", str(tmp_path / "partial.jsonl")],
        ["extract", run, str(tmp_path / "bad"), "-o", str(tmp_path / "none.jsonl"), "--strict"],
    ]
    ended = processes.run(["-c", COMMANDS, "\n".join("|".join(line) for line in lines)], whole=True)
    assert ended.output.splitlines()[-1:] == ["codes 0 0 0 0 3 2"], ended.messages
    records = read(tmp_path / "findings.jsonl")
    check(records, texts)
    printed = next(json.loads(line) for line in ended.output.splitlines() if line.startswith("{"))
    assert printed["findings"] == records[0]["findings"], "standard output differs from the file"
    assert ended.messages.splitlines()[-1].startswith("error: ")
    assert "b.txt" in ended.messages.splitlines()[-1]
    assert [record["id"] for record in read(tmp_path / "partial.jsonl")] == ["a.txt"]
    assert not (tmp_path / "none.jsonl").exists()
    assert "Traceback" not in ended.messages
    assert json.loads((tmp_path / "scores.json").read_text("utf-8"))["scores"]["names"]["support"] == 40
    summary = json.loads((tmp_path / "run" / "scores.json").read_text("utf-8"))["training"]
    assert (summary["labeled"]["documents"], summary["unlabeled"]["documents"]) == (30, 41)
