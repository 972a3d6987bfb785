"""The kinds of file that are read, by the ending of their names."""

from __future__ import annotations

from pathlib import Path

STANDARD_INPUT = Path("-")
TABLES = {".csv": "csv", ".tsv": "tsv"}
PAGES = (".html", ".htm", ".xhtml")
COMPRESSED = (".txt", ".jsonl", *TABLES)
"""The endings that may be followed by `.gz`."""
NOT_TEXT = (
    ".json", ".ndjson", ".jsonlines", ".jl", ".ndj", ".ipynb", ".geojson", ".svg", ".eml",
    ".tab", ".psv", ".xml", ".yaml", ".yml", ".rtf", ".doc", ".docx",
    ".odt", ".xls", ".xlsx", ".ods", ".ppt", ".pptx", ".zip", ".gz", ".ann", ".conll", ".conllu", ".arrow",
)  # fmt: skip
"""Endings of files that are not plain text: their markup would be read as words."""
RECORDS = ("jsonl", "csv", "tsv", "parquet", "datasets")
"""The kinds with a document in each line or row."""
CONVERTED = (*PAGES, ".pdf")
"""The endings of files of which a text is made, which is kept beside the findings."""


def suffix_of(name: str) -> str:
    """Return the ending of a file name as it is written, with the one before `.gz`."""
    path = Path(name)
    if path.suffix.lower() == ".gz" and Path(path.stem).suffix.lower() in COMPRESSED:
        return Path(path.stem).suffix + path.suffix
    return path.suffix


def kind_of(path: Path) -> str:
    """Return the kind of an existing path: `text`, `jsonl`, `csv`, ..., or "" for a file that is not read."""
    ending = suffix_of(path.name).lower().removesuffix(".gz") or path.suffix.lower()
    if path is STANDARD_INPUT:
        return "stdin"
    if ending in (".jsonl", ".parquet", ".pdf", *TABLES):
        return ending[1:]
    if ending in PAGES:
        return "html"
    if path.is_dir():
        return "datasets"
    return "" if ending in NOT_TEXT else "text"


def is_converted(name: str) -> bool:
    """Return whether the text of a file is made by a library."""
    return name.lower().endswith(CONVERTED)
