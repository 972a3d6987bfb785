"""The trap corpus: texts with the value that they have, that they may have, or the rule that refuses them.

A line of `traps/TYPE.jsonl` has a text (repeated `times` times), the settings if there are any, the status, and value, unit
and currency; or the candidates, each with its unit or currency; or the rule of a refusal. A family groups texts of a kind.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from electra_ie.values import VALUE_TYPES, CodeList, ValueSettings, read_value

FOLDER = Path(__file__).parent / "traps"
CODES = CodeList.read(Path(__file__).parent / "codes.csv")


def traps(type: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / f"{type}.jsonl").read_text("utf-8").splitlines()]


def read(type: str, trap: dict[str, Any]) -> dict[str, Any]:
    """Return what `read_value` makes of a trap, with the keys that traps have."""
    settings = dict(trap.get("settings", {}))
    if "reference_date" in settings:
        settings["reference_date"] = date.fromisoformat(settings["reference_date"])
    value = read_value(type, trap["text"] * trap.get("times", 1), ValueSettings(**settings, codes=CODES))
    found = value.as_dict()
    if value.status == "refused":
        return {"status": "refused", "rule": value.rule.removeprefix(f"{type}:")}
    if value.status == "ambiguous":
        candidates = [[each["value"], each["unit"] or each["currency"]] for each in found["candidates"]]
        return {"status": "ambiguous", "candidates": sorted(candidates, key=str)}
    keys = [key for key in ("status", "value", "unit", "currency") if key in trap]
    return {key: found[key] for key in keys} | {
        key: found[key] for key in ("unit", "currency") if found[key] is not None
    }


@pytest.mark.parametrize("type", sorted(VALUE_TYPES))
def test_every_trap_has_its_right_answer(type):
    wrong = []
    for trap in traps(type):
        right = {key: trap[key] for key in trap if key not in ("family", "text", "times", "settings")}
        if "candidates" in right:
            right["candidates"].sort(key=str)
        if (found := read(type, trap)) != right:
            wrong.append((trap["text"], trap.get("settings"), right, found))
    assert not wrong


def test_the_corpus_is_large_and_has_no_text_twice():
    counts = {
        type: Counter((trap["text"], trap.get("times"), str(trap.get("settings"))) for trap in traps(type))
        for type in VALUE_TYPES
    }
    assert {file.stem for file in FOLDER.iterdir()} == set(VALUE_TYPES)
    assert all(max(count.values()) == 1 for count in counts.values())
    assert sum(map(len, counts.values())) >= 1000
    statuses = Counter(trap["status"] for type in VALUE_TYPES for trap in traps(type))
    assert min(statuses[status] for status in ("exact", "normalized", "ambiguous", "refused")) >= 100


class Stopped:
    """A clock that nobody may read."""

    @classmethod
    def now(cls, *arguments: object) -> object:
        raise AssertionError("a clock is read")

    today = utcnow = now


def test_no_clock_is_read(monkeypatch):
    """Every class for dates that the packages hold is replaced by one that has no clock, and `time.time` by none."""
    from babel import dates, numbers  # noqa: F401

    real = sys.modules["datetime"]
    for name in ("date", "datetime"):
        clockless = type(name, (Stopped, getattr(real, name)), {})
        for module in list(sys.modules.values()):
            of_package = getattr(module, "__name__", "").split(".")[0] in (
                "dateparser",
                "babel",
                "dateutil",
                "electra_ie",
            )
            if of_package and getattr(module, name, None) is getattr(real, name):
                monkeypatch.setattr(module, name, clockless)
    thread, time_of_others = threading.get_ident(), time.time
    monkeypatch.setattr("time.time", lambda: Stopped.now() if threading.get_ident() == thread else time_of_others())
    for kind in ("date", "money"):
        for trap in traps(kind):
            assert read(kind, trap)["status"] == trap["status"], trap
