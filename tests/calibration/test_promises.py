"""Thresholds keep what they promise in simulated draws in which the findings of a document depend on each other."""

from __future__ import annotations

import numpy as np
import pytest
import tiny

from electra_ie import UserError
from electra_ie.calibration.decisions import Thresholds, decision
from electra_ie.calibration.found import Found
from electra_ie.calibration.goals import Goal, parse_goals
from electra_ie.calibration.promises import promises
from electra_ie.calibration.stored import Calibration, Promise
from electra_ie.calibration.thresholds import Price, Threshold, precision_threshold, recall_threshold
from electra_ie.data.fields import Field, RelationField

DRAWS = 1000


def draw_findings(draw, documents, dependence=2.0):
    """Findings of documents of one to eight: the longer ones are worse, and a document's are right or wrong together."""
    sizes = draw.integers(1, 9, documents)
    of = np.repeat(np.arange(documents), sizes)
    quality = draw.normal(4.5 - 0.3 * sizes, dependence)[of]
    logits = quality + draw.normal(0, 0.6, len(of))
    shared = draw.random(documents)[of]  # the same chance for all findings of a document
    right = shared < 1 / (1 + np.exp(-logits))
    scores = np.round(1 / (1 + np.exp(-(logits + draw.normal(0, 0.7, len(of))))), 4)
    return of, scores, right


def share_right(of, right):
    """Mean over documents of the share of findings that are right."""
    counts = np.bincount(of)
    return (np.bincount(of, right)[counts > 0] / counts[counts > 0]).mean()


@pytest.fixture(scope="module")
def truth():
    """The true precision above each of many thresholds, on a population."""
    of, scores, right = draw_findings(np.random.default_rng(1), 20_000)
    grid = np.unique(np.concatenate([[0.0], np.quantile(scores, np.linspace(0, 0.999, 150))]))
    return grid, np.array([share_right(of[scores >= value], right[scores >= value]) for value in grid])


@pytest.mark.parametrize(("documents", "goal"), [(60, 0.9), pytest.param(250, 0.95, marks=pytest.mark.slow)])
def test_a_precision_goal_holds_in_the_share_of_draws_of_its_confidence(truth, documents, goal):
    draw, kept, met = np.random.default_rng(2), 0, 0
    for _ in range(DRAWS):
        result = precision_threshold(*draw_findings(draw, documents), goal, 0.9)
        if isinstance(result, Threshold):
            met += 1
            kept += np.interp(result.value, *truth) >= goal
        else:
            kept += 1
    assert kept >= 0.88 * DRAWS
    assert met > 0.2 * DRAWS, "a test that promises nothing would keep everything"


def test_findings_counted_as_independent_would_break_the_promise(truth):
    """The simulation is hard enough to tell: with each finding as a document of its own, fewer draws keep the goal."""
    draw, kept, draws = np.random.default_rng(2), 0, 300
    for _ in range(draws):
        _, scores, right = draw_findings(draw, 60)
        result = precision_threshold(np.arange(len(scores)), scores, right, 0.9, 0.9)
        kept += isinstance(result, Price) or np.interp(result.value, *truth) >= 0.9
    assert kept < 0.86 * draws


def recall_losses(of, scores, right, gold, threshold):
    caught = np.bincount(of[right & (scores >= threshold)], minlength=len(gold))
    return 1 - (caught / np.maximum(gold, 1))[gold > 0]


@pytest.mark.parametrize(("documents", "goal"), [(25, 0.8), pytest.param(120, 0.9, marks=pytest.mark.slow)])
def test_the_mean_shortfall_of_recall_is_at_most_the_goal(documents, goal):
    def draw_gold(draw, number):
        of, scores, right = draw_findings(draw, number)
        gold = np.bincount(of[right], minlength=number) + (draw.random(number) < 0.05)
        return of, scores, right, gold

    draw, shortfalls = np.random.default_rng(3), []
    of, scores, right, gold = draw_gold(np.random.default_rng(4), 20_000)
    grid = np.quantile(scores, np.linspace(0, 1, 150))
    losses = np.array([recall_losses(of, scores, right, gold, value).mean() for value in grid])
    for _ in range(DRAWS):
        result = recall_threshold(*draw_gold(draw, documents), goal)
        shortfalls.append(np.interp(result.value if isinstance(result, Threshold) else 0.0, grid, losses))
    assert np.mean(shortfalls) <= 1 - goal + 0.005
    assert np.mean(shortfalls) > (1 - goal) / 3, "the threshold is not higher than it has to be"


