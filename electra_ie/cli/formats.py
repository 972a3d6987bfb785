"""Tables of the annotation formats and of what each cannot hold, for the terminal and as Markdown."""

from __future__ import annotations

from electra_ie.cli.tables import print_table
from electra_ie.formats import FORMATS
from electra_ie.formats.base import Format
from electra_ie.formats.features import Feature

GROUPS = {
    "ids": (Feature.IDS,),
    "spans": (Feature.SPANS,),
    "overlaps": (Feature.NESTED, Feature.CROSSING, Feature.EQUAL),
    "fragments": (Feature.FRAGMENTS,),
    "layers": (Feature.LAYERS,),
    "relations": (Feature.RELATIONS,),
    "events": (Feature.EVENTS,),
    "attributes": (Feature.SPAN_ATTRIBUTES,),
    "references": (Feature.SPAN_REFERENCES,),
    "notes": (Feature.SPAN_NOTES,),
    "labels of texts": (Feature.LABELS,),
    "questions": (Feature.QUESTIONS,),
    "not annotated": (Feature.UNANNOTATED,),
    "scores": (Feature.SCORES,),
    "predictions": (Feature.PREDICTED,),
    "origins": (Feature.ORIGINS,),
    "other values": (Feature.METADATA,),
}
"""What the Markdown table lists: a format holds one if it holds all of its features."""


def show_formats() -> None:
    """Print each format with the package that it needs and its options."""
    rows = [
        {"format": format.name, "of": format.title, "package": format.package, "options": ", ".join(format.options)}
        for format in FORMATS.values()
    ]
    print_table(rows, title="Formats of electra-ie convert and task.yaml")


def formats_markdown() -> str:
    """Return the table of docs/formats.md: what each format holds, and what it does not."""
    lines = ["| format | holds | does not hold |", "| --- | --- | --- |"]
    for name, format in FORMATS.items():
        held = [group for group, features in GROUPS.items() if _holds(format, features)]
        others = [group for group in GROUPS if group not in held]
        lines.append(f"| `{name}` | {', '.join(held) if others else 'all'} | {', '.join(others) or 'nothing'} |")
    return "\n".join(lines) + "\n"


def _holds(format: Format, features: tuple[Feature, ...]) -> bool:
    return all(feature in format.holds for feature in features)
