"""The section of a card on the relations of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from electra_ie.data.document import Span
from electra_ie.data.fields import RelationField
from electra_ie.data.relation_pairs import NONE, PairRules, marked
from electra_ie.metrics import COUNTS
from electra_ie.runs.cards.facts import RunSummary
from electra_ie.runs.cards.markdown import between, number, plain
from electra_ie.runs.cards.metadata import SCORED

CONVENTIONS = {
    "strict": "label, both spans and their labels",
    "boundaries": "label and both spans",
    "given_spans": "label, between the gold spans",
}
"""What has to be right, by the name of the score."""


def relation_lines(facts: RunSummary) -> Iterator[str]:
    """Yield the section on the fields of relations: their models, scores and use."""
    fields = [field for field in facts.task.relations if field.name in facts.training.get("relations", {})]
    if not fields:  # they are trained after the other fields
        return
    yield "## Relations"
    yield ""
    yield (
        "Each field of relations has a model of its own, which classifies a text in which two spans are marked. It "
        "was trained on pairs of gold spans, and reads the pairs of the spans that this run finds."
    )
    for field in fields:
        yield ""
        yield from _training(field, facts)
        for split in SCORED:
            if field.name in facts.scores.get(split, {}):
                yield ""
                yield from _scores(field, split, facts)
    yield ""
    yield from _loading(fields[0], facts)


def _training(field: RelationField, facts: RunSummary) -> Iterator[str]:
    training = facts.training["relations"][field.name]
    rules = PairRules.from_dict(training["rules"])
    pairs = [f"{plain(head)} to {plain(tail)}" for head, tail in rules.between]
    pairs += [f"{plain(first)} and {plain(second)} (in the order of the text)" for first, second in rules.in_order]
    unlabeled = f", and {training['unlabeled_pairs']:,} without labels" if training["unlabeled_pairs"] else ""
    where = "in one sentence" if not rules.sentences else f"at most {rules.sentences} sentence ends apart"
    yield (
        f"**{field.name}**: {', '.join(map(plain, field.labels))}. Trained on {training['pairs']:,} pairs, of which "
        f"{training['related']:,} are related{unlabeled}, in {training['steps']:,} steps. It considers the pairs "
        f"{', '.join(pairs)}, {where}. Other relations are missed."
    )
    if lost := training["not_expressed"]:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in lost.items())
        yield f"Labeled relations that were not trained on: {reasons}."


def _scores(field: RelationField, split: str, facts: RunSummary) -> Iterator[str]:
    scores = facts.scores[split][field.name]
    title = f"{field.name}, {split} ({scores['documents']:,} documents)"
    yield f"| {title} | has to be right | gold | found | false | precision | recall | F1 |"
    yield "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    ends = scores["intervals"]
    for name, right in CONVENTIONS.items():
        values = scores if name == "strict" else scores[name]
        yield _row(name.replace("_", " "), right, values, ends["f1"] if name == "strict" else None)
    for label, values in scores["labels"].items():
        yield _row(plain(label), "strict", values, ends["labels"][label])


def _row(name: str, right: str, values: Mapping[str, Any], ends: Sequence[float] | None) -> str:
    counts = " | ".join(f"{values[key]:,}" for key in COUNTS)
    ratios = " | ".join(number(values[key]) for key in ("precision", "recall", "f1"))
    return f"| {name} | {right} | {counts} | {ratios}{between(ends)} |"


def _loading(field: RelationField, facts: RunSummary) -> Iterator[str]:
    """Yield the code that classifies a marked text with stock transformers."""
    rules = PairRules.from_dict(facts.training["relations"][field.name]["rules"])
    head, tail = (rules.between or rules.in_order)[0]
    text = marked("This and that.", (Span(0, 4, head), Span(9, 13, tail)))
    yield (
        f'Stock transformers classifies a marked text; the class "{NONE}" means that the spans are not related. A mark '
        "has the label of its span in lower case, with blanks for underscores. The text is the sentences of both spans."
    )
    yield ""
    yield "```python"
    yield "from transformers import pipeline"
    yield ""
    yield f'classify_{field.name} = pipeline("text-classification", model="{field.name}")'
    yield f"classify_{field.name}({text!r})"
    yield "```"
