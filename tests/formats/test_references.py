"""Identifiers of knowledge bases as the tools for PubTator and BioC write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from electra_ie.formats.annotations import Reference
from electra_ie.formats.parts.references import identifier, is_exact, references_of


@pytest.mark.parametrize(("identifiers", "expected"), [
    ("MESH:D1|OMIM:2;7", [("MESH", "D1"), ("OMIM", "2"), ("", "7")]),
    ("OMIM:2+MESH:D3|MESH:D1", [("OMIM", "2"), ("MESH", "D3"), ("MESH", "D1")]),
    ("HGVS:c.1+2A", [("HGVS", "c.1+2A")]),
    ("34(Tax:9606)", [("", "34")]),
    ("12;34(Tax:9606)", [("", "12"), ("", "34")]),
    ("GeneID:34(Tax:9606)", [("GeneID", "34")]),
    ("tmVar:p|SUB|V|600|E;HGVS:p.V600E", [("tmVar", "p|SUB|V|600|E;HGVS:p.V600E")]),
    ("p|SUB|V|600|E;RS#:113488022", [("tmVar", "p|SUB|V|600|E;RS#:113488022")]),
    ("c|DEL|12_13|AG", [("tmVar", "c|DEL|12_13|AG")]),
    ("|Allele|G|123", [("tmVar", "|Allele|G|123")]),
    ("rs113488022", [("", "rs113488022")]),
    ("a|b|-1", [("", "a"), ("", "b")]),
])  # fmt: skip
def test_identifiers_of_tools_are_split_where_a_new_one_begins(identifiers, expected):
    found = references_of(identifiers)
    assert [(entry.resource, entry.id) for entry in found] == expected
    assert all(is_exact(entry) for entry in found)


@pytest.mark.parametrize("reference", [
    Reference("", "34(Tax:9606)"), Reference("OMIM", "2+MESH:D3"), Reference("", "p|SUB|V|600|E"), Reference("", "a|b"),
])  # fmt: skip
def test_what_would_be_read_as_another_reference_is_not_exact(reference):
    assert not is_exact(reference)


PARTS = st.text("aDp1:|;+#()ESUBTax ", max_size=8)


@given(st.one_of(PARTS, PARTS.map("p|SUB|".__add__), PARTS.map("{}(Tax:96)".format)))
def test_references_that_are_exact_come_back(identifiers):
    for entry in references_of(identifiers):
        if is_exact(entry):
            assert references_of(identifier(entry)) == [entry]
