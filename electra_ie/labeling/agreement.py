"""Agreement between annotators: Cohen's kappa of classes and flags, F1 of spans and relations, on the texts of both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from electra_ie.data.fields import AnyField
from electra_ie.labeling.annotations import Annotation

Annotations = Mapping[str, Annotation]
"""The annotations of one annotator, by the key of the text."""


@dataclass(frozen=True)
class Agreement:
    """How far two annotators agree about a field, or about one flag.

    Attributes:
        annotators: Their names.
        field: The field.
        label: The flag; "" for another kind of field.
        measure: `kappa` or `f1`.
        value: The agreement; None where it is not defined: by chance all would agree, or nothing was marked.
        texts: The texts that both have labeled.
        same: Of these, those with the same answer.
    """

    annotators: tuple[str, str]
    field: str
    label: str
    measure: str
    value: float | None
    texts: int
    same: int


def agreements(annotations: Mapping[str, Annotations], fields: Sequence[AnyField]) -> list[Agreement]:
    """Return the agreement of each pair of annotators with texts in common.

    Args:
        annotations: The annotations by annotator.
        fields: The fields of the task.
    """
    found: list[Agreement] = []
    for pair in combinations(sorted(annotations), 2):
        first, second = (annotations[name] for name in pair)
        common = [key for key in first if key in second]
        if common:
            for field in fields:
                answers = [(first[key].get(field.name), second[key].get(field.name)) for key in common]
                found += _of_field(pair, field, answers)
    return found


def _of_field(pair: tuple[str, str], field: AnyField, answers: Sequence[tuple[Any, Any]]) -> Iterator[Agreement]:
    if field.kind == "classes":
        known = [each for each in answers if None not in each]
        yield Agreement(pair, field.name, "", "kappa", kappa(known), len(known), sum(one == two for one, two in known))
    elif field.kind == "flags":
        for label in field.labels:
            ticked = [(label in (one or ()), label in (two or ())) for one, two in answers]
            same = sum(one == two for one, two in ticked)
            yield Agreement(pair, field.name, label, "kappa", kappa(ticked), len(ticked), same)
    else:
        marked = [tuple({_plain(item) for item in each or ()} for each in both) for both in answers]
        size = sum(len(one) + len(two) for one, two in marked)
        value = 2 * sum(len(one & two) for one, two in marked) / size if size else None
        yield Agreement(pair, field.name, "", "f1", value, len(marked), sum(one == two for one, two in marked))


def kappa(answers: Sequence[tuple[Any, Any]]) -> float | None:
    """Return Cohen's kappa of pairs of answers; None if all answers are the same, or there are none."""
    from sklearn.metrics import cohen_kappa_score

    first, second = [str(one) for one, _ in answers], [str(two) for _, two in answers]
    if len({*first, *second}) < 2:  # noqa: PLR2004 - chance alone would agree, too
        return None
    return float(cohen_kappa_score(first, second))


def _plain(item: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return a span or a relation as a value that can be compared."""
    if "head" in item:
        return (*_plain(item["head"]), *_plain(item["tail"]), item["label"])
    return item["start"], item["end"], item["label"]
