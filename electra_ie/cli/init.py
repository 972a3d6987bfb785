"""Output of `electra-ie init`: the task that was written, and what was assumed."""

from __future__ import annotations

from electra_ie.cli.listing import show
from electra_ie.common.logs import notice
from electra_ie.common.progress import output
from electra_ie.data.task_init import init_task


def init(path: str, folder: str | None, format: str | None, seed: int, shares: tuple[float, float]) -> None:
    """Write a task for annotated data, and print it with one line for each assumption.

    Args:
        path: The data.
        folder: The folder of the task, or None for the default.
        format: The format of the data, or None to detect it.
        seed: The seed of splits that are drawn.
        shares: The shares of dev and test, where they are drawn.

    Raises:
        UserError: As `init_task`.
    """
    done = init_task(path, folder, format, seed, *shares)
    for line in done.assumptions:
        output().print(f"assumed: {line}", markup=False, highlight=False, soft_wrap=True)
    parent = str(done.task.file.parent)
    show(parent)
    notice(f"task written to {done.task.file}: correct it if an assumption is wrong; then: electra-ie train {parent}")
