"""`extract --engine ray`: the bytes of a plain job, also if a worker or the driver is killed, and errors of one line."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from concurrent.futures import Future
from pathlib import Path

import jobs
import processes
import psutil
import pytest
from command_line import command

from electra_ie import Extractor, UserError, extract
from electra_ie.calibration.stored import Calibration
from electra_ie.common.hashing import package_version
from electra_ie.data.document import Document
from electra_ie.inference.jobs.workers import on_ray
from electra_ie.inference.jobs.workers.in_order import identity_of
from electra_ie.runs.storage import fields_sum

DOCUMENTS = [Document("a", "Arden paid 5.975,74 to the bank."), Document("b", "")]


@pytest.fixture
def ray():
    return pytest.importorskip("ray", reason="needs the extra ray")


@pytest.fixture
def folder_of_ray(monkeypatch):
    """Return the folder of the files of a local Ray. That of the test is too long for sockets."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("RAY_TMPDIR", folder)
        yield Path(folder)


@pytest.fixture(autouse=True)
def _no_address(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


# Nothing lost, nothing twice


@pytest.mark.slow
@pytest.mark.unix("SIGKILL")
def test_killed_worker_costs_a_repeat_of_its_documents(ray, folder_of_ray, untrained, home, monkeypatch, capfd):
    """One of two workers is stopped, gets documents, and is killed."""
    plain = extract(untrained, ["inbox"], "findings.jsonl", "page.html")
    expected = jobs.files_of(home)
    assert plain.failed == 2
    for name in expected:
        Path(name).unlink()
    before = (signal.getsignal(signal.SIGTERM), dict(os.environ))
    original, given, begun = on_ray._Worker.extract, [], []
    earlier = psutil.Process().children(recursive=True)

    def give_and_kill(self, documents):
        given.append(self)
        if len(given) != 3:
            return original(self, documents)
        process = psutil.Process(ray.get(self.actor.__ray_call__.remote(lambda _: os.getpid())))
        begun.extend(each for each in psutil.Process().children(recursive=True) if each not in earlier)
        process.suspend()
        future = original(self, documents)
        process.kill()
        return future

    monkeypatch.setattr(on_ray._Worker, "extract", give_and_kill)
    capfd.readouterr()
    assert extract(untrained, ["inbox"], "findings.jsonl", "page.html", engine="ray", workers=2) == plain
    assert jobs.files_of(home) == expected
    printed = capfd.readouterr()
    assert printed.out == ""  # where findings may go
    assert "a worker of Ray ended; its documents are extracted again." in printed.err
    assert "Arden" not in printed.err
    assert not ray.is_initialized()
    assert psutil.wait_procs(begun, timeout=60)[1] == []
    assert (signal.getsignal(signal.SIGTERM), dict(os.environ)) == before
    assert list(folder_of_ray.iterdir()) == []


@pytest.mark.slow
@pytest.mark.unix("SIGKILL")
def test_killed_driver_goes_on_to_the_same_bytes_and_leaves_no_process(
    ray, folder_of_ray, untrained, tmp_path, monkeypatch
):
    jobs.put_inbox(tmp_path, documents=60)
    shutil.copytree(tmp_path / "inbox", tmp_path / "whole" / "inbox")
    monkeypatch.chdir(tmp_path / "whole")
    arguments = ["-c", jobs.SCRIPT, "extract", str(untrained), "inbox", "-o", "findings.jsonl"]
    assert processes.run(arguments).code == 3
    monkeypatch.chdir(tmp_path)
    arguments += ["--engine", "ray", "--workers", "2"]
    manifest = tmp_path / ".findings.jsonl.job" / "manifest.json"
    process = processes.start(arguments, tmp_path / "messages")
    until = time.monotonic() + processes.SECONDS
    while process.is_alive() and time.monotonic() < until:
        if manifest.exists() and json.loads(manifest.read_text("utf-8"))["chunks"] > 2:
            break
        time.sleep(0.001)
    begun = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL, (tmp_path / "messages").read_text("utf-8")
    assert any(manifest.parent.iterdir()) and not (tmp_path / "findings.jsonl").exists()
    again = processes.run(arguments)
    assert again.code == 3 and "going on after" in again.messages, again.messages
    written, whole = jobs.files_of(tmp_path), jobs.files_of(tmp_path / "whole")
    assert {name: content for name, content in written.items() if name in whole} == whole
    assert len(begun) > 2 and psutil.wait_procs(begun, timeout=processes.SECONDS)[1] == []


# Errors


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--engine", "rai"], 'error: there is no engine "rai". Did you mean "ray"? Valid: local, ray.\n'),
        (["--workers", "2"], "error: --workers needs --engine ray. For several processes here, give --processes.\n"),
        (
            ["--engine", "ray", "--processes", "2"],
            "error: --engine ray does not go with --processes. Give --workers.\n",
        ),
    ],
)
def test_options_that_do_not_fit_are_one_line(untrained, home, monkeypatch, capsys, options, expected):
    assert command(monkeypatch, "extract", untrained, "inbox", "-o", "findings.jsonl", *options) == 2
    assert capsys.readouterr().err == expected
    assert os.listdir() == ["inbox"]


