"""Ranges of tokens, computed on arrays, are those of the rules applied to one token at a time."""

from __future__ import annotations

import unicodedata

import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st
from unicode_texts import FORM, SCRIPTS, TEXT, without_halves

from electra_ie.common.scripts import continues_word
from electra_ie.data.token_offsets import COMPOSED, ranges_of_tokens


def visible(text, start, end):
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    while start < end < len(text) and (unicodedata.category(text[end]).startswith("M") or COMPOSED.match(text, end)):
        end += 1
    return start, end


def disjoint(text, offsets):
    found, last = [], -1
    for token in offsets:
        start, end = token
        if last >= 0 and start < end:
            previous_start, previous_end = found[last]
            if start == previous_start and end > previous_end:
                found[last] = (previous_start, end)
                start = end
            else:
                start, end = max(start, previous_end), max(end, previous_end)
                while start < end and text[start].isspace():
                    start += 1
        found.append((start, end))
        if start < end:
            last = len(found) - 1
    return found


def by_word(text, offsets, words):
    merged, first, word = [], None, None
    for token, (start, end) in enumerate(offsets):
        same = first is not None and word is not None and words[token] == word
        if first is not None and same and start < end and continues_word(text, start):
            merged[first] = (merged[first][0], end)
            merged.append((end, end))
            continue
        merged.append((start, end))
        if start < end:
            first, word = token, words[token]
    return merged


def one_by_one(text, offsets, words=None):
    found = disjoint(text, [visible(text, start, end) for start, end in offsets])
    return found if words is None else by_word(text, found, words)


@pytest.fixture(scope="module", params=tiny.TOKENIZERS)
def backend(request):
    return tiny.tokenizer_of(request.param).backend_tokenizer


def agree(text, offsets, words):
    assert ranges_of_tokens(text, offsets) == one_by_one(text, offsets)
    assert ranges_of_tokens(text, offsets, words) == one_by_one(text, offsets, words)


@given(TEXT, FORM)
def test_arrays_and_single_tokens_agree_on_any_text(backend, text, form):
    text = without_halves(unicodedata.normalize(form, text) if form else text)
    encoded = backend.encode(text, add_special_tokens=False)
    agree(text, encoded.offsets, encoded.word_ids)


def test_arrays_and_single_tokens_agree_on_all_scripts(backend):
    text = " \n".join(SCRIPTS.values())
    encoded = backend.encode(text, add_special_tokens=False)
    assert len(encoded.ids) > 100
    agree(text, encoded.offsets, encoded.word_ids)


@given(TEXT, st.data())
def test_arrays_and_single_tokens_agree_on_any_ranges(text, data):
    """Ranges that overlap, go back and are empty, as no tokenizer is known to give."""
    text = without_halves(text) or "a"
    at = st.integers(0, len(text))
    pairs = data.draw(st.lists(st.tuples(at, at).map(lambda pair: tuple(sorted(pair))), max_size=12))
    offsets = sorted(pairs) if data.draw(st.booleans()) else pairs
    words = data.draw(st.lists(st.one_of(st.none(), st.integers(0, 3)), min_size=len(offsets), max_size=len(offsets)))
    agree(text, offsets, words)
