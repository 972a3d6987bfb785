"""Texts with spans and relations between them, as records in memory."""

from __future__ import annotations

import random
from typing import Any

import tiny

FIELDS: dict[str, Any] = {
    "names": {"kind": "spans", "labels": ["person", "amount"]},
    "links": {"kind": "relations", "labels": ["pays", "knows"], "symmetric": ["knows"]},
}


def record(number: int, draw: random.Random) -> dict[str, Any]:
    """Two persons and two amounts: the first person pays the first amount, and the persons know each other."""
    names, amounts = draw.sample(tiny.NAMES, 2), [f"{draw.randint(1, 9)}.{draw.randint(100, 999)}" for _ in "ab"]
    text = f"{names[0]} paid {amounts[0]} to {names[1]} before {amounts[1]} today."
    spans = [
        {"start": text.index(f"{value} "), "end": text.index(f"{value} ") + len(value), "label": label}
        for value, label in ((names[0], "person"), (amounts[0], "amount"), (names[1], "person"), (amounts[1], "amount"))
    ]
    pays = {"head": 0, "tail": 1, "label": "pays"}
    # The direction in the file means nothing for a symmetric relation.
    knows = {"head": spans[2], "tail": spans[0], "label": "knows"}
    return {"id": f"r{number}", "text": text, "names": spans, "links": [pays, knows]}


def records(size: int, seed: int = 1) -> list[dict[str, Any]]:
    draw = random.Random(seed)
    return [record(number, draw) for number in range(size)]


def data() -> dict[str, Any]:
    pool = [{"text": each["text"]} for each in records(12, 3)]
    return {"train": records(24), "dev": records(10, 2), "unlabeled": pool}
