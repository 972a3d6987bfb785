"""Jobs of extraction: nothing lost and nothing twice after a kill, manifests, full disks, several processes."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import jobs
import processes
import pytest
from command_line import command
from hypothesis import given
from hypothesis import strategies as st

from electra_ie import Extractor, UserError, extract
from electra_ie.data.document import Document
from electra_ie.inference.jobs import chunks, job
from electra_ie.inference.jobs.journal import FILES, Journal
from electra_ie.inference.jobs.manifest import Manifest
from electra_ie.inference.jobs.workers import in_order
from electra_ie.inference.jobs.workers.processes import _ended as ended_error
from electra_ie.inference.jobs.workers.processes import extract_in_processes
from electra_ie.inference.loading import load_extractor

OUTPUTS = {
    "jsonl": ("findings.jsonl", None),
    "page": ("findings.jsonl", "page.html"),
    "csv": ("findings.csv", None),
    "parquet": ("findings.parquet", None),
}


# Nothing lost, nothing twice


class Snapshots:
    """The states in which a kill can leave a job: copies of its folder before and after each change of a file."""

    def __init__(self, run: Path, folder: Path, output: str, html: str | None) -> None:
        self.run, self.output, self.html = run, output, html
        self.loaded = Extractor.from_pretrained(run)
        self.states: list[Path] = []
        home = folder / "home"
        jobs.put_inbox(home)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(home)
            patch.setattr(chunks, "CHARACTERS", 600)
            patch.setattr(job, "COMMIT_SECONDS", 0.0)
            for owner, name in ((os, "replace"), (Journal, "append"), (Journal, "synced"), (Manifest, "write")):
                patch.setattr(owner, name, self.watched(getattr(owner, name), home, folder))
            extract(run, ["inbox"], output, html)
        self.expected = jobs.files_of(home)

    def watched(self, function: Callable, home: Path, folder: Path) -> Callable:
        def call(*args):
            self.copy(home, folder)
            result = function(*args)
            for file in args[0].files.values() if isinstance(args[0], Journal) else ():
                file.flush()
            self.copy(home, folder)
            return result

        return call

    def copy(self, home: Path, folder: Path) -> None:
        self.states.append(Path(shutil.copytree(home, folder / str(len(self.states)))))


@pytest.fixture(scope="module", params=list(OUTPUTS))
def snapshots(request, untrained, tmp_path_factory) -> Snapshots:
    return Snapshots(untrained, tmp_path_factory.mktemp("snapshots"), *OUTPUTS[request.param])


@given(state=st.floats(0, 1, exclude_max=True), tail=st.binary(max_size=60))
def test_job_killed_in_any_state_goes_on_to_the_same_bytes(snapshots, tmp_path_factory, state, tail):
    """What a kill has left of a write is bytes after those that the manifest counts."""
    home = tmp_path_factory.mktemp("killed") / "home"
    shutil.copytree(snapshots.states[int(state * len(snapshots.states))], home)
    job_folder = home / f".{snapshots.output}.job"
    manifest = job_folder / "manifest.json"
    is_finished = manifest.exists() and json.loads(manifest.read_text("utf-8"))["finished"]
    for name in FILES if job_folder.exists() and not is_finished else ():
        with (job_folder / name).open("ab") as file:
            file.write(tail)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.setattr(chunks, "CHARACTERS", 600)
        patch.setattr(Extractor, "from_pretrained", lambda *_: snapshots.loaded)
        counts = extract(snapshots.run, ["inbox"], snapshots.output, snapshots.html)
    assert jobs.files_of(home) == snapshots.expected
    assert (counts["documents"], counts.failed, len(counts.faults)) == (12, 2, 2)
    shutil.rmtree(home)


@pytest.mark.slow  # test_job_killed_in_any_state has the states of a job one by one, in this process
@pytest.mark.unix("SIGKILL")
def test_process_killed_at_random_moments_goes_on_to_the_same_bytes(untrained, tmp_path, monkeypatch):
    kills = 20
    jobs.put_inbox(tmp_path, documents=30 * kills)
    shutil.copytree(tmp_path / "inbox", tmp_path / "whole" / "inbox")
    monkeypatch.chdir(tmp_path / "whole")
    arguments = ["-c", jobs.SCRIPT, "extract", str(untrained), "inbox", "-o", "findings.jsonl", "--html", "page.html"]
    assert processes.run(arguments).code == 3
    monkeypatch.chdir(tmp_path)
    draw, manifest = random.Random(8), tmp_path / ".findings.jsonl.job" / "manifest.json"
    for _ in range(kills):
        size = manifest.stat().st_size if manifest.exists() else 0
        process = processes.start(arguments, tmp_path / "messages")
        before = json.loads(manifest.read_text("utf-8"))["chunks"] if size else 0
        until = time.monotonic() + processes.SECONDS
        while process.is_alive() and time.monotonic() < until:
            if manifest.exists() and json.loads(manifest.read_text("utf-8"))["chunks"] > before:
                break
            time.sleep(0.001)
        time.sleep(draw.uniform(0, 0.03))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL, (tmp_path / "messages").read_text("utf-8")
        assert not (tmp_path / "findings.jsonl").exists()
    assert processes.run(arguments).code == 3
    written, whole = jobs.files_of(tmp_path), jobs.files_of(tmp_path / "whole")
    assert {name: content for name, content in written.items() if name in whole} == whole
    assert sorted(os.listdir()) == sorted(["inbox", "messages", "whole", *whole])


# The manifest


def test_manifest_says_what_was_read_and_written(untrained, home):
    counts = extract(untrained, ["inbox"], "findings.jsonl", labels=["person", "trade"], min_score=0.3)
    manifest = json.loads(Path("findings.jsonl.manifest.json").read_text("utf-8"))
    model = Extractor.from_pretrained(untrained).model
    assert (manifest["finished"], manifest["model"]) == (True, model)
    assert [row[0] for row in manifest["inputs"]["files"]] == ["inbox/b.txt", "inbox/long.txt", "inbox/memos.jsonl"]
    assert manifest["inputs"]["bytes"] == sum(file.stat().st_size for file in (home / "inbox").iterdir())
    assert (manifest["options"]["labels"], manifest["options"]["min_score"]) == (["person", "trade"], 0.3)
    none = {"to_review": 0, "dropped": 0}
    assert manifest["counts"] == {**counts, "left_out": counts.left_out, "errors": 2, **none}
    for name in ("findings.jsonl", "findings.jsonl.errors.jsonl"):
        written = manifest["outputs"][name]
        assert written == {
            "bytes": Path(name).stat().st_size, "sha256": hashlib.sha256(Path(name).read_bytes()).hexdigest(),
        }  # fmt: skip
    assert sorted(os.listdir()) == [
        "findings.jsonl",
        "findings.jsonl.errors.jsonl",
        "findings.jsonl.manifest.json",
        "inbox",
    ]


def test_finished_job_is_not_done_again(untrained, home, monkeypatch, capsys):
    first = extract(untrained, ["inbox"], "findings.jsonl")
    before = jobs.files_of(home)
    monkeypatch.setattr(Extractor, "read", None)
    again = extract(untrained, ["inbox"], "findings.jsonl")
    assert (again, again.failed, list(map(str, again.faults))) == (first, first.failed, list(map(str, first.faults)))
    assert jobs.files_of(home) == before
    assert "written already, from the same inputs by the same model" in capsys.readouterr().err


def interrupt(run: Path, monkeypatch) -> None:
    """Begin a job that ends by an error after some documents."""
    original = Journal.append
    calls = iter(range(100))

    def append(self, name, text):
        if next(calls) > 4:
            raise OSError(28, "No space left on device")
        original(self, name, text)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append", append)
        with pytest.raises(UserError, match="cannot be written: No space left on device. Free some space"):
            extract(run, ["inbox"], "findings.jsonl")


def change_input(home: Path) -> str:
    (home / "inbox" / "new.txt").write_text("new", encoding="utf-8")
    return "from other inputs: 3 files of [0-9,]+ bytes, and now 4 of"


def touch_input(home: Path) -> str:
    os.utime(home / "inbox" / "long.txt", ns=(1, 1))
    return "from other inputs: inbox/long.txt has changed"


@pytest.mark.parametrize("finished", [True, False], ids=["finished", "unfinished"])
@pytest.mark.parametrize("case", ["model", "options", "more inputs", "changed input"])
def test_job_of_another_model_options_or_inputs_is_refused(
    untrained, other_model, home, monkeypatch, capsys, finished, case
):
    if finished:
        extract(untrained, ["inbox"], "findings.jsonl")
    else:
        interrupt(untrained, monkeypatch)
    before = jobs.files_of(home)
    run, options = (
        (other_model if case == "model" else untrained),
        (["--min-score", "0.5"] if case == "options" else []),
    )
    expected = {
        "model": "by the model [0-9a-f]{16}, and the run has",
        "options": "with min_score 0.0, and now it is 0.5",
    }.get(case)
    expected = expected or (change_input(home) if case == "more inputs" else touch_input(home))
    with pytest.raises(UserError, match=expected):
        extract(run, ["inbox"], "findings.jsonl", min_score=0.5 if options else 0.0)
    assert jobs.files_of(home) == before
    assert (
        extract(run, ["inbox"], "findings.jsonl", min_score=0.5 if options else 0.0, overwrite=True)["documents"] >= 12
    )
    assert Path("findings.jsonl").read_bytes() != before.get("findings.jsonl") or case == "changed input"


def test_input_with_the_same_size_and_time_but_other_content_is_refused(untrained, home, monkeypatch):
    interrupt(untrained, monkeypatch)
    file = home / "inbox" / "long.txt"
    state = file.stat()
    file.write_text(file.read_text("utf-8").replace("Arden", "Brisk"), encoding="utf-8")
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    before = jobs.files_of(home)
    with pytest.raises(UserError, match="the content of the inputs is not what it was when this job began"):
        extract(untrained, ["inbox"], "findings.jsonl")
    assert jobs.files_of(home) == before


def test_output_that_was_changed_is_not_replaced(untrained, home):
    extract(untrained, ["inbox"], "findings.jsonl")
    written = Path("findings.jsonl").read_text("utf-8")
    for edited in ("edited", written.replace("inbox", "inbax")):  # the second has as many bytes
        Path("findings.jsonl").write_text(edited, encoding="utf-8")
        with pytest.raises(
            UserError, match="findings.jsonl: this output was changed after extract wrote it. .*--overwrite"
        ):
            extract(untrained, ["inbox"], "findings.jsonl")
        assert Path("findings.jsonl").read_text("utf-8") == edited != written


def test_strict_keeps_what_was_written_before(untrained, home, capsys):
    (home / "inbox" / "zz.txt").write_bytes(b"\xff")
    (home / "inbox" / "b.txt").unlink()
    lines = (home / "inbox" / "memos.jsonl").read_text("utf-8").splitlines()
    (home / "inbox" / "memos.jsonl").write_text(
        "\n".join(line for line in lines if line != "no JSON") + "\n", encoding="utf-8"
    )
    with pytest.raises(UserError, match="zz.txt:1: the byte 0xff"):
        extract(untrained, ["inbox"], "findings.jsonl", strict=True)
    assert sorted(os.listdir()) == [".findings.jsonl.job", "inbox"]
    assert "keeps what was extracted so far" in capsys.readouterr().err
    assert extract(untrained, ["inbox"], "findings.jsonl").failed == 1
    assert "going on after" in capsys.readouterr().err


def test_overwriting_forgets_the_unfinished_job_at_once(untrained, home, monkeypatch):
    interrupt(untrained, monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append", None)
        with pytest.raises(TypeError):
            extract(untrained, ["inbox"], "findings.jsonl", overwrite=True)
    assert os.listdir() == ["inbox"]


@pytest.mark.parametrize("damage", ["", "[]", '{"finished": true}', "chunks"])
def test_damaged_manifest_is_one_line_and_overwrite_starts_over(untrained, home, monkeypatch, capsys, damage):
    interrupt(untrained, monkeypatch)
    manifest = home / ".findings.jsonl.job" / "manifest.json"
    if damage == "chunks":
        damage = json.dumps({**json.loads(manifest.read_bytes()), "chunks": "two"})
    manifest.write_text(damage, encoding="utf-8")
    arguments = ("extract", untrained, "inbox", "-o", "findings.jsonl")
    assert command(monkeypatch, *arguments) == 2
    said = capsys.readouterr().err
    assert "manifest.json: this manifest is " in said and "or --overwrite to write it again." in said
    assert command(monkeypatch, *arguments, "--overwrite") == 3
    assert Path("findings.jsonl").stat().st_size


def test_file_of_another_program_is_not_replaced(untrained, home, monkeypatch, capsys):
    for name in ("notes.jsonl", "page.html", "notes.csv"):
        Path(name).write_text("mine\n", encoding="utf-8")
    extract_to = ("extract", untrained, "inbox", "-o")
    for arguments in (("notes.jsonl",), ("new.jsonl", "--html", "page.html")):
        assert command(monkeypatch, *extract_to, *arguments) == 2
        message = f"{arguments[-1]}: this file exists, and extract did not write it. Give another name, or --overwrite"
        assert message in capsys.readouterr().err
        assert Path(arguments[-1]).read_text("utf-8") == "mine\n"
        assert command(monkeypatch, *extract_to, *arguments, "--overwrite") == 3
    Path("new.jsonl.manifest.json").unlink()
    assert command(monkeypatch, *extract_to, "new.jsonl", "--html", "page.html") == 3  # both are its own
    assert command(monkeypatch, *extract_to, "") == 2
    assert "the output is a folder." in capsys.readouterr().err


def test_two_jobs_do_not_write_one_output(untrained, home):
    from electra_ie.common.files import locked

    with locked(home / ".findings.jsonl.job"), pytest.raises(UserError, match="another process is writing"):
        extract(untrained, ["inbox"], "findings.jsonl")


# Outputs that cannot be written


@pytest.mark.unix("RLIMIT_FSIZE")
def test_full_disk_is_one_line_and_the_job_goes_on_later(untrained, home, monkeypatch, capsys):
    extract(untrained, ["inbox"], "whole.jsonl")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, limits[1]))
    try:
        code = command(monkeypatch, "extract", untrained, "inbox", "-o", "findings.jsonl")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert code == 2
    assert not Path("findings.jsonl").exists()
    (line,) = (line for line in capsys.readouterr().err.splitlines() if line.startswith("error: "))
    assert line.startswith("error: findings.jsonl: cannot be written: File too large. Free some space")
    assert command(monkeypatch, "extract", untrained, "inbox", "-o", "findings.jsonl") == 3
    assert Path("findings.jsonl").read_bytes() == Path("whole.jsonl").read_bytes()


@pytest.mark.unix("/dev/full")
def test_full_device_is_one_line(untrained, home, monkeypatch, capsys):
    assert command(monkeypatch, "extract", untrained, "inbox", "-o", "/dev/full") == 2
    assert "No space left on device" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.unix("/dev/fd")
def test_output_by_its_descriptor_is_written_after_what_is_in_the_file(untrained, home, monkeypatch):
    """As with `-o /dev/stdout >> all.jsonl`: the file that the shell has opened, and not a file in /dev."""
    extract(untrained, ["inbox"], "findings.jsonl")
    with open("all.jsonl", "a", encoding="utf-8") as file:
        file.write("before\n")
        file.flush()
        assert command(monkeypatch, "extract", untrained, "inbox", "-o", f"/dev/fd/{file.fileno()}") == 3
    assert Path("all.jsonl").read_text("utf-8") == "before\n" + Path("findings.jsonl").read_text("utf-8")


@pytest.mark.unix("/dev/null")
def test_page_is_not_written_to_a_device(untrained, home, monkeypatch, capsys):
    assert command(monkeypatch, "extract", untrained, "inbox", "-o", "findings.jsonl", "--html", "/dev/null") == 2
    assert "a page is not written to a device or a pipe" in capsys.readouterr().err
    assert not Path("findings.jsonl").exists()


def test_folder_as_output_is_an_error(untrained, home, monkeypatch, capsys):
    assert command(monkeypatch, "extract", untrained, "inbox", "-o", "inbox") == 2
    assert capsys.readouterr().err == "error: inbox: the output is a folder. Give the name of a file.\n"


# Several processes


def test_several_processes_write_the_same_bytes(untrained, home, monkeypatch):
    monkeypatch.setattr(multiprocessing, "get_context", lambda _: processes.CONTEXT)
    one = extract(untrained, ["inbox"], "one.jsonl")
    two = extract(untrained, ["inbox"], "two.jsonl", processes=2)
    assert one == two
    assert Path("one.jsonl").read_bytes() == Path("two.jsonl").read_bytes()
    assert Path("one.jsonl.errors.jsonl").read_bytes() == Path("two.jsonl.errors.jsonl").read_bytes()


def test_process_that_cannot_load_the_run_says_why(untrained, tmp_path, monkeypatch):
    """A run can become unreadable between the start of the job and that of its processes."""
    monkeypatch.setattr(multiprocessing, "get_context", lambda _: processes.CONTEXT)
    (tmp_path / "gone").mkdir()
    results = extract_in_processes(
        tmp_path / "gone", load_extractor(untrained), 1, iter([chunks.Chunk()]), lambda *_: None
    )
    with pytest.raises(UserError, match="gone: this is not the folder of a run") as error:
        list(results)
    assert error.value.file == tmp_path / "gone"


def test_processes_with_another_model_than_the_job_are_refused(untrained, other_model, home, monkeypatch):
    """A run can be replaced between the start of the job and that of its processes."""
    monkeypatch.setattr(multiprocessing, "get_context", lambda _: processes.CONTEXT)
    results = extract_in_processes(untrained, load_extractor(other_model), 1, iter([chunks.Chunk()]), lambda *_: None)
    with pytest.raises(UserError, match="the model has changed since the job began"):
        list(results)


def test_processes_do_not_finish_their_work_for_a_caller_that_has_ended(untrained, home, monkeypatch):
    monkeypatch.setattr(multiprocessing, "get_context", lambda _: processes.CONTEXT)
    text = Document("long", "Acme paid 5 USD. " * 4000)
    before = multiprocessing.active_children()
    results = extract_in_processes(
        untrained, load_extractor(untrained), 1, iter([chunks.Chunk([text]) for _ in range(9)]), lambda *_: None
    )
    next(results)
    (process,) = [each for each in multiprocessing.active_children() if each not in before]
    results.close()
    # Not 0, which it has at the end of its work. A thread of the pool may have read the code of SIGTERM first: then 255.
    assert process.exitcode in (-signal.SIGTERM, 255)


def test_an_error_while_a_process_is_started_names_the_guard_that_a_script_needs():
    assert 'if __name__ == "__main__":' in str(ended_error(2, {1, -signal.SIGTERM}))


@pytest.mark.slow
def test_process_that_ends_is_one_line_and_the_job_goes_on_later(untrained, home, monkeypatch):
    monkeypatch.setattr(multiprocessing, "get_context", lambda _: processes.CONTEXT)
    first = in_order._first

    def kill(*args):
        for process in multiprocessing.active_children():
            process.kill()
        return first(*args)

    with monkeypatch.context() as patch:
        patch.setattr(in_order, "_first", kill)
        with pytest.raises(
            UserError, match=r"one of 2 processes ended before its time \(exit code -9\). If the memory"
        ):
            extract(untrained, ["inbox"], "two.jsonl", processes=2)
    assert extract(untrained, ["inbox"], "two.jsonl", processes=2)["documents"] == 12
