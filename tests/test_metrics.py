"""Scores against seqeval's report, scikit-learn, and a reference implementation that counts equal items."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
import tiny
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, bootstrap
from seqeval.metrics import classification_report
from seqeval.scheme import IOB2
from sklearn.metrics import accuracy_score
from sklearn.metrics import f1_score as sklearn_f1

from electra_ie.data.bio import to_spans
from electra_ie.data.document import Document, Span
from electra_ie.data.fields import Field
from electra_ie.inference.scoring import without_gold
from electra_ie.metrics import MAIN, intervals, mean_score, score

TAGS = st.lists(st.integers(0, 4), min_size=6, max_size=6)


def repaired(tags):
    """Return valid BIO tags: an I tag that continues no span of its label becomes a B tag."""
    out, before = [], "O"
    for tag in tags:
        name = tiny.NAMED.names[tag]
        out.append(tag - 1 if name.startswith("I-") and before[2:] != name[2:] else tag)
        before = tiny.NAMED.names[out[-1]]
    return out


@given(st.lists(st.tuples(TAGS, TAGS), min_size=1, max_size=5))
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.filterwarnings("ignore:.*ill-defined.*")
def test_span_scores_equal_the_report_of_seqeval_on_tokens(pairs):
    """Scores on text segments equal those on tokens."""
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


def reference_scores(field, gold, predicted):
    """Return the scores computed from counts of equal items, without seqeval and scikit-learn."""
    if field.kind == "spans":
        items = [[{(span.label, span) for span in spans} for spans in side] for side in (gold, predicted)]
    else:
        items = [[{(name, name) for name in ([value] if isinstance(value, str) else value)} for value in side]
                 for side in (gold, predicted)]  # fmt: skip
    correct, predictions, support = Counter(), Counter(), Counter()
    for expected, answer in zip(*items, strict=True):
        for counter, counted in ((correct, expected & answer), (predictions, answer), (support, expected)):
            counter.update(label for label, _ in counted)

    def ratios(hits, predicted_count, gold_count):
        return {
            "precision": hits / predicted_count if predicted_count else None,
            "recall": hits / gold_count if gold_count else None,
            "f1": 2 * hits / (predicted_count + gold_count) if gold_count else None,
            "support": gold_count, "found": predicted_count, "false": predicted_count - hits,
        }  # fmt: skip

    labels = {label: ratios(correct[label], predictions[label], support[label]) for label in field.labels}
    total = ratios(correct.total(), predictions.total(), support.total())
    if field.kind == "spans":
        return {**total, "labels": labels}
    macro = [scores["f1"] for scores in labels.values() if scores["support"]]
    exact = sum(expected == answer for expected, answer in zip(*items, strict=True)) / len(gold) if gold else None
    return {
        "macro_f1": sum(macro) / len(macro) if macro else None, "micro_f1": total["f1"],
        **{name: total[name] for name in ("support", "found", "false")},
        "labels": labels, "accuracy" if field.kind == "classes" else "exact": exact,
    }  # fmt: skip


def assert_equals_reference(field, documents):
    gold, predicted = [first for first, _ in documents], [second for _, second in documents]
    ours = score(field, gold, predicted)
    ours.pop("overlapping", None)
    head = {"kind": field.kind, "main": MAIN[field.kind], "documents": len(gold)}
    # Equal and not only close, since ties decide which weights are kept.
    assert ours == {**head, **reference_scores(field, gold, predicted)}
    json.dumps(ours)  # contains no type of numpy


HYPHENS = Field("names", "spans", ("-A", "A", "A-", "_", "-", "B-A", "O"))
"""Labels that seqeval would confuse with each other as parts of tags."""
BOUNDS = st.lists(st.integers(0, 12), min_size=2, max_size=2, unique=True).map(sorted)


def spans_of(field, *others):
    labels = st.sampled_from([*field.labels, *others])
    return st.lists(st.builds(lambda bounds, label: Span(*bounds, label), BOUNDS, labels), max_size=6)


@st.composite
def span_documents(draw, field):
    """Draw gold and predictions that may nest, cross, touch, repeat or be missing, also with labels of another field."""
    gold = draw(spans_of(field, "other"))
    predicted = draw(spans_of(field, "other"))
    if gold:
        predicted += draw(st.lists(st.sampled_from(gold), max_size=4))
    return tuple(gold), predicted


@given(st.sampled_from([tiny.NAMED, HYPHENS]).flatmap(
    lambda field: st.tuples(st.just(field), st.lists(span_documents(field), max_size=5))
))  # fmt: skip
@example((tiny.NAMED, []))
@example((tiny.NAMED, [((), ())]))
@example((tiny.NAMED, [((Span(0, 2, "person"), Span(2, 4, "person")), [Span(0, 4, "person")])]))
@example((tiny.NAMED, [((Span(0, 4, "person"), Span(0, 4, "amount")), [Span(0, 4, "amount")])]))
@example((tiny.NAMED, [((Span(0, 9, "person"), Span(2, 4, "person")), [Span(2, 4, "person"), Span(0, 9, "person")])]))
def test_span_scores_equal_the_reference(example):
    assert_equals_reference(*example)


@given(st.sampled_from([tiny.RISKS, Field("one", "flags", ("late",))]).flatmap(
    lambda field: st.tuples(st.just(field), st.lists(st.tuples(*[st.lists(st.sampled_from(field.labels)).map(tuple)] * 2)))
))  # fmt: skip
@example((tiny.RISKS, []))
def test_flag_scores_equal_the_reference(example):
    assert_equals_reference(*example)


@given(st.lists(st.tuples(*[st.sampled_from(tiny.TOPIC.labels)] * 2)))
@example([])
def test_class_scores_equal_the_reference(documents):
    assert_equals_reference(tiny.TOPIC, documents)


def test_gold_that_no_tag_sequence_can_express_is_counted_separately():
    nested = (Span(0, 20, "person"), Span(5, 9, "person"), Span(5, 9, "amount"), Span(30, 32, "amount"))
    for predicted in ([], [Span(5, 9, "amount")], [Span(0, 20, "person"), Span(5, 9, "person")]):
        ours = score(tiny.NAMED, [nested, (Span(0, 2, "person"), Span(2, 4, "person"))], [predicted, ()])
        assert (ours["support"], ours["overlapping"]) == (6, 2), "the count depends on the predictions"
    crossing = [Span(0, 4, "person"), Span(2, 6, "person")]
    assert score(tiny.NAMED, [crossing[:1]], [crossing])["overlapping"] == 0, "overlaps of predictions were counted"
    assert score(tiny.NAMED, [crossing[:1] * 2], [[]])["overlapping"] == 0, "equal spans were counted as overlapping"


CLASS = st.sampled_from(tiny.TOPIC.labels)


@given(st.lists(st.tuples(CLASS, CLASS), min_size=1, max_size=12))
def test_class_scores_equal_scikit_learn(pairs):
    gold, predicted = zip(*pairs, strict=True)
    ours = score(tiny.TOPIC, gold, predicted)
    assert ours["accuracy"] == pytest.approx(accuracy_score(gold, predicted))
    assert ours["macro_f1"] == pytest.approx(
        sklearn_f1(gold, predicted, average="macro", labels=sorted(set(gold)), zero_division=0)
    )


FLAGS = st.sets(st.sampled_from(tiny.RISKS.labels))


@given(st.lists(st.tuples(FLAGS, FLAGS), min_size=1, max_size=12))
def test_flag_scores_equal_scikit_learn(pairs):
    gold, predicted = zip(*pairs, strict=True)
    ours = score(tiny.RISKS, [tuple(flags) for flags in gold], [tuple(flags) for flags in predicted])
    known, answers = (
        np.array([[label in flags for label in tiny.RISKS.labels] for flags in side]) for side in (gold, predicted)
    )
    occurring = [index for index in range(2) if known[:, index].any()]
    assert ours["exact"] == pytest.approx(accuracy_score(known, answers))
    micro = pytest.approx(sklearn_f1(known, answers, average="micro", zero_division=0))
    assert ours["micro_f1"] == (micro if occurring else None)
    if occurring:
        expected = sklearn_f1(known, answers, average="macro", labels=occurring, zero_division=0)
        assert ours["macro_f1"] == pytest.approx(expected)
    else:
        assert ours["macro_f1"] is None


def test_all_gold_spans_count_including_nested_ones():
    gold = (Span(0, 20, "person"), Span(5, 9, "person"), Span(5, 9, "amount"), Span(30, 32, "amount"))
    predicted = (Span(0, 20, "person"), Span(30, 35, "amount"))  # the last token of the text is 30 to 35
    ours = score(tiny.NAMED, [gold, ()], [predicted, ()])
    assert (ours["support"], ours["documents"]) == (4, 2)
    assert (ours["precision"], ours["recall"]) == (1 / 2, 1 / 4)
    assert ours["labels"]["person"]["support"] == ours["labels"]["amount"]["support"] == 2


def values_of(score):
    return [score[name] for name in ("precision", "recall", "f1", "support", "found", "false")]


def test_without_gold_only_precision_and_false_findings_are_defined():
    nothing, false = (
        score(tiny.NAMED, [(), ()], [predicted, ()]) for predicted in ((), (Span(0, 4, "person"), Span(5, 9, "person")))
    )
    assert values_of(nothing) == [None, None, None, 0, 0, 0]
    assert values_of(false) == values_of(false["labels"]["person"]) == [0.0, None, None, 0, 2, 2]
    assert values_of(false["labels"]["amount"]) == [None, None, None, 0, 0, 0]
    flags = score(tiny.RISKS, [(), ()], [("late",), ()])
    assert (flags["macro_f1"], flags["micro_f1"], flags["exact"]) == (None, None, 0.5)
    assert (flags["support"], flags["found"], flags["false"]) == (0, 1, 1)
    assert values_of(flags["labels"]["late"]) == [0.0, None, None, 0, 1, 1]


def test_missed_gold_scores_zero_without_precision():
    missed = score(tiny.NAMED, [(Span(0, 4, "person"),)], [()])
    assert values_of(missed) == values_of(missed["labels"]["person"]) == [None, 0.0, 0.0, 1, 0, 0]
    assert score(tiny.RISKS, [("late",)], [()])["macro_f1"] == 0.0


def test_findings_and_false_findings_are_counted_by_label_and_in_total():
    gold = [(Span(0, 4, "person"), Span(9, 12, "amount")), ()]
    predicted = [(Span(0, 4, "person"), Span(9, 12, "person")), (Span(0, 2, "amount"),)]
    ours = score(tiny.NAMED, gold, predicted)
    assert values_of(ours) == pytest.approx([1 / 3, 1 / 2, 2 / 5, 2, 3, 2])
    assert values_of(ours["labels"]["person"]) == pytest.approx([1 / 2, 1, 2 / 3, 1, 2, 1])
    assert values_of(ours["labels"]["amount"]) == [0.0, 0.0, 0.0, 1, 1, 1]
    classes = score(tiny.TOPIC, ["trade", "trade", "other"], ["trade", "other", "other"])
    assert (classes["support"], classes["found"], classes["false"]) == (3, 3, 1)
    assert values_of(classes["labels"]["other"]) == pytest.approx([1 / 2, 1, 2 / 3, 1, 2, 1])
    assert values_of(classes["labels"]["travel"]) == [None, None, None, 0, 0, 0]
    assert classes["macro_f1"] == pytest.approx(2 / 3), "the mean includes classes without gold"


def test_mean_score_is_over_the_fields_with_a_score():
    defined, undefined = {"main": "f1", "f1": 0.4}, {"main": "f1", "f1": None}
    assert mean_score({"a": defined, "b": undefined, "c": {"main": "accuracy", "accuracy": 0.8}}) == pytest.approx(0.6)
    assert mean_score({"b": undefined}) is None


def test_without_gold_lists_the_fields():
    documents = [Document("a", "x", {"topic": "other", "risks": (), "names": ()}), Document("b", "x", {"names": ()})]
    assert without_gold(tiny.FIELDS, documents) == ["risks", "names"]
    assert without_gold(tiny.FIELDS, []) == ["topic", "risks", "names"]


def random_answers(field, size: int, accuracy: float):
    """Return gold, and answers of which about this share is correct."""
    rng = np.random.default_rng(3)

    def random_label() -> str:
        return str(rng.choice(field.labels))

    if field.kind == "classes":
        gold = [random_label() for _ in range(size)]
        return gold, [label if rng.random() < accuracy else random_label() for label in gold]
    if field.kind == "flags":
        gold = [tuple(name for name in field.labels if rng.random() < 0.5) for _ in range(size)]
        return gold, [flags if rng.random() < accuracy else field.labels[:1] for flags in gold]
    gold = [tuple(Span(at, at + 1, random_label()) for at in range(rng.integers(0, 4))) for _ in range(size)]
    wrong = Span(9, 10, "person")
    return gold, [tuple(span if rng.random() < accuracy else wrong for span in spans) for spans in gold]


@pytest.mark.parametrize("field", tiny.FIELDS, ids=[field.kind for field in tiny.FIELDS])
def test_intervals_equal_those_of_scipy(field):
    """Scipy scores one resample after the other; `intervals` computes all resamples at once."""
    gold, predicted = random_answers(field, 60, 0.7)

    def main_score(indices, axis=-1):
        resampled = ([side[index] for index in indices] for side in (gold, predicted))
        return score(field, *resampled)[MAIN[field.kind]]

    expected = bootstrap(
        (np.arange(60),),
        main_score,
        vectorized=False,
        n_resamples=150,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    ours = intervals(field, gold, predicted)
    low, high = ours[MAIN[field.kind]]
    assert low == pytest.approx(expected.low, abs=0.04)
    assert high == pytest.approx(expected.high, abs=0.04)
    assert low < main_score(range(60)) < high
    assert ours == intervals(field, gold, predicted), "intervals are not deterministic"


def test_interval_of_accuracy_covers_95_percent():
    """The bootstrap distribution of accuracy is binomial."""
    gold, predicted = ["trade"] * 400, ["trade"] * 280 + ["other"] * 120
    interval = intervals(tiny.TOPIC, gold, predicted)["accuracy"]
    assert interval == pytest.approx([binom.ppf(share, 400, 0.7) / 400 for share in (0.025, 0.975)], abs=0.005)


@pytest.mark.parametrize("right", [0, 20])
def test_the_interval_of_a_perfect_or_lost_field_has_a_width(right):
    """The draws of the bootstrap are all equal; scipy gives the exact bounds of a share."""
    low, high = binomtest(right, 20).proportion_ci(method="exact")
    answer = "trade" if right else "travel"
    ends = intervals(tiny.TOPIC, ["trade"] * 20, [answer] * 20)
    assert ends["accuracy"] == pytest.approx([low, high], abs=1e-4) == ends["labels"]["trade"]
    assert intervals(tiny.TOPIC, ["trade"] * 20, ["trade"] * 19 + ["travel"])["accuracy"][0] == 0.85


def test_intervals_of_undefined_scores_are_null():
    label_intervals = intervals(tiny.TOPIC, ["trade"] * 5, ["trade"] * 5)["labels"]
    assert label_intervals == {"trade": [0.4782, 1.0], "travel": None, "other": None}
    false = (Span(0, 4, "person"),)
    assert intervals(tiny.NAMED, [()] * 5, [false] * 5) == {"f1": None, "labels": {"person": None, "amount": None}}
    assert intervals(tiny.RISKS, [()] * 5, [("late",)] * 5) == {
        "macro_f1": None,
        "labels": {"late": None, "cash": None},
    }
    assert intervals(tiny.NAMED, [false] * 5, [()] * 5)["f1"] == [0.0, 0.5218], (
        "the score is defined, since there is gold"
    )


def test_importing_metrics_loads_neither_seqeval_nor_scikit_learn():
    code = "import sys, electra_ie.metrics; print({'seqeval', 'sklearn', 'scipy', 'torch'} & set(sys.modules))"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "set()"
