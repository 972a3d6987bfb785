"""The key `record` of a task.yaml: which records are made of findings. Parsing and checking.

record:
  anchor: AMOUNT                    # a record for each span of this label; by default one for each text
  relation: transfers               # spans join a record by this field of relations; by default the nearest anchor
  only: {assertion: present}        # anchors with these attributes have a record; a field may have its own only
  locale: en_GB                     # settings of all values, see `values.ValueSettings`
  fields:
    payer: {from: PARTY, only: {transfers: paid_by}}    # by the label of the relation to the anchor
    amount: {from: AMOUNT, type: money, currency: GBP}
    country: {from: entities.COUNTRY, type: code, codes: countries.csv}
    risks: {from: flags}            # the labels of a field of classes or flags
    status: {from: CONDITION, attribute: assertion}     # the label of a field of attributes
    countries: {from: COUNTRY, many: true}  # several different values are no conflict; flags always have many
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from electra_ie.common.errors import UserError, nearest
from electra_ie.common.yaml_source import Keys, Source
from electra_ie.data.fields import FIELD_NAME, AnchoredField, AttributeField, Field, RelationField
from electra_ie.values import VALUE_TYPES, CodeList, ValueSettings

RECORD = "record"
SETTINGS = ("locale", "date_order", "currency", "reference_date")
"""Settings of values, of a field or of all fields of the record."""
OF_TYPES = {"scheme": "identifier", "date_order": "date", "reference_date": "date", "currency": "money"}
"""The settings that only one type of values has: a field of another type may not have them, the record may."""
KEYS = ("anchor", "relation", "only", "fields", *SETTINGS)
FIELD_KEYS = ("from", "attribute", "only", "many", "type", "codes", "scheme", *SETTINGS)
TEXT = "text"
"""The type of values by default."""
OF_TEXT = ("id", "file", "model", "version")
"""The keys of a text that each of its records has."""
TO_REVIEW = "to_review"
"""The key of the number of findings of a text that wait for review, and are in no record; with a queue only."""
Only = Mapping[str, tuple[str, ...]]
"""The labels that an attribute of a span may have, by the name of its field."""
CELLS = ("", "_unit", "_status", "_text", "_start", "_end", "_score", "_rule", "_version", "_reason")
"""The columns of a field in a table, behind its name: the value, its unit or currency, where it was found, and why."""
CONFLICTS = "conflicts"
"""The column of the names of fields with several different values that should have one."""
FRAGMENTS = "_fragments"
"""A further column of a field whose spans may have several fragments."""


@dataclass(frozen=True)
class Place:
    """Where findings come from: a field, and for a field of spans a label."""

    field: str
    label: str | None = None


@dataclass(frozen=True)
class RecordField:
    """A field of a record.

    Attributes:
        name: The name.
        place: The findings that fill it.
        type: The type of its values, one of `VALUE_TYPES`.
        given: The settings of its values as declared.
        attribute: The field of attributes whose label of a span is the value; "" for the passage.
        only: What attributes the spans have to have.
        related: The labels of relations to the anchor of which the spans have to have one; none for any relation.
        fragments: Whether the spans may have several fragments.
        many: Whether several different values are no conflict, as of flags.
    """

    name: str
    place: Place
    type: str
    given: Mapping[str, Any]
    attribute: str = ""
    only: Only = field(default_factory=dict)
    related: tuple[str, ...] = ()
    fragments: bool = False
    many: bool = False

    @property
    def columns(self) -> list[str]:
        """The columns of the field in a table."""
        return [f"{self.name}{cell}" for cell in (*CELLS, *([FRAGMENTS] if self.fragments else []))]

    def settings(self, folder: Path) -> ValueSettings:
        """Return the settings of the values. folder: that of the data, to which a list of codes is relative.

        Raises:
            UserError: a setting is unknown, or a list of codes is not there or cannot be read.
        """
        given = dict(self.given)
        if "codes" in given:
            given["codes"] = read_codes(folder / given["codes"])
        if "reference_date" in given:
            given["reference_date"] = date.fromisoformat(str(given["reference_date"]))
        return ValueSettings(**given)


@dataclass(frozen=True)
class RecordPlan:
    """Which records are made of findings.

    Attributes:
        fields: The fields of a record.
        anchor: Spans of which each has a record of its own; None for one record a text.
        relation: The field of relations by which spans join the record of an anchor; "" for the nearest anchor.
        declaration: The content of the key, for a run to save.
        only: What attributes the anchors have to have.
    """

    fields: tuple[RecordField, ...]
    anchor: Place | None
    relation: str
    declaration: Mapping[str, Any]
    only: Only = field(default_factory=dict)

    @property
    def code_files(self) -> list[str]:
        """The files of lists of codes, relative to the folder of the data."""
        return [each.given["codes"] for each in self.fields if "codes" in each.given]

    def sources(self, fields: Iterable[RecordField]) -> frozenset[str]:
        """Return the fields of the task that decide about these fields of a record.

        They are those that fill them, with anchors also that of the anchor, for spans that join an anchor by relations
        the field of relations, and the fields of attributes that they name.
        """
        names = set()
        for each in fields:
            names |= {each.place.field, *each.only, *self.only} | ({each.attribute} if each.attribute else set())
            if self.anchor is not None:
                names.add(self.anchor.field)
            if self.relation and each.place.label is not None and each.place != self.anchor:
                names.add(self.relation)
        return frozenset(names)


def read_codes(file: Path) -> CodeList:
    """Return a list of codes that a task names. Raises UserError if it does not exist or is invalid."""
    if not file.exists():
        remedy = "Give its path relative to the folder of the data, and another folder by data or --data."
        raise UserError("this list of codes does not exist.", file=file, remedy=remedy)
    return CodeList.read(file)


class _Spans(NamedTuple):
    """What the spans of a task have, and how they join the records: anchor and relation as in `RecordPlan`."""

    attributes: list[AttributeField]
    relations: list[RelationField]
    anchor: Place | None
    relation: str


def columns(fields: Iterable[RecordField], *, queued: bool = False) -> list[str]:
    """Return the columns of a table of records with these fields. queued: whether findings wait in a queue."""
    of_fields = [column for each in fields for column in each.columns]
    return [*OF_TEXT, RECORD, CONFLICTS, *of_fields, *([TO_REVIEW] if queued else [])]


def parse_record(value: Any, fields: Sequence[Field], anchored: Sequence[AnchoredField], source: Source) -> RecordPlan:
    """Return the plan of the records of a task.

    Args:
        value: The value of the key `record`.
        fields: The fields of the task.
        anchored: Its fields of relations and attributes.
        source: The file and its lines.

    Raises:
        UserError: A key or value is invalid, or names something that the task does not have.
    """
    keys = (RECORD,)
    source.check_keys(keys, value, KEYS)
    declared = value.get("fields")
    source.check_mapping((*keys, "fields"), declared)
    if not declared:
        raise source.error((*keys, "fields"), "the record has no fields.", "Add at least one: {from: LABEL}.")
    common = _settings(keys, value, SETTINGS, source)
    attributes = [each for each in anchored if isinstance(each, AttributeField)]
    relations = [each for each in anchored if isinstance(each, RelationField)]
    anchor = None
    if "anchor" in value:
        anchor = _place((*keys, "anchor"), _text((*keys, "anchor"), value["anchor"], source), fields, source)
        if anchor.label is None:
            remedy = "Give the label of spans."
            raise source.error((*keys, "anchor"), f'"{value["anchor"]}" labels whole texts.', remedy)
    relation = ""
    if "relation" in value:
        relation = _text((*keys, "relation"), value["relation"], source)
        names = [each.name for each in relations]
        if relation not in names:
            message = f'the task has no field of relations "{relation}".'
            raise source.error((*keys, "relation"), message, nearest(relation, names))
        if anchor is None:
            remedy = "Add anchor: LABEL, the spans of which each has a record."
            raise source.error((*keys, "relation"), "relation needs an anchor.", remedy)
    if "only" in value and anchor is None:
        remedy = "Add anchor: LABEL, the spans that it is about, or give only to a field of the record."
        raise source.error((*keys, "only"), "only needs an anchor.", remedy)
    only = _only(keys, value.get("only", {}), anchor, attributes, source) if anchor else {}
    spans = _Spans(attributes, relations, anchor, relation)
    of_record = tuple(_field(name, declared[name], fields, spans, common, source) for name in declared)
    _check_columns(of_record, source)
    return RecordPlan(of_record, anchor, relation, dict(value), only)


def _check_columns(fields: Iterable[RecordField], source: Source) -> None:
    """Raise UserError for a field whose columns in a table are also those of the text or of a field before it."""
    taken = set(columns((), queued=True))
    for each in fields:
        twice = next((column for column in each.columns if column in taken), None)
        if twice:
            message = f'with the field {each.name}, tables of records would have two columns "{twice}".'
            raise source.error((RECORD, "fields", each.name), message, "Give the field another name.")
        taken.update(each.columns)


def _field(
    name: str,
    declaration: Any,
    fields: Sequence[Field],
    spans: _Spans,
    common: Mapping[str, Any],
    source: Source,
) -> RecordField:
    keys = (RECORD, "fields", name)
    if not FIELD_NAME.fullmatch(name):
        remedy = "Use letters, digits and _, not starting with a digit, at most 64."
        raise source.error(keys, f'"{name[:80]}" cannot be the name of a field.', remedy)
    source.check_keys(keys, declaration, FIELD_KEYS)
    if "from" not in declaration:
        remedy = "Add from: a label of spans, or a field of classes or flags."
        raise source.error(keys, f"the field {name} of the record has no from.", remedy)
    place = _place((*keys, "from"), _text((*keys, "from"), declaration["from"], source), fields, source)
    attribute = ""
    if "attribute" in declaration:
        attribute = _text((*keys, "attribute"), declaration["attribute"], source)
        _attribute_of((*keys, "attribute"), attribute, place, spans.attributes, source)
    of_spans = declaration.get("only", {})
    source.check_mapping((*keys, "only"), of_spans)
    related = _related(keys, of_spans, place, spans, source)
    of_spans = {name: listed for name, listed in of_spans.items() if not related or name != spans.relation}
    only = _only(keys, of_spans, place, spans.attributes, source)
    is_label = place.label is None or bool(attribute)
    type = _text((*keys, "type"), declaration.get("type", TEXT), source)
    if type not in VALUE_TYPES:
        message = f'there is no type of values "{type}".'
        raise source.error((*keys, "type"), message, nearest(type, VALUE_TYPES))
    if is_label and type != TEXT:
        message = (
            f"the field {name} is filled by labels of {'spans' if attribute else 'whole texts'}, which are no {type}."
        )
        raise source.error((*keys, "type"), message, "Leave type out.")
    own = _settings(keys, declaration, ("codes", "scheme", *SETTINGS), source)
    if (type == "code") != ("codes" in own):
        message = f"the field {name} has the type {type}, and {'no ' if type == 'code' else ''}codes."
        raise source.error(keys, message, "A field of type code has codes: the file of its list; no other has.")
    for setting in own:
        if OF_TYPES.get(setting, type) != type:
            message = (
                f"the field {name} has the type {type}, and {setting} is a setting of the type {OF_TYPES[setting]}."
            )
            raise source.error((*keys, setting), message, f"Remove it, or set type: {OF_TYPES[setting]}.")
    if "codes" in own:
        source.check_path((*keys, "codes"), own["codes"])
    many = declaration.get("many", place.field in {each.name for each in fields if each.kind == "flags"})
    if not isinstance(many, bool):
        raise source.error((*keys, "many"), f'many is "{many}".', "Write true or false.")
    given, divided = {**({} if is_label else common), **own}, {each.name for each in fields if each.fragments}
    result = RecordField(name, place, type, given, attribute, only, related, place.field in divided, many)
    _check_settings(result, source)
    return result


def _attribute_of(
    keys: Keys, name: str, place: Place, attributes: Sequence[AttributeField], source: Source
) -> AttributeField:
    """Return a field of attributes by its name. Raises UserError if the spans of a place have none of this field."""
    named = {each.name: each for each in attributes if place.label in each.of}
    if name not in named:
        of = f"spans {place.label}" if place.label else "labels of whole texts"
        message = f'{of} have no field of attributes "{name}".'
        raise source.error(keys, message, nearest(name, named) if named else "Use it with spans that have attributes.")
    return named[name]


def _only(
    keys: Keys, given: Any, place: Place, attributes: Sequence[AttributeField], source: Source
) -> dict[str, tuple[str, ...]]:
    """Return the labels of `only`, which is `given`, by field of attributes. place: that of the spans."""
    keys = (*keys, "only")
    source.check_mapping(keys, given)
    return {
        name: _labels((*keys, name), listed, _attribute_of((*keys, name), name, place, attributes, source), source)
        for name, listed in given.items()
    }


def _related(keys: Keys, given: Mapping[str, Any], place: Place, spans: _Spans, source: Source) -> tuple[str, ...]:
    """Return the labels of relations in `only`, which is `given`; none if it names no field of relations.

    Raises:
        UserError: spans of this place do not join the records by the field of relations, or it has no such label.
    """
    labels: tuple[str, ...] = ()
    for of in (each for each in spans.relations if each.name in given):
        at = (*keys, "only", of.name)
        if of.name != spans.relation or place.label is None or place == spans.anchor:
            message = f"{place.label or place.field} is not joined to an anchor by the relations {of.name}."
            remedy = f"Set anchor, and relation: {of.name}, and use it with the labels of other spans."
            raise source.error(at, message, remedy)
        labels = _labels(at, given[of.name], of, source)
    return labels


def _labels(keys: Keys, listed: Any, of: AnchoredField, source: Source) -> tuple[str, ...]:
    """Return labels of a field. Raises UserError for one that it does not have."""
    labels = source.texts(keys, listed)
    for label in labels:
        if label not in of.labels:
            raise source.error(keys, f'{of.name} has no label "{label}".', nearest(label, of.labels))
    return labels


def _settings(keys: Keys, value: Mapping[str, Any], names: Iterable[str], source: Source) -> dict[str, Any]:
    """Return the settings among the keys of `value`, which are texts; the reference date may be a date of YAML."""
    given = {name: value[name] for name in names if name in value}
    for name, setting in given.items():
        if not (name == "reference_date" and isinstance(setting, date)):
            _text((*keys, name), setting, source)
    return given


def _text(keys: Keys, value: Any, source: Source) -> str:
    """Return `value`, at `keys`. Raises UserError by file and line if it is not a text, or an empty one."""
    return source.texts(keys, [value])[0]


def _check_settings(field: RecordField, source: Source) -> None:
    """Raise UserError by file and line for settings that are unknown. The list of codes is read when it is needed."""
    if find_spec("babel") is None:  # without the extra, a run is trained, and asks for it when records are made
        return
    given = {name: value for name, value in field.given.items() if name != "codes"}
    line = source.line((RECORD, "fields", field.name))
    try:
        RecordField(field.name, field.place, field.type, given).settings(Path())
    except UserError as error:
        raise UserError(error.message, file=source.file, line=line, remedy=error.remedy) from error
    except ValueError as error:
        message = f"reference_date is {given.get('reference_date')}."
        raise UserError(message, file=source.file, line=line, remedy="Write a day as YYYY-MM-DD.") from error


def _place(keys: Keys, value: str, fields: Sequence[Field], source: Source) -> Place:
    """Return the place that a text names: a field of classes or flags, `LABEL`, or `field.LABEL`."""
    texts = {field.name: Place(field.name) for field in fields if field.kind != "spans"}
    spans = [Place(field.name, label) for field in fields if field.kind == "spans" for label in field.labels]
    if value in texts:
        return texts[value]
    named = [place for place in spans if value in (place.label, f"{place.field}.{place.label}")]
    if not named:
        labels = [place.label for place in spans if place.label]
        message = f'no field has the label "{value}", and no field of classes or flags has this name.'
        raise source.error(keys, message, nearest(value, [*texts, *labels]))
    if len(named) > 1:
        remedy = f"Write {named[0].field}.{value}, for example."
        raise source.error(keys, f'several fields have the label "{value}".', remedy)
    return named[0]
