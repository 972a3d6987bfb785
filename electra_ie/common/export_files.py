"""The files of an exported model, and of its models of relations and attributes."""

from __future__ import annotations

from pathlib import Path

from electra_ie.common.errors import UserError
from electra_ie.common.files import parse

EXPORT_MODEL, EXPORT_TOKENIZER, EXPORT_SETTINGS = "model.onnx", "tokenizer.json", "export.json"
EXPORT_FILES = (EXPORT_MODEL, EXPORT_TOKENIZER, EXPORT_SETTINGS)
"""The files that decide what an exported model finds. A folder that has the last one is an exported model."""
EXPORT_PATTERNS = (*EXPORT_FILES, *(f"*/{name}" for name in EXPORT_FILES))
"""These files, and those of its fields of relations and attributes: each has a folder with the same ones."""
ANCHORED = "anchored"
"""The key of these fields in the settings of an exported model."""


def export_files(folder: Path) -> list[str]:
    """Return the paths of the files that decide what an exported model finds, whether they exist or not.

    Raises:
        UserError: its settings are damaged.
    """
    file = folder / EXPORT_SETTINGS
    settings = parse(file.read_bytes(), file)
    try:
        names = [field["name"] for field in settings.get(ANCHORED, [])]
        valid = all(name.isidentifier() for name in names)  # a name leads to no other folder
    except (TypeError, KeyError, AttributeError):
        valid = False
    if not valid:
        remedy = "Restore the file, or export the run again."
        raise UserError("the list of relations and attributes is damaged.", file=file, remedy=remedy)
    return [*EXPORT_FILES, *(f"{name}/{own}" for name in names for own in EXPORT_FILES)]
