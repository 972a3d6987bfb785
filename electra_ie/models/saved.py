"""Folders of saved models: where they are, and whether one may be written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from electra_ie.common.errors import UserError
from electra_ie.common.hub_client import download, parse_hub_name
from electra_ie.models.configs import DiscriminatorConfig
from electra_ie.models.untrusted import CONFIG, read_json_object

RUN_SETTINGS = "run.yaml"
"""The file that marks the folder of a run (see `runs.layout`)."""


def local_folder(
    name: str | os.PathLike[str],
    patterns: Sequence[str],
    *,
    revision: str | None = None,
    token: str | None = None,
    local_files_only: bool = False,
) -> Path:
    """Return the folder of a saved model: a local path as it is, `ORG/NAME[@REVISION]` downloaded from the Hub.

    Args:
        name: The path or name.
        patterns: The files that are downloaded.
        revision: A branch, tag or commit.
        token: A token for the Hub in place of the stored one.
        local_files_only: Use the download cache only.

    Raises:
        UserError: the repository cannot be downloaded.
    """
    if Path(name).is_dir():
        return Path(name)
    full_name = f"{os.fspath(name).partition('@')[0]}@{revision}" if revision else name
    hub_name = parse_hub_name(full_name)
    if hub_name is None:
        return Path(name)
    return download(hub_name, patterns, token=token, local_files_only=local_files_only)


def check_save_directory(folder: Path, fields: Sequence[str]) -> None:
    """Check that saving a discriminator in a folder replaces nothing but an earlier save.

    Raises:
        UserError: it is a file, the folder of a run or of another model, or the subfolder of a field has other files.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError("this is a file.", file=folder, remedy="Give a folder.")
    if (folder / RUN_SETTINGS).exists():
        message = "this is the folder of a run, whose audit records the models in it."
        raise UserError(message, file=folder, remedy="Give another folder.")
    model_type = read_json_object(folder / CONFIG).get("model_type")
    if (folder / CONFIG).exists() and model_type != DiscriminatorConfig.model_type:
        raise UserError("this is the folder of another model.", file=folder, remedy="Give another folder.")
    for name in fields:
        subfolder = folder / name
        if not subfolder.exists() or (subfolder.is_dir() and not any(subfolder.iterdir())):
            continue
        block = read_json_object(subfolder / CONFIG).get("electra_ie") if subfolder.is_dir() else None
        if not isinstance(block, dict) or block.get("field") != name:
            message = f"this is not the saved model of the field {name}, and would be replaced by it."
            raise UserError(message, file=subfolder, remedy="Give another folder.")
