"""Windows that own every token once, and batches that follow from the seed and their number alone."""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import fields

import pytest
import tiny
import torch
from hypothesis import given
from hypothesis import strategies as st

from electra_ie.data.batching import Batches, collate
from electra_ie.data.document import Document, Span
from electra_ie.data.fields import IGNORED
from electra_ie.data.windowing import LabeledWindow, WindowTokenizer, label

TRICKY = (
    "Cafe\u0301 ", "\u00e9t\u00e9 ", "\u0130stanbul ", "\uff11\uff12\uff13 ", "\ufb01ne ", "x\u200bz ", "\u200d", "\ufeff",
    "\U0001f469\u200d\U0001f467\u200d\U0001f466 ", "\U0001f44d\U0001f3fd", "\r\n", "\n\n", "\t", "\u00a0", "\u3000",
    "\u6771\u4eac\u90fd", "\u3002", "a\u0308\u0323", "\u0301", "\u2168 ", "\u2460", "5.975,74 ", "Mr. Arden. ", "bank ",
    "transfer ", "-", "(", ")", "\u0645\u0631\u062d\u0628\u0627 ", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35", "\x00", "\x7f",
)  # fmt: skip
"""Marks that combine, ligatures, full-width digits, joiners, controls, line ends: what normalising moves about."""
PIECE = st.one_of(
    st.sampled_from(TRICKY), st.text(max_size=6), st.sampled_from(tiny.WORDS).map(lambda word: word + " ")
)
TEXT = st.lists(PIECE, max_size=40).map("".join)
MARKS = "".join(character for character in map(chr, range(0x110000)) if unicodedata.category(character)[0] == "M")
FORM = st.sampled_from(["NFC", "NFD", "NFKC", "NFKD", ""])


def without_halves(text):
    """Lone surrogates, which the readers refuse, left out."""
    return text.encode("utf-8", "ignore").decode()


@pytest.fixture(scope="module", params=tiny.TOKENIZERS)
def tokenizer(request, encoder):
    return tiny.cutter_of(encoder(request.param)).tokenizer


@pytest.mark.parametrize("whole", [False, True])
@given(TEXT, FORM, st.integers(8, 40), st.integers(0, 20))
def test_every_token_is_owned_once_and_no_window_is_too_long(tokenizer, whole, text, form, size, context_overlap):
    text = without_halves(unicodedata.normalize(form, text) if form else text)
    windower = WindowTokenizer(tokenizer, size, context_overlap, whole)
    windows = windower(text)
    ids, offsets = windower.tokens(text)
    assert [each for window in windows for each in window.owned] == offsets
    assert [each for window in windows for each in window.ids[window.first : window.last]] == ids
    assert all(len(window.ids) == len(window.offsets) <= windower.room for window in windows)
    assert sum(window.weight for window in windows) == pytest.approx(1)


@pytest.mark.parametrize("whole", [False, True])
@given(TEXT, FORM)
def test_tokens_cover_every_visible_character_in_order(tokenizer, whole, text, form):
    text = without_halves(unicodedata.normalize(form, text) if form else text)
    ids, offsets = WindowTokenizer(tokenizer, 64, 4, whole).tokens(text)
    assert len(ids) == len(offsets)
    covered = set()
    for start, end in offsets:
        assert 0 <= start <= end <= len(text)
        piece = text[start:end]
        assert piece == piece.strip(), "a token begins or ends with white space"
        covered.update(range(start, end))
    starts = [start for start, end in offsets if start < end]
    assert starts == sorted(starts)
    # What may stand in no token: white space, controls and format characters, the replacement character (left out by
    # BERT), and a combining mark that follows none of its letters: the character before its marks is in no token either.
    for place in set(range(len(text))) - covered:
        kind = unicodedata.category(text[place])
        letter = len(text[:place].rstrip(MARKS)) - 1
        orphan = kind[0] == "M" and letter not in covered
        assert text[place].isspace() or kind[0] in "CZ" or orphan or text[place] == "\ufffd", (place, text[place])


