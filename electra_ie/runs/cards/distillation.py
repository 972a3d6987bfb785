"""The section of a card on the run that taught the model."""

from __future__ import annotations

from collections.abc import Iterator

from electra_ie.common.hashing import SHOWN
from electra_ie.runs.cards.facts import RunSummary


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
        f"This model is smaller and faster than the run that taught it: model `{distillation['teacher'][:SHOWN]}` "
        f"(preset {distillation['preset']}){scores}."
    )
    if "layers" in distillation:
        kept = ", ".join(str(index + 1) for index in distillation["layers"])
        yield (
            f"It began with the layers {kept} of the {distillation['of']} layers of that run's encoder and with its "
            "heads."
        )
    else:
        made = {
            "run": "the mean states of the tokens in that run's encoder",
            "fasttext": "trained on the text by FastText",
        }
        yield (
            f"It has no attention: one vector for each token ({made[distillation['vectors']]}), and layers over a few "
            "neighboring tokens."
        )
    yield (
        "It was trained on the labels, and on the probabilities that the run gives for the labeled and the unlabeled "
        "texts (temperature 1). The thresholds of flags are its own."
    )
