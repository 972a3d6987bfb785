"""The sections of a card on the data: their origin, labels, hints, overlaps between splits, and examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from electra_ie.common.errors import UserError
from electra_ie.common.hashing import SHOWN
from electra_ie.runs.cards.facts import RunSummary
from electra_ie.runs.cards.markdown import plain

SHOWN_EXAMPLES = 3
MADE_BY = {
    "person": "by a person",
    "model": "predicted by a model and accepted by a person",
    "corrected": "predicted by a model and corrected by a person",
}
"""Descriptions of the origins of labels."""

CHOSEN_AS = {
    "random": "drawn at random",
    "typical": "as typical of a cluster of texts",
    "uncertain": "as uncertain to a model",
    "found": "since a model found something in them",
}
"""Descriptions of how texts were chosen."""


def data_lines(facts: RunSummary) -> Iterator[str]:
    """Yield the section on origin and license of the data, the labels, and overlaps between splits."""
    yield "## Data"
    yield ""
    card, training = facts.data_card, facts.training
    if card:
        yield f"Data set `{facts.task.name}`. License: {card.license}. Source and revision: {card.source}."
        if card.hub_license:
            yield "The license in the metadata is that of the data; the encoder has its own."
    elif training.get("dataset"):
        yield f"Data set `{training['dataset']}` on the Hub. See its page for origin and license."
    else:
        yield "There is no data card: origin, license and revision of the texts are not recorded."
    yield ""
    draw = f"a label budget, {facts.settings.label_draw} draw by the seed"
    budget = "all of train" if facts.settings.label_budget is None else draw
    unlabeled, labeled = training["unlabeled"], training["labeled"]
    texts = training["label_texts"]
    about_labels = f", and {texts:,} texts about labels, their descriptions or names" if texts else ""
    yield (
        f"Labeled: {labeled['documents']:,} documents in {labeled['windows']:,} windows ({budget}){about_labels}. "
        f"Unlabeled: {unlabeled['documents']:,} documents in {unlabeled['windows']:,} windows. Label counts:"
    )
    yield ""
    for field in facts.task.fields:
        counts = training["labels"][field.name]
        by_count = sorted(counts.items(), key=lambda item: -item[1])
        seen = ", ".join(f"{plain(label)} {count:,}" for label, count in by_count)
        absent = [plain(label) for label in field.labels if label not in counts]
        unseen = f" **Never: {', '.join(absent)}.**" if absent else ""
        yield f"- `{field.name}`: {seen}.{unseen}"
    yield from _origins(facts)
    yield from _chosen(facts)
    yield from _hints(facts)
    yield from _overlap(facts.audit["overlap"])


def _origins(facts: RunSummary) -> Iterator[str]:
    """Yield who made the labels of each labeled split, where the files say it."""
    for split, counts in facts.audit.get("label_origins", {}).items():
        listed = ", ".join(f"{count:,} {MADE_BY[name]}" for name, count in counts.items())
        yield ""
        yield f"Labels of {split}, of spans and of texts, by origin: {listed}."


def _chosen(facts: RunSummary) -> Iterator[str]:
    """Yield how the documents of each labeled split were chosen to be labeled, where the files say it."""
    for split, counts in facts.audit.get("chosen", {}).items():
        listed = ", ".join(f"{count:,} {CHOSEN_AS[name]}" for name, count in counts.items())
        yield ""
        yield f"Documents of {split} by how they were chosen to be labeled: {listed}."


def _hints(facts: RunSummary) -> Iterator[str]:
    """Yield the hints with their sizes and hashes. Terms may be private and are not shown."""
    hints = facts.audit.get("hints", {})
    if hints:
        yield ""
        yield "Hints, which are weak evidence for a label (size, SHA-256 of the content):"
        yield ""
    for name, recorded in hints.items():
        value, _, size = recorded.partition(" ")
        yield f"- {plain(name)} {size}: `{value[:SHOWN]}`"


def _overlap(overlap: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield f"Documents of one split that also occur in another ({overlap['method']}):"
    yield ""
    yield "| of | in | documents | exact | near-duplicate |"
    yield "| --- | --- | ---: | ---: | ---: |"
    for pair in overlap["pairs"]:
        yield f"| {pair['of']} | {pair['in']} | {pair['documents']:,} | {pair['exact']:,} | {pair['near']:,} |"
    if overlap["capped"]:
        samples = ", ".join(f"{overlap['compared_for_near'][name]:,} of {name}" for name in overlap["capped"])
        yield ""
        yield f"Near-duplicates were searched only in a uniform sample: {samples}."


def example_lines(facts: RunSummary) -> Iterator[str]:
    """Yield the first documents of dev, if `include_examples` is set."""
    if not facts.settings.include_examples or "dev" not in facts.task.splits:
        return
    yield "## Examples"
    yield ""
    try:
        documents = facts.task.read("dev")[:SHOWN_EXAMPLES]
    except UserError:
        yield "The data are no longer available."
        return
    yield "The first documents of dev, shown because `--include-examples` was set."
    for document in documents:
        yield ""
        yield "> " + plain(document.text)
