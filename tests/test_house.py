"""The structure of the package: each folder imports only from those before it, and importing costs nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import electra_ie

ROOT = Path(electra_ie.__file__).parent
ORDER = (
    {"common"},
    {"values"},
    {"config"},
    {"formats"},
    {"data"},
    {"metrics"},
    {"records"},
    {"calibration"},
    {"models"},
    {"runs"},
    {"inference"},
    {"export"},
    {"checks"},
    {"selection"},
    {"training"},
    {"distillation"},
    {"pretraining"},
    {"comparison"},
    {"web"},
    {"serving"},
    {"labeling"},
    {"api"},
    {"cli"},
    {"__main__"},
)
"""The folders and top-level modules in import order; those in one set do not import each other."""
WITHOUT_TORCH = (
    "common.errors", "common.escaping", "common.files", "common.hashing", "common.hub_client", "common.logs",
    "common.processes", "common.progress", "common.randomness", "common.text_files", "common.yaml_source", "config.base", "config.distill", "config.train", "config.pretrain", "data.document", "data.fields",
    "formats", "formats.conversion", "formats.detection", "formats.preannotations", "cli.formats", "data.init.from_annotations", "data.hints", "data.declaration.hints_yaml", "data.hint_scores",
    "data.bio", "data.token_offsets", "data.windowing", "data.readers", "data.task", "data.task_files", "data.splits", "data.declaration.task_yaml", "data.in_memory", "data.label_budget", "data.dataset_card", "metrics", "runs.layout", "runs.download", "runs.export_audit",
    "runs.hub_dataset_card", "inference.html_report", "inference.jobs.inputs", "inference.jobs.job", "inference.engine.exported", "inference.loading", "cli.tables", "cli.listing", "cli.settings", "cli.values", "values", "values.reading", "api",
)  # fmt: skip
"""Modules that are imported before anything is computed, so that they must load no torch."""


def name_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


FILES = {name_of(file): file for file in ROOT.rglob("*.py")}


def imported(file: Path) -> Iterator[str]:
    """Yield every module of the package that a file imports, also inside functions and for types only."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "electra_ie":
            inner = node.module.partition(".")[2]
            for alias in node.names:
                whole = f"{inner}.{alias.name}".strip(".")
                yield whole if whole in FILES else inner
        elif isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[2] for alias in node.names if alias.name.startswith("electra_ie"))


NAMES = sorted(name for name in FILES if name)
RANK = {folder: rank for rank, folders in enumerate(ORDER) for folder in folders}


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    """Return the modules that each module imports."""
    return {name: set(imported(FILES[name])) - {name} for name in NAMES}


def test_every_module_has_a_place_in_the_order(graph):
    assert {name.split(".")[0] for name in graph} == set(RANK)
    assert graph["training.trainer"], "the imports were not read"
    assert "common.errors" in graph["data.readers.jsonl"], "the imports were not read"


@pytest.mark.parametrize("name", NAMES)
def test_a_module_imports_only_from_folders_before_its_own(graph, name):
    folder = name.split(".")[0]
    for other in graph[name]:
        first = other.split(".")[0]
        assert first == folder or RANK[first] < RANK[folder], f"{name} imports {other}"


def test_the_modules_form_no_cycle(graph):
    list(TopologicalSorter(graph).static_order())  # raises CycleError


@pytest.mark.parametrize(
    "folder", sorted(path.parent.relative_to(ROOT).as_posix() for path in ROOT.rglob("__init__.py"))
)
def test_every_folder_says_what_it_holds(folder):
    assert ast.get_docstring(ast.parse((ROOT / folder / "__init__.py").read_text("utf-8")))


def test_torch_is_not_imported_where_nothing_is_computed():
    """Import `electra_ie` in a new process, then each light module, and check what else they load."""
    script = (
        "import sys, electra_ie\n"
        "heavy = lambda: sorted({'torch', 'transformers', 'accelerate', 'numpy'} & set(sys.modules))\n"
        "assert not heavy(), f'electra_ie: {heavy()}'\n"
        "import electra_ie.cli.app\n"
        "assert not heavy(), f'cli.app, which --help waits for: {heavy()}'\n"
        "import importlib\n"
        f"for name in {WITHOUT_TORCH!r}:\n"
        "    importlib.import_module(f'electra_ie.{name}')\n"
        "    assert not set(heavy()) - {'numpy'}, f'{name}: {heavy()}'\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


ENGINE = sorted(name for name in FILES if name.startswith("inference.engine"))
OF_ENGINE = ("common", "data", "calibration", "inference.engine", "inference.html_report")
"""What the engine may import of this package, with `data.batching` left out."""
PACKAGES_OF_ENGINE = {"numpy", "onnxruntime", "tokenizers"}
TRAINING_PACKAGES = ("torch", "transformers", "accelerate", "datasets", "scipy", "sklearn", "pyarrow", "matplotlib")


@pytest.mark.parametrize("name", ENGINE)
def test_the_engine_imports_little(graph, name):
    for other in graph[name]:
        assert other.startswith(OF_ENGINE) and other != "data.batching", f"{name} imports {other}"
    for node in ast.walk(ast.parse(FILES[name].read_text("utf-8"))):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        roots = {module.split(".")[0] for module in modules} - {"electra_ie", *sys.stdlib_module_names}
        assert roots <= PACKAGES_OF_ENGINE, f"{name} imports {roots}"


def test_the_engine_runs_without_the_packages_of_training():
    """Import the engine in a process where those packages cannot be imported."""
    script = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({TRAINING_PACKAGES!r}))\n"
        "import importlib\n"
        f"for name in {ENGINE!r}:\n"
        "    importlib.import_module(f'electra_ie.{name}')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
