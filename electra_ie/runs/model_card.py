"""The model card of a run, generated from the files of the run. It contains no document text unless requested."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from electra_ie.common.errors import UserError
from electra_ie.common.files import CARD, write
from electra_ie.common.logs import warn
from electra_ie.data.fields import ANCHORED_KINDS, Field
from electra_ie.runs.cards.anchored import anchored_lines
from electra_ie.runs.cards.calibration import calibration_lines
from electra_ie.runs.cards.data import data_lines, example_lines
from electra_ie.runs.cards.distillation import distillation_lines
from electra_ie.runs.cards.facts import RunSummary
from electra_ie.runs.cards.limits import limit_lines
from electra_ie.runs.cards.markdown import joined, plain
from electra_ie.runs.cards.metadata import front_matter, model_metadata
from electra_ie.runs.cards.origin import origin_lines
from electra_ie.runs.cards.records import record_lines
from electra_ie.runs.cards.reproduction import reproduction_lines
from electra_ie.runs.cards.scores import comparison_lines, field_lines, score_lines
from electra_ie.runs.cards.usage_snippets import loading
from electra_ie.runs.layout import AUDIT, SCORES


def model_card(run: Path, scores: Mapping[str, Any] | None = None) -> str:
    """Return the card as Markdown with the Hub's metadata.

    It is generated from the folder of a finished run: settings, scores, audit, and the comparison that the run won.

    scores: used in place of those in scores.json.
    """
    facts = RunSummary.read(run, scores)
    sections = (
        origin_lines(facts), distillation_lines(facts), field_lines(facts.task), score_lines(facts),
        calibration_lines(facts), *(anchored_lines(facts, kind) for kind in ANCHORED_KINDS),
        record_lines(facts), comparison_lines(facts), limit_lines(facts), data_lines(facts), example_lines(facts),
        _loading_lines(facts), reproduction_lines(facts),
    )  # fmt: skip
    return front_matter(facts.task, facts.settings, facts.scores, facts.data_card) + joined(sections)


def models_card(fields: Sequence[Field], repository: str) -> str:
    """Return the card of models that are pushed without a run: fields, labels and use, with the Hub's metadata."""
    lines = ["# Information extractor", "", "| field | kind | labels |", "| --- | --- | --- |"]
    lines += [f"| {field.name} | {field.kind} | {plain(', '.join(field.labels))} |" for field in fields]
    lines += ["", "Trained with electra_ie. The training data and the scores are not recorded here.", ""]
    lines += ["```python", "import electra_ie", ""]
    lines += [f'extractor = electra_ie.Extractor.from_pretrained("{repository}")', 'findings = extractor("...")', "```"]
    return "\n".join([model_metadata(fields), *lines]) + "\n"


def update_model_card(run: Path, previous: Mapping[str, Any]) -> None:
    """Write the card again after new scores. previous: the scores from which the current card was generated.

    A card that differs from the generated one, such as an edited card, is kept, with a warning. Does nothing without
    an audit or a card.

    Raises UserError if files of the run do not have the content that training writes.
    """
    card = run / CARD
    if not (run / AUDIT).is_file() or not card.is_file():
        return
    try:
        old, new = model_card(run, previous), model_card(run)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        message = f"the card cannot be generated from {SCORES} and {AUDIT}."
        remedy = "The scores are saved. Restore the other files, then run electra-ie evaluate again."
        raise UserError(message, file=run, remedy=remedy) from error
    if card.read_text("utf-8", "replace") == old:
        write(card, new)
    else:
        warn(f"{card}: kept, because it has been edited. The new scores are only in {SCORES}.")


def is_generated(run: Path) -> bool:
    """Return whether a run has the card that is generated from its files now."""
    card = run / CARD
    return card.is_file() and (run / AUDIT).is_file() and card.read_text("utf-8", "replace") == model_card(run)


def _loading_lines(facts: RunSummary) -> Iterator[str]:
    yield "## Loading with transformers only"
    yield ""
    yield from loading(facts.folders, facts.settings.window or 0)
