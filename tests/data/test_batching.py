"""Windows that own every token once, and batches that depend on the seed and their index only."""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import fields

import pytest
import tiny
import torch
from hypothesis import given
from hypothesis import strategies as st
from unicode_texts import FORM, TEXT, without_halves

from electra_ie.data.batching import Batches, collate
from electra_ie.data.document import Document, Span
from electra_ie.data.fields import IGNORED
from electra_ie.data.windowing import LabeledWindow, WindowTokenizer, label

MARKS = "".join(character for character in map(chr, range(0x110000)) if unicodedata.category(character)[0] == "M")


@pytest.fixture(scope="module", params=tiny.TOKENIZERS)
def tokenizer(request, encoder):
    return tiny.windower_of(encoder(request.param)).tokenizer


@pytest.mark.parametrize("whole", [False, True])
@given(TEXT, FORM, st.integers(8, 40), st.integers(0, 20))
def test_every_token_is_owned_once_and_no_window_is_too_long(tokenizer, whole, text, form, size, context_overlap):
    text = without_halves(unicodedata.normalize(form, text) if form else text)
    windower = WindowTokenizer(tokenizer, size, context_overlap, whole)
    windows = windower(text)
    ids, offsets = windower.tokens(text)
    assert [offset for window in windows for offset in window.owned] == offsets
    assert [token for window in windows for token in window.ids[window.first : window.last]] == ids
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
    # No token may contain white space, controls, format characters, the replacement character (dropped by BERT), and a
    # combining mark whose base character is in no token either.
    for index in set(range(len(text))) - covered:
        kind = unicodedata.category(text[index])
        letter = len(text[:index].rstrip(MARKS)) - 1
        orphan = kind[0] == "M" and letter not in covered
        assert text[index].isspace() or kind[0] in "CZ" or orphan or text[index] == "\ufffd", (index, text[index])


@pytest.mark.parametrize("text", [
    "Cafe\u0301 Noe\u0308l", "\u0130zmir i\u0307zmir", "\uff11\uff12\uff13 \uff21rden", "a\r\nb\r\nc",
    "x\u3000y\u00a0z", "\U0001f469\u200d\U0001f467 one \U0001f44d\U0001f3fd two",
])  # fmt: skip
@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("whole", [False, True])
def test_offsets_refer_to_the_text_before_normalization(tokenizer, whole, text, form):
    text = unicodedata.normalize(form, text)
    offsets = [pair for pair in WindowTokenizer(tokenizer, 64, 4, whole).tokens(text)[1] if pair[0] < pair[1]]
    end = 0
    for word in text.split():
        start = text.index(word, end)
        end = start + len(word)
        inside = [pair for pair in offsets if start <= pair[0] < end]
        assert (inside[0][0], max(last for _, last in inside)) == (start, end)


def test_whole_words_are_labeled_on_their_first_token(encoder):
    windower = WindowTokenizer(tiny.windower_of(encoder("bert")).tokenizer, 64, 4, whole_words=True)
    text = "the Zyqxo\u0301 paid"
    ids, offsets = windower.tokens(text)
    labeled = [text[start:end] for start, end in offsets if start < end]
    assert labeled == ["the", "Zyqxo\u0301", "paid"] and len(ids) > 5
    batch = collate([LabeledWindow(windower(text)[0], {})], windower, ())
    assert batch.token_mask.sum() == 3
    assert batch.attention_mask.sum() == len(ids) + 2


def test_window_too_small_for_text_is_refused(tokenizer):
    with pytest.raises(ValueError, match="at least 4"):
        WindowTokenizer(tokenizer, 5, 2)


def test_windows_end_at_sentences_if_possible(tokenizer):
    windower = WindowTokenizer(tokenizer, 32, 4)
    text = "the bank paid the house. " * 30
    windows = windower(text)
    assert len(windows) > 3
    for window in windows:
        assert window.first == 0 and window.last == len(window.ids), "a window that ends with a sentence has context"
        assert text[window.offsets[0][0] :].startswith("the bank")


def test_window_has_the_gold_of_its_own_tokens(tokenizer):
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
    assert any(window.first for window in windows), "no window has context, so the test is void"
    marked = [offset for offset, tag in zip(windower.tokens(text)[1], tags, strict=True) if tag > 0]
    assert (marked[0][0], marked[-1][1]) == (100, 117)
    assert Counter(tags)[1] == 1, "the span begins in several windows"


