"""What must not stand in a folder that somebody else may have made, looked at before any library reads it: code to be
run, paths that lead out of the folder, weights that are no safetensors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from electra_ie.common.errors import UserError

CONFIG, TOKENIZER, ADAPTER = "config.json", "tokenizer_config.json", "adapter_config.json"
INDEX = "model.safetensors.index.json"
CODE = ("auto_map", "custom_pipelines", "quantization_config")
"""Keys by which a configuration names code: in an encoder's they are passed over, in a run's they are never written."""
RESTORE = "Do not use a stranger's folder; restore one of your own, or train again."


def inspect_model(folder: Path, saved: bool = False) -> None:
    """Look through the files of a model's folder that name others. saved: is it a field of a run, which this package
    wrote, and not an encoder?

    Raises UserError for attention code to be fetched, an adapter of another model, weights or a tokenizer outside the
    folder, weights that are no safetensors; and in a run for whatever names code.
    """
    files = {name: values_of(folder / name) for name in (CONFIG, TOKENIZER, INDEX)}
    for key, value in _pairs(files[CONFIG]):
        if key.endswith("_implementation") and "/" in json.dumps(value):
            raise UserError(f'"{key}" names code to be fetched: {value}.', file=folder / CONFIG, remedy=RESTORE)
    if (folder / ADAPTER).exists():
        remedy = "Merge the adapter into its model, save that, and give its folder."
        raise UserError("this is an adapter of another model.", file=folder / ADAPTER, remedy=remedy)
    _refuse_paths(files[TOKENIZER].get("fast_tokenizer_files"), ".json", folder / TOKENIZER)
    _refuse_paths(files[INDEX].get("weight_map"), ".safetensors", folder / INDEX)
    for name in (CONFIG, TOKENIZER) if saved else ():
        found = [key for key, _ in _pairs(files[name]) if key in CODE]
        if found:
            raise UserError(f'"{found[0]}" names code, which a run never does.', file=folder / name, remedy=RESTORE)


def strip_code_references(values: dict[str, Any]) -> None:
    """Take out of a configuration what names code, before it is saved: a model of a stock class needs none."""
    for name in CODE:
        values.pop(name, None)


def values_of(file: Path) -> dict[str, Any]:
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


def _refuse_paths(told: Any, ending: str, file: Path) -> None:
    """Raises UserError unless all that is named, in a list or by the values of an object, is a file of this kind in the
    same folder."""
    for name in told.values() if isinstance(told, dict) else told or ():
        if not isinstance(name, str) or not name.endswith(ending) or set("/\\:") & set(name):
            raise UserError(f"it names {name!r}, which is no {ending} file of this folder.", file=file, remedy=RESTORE)
