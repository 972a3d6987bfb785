"""Pairs of spans, their distances, and texts in which a pair is marked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from electra_ie.data.anchored.marked_spans import CONTEXT, Sentences, marked, marked_documents
from electra_ie.data.anchored.relation_pairs import NONE, PairRules, normalized
from electra_ie.data.document import Document, Relation, Span
from electra_ie.data.fields import RelationField

TEXT = "Ann met Bo. Cy saw Ann in Rome."
ANN, BO, CY, ROME = Span(0, 3, "PER"), Span(8, 10, "PER"), Span(12, 14, "PER"), Span(26, 30, "BIRTH_PLACE")
FIELD = RelationField("ties", ("knows", "lives_in"), symmetric=("knows",))
GOLD = (Relation(ANN, BO, "knows"), Relation(CY, ROME, "lives_in"))
DOCUMENT = Document("d", TEXT, {"ties": GOLD})


def test_head_and_tail_are_marked_with_their_labels_in_their_sentences():
    assert marked(TEXT, (CY, ROME)) == "@ * per * Cy @ saw Ann in # ^ birth place ^ Rome #."
    assert marked(TEXT, (ROME, CY)) == "# ^ per ^ Cy # saw Ann in @ * birth place * Rome @."
    assert marked(TEXT, (ANN, CY)) == "@ * per * Ann @ met Bo. # ^ per ^ Cy # saw Ann in Rome."


def test_nested_spans_are_marked_inside_each_other():
    inner, outer = Span(4, 7, "B"), Span(0, 7, "A")
    assert marked("one two", (outer, inner)) == "@ * a * one # ^ b ^ two # @"
    assert marked("one two", (inner, outer)) == "# ^ a ^ one @ * b * two @ #"
    assert marked("one two", (Span(0, 3, "B"), outer)) == "# ^ a ^ @ * b * one @ two #"


def test_a_text_without_sentence_ends_is_cut_around_the_spans():
    text = "x" * 5000 + " Ann met Bo " + "y" * 5000
    pair = Span(5001, 5004, "PER"), Span(5009, 5011, "PER")
    assert marked(text, pair) == "x" * (CONTEXT - 1) + " @ * per * Ann @ met # ^ per ^ Bo # " + "y" * (CONTEXT - 1)


spans = st.builds(
    lambda start, size, label: Span(start, start + size, label),
    st.integers(0, 40), st.integers(1, 12), st.sampled_from(["PER", "LOC"]),
)  # fmt: skip


@given(st.text(alphabet="ab .!?\n。é😀", min_size=52, max_size=60), spans, spans)
def test_a_marked_text_without_its_marks_is_a_passage_of_the_text(text, head, tail):
    found = marked(text, (head, tail))
    for label in ("per", "loc"):
        found = found.replace(f"@ * {label} * ", "").replace(f"# ^ {label} ^ ", "")
    found = found.replace(" @", "").replace(" #", "")
    assert found in text.replace(" @", "").replace(" #", "")
    assert text[head.start : head.end].strip() in found


@given(st.text(alphabet="ab .!?\n。é", min_size=1, max_size=60))
def test_every_character_is_in_one_sentence(text):
    sentences = Sentences(text)
    numbers = [sentences.of(Span(place, place + 1, "A")) for place in range(len(text))]
    assert numbers == sorted(numbers)
    assert max(numbers) < len(sentences.ends)


def test_rules_are_those_of_the_labeled_relations():
    rules = PairRules.learn(FIELD, [DOCUMENT])
    assert rules == PairRules((("PER", "BIRTH_PLACE"),), (("PER", "PER"),), 0)
    assert PairRules.from_dict(rules.as_dict) == rules
    assert rules.candidates(TEXT, [ROME, CY, BO, ANN, ANN]) == [(ANN, BO), (CY, ROME)]


def test_a_declared_pair_is_considered_in_both_orders():
    field = RelationField("ties", ("knows", "lives_in"), (("PER", "BIRTH_PLACE"),), ("knows",))
    rules = PairRules.learn(field, [DOCUMENT])
    assert rules == PairRules((("PER", "BIRTH_PLACE"),), (), 0)
    assert PairRules.learn(field, []).between == (("PER", "BIRTH_PLACE"),)


def test_the_distance_covers_most_relations_and_no_outlier():
    far = Document("e", TEXT, {"ties": (Relation(ANN, ROME, "lives_in"),)})
    assert PairRules.learn(FIELD, [DOCUMENT] * 19 + [far]).sentences == 0
    assert PairRules.learn(FIELD, [DOCUMENT] * 9 + [far]).sentences == 1


@pytest.mark.parametrize(
    "content",
    [None, {}, {"between": 3, "in_order": [], "sentences": 0}, {"between": [], "in_order": [], "sentences": -1}],
)
def test_damaged_rules_are_an_error(content):
    with pytest.raises((TypeError, KeyError, ValueError)):
        PairRules.from_dict(content)


def test_pairs_become_documents_of_classes():
    assert PairRules.classes(FIELD).labels == (NONE, "knows", "lives_in")
    pairs = [(ANN, BO), (CY, ROME)]
    first, second = marked_documents(DOCUMENT, pairs, {pairs[0]: "knows", pairs[1]: NONE}, "ties")
    assert (first.gold, second.gold) == ({"ties": "knows"}, {"ties": NONE})
    assert first.id == "d:0-3-PER>8-10-PER"
    assert [each.gold for each in marked_documents(DOCUMENT, pairs)] == [{}, {}]


def test_a_relation_without_direction_begins_with_its_first_span():
    assert normalized(FIELD, [Relation(BO, ANN, "knows"), GOLD[0], GOLD[1]]) == GOLD


def test_a_text_of_many_spans_has_only_pairs_within_the_distance():
    text = "Ann met Bo. " * 3000
    spans = [
        Span(12 * place + start, 12 * place + end, "PER") for place in range(3000) for start, end in ((0, 3), (8, 10))
    ]
    pairs = PairRules((("PER", "PER"),), (), 0).candidates(text, spans)
    assert len(pairs) == 6000
    assert next(marked_documents(Document("d", text), pairs)).text == "@ * per * Ann @ met # ^ per ^ Bo #."


def test_a_relation_without_a_direction_is_considered_whichever_span_comes_first():
    text = "Acme with Ann. Bo with Corp."
    acme, ann, bo, corp = Span(0, 4, "ORG"), Span(10, 13, "PER"), Span(15, 17, "PER"), Span(23, 27, "ORG")
    gold = (Relation(acme, ann, "ally"),)
    for between in ((), (("PER", "ORG"),)):
        field = RelationField("ties", ("ally",), between, ("ally",))
        rules = PairRules.learn(field, [Document("d", "Acme with Ann.", {"ties": normalized(field, gold)})])
        assert rules.candidates(text, [acme, ann, bo, corp]) == [(acme, ann), (bo, corp)], between
        labels, lost = rules.labeled(field, Document("d", text, {"ties": gold}), [acme, ann, bo, corp])
        assert labels == {(acme, ann): "ally", (bo, corp): NONE} and not lost