def test_unlabeled_field_is_ignored_and_not_a_class(encoder):
    windower = tiny.windower_of(encoder("bert"))
    known = Document("k", "paid", {"topic": "trade", "risks": (), "names": ()})
    batch = collate(tiny.rows(windower, [known, known.unlabeled()]), windower, tiny.FIELDS)
    assert batch.labels["topic"].tolist() == [0, IGNORED]
    assert batch.labels["risks"].tolist() == [[0, 0], [IGNORED, IGNORED]]
    assert (batch.labels["names"][0] == 0).any()
    assert (batch.labels["names"][1] == IGNORED).all()


def test_special_tokens_padding_and_context_are_not_owned(encoder):
    windower = tiny.windower_of(encoder("roberta"), 16, 4)
    rows = tiny.rows(windower, [Document("d", "bank " * 40)])
    rows.append(LabeledWindow(windower("bank")[0], {}))
    batch = collate(rows, windower, ())
    owned = sum(start < end for text in ("bank " * 40, "bank") for start, end in windower.tokens(text)[1])
    assert int(batch.token_mask.sum()) == owned
    assert any(row.window.first for row in rows), "no window has context before its own tokens"
    for index, row in enumerate(rows):
        window = row.window
        expected = [
            token for token in range(window.first, window.last) if window.offsets[token][0] < window.offsets[token][1]
        ]
        assert batch.token_mask[index].nonzero().flatten().tolist() == [
            len(windower.before) + token for token in expected
        ]
    assert not batch.token_mask[:, 0].any() and not (batch.token_mask & (batch.attention_mask == 0)).any()


def same(one, other):
    tensors = [field.name for field in fields(one) if field.name not in ("labels", "teacher_probabilities")]
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in tensors) and all(
        torch.equal(one.labels[name], other.labels[name]) for name in one.labels
    )


def test_batch_depends_on_seed_and_index_only(encoder):
    windower = tiny.windower_of(encoder("bert"))
    once, again = tiny.batches_of(windower), tiny.batches_of(windower)
    indices = list(range(9))
    first = {index: once[index] for index in indices}
    for index in (7, 2, 8, 0, 3, 1, 6, 5, 4):  # in another order, by another object
        assert same(first[index], again[index])
    other = Batches(once.known.rows, once.pool.rows, (6, 4), windower, tiny.FIELDS, seed=1)
    assert not all(same(first[index], other[index]) for index in indices)


@pytest.mark.parametrize("size", [4, 5, 12, 20])
def test_every_labeled_window_is_read_once_per_epoch(encoder, size):
    windower = tiny.windower_of(encoder("bert"))
    rows = tiny.rows(windower, tiny.documents(12))
    batches = Batches(rows, [], (size, 4), windower, tiny.FIELDS, 0)
    for epoch in range(3):
        indices = range(epoch * batches.known.batches, (epoch + 1) * batches.known.batches)
        read = [row for index in indices for row in batches.known[index]]
        assert set(read) == set(range(len(rows)))
        assert len(read) == len(indices) * size and len(read) - len(rows) < size  # the last batch is filled up


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_divide_the_batch(encoder, processes):
    windower = tiny.windower_of(encoder("bert"))
    whole = tiny.batches_of(windower, (5, 4))[3]
    indices, texts = [], {}
    for process in range(processes):
        part = tiny.batches_of(windower, (5, 4), process, processes)[3]
        indices += part.row_indices.tolist()
        texts.update(
            (index, part.input_ids[row][part.attention_mask[row] == 1].tolist())
            for row, index in enumerate(part.row_indices.tolist())
        )
        known = int((part.labels["topic"] != IGNORED).sum())
        assert 5 // processes <= known <= -(-5 // processes), "a process has too many or too few labels"
    assert sorted(indices) == whole.row_indices.tolist() == list(range(9))
    for index in indices:
        assert texts[index] == whole.input_ids[index][whole.attention_mask[index] == 1].tolist()


def test_span_over_two_windows_continues_in_the_second(encoder):
    """A window ends at a line end inside a name of two lines; the second part has I tags only."""
    windower = tiny.windower_of(encoder("bert"), 12, 2)
    text = "the bank paid Arden and sons\nof river city the old house by the red river"
    start, end = text.index("Arden"), text.index(" the old")
    document = Document("d", text, {"names": (Span(start, end, "person"),)})
    rows = label(document, windower(text), [tiny.NAMED])
    tags = [tag for row in rows for tag in row.gold["names"][row.window.first : row.window.last]]
    names = [tiny.NAMED.names[tag] for tag in tags if tag >= 0]
    assert len(rows) > 1 and any(row.window.owned[0][0] == text.index("of river") for row in rows)
    assert names.count("B-person") == 1 and names.count("I-person") > 3
