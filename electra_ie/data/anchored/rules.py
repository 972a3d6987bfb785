"""The rules of all kinds of field that are anchored to spans."""

from __future__ import annotations

from typing import Any

from electra_ie.data.anchored.attribute_spans import AttributeRules
from electra_ie.data.anchored.marked_spans import SpanRules
from electra_ie.data.anchored.relation_pairs import PairRules
from electra_ie.data.fields import ATTRIBUTES, RELATIONS

RULES: dict[str, type[SpanRules[Any]]] = {RELATIONS: PairRules, ATTRIBUTES: AttributeRules}
"""By the kind of the field."""
