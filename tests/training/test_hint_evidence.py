"""Evidence of hints for classes and flags, estimated from labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tiny
from test_pseudo_labels import POOL, setup_of

from electra_ie.data.fields import Field
from electra_ie.data.hints import Hint
from electra_ie.training.pseudo_labels.hint_evidence import HintEvidence
from electra_ie.training.pseudo_labels.pool import pseudo_labels

RISKS = Field("risks", "flags", ("cash", "late"))
GOLD = np.array([[True, False]] * 4 + [[False, True]] * 4 + [[False, False]] * 8)
TEXTS = [*["a pile of coins"] * 4, *["a week behind"] * 4, *["nothing"] * 8]


def evidence(*hints: Hint, texts=TEXTS) -> HintEvidence:
    return HintEvidence(RISKS, hints, texts, GOLD)


def hint(label: str, *terms: str, field: str = "risks") -> Hint:
    return Hint(field, label, f"{label}: {terms}", terms=terms)


def test_match_raises_its_label_and_no_match_lowers_it():
    logits = evidence(hint("cash", "coins")).logits(["coins again", "nothing"])
    assert logits[0, 0] > 2
    assert logits[1, 0] < -1
    assert not logits[:, 1].any()


def test_value_is_the_log_ratio_of_the_match_rates():
    """Of four texts with the flag all match, of twelve without none; smoothing texts match at the rate of all."""
    share = usual = 4.5 / 17
    rates = (4 + 4 * share * usual) / (4 + 4 * share), 4 * (1 - share) * usual / (12 + 4 * (1 - share))
    overall = share * rates[0] + (1 - share) * rates[1]
    priors = [min(usual * rate / overall, 1) for rate in rates]
    with_flag = (4 + 30 * share * priors[0]) / (4 + 30 * share)
    without = 30 * (1 - share) * priors[1] / (12 + 30 * (1 - share))
    logit = evidence(hint("cash", "coins")).logits(["coins"])[0, 0]
    assert logit == pytest.approx(np.log(with_flag) - np.log(without))


def test_hint_that_never_matches_in_labeled_texts_is_trusted_as_the_others_of_its_label():
    unseen = hint("cash", "banknotes")
    alone = evidence(unseen).logits(["banknotes"])[0, 0]
    beside_good, beside_bad = (
        evidence(hint("cash", term), unseen).logits(["banknotes"])[0, 0] for term in ("coins", "nothing")
    )
    assert beside_bad < alone < beside_good
    assert beside_good > 2


@pytest.mark.parametrize("terms", [("a",), ("nothing",), ("unseen",)])
def test_hint_that_the_labels_do_not_confirm_adds_hardly_anything(terms):
    """It matches as often without the label, more often without it, or never."""
    (logit,) = evidence(hint("cash", *terms)).logits([" ".join(terms)])[:, 0]
    assert logit < 1.3


def test_of_several_matches_the_strongest_counts():
    good, bad = hint("cash", "coins"), hint("cash", "pile", "week", "nothing")
    combined = evidence(good, bad)
    both, of_good, of_bad = combined.logits(["a pile of coins", "coins", "a pile"])[:, 0]
    assert both == of_good > of_bad


def test_hints_of_other_fields_are_ignored():
    assert not evidence(hint("cash", "coins", field="other")).logits(["coins"]).any()


def test_pseudo_labels_follow_hints_of_classes_and_flags(encoder):
    cues = {topic: hint(topic, *tiny.CUES[topic].split(), field="topic") for topic in tiny.TOPIC.labels}
    cash = hint("cash", "all in green", field=tiny.RISKS.name)
    for hints, field, label in (((cues["trade"],), "topic", "trade"), ((cash,), tiny.RISKS.name, "cash")):
        means = []
        for used in ((), hints):
            setup, teacher = setup_of(encoder("bert"))
            setup.data = replace(setup.data, hints=used)
            labels, _ = pseudo_labels(setup, teacher)
            column = next(known for known in tiny.FIELDS if known.name == field).labels.index(label)
            matches = [bool(hints[0].find(document.text)) for document in POOL]
            assert 0 < sum(matches) < len(matches)
            values = np.array([float(row[field][column]) for row in labels])
            means.append(values[matches].mean() - values[np.logical_not(matches)].mean())
        assert means[1] > means[0] + 0.03
