"""Provenance record of an exported model, audit.json: hashes of its files and of its run; verification."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from electra_ie.common.errors import UserError
from electra_ie.common.export_files import export_files
from electra_ie.common.files import CALIBRATION, write
from electra_ie.common.hashing import SHOWN, of_file, of_sums
from electra_ie.runs.code import code_now, interpreter_now, versions
from electra_ie.runs.layout import AUDIT, TASK, refuse_links
from electra_ie.runs.verification import Verification, compare, read_audit

CHECKED = ("weights", "settings", "code", "environment")
"""The parts of the audit of an exported model that `verify` recomputes and compares."""
RUNS_WITH = ("numpy", "onnxruntime", "tokenizers")
"""The packages that extract with an exported model."""
MADE_WITH = ("torch", "transformers", "onnx", "onnxscript")
"""The packages that export; they may be missing where the model is used."""


def write_export_audit(
    folder: Path, run: Path, weights: Mapping[str, str], export: Mapping[str, Any], facts: Mapping[str, Any]
) -> None:
    """Write the audit of an exported model whose files are saved.

    Args:
        folder: The folder of the exported model.
        run: The folder of the run.
        weights: The hashes of the model files of the run.
        export: Format, operator set and bits.
        facts: How the exported model compares with the run.
    """
    files = _files(folder)
    audit = {
        "model": of_sums(files),
        "weights": files,
        "settings": _settings(folder),
        "export": {**export, "made_with": versions(MADE_WITH)},
        "run": {
            "model": of_sums(weights),
            "weights": dict(weights),
            "audit": of_file(run / AUDIT) if (run / AUDIT).is_file() else None,
        },
        **facts,
        "code": code_now(),
        "environment": _environment(),
    }
    write(folder / AUDIT, json.dumps(audit, indent=2, ensure_ascii=False) + "\n")


def read_export_audit(folder: Path) -> dict[str, Any]:
    """Return the audit of an exported model. Raises UserError if it is missing or has another structure."""
    if not (folder / AUDIT).is_file():
        raise UserError(f"the exported model has no {AUDIT}.", file=folder, remedy="Export the run again.")
    return read_audit(folder, (*CHECKED, "run"))


def verify_export(folder: Path) -> Verification:
    """Recompute the audit of an exported model and compare.

    Raises:
        UserError: it has no audit, or contains a link out of its folder.
    """
    refuse_links(folder)
    then = read_export_audit(folder)
    now = {
        "weights": _files(folder),
        "settings": _settings(folder),
        "code": code_now(),
        "environment": _environment(),
    }
    differences = [difference for part in CHECKED for difference in compare(part, then, now)]
    run = str(then["run"].get("model"))[:SHOWN]
    return Verification(differences, [f"data and splits: verify the run that was exported, model {run}."])


def _files(folder: Path) -> dict[str, str]:
    return {name: of_file(folder / name) for name in export_files(folder) if (folder / name).is_file()}


def _settings(folder: Path) -> dict[str, str]:
    return {name: of_file(folder / name) for name in (TASK, CALIBRATION) if (folder / name).is_file()}


def _environment() -> dict[str, str]:
    return {**interpreter_now(), **versions(RUNS_WITH)}
