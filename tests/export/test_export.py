"""An exported model finds what its run finds, alone and in any company, and is left out if it does not."""

from __future__ import annotations

import json
import random
import re
import shutil
import sys
from pathlib import Path
from subprocess import run as call

import pytest
import tiny
import torch
from command_line import command
from huggingface_hub import ModelCard
from typer.testing import CliRunner

import electra_ie
from electra_ie import Document, Extractor, UserError, extract, verify
from electra_ie.cli.app import app
from electra_ie.common.hashing import of_file
from electra_ie.export import comparison, exporter
from electra_ie.export.exporter import export_run
from electra_ie.inference.engine import pipeline
from electra_ie.inference.engine import sections as cutting
from electra_ie.inference.engine.exported import ExportedExtractor
from electra_ie.inference.jobs import chunks
from electra_ie.inference.loading import load_extractor

pytest.importorskip("onnxscript", reason="the extra onnx is not installed")


TEXT = "invoice goods Arden paid 5.975,74 later than monday."


@pytest.fixture
def folder(exported_run):
    return exported_run


def texts():
    """Texts from blank to many windows, in a script that the tokenizer does not know too."""
    draw = random.Random(8)
    long = " ".join(tiny.record(number, draw)["text"] for number in range(40))
    short = [tiny.record(number, draw)["text"] for number in range(20)]
    return [
        Document(str(number), text)
        for number, text in enumerate(["", " \n", "a", "北京 Arden", long, *short, long[:700]])
    ]


def records(extractor, documents):
    """The record of each document as bytes, without the hash of the model, which is another file."""
    found = {}
    for result in extractor.read(documents):
        found[result.document.id] = json.dumps({**result.record(), "model": None})
    return found


@pytest.mark.slow
def test_one_answer_everywhere(run, folder, monkeypatch):
    """Alone, in any batch and order, with a second thread, in torch and exported: the same findings, byte for byte.

    In onnxruntime another sum may round a score to the next fourth decimal; there the score is compared to 1e-4.
    """
    documents = texts()
    extractor, exported = load_extractor(run), load_extractor(folder)
    assert isinstance(extractor, Extractor) and isinstance(exported, ExportedExtractor)
    draw = random.Random(9)
    expected = {}
    for reader in (extractor, exported):
        expected[reader] = {key: value for each in documents for key, value in records(reader, [each]).items()}
        for overlapped in (False, True):
            for characters in (1, 500, 1 << 18):
                monkeypatch.setattr(pipeline, "CHARACTERS_AT_ONCE", characters)
                mixed = draw.sample(documents, len(documents))
                assert records(reader.pipeline(overlapped), mixed) == expected[reader]
    differ = 0
    for id, record in expected[extractor].items():
        one, other = (json.loads(each)["findings"] for each in (record, expected[exported][id]))
        assert [{**each, "score": 0} for each in one] == [{**each, "score": 0} for each in other]
        assert [each["score"] for each in one] == pytest.approx([each["score"] for each in other], abs=1.01e-4)
        differ += one != other
    assert differ <= 1
    assert sum(record.count('"label"') for record in expected[extractor].values()) > 60


def test_a_text_of_several_sections_is_read_whole(run, monkeypatch):
    """Offsets, windows and findings of a text that is read in sections are those of the whole text."""
    extractor = load_extractor(run)
    monkeypatch.setattr(cutting, "LONGEST", 400)
    lines = [record["text"] for record in map(tiny.record, range(60), [random.Random(3)] * 60)]
    text = "\n".join(lines)
    result = next(extractor.read([Document("x", text)]))
    assert len(list(cutting.sections(text))) > 8
    assert "".join(part for _, part in cutting.sections(text)) == text
    for finding in result.findings:
        assert finding.text is None or finding.text == text[finding.start : finding.end]
    names = [finding for finding in result.findings if finding.field == "names"]
    assert {int(5 * finding.start / len(text)) for finding in names} == set(range(5))
    assert [(span.start, span.end) for span in result.answers["names"]] == [(each.start, each.end) for each in names]
    (topic,) = (finding for finding in result.findings if finding.field == "topic")
    assert 1 <= topic.window <= result.windows
    assert 0 <= topic.start < topic.end <= len(text)


def test_the_audit_names_run_and_hashes(run, folder):
    audit = json.loads((folder / "audit.json").read_text("utf-8"))
    of_run = json.loads((run / "audit.json").read_text("utf-8"))
    of_run = {"model": of_run["model"], "weights": of_run["weights"], "audit": of_file(run / "audit.json")}
    assert audit["run"] == of_run
    assert audit["weights"]["model.onnx"] == of_file(folder / "model.onnx")
    assert {name: audit["export"][name] for name in ("format", "opset", "bits")} == {
        "format": "onnx", "opset": 18, "bits": 32,
    }  # fmt: skip
    assert audit["comparison"]["texts"] == 30
    assert audit["comparison"]["largest"] < 1e-4
    assert audit["model"].startswith(load_extractor(folder).model)
    assert {path.name for path in folder.iterdir()} == {
        "model.onnx", "tokenizer.json", "export.json", "task.yaml", "calibration.json", "audit.json", "README.md",
    }  # fmt: skip


