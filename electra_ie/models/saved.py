"""Checks of the folders of saved models, before and after reading, and before writing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from electra_ie.common.errors import UserError
from electra_ie.common.files import RUN_SETTINGS
from electra_ie.models.configs import DiscriminatorConfig
from electra_ie.models.untrusted import CONFIG, read_json_object


def check_model_type(folder: Path, model_type: str, description: str, author: str) -> None:
    """Check that a folder has the configuration of a model.

    Args:
        folder: The folder.
        model_type: The model type in its config.json.
        description: What the model is called in the message.
        author: What has written such a folder.

    Raises:
        UserError: it has none, or that of another model.
    """
    if read_json_object(folder / CONFIG).get("model_type") != model_type:
        message = f"there is no {description} here (no {CONFIG} with the model_type {model_type})."
        raise UserError(message, file=folder, remedy=f"Give a folder that {author} has written.")


def check_loaded_weights(loading_info: Mapping[str, Any], folder: Path, remedy: str) -> None:
    """Check what `from_pretrained` of transformers reports about the weights, which it only warns of.

    Raises:
        UserError: weights are missing, left over or of another shape.
    """
    mismatched = [name for name, *_ in loading_info["mismatched_keys"]]
    wrong = sorted([*loading_info["missing_keys"], *loading_info["unexpected_keys"], *mismatched])
    if wrong:
        raise UserError(
            f"these are not the weights that were saved here: {wrong[0]} is missing, unexpected or of another shape.",
            file=folder,
            remedy=remedy,
        )


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