def test_mapie_finds_about_the_same_threshold_where_its_assumptions_hold():
    """One finding per document, independent, and Bonferroni over the thresholds: MAPIE may only be more careful."""
    control = pytest.importorskip("mapie.risk_control", reason="MAPIE is not installed")
    draw = np.random.default_rng(5)
    scores = np.round(draw.random(1500), 4)
    right = draw.random(1500) < scores
    own = precision_threshold(np.arange(1500), scores, right, 0.8, 0.9)
    controller = control.BinaryClassificationController(
        predict_function=lambda values: np.stack([1 - values[:, 0], values[:, 0]], axis=1), risk="precision",
        target_level=0.8, confidence_level=0.9, best_predict_param_choice="recall",
    )  # fmt: skip
    controller.calibrate(scores[:, None], right.astype(int))
    assert isinstance(own, Threshold)
    assert own.value <= controller.best_predict_param + 0.011, "its grid has steps of 0.01"
    assert own.value == pytest.approx(controller.best_predict_param, abs=0.08)


def test_arithmetic_of_the_price():
    """22 findings without an error show 0.9 with 0.9 confidence, 45 show 0.95; recall 0.95 takes 19 documents."""
    for goal, number in ((0.9, 22), (0.95, 45), (0.99, 230)):
        found = np.arange(number), np.full(number, 0.9), np.ones(number, bool)
        assert isinstance(precision_threshold(*found, goal, 0.9), Threshold)
        price = precision_threshold(*(each[:-4] for each in found), goal, 0.9)
        assert isinstance(price, Price) and (price.more, price.documents) == (4, number - 4)
    assert precision_threshold(np.array([], int), np.array([]), np.array([], bool), 0.9, 0.9) == Price(22, 0, 0.0)
    for number in (19, 18):
        found = np.arange(number), np.full(number, 0.9), np.ones(number, bool), np.ones(number, int)
        result = recall_threshold(*found, 0.95)
        assert isinstance(result, Threshold if number == 19 else Price)
    assert isinstance(result, Price) and result.more == 1
    none = np.array([], int), np.array([]), np.array([], bool), np.zeros(3, int)
    assert recall_threshold(*none, 0.95) == Price(19, 0, 0.0)


@pytest.mark.parametrize(("documents", "wrong", "goal"), [(40, 2, 0.9), (80, 3, 0.95)])
def test_the_price_of_precision_is_what_is_missing(documents, wrong, goal):
    """With as many more documents, of which the same share is right, the goal is met; not with a few of them."""

    def found(number, share):
        errors = np.floor((1 - share) * np.arange(number + 1) + 1e-9)  # among the best as many as among the others
        return np.arange(number), np.linspace(1, 0.5, number), np.diff(errors) == 0

    price = precision_threshold(*found(documents, 1 - wrong / documents), goal, 0.9)
    assert isinstance(price, Price) and price.more
    more = (price.more, 5)
    enough = [precision_threshold(*found(documents + number, price.measured), goal, 0.9) for number in more]
    assert [isinstance(each, Threshold) for each in enough] == [True, False]


def test_no_number_of_documents_shows_what_is_not_so():
    of = np.arange(200)
    price = precision_threshold(of, np.full(200, 0.9), of % 5 > 0, 0.9, 0.9)
    assert price == Price(None, 200, 0.8)
    gold = np.ones(200, int)
    assert recall_threshold(of, np.full(200, 0.9), of % 5 > 0, gold, 0.9) == Price(None, 200, 0.8)


def test_a_threshold_is_taken_on_many_findings_at_once_as_on_each():
    """Findings with equal scores are accepted together, and a document counts once."""
    of = np.repeat(np.arange(30), 2)
    result = precision_threshold(of, np.full(60, 0.7), np.ones(60, bool), 0.9, 0.9)
    assert result == Threshold(0.0, 30, 1.0)
    scores = np.where(np.arange(60) % 2, 0.9, 0.2)
    result = precision_threshold(of, scores, scores > 0.5, 0.9, 0.9)
    assert isinstance(result, Threshold) and 0.2 < result.value <= 0.9 and result.documents == 30


FIELDS = (tiny.TOPIC, tiny.RISKS, tiny.NAMED, RelationField("links", ("pays",)))


def test_goals_name_labels_or_fields_with_labels():
    goals = parse_goals(["precision=0.95:person", "recall=.9:risks.late"], FIELDS)
    assert goals == [Goal("precision", 0.95, "names", "person"), Goal("recall", 0.9, "risks", "late")]
    dotted = Field("codes", "flags", ("a.b", "x:y"))
    assert [goal.label for goal in parse_goals(["recall=0.5:a.b", "recall=0.5:codes.x:y"], [dotted])] == ["a.b", "x:y"]


