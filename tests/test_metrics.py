"""Scores against referees: seqeval for spans, scikit-learn for classes and flags."""

from __future__ import annotations

import numpy as np
import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, bootstrap
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.scheme import IOB2
from sklearn.metrics import accuracy_score
from sklearn.metrics import f1_score as sklearn_f1

from electra_ie.data.bio import to_spans
from electra_ie.data.document import Document, Span
from electra_ie.inference.scoring import mean_score, without_gold
from electra_ie.metrics import MAIN, intervals, score

TAGS = st.lists(st.integers(0, 4), min_size=6, max_size=6)


def mended(tags):
    """Valid BIO: an inside tag that follows nothing of its kind begins a span."""
    out, before = [], "O"
    for tag in tags:
        name = tiny.NAMED.names[tag]
        out.append(tag - 1 if name.startswith("I-") and before[2:] != name[2:] else tag)
        before = tiny.NAMED.names[out[-1]]
    return out


@given(st.lists(st.tuples(TAGS, TAGS), min_size=1, max_size=5))
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.filterwarnings("ignore:.*ill-defined.*")
def test_span_scores_are_those_of_seqeval(pairs):
    offsets = [(place * 2, place * 2 + 1) for place in range(6)]
    gold, found = ([mended(pair[side]) for pair in pairs] for side in (0, 1))
    spans = [[[span for span, _ in to_spans(tiny.NAMED, tags, offsets)] for tags in side] for side in (gold, found)]
    names = [[[tiny.NAMED.names[tag] for tag in tags] for tags in side] for side in (gold, found)]
    ours = score(tiny.NAMED, *spans)
    strict = {"mode": "strict", "scheme": IOB2, "zero_division": 0}
    assert ours["main"] == "f1"
    known, found = (sum(map(len, side)) for side in spans)
    for name, referee, defined in (
        ("f1", f1_score, known),
        ("precision", precision_score, found),
        ("recall", recall_score, known),
    ):
        expected = pytest.approx(referee(*names, **strict)) if defined else None
        assert ours[name] == expected, name


CLASS = st.sampled_from(tiny.TOPIC.labels)


@given(st.lists(st.tuples(CLASS, CLASS), min_size=1, max_size=12))
def test_class_scores_are_those_of_scikit_learn(pairs):
    gold, found = zip(*pairs, strict=True)
    ours = score(tiny.TOPIC, gold, found)
    assert ours["accuracy"] == pytest.approx(accuracy_score(gold, found))
    assert ours["macro_f1"] == pytest.approx(
        sklearn_f1(gold, found, average="macro", labels=sorted(set(gold)), zero_division=0)
    )


FLAGS = st.sets(st.sampled_from(tiny.RISKS.labels))


@given(st.lists(st.tuples(FLAGS, FLAGS), min_size=1, max_size=12))
def test_flag_scores_are_those_of_scikit_learn(pairs):
    gold, found = zip(*pairs, strict=True)
    ours = score(tiny.RISKS, [tuple(each) for each in gold], [tuple(each) for each in found])
    known, answers = (
        np.array([[label in each for label in tiny.RISKS.labels] for each in side]) for side in (gold, found)
    )
    occurring = [place for place in range(2) if known[:, place].any()]
    assert ours["exact"] == pytest.approx(accuracy_score(known, answers))
    micro = pytest.approx(sklearn_f1(known, answers, average="micro", zero_division=0))
    assert ours["micro_f1"] == (micro if occurring else None)
    if occurring:
        expected = sklearn_f1(known, answers, average="macro", labels=occurring, zero_division=0)
        assert ours["macro_f1"] == pytest.approx(expected)
    else:
        assert ours["macro_f1"] is None


def test_every_gold_span_counts_also_what_no_tags_can_spell():
    gold = (Span(0, 20, "person"), Span(5, 9, "person"), Span(5, 9, "amount"), Span(30, 32, "amount"))
    found = (Span(0, 20, "person"), Span(30, 35, "amount"))  # the last token of the text is 30 to 35
    ours = score(tiny.NAMED, [gold, ()], [found, ()])
    assert (ours["support"], ours["documents"]) == (4, 2)
    assert (ours["precision"], ours["recall"]) == (1 / 2, 1 / 4)
    assert ours["labels"]["person"]["support"] == ours["labels"]["amount"]["support"] == 2


def numbers(score):
    return [score[name] for name in ("precision", "recall", "f1", "support", "found", "false")]


def test_without_gold_nothing_is_defined_but_what_was_found_falsely():
    nothing, false = (
        score(tiny.NAMED, [(), ()], [found, ()]) for found in ((), (Span(0, 4, "person"), Span(5, 9, "person")))
    )
    assert numbers(nothing) == [None, None, None, 0, 0, 0]
    assert numbers(false) == numbers(false["labels"]["person"]) == [0.0, None, None, 0, 2, 2]
    assert numbers(false["labels"]["amount"]) == [None, None, None, 0, 0, 0]
    flags = score(tiny.RISKS, [(), ()], [("late",), ()])
    assert (flags["macro_f1"], flags["micro_f1"], flags["exact"]) == (None, None, 0.5)
    assert (flags["support"], flags["found"], flags["false"]) == (0, 1, 1)
    assert numbers(flags["labels"]["late"]) == [0.0, None, None, 0, 1, 1]


