"""Texts with spans of which something is said (present, negated, historical), as records in memory."""

from __future__ import annotations

import random
from typing import Any

import tiny

FIELDS: dict[str, Any] = {
    "names": {"kind": "spans", "labels": ["person", "amount"]},
    "assertion": {
        "kind": "attributes", "labels": ["present", "negated", "historical"], "of": ["person"], "default": "present",
    },
}  # fmt: skip
BOTH: dict[str, Any] = {**FIELDS, "links": {"kind": "relations", "labels": ["pays"]}}
"""With relations between the same spans."""
CUES = {"present": "has", "negated": "no", "historical": "history of"}


def record(number: int, draw: random.Random) -> dict[str, Any]:
    """Two sentences, each with a person and an amount that belongs to it; present is not written."""
    text, spans, links = "", [], []
    for name in draw.sample(tiny.NAMES, 2):
        label = draw.choice(list(CUES))
        text += f"{' ' if text else ''}{CUES[label]} "
        said = {} if label == "present" else {"assertion": label}
        spans.append({"start": len(text), "end": len(text) + len(name), "label": "person"} | said)
        amount = f"{draw.randint(1, 9)}.{draw.randint(100, 999)}"
        text += f"{name} paid "
        spans.append({"start": len(text), "end": len(text) + len(amount), "label": "amount"})
        text += f"{amount} today."
        links.append({"head": len(spans) - 2, "tail": len(spans) - 1, "label": "pays"})
    return {"id": f"r{number}", "text": text, "names": spans, "links": links}


def records(size: int, seed: int = 1) -> list[dict[str, Any]]:
    draw = random.Random(seed)
    return [record(number, draw) for number in range(size)]


def data() -> dict[str, Any]:
    pool = [{"text": each["text"]} for each in records(12, 3)]
    return {"train": records(24), "dev": records(10, 2), "unlabeled": pool}
