"""The labeling configuration of Label Studio (XML): the labels, choices, attributes and relations of documents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree import ElementTree

from electra_ie.common.errors import UserError
from electra_ie.common.files import write
from electra_ie.formats.annotations import AnnotatedDocument, single_questions

ONE_LAYER = "label"
"""The name of a layer without one, as in the templates of Label Studio."""
TEXT = "text"
"""The name of the text in the configuration."""


def labeling_config(documents: Sequence[AnnotatedDocument], key: str = "text") -> str:
    """Return the configuration with which a project shows all that documents have.

    Args:
        documents: The documents, with the labels that a person is to choose from.
        key: The key of the text in the data of a task.

    Raises:
        UserError: a layer, question or attribute has the name of another, which Label Studio refuses.
    """
    view = ElementTree.Element("View")
    layers: dict[str, dict[str, None]] = {}
    attributes: dict[str, dict[str, None]] = {}
    questions: dict[str, dict[str, None]] = {}
    for document in documents:
        for layer in document.layers or ():
            layers.setdefault(layer or ONE_LAYER, {})
        for span in document.spans:
            layers[span.layer or ONE_LAYER][span.label] = None
            for attribute in span.attributes:
                attributes.setdefault(attribute.name, {})[attribute.value or attribute.name] = None
        for name, labels in document.labels.items():
            questions.setdefault(name, {}).update(dict.fromkeys(labels))
    _refuse_twice([TEXT, *layers, *questions, *attributes])
    for name, values in layers.items():
        _control(view, "Labels", "Label", values, name=name)
    for name, single in single_questions(documents).items():
        _control(view, "Choices", "Choice", questions[name], name=name, choice="single" if single else "multiple")
    for name, values in attributes.items():
        _control(view, "Choices", "Choice", values, name=name, choice="multiple", perRegion="true")
    if relations := dict.fromkeys(item.label for document in documents for item in document.relations):
        parent = ElementTree.SubElement(view, "Relations")
        for value in relations:
            ElementTree.SubElement(parent, "Relation", value=value)
    ElementTree.SubElement(view, "Text", name=TEXT, value=f"${key}")
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode") + "\n"


def _control(view: ElementTree.Element, tag: str, entry: str, values: Iterable[str], **attributes: str) -> None:
    parent = ElementTree.SubElement(view, tag, {**attributes, "toName": TEXT})
    for value in values:
        ElementTree.SubElement(parent, entry, value=value)


def _refuse_twice(names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            message = f'the labeling configuration of Label Studio needs the name "{name}" twice.'
            raise UserError(message, remedy="Name layers, questions and attributes differently, and none of them text.")


def write_config(documents: Sequence[AnnotatedDocument], path: Path, key: str) -> None:
    """Write the configuration to a file that does not exist. Raises UserError if it exists."""
    if path.exists():
        raise UserError("this file exists.", file=path, remedy="Give another path as the option config, or remove it.")
    write(path, labeling_config(documents, key))
