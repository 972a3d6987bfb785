"""Scores against seqeval's report, scikit-learn, and an oracle that counts equal items."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
import tiny
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import binom, bootstrap
from seqeval.metrics import classification_report
from seqeval.scheme import IOB2
from sklearn.metrics import accuracy_score
from sklearn.metrics import f1_score as sklearn_f1

from electra_ie.data.bio import to_spans
from electra_ie.data.document import Document, Span
from electra_ie.data.fields import Field
from electra_ie.inference.scoring import mean_score, without_gold
from electra_ie.metrics import MAIN, intervals, score

TAGS = st.lists(st.integers(0, 4), min_size=6, max_size=6)


def repaired(tags):
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
def test_span_scores_are_those_of_seqevals_report_on_the_tokens(pairs):
    """Segments of the text in place of tokens change no score."""
    offsets = [(position * 2, position * 2 + 1) for position in range(6)]
    ids = [[repaired(pair[side]) for pair in pairs] for side in (0, 1)]
    spans = [[[span for span, _ in to_spans(tiny.NAMED, tags, offsets)] for tags in side] for side in ids]
    names = [[[tiny.NAMED.names[tag] for tag in tags] for tags in side] for side in ids]
    ours = score(tiny.NAMED, *spans)
    assert ours["main"] == "f1"
    assert ours["overlapping"] == 0
    if not any(map(any, (tags for side in ids for tags in side))):
        return  # seqeval has no report without an entity
    report = classification_report(*names, mode="strict", scheme=IOB2, zero_division=0, output_dict=True)
    for scores, row in (
        (ours, report["micro avg"]),
        *((ours["labels"][name], report.get(name)) for name in tiny.NAMED.labels),
    ):
        if row is None:
            assert scores["support"] == scores["found"] == 0
            continue
        assert scores["support"] == row["support"]
        assert scores["precision"] == (pytest.approx(row["precision"]) if scores["found"] else None)
        assert scores["recall"] == (pytest.approx(row["recall"]) if scores["support"] else None)
        assert scores["f1"] == (pytest.approx(row["f1-score"]) if scores["support"] else None)


def counted(field, gold, predicted):
    """An oracle: the scores from counts of equal items, without seqeval and scikit-learn."""
    if field.kind == "spans":
        items = [[{(span.label, span) for span in spans} for spans in side] for side in (gold, predicted)]
    else:
        items = [[{(name, name) for name in ([value] if isinstance(value, str) else value)} for value in side]
                 for side in (gold, predicted)]  # fmt: skip
    correct, found, support = Counter(), Counter(), Counter()
    for expected, answer in zip(*items, strict=True):
        for counter, chosen in ((correct, expected & answer), (found, answer), (support, expected)):
            counter.update(label for label, _ in chosen)

    def ratios(right, proposed, known):
        return {
            "precision": right / proposed if proposed else None, "recall": right / known if known else None,
            "f1": 2 * right / (proposed + known) if known else None,
            "support": known, "found": proposed, "false": proposed - right,
        }  # fmt: skip

    labels = {label: ratios(correct[label], found[label], support[label]) for label in field.labels}
    total = ratios(correct.total(), found.total(), support.total())
    if field.kind == "spans":
        return {**total, "labels": labels}
    macro = [scores["f1"] for scores in labels.values() if scores["support"]]
    exact = sum(expected == answer for expected, answer in zip(*items, strict=True)) / len(gold) if gold else None
    return {
        "macro_f1": sum(macro) / len(macro) if macro else None, "micro_f1": total["f1"],
        **{name: total[name] for name in ("support", "found", "false")},
        "labels": labels, "accuracy" if field.kind == "classes" else "exact": exact,
    }  # fmt: skip


def assert_scores_are_counted(field, documents):
    gold, predicted = [first for first, _ in documents], [second for _, second in documents]
    ours = score(field, gold, predicted)
    ours.pop("overlapping", None)
    head = {"kind": field.kind, "main": MAIN[field.kind], "documents": len(gold)}
    assert ours == {**head, **counted(field, gold, predicted)}, (
        "equal, not only close: ties decide which weights are kept"
    )
    json.dumps(ours)  # no type of numpy


HYPHENS = Field("names", "spans", ("-A", "A", "A-", "_", "-", "B-A", "O"))
"""Labels that seqeval would take for one another if they stood in the tags."""
BOUNDS = st.lists(st.integers(0, 12), min_size=2, max_size=2, unique=True).map(sorted)


def spans_of(field, *others):
    labels = st.sampled_from([*field.labels, *others])
    return st.lists(st.builds(lambda bounds, label: Span(*bounds, label), BOUNDS, labels), max_size=6)


@st.composite
def span_documents(draw, field):
    """Gold and predictions that may nest, cross, touch, repeat each other, or be missing; labels of another field."""
    gold = draw(spans_of(field, "other"))
    predicted = draw(spans_of(field, "other"))
    if gold:
        predicted += draw(st.lists(st.sampled_from(gold), max_size=4))
    return tuple(gold), predicted


@settings(max_examples=300)
@given(st.sampled_from([tiny.NAMED, HYPHENS]).flatmap(
    lambda field: st.tuples(st.just(field), st.lists(span_documents(field), max_size=5))
))  # fmt: skip
@example((tiny.NAMED, []))
@example((tiny.NAMED, [((), ())]))
@example((tiny.NAMED, [((Span(0, 2, "person"), Span(2, 4, "person")), [Span(0, 4, "person")])]))
@example((tiny.NAMED, [((Span(0, 4, "person"), Span(0, 4, "amount")), [Span(0, 4, "amount")])]))
@example((tiny.NAMED, [((Span(0, 9, "person"), Span(2, 4, "person")), [Span(2, 4, "person"), Span(0, 9, "person")])]))
def test_span_scores_are_the_counts_of_equal_spans(example):
    assert_scores_are_counted(*example)


@given(st.sampled_from([tiny.RISKS, Field("one", "flags", ("late",))]).flatmap(
    lambda field: st.tuples(st.just(field), st.lists(st.tuples(*[st.lists(st.sampled_from(field.labels)).map(tuple)] * 2)))
))  # fmt: skip
@example((tiny.RISKS, []))
def test_flag_scores_are_the_counts_of_equal_flags(example):
    assert_scores_are_counted(*example)


@given(st.lists(st.tuples(*[st.sampled_from(tiny.TOPIC.labels)] * 2)))
@example([])
def test_class_scores_are_the_counts_of_equal_classes(documents):
    assert_scores_are_counted(tiny.TOPIC, documents)


def test_gold_that_no_tag_sequence_can_contain_is_counted_apart():
    nested = (Span(0, 20, "person"), Span(5, 9, "person"), Span(5, 9, "amount"), Span(30, 32, "amount"))
    for found in ([], [Span(5, 9, "amount")], [Span(0, 20, "person"), Span(5, 9, "person")]):
        ours = score(tiny.NAMED, [nested, (Span(0, 2, "person"), Span(2, 4, "person"))], [found, ()])
        assert (ours["support"], ours["overlapping"]) == (6, 2), "whatever is predicted"
    crossing = [Span(0, 4, "person"), Span(2, 6, "person")]
    assert score(tiny.NAMED, [crossing[:1]], [crossing])["overlapping"] == 0, "of the gold only"
    assert score(tiny.NAMED, [crossing[:1] * 2], [[]])["overlapping"] == 0, "equal spans are one"


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
    """Scipy draws the documents anew and scores them one draw after the other; ours counts all draws at once."""
    gold, found = answers_of(field, 60, 0.7)

    def number(places, axis=-1):
        return score(field, [gold[place] for place in places], [found[place] for place in places])[MAIN[field.kind]]

    made = bootstrap(
        (np.arange(60),), number, vectorized=False, n_resamples=400, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    ours = intervals(field, gold, found)
    low, high = ours[MAIN[field.kind]]
    assert low == pytest.approx(made.low, abs=0.03)
    assert high == pytest.approx(made.high, abs=0.03)
    assert low < number(range(60)) < high
    assert ours == intervals(field, gold, found), "the same each time"


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


def test_importing_the_metrics_loads_neither_seqeval_nor_scikit_learn():
    code = "import sys, electra_ie.metrics; print({'seqeval', 'sklearn', 'scipy', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
