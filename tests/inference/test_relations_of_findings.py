"""Relations between findings of several fields of spans."""

from __future__ import annotations

from electra_ie.data.document import Document, Finding, Span
from electra_ie.data.fields import RelationField
from electra_ie.inference.engine.relations import RelationReader
from electra_ie.inference.engine.results import DocumentResult

TEXT = "Acme paid 5 USD"


class _Pays(RelationReader):
    """Finds that the first span pays the second."""

    def classified(self, documents):
        for _, spans in documents:
            yield [((spans[0], spans[1]), "pays", 0.5)]


def test_a_span_that_two_fields_have_found_is_related_in_both():
    findings = [
        Finding("a", "PARTY", 0, 4, "Acme", 0.8),
        Finding("b", "PARTY", 0, 4, "Acme", 0.4),
        Finding("a", "AMOUNT", 10, 15, "5 USD", 1.0),
    ]
    result = DocumentResult(Document("x", TEXT), 1, {}, findings)
    _Pays(RelationField("rel", ("pays",)), None, None).add([result])
    assert [(each.head.field, each.tail.field, each.score) for each in result.relations] == [
        ("a", "a", 0.4),
        ("b", "a", 0.2),
    ]
    assert {each.relation.head for each in result.relations} == {Span(0, 4, "PARTY")}