@pytest.mark.parametrize(
    ("goals", "message"),
    [
        ([], "there is no goal. Give at least one with --goal. Write it as precision=0.95:LABEL"),
        (["precision=0.95:persn"], 'names no label: no field has "persn". Did you mean "person"? Valid: trade, '),
        (["precision=0.95"], 'the goal "precision=0.95" is malformed. Write it as precision=0.95:LABEL'),
        (["0.95:person"], "is malformed"),
        (["precision=0.95:"], "is malformed"),
        (["precison=0.95:person"], 'is for "precison". Did you mean "precision"?'),
        (["precision=95:person"], 'has the value "95". It must be above 0 and below 1.'),
        (["precision=1:person"], "must be above 0 and below 1"),
        (["precision=nan:person"], "must be above 0 and below 1"),
        (["recall=high:person"], 'has the value "high"'),
        (["recall=0.9:pays"], "is for a label of relations, whose scores are not calibrated"),
        (
            ["recall=0.9:person", "recall=0.8:names.person"],
            "is the second one for recall of names.person. Give one of them.",
        ),
    ],
)
def test_a_goal_that_cannot_be_is_refused_in_one_line(goals, message):
    with pytest.raises(UserError) as raised:
        parse_goals(goals, FIELDS)
    assert message in str(raised.value) and "\n" not in str(raised.value)


def test_a_label_of_two_fields_needs_its_field():
    fields = (tiny.NAMED, Field("others", "flags", ("person",)))
    with pytest.raises(UserError, match=r"several fields have \"person\"\. Write names\.person or others\.person\."):
        parse_goals(["recall=0.9:person"], fields)
    assert parse_goals(["recall=0.9:others.person"], fields)[0].field == "others"


def made(number=60, wrong=0):
    right = np.arange(number) >= wrong
    gold = ({"person": 1},) * number
    return Found(tiny.NAMED, np.arange(number), ("person",) * number, np.linspace(0.5, 1, number), right, gold)


def test_the_price_of_too_few_documents_counts_their_errors():
    """19 of 20 right: 2 more would only do without an error, and with 17 of 20 right no number does."""
    of, scores = np.arange(20), np.linspace(0.4, 0.9, 20)
    one = precision_threshold(of, scores, of > 0, 0.9, 0.9)
    assert isinstance(one, Price) and one.more is not None and one.more > 2
    more = 20 + one.more
    enough = precision_threshold(np.arange(more), np.full(more, 0.9), np.arange(more) >= more // 20, 0.9, 0.9)
    assert isinstance(enough, Threshold)
    assert precision_threshold(of, scores, of > 2, 0.9, 0.9) == Price(None, 20, 0.85)


def test_promises_state_what_they_assume_and_prices_what_they_take():
    goals = [Goal("precision", 0.9, "names", "person"), Goal("recall", 0.9, "names", "person")]
    goals.append(Goal("precision", 0.99, "names", "person"))
    precision, recall, dear = promises(goals, {"names": made()}, 0.9, "dev")
    assert precision.promise and recall.promise and dear.promise is None
    assert (precision.promise.confidence, recall.promise.confidence) == (0.9, None)
    for outcome in (precision, recall):
        assert any("dev also fitted the scores" in text for text in outcome.promise.assumptions)
        assert any(
            text.startswith("New documents are like the 60 documents of dev") for text in outcome.promise.assumptions
        )
    assert dear.price == (
        "170 more reviewed person findings, each of another document, would allow it, if they are like those there are "
        "(60 documents have such a finding)"
    )
    reviewed = promises(goals, {"names": made()}, 0.9, "reviewed")[0].promise
    assert reviewed and not any("dev" in text for text in reviewed.assumptions)
    (hopeless,) = promises([goals[0]], {"names": made(200, 150)}, 0.9, "dev")
    assert hopeless.price.startswith("no number of reviewed findings would allow it, since of the findings with the")
    with pytest.raises(UserError, match="the confidence is 90. It must be above 0"):
        promises(goals, {"names": made()}, 90, "dev")


@pytest.mark.parametrize(
    ("thresholds", "decisions"),
    [
        (Thresholds(0.8, 0.3), ["dropped", "review", "review", "accepted"]),
        (Thresholds(0.8, None), ["review", "review", "review", "accepted"]),
        (Thresholds(None, 0.3), ["dropped", "review", "review", "review"]),
        (Thresholds(0.3, 0.8), ["dropped", "accepted", "accepted", "accepted"]),
        (None, ["review"] * 4),
    ],
)
def test_decisions(thresholds, decisions):
    table = {("names", "person"): thresholds} if thresholds else {}
    assert [decision(table, "names", "person", score) for score in (0.2, 0.3, 0.5, 0.8)] == decisions
    assert decision(table, "names", "amount", 0.99) == "review"


def test_a_calibration_decides_by_its_promises():
    def promise(measure, threshold):
        return Promise(measure, 0.9, "names", "person", threshold, None, 30, 0.9, "dev")

    calibration = Calibration("m", promises=(promise("precision", 0.8), promise("recall", 0.3)))
    assert calibration.thresholds == {("names", "person"): Thresholds(0.8, 0.3)}
    assert calibration.decide("names", "person", 0.1) == "dropped"
    assert calibration.digest(decisions=True) != Calibration("m").digest(decisions=True)
    assert calibration.digest(decisions=False) == Calibration("m").digest(decisions=False)
