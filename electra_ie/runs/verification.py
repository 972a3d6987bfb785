"""What differs between an audit, which records hashes and versions, and the current state."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from electra_ie.common.errors import UserError
from electra_ie.common.files import parse
from electra_ie.runs.layout import AUDIT

CHECKED = ("weights", "settings", "data", "splits", "code", "environment")
"""The parts of the audit of a run that `verify` recomputes and compares."""


@dataclass(frozen=True)
class Difference:
    """A deviation from the audit. part: a part of the audit. then, now: recorded and current value (None: absent)."""

    part: str
    name: str
    then: str | None
    now: str | None

    def __str__(self) -> str:
        if self.now is None or self.then is None:
            return f"{self.part}: {self.name}: {'missing' if self.now is None else 'new'}"
        return f"{self.part}: {self.name}: {_short(self.then)} then, {_short(self.now)} now"


@dataclass(frozen=True)
class Verification:
    """The deviations from the audit, and the checks that could not be made, with the reason of each."""

    differences: list[Difference]
    unchecked: list[str]

    @property
    def same(self) -> bool:
        """Whether nothing that was checked deviates."""
        return not self.differences


def read_audit(run: Path, parts: Sequence[str] = CHECKED) -> dict[str, Any]:
    """Return the audit of a run, or of an exported model, which has other parts.

    Raises:
        UserError: it is missing, or has another structure.
    """
    file = run / AUDIT
    if not file.is_file():
        remedy = "Finished runs have one. A run of an older version must be trained again."
        raise UserError(f"the run has no {AUDIT}.", file=run, remedy=remedy)
    audit = parse(file.read_bytes(), file)
    if not all(isinstance(audit.get(part), dict) for part in parts):
        message = f"the file lacks parts of an audit; expected: {', '.join(parts)}."
        raise UserError(message, file=file, remedy="Restore the file.")
    return audit


def compare(part: str, then: Mapping[str, Any], now: Mapping[str, Mapping[str, str]]) -> Iterator[Difference]:
    """Yield the differences of a part of an audit. then, now: hashes and versions by name, of every part."""
    for name in dict.fromkeys([*then[part], *now[part]]):
        before, after = then[part].get(name), now[part].get(name)
        if before != after:
            yield Difference(part, name, before, after)


def _short(value: str) -> str:
    """Shorten a hash to its first twelve digits."""
    return re.sub(r"\b([0-9a-f]{12})[0-9a-f]{52}\b", r"\1", str(value))
