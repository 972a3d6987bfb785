"""The readers of all kinds of field that are anchored to spans."""

from __future__ import annotations

from typing import Any

from electra_ie.data.fields import ATTRIBUTES, RELATIONS
from electra_ie.inference.engine.anchored import AnchoredReader
from electra_ie.inference.engine.attributes import AttributeReader
from electra_ie.inference.engine.relations import RelationReader

ANCHORED_READERS: dict[str, type[AnchoredReader[Any]]] = {ATTRIBUTES: AttributeReader, RELATIONS: RelationReader}
"""By the kind of the field, in the order in which they read: relations have findings with their attributes."""
