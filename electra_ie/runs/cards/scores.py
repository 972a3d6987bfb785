"""The sections of a card on fields, scores, and the comparison that the run won."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from electra_ie.data.fields import ATTRIBUTES, RELATIONS, Field
from electra_ie.data.task import Task
from electra_ie.metrics import COUNTS, INTERVAL, MAIN, NAMES, with_fragments
from electra_ie.runs.cards.facts import RunSummary
from electra_ie.runs.cards.markdown import DASH, between, number, plain
from electra_ie.runs.cards.metadata import SCORED

MEANINGS = {
    "classes": "one of", "flags": "any of, or none", "spans": "spans of text", RELATIONS: "between two spans",
    ATTRIBUTES: "one of, for each span",
}  # fmt: skip
"""What a document has of a field, by its kind."""


def field_lines(task: Task) -> Iterator[str]:
    """Yield the tables of the fields, and of the meanings of their labels."""
    yield "| field | kind | labels |"
    yield "| --- | --- | --- |"
    for field in task.all_fields:
        yield f"| {field.name} | {field.kind}: {MEANINGS[field.kind]} | {', '.join(map(plain, field.labels))} |"
    if task.descriptions:
        yield ""
        yield "| field | label | meaning |"
        yield "| --- | --- | --- |"
        for name, texts in task.descriptions.items():
            yield from (f"| {name} | {plain(label)} | {plain(text)} |" for label, text in texts.items())


def score_lines(facts: RunSummary, title: str = "Scores") -> Iterator[str]:
    """Yield the section of the scores on dev and test, as far as they are known."""
    yield f"## {title}"
    yield ""
    splits = [split for split in SCORED if split in facts.scores]
    if not splits:
        yield "There was no dev split, so no scores are known. Score the model before use: `electra-ie evaluate`."
        return
    yield (
        f"In brackets: {INTERVAL}. The intervals do not cover variation between training runs, and are too narrow for "
        "labels with few documents."
    )
    if "dev" in splits and facts.training["best_step"] is not None:
        yield "The weights were chosen on dev, so scores on dev are slightly too high."
    yield f"{DASH} marks an undefined value: nothing was found, or the split has no gold of that label."
    if "test" in facts.task.splits and "test" not in splits:
        yield "When this card was written, test had not been scored. To score it: `electra-ie evaluate`."
    for split in splits:
        for field in facts.task.fields:
            if field.name in facts.scores[split]:
                yield ""
                yield from _field_scores(field, split, facts.scores[split][field.name])


def _field_scores(field: Field, split: str, score: Mapping[str, Any]) -> Iterator[str]:
    main, ends = MAIN[field.kind], score["intervals"]
    strict = ", strict: same label, same first and last character" if field.kind == "spans" else ""
    yield (
        f"**{field.name}, {split}: {number(score[main])}{between(ends[main])}** ({NAMES[main]}{strict}) "
        f"on {score['documents']:,} documents, gold {score['support']:,}, found {score['found']:,}, "
        f"false {score['false']:,}."
    )
    yield ""
    yield "| label | gold | found | false | precision | recall | F1 |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for label, values in with_fragments(score).items():
        counts = " | ".join(f"{values[name]:,}" for name in COUNTS)
        ratios = " | ".join(number(values[name]) for name in ("precision", "recall", "f1"))
        yield f"| {plain(label)} | {counts} | {ratios}{between(ends['labels'].get(label))} |"


def comparison_lines(facts: RunSummary) -> Iterator[str]:
    """Yield the section of the comparison that the run won."""
    yield "## Comparison with supervised training"
    yield ""
    comparison = facts.comparison
    if comparison is None:
        reason = (
            "Not applicable: this is a supervised run" if not facts.settings.reads_unlabeled else "It was not compared"
        )
        yield f"{reason}. To compare presets on the same labels and seeds: `electra-ie compare`."
        return
    seeds = len({run["seed"] for run in comparison["runs"]})
    yield " ".join([*comparison["notes"], f"Result: {comparison['verdict']}"])
    yield f"({comparison['unit']} on {comparison['split']}, {seeds} seeds; 95 % Student's t intervals over the seeds.)"
    yield ""
    yield "| labels | preset | mean | standard deviation | difference |"
    yield "| ---: | --- | ---: | ---: | --- |"
    for budget in comparison["budgets"]:
        for preset, score in budget["presets"].items():
            gain, spread = budget["differences"].get(preset), score["deviation"]
            difference = "" if gain is None else f"{gain['mean']:+.1f}"
            if gain is not None and gain["low"] is not None:
                difference += f" ({gain['low']:.1f} to {gain['high']:.1f})"
            deviation = "" if spread is None else f"{spread:.1f}"
            yield f"| {budget['labels'] or 'all'} | {preset} | {score['mean']:.1f} | {deviation} | {difference} |"
