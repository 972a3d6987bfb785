"""What holds of the model of any field of relations or attributes in a run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from electra_ie.common.errors import UserError
from electra_ie.inference.extractor import Extractor
from electra_ie.runs.provenance import verify


def check_damage(run: Path, copy: Path, field: str, rules: str) -> None:
    """Check the error of a model without its rules, and that of a missing one. rules: the key of its rules."""
    shutil.copytree(run, copy)
    config = json.loads((copy / field / "config.json").read_text("utf-8"))
    del config["electra_ie"][rules]
    (copy / field / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(UserError, match=f"{field}: config.json lacks valid rules of {rules}"):
        Extractor.from_pretrained(copy)
    shutil.rmtree(copy / field)
    with pytest.raises(UserError, match=f'the run has no model.safetensors for the field "{field}"'):
        Extractor.from_pretrained(copy)


def check_audit(run: Path, copy: Path, field: str) -> None:
    """Check that `verify` finds a changed model."""
    shutil.copytree(run, copy)
    assert not [each for each in verify(copy).differences if each.part == "weights"]
    with (copy / field / "model.safetensors").open("ab") as file:
        file.write(b"\0")
    assert [each.name for each in verify(copy).differences if each.part == "weights"] == [f"{field}/model.safetensors"]
