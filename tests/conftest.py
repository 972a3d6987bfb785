"""Tiny encoders, a task of all three kinds, and a finished run, each built once for the session."""

from __future__ import annotations

import os

# Before anything imports torch or transformers: no network, no GPU, the same arithmetic everywhere.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["OMP_NUM_THREADS"] = "1"  # the encoders are tiny: a second thread costs more in waiting than it computes
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ.pop("COLUMNS", None)  # pytest-xdist sets it, and tables would wrap at its width
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

# A test that passes today passes tomorrow: the same examples each time, and no clock that a busy machine runs out.
settings.register_profile("tests", deadline=None, derandomize=True, database=None)
settings.load_profile("tests")


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """`encoder(family)`: the folder of a tiny encoder, built when first asked for."""
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
    """Where tokenised corpora are kept during the tests: not in the user's own cache."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["ELECTRA_IE_CACHE"] = str(folder)
    return folder


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """The task.yaml of a task of three fields; its files lie beside it."""
    import tiny

    return tiny.write_task(tmp_path / "three_kinds")


@pytest.fixture(scope="session")
def run(encoder: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished adversarial run on the task of three fields, dev scores and all. Not to be written into."""
    import tiny

    from electra_ie import train

    folder = tmp_path_factory.mktemp("finished")
    task = tiny.write_task(folder / "three_kinds")
    return train(str(task), folder / "run", **tiny.settings(encoder("bert"), max_steps=60))
