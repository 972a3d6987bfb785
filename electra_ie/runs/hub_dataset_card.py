"""The page of a task's data on the Hub: its data card, with the metadata that the Hub and `datasets` read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import yaml

from electra_ie.common.errors import UserError
from electra_ie.common.files import CARD
from electra_ie.common.text_files import read_text
from electra_ie.data.dataset_card import LOADED, DataCard
from electra_ie.data.document import Document
from electra_ie.data.fields import RELATIONS, AnyField, AttributeField, Field
from electra_ie.data.readers import jsonl
from electra_ie.data.task import Task
from electra_ie.formats.annotations import CHOSEN
from electra_ie.runs.cards.markdown import plain
from electra_ie.runs.cards.usage_snippets import PIPELINES

if TYPE_CHECKING:
    from datasets import Features

FRONT = re.compile(r"---[ \t]*\n(.*?\n)---[ \t]*\n", re.DOTALL)


def dataset_page(task: Task, documents: Mapping[str, Sequence[Document]], repository: str) -> str:
    """Return the dataset card as Markdown with YAML metadata. documents: the documents of each split.

    The text is the README.md beside the user's task.yaml, else the shipped data card, else a generated card. Metadata
    of that README.md are kept, except those that describe the uploaded files.

    Raises UserError if the metadata of the README.md are not a YAML mapping.
    """
    own, body = _card_of(task, documents)
    return f"---\n{_metadata(task, own, body, documents)}\n---\n\n{body.strip()}\n\n{_usage(repository)}"


def features(fields: Sequence[AnyField], documents: Sequence[Document]) -> Features:
    """Return the columns and types of the uploaded records.

    They are declared rather than inferred from the data: the column of a field that is null in the first records
    would get the wrong type. An attribute has a column only where a record says that it is unlabeled, and so has how
    texts were chosen to be labeled.
    """
    from datasets import Features, List, Value

    text, position = Value("string"), Value("int64")
    whole = {"start": position, "end": position, "label": text}
    divided = {**whole, "fragments": List(List(position))}
    spans = [field for field in fields if isinstance(field, Field) and field.kind == "spans"]
    end = divided if any(field.fragments for field in spans) else whole
    types = {"classes": text, "flags": List(text), RELATIONS: List({"head": end, "tail": end, "label": text})}
    columns = {"id": text, "text": text}
    if any(document.chosen for document in documents):
        columns[CHOSEN] = text
    attributes = [field for field in fields if isinstance(field, AttributeField)]
    for field in fields:
        if isinstance(field, Field) and field.kind == "spans":
            said = {each.name: text for each in attributes if set(each.of) & set(field.labels)}
            columns[field.name] = List({**(divided if field.fragments else whole), **said})
        elif not isinstance(field, AttributeField):
            columns[field.name] = types[field.kind]
        elif any(jsonl.is_unlabeled(document, field, fields) for document in documents):
            columns[field.name] = text
    return Features(columns)


def _metadata(task: Task, own: Mapping[str, Any], body: str, documents: Mapping[str, Sequence[Document]]) -> str:
    """Return the metadata of the page as YAML. own: those of the user's card."""
    from datasets import DatasetInfo
    from datasets.info import DatasetInfosDict
    from huggingface_hub import DatasetCardData

    known = {
        "pretty_name": task.name,
        "license": DataCard.parse(body).hub_license,
        "task_categories": list(dict.fromkeys(PIPELINES[field.kind] for field in task.fields)),
    }
    # Both describe the files of this upload, whatever the user's card says about its own.
    files = [{"split": split, "path": f"{split}.jsonl"} for split in documents]
    configs = [{"config_name": "default", "data_files": files}]
    columns = features(task.all_fields, [*chain(*documents.values())])
    data = DatasetCardData(**{**known, **own, "configs": configs, "dataset_info": None})
    DatasetInfosDict({"default": DatasetInfo(features=columns)}).to_dataset_card_data(data)
    return data.to_yaml(line_break="\n")


def _card_of(task: Task, documents: Mapping[str, Sequence[Document]]) -> tuple[dict[str, Any], str]:
    """Return the metadata and the text of the task's card."""
    readme = task.file.parent / CARD
    file = readme if readme.is_file() else task.card
    if file is None:
        return {}, _generated_card(task, documents)
    text = read_text(file)
    match = FRONT.match(text)
    if not match:
        return {}, text
    try:
        metadata = yaml.safe_load(match[1])
    except yaml.YAMLError:
        metadata = None
    if not isinstance(metadata, dict) or not all(isinstance(key, str) for key in metadata):
        message = "the metadata between the lines --- are not a YAML mapping with string keys."
        raise UserError(message, file=file, line=1, remedy="Correct them, or remove both lines.")
    return metadata, text[match.end() :]


def _generated_card(task: Task, documents: Mapping[str, Sequence[Document]]) -> str:
    """Return a card for a task without one: counts, and a note on what is unknown."""
    lines = [f"# {task.name}", "", task.description, "", "| split | documents | labeled |", "| --- | ---: | ---: |"]
    for split, members in documents.items():
        lines.append(f"| {split} | {len(members):,} | {sum(bool(document.gold) for document in members):,} |")
    lines += ["", "| field | kind | labels |", "| --- | --- | --- |"]
    lines += [f"| {field.name} | {field.kind} | {plain(', '.join(field.labels))} |" for field in task.all_fields]
    lines += ["", "Source, license and annotation method are not stated: ask the publisher."]
    return "\n".join(lines)


def _usage(repository: str) -> str:
    """Return the section on loading the data and training on them."""
    folder = repository.partition("/")[2]
    return f"""\
## Use

```python
import datasets

{LOADED.format(repository)}
```

A field is null where its value is unknown. Span offsets count Unicode code points; the end is exclusive. To train:

```
hf download --repo-type dataset {repository} --local-dir {folder}
electra-ie train {folder}
```
"""
