"""Experiment trackers, by Accelerate: they get the numeric values of log.jsonl by step, if the user selects one."""

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
"""The project name that all runs have in a tracker."""
TRACKERS: dict[str, dict[str, str]] = {
    "tensorboard": {},
    "wandb": {
        "WANDB_DIR": "{}", "WANDB_CONSOLE": "off", "WANDB_DISABLE_CODE": "true", "WANDB_DISABLE_GIT": "true",
        "WANDB_X_DISABLE_META": "true", "WANDB_X_DISABLE_STATS": "true",
    },
    "mlflow": {"MLFLOW_TRACKING_URI": "sqlite:///{}/mlflow.db"},
    "trackio": {"TRACKIO_DIR": "{}/trackio"},
}  # fmt: skip
"""Environment variables that make a tracker write into the run's folder (`{}`) and send nothing but the logged values.

Variables that the user has set are not changed."""
Track = Callable[[Mapping[str, Any]], None]
"""A function that is called with each row of log.jsonl."""


def check_tracker(name: str | None) -> None:
    """Raise UserError for a tracker that is unknown or not installed."""
    if name is None:
        return
    if name not in TRACKERS:
        raise UserError(f'there is no tracker "{name}".', remedy=nearest(name, TRACKERS))
    if name not in [str(tracker) for tracker in get_available_trackers()]:
        raise UserError(f'the tracker "{name}" is not installed.', remedy=f"Run: pip install {name}")


@contextmanager
def tracking(accelerator: Accelerator, folder: Path, settings: BaseSettings, start: int) -> Iterator[Track]:
    """Start the accelerator's tracker, if it has one, and yield a function that sends it a row of the log.

    Only numeric values are sent: those of rows and settings, and the preset or objective. start: the number of steps
    done before, in a resumed run.

    Raises UserError if the tracker does not start. A tracker that fails later is dropped with a warning, since
    log.jsonl contains all that it would have got.
    """
    if not accelerator.log_with:
        yield lambda row: None
        return
    with _environment(TRACKERS[str(accelerator.log_with[0])], (folder / TRACKING).absolute()):
        _begin(accelerator, folder, settings, start)

        def track(row: Mapping[str, Any]) -> None:
            values = numeric_values(row)
            _try(accelerator, lambda: accelerator.log(values, step=int(values.pop("step"))))

        try:
            yield track
        finally:
            _try(accelerator, lambda: [tracker.finish() for tracker in accelerator.trackers])
            accelerator.trackers.clear()


def _begin(accelerator: Accelerator, folder: Path, settings: BaseSettings, start: int) -> None:
    name = folder.absolute().name
    kwargs = {"wandb": {"name": name}, "trackio": {"name": name}, "mlflow": {"run_name": name}}
    kwargs["tensorboard"] = {"purge_step": start + 1} if start else {}  # type: ignore[dict-item]
    config = {**numeric_values(settings.as_dict()), settings.preset_field: getattr(settings, settings.preset_field)}
    (folder / TRACKING).mkdir(parents=True, exist_ok=True)
    try:
        accelerator.init_trackers(PROJECT, config=config, init_kwargs=kwargs)
    except Exception as error:  # the packages raise errors of many types
        remedy = "Set it up, or remove --track."
        raise UserError(f"the tracker does not start: {first_line(error)}.", remedy=remedy) from error


def _try(accelerator: Accelerator, call: Callable[[], Any]) -> None:
    try:
        call()
    except Exception as error:  # a failing tracker must not end the training
        accelerator.trackers.clear()
        warn(f"the tracker has failed and gets no more values: {first_line(error)}. log.jsonl is still written.")


def numeric_values(values: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Return the numeric values of a mapping; those of a nested mapping are named `outer/inner`."""
    numbers: dict[str, float] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            numbers |= numeric_values(value, f"{prefix}{name}/")
        elif isinstance(value, (int, float)):
            numbers[f"{prefix}{name}"] = int(value) if isinstance(value, bool) else value
    return numbers


@contextmanager
def _environment(defaults: Mapping[str, str], folder: Path) -> Iterator[None]:
    """Set environment variables within the context, except those that are set already."""
    added = {name: value.format(folder) for name, value in defaults.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
