"""Duplicates and near-duplicates within splits and between them, and equal texts with different labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from electra_ie.checks.counts import Splits, labeled
from electra_ie.checks.issues import Issue, Place, are, counted, have
from electra_ie.data.document import Document
from electra_ie.data.fields import Field
from electra_ie.data.gold_checks import comparable_gold
from electra_ie.data.leakage import (
    MIN_SIMILARITY,
    ORDER,
    SketchIndex,
    compared_indices,
    digest_of,
    hashes,
    jaccard,
    shingles,
    sketch_of,
)

MAX_ALIKE = 5
"""Near-duplicates of a text that are looked at, in each split. A text with so many of them in its own splits is not
added to the index. Without this the time would be quadratic in the number of form letters."""
PLACES = 20
"""Places that an issue lists."""
KEY = "distinct"
"""The key of the distinct texts in the index of sketches."""

Group = Mapping[str, Sequence[int]]
"""The documents with the same text: their indices by split."""


@dataclass
class Duplicates:
    """The documents with a duplicate, by pair of splits.

    `exact[of, within]` maps the index of a document of one split to that of an equal one of the other. Of documents in
    the same split (`of == within`), all but the first are counted. `near` has the documents without an equal one.
    `groups` are the distinct texts, and `compared` counts those that are compared for `near`.
    """

    exact: dict[tuple[str, str], dict[int, int]]
    near: dict[tuple[str, str], dict[int, int]]
    groups: list[Group]
    compared: int


def find_duplicates(splits: Splits) -> Duplicates:
    """Return the exact and near-duplicates, as `data.leakage` defines them, also within splits.

    The time is linear in the size of the texts: see `MAX_ALIKE` and `data.leakage.MAX_CHARACTERS`.
    """
    names = [name for name in ORDER if splits.get(name)]
    groups = _groups(names, splits)
    pairs = list(combinations_with_replacement(names, 2))
    exact: dict[tuple[str, str], dict[int, int]] = {pair: {} for pair in pairs}
    for group in groups:
        for of, within in combinations_with_replacement(group, 2):
            first = group[within][0]
            exact[of, within].update({index: first for index in group[of] if of != within or index != first})
    search = _NearSearch(names, splits, groups)
    near = {pair: search.near[pair] for pair in pairs}
    return Duplicates(exact, near, groups, len(search.sketches))


def _groups(names: Sequence[str], splits: Splits) -> list[Group]:
    """Return the distinct texts of all splits, regardless of white space; empty ones are left out."""
    groups: dict[bytes, dict[str, list[int]]] = {}
    for name in names:
        for index, document in enumerate(splits[name]):
            if document.text.strip():
                groups.setdefault(digest_of(document.text), {}).setdefault(name, []).append(index)
    return list(groups.values())


class _NearSearch:
    """Search for near-duplicates among distinct texts: `near` is filled as in `Duplicates`."""

    def __init__(self, names: Sequence[str], splits: Splits, groups: Sequence[Group]) -> None:
        self.groups = groups
        self.texts = [splits[next(iter(group))][next(iter(group.values()))[0]] for group in groups]
        self.near: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
        self.index = SketchIndex({KEY: self.texts})
        ranges = {name: compared_indices(splits[name]) for name in names}
        self.sketches = {
            number: sketch_of(shingles(self.texts[number].text))
            for number, group in enumerate(groups)
            if any(index in ranges[name] for name, indices in group.items() for index in indices)
        }
        for number, sketch in self.sketches.items():
            alike = self._within(number)
            if sum(groups[other].keys() == groups[number].keys() for other in alike) < MAX_ALIKE:
                self.index.add((KEY, number), sketch)
        for number in self.sketches:
            self._between(number, names)

    def _within(self, number: int) -> list[int]:
        """Return near-duplicates of a text that share a split with it, and note them."""
        own = self.groups[number]
        alike = self._alike(
            number, [other for other in self._candidates(number) if self.groups[other].keys() & own.keys()]
        )
        for split, indices in own.items():
            for other in alike:
                if split in self.groups[other]:
                    self.near[split, split].setdefault(indices[0], self.groups[other][split][0])
        return alike

    def _between(self, number: int, names: Sequence[str]) -> None:
        """Note the near-duplicates of a text in the splits that come later and do not have the text itself."""
        own = self.groups[number]
        missing = [name for name in names if name not in own and any(names.index(name) > names.index(of) for of in own)]
        candidates = self._candidates(number) if missing else []
        for within in missing:
            alike = self._alike(number, [other for other in candidates if within in self.groups[other]], enough=1)
            for of in own if alike else ():
                if names.index(of) < names.index(within):
                    first = self.groups[alike[0]][within][0]
                    self.near[of, within].update(dict.fromkeys(own[of], first))

    def _candidates(self, number: int) -> list[int]:
        return [other for _, other in self.index.candidates(self.sketches[number]) if other != number]

    def _alike(self, number: int, candidates: Sequence[int], enough: int = MAX_ALIKE) -> list[int]:
        """Return those of the first candidates whose exact similarity is high enough."""
        alike: list[int] = []
        own: np.ndarray = hashes(shingles(self.texts[number].text)) if candidates else np.empty(0)
        for other in candidates[: 2 * MAX_ALIKE]:
            if len(alike) < enough and jaccard(own, self.index.hashes_of((KEY, other))) >= MIN_SIMILARITY:
                alike.append(other)
        return alike


def duplicate_issues(splits: Splits, duplicates: Duplicates) -> Iterator[Issue]:
    """Yield an issue for each pair of splits, and each split, with duplicates."""
    for check, found in (("exact_duplicates", duplicates.exact), ("near_duplicates", duplicates.near)):
        for (of, within), pairs in found.items():
            if not pairs:
                continue
            places = [
                Place.of(of, splits[of][index], other=splits[within][other].id, other_split=within)
                for index, other in sorted(pairs.items())[:PLACES]
            ]
            leaks = within not in (of, "pool")
            yield Issue(
                check, "warning" if leaks else "note", _message(check, of, within, len(pairs), len(splits[of])),
                len(pairs), len(splits[of]), places, of,
            )  # fmt: skip


def _message(check: str, of: str, within: str, count: int, total: int) -> str:
    exact = check == "exact_duplicates"
    documents = f"{count:,} of {counted(total, 'document')} of {of}"
    if of == within:
        how = f"{are(count)} equal to" if exact else f"{are(count)} nearly equal to"
        return f"{documents} {how} an earlier one of {of}."
    what = f"{are(count)} also in {within}" if exact else f"{have(count)} a near-duplicate in {within}"
    return f"{documents} {what}{'' if within == 'pool' else f': scores on {of} are too high'}."


def conflicts(splits: Splits, groups: Sequence[Group], fields: Sequence[Field]) -> Iterator[Issue]:
    """Yield an issue for each field with equal texts, regardless of white space, that have different labels."""
    for declared in fields:
        places: list[Place] = []
        count = total = 0
        for group in groups:
            known = [
                (split, splits[split][index])
                for split in labeled(splits)
                for index in group.get(split, ())
                if declared.name in splits[split][index].gold
            ]
            if len(known) < 2:  # noqa: PLR2004 - nothing to compare
                continue
            total += 1
            gold = [comparable_gold(document, declared) for _, document in known]
            if any(other != gold[0] for other in gold[1:]):
                count += 1
                places += [Place.of(split, document, given=_shown(document, declared)) for split, document in known]
        if count:
            occur = "occurs" if total == 1 else "occur"
            of = f"{count:,} of {counted(total, 'text')} that {occur} several times"
            message = f'field "{declared.name}": {of} {have(count)} different labels.'
            yield Issue("conflicting_labels", "warning", message, count, total, places[:PLACES], field=declared.name)


def _shown(document: Document, declared: Field) -> str:
    """Return the gold of a field as text, for a report."""
    gold = document.gold[declared.name]
    if declared.kind == "spans":
        ranges = [(span.label, ";".join(f"{start}-{end}" for start, end in span.ranges)) for span in gold]
        return ", ".join(f"{label} {shown}" for label, shown in ranges) or "none"
    return gold if isinstance(gold, str) else ", ".join(gold) or "none"
