"""The section of a card on the run that taught the model."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

from electra_ie.common.hashing import SHOWN
from electra_ie.config.distill import STATIC
from electra_ie.runs.cards.facts import RunSummary
from electra_ie.runs.cards.markdown import plain
from electra_ie.runs.training_facts import DistillationFacts

TRAINING = (
    "max_steps", "batch_size", "unlabeled_batch_size", "learning_rate", "head_learning_rate", "mask_ratio",
    "freeze_embeddings",
)  # fmt: skip
"""Settings of the training of a student."""


def distillation_lines(facts: RunSummary) -> Iterator[str]:
    """Yield the section on the run that a student was distilled from."""
    distillation = facts.training.get("distillation")
    if not distillation:
        return
    teacher = facts.training.get("teacher", {}).get("dev")
    scores = f", which scores {teacher['mean']:.3f} on dev" if teacher and teacher["mean"] is not None else ""
    yield "## Distillation"
    yield ""
    yield (
        f"This model is smaller and faster than the run that taught it: `{plain(distillation['run'])}`, model "
        f"`{distillation['teacher'][:SHOWN]}` (preset {distillation['preset']}){scores}."
    )
    yield from _student(distillation)
    yield (
        "It was trained on the labels, and on the probabilities that the run gives for the labeled and the unlabeled "
        "texts (temperature 1). The thresholds of flags are its own."
    )
    yield ""
    yield "| property | value |"
    yield "| --- | --- |"
    yield f"| SHA-256 of the model files of the teacher | `{distillation['teacher']}` |"
    for name in TRAINING:
        value = getattr(facts.settings, name)
        given = " (--set)" if name in distillation["settings"] else ""
        yield f"| `{name}` | {'derived' if value is None else value}{given} |"


def _student(distillation: DistillationFacts) -> Iterator[str]:
    """Yield what the student is, and how stock transformers takes it."""
    if "layers" in distillation:
        kept = ", ".join(str(index + 1) for index in distillation["layers"])
        yield (
            f"It began with the layers {kept} of the {distillation['of']} layers of that run's encoder and with its "
            "heads."
        )
        return
    made = {
        "run": "the mean states of the tokens in that run's encoder",
        "fasttext": "trained on the text by FastText",
    }
    yield (
        f"It has no attention: one vector for each token ({made[distillation['vectors']]}), and layers over a few "
        "neighboring tokens. Stock transformers alone cannot load it: `import electra_ie` registers its classes."
    )


def distill_command(distillation: DistillationFacts, data: str) -> str:
    """Return the command that distills the student again, of a run TEACHER. data: the option of the data folder."""
    form = f"--layers {len(distillation['layers'])}" if "layers" in distillation else f"--to {STATIC}"
    form += " --vectors fasttext" if distillation.get("vectors") == "fasttext" else ""
    texts = "".join(f" --unlabeled {shlex.quote(f'path/to/{name}')}" for name in distillation["unlabeled"])
    settings = "".join(
        f" --set {shlex.quote(f'{name}={_as_override(value)}')}" for name, value in distillation["settings"].items()
    )
    return f"electra-ie distill TEACHER {form}{data}{texts}{settings} --output again"


def _as_override(value: Any) -> str:
    """Return a value as `--set` reads it: a word as it is, everything else as JSON, which YAML contains."""
    return value if isinstance(value, str) else json.dumps(value)
