"""The rule baseline for attributes: cues, their scope, and the labels that it knows."""

from __future__ import annotations

import pytest

from electra_ie.data.document import Span
from electra_ie.data.fields import AttributeField
from electra_ie.inference.cue_rules import CUES, MAJORITY, CueRules

LABELS = ("present", "negated", "historical", "other_person", "hypothetical")
RULES = CueRules.of(AttributeField("assertion", LABELS, ("CONDITION",), "present"), "present")


def answer(text, rules=RULES):
    """The label of the passage in brackets."""
    start, end = text.index("["), text.index("]") - 1
    return rules.answers(text.replace("[", "").replace("]", ""), [Span(start, end, "CONDITION")])[0]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Fever since monday, [cough] at night.", "present"),
        ("Patient denies [chest pain].", "negated"),
        ("No fever, chills or [cough].", "negated"),
        ("[Pneumonia] was ruled out.", "negated"),
        ("No fever. [Cough] at night.", "present"),
        ("No fever but [cough] at night.", "present"),
        ("[Cough] at night; no fever.", "present"),
        ("No significant change in the [effusion].", "present"),
        ("Gram-negative [sepsis] on day two.", "present"),
        ("History of [asthma].", "historical"),
        ("[Hepatitis] three years ago.", "historical"),
        ("No history of [asthma].", "negated"),
        ("His mother had [breast cancer].", "other_person"),
        ("Family history: no [diabetes].", "other_person"),
        ("[Diabetes] runs in the family.", "other_person"),
        ("Return for [fever].", "hypothetical"),
        ("If [chest pain] recurs, call.", "hypothetical"),
        ("Notable for [rash]. Knows nobody ill.", "present"),
    ],
)
def test_cues_decide_within_their_scope(text, label):
    assert answer(text) == label


def test_labels_are_known_by_their_meaning():
    rules = CueRules.of(AttributeField("status", ("Absent", "affirmed", "Someone-Else"), ("X",)), "affirmed")
    assert (rules.name, answer("No [fever].", rules)) == (CUES, "Absent")
    assert answer("His father had [gout].", rules) == "Someone-Else"
    assert answer("History of [gout].", rules) == "affirmed", "a meaning that the field has no label for"


def test_without_a_known_label_it_is_the_most_frequent_one():
    rules = CueRules.of(AttributeField("severity", ("mild", "severe"), ("X",), "mild"), "severe")
    assert (rules.name, answer("No [fever].", rules)) == (MAJORITY, "severe")
