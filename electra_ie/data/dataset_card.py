"""What the data card of a task says of its texts, and the data set on the hub that a task was fetched from."""

from __future__ import annotations

import re
from dataclasses import dataclass

from electra_ie.common.files import CARD
from electra_ie.data.task import Task
from electra_ie.data.task_yaml import list_tasks

LICENCES = (
    "apache-2.0", "mit", "cc0-1.0", "cc-by-3.0", "cc-by-sa-3.0", "cc-by-nc-3.0", "cc-by-4.0", "cc-by-sa-4.0",
    "cc-by-nc-4.0",
)  # fmt: skip
"""Licences by the names that the hub has for them, as far as data cards may be expected to name them."""
LANGUAGES = {"English": "en", "Chinese": "zh", "German": "de", "French": "fr", "Spanish": "es"}
LOADED = 'data = datasets.load_dataset("{}")'
"""The line by which the page of a data set on the hub says how it is loaded, and so which one it is."""


@dataclass(frozen=True)
class DataCard:
    """What a data card says: its rows `Source`, `Licence`, `Shipped`, and the language that it names above them."""

    source: str
    licence: str
    shipped: bool
    language: str | None

    @classmethod
    def of(cls, task: Task) -> DataCard | None:
        """The card of a shipped task; None for one of the user's own, also where it bears the name of a shipped one."""
        if task.card is None or task.name not in list_tasks() or Task.load(task.name).fields != task.fields:
            return None
        return cls.parse(task.card.read_text("utf-8"))

    @classmethod
    def parse(cls, text: str) -> DataCard:
        rows = dict(reversed(re.findall(r"^\| *(\w+) *\| *([^|]+?) *\|", text, re.MULTILINE)))  # the first of a name
        summary = text.partition("| | |")[0]
        language = next((name for name in LANGUAGES if re.search(rf"\b{name}\.", summary)), None)
        shipped = rows.get("Shipped", "").startswith("Yes")
        return cls(rows.get("Source", "not recorded"), rows.get("Licence", "not recorded"), shipped, language)

    @property
    def hub_licence(self) -> str | None:
        """The licence (`CC BY 4.0`) by the hub's name for it, if the hub has one."""
        name = "-".join(self.licence.partition(",")[0].lower().split())
        return name if name in LICENCES else None


def dataset_on_hub(task: Task) -> str | None:
    """`ORG/NAME` of the data set whose download the task's files are, as the page beside them says; None for others."""
    try:
        page = (task.folder / CARD).read_text("utf-8", "replace")
    except OSError:
        return None
    line = re.escape(LOADED).replace(re.escape("{}"), r"([\w.-]+/[\w.-]+)")
    told = re.findall(f"^{line}$", page, re.MULTILINE | re.ASCII)
    return told[-1] if told else None
