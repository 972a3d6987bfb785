"""Functions that send runs and data to the Hub: `push_to_hub` and `push_data`, and what they would send."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from electra_ie.common.arguments import check_types
from electra_ie.common.hub_client import parse_push_target, refuse_secrets, upload
from electra_ie.data.task import Task

if TYPE_CHECKING:
    from electra_ie.runs.upload import Upload


@check_types
def push_to_hub(
    run: str | os.PathLike[str],
    repository: str,
    *,
    private: bool = False,
    revision: str | None = None,
    token: str | None = None,
) -> str:
    """Send a finished run or an exported model to the Hub as one commit.

    Afterwards the branch contains this run or model and no file of an earlier one.

    Args:
        run: The folder of the run or of the exported model.
        repository: The repository, `ORG/NAME`. It is created if it does not exist.
        private: Create the repository as private; refuse an existing public one.
        revision: The branch (default: main).
        token: A token in place of the one that the Hub's client has stored (HF_TOKEN, `hf auth login`).

    Returns:
        `ORG/NAME@COMMIT`, which loads exactly this run or model.

    Raises:
        UserError: The push is refused or fails; the repository is unchanged.
    """
    from electra_ie.runs.upload import push_run

    return push_run(Path(run), repository, private=private, revision=revision, token=token)


@check_types
def push_data(
    task: str | os.PathLike[str],
    repository: str,
    *,
    data: str | os.PathLike[str] | None = None,
    private: bool = False,
    token: str | None = None,
) -> str:
    """Send a task with its documents, texts included, to a data set on the Hub.

    `datasets.load_dataset` reads the data set, and a download of it is a task.

    Args:
        task: A task name or path, as for `train`.
        repository: The data set, `ORG/NAME`.
        data: The folder of the task's files, instead of the one in task.yaml.
        private: As for `push_to_hub`.
        token: As for `push_to_hub`.

    Returns:
        `ORG/NAME@COMMIT`.

    Raises:
        UserError: The data are invalid, or the push is refused or fails; the data set is unchanged.
    """
    from electra_ie.runs.upload import is_data_path, plan_data_upload

    target = parse_push_target(repository)
    files = plan_data_upload(Task.load(task, data), repository).files
    commit = upload(
        files, target, "dataset", private=private, token=token, owned=lambda paths, _: filter(is_data_path, paths)
    )
    return f"{repository}@{commit}"


@check_types
def plan_push(run: str | os.PathLike[str], repository: str, revision: str | None = None) -> Upload:
    """Return what `push_to_hub` would send, without network access. Raises UserError for what it would refuse."""
    from electra_ie.runs.upload import plan_upload

    parse_push_target(repository, revision)
    return _checked(plan_upload(Path(run)))


@check_types
def plan_push_data(task: str | os.PathLike[str], repository: str, data: str | os.PathLike[str] | None = None) -> Upload:
    """Return what `push_data` would send, without network access. Raises UserError for what it would refuse."""
    from electra_ie.runs.upload import plan_data_upload

    parse_push_target(repository)
    return _checked(plan_data_upload(Task.load(task, data), repository))


def _checked(planned: Upload) -> Upload:
    refuse_secrets(planned.files, os.environ.get("HF_TOKEN"))
    return planned