def test_the_card_names_run_form_comparison_and_hashes(run, folder):
    card = ModelCard((folder / "README.md").read_text("utf-8"))
    audit = json.loads((folder / "audit.json").read_text("utf-8"))
    assert card.data.library_name == "electra_ie" and "onnx" in card.data.tags
    assert f"from the run with the model `{audit['run']['model'][:16]}`" in card.text
    assert f"Model `{load_extractor(folder).model}`." in card.text
    of_run = (run / "README.md").read_text("utf-8")
    for row in (
        "# three_kinds, latent, exported to ONNX\n",
        "| format | ONNX, operator set 18 |",
        "| weights | 32-bit floating point, as in the run |",
        "| texts on which it was compared with the run | 30 |",
        f"| largest difference of a logit | {audit['comparison']['largest']:.1e} |",
        "| texts with other findings | 0 |",
        "| names | spans: spans of text | person, amount |",
        "electra-ie export RUN --to onnx --output again",
        f"| `model.onnx` | `{of_file(folder / 'model.onnx')}` |",
        f"| `names/model.safetensors` of the run | `{of_file(run / 'names' / 'model.safetensors')}` |",
    ):
        assert row in card.text, row
    trained = next(line for line in of_run.splitlines() if line.startswith("Trained by electra_ie"))
    scores = of_run.partition("## Scores\n")[2].partition("## Comparison")[0]
    assert trained in card.text and scores in card.text, "encoder and scores are those of the card of the run"
    code = next(block for block in re.findall(r"```python\n(.*?)```", card.text, re.DOTALL))
    names: dict[str, object] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        exec(code.replace('"..."', repr(TEXT)), names)  # noqa: S102
    assert names["findings"] == load_extractor(folder)(TEXT)


def test_an_exported_model_names_no_place_of_this_machine(run, folder):
    """The exporter writes the lines of the code, with their paths, into each node of the graph."""
    for file in folder.iterdir():
        content = file.read_bytes()
        for place in (str(run.parent), str(Path(torch.__file__).parent), str(Path(electra_ie.__file__).parent)):
            assert place.encode() not in content, file.name


@pytest.mark.slow
def test_models_without_a_run_are_exported_with_a_short_card(run, tmp_path):
    Extractor.from_pretrained(run).save_pretrained(tmp_path / "saved")
    (tmp_path / "memo.txt").write_text(TEXT, encoding="utf-8")
    folder = export_run(tmp_path / "saved", tmp_path / "model", texts=[tmp_path / "memo.txt"]).path
    card = (folder / "README.md").read_text("utf-8")
    assert "scores of the run are not recorded here" in card and "## Scores" not in card
    assert "| texts on which it was compared with the run | 1 |" in card
    assert json.loads((folder / "audit.json").read_text("utf-8"))["run"]["audit"] is None
    assert verify(folder).same


def test_what_differs_from_the_audit_is_named(folder, tmp_path, monkeypatch, capsys):
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    assert verify(copy).same
    assert "verify the run that was exported, model" in verify(copy).unchecked[0]
    (copy / "tokenizer.json").write_bytes((copy / "tokenizer.json").read_bytes() + b"\n")
    (copy / "task.yaml").unlink()
    assert [(each.part, each.name, each.now is None) for each in verify(copy).differences] == [
        ("weights", "tokenizer.json", False), ("settings", "task.yaml", True),
    ]  # fmt: skip
    shutil.copy(folder / "task.yaml", copy)
    assert command(monkeypatch, "verify", copy) == 1
    assert "weights: tokenizer.json: " in capsys.readouterr().out
    (copy / "audit.json").unlink()
    with pytest.raises(UserError, match="the exported model has no audit.json. Export the run again"):
        verify(copy)


