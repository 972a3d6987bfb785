"""Functions on annotated data, before a model is trained: `init`, `convert` and `check`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from electra_ie.api.outputs import check_outputs, data_files
from electra_ie.common.arguments import check_types
from electra_ie.common.errors import UserError
from electra_ie.common.files import refuse_overwriting, write
from electra_ie.data.in_memory import Data, Unlabeled, resolve
from electra_ie.formats.base import Options

if TYPE_CHECKING:  # the checks load torch: each function imports what it needs
    from electra_ie.checks.checker import CheckReport
    from electra_ie.data.init.from_annotations import Initialized
    from electra_ie.formats.conversion import Conversion

SHARE = 0.2
"""The share of the labeled documents that `init` draws for dev, and for test."""


@check_types
def init(  # noqa: PLR0913 - the options of a public function, all but two by keyword
    path: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    *,
    format: str | None = None,
    configuration: str | None = None,
    seed: int = 0,
    dev: float = SHARE,
    test: float = SHARE,
    fields: Mapping[str, Any] | None = None,
    options: Options = (),
) -> Initialized:
    """Write a task for annotated data: a folder with a task.yaml that names its fields, labels and splits.

    The data stay where they are if tasks read their format and they have all splits. Otherwise they are written as JSON
    lines next to task.yaml. A data set of the hub that `push_data` sent gives the task that it was sent with.

    Args:
        path: A file or folder of annotated data; or `ORG/NAME` or `ORG/NAME@REVISION`, a data set on the hub. A path
            that exists is never taken for a data set.
        output: The folder of the task (default: `NAME_task` in the current directory, for the name of the data).
        format: The name of the format of the files (default: it is detected).
        configuration: One of the configurations of a data set on the hub.
        seed: The seed with which missing splits are drawn.
        dev: The share of the labeled documents without a split for dev, if there is no file of this name; 0 for none.
        test: Likewise for test.
        fields: The fields of texts without labels, as in task.yaml: the texts are written as the split `unlabeled`, and
            their labels are made with `label`. The path is a .txt, a .jsonl or a folder of them.
        options: Options of the format of the files, as of `convert`: `{"text": "Message"}` names the column of a text.

    Returns:
        The task, and one line for each assumption that was made. The lines are also comments in task.yaml.

    Raises:
        UserError: The data are invalid or have no labels, their format is unknown, or the output exists. Nothing has
            been written.
    """
    from electra_ie.data.init.from_annotations import Initialized, init_task
    from electra_ie.data.init.from_texts import init_unlabeled

    if fields is not None:
        of_annotations = {
            "format": format is not None,
            "configuration": configuration is not None,
            "seed": seed != 0,
            "dev": dev != SHARE,
            "test": test != SHARE,
            "read": bool(options),
        }
        if given := [f"--{name}" for name, is_given in of_annotations.items() if is_given]:
            message = f"with --field, texts without labels are read; {', '.join(given)} is for annotated data."
            raise UserError(message, file=path, remedy="Omit it, or omit --field.")
        return Initialized(*init_unlabeled(path, output, fields))
    return init_task(path, output, format, seed, dev, test, configuration or "", options)


@check_types
def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    source_format: str | None = None,
    target_format: str | None = None,
    source_options: Options = (),
    target_options: Options = (),
    lossy: bool = False,
    check: bool = False,
) -> Conversion:
    """Convert annotations to another format.

    Args:
        source: The file or folder to read.
        target: The file or folder to write, which may not exist.
        source_format: The name of the format of the source (default: it is detected).
        target_format: The name of the format of the target (default: the only one with its ending).
        source_options: The options of the format of the source: values by name, or texts `key=value`.
        target_options: Likewise for the target.
        lossy: Write although something is lost.
        check: Read the target again and compare it with what was written. If it differs, it is removed.

    Returns:
        The number of documents and annotations, what the target cannot hold, counted by kind, and whether the target
        was written: not if something would be lost, unless `lossy` is given.

    Raises:
        UserError: The source is invalid (the first ten errors are in its `errors`), two documents have the same id, the
            target exists, a format or an option is unknown, or a format needs a package. Nothing has been written.
    """
    from electra_ie.formats.conversion import Side
    from electra_ie.formats.conversion import convert as convert_sides

    read = Side.of_source(source, source_format, source_options)
    return convert_sides(read, Side.of_target(target, target_format, target_options), lossy, check)


@check_types
def check(
    data: Data,
    /,
    *,
    fields: Mapping[str, Any] | None = None,
    unlabeled: Unlabeled | None = None,
    html: str | os.PathLike[str] | None = None,
    show_text: bool = False,
    **kwargs: Any,
) -> CheckReport:
    """Look for problems in labeled data and unlabeled text before training. No encoder is trained.

    Args:
        data: A task name or path, a `Task`, or data in memory, as for `train`.
        fields: For data in memory, the fields to predict, as for `train`.
        unlabeled: Additional unlabeled text, as for `train`.
        html: A path for the report as an HTML page.
        show_text: Show short passages of the documents in the page. Those of the returned report are in its places, and
            in `CheckReport.as_dict(show_text=True)`.
        kwargs: Settings by name, as for `train`: `encoder` names the one whose tokens are counted; `data` is the folder
            of the files of a task, instead of the one in task.yaml.

    Returns:
        Counts by split and label, and the issues, the most severe first. `passed` is true if none of them is an error
        or a warning.

    Raises:
        UserError: The data or the encoder cannot be read, or the page cannot be written. Nothing has been written.
    """
    from electra_ie.checks.checker import check as run_checks
    from electra_ie.checks.page import page

    task, settings = resolve(data, fields=fields, unlabeled=unlabeled, **kwargs)
    if html is not None:
        check_outputs([Path(html)])
        refuse_overwriting([Path(html)], data_files(task, settings.unlabeled))
    report = run_checks(task, settings)
    if html is not None:
        write(Path(html), page(report, show_text))
    return report
