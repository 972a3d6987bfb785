"""The public names exist and have types.

mypy reads this file (`make lint`) and fails for a name of type Any; the tests compare each call in `uses` with the
signature at run time.
"""

from __future__ import annotations

import ast
import inspect
from importlib.metadata import version
from pathlib import Path
from typing import assert_type

import pytest
from command_line import command

import electra_ie
from electra_ie import (
    CalibrationResult,
    CheckReport,
    Choice,
    Conversion,
    Document,
    DriftResult,
    ExportedExtractor,
    Extractor,
    FieldScores,
    Finding,
    Findings,
    Initialized,
    PretrainSettings,
    RunMeasurement,
    RunScores,
    Span,
    SplitScores,
    Suggestions,
    Task,
    TrainResult,
    TrainSettings,
    UserError,
    Value,
)


def uses() -> None:
    """As a user would write it; read by mypy and by the test below, never run."""
    value = electra_ie.value("code", "I10", codes=Path("codes.csv"), locale="de_DE", reference_date="2021-05-03")
    assert_type(value, Value)
    assert_type(value.currency, str | None)
    electra_ie.label("task", run="runs/mine", annotator="ann", host="::1", port=0, seed=1, output=Path("runs"))
    electra_ie.label(Path("task"), encoder="encoders/ours", preset="self_training", overrides=["max_steps=300"])
    encoder = electra_ie.pretrain(["texts/"], "encoders/ours", objective="mlm", max_steps=100, track="tensorboard")
    assert_type(encoder, Path)
    done = electra_ie.init("export.json", Path("task"), format="label_studio", seed=1, dev=0.1, test=0.1)
    assert_type(done, Initialized)
    assert_type(done.task, Task)
    outcome = electra_ie.convert(
        "corpus/", "records.jsonl", source_format="brat", target_options={"text": "memo"}, check=True
    )
    assert_type(outcome, Conversion)
    assert_type(outcome.losses["relations"], int)
    report = electra_ie.check("task", unlabeled="texts/", html="report.html", encoder="encoders/ours")
    assert_type(report, CheckReport)
    assert_type(report.passed, bool)
    electra_ie.check([{"text": "ACME paid", "risk": ["late"]}], fields={"risk": {"kind": "flags"}}, show_text=True)
    result = electra_ie.train(
        "task", Path("runs/mine"), label_budget=100, preset="self_training", overrides=["max_steps=300"]
    )
    assert_type(result, TrainResult)
    run = result.path
    assert_type(run, Path)
    assert_type(result.extractor(), Extractor)
    assert_type(result.scores, RunScores)
    assert_type(result.scores["dev"].mean, float | None)
    assert_type(result.scores["dev"]["topic"].interval, tuple[float, float] | None)
    records = [{"text": "ACME paid", "risk": ["late"]}]
    fields = {"risk": {"kind": "flags"}}
    electra_ie.train({"train": records, "dev": records}, fields=fields, unlabeled=["a text", "another text"])
    electra_ie.train(Task.load("task"), unlabeled=Path("pool"), preset="self_training")
    assert_type(electra_ie.compare("task", "runs/compared", label_budgets=[50, 100], seeds=3), Path)
    student = electra_ie.distill(run, "runs/small", layers=3, unlabeled="pool", overrides=["max_steps=300"])
    assert_type(student, TrainResult)
    electra_ie.distill(run, to="static", vectors="fasttext", unlabeled=[Path("pool")], data="elsewhere", resume=True)
    measured = electra_ie.compare_runs([run, student.path], "dev", data="elsewhere", file="table.json")
    assert_type(measured, list[RunMeasurement])
    assert_type(measured[0].score, float | None)
    scores = electra_ie.evaluate(run, "dev", data="elsewhere")
    assert_type(scores, SplitScores)
    assert_type(scores["topic"], FieldScores)
    assert_type(scores["topic"].value, float | None)
    assert_type(electra_ie.evaluate(run, data=records), SplitScores)
    counts = electra_ie.extract(run, ["inbox/"], "findings.jsonl", html="page.html", text="memo", id="n", strict=True)
    assert_type(counts["documents"], int)
    assert_type(counts.faults, list[UserError])
    electra_ie.serve(run, port=0, allow_hosts=["extract.example"], queue=64, timeout=10, started=print)
    suggested = electra_ie.suggest("task", run=run, count=10, seed=1, encoder="encoders/ours")
    assert_type(suggested, Suggestions)
    assert_type(suggested.choices, list[Choice])
    options = ["config=labels.xml"]
    all_texts = electra_ie.suggest(run, "inbox/", "tasks.json", count=0, format="label_studio", options=options)
    assert_type(all_texts.conversion, Conversion | None)
    goals = electra_ie.calibrate(run, ["precision=0.95:AMOUNT"], confidence=0.9, reviewed="queue.jsonl")
    assert_type(goals, CalibrationResult)
    assert_type(goals.met, bool)
    electra_ie.extract(run, "inbox/", "findings.jsonl", review="queue.json", review_format="label_studio")
    drifted = electra_ie.drift(run, "new/", text="memo", id="n")
    assert_type(drifted, DriftResult)
    assert_type(drifted.documents, int)
    extractor = Extractor.from_pretrained(run)
    assert_type(extractor, Extractor)
    found = extractor("ACME Ltd paid EUR 9,800")
    assert_type(found, Findings)
    assert_type(extractor(["one text", "another"]), list[Findings])
    extractor.save_pretrained("saved")
    assert_type(extractor.push_to_hub("ORG/NAME", private=True, revision="draft", token="secret"), str)
    exported = ExportedExtractor.from_pretrained("models/mine", revision="draft", token="secret", local_files_only=True)
    assert_type(exported, ExportedExtractor)
    assert_type(exported("ACME Ltd paid EUR 9,800"), Findings)
    assert_type(found[0].text, str | None)
    assert_type(found[0].window, int | None)
    assert_type(found[0].score, float)
    for reading in extractor.read([Document("1", "text")]):
        assert_type(reading.document, Document)
        assert_type(reading.findings, list[Finding])
    assert_type(Task.load("task").read("train"), list[Document])
    assert_type(TrainSettings.build(None, ("steps=3",)).max_steps, int | None)
    assert_type(PretrainSettings().seed, int)
    assert_type(Span(0, 1, "x").label, str)
    assert_type(UserError("wrong", file="x", line=1).line, int | None)


