"""A data set of the hub that `push-data` sent, for `electra-ie init`: nothing is assumed, since it has a task.yaml."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from electra_ie.common.errors import UserError
from electra_ie.common.files import CARD
from electra_ie.common.hub_client import HubName, data_set_commit, download
from electra_ie.common.logs import notice
from electra_ie.common.yaml_source import Source
from electra_ie.data.declaration.record_plan import RECORD
from electra_ie.data.splits import SPLITS
from electra_ie.data.task import Task
from electra_ie.data.task_files import TASK_FILE

LINES = "jsonl"
KEYS = {"description", "format", "files", "fields", "descriptions", RECORD}
"""The keys that `push-data` writes. A task.yaml with others, such as paths of this machine, is not one of its."""


@dataclass(frozen=True)
class Pushed:
    """A data set that was sent with its task.

    Attributes:
        task: The task, whose files are in the cache of the hub client.
        files: The names of the files to keep: those of the splits, and the card.
        commit: The commit of the data set.
    """

    task: Task
    files: tuple[str, ...]
    commit: str

    @property
    def yaml(self) -> str:
        """The task.yaml as it was sent."""
        return self.task.file.read_text("utf-8")


def pushed_task(name: HubName) -> Pushed | None:
    """Return a data set of the hub that was sent with its task, all of its records read; None for any other.

    Raises:
        UserError: There is no such data set, the hub does not give a file, or a record is invalid.
    """
    offline = not data_set_commit(name)
    try:
        folder = download(name, [TASK_FILE], kind="dataset", local_files_only=offline)
    except UserError:
        if offline:  # what is not in the cache of the client may be in that of `datasets`
            return None
        raise
    splits = _splits(folder / TASK_FILE)
    if not splits:
        return None
    if offline:
        notice(f"{name}: the hub cannot be reached, or HF_HUB_OFFLINE is set: the copy in the cache is used.")
    files = [f"{split}.{LINES}" for split in splits]
    exact = HubName(name.repository, folder.name)  # so that all files are of one commit
    folder = download(exact, [TASK_FILE, CARD, *files], kind="dataset", local_files_only=offline)
    task = Task.load(folder)
    task.read_splits(task.splits)
    present = [file for file in (CARD, *files) if (folder / file).is_file()]
    return Pushed(task, tuple(present), folder.name)


def _splits(file: Path) -> list[str]:
    """Return the splits of a task.yaml that `push-data` has written; none of any other, as other programs have."""
    with suppress(UserError):
        if file.is_file():
            mapping, _ = Source.read(file)
            if not isinstance(mapping, dict):
                return []
            files = mapping.get("files")
            written = {split: f"{split}.{LINES}" for split in files} if isinstance(files, dict) else {}
            if set(mapping) <= KEYS and mapping.get("format") == LINES and files == written and set(files) <= {*SPLITS}:
                return list(files)
    return []