@pytest.mark.parametrize("text", [
    "Cafe\u0301 Noe\u0308l", "\u0130zmir i\u0307zmir", "\uff11\uff12\uff13 \uff21rden", "a\r\nb\r\nc",
    "x\u3000y\u00a0z", "\U0001f469\u200d\U0001f467 one \U0001f44d\U0001f3fd two",
])  # fmt: skip
@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("whole", [False, True])
def test_offsets_are_those_of_the_text_as_it_was_read(tokenizer, whole, text, form):
    text = unicodedata.normalize(form, text)
    offsets = [each for each in WindowTokenizer(tokenizer, 64, 4, whole).tokens(text)[1] if each[0] < each[1]]
    place = 0
    for word in text.split():
        start = text.index(word, place)
        place = start + len(word)
        inside = [each for each in offsets if start <= each[0] < place]
        assert (inside[0][0], max(end for _, end in inside)) == (start, place)


def test_whole_words_are_judged_by_their_first_token(encoder):
    windower = WindowTokenizer(tiny.cutter_of(encoder("bert")).tokenizer, 64, 4, whole_words=True)
    text = "the Zyqxo\u0301 paid"
    ids, offsets = windower.tokens(text)
    judged = [text[start:end] for start, end in offsets if start < end]
    assert judged == ["the", "Zyqxo\u0301", "paid"]
    assert len(ids) > 5
    batch = collate([LabeledWindow(windower(text)[0], {})], windower, ())
    assert batch.token_mask.sum() == 3
    assert batch.attention_mask.sum() == len(ids) + 2


def test_a_window_too_small_for_text_is_refused(tokenizer):
    with pytest.raises(ValueError, match="at least 4"):
        WindowTokenizer(tokenizer, 5, 2)


def test_windows_end_at_sentences_where_they_can(tokenizer):
    windower = WindowTokenizer(tokenizer, 32, 4)
    text = "the bank paid the house. " * 30
    windows = windower(text)
    assert len(windows) > 3
    for window in windows:
        assert window.first == 0
        assert window.last == len(window.ids), "no context is needed where a sentence ends"
        assert text[window.offsets[0][0] :].startswith("the bank")


def test_a_window_bears_the_gold_that_it_owns(tokenizer):
    windower = WindowTokenizer(tokenizer, 16, 4)
    text = "bank " * 20 + "Arden " * 3 + "bank " * 20
    document = Document("d", text, {"names": (Span(100, 117, "person"),), "topic": "travel", "risks": ("cash",)})
    windows = windower(text)
    tags = []
    for row in label(document, windows, tiny.FIELDS):
        assert (row.gold["topic"], row.gold["risks"]) == (1, [0.0, 1.0])
        first, last = row.window.first, row.window.last
        assert all(tag == IGNORED for tag in [*row.gold["names"][:first], *row.gold["names"][last:]])
        tags += row.gold["names"][first:last]
    assert any(window.first for window in windows), "no window has context: the test tests nothing"
    marked = [offset for offset, tag in zip(windower.tokens(text)[1], tags, strict=True) if tag > 0]
    assert (marked[0][0], marked[-1][1]) == (100, 117)
    assert Counter(tags)[1] == 1, "one B- over all windows"


def test_an_unknown_field_is_ignored_and_never_a_class(encoder):
    windower = tiny.cutter_of(encoder("bert"))
    known = Document("k", "paid", {"topic": "trade", "risks": (), "names": ()})
    batch = collate(tiny.rows(windower, [known, known.unlabeled()]), windower, tiny.FIELDS)
    assert batch.labels["topic"].tolist() == [0, IGNORED]
    assert batch.labels["risks"].tolist() == [[0, 0], [IGNORED, IGNORED]]
    assert (batch.labels["names"][0] == 0).any()
    assert (batch.labels["names"][1] == IGNORED).all()


