"""The public functions, a module for each stage: annotated data, labeling, training, runs, the Hub, typed values.

`compare` is in `comparison.runner`, `compare_runs` in `comparison.finished`. Modules that load torch are imported
inside the functions.
"""

from __future__ import annotations

from electra_ie.api.calibration import CalibrationResult, DriftResult, calibrate, drift
from electra_ie.api.data import check, convert, init
from electra_ie.api.distillation import distill
from electra_ie.api.hub import plan_push, plan_push_data, push_data, push_to_hub
from electra_ie.api.labeling import label
from electra_ie.api.review import resolve
from electra_ie.api.runs import evaluate, extract, verify
from electra_ie.api.serving import serve
from electra_ie.api.suggestions import Suggestions, suggest
from electra_ie.api.training import TrainResult, pretrain, train
from electra_ie.api.values import value
from electra_ie.inference.jobs.counts import Extraction
from electra_ie.inference.review.resolving import Resolution

__all__ = [
    "CalibrationResult", "DriftResult", "Extraction", "Resolution", "Suggestions", "TrainResult", "calibrate", "check",
    "convert", "distill", "drift", "evaluate", "extract", "init", "label", "plan_push", "plan_push_data", "pretrain",
    "push_data", "push_to_hub", "resolve", "serve", "suggest", "train", "value", "verify",
]  # fmt: skip
