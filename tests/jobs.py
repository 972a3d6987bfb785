"""Jobs of extraction for tests: their inputs, what they write, and a command that commits after every few documents."""

from __future__ import annotations

import json
import random
from pathlib import Path

import tiny

SCRIPT = """
import sys
from electra_ie.inference.jobs import chunks, job
chunks.CHARACTERS, job.COMMIT_SECONDS = 600, 0.0
from electra_ie.cli.app import main
main()
"""


def put_inbox(folder: Path, documents: int = 12) -> None:
    """Write JSON lines, texts and inputs that cannot be read."""
    draw = random.Random(4)
    inbox = folder / "inbox"
    inbox.mkdir(parents=True)
    records = [
        json.dumps({"id": each["id"], "text": each["text"]})
        for each in (tiny.record(n, draw) for n in range(documents))
    ]
    records[5] = "no JSON"
    (inbox / "memos.jsonl").write_text("\n".join(records) + "\n", encoding="utf-8")
    (inbox / "b.txt").write_bytes(b"Arden\0paid")
    (inbox / "long.txt").write_text("river winter Arden paid 5.975,74 to the bank. " * 12, encoding="utf-8")


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the content of the files outside the inbox."""
    found = (file for file in folder.rglob("*") if file.is_file() and "inbox" not in file.parts)
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in found}
