"""The section of a card on intended use and limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from electra_ie.common.hashing import SHOWN
from electra_ie.data.fields import LEVELS, TRACKS, Field
from electra_ie.runs.cards.calibration import calibration_answer
from electra_ie.runs.cards.facts import RunSummary

OF_A_RUN = {
    "paths": "`run.yaml` and `task.yaml` contain paths; `audit.json` contains paths and some document ids.",
    "source": "`audit.json` links that hash to data, settings and code",
}
"""What the files of a run contain."""
OF_AN_EXPORT = {
    "paths": "`task.yaml` and `audit.json` contain no paths of a machine.",
    "source": "`audit.json` links that hash to the run, whose own has data, settings and code",
    "examples": "",
}
"""What the files of an exported model contain."""
LIMITS = {
    "Who decides?": "A person who reads the passage. A finding points to characters of a text so that it can be "
    "checked there. It is not a decision.",
    "What must the model not decide alone?": "Anything that affects a person or an account: refusing or closing an "
    "account, a payment, a credit or a claim; reporting a person; choosing or withholding a treatment; a diagnosis.",
    "Does no finding mean that there is nothing?": "No. The recall above is the share of gold labels found on that "
    "split. On other texts it may be lower.",
    "Which texts is it for?": "Texts like those it was trained on. For another language, source, form or period, label "
    "a hundred texts and score the model on them first (`electra-ie evaluate`).",
    "What if the texts change?": "Scores drop without notice. Score newly labeled texts at regular intervals, and "
    "train again when the scores fall below your threshold.",
    "Is a score of 0.9 right nine times in ten?": "{calibrated}",
    "Is it fair to groups of people?": "Not measured. Names, places and spellings that are rare in the training data "
    "are found less reliably; score them separately where this matters.",
    "Does it contain personal data?": "This card, the configs and the tokenizers contain no text of the "
    "corpus{examples}. Weights can retain traces of training data: protect them as you protect the texts. {paths}",
    "Where did a value come from?": "Every output line of `electra-ie extract` contains the hash of the model "
    "(`{model}`) and the package version. {source}; `electra-ie verify` checks it.",
}
"""Questions on intended use and limits, such as a bank or a hospital asks before use, with their answers."""


def limit_lines(facts: RunSummary) -> Iterator[str]:
    """Yield the section of a run on intended use and limits."""
    examples = ", except the examples below" if facts.settings.include_examples else ""
    return limits_of(facts, facts.audit["model"], {**OF_A_RUN, "examples": examples})


def limits_of(facts: RunSummary, model: str, files: Mapping[str, str]) -> Iterator[str]:
    """Yield the section on intended use and limits of a run, or of a model that was exported from it.

    Args:
        facts: The facts of the run.
        model: The hash of the model.
        files: What its files contain: `paths`, `source` and `examples` in `LIMITS`.
    """
    yield "## Intended use and limits"
    yield ""
    language = facts.data_card.language if facts.data_card and facts.data_card.language else "not recorded"
    yield "Extraction of the fields in the table above from texts, for people who check the findings."
    yield f"Language of the texts: {language}."
    yield ""
    yield "| question | answer |"
    yield "| --- | --- |"
    values = {**files, "model": model[:SHOWN], "calibrated": calibration_answer(facts)}
    yield from (f"| {question} | {answer.format(**values)} |" for question, answer in LIMITS.items())
    yield ""
    yield from _label_scheme_limits(facts)


def _label_scheme_limits(facts: RunSummary) -> Iterator[str]:
    """Yield which spans the BIO scheme cannot express, and how many gold spans that concerns."""
    spans = [field for field in facts.task.fields if field.kind == "spans"]
    if not spans:
        return
    lost = facts.training["not_expressed"]
    unit = "words" if facts.folders[facts.task.fields.index(spans[0])].whole_words else "tokens"
    tracked = [f"`{field.name}`" for field in spans if field.scheme == TRACKS]
    same = f" (in {' and '.join(tracked)}: of one label)" if tracked else ""
    leveled = [f"`{field.name}`" for field in spans if field.scheme == LEVELS]
    but = f" (but in {' and '.join(leveled)}, up to the number of levels)" if leveled else ""
    pieces = [f"`{field.name}`" for field in spans if field.fragments]
    several = f" (but in {' and '.join(pieces)}, within one window)" if pieces else ""
    yield (
        f"Limits of the label scheme: spans are predicted as BIO tags. Two spans of one field{same} that overlap "
        f"cannot both be found{but}, nor can a span of several pieces{several}, and spans begin and end at the edges "
        f"of {unit}."
    )
    if lost["overlapping"] or lost["inside"]:
        yield (
            f"Of the {lost['spans']:,} gold spans of train, {lost['overlapping']:,} overlap a longer one and were not "
            f"used in training; {lost['inside']:,} begin or end inside one of its {unit}. They are scored as missed."
        )
    elif not lost.get("divided"):
        yield f"All of the {lost['spans']:,} gold spans of train can be expressed."
    if lost.get("divided"):
        yield f"Of {lost['divided']:,} spans, fragments are in different windows; they are scored as missed."
    yield from _boundary_rules(facts, spans)


def _boundary_rules(facts: RunSummary, spans: Sequence[Field]) -> Iterator[str]:
    """Yield the rules applied to the boundaries of decoded spans, by field."""
    for field in spans:
        edges = facts.folders[facts.task.fields.index(field)].edges
        line = "ends at the end of its line" if edges.lines else "may continue on the next line"
        symbol = "neither begins nor ends" if edges.pictures else "may begin or end"
        yield f"A span of `{field.name}` {line}, and {symbol} with an emoji, arrow or bullet, as in the gold of train."
