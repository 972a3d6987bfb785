"""How the modules stand to one another: no cycles, and no torch where nothing is computed."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import electra_ie

ROOT = Path(electra_ie.__file__).parent
LIGHT = ("common.errors", "document", "common.hashing", "config.train", "labels", "formats", "common.yaml_source", "task", "sampling", "metrics", "run_files",
         "common.progress", "listing", "page", "common.hub_client", "data_card", "dataset_page", "inbox", "commands", "cli")  # fmt: skip
"""Modules whose import must cost nothing."""
ORDER = (
    "common.errors", "document", "common.hashing", "config.train", "labels", "formats", "task", "sampling", "metrics", "common.hub_client", "batching", "discriminator",
    "generators", "objectives", "loop", "tracking", "persistence", "publishing", "extractor", "audit", "card", "training", "comparing",
    "commands", "cli",
)  # fmt: skip
"""The rooms that matter, from left to right: each imports only from its left. Others may stand anywhere between."""


def name_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__") or "electra_ie"


FILES = {name_of(file): file for file in ROOT.rglob("*.py")}


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module of the package that a file imports, also inside functions, but not for types only."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "electra_ie":
            inner = node.module.partition(".")[2]
            for alias in node.names:
                whole = f"{inner}.{alias.name}".strip(".")
                yield whole if whole in FILES else inner or "electra_ie"
        elif isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[2] for alias in node.names if alias.name.startswith("electra_ie"))
        else:
            yield from imported(node)


GRAPH = {name: set(imported(ast.parse(file.read_text("utf-8")))) - {name} for name, file in FILES.items()}


def test_the_modules_form_no_cycle():
    assert "loop" in GRAPH["training"] and "common.errors" in GRAPH["formats.jsonl"], "the graph was not read"
    list(TopologicalSorter(GRAPH).static_order())  # raises CycleError


def test_each_room_imports_only_from_its_left():
    def reach(name: str, seen: set[str]) -> set[str]:
        for other in GRAPH[name] - seen:
            reach(other, seen | {other})
            seen |= {other} | reach(other, seen)
        return seen

    places = {name: place for place, name in enumerate(ORDER)}
    for name, place in places.items():
        later = {other for other in reach(name, set()) if places.get(other, -1) > place}
        assert not later, f"{name} imports {later}, which stand to its right"


def test_torch_is_not_imported_where_nothing_is_computed():
    """One Python of its own: `import electra_ie` first, then every light module, by name and all that they pull in."""
    script = (
        "import sys, electra_ie\n"
        "heavy = lambda: sorted({'torch', 'transformers', 'accelerate', 'numpy'} & set(sys.modules))\n"
        "assert not heavy(), f'electra_ie: {heavy()}'\n"
        "import importlib\n"
        f"for name in {LIGHT!r}:\n"
        "    importlib.import_module(f'electra_ie.{name}')\n"
        "    assert not set(heavy()) - {'numpy'}, f'{name}: {heavy()}'\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
