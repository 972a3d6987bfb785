"""The page of a task's data on the hub: its data card, and above it what the hub and `datasets` read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from electra_ie.common.errors import UserError
from electra_ie.common.files import CARD
from electra_ie.common.text_files import read_text
from electra_ie.data.dataset_card import LOADED, DataCard
from electra_ie.data.document import Document
from electra_ie.data.fields import Field
from electra_ie.data.task import Task
from electra_ie.runs.usage_snippets import PIPELINES

FRONT = re.compile(r"---[ \t]*\n(.*?\n)---[ \t]*\n", re.DOTALL)


def dataset_page(task: Task, read: Mapping[str, Sequence[Document]], repository: str) -> str:
    """Markdown with the metadata that the hub wants. `read`: the documents of each split.

    The card is the README.md beside the user's task.yaml, whose own metadata stay, else the shipped data card, else one
    made here. Raises UserError for a README.md whose metadata are not YAML.
    """
    own, body = _card_of(task, read)
    metadata = {**_metadata(task, body), **own, "configs": _configs(read), "dataset_info": _info(task.fields)}
    front = yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True, width=120)
    return f"---\n{front}---\n\n{body.strip()}\n\n{_use(repository)}"


def _card_of(task: Task, read: Mapping[str, Sequence[Document]]) -> tuple[dict[str, Any], str]:
    """The metadata that a card has already, and its text."""
    beside = task.file.parent / CARD
    file = beside if beside.is_file() else task.card
    if file is None:
        return {}, _made(task, read)
    text = read_text(file)
    match = FRONT.match(text)
    if not match:
        return {}, text
    try:
        told = yaml.safe_load(match[1])
    except yaml.YAMLError:
        told = None
    if not isinstance(told, dict):
        raise UserError("the metadata between the lines --- are not YAML.", file=file, line=1, remedy="Mend them.")
    return told, text[match.end() :]


def _made(task: Task, read: Mapping[str, Sequence[Document]]) -> str:
    """A card for a task that has none: what can be counted, and what cannot be known."""
    lines = [f"# {task.name}", "", task.description, "", "| split | documents | labelled |", "| --- | ---: | ---: |"]
    lines += [f"| {split} | {len(each):,} | {sum(bool(one.gold) for one in each):,} |" for split, each in read.items()]
    lines += ["", "| field | kind | labels |", "| --- | --- | --- |"]
    lines += [f"| {field.name} | {field.kind} | {', '.join(field.labels)} |" for field in task.fields]
    lines += ["", "Source, licence and the way the labels were made are not stated: ask whoever published this."]
    return "\n".join(lines)


def _metadata(task: Task, body: str) -> dict[str, Any]:
    told: dict[str, Any] = {"pretty_name": task.name}
    licence = DataCard.parse(body).hub_license
    if licence:
        told["license"] = licence
    told["task_categories"] = list(dict.fromkeys(PIPELINES[field.kind] for field in task.fields))
    return told


def _configs(read: Mapping[str, Sequence[Document]]) -> list[dict[str, Any]]:
    return [{"config_name": "default", "data_files": [{"split": each, "path": f"{each}.jsonl"} for each in read]}]


def _info(fields: Sequence[Field]) -> dict[str, Any]:
    """The columns and their types: guessed from the data, a field unknown at first would have the wrong one."""
    text = [{"name": "id", "dtype": "string"}, {"name": "text", "dtype": "string"}]
    return {"config_name": "default", "features": [*text, *map(_feature, fields)]}


def _feature(field: Field) -> dict[str, Any]:
    if field.kind == "classes":
        return {"name": field.name, "dtype": "string"}
    if field.kind == "flags":
        return {"name": field.name, "list": "string"}
    places = [{"name": name, "dtype": "int64"} for name in ("start", "end")]
    return {"name": field.name, "list": [*places, {"name": "label", "dtype": "string"}]}


def _use(repository: str) -> str:
    """How to read the data, and how to train on them."""
    folder = repository.partition("/")[2]
    return f"""\
## Use

```python
import datasets

{LOADED.format(repository)}
```

A field that is not known of a document is null. Offsets count Unicode code points, the end exclusive. To train on it:

```
hf download --repo-type dataset {repository} --local-dir {folder}
electra-ie train {folder}
```
"""
