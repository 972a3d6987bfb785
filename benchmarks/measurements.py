"""The result files of few_labels.py: counts of each test document, hashes of code and data, environment."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from cell_data import ROOT, Cell
from cells import processor
from intervals import main_score

from electra_ie.data.document import Document
from electra_ie.data.fields import Field, documents_by_field
from electra_ie.metrics import score

RESULTS = Path(__file__).parent / "results" / "few_labels"
HASHED = ("config", "data", "metrics.py", "models", "training", "inference")
"""The parts of electra_ie that decide what a run learns and predicts."""
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
Result = dict[str, Any]


def path_of(cell: Cell, method: str, seed: int) -> Path:
    return RESULTS / cell.folder / f"{method}.{seed}.json"


def read(cell: Cell, method: str, seed: int) -> Result | None:
    """Return the result of a measurement, or None if there is none."""
    path = path_of(cell, method, seed)
    return json.loads(path.read_text("utf-8")) if path.is_file() else None


def write(cell: Cell, method: str, seed: int, result: Mapping[str, Any]) -> None:
    """Write a result."""
    write_file(path_of(cell, method, seed), result)


def write_file(path: Path, result: Mapping[str, Any]) -> None:
    """Write a result as JSON. An interrupted process leaves no incomplete file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    partial.replace(path)


# Scores and counts


def scored(
    fields: Sequence[Field], documents: Sequence[Document], answers: Sequence[Mapping[str, Any]]
) -> dict[str, Result]:
    """Return main score (%) and encoded counts of each field that has answers and gold.

    The score is that of `electra_ie.metrics`; the counts are checked to give the same.
    """
    result = {}
    for field, indices in documents_by_field(documents, fields):
        if not answers or field.name not in answers[0]:
            continue
        gold = [documents[index].gold[field.name] for index in indices]
        predicted = [answers[index][field.name] for index in indices]
        scores = score(field, gold, predicted)
        main, encoded = 100 * (scores[scores["main"]] or 0), encode(field, gold, predicted)
        from_counts = float(main_score(decode(encoded).sum(0)))
        assert abs(main - from_counts) < 1e-6, f"{field.name}: {main} by metrics.score, {from_counts} by the counts"
        result[field.name] = {"main": round(main, 4), "counts": encoded}
    return result


def encode(field: Field, gold: Sequence[Any], predicted: Sequence[Any]) -> Result:
    """Return the counts that the main score needs, one digit per document.

    classes: 1 if correct. flags: by label, 1 if it is in the gold, plus 2 if it is predicted. spans: correct ones, all
    predicted ones, and those of the gold, as digits in base 36, or as numbers if one is larger than 35.
    """
    if field.kind == "classes":
        return {"correct": "".join(str(int(one == other)) for one, other in zip(gold, predicted, strict=True))}
    pairs = [(set(one), set(other)) for one, other in zip(gold, predicted, strict=True)]
    if field.kind == "flags":
        return {
            "labels": {
                label: "".join(str((label in one) + 2 * (label in other)) for one, other in pairs)
                for label in field.labels
            }
        }
    columns = {
        "correct": [len(one & other) for one, other in pairs],
        "predicted": [len(other) for _, other in pairs],
        "gold": [len(one) for one, _ in pairs],
    }
    return {name: _digits(counts) for name, counts in columns.items()}


def decode(encoded: Mapping[str, Any]) -> np.ndarray:
    """Return (N, L, 3): correct predictions, predictions and gold items of each document.

    L is the number of labels for flags, otherwise 1: the main scores of classes and spans do not depend on the label.
    """
    if "labels" in encoded:
        states = np.array([[int(digit) for digit in digits] for digits in encoded["labels"].values()]).T
        return np.stack([states == 3, states >= 2, states % 2 == 1], -1).astype(float)
    correct = np.array(_numbers(encoded["correct"]), dtype=float)
    predicted, gold = (
        np.array(_numbers(encoded[name]), dtype=float) if name in encoded else np.ones_like(correct)
        for name in ("predicted", "gold")
    )
    return np.stack([correct, predicted, gold], -1)[:, None, :]


def _digits(counts: list[int]) -> str | list[int]:
    return counts if max(counts, default=0) >= len(DIGITS) else "".join(DIGITS[count] for count in counts)


def _numbers(counts: str | list[int]) -> list[int]:
    return [DIGITS.index(digit) for digit in counts] if isinstance(counts, str) else counts


# Hashes and environment


@lru_cache
def package_hash(*others: str) -> str:
    """Return the hash of the code that decides what a run of this package learns and predicts, and of other parts."""
    paths = [ROOT / "electra_ie" / name for name in (*HASHED, *others)]
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*.py"))]
    return code_hash(files)


def code_hash(files: Iterable[Path]) -> str:
    """Return the first 12 digits of the SHA-256 of Python files without comments, docstrings and layout.

    `ast.unparse` may write a file differently in another version of Python.
    """
    digest = hashlib.sha256()
    for file in sorted(files):
        tree = ast.parse(file.read_text("utf-8"))
        for node in ast.walk(tree):
            for name in ("body", "orelse", "finalbody"):
                statements = getattr(node, name, None)
                if isinstance(statements, list):
                    kept = [statement for statement in statements if not _is_text(statement)]
                    setattr(node, name, kept if kept or not statements else [ast.Pass()])
        digest.update(f"{file.relative_to(ROOT).as_posix()}\n{ast.unparse(tree)}\n".encode())
    return digest.hexdigest()[:12]


def _is_text(statement: ast.stmt) -> bool:
    """Return whether a statement is a docstring, or a text behind a definition that documents it."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def environment(packages: Iterable[str]) -> dict[str, Any]:
    """Return date, processor, precision, threads, versions and commit of a measurement.

    The precision is what `auto` is on this processor. A "+" marks a changed working tree.
    """
    import torch

    from electra_ie.training.loop import has_bf16

    def git(*command: str) -> str:
        done = subprocess.run(["git", "-C", str(ROOT), *command], check=False, capture_output=True, text=True)
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ":!benchmarks/results")
    return {
        "date": date.today().isoformat(),
        "processor": torch.cuda.get_device_name() if torch.cuda.is_available() else processor(),
        "precision": "bf16" if has_bf16() else "float32",
        "threads": torch.get_num_threads(),
        "versions": {name: version(name) for name in packages},
        "commit": git("rev-parse", "--short=10", "HEAD") + ("+" if changed else ""),
    }


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of its finished children."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
