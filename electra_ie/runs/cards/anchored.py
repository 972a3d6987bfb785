"""The sections of a card on the fields that are anchored to spans: relations and attributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from electra_ie.common.export_files import EXPORT_MODEL
from electra_ie.data.anchored.marked_spans import MarkedSpans, marked
from electra_ie.data.anchored.relation_pairs import NONE, PairRules
from electra_ie.data.document import Span
from electra_ie.data.fields import ATTRIBUTES, RELATIONS, AnchoredField, AttributeField, RelationField
from electra_ie.metrics import COUNTS
from electra_ie.runs.cards.facts import RunSummary
from electra_ie.runs.cards.markdown import between, number, plain
from electra_ie.runs.cards.metadata import SCORED
from electra_ie.runs.training_facts import SecondStageFacts, second_stage_facts

CONVENTIONS = {
    "strict": "label, both spans and their labels",
    "boundaries": "label and both spans",
    "given_spans": "label, between the gold spans",
}
"""What has to be right of a relation, by the name of the score."""
ABOUT = {
    RELATIONS: (
        "Each field of relations has a model of its own, which classifies a text in which two spans are marked. It "
        "was trained on pairs of gold spans, and reads the pairs of the spans that are found."
    ),
    ATTRIBUTES: (
        "Each field of attributes has a model of its own, which classifies a text in which a span is marked. It was "
        "trained on gold spans, and reads the spans that are found."
    ),
}


def anchored_lines(facts: RunSummary, kind: str, exported: bool = False) -> Iterator[str]:
    """Yield the section on the fields of a kind, relations or attributes: their models, scores and use.

    exported: whether it is for the card of an exported model, whose models stock transformers cannot load.
    """
    trained = second_stage_facts(facts.training, kind)  # they are trained after the other fields
    fields = [field for field in facts.task.anchored if field.kind == kind and field.name in trained]
    if not fields:
        return
    yield f"## {kind.capitalize()}"
    yield ""
    yield ABOUT[kind]
    for field in fields:
        yield ""
        yield from _training(field, trained[field.name])
        for split in SCORED:
            if field.name in facts.scores.get(split, {}):
                yield ""
                yield from _scores(field, split, facts.scores[split][field.name])
    yield ""
    yield from _loading(fields[0], trained[fields[0].name], exported)


def _training(field: AnchoredField, training: SecondStageFacts) -> Iterator[str]:
    """Yield what a model was trained on, and what it considers."""
    if isinstance(field, RelationField):
        rules = PairRules.from_dict(training["rules"])
        pairs = [f"{plain(head)} to {plain(tail)}" for head, tail in rules.between]
        pairs += [f"{plain(first)} and {plain(second)} (in the order of the text)" for first, second in rules.in_order]
        where = "in one sentence" if not rules.sentences else f"at most {rules.sentences} sentence ends apart"
        texts = f"{training['pairs']:,} pairs, of which {training['related']:,} are related"
        count = training["unlabeled_pairs"]
        considers = f"It considers the pairs {', '.join(pairs)}, {where}. Other relations are missed."
    else:
        counts = ", ".join(f"{plain(label)} {count:,}" for label, count in training["labels"].items())
        texts, count = f"{training['spans']:,} spans ({counts})", training["unlabeled_spans"]
        considers = f"It reads the spans {', '.join(map(plain, field.of))}."
        if field.default:
            considers += f" A gold span of which nothing was said counted as {plain(field.default)}."
    unlabeled = f", and {count:,} without labels" if count else ""
    yield (
        f"**{field.name}**: {', '.join(map(plain, field.labels))}. Trained on {texts}{unlabeled}, "
        f"in {training['steps']:,} steps. {considers}"
    )
    if lost := training["not_expressed"]:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in lost.items())
        yield f"Labeled {field.kind} that were not trained on: {reasons}."


def _scores(field: AnchoredField, split: str, scores: Mapping[str, Any]) -> Iterator[str]:
    title = f"{field.name}, {split} ({scores['documents']:,} documents)"
    yield f"| {title} | has to be right | gold | found | false | precision | recall | F1 |"
    yield "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    ends = scores["intervals"]
    if isinstance(field, RelationField):
        for name, right in CONVENTIONS.items():
            values = scores if name == "strict" else scores[name]
            yield _row(name.replace("_", " "), right, values, ends["f1"] if name == "strict" else None)
    else:
        yield _row("strict", "label, span and its label", scores, ends["f1"])
    for label, values in scores["labels"].items():
        yield _row(plain(label), "strict", values, ends["labels"][label])
    if isinstance(field, AttributeField):
        yield ""
        yield from _beside_rule(field, scores)


def _row(name: str, right: str, values: Mapping[str, Any], ends: Sequence[float] | None) -> str:
    counts = " | ".join(f"{values[key]:,}" for key in COUNTS)
    ratios = " | ".join(number(values[key]) for key in ("precision", "recall", "f1"))
    return f"| {name} | {right} | {counts} | {ratios}{between(ends)} |"


def _beside_rule(field: AttributeField, scores: Mapping[str, Any]) -> Iterator[str]:
    """Yield the scores on gold spans, beside those of the rule baseline."""
    rule = scores["rule_baseline"]
    labels = ", ".join(map(plain, field.labels))
    yield f"| {field.name}, given the gold spans | spans | accuracy | macro F1 | F1 of {labels} |"
    yield "| --- | ---: | ---: | ---: | --- |"
    for name, values in (("model", scores["given_spans"]), (f"rule baseline: {rule['rule']}", rule)):
        by_label = ", ".join(number(values["labels"][label]["f1"]) for label in field.labels)
        accuracy = f"{number(values['accuracy'])}{between(values['intervals']['accuracy'])}"
        yield f"| {name} | {values['support']:,} | {accuracy} | {number(values['macro_f1'])} | {by_label} |"
    yield ""
    yield (
        "The rule looks for English cue words in the sentence of a span (as NegEx, Chapman et al. 2001); a field "
        "without a label that it knows gets the most frequent label of train."
    )


def _loading(field: AnchoredField, training: SecondStageFacts, exported: bool) -> Iterator[str]:
    """Yield what a marked text is, with the code that classifies one with stock transformers."""
    anchors: MarkedSpans
    if isinstance(field, RelationField):
        rules = PairRules.from_dict(training["rules"])
        head, tail = (rules.between or rules.in_order)[0]
        anchors = Span(0, 4, head), Span(9, 13, tail)
        meaning = f'; the class "{NONE}" means that the spans are not related'
        sentences = "sentences of both spans"
    else:
        anchors, meaning, sentences = (Span(9, 13, field.of[0]),), "", "sentences of the span"
    example = marked("This and that.", anchors)
    what = f"`{field.name}/{EXPORT_MODEL}`" if exported else "Stock transformers"
    yield (
        f"{what} classifies a marked text{meaning}. A mark has the label of its span in lower case, with blanks for "
        f"underscores. The text is the {sentences}{f', such as `{example}`' if exported else ''}."
    )
    if exported:
        return
    yield ""
    yield "```python"
    yield "from transformers import pipeline"
    yield ""
    yield f'classify_{field.name} = pipeline("text-classification", model="{field.name}")'
    yield f"classify_{field.name}({example!r})"
    yield "```"
