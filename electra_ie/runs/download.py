"""A run on the hub, downloaded into the cache of the client."""

from __future__ import annotations

import os
from pathlib import Path

from electra_ie.common.errors import UserError
from electra_ie.common.files import MODEL_FILES
from electra_ie.common.hub_client import download, parse_hub_name
from electra_ie.runs.layout import RUN_FILES, TASK

RUN_PATTERNS = (*RUN_FILES, *(f"*/{name}" for name in MODEL_FILES))
"""What of a run is fetched. Of what others may have put beside it nothing is: no pickle, no code."""


def run_folder(run: str | os.PathLike[str], *, token: str | None = None, local_files_only: bool = False) -> Path:
    """The folder of a run: the one here; or that of `ORG/NAME[@REVISION]`, fetched into the client's cache.

    A revision that is no commit is looked up each time; a commit that is in the cache takes no network. Raises
    UserError where the hub has no such run.
    """
    name = parse_hub_name(run)
    if name is None:
        return Path(run)
    folder = download(name, RUN_PATTERNS, token=token, local_files_only=local_files_only)
    if not (folder / TASK).is_file():
        raise UserError(f"this is not a run (no {TASK} in it).", file=str(name), remedy="Name what push has sent.")
    return folder