def test_number_of_workers_is_positive(untrained, home):
    with pytest.raises(UserError, match="--workers is 0, but at least 1"):
        extract(untrained, ["inbox"], "findings.jsonl", engine="ray", workers=0)


def test_missing_package_is_one_line_with_the_remedy(untrained, home, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert command(monkeypatch, "extract", untrained, "inbox", "--engine", "ray") == 2
    assert capsys.readouterr().err == (
        "error: --engine ray needs Ray, which is not installed. pip install 'electra_ie[ray]'\n"
    )


def closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (closed_port, "cannot be reached: [Errno 111] Connection refused."),
        (lambda: "head:port", "cannot be reached: invalid literal for int() with base 10: 'port'."),
        (lambda: "head", "the Ray cluster at head cannot be used: Invalid address format: head."),
        (lambda: "ray://head:10001", "RAY_ADDRESS is ray://head:10001, but the command runs on a machine"),
    ],
    ids=["closed", "no number", "no port", "client"],
)
def test_cluster_that_cannot_be_used_is_one_line(ray, untrained, home, monkeypatch, capsys, address, expected):
    monkeypatch.setenv("RAY_ADDRESS", address())
    assert command(monkeypatch, "extract", untrained, "inbox", "-o", "findings.jsonl", "--engine", "ray") == 2
    (line,) = (line for line in capsys.readouterr().err.splitlines() if "extracting" not in line)
    assert line.startswith("error: ") and expected in line
    assert line.endswith("Set RAY_ADDRESS to HOST:PORT of its head node, or to auto on one of its machines.")
    assert os.listdir() == ["inbox"]
    assert not ray.is_initialized()


# A worker


def test_worker_extracts_what_the_driver_would(untrained):
    local = Extractor.from_pretrained(untrained)
    remote = on_ray.RemoteExtractor(str(untrained), identity_of(local), package_version())
    assert remote.is_loaded() is True
    assert remote.records_of(DOCUMENTS) == [result.record() for result in local.read(DOCUMENTS)]


def test_worker_with_another_model_or_version_or_no_run_is_an_error(untrained, other_model, tmp_path):
    model = identity_of(Extractor.from_pretrained(untrained))
    other = on_ray.RemoteExtractor(str(other_model), model, package_version())
    expected = (
        rf"another model or calibration \([0-9a-f]{{16}}, not calibrated; the driver has {model}\). Every machine"
    )
    with pytest.raises(UserError, match=expected):
        other.is_loaded()
    old = on_ray.RemoteExtractor(str(untrained), model, "0.0.1")
    with pytest.raises(UserError, match=f"electra_ie has version {package_version()}, and this is 0.0.1. Install the"):
        old.records_of(DOCUMENTS)
    missing = on_ray.RemoteExtractor(str(tmp_path / "none"), model, package_version())
    with pytest.raises(UserError, match=f"on the machine {socket.gethostname()} .*none.*Every machine must see the"):
        missing.is_loaded()


def test_worker_with_another_calibration_is_an_error(untrained, tmp_path):
    local = Extractor.from_pretrained(untrained)
    calibrated = tmp_path / "calibrated"
    shutil.copytree(untrained, calibrated)
    Calibration(fields_sum(calibrated, local.fields)).save(calibrated)
    remote = on_ray.RemoteExtractor(str(calibrated), identity_of(local), package_version())
    with pytest.raises(UserError, match="another model or calibration"):
        remote.is_loaded()


class Pool:
    """Actors whose answers are known."""

    def __init__(self, *answers) -> None:
        self.answers = list(answers)

    def extract(self, documents):
        future: Future = Future()
        answer = self.answers.pop(0)
        (future.set_exception if isinstance(answer, Exception) else future.set_result)(answer)
        return future


