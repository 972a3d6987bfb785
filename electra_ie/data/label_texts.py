"""Texts about labels: the description of a label, or its name, is one more labeled text.

People know what their labels mean, and with few labeled texts this is worth as much as several of them (label names
for few or no labeled texts: Meng et al. 2020, "Text classification using label names only", arXiv 2010.07245; Schick
and Schütze 2021, arXiv 2001.07676).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from electra_ie.data.document import Document
from electra_ie.data.fields import Field

MIN_LETTERS = 3
"""The name of a label with fewer letters, such as `A1`, says nothing about texts."""
WORD = re.compile(r"[^\W\d_]+")
CAPITAL_AFTER_SMALL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def label_texts(fields: Iterable[Field], descriptions: Mapping[str, Mapping[str, str]]) -> list[Document]:
    """Return a labeled document about each label of the fields of kind `classes` and `flags`.

    Its text is the description of the label, or without one its name as words. Its gold is that label, and no other
    field has gold. Labels that share a name in lower case, or whose name has hardly any letters, have no document
    without a description.

    Args:
        fields: The fields.
        descriptions: What labels mean: texts by label, by field.
    """
    documents = []
    for field in fields:
        if field.kind == "spans":
            continue
        names = [name_as_words(label) for label in field.labels]
        for label, name in zip(field.labels, names, strict=True):
            described = descriptions.get(field.name, {}).get(label)
            is_clear = names.count(name) == 1 and sum(map(len, name.split())) >= MIN_LETTERS
            if text := described or (name if is_clear else None):
                gold = label if field.kind == "classes" else (label,)
                documents.append(Document(f"label {field.name} {label}", text, {field.name: gold}))
    return documents


def name_as_words(label: str) -> str:
    """Return the words of a label's name in lower case, without digits: `ENTY:termeq` -> `enty termeq`."""
    return " ".join(WORD.findall(CAPITAL_AFTER_SMALL.sub(" ", label))).lower()
