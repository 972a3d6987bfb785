"""Every format returns what was written, less the losses that it declares."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import annotated
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from electra_ie.formats import FORMATS
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan, Attribute, canonical
from electra_ie.formats.concepts import LOST
from electra_ie.formats.features import NOT_RELATED, Feature, reduced

WRITTEN = [format for format in FORMATS.values() if format.write]
FOLDERS = ("brat",)
"""Formats with a file for each document, which are read in the order of their names."""


def features(document: AnnotatedDocument) -> dict[str, int]:
    """Return how often each feature is removed from a document if all others are held."""
    everything = frozenset(Feature)
    counts = {feature: reduced(document, everything - {feature})[1][feature.value] for feature in Feature}
    return {feature.value: number for feature, number in counts.items() if number}


def round_trip(name: str, documents: list[AnnotatedDocument]) -> list[AnnotatedDocument]:
    """Write documents, and read them again."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data"
        FORMATS[name].save(documents, path)
        return list(FORMATS[name].documents(path))


@pytest.mark.parametrize("name", [format.name for format in WRITTEN])
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(documents=st.lists(annotated.documents(), min_size=1, max_size=3, unique_by=lambda document: document.id))
def test_reading_returns_what_was_written_less_the_losses(name, documents):
    if FORMATS[name].package:
        pytest.importorskip(FORMATS[name].package)
    expected = [FORMATS[name].reduced(document)[0] for document in documents]
    result = round_trip(name, documents)
    if name in FOLDERS:
        expected.sort(key=lambda document: document.id)
        result.sort(key=lambda document: document.id)
    assert [canonical(document) for document in result] == [canonical(document) for document in expected]


@given(annotated.documents(), st.sets(st.sampled_from(Feature)))
def test_reduced_document_has_none_of_the_features_that_are_not_held(document, held):
    kept, losses = reduced(document, held)
    again, more = reduced(kept, held)
    assert again == kept
    assert not more
    assert set(losses) <= {feature.value for feature in Feature if feature not in held} | {
        "relations", "events", LOST, NOT_RELATED,
    }  # fmt: skip
    assert bool(losses) == (kept != document) or set(losses) <= {"documents that were not annotated"}


@given(annotated.documents())
def test_nothing_is_lost_where_all_features_are_held(document):
    assert reduced(document, frozenset(Feature)) == (document, {})
    assert set(features(document)) <= {feature.value for feature in Feature}


def test_features_are_counted_each_as_if_all_others_were_held():
    spans = (
        AnnotatedSpan("T1", "A", ((0, 9),)),
        AnnotatedSpan("T2", "B", ((0, 9),)),
        AnnotatedSpan("T3", "C", ((2, 4),), attributes=(Attribute("sure"),)),
        AnnotatedSpan("T4", "D", ((6, 8), (10, 12))),
    )
    counts = features(AnnotatedDocument("", "a long enough text", spans))
    assert counts == {
        "spans": 4, "spans with the offsets of others": 1, "spans within others": 1, "spans that cross others": 1,
        "spans of several fragments": 1, "attributes of spans": 1,
    }  # fmt: skip


@given(annotated.documents())
def test_canonical_document_does_not_depend_on_order_and_ids(document):
    renamed = {item.id: f"x{index}" for index, item in enumerate(reversed(list(document.annotations)))}

    def arguments(pairs):
        return tuple((role, renamed[target]) for role, target in pairs)

    other = replace(
        document,
        spans=tuple(replace(span, id=renamed[span.id]) for span in reversed(document.spans)),
        events=tuple(
            replace(event, id=renamed[event.id], trigger=renamed[event.trigger], arguments=arguments(event.arguments))
            for event in document.events
        ),
        relations=tuple(
            replace(item, id=renamed[item.id], arguments=arguments(item.arguments))
            for item in reversed(document.relations)
        ),
    )
    assert canonical(other) == canonical(document)
