"""Grouping of findings into records, and the values of their fields."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from electra_ie.common.errors import UserError
from electra_ie.common.hashing import SHOWN, of_text
from electra_ie.data.declaration.record_plan import Only, Place, RecordField, RecordPlan
from electra_ie.data.document import Document, Offsets, Span, passage_of
from electra_ie.data.task import Task
from electra_ie.values import Value, ValueSettings, check_type, read_value


@dataclass(frozen=True)
class Mention:
    """A finding, or a gold label, that may fill a field of a record.

    Attributes:
        place: Its field, and its label if it is a span.
        start, end: Its characters in the text.
        text: The passage, of a span with fragments theirs joined by blanks; "" for a label of the whole text.
        score: The probability; None for gold.
        attributes: Those of a span: field, label and score.
        fragments: Those of a span, if it has several.
        answer: The label that is the value: of the whole text, or of a field of attributes; "" for the passage.
    """

    place: Place
    start: int
    end: int
    text: str
    score: float | None = None
    attributes: tuple[tuple[str, str, float | None], ...] = ()
    fragments: tuple[Offsets, ...] = ()
    answer: str = ""

    @property
    def source(self) -> str:
        """The text that the value is read from."""
        return self.answer or self.text

    @property
    def key(self) -> tuple[Any, ...]:
        """What identifies it in its text: place and characters, and for a label of the whole text the label."""
        return self.place, self.start, self.end, "" if self.place.label else self.answer, self.fragments

    def passes(self, only: Only) -> bool:
        """Return whether its attributes are those that a plan wants."""
        said = {name: label for name, label, _ in self.attributes}
        return all(said.get(name) in labels for name, labels in only.items())

    def said(self, attribute: str) -> list[Mention]:
        """Return its label of a field of attributes in the place of its passage; nothing if it has none.

        The score is the product of both.
        """
        found = [(label, score) for name, label, score in self.attributes if name == attribute]
        return [
            replace(self, answer=label, score=round(self.score * score, 4) if self.score and score else None)
            for label, score in found
        ]


@dataclass(frozen=True)
class Link:
    """A relation between two mentions of spans. field: that of relations. label: its label."""

    field: str
    label: str
    head: Mention
    tail: Mention


Related = dict[Mention, dict[Mention, set[str]]]
"""The labels of the relations between two mentions, whatever their direction."""


@dataclass(frozen=True)
class Entry:
    """A value of a field of a record, with the mention that says it."""

    value: Value
    mention: Mention


@dataclass
class Record:
    """A record of a text.

    Attributes:
        anchor: The mention that it belongs to; None for the record of a whole text.
        entries: By the name of each field, its values in the order of the text; none if nothing fills it.
        conflicts: The fields that should have one value, and have several different ones. All of them are kept.
    """

    anchor: Mention | None
    entries: dict[str, list[Entry]]
    conflicts: list[str]


def content(entry: Entry) -> tuple[Any, ...]:
    """Return what makes two values equal: the value with its unit and currency; the text of one that has no value."""
    value = entry.value
    said = value.value if value.is_certain else " ".join(entry.mention.source.split())
    return value.is_certain, said, value.unit, value.currency


class RecordMaker:
    """Makes the records of texts by the plan of a task."""

    def __init__(self, task: Task) -> None:
        """Read the settings and lists of codes of the plan.

        Raises:
            UserError: the task has no records, a list of codes cannot be read, or a package is not installed.
        """
        plan = plan_of(task)
        self.plan = plan
        for file in plan.code_files:
            task.check_data_files(task.folder / file)
        self.settings: dict[str, ValueSettings] = {each.name: each.settings(task.folder) for each in plan.fields}
        for each in plan.fields:
            check_type(each.type, self.settings[each.name])

    @property
    def digest(self) -> str:
        """The first digits of a hash of what decides the records: the plan, and the codes of its lists."""
        codes = {name: [*each.codes.codes.items()] for name, each in self.settings.items() if each.codes}
        return of_text(json.dumps([self.plan.declaration, codes], default=str))[:SHOWN]

    def of_findings(self, record: Mapping[str, Any]) -> list[Record]:
        """Return the records of a text from a line of `electra-ie extract`."""
        mentions = {_key(finding): _mention(finding) for finding in record["findings"]}
        links = []
        for relation in record.get("relations", ()):
            ends = [mentions.get(_key(relation[end])) or _mention(relation[end]) for end in ("head", "tail")]
            links.append(Link(relation["field"], relation["label"], *ends))
        return self._records(list(mentions.values()), links)

    def count_outside(self, record: Mapping[str, Any], records: Iterable[Record]) -> int:
        """Return the number of findings of a text that are of the fields of the plan, and in none of its records.

        With an anchor these are the findings without a relation to one, and all findings of a text without anchors.

        Args:
            record: A line of `electra-ie extract`.
            records: The records of it, from `of_findings`.
        """
        mentions = {mention.key: mention for mention in map(_mention, record["findings"])}
        inside = {entry.mention.key for each in records for entries in each.entries.values() for entry in entries}
        return sum(self._is_wanted(mention) for key, mention in mentions.items() if key not in inside)

    def _is_wanted(self, mention: Mention) -> bool:
        """Return whether a field of the plan is filled by such a mention."""
        is_left_out = mention.place == self.plan.anchor and not mention.passes(self.plan.only)
        return not is_left_out and any(
            mention.place == each.place and mention.passes(each.only) for each in self.plan.fields
        )

    def of_gold(self, document: Document, task: Task) -> list[Record]:
        """Return the records of a text from its gold. Fields without gold stay empty."""
        mentions: list[Mention] = []
        said: dict[Span, tuple[tuple[str, str, None], ...]] = {}
        for of in task.attributes:
            for attribute in document.gold.get(of.name, ()):
                said[attribute.span] = (*said.get(attribute.span, ()), (of.name, attribute.label, None))
        for of_task in task.fields:
            gold = document.gold.get(of_task.name, ())
            if of_task.kind == "spans":
                mentions += [_of_span(of_task.name, span, document.text, said.get(span, ())) for span in gold]
            else:
                labels = (gold,) if isinstance(gold, str) else gold
                mentions += [Mention(Place(of_task.name), 0, len(document.text), "", answer=label) for label in labels]
        by_span: dict[tuple[Any, ...], list[Mention]] = {}  # the same span may be in several fields
        for each in mentions:
            by_span.setdefault((each.start, each.end, each.place.label, each.fragments), []).append(each)
        links = [
            Link(relations.name, relation.label, head, tail)
            for relations in task.relations
            for relation in document.gold.get(relations.name, ())
            for head, tail in product(
                *(by_span[end.start, end.end, end.label, end.fragments] for end in (relation.head, relation.tail))
            )
        ]
        return self._records(mentions, links)

    def _records(self, mentions: Sequence[Mention], links: Sequence[Link]) -> list[Record]:
        related: Related = {}
        for link in links:
            if link.field == self.plan.relation:
                for one, other in ((link.head, link.tail), (link.tail, link.head)):
                    related.setdefault(one, {}).setdefault(other, set()).add(link.label)
        if self.plan.anchor is None:
            return [self._record(None, mentions, {})]
        return [
            self._record(anchor, group, related.get(anchor, {}))
            for anchor, group in self._around_anchors(mentions, related, self.plan.anchor)
        ]

    def _record(
        self, anchor: Mention | None, mentions: Sequence[Mention], labels: Mapping[Mention, set[str]]
    ) -> Record:
        """Return a record. labels: those of the relations between each mention and the anchor."""
        entries = {each.name: self._entries(each, mentions, labels) for each in self.plan.fields}
        one = [each.name for each in self.plan.fields if not each.many]
        return Record(anchor, entries, [name for name in one if len(set(map(content, entries[name]))) > 1])

    def _around_anchors(
        self, mentions: Sequence[Mention], related: Related, place: Place
    ) -> list[tuple[Mention, list[Mention]]]:
        """Return each anchor with the mentions of its record; labels of the whole text belong to all records.

        Without a relation, a span belongs to the nearest anchor, to the first of two equally near ones. With one, it
        belongs to every anchor that it is related to; a span without a relation belongs to none. Anchors that `only`
        leaves out have no record, nor has what belongs to them.
        """
        anchors = [mention for mention in mentions if mention.place == place]
        groups: dict[Mention, list[Mention]] = {anchor: [anchor] for anchor in anchors}
        for mention in mentions:
            if mention.place == place:
                continue
            if mention.place.label is None:
                owners = anchors
            elif self.plan.relation:
                owners = [other for other in related.get(mention, {}) if other in groups]
            else:
                owners = [min(anchors, key=lambda anchor: _distance(anchor, mention))] if anchors else []
            for owner in owners:
                groups[owner].append(mention)
        return [
            (anchor, sorted(group, key=lambda each: (each.start, each.end)))
            for anchor, group in groups.items()
            if anchor.passes(self.plan.only)
        ]

    def _entries(
        self, field: RecordField, mentions: Sequence[Mention], labels: Mapping[Mention, set[str]]
    ) -> list[Entry]:
        """Return the values of a field. labels: those of the relations between each mention and the anchor."""
        settings = self.settings[field.name]
        return [
            Entry(read_value(field.type, said.source, settings), said)
            for mention in mentions
            if mention.place == field.place and mention.passes(field.only)
            if not field.related or not labels.get(mention, set()).isdisjoint(field.related)
            for said in (mention.said(field.attribute) if field.attribute else (mention,))
        ]


def plan_of(task: Task) -> RecordPlan:
    """Return the plan of a task. Raises UserError if it has none."""
    if task.record is None:
        remedy = "Add the key record to task.yaml: record: {fields: {NAME: {from: LABEL}}}."
        raise UserError(f"the task {task.name} has no records.", file=task.file, remedy=remedy)
    return task.record


def _distance(anchor: Mention, mention: Mention) -> int:
    """Return the number of characters between two mentions; 0 if they overlap."""
    return max(anchor.start - mention.end, mention.start - anchor.end, 0)


def _key(finding: Mapping[str, Any]) -> tuple[Any, ...]:
    return finding["field"], finding["label"], finding["start"], finding["end"], _fragments(finding)


def _fragments(finding: Mapping[str, Any]) -> tuple[Offsets, ...]:
    return tuple((start, end) for start, end in finding.get("fragments", ()))


def _mention(finding: Mapping[str, Any]) -> Mention:
    """Return a finding of a record of `extract` as a mention."""
    is_span = "window" not in finding
    place = Place(finding["field"], finding["label"] if is_span else None)
    text, answer = (passage_of(finding), "") if is_span else ("", finding["label"])
    said = tuple((name, each["label"], each["score"]) for name, each in finding.get("attributes", {}).items())
    return Mention(place, finding["start"], finding["end"], text, finding["score"], said, _fragments(finding), answer)


def _of_span(field: str, span: Span, text: str, said: tuple[tuple[str, str, None], ...]) -> Mention:
    place = Place(field, span.label)
    return Mention(place, span.start, span.end, span.passage(text), None, said, span.fragments)