def test_special_tokens_padding_and_context_are_not_judged(encoder):
    windower = tiny.cutter_of(encoder("roberta"), 16, 4)
    rows = tiny.rows(windower, [Document("d", "bank " * 40)])
    rows.append(LabeledWindow(windower("bank")[0], {}))
    batch = collate(rows, windower, ())
    owned = sum(start < end for text in ("bank " * 40, "bank") for start, end in windower.tokens(text)[1])
    assert int(batch.token_mask.sum()) == owned
    assert any(each.window.first for each in rows), "no window has context before its own tokens"
    for place, each in enumerate(rows):
        window = each.window
        seen = [
            token for token in range(window.first, window.last) if window.offsets[token][0] < window.offsets[token][1]
        ]
        assert batch.token_mask[place].nonzero().flatten().tolist() == [len(windower.before) + token for token in seen]
    assert not batch.token_mask[:, 0].any()
    assert not (batch.token_mask & (batch.attention_mask == 0)).any()


def same(one, other):
    tensors = [each.name for each in fields(one) if each.name != "labels"]
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in tensors) and all(
        torch.equal(one.labels[name], other.labels[name]) for name in one.labels
    )


def test_a_batch_follows_from_seed_and_number_alone(encoder):
    windower = tiny.cutter_of(encoder("bert"))
    once, again = tiny.batches_of(windower), tiny.batches_of(windower)
    numbers = list(range(9))
    first = {number: once[number] for number in numbers}
    for number in (7, 2, 8, 0, 3, 1, 6, 5, 4):  # in another order, by another object
        assert same(first[number], again[number])
    other = Batches(once.known.rows, once.pool.rows, (6, 4), windower, tiny.FIELDS, seed=1)
    assert not all(same(first[number], other[number]) for number in numbers)


@pytest.mark.parametrize("size", [4, 5, 12, 20])
def test_every_labelled_window_is_read_once_an_epoch(encoder, size):
    windower = tiny.cutter_of(encoder("bert"))
    rows = tiny.rows(windower, tiny.documents(12))
    batches = Batches(rows, [], (size, 4), windower, tiny.FIELDS, 0)
    for epoch in range(3):
        numbers = range(epoch * batches.known.batches, (epoch + 1) * batches.known.batches)
        read = [id(row) for number in numbers for row in batches.known[number]]
        assert set(read) == {id(row) for row in rows}
        assert len(read) == len(numbers) * size
        assert len(read) - len(rows) < size


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_divide_the_batch_between_them(encoder, processes):
    windower = tiny.cutter_of(encoder("bert"))
    whole = tiny.batches_of(windower, (5, 4))[3]
    places, texts = [], {}
    for process in range(processes):
        part = tiny.batches_of(windower, (5, 4), process, processes)[3]
        places += part.row_indices.tolist()
        texts.update(
            (place, part.input_ids[row][part.attention_mask[row] == 1].tolist())
            for row, place in enumerate(part.row_indices.tolist())
        )
        known = int((part.labels["topic"] != IGNORED).sum())
        assert 5 // processes <= known <= -(-5 // processes), "each process has its part of the labels"
    assert sorted(places) == whole.row_indices.tolist() == list(range(9))
    for place in places:
        assert texts[place] == whole.input_ids[place][whole.attention_mask[place] == 1].tolist()


def test_a_span_that_goes_on_in_another_window_is_no_new_one_there(encoder):
    """A window ends at the line's end, within a name of two lines: the second part continues the first."""
    windower = tiny.cutter_of(encoder("bert"), 12, 2)
    text = "the bank paid Arden and sons\nof river city the old house by the red river"
    start, end = text.index("Arden"), text.index(" the old")
    document = Document("d", text, {"names": (Span(start, end, "person"),)})
    rows = label(document, windower(text), [tiny.NAMED])
    tags = [tag for each in rows for tag in each.gold["names"][each.window.first : each.window.last]]
    names = [tiny.NAMED.names[tag] for tag in tags if tag >= 0]
    assert len(rows) > 1
    assert any(each.window.owned[0][0] == text.index("of river") for each in rows)
    assert names.count("B-person") == 1
    assert names.count("I-person") > 3