def test_gold_of_which_nothing_is_found_scores_zero_and_has_no_precision():
    found = score(tiny.NAMED, [(Span(0, 4, "person"),)], [()])
    assert numbers(found) == numbers(found["labels"]["person"]) == [None, 0.0, 0.0, 1, 0, 0]
    assert score(tiny.RISKS, [("late",)], [()])["macro_f1"] == 0.0


def test_findings_and_false_ones_are_counted_by_label_and_in_total():
    gold = [(Span(0, 4, "person"), Span(9, 12, "amount")), ()]
    found = [(Span(0, 4, "person"), Span(9, 12, "person")), (Span(0, 2, "amount"),)]
    ours = score(tiny.NAMED, gold, found)
    assert numbers(ours) == pytest.approx([1 / 3, 1 / 2, 2 / 5, 2, 3, 2])
    assert numbers(ours["labels"]["person"]) == pytest.approx([1 / 2, 1, 2 / 3, 1, 2, 1])
    assert numbers(ours["labels"]["amount"]) == [0.0, 0.0, 0.0, 1, 1, 1]
    classes = score(tiny.TOPIC, ["trade", "trade", "other"], ["trade", "other", "other"])
    assert (classes["support"], classes["found"], classes["false"]) == (3, 3, 1)
    assert numbers(classes["labels"]["other"]) == pytest.approx([1 / 2, 1, 2 / 3, 1, 2, 1])
    assert numbers(classes["labels"]["travel"]) == [None, None, None, 0, 0, 0]
    assert classes["macro_f1"] == pytest.approx(2 / 3), "over the classes with gold"


def test_the_mean_is_over_the_fields_with_a_score():
    some, none = {"main": "f1", "f1": 0.4}, {"main": "f1", "f1": None}
    assert mean_score({"a": some, "b": none, "c": {"main": "accuracy", "accuracy": 0.8}}) == pytest.approx(0.6)
    assert mean_score({"b": none}) is None


def test_fields_without_gold():
    documents = [Document("a", "x", {"topic": "other", "risks": (), "names": ()}), Document("b", "x", {"names": ()})]
    assert without_gold(tiny.FIELDS, documents) == ["risks", "names"]
    assert without_gold(tiny.FIELDS, []) == ["topic", "risks", "names"]


def answers_of(field, size: int, right: float):
    """Gold, and answers of which that share is right."""
    draw = np.random.default_rng(3)

    def one() -> str:
        return str(draw.choice(field.labels))

    if field.kind == "classes":
        gold = [one() for _ in range(size)]
        return gold, [each if draw.random() < right else one() for each in gold]
    if field.kind == "flags":
        gold = [tuple(name for name in field.labels if draw.random() < 0.5) for _ in range(size)]
        return gold, [each if draw.random() < right else field.labels[:1] for each in gold]
    gold = [tuple(Span(at, at + 1, one()) for at in range(draw.integers(0, 4))) for _ in range(size)]
    return gold, [tuple(span if draw.random() < right else Span(9, 10, "person") for span in each) for each in gold]


@pytest.mark.parametrize("field", tiny.FIELDS, ids=[field.kind for field in tiny.FIELDS])
def test_intervals_are_those_of_scipy(field):
    """scipy draws the documents anew and scores them one draw after the other; ours counts all draws at once."""
    gold, found = answers_of(field, 60, 0.7)

    def number(places, axis=-1):
        return score(field, [gold[place] for place in places], [found[place] for place in places])[MAIN[field.kind]]

    made = bootstrap(
        (np.arange(60),), number, vectorized=False, n_resamples=400, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    ours = intervals(field, gold, found)
    low, high = ours[MAIN[field.kind]]
    assert low == pytest.approx(made.low, abs=0.03) and high == pytest.approx(made.high, abs=0.03)
    assert low < number(range(60)) < high and ours == intervals(field, gold, found), "the same each time"


def test_an_interval_holds_95_in_100():
    """Of accuracy the bootstrap's own distribution is known: a binomial one."""
    gold, found = ["trade"] * 400, ["trade"] * 280 + ["other"] * 120
    ends = intervals(tiny.TOPIC, gold, found)["accuracy"]
    assert ends == pytest.approx([binom.ppf(share, 400, 0.7) / 400 for share in (0.025, 0.975)], abs=0.005)


def test_intervals_of_what_is_not_there():
    label_ends = intervals(tiny.TOPIC, ["trade"] * 5, ["trade"] * 5)["labels"]
    assert label_ends == {"trade": [1.0, 1.0], "travel": None, "other": None}
    false = (Span(0, 4, "person"),)
    assert intervals(tiny.NAMED, [()] * 5, [false] * 5) == {"f1": None, "labels": {"person": None, "amount": None}}
    assert intervals(tiny.RISKS, [()] * 5, [("late",)] * 5) == {
        "macro_f1": None,
        "labels": {"late": None, "cash": None},
    }
    assert intervals(tiny.NAMED, [false] * 5, [()] * 5)["f1"] == [0.0, 0.0], "there was gold: 0 is right"
