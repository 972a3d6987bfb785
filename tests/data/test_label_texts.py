"""Texts about labels: descriptions or names as labeled documents."""

from __future__ import annotations

import pytest

from electra_ie.data.document import Document
from electra_ie.data.fields import Field
from electra_ie.data.label_texts import label_texts, name_as_words

TOPIC = Field("topic", "classes", ("card_arrival", "TopUp", "A1"))
RISKS = Field("risks", "flags", ("shell_company",))
NAMES = Field("names", "spans", ("PER",))


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("card_arrival", "card arrival"), ("CardArrival", "card arrival"), ("ENTY:termeq", "enty termeq"),
        ("amphibian_0163", "amphibian"), ("not-at-all", "not at all"), ("\u53d6\u6b3e", "\u53d6\u6b3e"), ("42", ""),
    ],
)  # fmt: skip
def test_name_as_words(label, words):
    assert name_as_words(label) == words


def test_each_label_has_a_document_with_its_description_or_name():
    descriptions = {"topic": {"A1": "A payment by cheque."}, "names": {"PER": "A person."}}
    assert label_texts([TOPIC, RISKS, NAMES], descriptions) == [
        Document("label topic card_arrival", "card arrival", {"topic": "card_arrival"}),
        Document("label topic TopUp", "top up", {"topic": "TopUp"}),
        Document("label topic A1", "A payment by cheque.", {"topic": "A1"}),
        Document("label risks shell_company", "shell company", {"risks": ("shell_company",)}),
    ]


def test_names_that_say_nothing_have_no_document():
    """Neither names of fewer than three letters, nor those that differ in digits or case only."""
    field = Field("kind", "classes", ("A1", "B2", "type_1", "type_2", "other"))
    assert [document.gold["kind"] for document in label_texts([field], {})] == ["other"]
    described = label_texts([field], {"kind": {"type_1": "The first type."}})
    assert [document.gold["kind"] for document in described] == ["type_1", "other"]