def test_documents_that_end_every_worker_are_an_error(ray, capsys):
    ended = [ray.exceptions.ActorUnavailableError("Socket closed.", None) for _ in range(5)]
    assert on_ray._Repeated(Pool(*ended[:3], ["record"]), DOCUMENTS).result() == ["record"]
    pool = Pool(*ended)
    with pytest.raises(UserError, match=r"a worker of Ray ended: .*Socket closed.*If the memory is full, give fewer"):
        on_ray._Repeated(pool, DOCUMENTS).result()
    assert len(pool.answers) == 1
    assert capsys.readouterr().err.count("extracted again") == 6


def test_error_of_a_worker_is_that_of_the_job(ray, capsys):
    error = ray.exceptions.RayTaskError("is_loaded", "Traceback", UserError("the run is another."))
    with pytest.raises(UserError, match=r"^the run is another\.$"):
        on_ray._Repeated(Pool(error.as_instanceof_cause()), DOCUMENTS).result()
    fault = ray.exceptions.RayTaskError("records_of", "Traceback", IndexError("3"))
    with pytest.raises(IndexError):
        on_ray._Repeated(Pool(fault.as_instanceof_cause()), DOCUMENTS).result()
    assert capsys.readouterr().err == ""


class Call:
    """A method of an actor whose answers are known."""

    def __init__(self, *answers) -> None:
        self.pool = Pool(*answers)

    def options(self, **_):
        return self

    def remote(self, *_):
        return self

    def future(self):
        return self.pool.extract(None)


class Actor:
    def __init__(self, loaded: list, records: list) -> None:
        self.is_loaded, self.records_of = Call(*loaded), Call(*records)


def pool_of(*actors):
    pool = object.__new__(on_ray._Pool)
    pool.workers, pool.resources = [on_ray._Worker(actor) for actor in actors], {"num_cpus": 2, "num_gpus": 1}
    return pool


def test_worker_that_ended_gets_documents_when_it_has_loaded_again(ray):
    lost = ray.exceptions.ActorUnavailableError("Socket closed", None)
    other = Actor([True], [["b"], ["c"]])
    pool = pool_of(Actor([True, lost, True], [lost, ["d"]]), other)
    first = pool.extract(DOCUMENTS)
    assert isinstance(first.exception(), ray.exceptions.ActorUnavailableError)
    assert [pool.extract(DOCUMENTS).result() for _ in range(3)] == [["b"], ["c"], ["d"]]


def test_workers_that_never_load_are_an_error(ray, monkeypatch, capsys):
    lost = ray.exceptions.ActorUnavailableError("Socket closed", None)
    monkeypatch.setattr(on_ray, "PATIENCE", 0.0)
    monkeypatch.setattr(on_ray, "LOST", 0.3)
    with pytest.raises(UserError, match="a worker of Ray ended: .*Socket closed.*If the memory is full, give fewer"):
        pool_of(Actor([lost] * 99, [])).extract(DOCUMENTS)
    assert capsys.readouterr().err == (
        "waiting for a worker of Ray, which needs 2 CPU and 1 GPU and loads the model first.\n"
    )
    with pytest.raises(UserError, match="a worker of Ray ended: The actor died unexpectedly"):
        pool_of(Actor([ray.exceptions.ActorDiedError()], []), Actor([True], [["a"]])).extract(DOCUMENTS)


def node(cpus: float, gpus: float = 0, alive: bool = True):
    return {"Alive": alive, "Resources": {"CPU": cpus, **({"GPU": gpus} if gpus else {}), "memory": 1e9}}


@pytest.mark.parametrize(
    ("nodes", "number", "expected"),
    [
        ([node(8)], None, (1, {"num_cpus": 8})),
        ([node(8), node(4), node(16, alive=False)], None, (2, {"num_cpus": 4})),
        ([node(8), node(4)], 3, (3, {"num_cpus": 4})),
        ([node(8), node(0)], 3, (3, {"num_cpus": 2})),
        ([node(2)], 5, (5, {"num_cpus": 1})),
        ([], None, (1, {"num_cpus": 1})),
        ([node(64), node(8, 2), node(8, 2)], None, (4, {"num_cpus": 4, "num_gpus": 1})),
        ([node(8, 1)], 3, (3, {"num_cpus": 2, "num_gpus": 1 / 3})),
    ],
)
def test_all_workers_find_a_place(nodes, number, expected):
    assert on_ray.share_of(nodes, number, on_gpu=True) == expected


def test_exported_model_takes_no_gpu():
    assert on_ray.share_of([node(8, 4)], None, on_gpu=False) == (1, {"num_cpus": 8})
