"""Checks of a model folder from an untrusted source, before any library reads it.

They refuse code to be run, paths that lead out of the folder, and weights that are not safetensors.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from electra_ie.common.errors import UserError

CONFIG, TOKENIZER, ADAPTER = "config.json", "tokenizer_config.json", "adapter_config.json"
INDEX = "model.safetensors.index.json"
CODE = ("auto_map", "custom_pipelines", "quantization_config")
"""Keys of a config that refer to code: they are ignored in the config of an encoder, and a run never has them."""
RESTORE = "Do not use a folder that you do not trust; restore your own, or train again."


def inspect_model(folder: Path, saved: bool = False) -> None:
    """Check the files of a model folder that refer to other files or to code.

    Args:
        folder: The folder.
        saved: Whether it is that of a field of a run, which this package has written, and not of an encoder.

    Raises:
        UserError: the folder refers to attention code to be downloaded, is an adapter of another model, has weights or
            a tokenizer outside the folder or weights that are not safetensors; or it is saved and refers to any code.
    """
    files = {name: read_json_object(folder / name) for name in (CONFIG, TOKENIZER, INDEX)}
    for key, value in _pairs(files[CONFIG]):
        if key.endswith("_implementation") and "/" in json.dumps(value):
            raise UserError(f'"{key}" refers to code to be downloaded: {value}.', file=folder / CONFIG, remedy=RESTORE)
    if (folder / ADAPTER).exists():
        remedy = "Merge the adapter into its model, save the result, and give its folder."
        raise UserError("this is an adapter of another model.", file=folder / ADAPTER, remedy=remedy)
    _refuse_paths(files[TOKENIZER].get("fast_tokenizer_files"), ".json", folder / TOKENIZER)
    _refuse_paths(files[INDEX].get("weight_map"), ".safetensors", folder / INDEX)
    for name in (CONFIG, TOKENIZER) if saved else ():
        code_keys = [key for key, _ in _pairs(files[name]) if key in CODE]
        if code_keys:
            message = f'"{code_keys[0]}" refers to code, which a run never does.'
            raise UserError(message, file=folder / name, remedy=RESTORE)


def strip_code_references(values: dict[str, Any]) -> None:
    """Remove the keys that refer to code from a config before it is saved: a stock class needs none."""
    for name in CODE:
        values.pop(name, None)


def read_json_object(file: Path) -> dict[str, Any]:
    """Return the object in a JSON file; empty if there is no such file. Raises UserError for any other content."""
    if not file.is_file():
        return {}
    try:
        values = json.loads(file.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError("this model cannot be loaded: this is not JSON.", file=file, remedy=RESTORE) from error
    if not isinstance(values, dict):
        raise UserError("this model cannot be loaded: this is not a JSON object.", file=file, remedy=RESTORE)
    return values


def _pairs(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield every key of nested objects with its value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from _pairs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _pairs(inner)


def _refuse_paths(names: Any, suffix: str, file: Path) -> None:
    """Raise UserError unless all names, in a list or the values of an object, are plain file names with this suffix."""
    for name in names.values() if isinstance(names, dict) else names or ():
        if not isinstance(name, str) or not name.endswith(suffix) or set("/\\:") & set(name):
            message = f"it refers to {name!r}, which is not a {suffix} file of this folder."
            raise UserError(message, file=file, remedy=RESTORE)
