"""Trackers of experiments, by Accelerate: the numbers of log.jsonl by step, if the user asks for one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from accelerate.tracking import get_available_trackers

from electra_ie.common.errors import UserError, first_line, nearest
from electra_ie.common.logs import warn
from electra_ie.config.base import BaseSettings
from electra_ie.runs.layout import TRACKING

PROJECT = "electra_ie"
"""What the trackers call all our runs together."""
TRACKERS: dict[str, dict[str, str]] = {
    "tensorboard": {},
    "wandb": {
        "WANDB_DIR": "{}", "WANDB_CONSOLE": "off", "WANDB_DISABLE_CODE": "true", "WANDB_DISABLE_GIT": "true",
        "WANDB_X_DISABLE_META": "true", "WANDB_X_DISABLE_STATS": "true",
    },
    "mlflow": {"MLFLOW_TRACKING_URI": "sqlite:///{}/mlflow.db"},
    "trackio": {"TRACKIO_DIR": "{}/trackio"},
}  # fmt: skip
"""Variables of the environment that keep a tracker in the folder and to the numbers it is given; the user's own win."""
Track = Callable[[Mapping[str, Any]], None]
"""Called with each row of log.jsonl."""


def check_tracker(name: str | None) -> None:
    """Raises UserError for a tracker that there is not, or that is not installed."""
    if name is None:
        return
    if name not in TRACKERS:
        raise UserError(f'there is no tracker "{name}".', remedy=nearest(name, TRACKERS))
    if name not in [str(each) for each in get_available_trackers()]:
        raise UserError(f'the tracker "{name}" is not installed.', remedy=f"Run: pip install {name}")


@contextmanager
def tracking(accelerator: Accelerator, folder: Path, settings: BaseSettings, start: int) -> Iterator[Track]:
    """Within, rows of the log go to the tracker that the accelerator was made with, if to any: only their numbers, and
    of the recipe its numbers and what it chooses by name. `start`: the steps that are done already.

    Raises UserError where the tracker does not start. One that fails later is left out, with a warning: log.jsonl has
    all that it would have had.
    """
    if not accelerator.log_with:
        yield lambda row: None
        return
    with _environment(TRACKERS[str(accelerator.log_with[0])], (folder / TRACKING).absolute()):
        _begin(accelerator, folder, settings, start)

        def track(row: Mapping[str, Any]) -> None:
            values = numbers(row)
            _try(accelerator, lambda: accelerator.log(values, step=int(values.pop("step"))))

        try:
            yield track
        finally:
            _try(accelerator, lambda: [tracker.finish() for tracker in accelerator.trackers])
            accelerator.trackers.clear()


def _begin(accelerator: Accelerator, folder: Path, settings: BaseSettings, start: int) -> None:
    called = {"name": folder.absolute().name}
    given = {"wandb": called, "trackio": called, "mlflow": {"run_name": called["name"]}}
    given["tensorboard"] = {"purge_step": start + 1} if start else {}  # type: ignore[dict-item]
    config = {**numbers(settings.as_dict()), settings.preset_field: getattr(settings, settings.preset_field)}
    (folder / TRACKING).mkdir(parents=True, exist_ok=True)
    try:
        accelerator.init_trackers(PROJECT, config=config, init_kwargs=given)
    except Exception as error:  # whatever another package may raise
        remedy = "Set it up, or leave --track out."
        raise UserError(f"the tracker does not start: {first_line(error)}.", remedy=remedy) from error


def _try(accelerator: Accelerator, call: Callable[[], Any]) -> None:
    try:
        call()
    except Exception as error:  # training is worth more than its picture
        accelerator.trackers.clear()
        warn(f"the tracker is left out from here on: {first_line(error)}. log.jsonl goes on.")


def numbers(values: Mapping[str, Any], above: str = "") -> dict[str, float]:
    """The numbers among `values`, those of a mapping within by `outer/inner`."""
    found: dict[str, float] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= numbers(value, f"{above}{name}/")
        elif isinstance(value, (int, float)):
            found[f"{above}{name}"] = int(value) if isinstance(value, bool) else value
    return found


@contextmanager
def _environment(wanted: Mapping[str, str], folder: Path) -> Iterator[None]:
    mine = {name: value.format(folder) for name, value in wanted.items() if name not in os.environ}
    os.environ.update(mine)
    try:
        yield
    finally:
        for name in mine:
            os.environ.pop(name, None)
