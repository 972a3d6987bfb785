"""Fixtures built once per session (tiny encoders, a task of all field kinds, finished runs) and pytest settings.

With pytest-xdist, "once per session" means once per worker process.
"""

from __future__ import annotations

import os

# Set before anything imports torch or transformers: no network, no GPU, the same arithmetic everywhere.
os.environ["HF_HUB_OFFLINE"] = "1"
if not os.environ.get("ELECTRA_IE_GPU_TESTS"):  # tests/gpu needs the devices: see tests/gpu/conftest.py
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["OMP_NUM_THREADS"] = "1"  # the encoders are tiny: a second thread costs more in waiting than it computes
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ.pop("COLUMNS", None)  # pytest-xdist sets it, and tables would wrap at its width
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

import functools  # noqa: E402
import inspect  # noqa: E402
import json  # noqa: E402
import shutil  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

# Derandomized, so that a test that passes today passes tomorrow; no deadline, which a busy machine would miss.
# `make test` uses "fast"; `make test-all` passes --hypothesis-profile=thorough.
settings.register_profile("fast", max_examples=12, deadline=None, derandomize=True, database=None)
settings.register_profile("thorough", max_examples=200, deadline=None, derandomize=True, database=None)
settings.load_profile("fast")

PLACEHOLDER = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c4944415478da63f8ffff3f0005fe02fe331295140000000049454e44ae426082"
)
"""A valid PNG of one white pixel."""


def plot_savers() -> dict[str, Callable[..., None]]:
    """Return the public functions of `electra_ie.runs.plots` that save a figure to a path."""
    from electra_ie.runs import plots

    own = {name: value for name, value in vars(plots).items() if getattr(value, "__module__", None) == plots.__name__}
    functions = {name: value for name, value in own.items() if inspect.isfunction(value) and name[0] != "_"}
    return {name: value for name, value in functions.items() if "path" in inspect.signature(value).parameters}


def placeholder_saver(saver: Callable[..., None]) -> Callable[..., None]:
    """Return a function with the signature of `saver` that saves a placeholder instead of drawing."""
    signature = inspect.signature(saver)

    def save(*args: Any, **kwargs: Any) -> None:
        Path(signature.bind(*args, **kwargs).arguments["path"]).write_bytes(PLACEHOLDER)

    return save


@pytest.fixture(autouse=True, scope="session")
def no_pictures() -> Iterator[dict[str, Callable[..., None]]]:
    """Save placeholders instead of drawing pictures, which takes half the time of a tiny run; yield the true functions.

    A test with the marker `pictures` draws them all, or those of the functions that the marker names. So does every
    subprocess.
    """
    from electra_ie.runs import plots

    savers = plot_savers()
    assert {"curves", "confusion", "per_label"} <= savers.keys(), "a picture would be drawn in every test"
    with pytest.MonkeyPatch.context() as patch:
        for name, saver in savers.items():
            patch.setattr(plots, name, placeholder_saver(saver))
        yield savers


@pytest.fixture(autouse=True)
def _pictures_where_marked(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, no_pictures: dict[str, Callable[..., None]]
) -> None:
    if marker := request.node.get_closest_marker("pictures"):
        from electra_ie.runs import plots

        for name in marker.args or no_pictures:
            monkeypatch.setattr(plots, name, no_pictures[name])


@pytest.hookimpl(tryfirst=True)
def pytest_collection() -> None:
    """Fork the server of processes from a worker: after pytest-cov has begun, and before test modules are imported."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        import processes

        processes.fork_server()


def pytest_runtest_setup(item: pytest.Item) -> None:
    if sys.platform == "win32" and (marker := item.get_closest_marker("unix")):
        pytest.skip(f"Windows has no {marker.args[0]}")


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Return a function `encoder(family)` that returns the folder of a tiny encoder, built on first use."""
    import tiny

    built: dict[str, str] = {}

    def folder(family: str) -> str:
        if family not in built:
            built[family] = tiny.build(family, tmp_path_factory.mktemp("encoders") / family)
        return built[family]

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
def _packages_read_once() -> Iterator[None]:
    """Read what is installed once: it takes longer than the steps of a tiny run, and does not change in a session."""
    from electra_ie.runs import provenance

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(provenance, "packages_sum", functools.cache(provenance.packages_sum))
        yield


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
def run(encoder: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished latent run on the task of three fields, with dev scores. It must not be changed."""
    import tiny

    from electra_ie import train

    folder = tmp_path_factory.mktemp("finished")
    task = tiny.write_task(folder / "three_kinds")
    return train(str(task), folder / "run", **tiny.settings(encoder("bert"), max_steps=60)).path


@pytest.fixture(scope="session")
def finished(encoder: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function `finished(folder, preset, **settings)` that copies a finished run to `folder`, to be changed.

    The run is trained on first use with `tiny.settings(encoder("bert"), preset, **settings)` on the task of three
    fields, which must not be changed. Call the function before anything is patched.
    """
    import tiny

    from electra_ie import train

    runs: dict[str, Path] = {}
    root = tmp_path_factory.mktemp("runs")

    def copy_of(folder: Path, preset: str, **settings: Any) -> Path:
        chosen = {"encoder": encoder("bert"), "preset": preset, **settings}
        key = json.dumps(chosen, sort_keys=True)
        if key not in runs:
            task = root / "three_kinds" / "task.yaml"
            if not task.exists():
                tiny.write_task(task.parent)
            runs[key] = train(str(task), root / str(len(runs)), **tiny.settings(**chosen)).path
        return Path(shutil.copytree(runs[key], folder))

    return copy_of
