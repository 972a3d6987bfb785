"""The rules of all kinds of field that are anchored to spans."""

from __future__ import annotations

from typing import Any

from electra_ie.data.attribute_spans import AttributeRules
from electra_ie.data.fields import ATTRIBUTES, RELATIONS
from electra_ie.data.marked_spans import SpanRules
from electra_ie.data.relation_pairs import PairRules

RULES: dict[str, type[SpanRules[Any]]] = {RELATIONS: PairRules, ATTRIBUTES: AttributeRules}
"""By the kind of the field."""
