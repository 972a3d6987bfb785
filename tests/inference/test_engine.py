"""Batches and sections: every window once, within the limits; damaged weights are an error."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st

from electra_ie import Document, Extractor, UserError
from electra_ie.inference.engine import sections as cutting
from electra_ie.inference.engine.batches import plan


@given(st.lists(st.integers(2, 40), max_size=60), st.integers(1, 200), st.booleans())
def test_a_plan_has_each_window_once_and_no_more_tokens_than_allowed(lengths, tokens, equal):
    batches = plan(lengths, tokens, equal)
    assert sorted(index for batch in batches for group in batch for index in group) == list(range(len(lengths)))
    for batch in batches:
        sizes = [[lengths[index] for index in group] for group in batch]
        padded = sum(max(group) * len(group) for group in sizes)
        assert padded <= tokens or sum(map(len, sizes)) == 1
        if equal:
            assert all(len(set(group)) == 1 for group in sizes)
        else:
            assert len(sizes) == 1


def test_batches_are_full():
    lengths = [number % 50 + 2 for number in range(3000)]
    batches = plan(lengths, 4096, True)
    assert len(batches) == -(-sum(lengths) // 4000)


@given(st.text(alphabet="ab \n", max_size=200), st.integers(4, 30))
def test_sections_are_the_whole_text_and_end_at_lines_where_they_can(text, longest):
    limit, cutting.LONGEST = cutting.LONGEST, longest
    try:
        parts = list(cutting.sections(text))
    finally:
        cutting.LONGEST = limit
    assert "".join(part for _, part in parts) == text
    assert all(text[start : start + len(part)] == part for start, part in parts)
    assert all(len(part) <= longest for _, part in parts)
    for _, part in parts[:-1]:
        assert part[-1] == "\n" or "\n" not in part[longest // 2 :]


def test_logits_that_are_not_finite_are_an_error(encoder):
    extractor = Extractor(tiny.discriminator_of(encoder("bert")), tiny.windower_of(encoder("bert")), tiny.FIELDS)

    def damaged(groups):
        return [{**logits, "names": logits["names"] * np.nan} for logits in extractor.score(groups)]

    reader = dataclasses.replace(extractor.pipeline(), score=damaged)
    with pytest.raises(UserError, match='the logits of the field "names" are not finite: the weights are damaged'):
        list(reader.read([Document("", "Arden paid")]))