def test_what_users_write_fits_the_signatures() -> None:
    """Every call of `uses` to a public name has the arguments that it takes, and those called by name are typed."""
    seen = set()
    for call in ast.walk(ast.parse(inspect.getsource(uses))):
        name = ast.unparse(call.func) if isinstance(call, ast.Call) else ""
        public = name.partition(".")[0] in {"electra_ie", *electra_ie.__all__} and "(" not in name
        if not isinstance(call, ast.Call) or not public:
            continue
        called = eval(name)
        signature = inspect.signature(called)
        keywords = {each.arg: each.value for each in call.keywords if each.arg}
        signature.bind(*call.args, **keywords)
        assert isinstance(called, type) or signature.return_annotation not in (inspect.Signature.empty, "Any"), name
        seen.add(name.removeprefix("electra_ie."))
    assert {
        "init",
        "convert",
        "check",
        "suggest",
        "train",
        "pretrain",
        "compare",
        "evaluate",
        "extract",
        "value",
        "Extractor.from_pretrained",
        "ExportedExtractor.from_pretrained",
        "Task.load",
        "TrainSettings.build",
    } <= seen


def test_the_command_line_says_its_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"electra-ie {version('electra_ie')}\n"


def test_every_public_name_is_there_and_typed() -> None:
    source = Path(electra_ie.__file__).read_text("utf-8")
    for name in electra_ie.__all__:
        assert getattr(electra_ie, name).__name__ == name
        assert f" import {name} as {name}\n" in source, f"{name} is not declared for type checkers"
    assert sorted(electra_ie.__all__) == sorted(electra_ie._HOMES)
    assert (Path(electra_ie.__file__).parent / "py.typed").is_file()
    assert electra_ie.__version__ == version("electra_ie")
    with pytest.raises(AttributeError, match="no attribute 'missing'"):
        electra_ie.missing  # noqa: B018
