"""The base class of all settings: reading from YAML and `key=value`, validation, and writing to YAML."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic.fields import FieldInfo

from electra_ie.common.errors import UserError, nearest
from electra_ie.common.hub_client import COMMIT
from electra_ie.common.yaml_source import Source

LOSS_FIELDS = ("discriminator", "generator")
"""The fields that hold the loss terms of a model: a mapping of terms to weights."""

LossTerms = dict[str, Annotated[float, Field(ge=0)]]
"""Loss terms and their weights."""

DERIVED = "derived"
"""The key in `json_schema_extra` of a field with the default None: how its value is derived, in words."""

TYPE_NAMES: Mapping[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    tuple[str, ...]: "a list of texts",
    LossTerms: "loss terms with weights of at least 0",
}
BOUNDS = {"ge": "at least", "le": "at most", "lt": "below"}
MAX_SPELLED = 80
"""Characters of a value that an error or a table shows."""


class SettingRow(NamedTuple):
    """A line of the settings table: a setting, its default as YAML spells it, the valid values, its help text."""

    name: str
    default: str
    values: str
    meaning: str


class BaseSettings(BaseModel):
    """Frozen settings with loss terms for two models, `discriminator` and `generator`.

    Each setting declares its type, bounds and help text with `pydantic.Field`. A default of None means that the value
    is derived later; the field's `json_schema_extra` says how. Loss terms that are empty are filled from the row of
    `presets` that the setting `preset_field` names.

    `build` and `replace` report a mistake as a one-line `UserError`; the constructor raises pydantic's
    `ValidationError`. `model_fields_set` holds the settings that were given, without defaults and derived values.
    """

    # Strict: True is not an integer and 1 is not a boolean. `_convert` accepts the spellings that YAML needs.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    preset_field: ClassVar[str]
    presets: ClassVar[Mapping[str, Mapping[str, Mapping[str, float]]]]
    reset_with_preset: ClassVar[tuple[str, ...]] = ()
    """Settings that a file's preset has decided. They are derived again when another preset is chosen."""

    @model_validator(mode="before")
    @classmethod
    def _fill_loss_terms(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        terms = cls._preset_terms(values)
        empty = [name for name in LOSS_FIELDS if name in terms and values.get(name, {}) == {}]
        return {**values, **{name: dict(terms[name]) for name in empty}}

    @field_validator("*", mode="before")
    @classmethod
    def _convert(cls, value: Any, info: ValidationInfo) -> Any:
        """Convert the spellings of YAML 1.1 and of Python callers to the type of the field.

        YAML 1.1 reads `no` as false and `1e-4` as text. A whole float such as 300.0 is an integer.
        """
        kinds = _kinds(cls.model_fields[info.field_name or ""])
        if value is False and "no" in _choices(kinds):
            return "no"
        if isinstance(value, Mapping):
            return {term: _number(weight) for term, weight in value.items()}
        if isinstance(value, list) and tuple[str, ...] in kinds:
            return tuple(value)
        if str not in kinds and not _choices(kinds):
            value = _number(value)
        if isinstance(value, float) and float not in kinds and value.is_integer():
            return int(value)
        return value

    def as_dict(self, exclude: Iterable[str] = ()) -> dict[str, Any]:
        """Return plain values in the order of the fields."""
        return self.model_dump(mode="json", exclude=set(exclude))

    def to_yaml(self, exclude: Iterable[str] = ()) -> str:
        """Return the text of run.yaml: all settings, and behind a derived value a comment that says how it is derived.

        `build` reads it back to equal settings.
        """
        lines = []
        for name, value in self.as_dict(exclude).items():
            text = yaml.safe_dump({name: value}, sort_keys=False, allow_unicode=True)
            rule = _derivation(type(self).model_fields[name])
            is_derived = rule and value is not None and name not in self.model_fields_set
            lines.append(f"{text.rstrip()}  # derived: {rule}\n" if is_derived else text)
        return "".join(lines)

    def replace(self, **changes: Any) -> Self:
        """Return a copy with other values, validated.

        Raises:
            UserError: a value is invalid.
        """
        copy = self._create({**dict(self), **changes}, {})
        copy.model_fields_set.intersection_update(self.model_fields_set | changes.keys())
        return copy

    def derive(self, **values: Any) -> Self:
        """Return a copy in which each setting that is None has its value of `values`, and counts as derived."""
        missing = {name: value for name, value in values.items() if getattr(self, name) is None}
        copy = self.replace(**missing)
        copy.model_fields_set.difference_update(missing)
        return copy

    @classmethod
    def build(cls, file: str | os.PathLike[str] | None = None, overrides: tuple[str, ...] = (), **values: Any) -> Self:
        """Build settings from the defaults, then a YAML file, then `values` that are not None, then `key=value` texts.

        Raises:
            UserError: the first mistake, with its file and line or its `--set`.
        """
        merged: dict[str, Any] = {}
        sources: dict[str, Source | str] = {}
        if file:
            merged, source = _read_yaml(Path(file))
            sources = dict.fromkeys(merged, source)
        options = {name: value for name, value in values.items() if value is not None}
        cls._merge(merged, options)
        for name in options:
            sources.pop(name, None)
        for override in overrides:
            name, value = cls._parse_override(override, merged)
            cls._merge(merged, {name: value})
            sources[name] = f"--set {override}"
        return cls._create(merged, sources)

    @classmethod
    def _parse_override(cls, override: str, merged: Mapping[str, Any]) -> tuple[str, Any]:
        """Return the name and the value of a `key=value`; `generator.generator_adversarial=0.5` sets one weight."""
        name, equals, text = override.partition("=")
        if not equals:
            raise UserError(f'--set {override}: no "=" in it.', remedy="Write --set key=value.")
        name, _, term = name.strip().partition(".")
        try:
            value = yaml.safe_load(text)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise UserError(f"--set {override}: the value is not valid YAML.") from error
        if not term:
            return name, value
        weights = merged.get(name) or cls._preset_terms(merged).get(name)
        return name, {**(weights if isinstance(weights, Mapping) else {}), term: value}

    @classmethod
    def _preset_terms(cls, values: Mapping[str, Any]) -> Mapping[str, Mapping[str, float]]:
        """Return the loss terms of the preset that `values` choose; nothing if there is no such preset."""
        preset = cls._preset(values)
        return cls.presets.get(preset, {}) if isinstance(preset, str) else {}

    @classmethod
    def _preset(cls, values: Mapping[str, Any]) -> Any:
        return values.get(cls.preset_field, cls.model_fields[cls.preset_field].default)

    @classmethod
    def _merge(cls, values: dict[str, Any], later: Mapping[str, Any]) -> None:
        """Update `values` with `later`. A preset that differs from the one before brings its own loss terms."""
        if cls.preset_field in later and cls._preset(later) != cls._preset(values):
            for name in (*LOSS_FIELDS, *cls.reset_with_preset):
                values.pop(name, None)
        values.update(later)

    @classmethod
    def _create(cls, values: Mapping[str, Any], sources: Mapping[str, Source | str]) -> Self:
        try:
            return cls(**values)
        except ValidationError as error:
            raise cls._user_error(error, sources) from None

    @classmethod
    def _user_error(cls, error: ValidationError, sources: Mapping[str, Source | str]) -> UserError:
        """Return the first mistake of a validation as one line: setting, value, what was expected."""
        first = error.errors()[0]
        if isinstance(cause := first.get("ctx", {}).get("error"), UserError):
            return cause
        path = tuple(map(str, first["loc"]))
        name, value = path[0], first["input"]
        if field := cls.model_fields.get(name):
            message, remedy = f"{'.'.join(path)} is {_spell(value)}.", _remedy(field, value)
        else:
            message, remedy = f'unknown setting "{name}".', nearest(name, cls.model_fields)
        source = sources.get(name)
        if isinstance(source, Source):
            return source.error(path, message, remedy)
        return UserError(message, file=source, remedy=remedy)

    @classmethod
    def rows(cls) -> Iterator[SettingRow]:
        """Yield the settings table, in the order of the fields."""
        for name, field in cls.model_fields.items():
            default = field.get_default(call_default_factory=True)
            rule = _derivation(field)
            meaning = f"{field.description} If not set: {rule}." if rule else field.description or ""
            if isinstance(default, tuple):
                default = list(default)
            is_word = isinstance(default, str) and default
            text = default if is_word else "" if default is None else _spell(default)
            yield SettingRow(name, text, _valid_values(field), meaning)


def _kinds(field: FieldInfo) -> tuple[Any, ...]:
    """Return the types of a field: those of a union, or its only one."""
    annotation = field.annotation
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def _choices(kinds: Iterable[Any]) -> tuple[str, ...]:
    """Return the words of the literal types in `kinds`."""
    return tuple(word for kind in kinds if get_origin(kind) is Literal for word in get_args(kind))


def _derivation(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    return str(extra.get(DERIVED, "")) if isinstance(extra, dict) else ""


def _valid_values(field: FieldInfo) -> str:
    """Return the type and the bounds of a field in words, or its choices."""
    kinds = _kinds(field)
    if words := _choices(kinds):
        return ", ".join(words)
    names = " or ".join(TYPE_NAMES[kind] for kind in kinds if kind is not NoneType)
    bounds = [
        f"{words} {limit}"
        for bound in field.metadata
        for attribute, words in BOUNDS.items()
        if (limit := getattr(bound, attribute, None)) is not None
    ]
    return ", ".join([names, *bounds])


def _remedy(field: FieldInfo, value: Any) -> str:
    kinds = _kinds(field)
    if words := _choices(kinds):
        return nearest(value, words)
    optional = " (or null)" if NoneType in kinds else ""
    return f"It must be {_valid_values(field)}{optional}."


def _number(value: Any) -> Any:
    """Convert text that spells a number, such as `1e-4`, which YAML 1.1 reads as text; return others unchanged."""
    if isinstance(value, str):
        for kind in (int, float):
            try:
                return kind(value)
            except ValueError:
                continue
    return value


def _spell(value: Any) -> str:
    """Return a value as YAML spells it, text in quotes, cut to `MAX_SPELLED` characters."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    text = f'"{value}"' if isinstance(value, str) else repr(value)
    return text if len(text) <= MAX_SPELLED else text[: MAX_SPELLED - 3] + "..."


def _read_yaml(file: Path) -> tuple[dict[str, Any], Source]:
    values, source = Source.read(file)
    source.check_mapping((), values)
    return values, source


def check_same_settings(before: BaseSettings, now: BaseSettings, folder: Path) -> None:
    """Check that a run is resumed with the settings that it was started with.

    Raises:
        UserError: a setting differs.
    """
    if changed := differences(before, now):
        remedy = "Resume without these options, or start a new run with another --output."
        raise UserError(f"the run was started with other settings: {', '.join(changed)}.", file=folder, remedy=remedy)


def differences(before: BaseSettings, now: BaseSettings) -> list[str]:
    """Return the settings that differ, each as `max_steps (100, now 200)`.

    A value of None now is no difference, nor is a model on the Hub without its commit or with a branch, which is not
    looked up here.
    """
    old, new = before.as_dict(), now.as_dict()
    return [f"{name} ({old[name]}, now {new[name]})" for name in new if not _is_same(old[name], new[name])]


def _is_same(old: Any, new: Any) -> bool:
    """Compare two values of a setting. Two existing paths are the same if they lead to the same file."""
    if isinstance(old, str) and isinstance(new, str):
        if os.path.exists(old) and os.path.exists(new):
            return os.path.samefile(old, new)
        (repository, _, commit), (name, _, revision) = old.partition("@"), new.partition("@")
        return old == new or bool(name == repository and COMMIT.fullmatch(commit) and not COMMIT.fullmatch(revision))
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(_is_same, old, new))
    return new is None or bool(old == new)
