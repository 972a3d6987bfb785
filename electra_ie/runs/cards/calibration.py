"""The section of a card on what scores mean, and which goals the thresholds meet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from electra_ie.calibration.stored import Promise
from electra_ie.runs.cards.facts import RunSummary
from electra_ie.runs.cards.markdown import DASH, plain

NOT_CALIBRATED = (
    "Not known. Scores are the model's own probabilities and are not calibrated. They rank findings; choose a "
    "threshold on labeled texts of your own."
)


def calibration_lines(facts: RunSummary) -> Iterator[str]:
    """Yield the section on the calibration of the scores and on the promises; nothing for a run without either."""
    fields = facts.training.get("calibration", {})
    if not (fields or facts.promises):
        return
    yield "## Scores as probabilities"
    yield ""
    if any("method" in summary for summary in fields.values()):
        yield (
            "The scores of these fields are fitted on dev. The expected calibration error is the mean difference "
            "between the score and the share of findings that are right, measured in a cross-validation over the "
            "documents of dev; in brackets its 95 % interval, by bootstrap over documents."
        )
        yield ""
        yield "| field | findings of dev | method | error before | error after |"
        yield "| --- | ---: | --- | ---: | ---: |"
        yield from (_row(name, summary) for name, summary in fields.items() if "method" in summary)
        yield ""
    for name, summary in fields.items():
        if "method" not in summary:
            yield f"The scores of `{name}` are the model's own: {summary['reason']}."
    yield from _promise_lines(facts.promises)


def calibration_answer(facts: RunSummary) -> str:
    """Return the answer to the question whether a score of 0.9 is right nine times in ten."""
    fields = facts.training.get("calibration", {})
    fitted = [f"`{name}`" for name, summary in fields.items() if "method" in summary]
    if not fitted:
        return NOT_CALIBRATED
    others = [f"`{name}`" for name, summary in fields.items() if "method" not in summary]
    rest = f" Those of {', '.join(others)} are the model's own, and rank findings only." if others else ""
    return (
        f"About, on texts like those of dev: the scores of {', '.join(fitted)} are calibrated, with the errors in the "
        f"table above.{rest}"
    )


def _row(name: str, summary: Mapping[str, Any]) -> str:
    method = f"{summary['method']}{', isotonic' if summary['isotonic'] else ''}"
    errors = [_error(summary.get(key)) for key in ("error_before", "error_after")]
    return f"| {name} | {summary['findings']:,} | {method} | {' | '.join(errors)} |"


def _error(values: Sequence[float] | None) -> str:
    return DASH if values is None else f"{values[0]:.3f} ({values[1]:.3f} to {values[2]:.3f})"


def _promise_lines(promises: Sequence[Promise]) -> Iterator[str]:
    if not promises:
        return
    yield ""
    yield (
        "Thresholds, with which `electra-ie extract --review` accepts findings, leaves them to a person, or drops them:"
    )
    yield ""
    yield "| field | label | goal | confidence | threshold | measured on | measured |"
    yield "| --- | --- | --- | ---: | ---: | --- | ---: |"
    for each in promises:
        confidence = "in the mean" if each.confidence is None else f"{each.confidence:g}"
        yield (
            f"| {each.field} | {plain(each.label)} | {each.measure} {each.level:g} | {confidence} | "
            f"{each.threshold:.4f} | {each.documents:,} documents ({each.data}) | {each.measured:.3f} |"
        )
    yield ""
    yield "What they assume:"
    yield ""
    yield from (f"- {plain(text)}" for text in dict.fromkeys(text for each in promises for text in each.assumptions))
