"""An exported model finds what its run finds, alone and in any company, and is left out if it does not."""

from __future__ import annotations

import json
import random
import sys
from subprocess import run as call

import pytest
import tiny
from typer.testing import CliRunner

from electra_ie import Document, Extractor, UserError, extract
from electra_ie.cli.app import app
from electra_ie.common.hashing import of_file
from electra_ie.export import exporter
from electra_ie.export.exporter import export_run
from electra_ie.inference.engine import exported as module
from electra_ie.inference.engine import reader as reading
from electra_ie.inference.engine import sections as cutting
from electra_ie.inference.engine.exported import ExportedExtractor
from electra_ie.inference.loading import load_extractor

pytest.importorskip("onnxscript", reason="the extra onnx is not installed")


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
    return export_run(run, tmp_path_factory.mktemp("exported") / "model").path


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
                monkeypatch.setattr(reading, "CHARACTERS_AT_ONCE", characters)
                mixed = draw.sample(documents, len(documents))
                assert records(reader.reader(overlapped), mixed) == expected[reader]
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
    assert audit["run"] == {"model": Extractor.from_pretrained(run).model, "audit": of_file(run / "audit.json")}
    assert audit["weights"]["model.onnx"] == of_file(folder / "model.onnx")
    assert audit["comparison"]["texts"] == 30
    assert audit["comparison"]["largest"] < 1e-4
    assert audit["model"].startswith(load_extractor(folder).model)
    assert {path.name for path in folder.iterdir()} == {
        "model.onnx", "tokenizer.json", "export.json", "task.yaml", "audit.json",
    }  # fmt: skip


@pytest.mark.slow
def test_eight_bits_say_what_they_lose(run, tmp_path):
    done = CliRunner().invoke(app, ["export", str(run), "--bits", "8", "--output", str(tmp_path / "small")])
    assert done.exit_code == 0, done.output
    audit = json.loads((tmp_path / "small" / "audit.json").read_text("utf-8"))
    assert set(audit["f1_lost"]["names"]) == {"person", "amount"}
    assert audit["comparison"]["other_alone"] == 0
    (tmp_path / "memo.txt").write_text("invoice goods Arden paid 5.975,74.", encoding="utf-8")
    counts = extract(tmp_path / "small", [tmp_path / "memo.txt"], tmp_path / "out.jsonl")
    assert counts["documents"] == 1
    model = json.loads((tmp_path / "out.jsonl").read_text("utf-8"))["model"]
    assert audit["model"].startswith(model)


def test_an_export_that_differs_is_not_kept(run, tmp_path, monkeypatch):
    monkeypatch.setattr(exporter, "TOLERANCE", 0.0)
    with pytest.raises(UserError, match="the exported model is not equal to the run: logits differ by up to"):
        export_run(run, tmp_path / "model")
    assert not list(tmp_path.iterdir())


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
        ("export.json", b'{"format": 99}', "exported by another version of electra_ie .format 99, not 1"),
    ):
        good = (broken / name).read_bytes()
        (broken / name).write_bytes(content)
        with pytest.raises(UserError, match=message):
            load_extractor(broken)
        (broken / name).write_bytes(good)
    (broken / "model.onnx").unlink()
    with pytest.raises(UserError, match="the exported model has no model.onnx"):
        load_extractor(broken)


def test_an_exported_model_runs_without_torch_and_transformers(folder, tmp_path):
    """`electra-ie extract` in a process that cannot import the packages of training."""
    (tmp_path / "memo.txt").write_text("invoice goods Arden paid 5.975,74 later than monday.", encoding="utf-8")
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
    assert module.MODEL == "model.onnx"
