"""Co-training of spans: logistic regression on the spelling of words, and its combination with the teacher."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch
from test_pseudo_labels import POOL, setup_of

from electra_ie import train
from electra_ie.data.document import Document
from electra_ie.data.hints import Hint
from electra_ie.data.spelling import features_of
from electra_ie.data.windowing import LabeledWindow
from electra_ie.training.pseudo_labels import spans as spans_module
from electra_ie.training.pseudo_labels.pool import pseudo_labels
from electra_ie.training.pseudo_labels.spelling import SpellingClassifier, Words, words_of


def test_words_are_those_that_have_a_tag(encoder):
    """Each word is once in the windows that own it, also where windows overlap, in any script."""
    windower = tiny.windower_of(encoder("bert"), size=12)
    texts = ["Arden paid 4.321,00 to the bank, " * 6, "", "中文 Café\u0301 paid"]
    windows = [LabeledWindow(window, {}) for text in texts for window in windower(text)]
    words = words_of(texts, windows)
    assert len(windows) > len(texts) + 2
    for text, row in zip(texts, words, strict=True):
        assert "".join(row.texts) == "".join(text.split())
        assert len(set(row.positions)) == len(row.positions) == len(row.texts)
        for word, (window, token) in zip(row.texts, row.positions, strict=True):
            start, end = windows[window].window.offsets[token]
            assert text[start:end] == word


def test_features_depend_on_the_word_its_spelling_and_its_neighbors():
    words = "Acme Ltd paid 4.321,00 .".split()
    first, *_, amount, last = features_of(words)
    assert {"word0=acme", "shape0=Xxx", "word1=ltd", "word-1=", "suffix=cme", "prefix=ac"} <= set(first)
    assert {"shape0=d.dd,dd", "word-2=ltd", "pair=paid 4.321,00", "word1=."} <= set(amount)
    assert "shapes=d.dd,dd . " in last
    assert list(features_of([])) == []


def words_in(text: str, hints=()) -> Words:
    """Return the words of a text, those of `hints` with the hint `NAME`."""
    words = text.split()
    return Words(words, [], [["hint=NAME B"] if word in hints else [] for word in words])


def fitted(unlabeled=(), teacher=None) -> SpellingClassifier:
    """Return a classifier of two tags, trained on capitalized words as names."""
    labeled = [words_in("Arden paid and Brisk paid the bank"), words_in("the house of Corvo")]
    gold = np.array([1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1])
    classifier = SpellingClassifier(2)
    words = [words_in(text) for text in unlabeled]
    classifier.fit(labeled, gold, words, np.empty((0, 2)) if teacher is None else teacher)
    return classifier


def test_words_have_the_hints_that_match_there(encoder):
    windower = tiny.windower_of(encoder("bert"), size=12)
    text = "Arden paid the bank, " * 4
    hints = [Hint("names", "person", "names", terms=("arden",)), Hint("names", "bank", "banks", pattern="the bank")]
    windows = [LabeledWindow(window, {}) for window in windower(text)]
    (words,) = words_of([text], windows, hints)
    expected = {"Arden": ["hint=names B"], "the": ["hint=banks B"], "bank": ["hint=banks I"]}
    assert [expected.get(word, []) for word in words.texts] == words.hints


@pytest.mark.parametrize("hints", [("arden", "corvo"), ("arden", "corvo", "paid", "house", "bank", "of")])
def test_hints_count_as_far_as_the_labels_confirm_them(hints):
    """The hint marks names that spelling does not show; a hint that is right in two of six cases says less."""
    labeled = [words_in(text, hints) for text in ("arden paid and brisk paid the bank", "the house of corvo")]
    classifier = SpellingClassifier(2)
    classifier.fit(labeled, np.array([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]), [], np.empty((0, 2)))
    unseen = [words_in("dunmore", ("dunmore",)), words_in("dunmore")]
    with_hint, without = classifier.combine_with_teacher(np.full((2, 2), 0.5), unseen)[:, 1]
    assert (with_hint > without + 0.15) == (len(hints) == 2)


def test_classifier_generalizes_from_spelling():
    predicted = fitted().combine_with_teacher(np.full((4, 2), 0.5), [words_in("Dunmore paid the river")])
    assert (predicted.argmax(1) == [1, 0, 0, 0]).all()
    np.testing.assert_allclose(predicted.sum(1), 1)


def test_classifier_learns_from_the_teacher_on_unlabeled_words():
    """The teacher knows that a word after `mister` is a name, whatever its case."""
    unlabeled = [
        f"mister {name} {verb} the {noun}"
        for name in ("elsted", "farrow", "gilden")
        for verb in ("paid", "saw")
        for noun in ("bank", "river", "house")
    ]
    names = np.array([[word in ("elsted", "farrow", "gilden") for word in text.split()] for text in unlabeled]).ravel()
    teacher = np.where(names[:, None], [0.01, 0.99], [0.99, 0.01])
    test = [words_in("mister harwick paid the bank")]
    even = np.full((5, 2), 0.5)
    alone, together = (
        classifier.combine_with_teacher(even, test)[1, 1] for classifier in (fitted(), fitted(unlabeled, teacher))
    )
    assert alone < 0.5 < together


def test_tags_without_a_label_have_no_probability():
    classifier = SpellingClassifier(4)
    classifier.fit([words_in("Arden paid")], np.array([3, 0]), [], np.empty((0, 4)))
    combined = classifier.combine_with_teacher(np.full((2, 4), 0.25), [words_in("Brisk paid")])
    assert (combined[:, [1, 2]] < 1e-4).all()
    assert classifier.combine_with_teacher(np.empty((0, 4)), []).shape == (0, 4)


def test_classifier_that_has_learned_nothing_does_not_change_the_teacher(monkeypatch):
    """It predicts the frequencies of the tags, of which most are "no tag"."""
    words = [words_in("a b c d")]
    classifier = SpellingClassifier(2)
    classifier.fit([words_in("a " * 20)], np.array([1] + [0] * 19), [], np.empty((0, 2)))
    monkeypatch.setattr(classifier, "_probabilities", lambda rows: np.tile(classifier.frequencies, (4, 1)))
    teacher = np.array([[0.6, 0.4], [0.4, 0.6], [0.01, 0.99], [0.99, 0.01]])
    np.testing.assert_allclose(classifier.combine_with_teacher(teacher, words), teacher, atol=1e-6)
    monkeypatch.setattr(classifier, "_probabilities", lambda rows: np.tile([0.5, 0.5], (4, 1)))
    assert (classifier.combine_with_teacher(teacher, words)[:, 1] > teacher[:, 1]).all(), "more than the frequency"


@pytest.mark.parametrize("size", [64, 14])
def test_pseudo_labels_of_spans_are_the_mean_of_teacher_and_spelling(encoder, size):
    setup, teacher = setup_of(encoder("bert"), size=size)
    with torch.no_grad():  # an untrained teacher is not sure of anything
        teacher.head(tiny.NAMED).output_layer.weight.mul_(0.05)
    plain, _ = pseudo_labels(setup, teacher)
    setup.settings.co_training = True
    labels, fields = pseudo_labels(setup, teacher)
    assert fields == ["names"]
    gold = [document.gold["names"] for document in tiny.documents(30, seed=8)]
    words = words_of([document.text for document in POOL], setup.windows.pool)
    before = len(setup.windows.windower.before)
    right: dict[str, list[bool]] = {"plain": [], "combined": []}
    for spans, row in zip(gold, words, strict=True):
        for window, token in row.positions:
            start, end = setup.windows.pool[window].window.offsets[token]
            in_span = any(span.start < end and start < span.end for span in spans)
            for name, source in (("plain", plain), ("combined", labels)):
                right[name].append((int(source[window]["names"][before + token].argmax()) > 0) == in_span)
    assert np.mean(right["combined"]) > np.mean(right["plain"]) + 0.1
    changed = {place for row in words for place in row.positions}
    for window, (one, other) in enumerate(zip(plain, labels, strict=True)):
        for position in range(len(one["names"])):
            same = torch.equal(one["names"][position], other["names"][position])
            assert same is ((window, position - before) not in changed)


def test_co_training_of_spans_must_improve_the_predictions_for_dev(encoder):
    """The teacher is right on one dev split; on the other, spelling is."""
    setup, teacher = setup_of(encoder("bert"))
    setup.settings.co_training = True
    documents = tiny.documents(20, seed=21)
    with torch.no_grad():
        teacher.head(tiny.NAMED).output_layer.weight.zero_()
        teacher.head(tiny.NAMED).output_layer.bias.copy_(torch.tensor([9.0, 0.0, 0.0, 0.0, 0.0]))
    for gold, helps in ((documents, True), ([replace(document, gold={"names": ()}) for document in documents], False)):
        setup.data = replace(setup.data, dev=gold)
        _, fields = pseudo_labels(setup, teacher)
        assert ("names" in fields) is helps


def test_dev_is_predicted_once_for_all_tracks(encoder, monkeypatch):
    field, folder = replace(tiny.NAMED, scheme="tracks"), encoder("bert")
    setup, _ = setup_of(folder)
    setup.settings.co_training, setup.task.fields = True, (field,)
    rows = tiny.rows(setup.windows.windower, tiny.documents(40), (field,))
    setup.windows = replace(setup.windows, labeled=rows)
    setup.data = replace(setup.data, dev=tiny.documents(20, seed=21))
    predicted, helped = [], []
    predict, helps = spans_module.predict, spans_module._helps
    monkeypatch.setattr(spans_module, "predict", lambda *given: predicted.append(given) or predict(*given))
    monkeypatch.setattr(spans_module, "_helps", lambda *given: helped.append(given) or helps(*given))
    pseudo_labels(setup, tiny.discriminator_of(folder, (field,)))
    assert (len(field.tracks), len(helped), len(predicted)) == (2, 2, 1)


def test_labels_without_a_span_leave_the_teacher_alone(encoder):
    labeled = [Document(document.id, document.text, {**document.gold, "names": ()}) for document in tiny.documents(12)]
    setup, teacher = setup_of(encoder("bert"), labeled)
    setup.settings.co_training = True
    assert pseudo_labels(setup, teacher)[1] == []


@pytest.mark.slow
def test_card_names_the_spans_with_co_training(task, tmp_path, encoder):
    task.write_text(task.read_text("utf-8").replace("dev: dev.jsonl, ", ""), encoding="utf-8")
    run = train(str(task), tmp_path / "run", **tiny.settings(encoder("bert"), "self_training", max_steps=2)).path
    assert json.loads((run / "scores.json").read_text("utf-8"))["training"]["co_training"] == [
        "topic",
        "risks",
        "names",
    ]
    card = (run / "README.md").read_text("utf-8")
    assert "regression on the spelling of words and their neighbors" in card
