"""Fixtures built once per session (tiny encoders, a task of all field kinds, finished runs) and pytest settings.

With pytest-xdist, "once per session" means once per worker process, except for what `made_once` makes.
"""

from __future__ import annotations

import gc
import os

# Importing and collecting make a million objects, nearly all of which stay: looking for garbage among them takes a
# quarter of the time of both. Until the first test (pytest_runtestloop) nothing looks.
gc.disable()

# Set before anything imports torch or transformers: no network, no GPU, the same arithmetic everywhere.
os.environ["HF_HUB_OFFLINE"] = "1"
if not os.environ.get("ELECTRA_IE_GPU_TESTS"):  # tests/gpu needs the devices: see tests/gpu/conftest.py
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["OMP_NUM_THREADS"] = "1"  # the encoders are tiny: a second thread costs more in waiting than it computes
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ.pop("COLUMNS", None)  # pytest-xdist sets it, and tables would wrap at its width
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

import hashlib  # noqa: E402
import json  # noqa: E402
import shutil  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import pytest  # noqa: E402
from filelock import FileLock  # noqa: E402
from hypothesis import settings  # noqa: E402

# Derandomized, so that a test that passes today passes tomorrow; no deadline, which a busy machine would miss.
# `make test` uses "fast"; `make test-all` passes --hypothesis-profile=thorough.
settings.register_profile("fast", max_examples=12, deadline=None, derandomize=True, database=None)
settings.register_profile("thorough", max_examples=100, deadline=None, derandomize=True, database=None)
settings.load_profile("fast")


@pytest.fixture(autouse=True, scope="session")
def pictures() -> Iterator[dict[str, Callable[..., None]]]:
    """Make runs light (tests/lighter.py): among others, no pictures are drawn. Yield the functions that draw.

    A test with the marker `pictures` draws them all, or those of the functions that the marker names.
    """
    import lighter

    with pytest.MonkeyPatch.context() as patch:
        savers = lighter.lighten(patch)
        assert {"curves", "confusion", "per_label"} <= savers.keys(), "a picture would be drawn in every test"
        yield savers


@pytest.fixture(autouse=True)
def _pictures_where_marked(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, pictures: dict[str, Callable[..., None]]
) -> None:
    if marker := request.node.get_closest_marker("pictures"):
        from electra_ie.runs import plots

        for name in marker.args or pictures:
            monkeypatch.setattr(plots, name, pictures[name])


@pytest.hookimpl(tryfirst=True)
def pytest_collection() -> None:
    """Fork the server of processes from a worker: after pytest-cov has begun, and before test modules are imported."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        import processes

        processes.fork_server()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """Look for garbage again, and only among what the tests make."""
    gc.freeze()
    gc.enable()


def pytest_runtest_setup(item: pytest.Item) -> None:
    if sys.platform == "win32" and (marker := item.get_closest_marker("unix")):
        pytest.skip(f"Windows has no {marker.args[0]}")


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function `made_once(name, make)` that returns a folder of all workers of this session.

    The first worker that asks for the name calls `make(folder)`, and the others wait. The folder must not be changed.
    """
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"

    def folder(name: str, make: Callable[[Path], object]) -> Path:
        made, done = shared / name, shared / f"{name}.done"
        made.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(shared / f"{name}.lock"):
            if not done.exists():
                shutil.rmtree(made, ignore_errors=True)  # by a worker whose test has failed
                make(made)
                done.touch()
        return made

    return folder


@pytest.fixture(scope="session")
def encoder(made_once: Callable[..., Path]) -> Callable[[str], str]:
    """Return a function `encoder(family)` that returns the folder of a tiny encoder, built on first use."""
    import tiny

    def folder(family: str) -> str:
        return str(made_once(f"encoders/{family}", lambda folder: tiny.build(family, folder)))

    return folder


@pytest.fixture(autouse=True, scope="session")
def logs() -> None:
    """Warnings and notices on standard error as the command line prints them, also after calls of the Python API."""
    from electra_ie.common.logs import use_cli_format

    use_cli_format()


@pytest.fixture(autouse=True, scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Set the folder of tokenized corpora for the tests, apart from the user's own cache."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["ELECTRA_IE_CACHE"] = str(folder)
    return folder


@pytest.fixture(autouse=True, scope="session")
def _end_of_processes() -> Iterator[None]:
    yield
    if "processes" in sys.modules:
        sys.modules["processes"].stop()


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """Return the task.yaml of a task of three fields; its files are in the same folder."""
    import tiny

    return tiny.write_task(tmp_path / "three_kinds")


@pytest.fixture(scope="session")
def trained_once(made_once: Callable[..., Path], encoder: Callable[[str], str]) -> Callable[..., Path]:
    """Return a function `trained_once(**settings)` that returns a finished run on the task of three fields.

    It is trained by the first worker that asks for these `tiny.settings`. It must not be changed, nor its task.
    """
    import tiny

    from electra_ie import train

    def folder(**settings: Any) -> Path:
        chosen = tiny.settings(**{"encoder": encoder("bert"), **settings})
        task = made_once("three_kinds", tiny.write_task) / "task.yaml"
        name = hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()[:16]
        return made_once(f"run-{name}", lambda folder: train(str(task), folder, **chosen))

    return folder


@pytest.fixture(scope="session")
def run(trained_once: Callable[..., Path]) -> Path:
    """Return a finished latent run on the task of three fields, with dev scores. It must not be changed."""
    return trained_once(max_steps=60)


@pytest.fixture(scope="session")
def exported_run(run: Path, made_once: Callable[..., Path]) -> Path:
    """Return the folder of `run` exported to ONNX, which takes longer than to train it. It must not be changed."""
    pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
    from electra_ie.export.exporter import export_run

    return made_once("exported", lambda folder: export_run(run, folder))


@pytest.fixture(scope="session")
def finished(trained_once: Callable[..., Path]) -> Callable[..., Path]:
    """Return a function `finished(folder, preset, **settings)` that copies a run of `trained_once` to `folder`, to be changed.

    Call the function before anything is patched.
    """

    def copy_of(folder: Path, preset: str, **settings: Any) -> Path:
        return Path(shutil.copytree(trained_once(preset=preset, **settings), folder))

    return copy_of
