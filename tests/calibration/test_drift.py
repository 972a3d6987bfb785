"""The test of drift reports other texts, and rarely texts of the same kind, though findings of a text are alike."""

from __future__ import annotations

import numpy as np

from electra_ie.calibration.decisions import Thresholds
from electra_ie.calibration.drift import compare

TABLE = {("names", "person"): Thresholds(0.7)}


def documents(draw, number, shift=0.0, without=0.2):
    """Texts with up to nine findings, whose scores are nearly equal in a text."""
    listed = []
    for _ in range(number):
        quality = draw.normal(1.0 - shift, 1.5)
        size = 0 if draw.random() < without else draw.integers(1, 10)
        logits = quality + draw.normal(0, 0.2, size)
        listed.append([("person", float(score)) for score in 1 / (1 + np.exp(-logits))])
    return {"names": listed}


def test_texts_of_the_same_kind_are_rarely_reported():
    draw, reported = np.random.default_rng(0), 0
    for _ in range(100):
        compared = compare(documents(draw, 80), documents(draw, 60), TABLE)
        assert len(compared) == 3
        reported += any(each.differs for each in compared)
    assert reported <= 11, "5 % in the mean, with three standard errors"


def test_lower_scores_more_texts_without_a_finding_and_fewer_accepted_are_reported():
    draw = np.random.default_rng(1)
    scores, without, accepted = compare(documents(draw, 150), documents(draw, 150, shift=1.2), TABLE)
    assert scores.differs and accepted.differs and not without.differs
    assert scores.new < scores.dev and "mean score of a text 0." in str(scores)
    _, without, _ = compare(documents(draw, 150), documents(draw, 150, without=0.6), TABLE)
    assert without.differs and without.new > without.dev


def test_p_values_are_corrected_for_the_number_of_tests():
    draw = np.random.default_rng(2)
    one, other = documents(draw, 60)["names"], documents(draw, 60, shift=0.6)["names"]
    (single, *_) = compare({"names": one}, {"names": other}, {})
    many = compare({f"f{n}": one for n in range(9)}, {f"f{n}": other for n in range(9)}, {})
    assert many[0].p > single.p
    assert all(each.p <= 1 for each in many)


def test_a_share_that_is_zero_in_all_texts_does_not_weaken_the_other_tests():
    draw = np.random.default_rng(3)
    one, other = (documents(draw, 60, shift=shift, without=0.0) for shift in (0.0, 0.6))
    (scores,) = compare(one, other, {})
    assert scores.what == "mean score of a text"
    assert 0 < scores.p < compare({"names": [*one["names"], []]}, other, {})[0].p, "two tests"


def test_fields_without_documents_or_findings_are_left_out():
    assert compare({"names": []}, {"names": [[]]}, TABLE) == []
    (without,) = compare({"names": [[], []]}, {"names": [[]]}, TABLE)
    assert (without.dev, without.new, without.p) == (1.0, 1.0, 1.0)
