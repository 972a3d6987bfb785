"""The metadata of a model card: the YAML block that the Hub reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from electra_ie.config.distill import STATIC
from electra_ie.config.train import TrainSettings
from electra_ie.data.dataset_card import LANGUAGES, DataCard
from electra_ie.data.fields import Field
from electra_ie.data.task import Task
from electra_ie.metrics import MAIN, NAMES
from electra_ie.models.encoders import EMBEDDED_NAMES, INSTALL_COMMANDS
from electra_ie.models.multilingual_encoder import NAME, REPOSITORY
from electra_ie.runs.cards.usage_snippets import PIPELINES
from electra_ie.runs.training_facts import TrainingFacts

SCORED = ("dev", "test")
"""The splits whose scores a card shows, in order."""
METRICS = {"accuracy": "accuracy", "macro_f1": "f1", "f1": "f1"}
"""Our metric names -> those of the Hub."""


def base_model(encoder: str) -> str | None:
    """Return the encoder's repository name on the Hub, without revision; None for a local folder.

    An existing folder takes precedence over a repository of the same name. A name without an organization counts as a
    repository only with a revision.
    """
    if encoder in INSTALL_COMMANDS:
        return REPOSITORY if encoder == NAME else EMBEDDED_NAMES[-1]
    name, revision, _ = encoder.partition("@")
    form = r"\w[\w.-]*(/[\w.-]+)?" if revision else r"\w[\w.-]*/[\w.-]+"
    return name if re.fullmatch(form, name) and not Path(encoder).is_dir() else None


def front_matter(task: Task, settings: TrainSettings, scores: Mapping[str, Any], card: DataCard | None) -> str:
    """Return the metadata between two lines of `---`. scores: the content of scores.json."""
    training: TrainingFacts = scores["training"]
    distillation = training.get("distillation")
    made_by = distillation["name"] if distillation else settings.preset
    library = "electra_ie" if made_by == STATIC else "transformers"  # stock transformers cannot load a static model
    data = _metadata(task.fields, library) | _origins(training, card)
    if results := list(_results(task, scores)):
        data |= {"model_name": f"{task.name}-{made_by}", "eval_results": results}
    return _block(data) + "\n"


def exported_front_matter(fields: Sequence[Field], training: TrainingFacts, card: DataCard | None) -> str:
    """Return the metadata of an exported model: origins and license as in the card of its run, without scores.

    training: the facts about the training in scores.json; empty for a run without scores.
    """
    data = _metadata(fields, "electra_ie", "onnx") | _origins(training, card)
    return _block(data) + "\n"


def model_metadata(fields: Sequence[Field]) -> str:
    """Return the metadata of models without a run, between two lines of `---`."""
    return _block(_metadata(fields, "transformers"))


def _metadata(fields: Sequence[Field], library: str, *tags: str) -> dict[str, Any]:
    """Return what the Hub lists a model by: the library that loads it, pipeline and tags."""
    kinds = {field.kind for field in fields}
    return {
        "library_name": library,
        "pipeline_tag": PIPELINES["spans" if "spans" in kinds else "classes"],
        "tags": ["electra_ie", "information-extraction", *sorted({PIPELINES[kind] for kind in kinds}), *tags],
    }


def _origins(training: TrainingFacts, card: DataCard | None) -> dict[str, Any]:
    """Return language, license, encoder and data set of a run, as far as they are known."""
    dataset = training.get("dataset")
    known = {
        "language": LANGUAGES[card.language] if card and card.language else None,
        "license": card.hub_license if card else None,
        "base_model": training.get("base_model"),
        "datasets": [dataset] if dataset else None,
    }
    return {name: value for name, value in known.items() if value}


def _block(data: Mapping[str, Any]) -> str:
    return f"---\n{ModelCardData(**data).to_yaml()}\n---\n"


def _results(task: Task, scores: Mapping[str, Any]) -> Iterator[EvalResult]:
    """Yield the main score of each field on each split, where it is defined."""
    for split in SCORED:
        for field in task.fields:
            main = MAIN[field.kind]
            value = scores.get(split, {}).get(field.name, {}).get(main)
            if value is not None:  # the Hub accepts only numbers
                name = f"{NAMES[main]}, strict" if field.kind == "spans" else NAMES[main]
                yield EvalResult(
                    task_type=PIPELINES[field.kind], task_name=field.name, dataset_type=task.name,
                    dataset_name=task.name, dataset_config=field.name, dataset_split=split,
                    metric_type=METRICS[main], metric_name=name,
                    metric_value=round(value, 4),
                )  # fmt: skip
