"""Records in tests."""

from __future__ import annotations

from electra_ie.records.grouping import Entry, Record


def shown(entry: Entry) -> str:
    """Return a value with its unit or currency; nothing for one that is ambiguous or refused."""
    value = entry.value.as_dict()
    return " ".join(str(part) for part in (value["value"], value["currency"] or value["unit"]) if part is not None)


def values(record: Record) -> dict[str, list[str]]:
    """Return the values of a record by field."""
    return {name: [shown(entry) for entry in entries] for name, entries in record.entries.items()}
