"""What must not stand in a folder that somebody else may have made, looked at before any library reads it: code to be
run, paths that lead out of the folder, weights that are no safetensors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from electra_ie.errors import UserError

CODE = ("auto_map", "custom_pipelines", "quantization_config")
"""Keys by which a configuration names code: in an encoder's they are passed over, in a run's they are never written."""
RESTORE = "Do not use a stranger's folder; restore one of your own, or train again."


def inspect_model(folder: Path, saved: bool = False) -> None:
    """Look through the files of a model's folder that name others. saved: is it a field of a run, which this package
    wrote, and not an encoder?

    Raises UserError for attention code to be fetched, an adapter of another model, weights or a tokenizer outside the
    folder, weights that are no safetensors; and in a run for whatever names code.
    """
    config = _values(folder / "config.json")
    for key, value in _pairs(config):
        if key.endswith("_implementation") and isinstance(value, str) and "/" in value:
            raise UserError(f'"{key}" names code to be fetched: {value!r}.', file=folder / "config.json", remedy=RESTORE)
    if (folder / "adapter_config.json").exists():
        remedy = "Merge the adapter into its model, save that, and give its folder."
        raise UserError("this is an adapter of another model.", file=folder / "adapter_config.json", remedy=remedy)
    told = _values(folder / "tokenizer_config.json")
    index = _values(folder / "model.safetensors.index.json").get("weight_map")
    _refuse_paths(told.get("fast_tokenizer_files"), ".json", folder / "tokenizer_config.json")
    _refuse_paths(list(index.values()) if isinstance(index, dict) else index, ".safetensors",
                  folder / "model.safetensors.index.json")  # fmt: skip
    if saved:
        for name, values in (("config.json", config), ("tokenizer_config.json", told)):
            found = [key for key, _ in _pairs(values) if key in CODE]
            if found:
                raise UserError(f'"{found[0]}" names code, which a run never does.', file=folder / name, remedy=RESTORE)


def forget_code(values: dict[str, Any]) -> None:
    """Take out of a configuration what names code, before it is saved: a model of a stock class needs none."""
    for name in CODE:
        values.pop(name, None)


def _values(file: Path) -> dict[str, Any]:
    """The object of a JSON file; nothing where there is no such file."""
    if not file.is_file():
        return {}
    try:
        values = json.loads(file.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError("this model cannot be loaded: this is not JSON.", file=file, remedy=RESTORE) from error
    if not isinstance(values, dict):
        raise UserError("this model cannot be loaded: this is no JSON object.", file=file, remedy=RESTORE)
    return values


def _pairs(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key at any depth, with its value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from _pairs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _pairs(inner)


def _refuse_paths(names: Any, ending: str, file: Path) -> None:
    """Raises UserError unless every one of `names` is that of a file of this kind in the same folder."""
    for name in names or ():
        if not isinstance(name, str) or not name.endswith(ending) or set("/\\:") & set(name):
            raise UserError(f"it names {name!r}, which is no {ending} file of this folder.", file=file, remedy=RESTORE)
