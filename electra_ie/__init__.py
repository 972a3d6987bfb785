"""Train text information extractors from a small set of labels and a larger set of unlabeled text.

The functions are those behind the commands: `init`, `convert`, `check`, `pretrain`, `train`, `distill`, `compare`,
`compare_runs`, `evaluate`, `calibrate`, `extract`, `resolve`, `drift`, `serve`, `suggest`, `label`, `value`, `verify`,
`push_to_hub` and `push_data`. `train` returns a `TrainResult`; an `Extractor` applies a trained model to texts, and an
`ExportedExtractor` an exported one, without torch. Public names are imported on first use, so that `import electra_ie`
alone imports no other package.

docs/design.md lists the folders in their import order, and tests/test_house.py keeps it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from electra_ie.api import CalibrationResult as CalibrationResult
    from electra_ie.api import DriftResult as DriftResult
    from electra_ie.api import Resolution as Resolution
    from electra_ie.api import Suggestions as Suggestions
    from electra_ie.api import TrainResult as TrainResult
    from electra_ie.api import calibrate as calibrate
    from electra_ie.api import check as check
    from electra_ie.api import convert as convert
    from electra_ie.api import distill as distill
    from electra_ie.api import drift as drift
    from electra_ie.api import evaluate as evaluate
    from electra_ie.api import extract as extract
    from electra_ie.api import init as init
    from electra_ie.api import label as label
    from electra_ie.api import pretrain as pretrain
    from electra_ie.api import push_data as push_data
    from electra_ie.api import push_to_hub as push_to_hub
    from electra_ie.api import resolve as resolve
    from electra_ie.api import serve as serve
    from electra_ie.api import suggest as suggest
    from electra_ie.api import train as train
    from electra_ie.api import value as value
    from electra_ie.api import verify as verify
    from electra_ie.checks.checker import CheckReport as CheckReport
    from electra_ie.common.errors import UserError as UserError
    from electra_ie.comparison.finished import RunMeasurement as RunMeasurement
    from electra_ie.comparison.finished import compare_runs as compare_runs
    from electra_ie.comparison.runner import compare as compare
    from electra_ie.config.pretrain import PretrainSettings as PretrainSettings
    from electra_ie.config.train import TrainSettings as TrainSettings
    from electra_ie.data.document import Document as Document
    from electra_ie.data.document import Finding as Finding
    from electra_ie.data.document import Span as Span
    from electra_ie.data.fields import Field as Field
    from electra_ie.data.init.from_annotations import Initialized as Initialized
    from electra_ie.data.task import Task as Task
    from electra_ie.formats.conversion import Conversion as Conversion
    from electra_ie.inference.engine.exported import ExportedExtractor as ExportedExtractor
    from electra_ie.inference.engine.results import Findings as Findings
    from electra_ie.inference.extractor import Extractor as Extractor
    from electra_ie.inference.scoring import FieldScores as FieldScores
    from electra_ie.inference.scoring import RunScores as RunScores
    from electra_ie.inference.scoring import SplitScores as SplitScores
    from electra_ie.models.configs import DiscriminatorConfig as DiscriminatorConfig
    from electra_ie.models.configs import LatentGeneratorConfig as LatentGeneratorConfig
    from electra_ie.models.configs import MaskingGeneratorConfig as MaskingGeneratorConfig
    from electra_ie.models.discriminator import Discriminator as Discriminator
    from electra_ie.models.latent_generator import LatentGenerator as LatentGenerator
    from electra_ie.models.masking_generator import MaskingGenerator as MaskingGenerator
    from electra_ie.selection.choosing import Choice as Choice
    from electra_ie.training.callbacks import Callback as Callback
    from electra_ie.values.value import Value as Value

    __version__: str

_HOMES = {
    "init": "api", "convert": "api", "check": "api", "suggest": "api", "label": "api",
    "Initialized": "data.init.from_annotations", "Conversion": "formats.conversion", "CheckReport": "checks.checker",
    "pretrain": "api", "train": "api", "distill": "api", "evaluate": "api", "extract": "api",
    "calibrate": "api", "drift": "api", "CalibrationResult": "api", "DriftResult": "api",
    "resolve": "api", "Resolution": "api",
    "verify": "api", "serve": "api", "value": "api", "Value": "values.value", "push_data": "api", "push_to_hub": "api",
    "compare": "comparison.runner",
    "compare_runs": "comparison.finished", "RunMeasurement": "comparison.finished",
    "TrainResult": "api", "Suggestions": "api", "Choice": "selection.choosing",
    "Extractor": "inference.extractor", "ExportedExtractor": "inference.engine.exported",
    "Findings": "inference.engine.results",
    "RunScores": "inference.scoring", "SplitScores": "inference.scoring", "FieldScores": "inference.scoring",
    "TrainSettings": "config.train", "PretrainSettings": "config.pretrain",
    "Task": "data.task", "Field": "data.fields",
    "Document": "data.document", "Span": "data.document", "Finding": "data.document",
    "UserError": "common.errors", "Callback": "training.callbacks",
    "Discriminator": "models.discriminator", "DiscriminatorConfig": "models.configs",
    "LatentGenerator": "models.latent_generator", "LatentGeneratorConfig": "models.configs",
    "MaskingGenerator": "models.masking_generator", "MaskingGeneratorConfig": "models.configs",
}  # fmt: skip
__all__ = [
    "CalibrationResult", "Callback", "CheckReport", "Choice", "Conversion", "Discriminator", "DiscriminatorConfig",
    "Document", "DriftResult", "ExportedExtractor", "Extractor", "Field", "FieldScores", "Finding", "Findings",
    "Initialized", "LatentGenerator", "LatentGeneratorConfig", "MaskingGenerator", "MaskingGeneratorConfig",
    "PretrainSettings", "Resolution", "RunMeasurement", "RunScores", "Span", "SplitScores", "Suggestions", "Task",
    "TrainResult", "TrainSettings", "UserError", "Value", "calibrate", "check", "compare", "compare_runs", "convert",
    "distill", "drift", "evaluate", "extract", "init", "label", "pretrain", "push_data", "push_to_hub", "resolve",
    "serve", "suggest", "train", "value", "verify",
]  # fmt: skip

import_module(f"{__name__}.common.logs")  # installs the default handler, which the application may then replace
import_module(f"{__name__}.models.auto_classes").register()  # so that the Auto classes load a distilled static model


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module(f"{__name__}.common.hashing").package_version()
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
