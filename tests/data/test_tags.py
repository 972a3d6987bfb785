"""Spans to tags and back, for each type of tokenizer, and the best valid sequence of tags."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st

from electra_ie.data.bio import invalid_transitions, to_spans, to_tags, viterbi
from electra_ie.data.document import Span
from electra_ie.data.fields import IGNORED, Field, drop_overlapping

FIELD = Field("names", "spans", ("x", "y"))
HARD = [
    ("paid 5.975,74 today", ["5.975,74"]),
    ("the well-known Arden-Brisk house", ["well-known", "Arden-Brisk"]),
    ("paid5.975,74EUR", ["5.975,74"]),
    ("(Arden)", ["Arden"]),
    ("Arden", ["Arden"]),
    ("ArdenBrisk", ["ArdenBrisk"]),
    ("a,b,c", ["a", "b", "c"]),
    ("Cafe\u0301 Ro\u0308sti", ["Cafe\u0301", "Ro\u0308sti"]),
    ("in \u0130zmir \uff11\uff12\uff13 \u6771\u4eac", ["\u0130zmir", "\uff11\uff12\uff13", "\u6771\u4eac"]),
    ("a\r\nb\r\nArden", ["a", "b", "Arden"]),
    ("see \U0001f469\u200d\U0001f467 by \U0001f44d\U0001f3fd.", ["\U0001f469\u200d\U0001f467", "\U0001f44d\U0001f3fd"]),
]
"""Texts, and the passages in them that are gold."""


@pytest.fixture(scope="module", params=tiny.TOKENIZERS)
def windower(request, encoder):
    return tiny.windower_of(encoder(request.param))


def there_and_back(field, spans, offsets):
    return [span for span, _ in to_spans(field, to_tags(field, spans, offsets), offsets)]


def test_span_field_has_two_outputs_per_label_and_one():
    assert FIELD.names == ("O", "B-x", "I-x", "B-y", "I-y")
    assert Field("topic", "classes", ("p", "q")).names == ("p", "q")


@pytest.mark.parametrize(("text", "passages"), HARD)
def test_spans_survive_the_tags(windower, text, passages):
    spans, end = [], 0
    for index, passage in enumerate(passages):
        start = text.index(passage, end)
        end = start + len(passage)
        spans.append(Span(start, end, "xy"[index % 2]))
    assert there_and_back(FIELD, spans, windower.tokens(text)[1]) == spans


WORD = st.text("abcdeXYZ0123456789", min_size=1, max_size=8)
PUNCTUATED = st.builds(
    lambda words, marks: "".join(word + mark for word, mark in zip(words, marks, strict=False)),
    st.lists(WORD, min_size=1, max_size=12),
    st.lists(st.sampled_from(["", "-", ".", ",", " ", "  ", " (", ") ", "\r\n", "/"]), min_size=12, max_size=12),
)


@given(st.data())
def test_any_sequence_of_tokens_is_a_span_that_survives(windower, data):
    """Spans may start inside words, be adjacent, or contain punctuation."""
    text = data.draw(PUNCTUATED)
    offsets = windower.tokens(text)[1]
    edges = [index for index, (start, end) in enumerate(offsets) if start < end]
    cuts = sorted(data.draw(st.sets(st.integers(0, len(edges)), max_size=8)))
    spans = []
    for first, last in zip(cuts, cuts[1:], strict=False):
        label = data.draw(st.sampled_from(["x", "y", None]))
        if label:
            spans.append(Span(offsets[edges[first]][0], offsets[edges[last - 1]][1], label))
    assert there_and_back(FIELD, spans, offsets) == spans


def test_span_inside_a_token_takes_the_token_and_adjacent_spans_stay_separate():
    offsets = [(0, 5), (5, 5), (6, 9)]
    assert to_tags(FIELD, [Span(1, 3, "x")], offsets) == [1, IGNORED, 0]
    assert there_and_back(FIELD, [Span(1, 3, "x")], offsets) == [Span(0, 5, "x")]
    assert there_and_back(FIELD, [Span(0, 5, "x"), Span(6, 9, "x")], offsets) == [Span(0, 5, "x"), Span(6, 9, "x")]
    assert there_and_back(FIELD, [Span(0, 9, "y")], offsets) == [Span(0, 9, "y")]


def test_positions_of_the_tokens_of_a_span_are_returned():
    tags = [1, IGNORED, 2, 3, 0]
    spans = to_spans(FIELD, tags, [(0, 1), (1, 1), (2, 3), (4, 5), (6, 7)])
    assert spans == [(Span(0, 3, "x"), [0, 2]), (Span(4, 5, "y"), [3])]


@given(st.lists(st.builds(lambda start, size, label: Span(start, start + size, label),
                          st.integers(0, 20), st.integers(1, 8), st.sampled_from("xy")), max_size=8))  # fmt: skip
def test_drop_overlapping_keeps_no_overlap_and_loses_no_span(spans):
    kept, lost = drop_overlapping(spans)
    assert sorted(kept + lost) == sorted(spans)
    assert all(one.end <= other.start for one, other in zip(kept, kept[1:], strict=False))
    for span in lost:  # dropped for a span that is at least as long
        rivals = [other for other in kept if other.start < span.end and span.start < other.end]
        assert max(other.end - other.start for other in rivals) >= span.end - span.start


def valid(tags):
    names = [FIELD.names[tag] for tag in tags]
    before = ["O", *names]
    return all(not name.startswith("I-") or last[2:] == name[2:] for last, name in zip(before, names, strict=False))


def test_inside_tag_follows_a_tag_of_its_label_only():
    rules = invalid_transitions(FIELD)
    for before, after in product(range(5), repeat=2):
        assert rules[before, after] == (not valid([before, after]) and valid([before]) or FIELD.names[after][0] == "I"
                                        and FIELD.names[before][2:] != FIELD.names[after][2:])  # fmt: skip


LOGIT = st.integers(-40, 40).map(lambda value: value / 8)


@given(st.lists(st.lists(LOGIT, min_size=5, max_size=5), max_size=4))
def test_viterbi_equals_exhaustive_search(logits):
    scores = np.array(logits, dtype=np.float32).reshape(-1, 5)
    tags = viterbi(FIELD, scores)
    assert len(tags) == len(logits)
    assert valid(tags)
    best = max(
        sum(scores[position, tag] for position, tag in enumerate(sequence))
        for sequence in product(range(5), repeat=len(logits))
        if valid(sequence)
    )
    assert sum(scores[position, tag] for position, tag in enumerate(tags)) == pytest.approx(best)


@given(st.lists(st.lists(LOGIT, min_size=5, max_size=5), min_size=1, max_size=5), st.sets(st.integers(1, 4)))
def test_viterbi_starts_again_after_a_break(logits, breaks):
    scores = np.array(logits, dtype=np.float32).reshape(-1, 5)
    positions = sorted(position for position in breaks if position < len(logits))
    parts = [viterbi(FIELD, part) for part in np.split(scores, positions)]
    assert viterbi(FIELD, scores, positions).tolist() == np.concatenate(parts).tolist()


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 8)), max_size=20))
def test_dropped_spans_overlap_with_a_longer_span(pairs):
    spans = {Span(start, start + length, "x") for start, length in pairs}
    kept: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start - span.end, span.start)):
        if not any(span.start < other.end and other.start < span.end for other in kept):
            kept.append(span)
    assert drop_overlapping(spans) == (sorted(kept), sorted(spans - set(kept)))
