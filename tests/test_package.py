"""The wheel: built from the sdist, installed alone, it runs in an empty directory with its tasks and cards inside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from electra_ie.runs.code import code_now

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]


def call(*command: str, where: Path, **more: str) -> str:
    """What a command prints, run in a folder."""
    environment = {**os.environ, **more}
    done = subprocess.run(
        command, cwd=where, env=environment, check=False, capture_output=True, encoding="utf-8", timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel that a packager makes of the sdist, without a network."""
    folder = tmp_path_factory.mktemp("package")
    call(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(folder), where=ROOT)
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as packed:
        packed.extractall(folder, filter="data")
    source = folder / sdist.name.removesuffix(".tar.gz")
    call(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), where=source)
    (made,) = folder.glob("*.whl")
    return made


def test_the_wheel_contains_tasks_cards_and_types(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    folders = [ROOT / name for name in ("electra_ie", "tasks", "data_cards")]
    files = [file.relative_to(ROOT).as_posix() for folder in folders for file in folder.rglob("*") if file.is_file()]
    wanted = {name if name.startswith("electra_ie/") else f"electra_ie/{name}" for name in files if ".pyc" not in name}
    assert "electra_ie/py.typed" in names
    ours = {name for name in names if not name.startswith("electra_ie-")}
    assert ours == wanted, sorted(ours ^ wanted)[:5]


def test_the_wheel_runs_in_an_empty_folder(wheel, tmp_path, encoder):
    """`electra-ie tasks`, and two steps of training on a shipped task."""
    target, empty = tmp_path / "installed", tmp_path / "empty"
    empty.mkdir()
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile")
    call(*pip, "--target", str(target), str(wheel), where=empty)
    script = (
        "import sys, electra_ie; from electra_ie.cli.app import main\n"
        f"assert electra_ie.__file__.startswith({str(target)!r}), electra_ie.__file__\n"
        "for line in sys.argv[1:]:\n"
        "    sys.argv = ['electra-ie', *line.split('|')]\n"
        "    try: main()\n"
        "    except SystemExit as end: assert not end.code, line\n"
    )
    tiny = "max_steps=2 num_evaluations=1 max_dev_documents=5 window=64".split()
    train = ["train", "transaction_risk", "--output", "run", "--encoder", encoder("bert"), "--label-budget", "8"]
    train += [part for each in tiny for part in ("--set", each)]
    lines = ["tasks", "|".join(train), "extract|run|-|-o|out.jsonl"]
    environment = {"PYTHONPATH": str(target), "COLUMNS": "200"}
    with (tmp_path / "text").open("w+") as text:
        text.write("ACME Ltd paid EUR 9,800")
        text.seek(0)
        done = subprocess.run([sys.executable, "-c", script, *lines], cwd=empty, env={**os.environ, **environment},
                              stdin=text, check=False, capture_output=True, encoding="utf-8", timeout=300)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "transaction_risk" in done.stdout
    assert "bc5cdr" in done.stdout
    assert json.loads((empty / "out.jsonl").read_text("utf-8"))["characters"] == 23
    assert (empty / "run" / "README.md").is_file()
    audit = json.loads((empty / "run" / "audit.json").read_text("utf-8"))
    assert audit["code"] == code_now(), "a checkout and its wheel are the same code"
    assert (target / "bin" / "electra-ie").is_file() or (target / "Scripts").is_dir()


def test_an_exported_model_runs_where_torch_is_not_installed(wheel, run, tmp_path):
    """requirements-onnx.txt and the wheel alone, in a clean environment: `electra-ie extract` finds the same."""
    pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
    from electra_ie import Extractor
    from electra_ie.export.exporter import export_run

    model = export_run(run, tmp_path / "model").path
    venv.create(tmp_path / "clean", with_pip=False)
    python = tmp_path / "clean" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    pip = (sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet")
    packages = (
        *pip,
        "--constraint",
        str(ROOT / "constraints.txt"),
        "--requirement",
        str(ROOT / "requirements-onnx.txt"),
    )
    installed = subprocess.run(packages, cwd=tmp_path, check=False, capture_output=True, encoding="utf-8")
    if installed.returncode:
        pytest.skip(f"the packages cannot be downloaded: {installed.stderr[-200:]}")
    call(*pip, "--no-deps", "--no-index", str(wheel), where=tmp_path)
    (tmp_path / "memo.txt").write_text("invoice goods Arden paid 5.975,74 later than monday.", encoding="utf-8")
    command = [str(python), "-m", "electra_ie", "extract", str(model), "memo.txt"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, check=False, capture_output=True, encoding="utf-8", timeout=300
    )
    assert done.returncode == 0, done.stderr
    found = Extractor.from_pretrained(run)((tmp_path / "memo.txt").read_text("utf-8"))
    assert [(each["label"], each["start"], each["end"]) for each in json.loads(done.stdout)["findings"]] == [
        (each.label, each.start, each.end) for each in found
    ]
    refused = subprocess.run(
        [*command[:4], str(run), "memo.txt"], cwd=tmp_path, env=environment, check=False, capture_output=True,
        encoding="utf-8", timeout=300,
    )  # fmt: skip
    assert refused.returncode == 2
    assert "a run needs torch, which is not installed" in refused.stderr
