"""Download of a run or an exported model from the Hub into the client's cache."""

from __future__ import annotations

import os
from pathlib import Path

from electra_ie.common.errors import UserError
from electra_ie.common.export_files import EXPORT_PATTERNS
from electra_ie.common.files import MODEL_FILES
from electra_ie.common.hub_client import local_folder
from electra_ie.runs.layout import RUN_FILES, TASK

RUN_PATTERNS = (*RUN_FILES, *EXPORT_PATTERNS, *(f"*/{name}" for name in MODEL_FILES))
"""The files of a run or an exported model that are downloaded; no other file of the repository: no pickle, no code."""


def run_folder(
    run: str | os.PathLike[str],
    *,
    revision: str | None = None,
    token: str | None = None,
    local_files_only: bool = False,
) -> Path:
    """Return the folder of a run or an exported model: a local path as it is.

    `ORG/NAME[@REVISION]` is downloaded into the client's cache. A branch or tag is resolved on every call; a commit
    that is in the cache needs no network.

    Raises:
        UserError: the repository cannot be downloaded, or is neither a run nor an exported model.
    """
    folder, name = local_folder(run, RUN_PATTERNS, revision=revision, token=token, local_files_only=local_files_only)
    if name and not (folder / TASK).is_file():
        remedy = "Name a repository that electra-ie push has written."
        raise UserError(f"this is not a run (no {TASK} in it).", file=str(name), remedy=remedy)
    return folder
