"""Texts with spans within spans of one label, and spans of several fragments that share a word, as records in memory."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tiny

import electra_ie

FIELDS: dict[str, Any] = {
    "names": {"kind": "spans", "labels": ["house", "amount"], "scheme": "levels", "fragments": True}
}


def record(number: int, draw: random.Random) -> dict[str, Any]:
    """`A of B` is a house, and so is `B`; the amounts are `x ... goods` and `y goods`."""
    one, two = draw.sample(tiny.NAMES, 2)
    first, second = draw.sample("23456789", 2)
    text = f"{one} of {two} sent {first} and {second} goods {draw.choice(('today', 'monday', 'late'))}."
    goods = text.index("goods"), text.index("goods") + len("goods")
    x, y = (text.index(f"{digit} ") for digit in (first, second))
    divided = {"start": x, "end": goods[1], "label": "amount", "fragments": [[x, x + 1], list(goods)]}
    spans = [
        {"start": 0, "end": text.index(" sent"), "label": "house"},
        {"start": text.index(two), "end": text.index(two) + len(two), "label": "house"},
        divided,
        {"start": y, "end": goods[1], "label": "amount"},
    ]
    return {"id": f"r{number}", "text": text, "names": spans}


def records(size: int, seed: int = 1) -> list[dict[str, Any]]:
    draw = random.Random(seed)
    return [record(number, draw) for number in range(size)]


def data() -> dict[str, Any]:
    pool = [{"text": each["text"]} for each in records(12, 3)]
    return {"train": records(24), "dev": records(8, 2), "unlabeled": pool}


def settings(encoder: Callable[[str], str], preset: str = "supervised", **more: Any) -> dict[str, Any]:
    """Settings of a run that finds most of the spans."""
    own = {"head_learning_rate": 2e-2, "max_steps": 120, "num_evaluations": 1}
    return {**tiny.settings(encoder("bert"), preset), **own, **more}


def trained(encoder: Callable[[str], str], made_once: Callable[..., Path]) -> Path:
    """Return a run, which must not be changed."""
    return made_once("leveled", lambda folder: electra_ie.train(data(), folder, fields=FIELDS, **settings(encoder)))
