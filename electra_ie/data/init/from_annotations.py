"""`electra-ie init`: a task made from annotated data, with splits, fields and, where needed, the data as JSON lines.

The data are files, or a data set of the hub (see `from_hub`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from electra_ie.common.errors import ErrorCollector, UserError
from electra_ie.common.escaping import escape_controls
from electra_ie.common.files import locked
from electra_ie.common.folders import is_saved_data_set
from electra_ie.data.declaration.task_yaml import DATA_SETS
from electra_ie.data.init.field_inference import infer
from electra_ie.data.init.from_pushed import pushed_task
from electra_ie.data.init.source_splits import splits_of_sources, with_ids, without_unlabeled_tests
from electra_ie.data.init.sources import hub_name_of, read_files, read_hub, read_saved, refuse_plain_texts
from electra_ie.data.init.task_writing import converted_task, refuse_existing, task_in_place, write_pushed, write_task
from electra_ie.data.splits import DEV, TEST
from electra_ie.data.task import Task
from electra_ie.data.task_files import TASK_FILE
from electra_ie.formats import json_spans
from electra_ie.formats.base import Options


@dataclass(frozen=True)
class Initialized:
    """A task that was written for annotated data.

    Attributes:
        task: The task.
        assumptions: A line for each assumption that was made. They are also comments in its task.yaml.
    """

    task: Task
    assumptions: list[str]


def init_task(
    path: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    format: str | None = None,
    seed: int = 0,
    dev: float = 0.2,
    test: float = 0.2,
    configuration: str = "",
    options: Options = (),
) -> Initialized:
    """Write a task for annotated data, as `electra_ie.init` describes.

    The data stay where they are if the readers of tasks read them there, split as they are. Otherwise they are written
    as JSON lines.

    Raises:
        UserError: The data are invalid or have no labels, their format is unknown, the output exists, or the hub does
            not give the data set. Nothing is written then.
    """
    root = Path(path)
    refuse_plain_texts(root, format)
    hub_name = hub_name_of(path, format, configuration, options)
    name = hub_name.repository.partition("/")[2] if hub_name else root.resolve().name.partition(".")[0]
    folder = Path(output) if output is not None else Path(f"{name}_task")
    for option, share in (("dev", dev), ("test", test)):
        if not 0 <= share < 1 or dev + test >= 1:
            remedy = "Give shares from 0, which together are less than 1."
            raise UserError(f"--{option} is {share}.", remedy=remedy)
    refuse_existing(folder / TASK_FILE)
    if hub_name and not configuration and (pushed := pushed_task(hub_name)):
        assumed = write_pushed(pushed, hub_name, folder)
        return Initialized(Task.load(folder), assumed)
    if hub_name:
        found, documents = read_hub(hub_name, configuration, folder)
    elif is_saved_data_set(root) and format in (None, DATA_SETS):
        found, documents = read_saved(root, options)
    else:
        found, documents = read_files(root, format, options)
    errors = ErrorCollector()
    inferred = infer([document for own in documents.values() for document in own], errors.add)
    errors.raise_any(f"the data in {path}")
    if not inferred.fields:
        reasons = "; ".join([*found.assumed, *inferred.assumptions])
        message = f"there are no labels that a model could learn: {reasons}."
        known = "; ".join(filter(None, (json_spans.explain(source.path) for source in documents)))
        remedy = f"But {known}." if known else "Annotate spans of texts or labels of documents."
        raise UserError(message, file=path, remedy=remedy)
    remaining = iter(inferred.documents)
    read, left_out = without_unlabeled_tests(
        {source: list(islice(remaining, len(own))) for source, own in documents.items()}
    )
    by_source, renamed = with_ids(read)
    splits, drawn = splits_of_sources(by_source, inferred.fields, {DEV: dev, TEST: test}, seed)
    with locked(folder):
        refuse_existing(folder / TASK_FILE)  # again: another process may have written it in the meantime
        task = task_in_place(found.with_separators(inferred.separators), folder, by_source, splits, inferred.fields)
        where = [found.in_place] if task else [*renamed, f"the data are written as JSON lines in {folder}"]
        task = task or converted_task(found, folder, splits, inferred.fields)
        assumed = [*found.assumed, *inferred.assumptions, *left_out, *drawn, *where]
        assumed = [escape_controls(" ".join(line.split())) for line in assumed]
        write_task(task, assumed)
    return Initialized(Task.load(folder), assumed)
