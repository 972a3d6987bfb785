"""Data cards of the shipped tasks, and the Hub data set from which the files of a task were downloaded."""

from __future__ import annotations

import re
from dataclasses import dataclass

from electra_ie.common.files import CARD
from electra_ie.data.fields import without_levels
from electra_ie.data.task import Task
from electra_ie.data.task_files import list_tasks

LICENSES = (
    "apache-2.0", "mit", "cc0-1.0", "cc-by-3.0", "cc-by-sa-3.0", "cc-by-nc-3.0", "cc-by-4.0", "cc-by-sa-4.0",
    "cc-by-nc-4.0",
)  # fmt: skip
"""Identifiers of the Hub for the licenses that data cards are expected to name."""
LANGUAGES = {"English": "en", "Chinese": "zh", "German": "de", "French": "fr", "Spanish": "es"}
LOADED = 'data = datasets.load_dataset("{}")'
"""The line in the card of a Hub data set that loads it, from which its name is read back."""


@dataclass(frozen=True)
class DataCard:
    """The content of a data card: its rows `Source`, `License` and `Shipped`, and the language named above them."""

    source: str
    license: str
    shipped: bool
    language: str | None

    @classmethod
    def of(cls, task: Task) -> DataCard | None:
        """Return the card of a shipped task; None for a task of the user, also if it has the name of a shipped one."""
        if task.card is None or task.name not in list_tasks():
            return None
        if without_levels(Task.load(task.name).fields) != without_levels(task.fields):
            return None
        return cls.parse(task.card.read_text("utf-8"))

    @classmethod
    def parse(cls, text: str) -> DataCard:
        """Return the content of a data card's text; what is missing is "not recorded" or None."""
        # reversed: of rows with the same name the first is kept.
        rows = dict(reversed(re.findall(r"^\| *(\w+) *\| *([^|]+?) *\|", text, re.MULTILINE)))
        summary = text.partition("| | |")[0]
        language = next((name for name in LANGUAGES if re.search(rf"\b{name}\.", summary)), None)
        shipped = rows.get("Shipped", "").startswith("Yes")
        return cls(rows.get("Source", "not recorded"), rows.get("License", "not recorded"), shipped, language)

    @property
    def hub_license(self) -> str | None:
        """The Hub's identifier of the license (`cc-by-4.0`), or None."""
        name = "-".join(self.license.partition(",")[0].lower().split())
        return name if name in LICENSES else None


def dataset_on_hub(task: Task) -> str | None:
    """Return `ORG/NAME` of the Hub data set in the task's folder, as the card there names it, or None."""
    if not task.paths:  # the documents are in memory
        return None
    try:
        page = (task.folder / CARD).read_text("utf-8", "replace")
    except OSError:
        return None
    line = re.escape(LOADED).replace(re.escape("{}"), r"([\w.-]+/[\w.-]+)")
    names = re.findall(f"^{line}$", page, re.MULTILINE | re.ASCII)
    return names[-1] if names else None
