"""Gold spans that each scheme of a field of spans cannot express, in data whose spans overlap.

    python benchmarks/span_schemes.py       # a few seconds; needs ../shared/data

Prints a table: spans, those lost by one sequence of BIO tags (`bio`), by one for each label (`tracks`), and by one or
several for each label (`levels`), and the number of these.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from electra_ie.data.document import Document
from electra_ie.data.fields import BIO, LEVELS, TRACKS, Field, lost_by_overlap, with_levels
from electra_ie.data.task import Task

SCHEMES = (BIO, TRACKS, LEVELS)


def cmeee() -> tuple[Field, list[Document]]:
    """Return the field and the documents of the part of cmeee that is at hand."""
    task = replace(Task.load("cmeee"), files={"train": ("dev.json.gz",)})
    return task.fields[0], task.read("train")


def medical_cases() -> tuple[Field, list[Document]]:
    """Return all documents of medical_cases_real with their spans in one field of all labels."""
    task = Task.load("medical_cases_real")
    field = Field("spans", "spans", tuple(label for each in task.fields for label in each.labels))
    documents = [document for split in task.splits for document in task.read(split)]
    names = [each.name for each in task.fields]
    gold = ([span for name in names for span in document.gold.get(name, ())] for document in documents)
    return field, [
        replace(document, gold={field.name: tuple(sorted(spans))})
        for document, spans in zip(documents, gold, strict=True)
    ]


def lost(field: Field, documents: Sequence[Document]) -> Iterator[tuple[str, int, int]]:
    """Yield each scheme with the number of spans that it loses, and the most levels of a label."""
    for scheme in SCHEMES:
        (other,) = with_levels([replace(field, scheme=scheme)], documents)
        dropped = sum(len(lost_by_overlap(other, document.gold[field.name])) for document in documents)
        yield scheme, dropped, max(other.levels, default=1)


def main() -> None:
    """Print the table."""
    print("| data set | spans | lost by `bio` | by `tracks` | by `levels` | levels |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, (field, documents) in (("cmeee", cmeee()), ("medical_cases_real", medical_cases())):
        spans = sum(len(document.gold[field.name]) for document in documents)
        rows = list(lost(field, documents))
        numbers = " | ".join(f"{number:,}" for _, number, _ in rows)
        print(f"| `{name}` | {spans:,} | {numbers} | {rows[-1][2]} |")


if __name__ == "__main__":
    main()