@pytest.mark.slow
def test_eight_bits_say_what_they_lose(run, tmp_path):
    done = CliRunner().invoke(app, ["export", str(run), "--bits", "8", "--output", str(tmp_path / "small")])
    assert done.exit_code == 0, done.output
    audit = json.loads((tmp_path / "small" / "audit.json").read_text("utf-8"))
    assert set(audit["f1_lost"]["names"]) == {"person", "amount"}
    assert audit["comparison"]["other_alone"] == 0
    card = (tmp_path / "small" / "README.md").read_text("utf-8")
    assert "exported to ONNX, 8 bits\n" in card and "MatMulNBits" in card and "--to onnx --bits 8 " in card
    for label, lost in audit["f1_lost"]["names"].items():
        assert f"| names | {label} | {100 * lost:+.1f} |" in card
    (tmp_path / "memo.txt").write_text("invoice goods Arden paid 5.975,74.", encoding="utf-8")
    counts = extract(tmp_path / "small", [tmp_path / "memo.txt"], tmp_path / "out.jsonl")
    assert counts["documents"] == 1
    model = json.loads((tmp_path / "out.jsonl").read_text("utf-8"))["model"]
    assert audit["model"].startswith(model)


def test_an_export_that_differs_is_not_kept(run, folder, tmp_path, monkeypatch):
    # The graph takes long to write.
    monkeypatch.setattr(exporter, "write_graph", lambda _, file: shutil.copy(folder / "model.onnx", file))
    monkeypatch.setattr(comparison, "TOLERANCE", 0.0)
    with pytest.raises(UserError, match="the exported model is not equal to the run: logits differ by up to"):
        export_run(run, tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_logits_of_the_export_alone_that_are_not_finite_are_not_blamed_on_the_weights(run, folder):
    extractor, exported = Extractor.from_pretrained(run), ExportedExtractor.from_pretrained(folder)
    exported.score = lambda groups: [
        {name: values * float("nan") for name, values in each.items()} for each in extractor.score(groups)
    ]
    with pytest.raises(
        UserError, match="the exported model gives logits of the field .* Run it with torch, and report"
    ):
        comparison.compare(extractor, exported, texts()[:2])


def test_what_cannot_be_exported_or_loaded_is_one_error(run, folder, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    for options, message in (
        ({"output": tmp_path / "full"}, "the output exists"),
        ({"output": tmp_path / "new", "bits": 4}, "bits is 4. Give 32 or 8."),
        ({"output": tmp_path / "new", "texts": [tmp_path / "none.txt"]}, "none.txt"),
    ):
        with pytest.raises(UserError, match=message):
            export_run(run, **options)
    broken = tmp_path / "broken"
    broken.mkdir()
    for name in ("model.onnx", "tokenizer.json", "export.json", "task.yaml"):
        (broken / name).write_bytes((folder / name).read_bytes())
    for name, content, message in (
        ("model.onnx", b"no model", "the model cannot be loaded"),
        ("tokenizer.json", b"{}", "the settings or the tokenizer of the exported model are invalid"),
        ("export.json", b'{"format": 99}', "exported by another version of electra_ie .format 99, not 2"),
    ):
        good = (broken / name).read_bytes()
        (broken / name).write_bytes(content)
        with pytest.raises(UserError, match=message):
            load_extractor(broken)
        (broken / name).write_bytes(good)
    (broken / "model.onnx").unlink()
    with pytest.raises(UserError, match="the exported model has no model.onnx"):
        load_extractor(broken)
    with pytest.raises(UserError, match="this is no exported model .no export.json in it"):
        ExportedExtractor.from_pretrained(run)
    with pytest.raises(UserError, match="an exported model, which torch cannot run. Load it with electra_ie.Exported"):
        Extractor.from_pretrained(folder)


def test_an_exported_model_runs_without_torch_and_transformers(folder, tmp_path):
    """`electra-ie extract` in a process that cannot import the packages of training."""
    (tmp_path / "memo.txt").write_text(TEXT, encoding="utf-8")
    script = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(['torch', 'transformers', 'accelerate', 'datasets', 'scipy', 'sklearn']))\n"
        "from electra_ie.cli.app import main\n"
        "sys.argv = ['electra-ie', 'extract', *sys.argv[1:]]\n"
        "main()\n"
    )
    done = call(
        [sys.executable, "-c", script, str(folder), str(tmp_path / "memo.txt")], check=False, capture_output=True,
        encoding="utf-8", timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = load_extractor(folder)((tmp_path / "memo.txt").read_text("utf-8"))
    assert [(each["label"], each["start"]) for each in json.loads(done.stdout)["findings"]] == [
        (each.label, each.start) for each in found
    ]


@pytest.mark.slow
def test_an_exported_model_extracts_on_ray(folder, tmp_path, monkeypatch):
    pytest.importorskip("ray", reason="the extra ray is not installed")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(chunks, "CHARACTERS", 600)
    for document in texts():
        (tmp_path / f"{document.id}.txt").write_text(document.text, encoding="utf-8")
    written = []
    for engine in ("local", "ray"):
        counts = extract(folder, tmp_path / "*.txt", tmp_path / engine, engine=engine)
        assert counts["documents"] == len(texts())
        written.append((tmp_path / engine).read_bytes())
    assert written[0] == written[1]
