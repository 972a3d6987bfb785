"""Settings: what a recipe of any kind is made of, frozen, read from YAML and `key=value`, checked by name and type."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self, get_type_hints

import yaml

from electra_ie.common.errors import UserError, nearest
from electra_ie.common.yaml_source import Source

PLAYERS = ("discriminator", "generator")


class BaseSettings:
    """Base of the recipes, which are frozen dataclasses with a field `discriminator` and a field `generator`: the terms
    of each player's loss and their weights. Where these are empty, a row of `TABLE` fills them, the one that the field
    named by `CHOICE` names.
    """

    CHOICE: ClassVar[str]
    TABLE: ClassVar[Mapping[str, Mapping[str, Mapping[str, float]]]]
    FOLLOWING: ClassVar[tuple[str, ...]] = ()
    """Fields whose value in a file followed from that choice: with another one they are decided anew."""
    LOWEST: ClassVar[Mapping[str, float]]
    """The smallest value that a number may have."""
    HIGHEST: ClassVar[Mapping[str, float]] = {}
    """The greatest value, where there is one."""
    WORDS: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """The words among which a text is chosen."""

    def __post_init__(self) -> None:
        chosen = getattr(self, self.CHOICE)
        if chosen not in self.TABLE:
            raise UserError(f'unknown {self.CHOICE} "{chosen}".', remedy=nearest(chosen, self.TABLE))
        for player in PLAYERS:
            if not getattr(self, player):
                object.__setattr__(self, player, dict(self.TABLE[chosen][player]))
        self._check_values()

    def _check_values(self) -> None:
        for name, low in self.LOWEST.items():
            value, high = getattr(self, name), self.HIGHEST.get(name)
            if value is not None and not (low <= value and (high is None or value <= high)):
                most = "" if high is None else f" and at most {high}"
                raise UserError(f"{name} is {value}.", remedy=f"It must be at least {low}{most}.")
        for player in PLAYERS:
            for term, weight in getattr(self, player).items():
                if not 0 <= weight < math.inf:
                    raise UserError(f"{player}.{term} is {weight}.", remedy="A weight must be at least 0.")
        for name, words in self.WORDS.items():
            value = getattr(self, name)
            if value is not None and value not in words:
                raise UserError(f'{name} is "{value}".', remedy=nearest(value, words))

    def as_dict(self) -> dict[str, Any]:
        """Plain values, in the order of the fields: what run.yaml holds."""
        plain = dataclasses.asdict(self)  # type: ignore[call-overload]
        return {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}

    @classmethod
    def build(cls, file: str | os.PathLike[str] | None = None, overrides: tuple[str, ...] = (), **given: Any) -> Self:
        """Defaults, then a YAML file, then `given` (those that are not None), then `key=value` settings."""
        values: dict[str, Any] = {}
        if file:
            given_there, source = _read_yaml(Path(file))
            values.update(cls._check(given_there, source))
        cls._update(values, cls._check({name: value for name, value in given.items() if value is not None}, None))
        for setting in overrides:
            cls._assign(values, setting)
        return cls(**values)

    @classmethod
    def _assign(cls, values: dict[str, Any], setting: str) -> None:
        """Apply one `key=value`; `generator.generator_adversarial=0.5` sets one weight."""
        name, equals, text = setting.partition("=")
        if not equals:
            raise UserError(f'--set {setting}: no "=" in it.', remedy="Write --set key=value.")
        name, _, part = name.strip().partition(".")
        try:
            value = yaml.safe_load(text)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise UserError(f"--set {setting}: the value is not valid YAML.") from error
        if isinstance(value, str):
            value = _number(value)
        if part:
            weights = dict(values.get(name) or cls.TABLE.get(cls._chosen(values), {}).get(name, {}))
            value = {**weights, part: value}
        cls._update(values, cls._check({name: value}, f"--set {setting}"))

    @classmethod
    def _chosen(cls, values: Mapping[str, Any]) -> str:
        return values.get(cls.CHOICE, getattr(cls, cls.CHOICE))

    @classmethod
    def _update(cls, values: dict[str, Any], later: Mapping[str, Any]) -> None:
        """Put `later` over `values`: another row of the table than before brings its own terms."""
        before = cls._chosen(values)
        if later.get(cls.CHOICE, before) != before:
            for name in (*PLAYERS, *cls.FOLLOWING):
                values.pop(name, None)
        values.update(later)

    @classmethod
    def _check(cls, values: Mapping[str, Any], source: Source | str | None) -> dict[str, Any]:
        """Refuse unknown keys and values of the wrong type, by name."""
        names = [each.name for each in dataclasses.fields(cls)]  # type: ignore[arg-type]
        hints = get_type_hints(cls)
        checked: dict[str, Any] = {}
        for name, value in values.items():
            if name not in names:
                raise _mistake(f'unknown key "{name}" in the recipe.', name, source, nearest(name, names))
            if value is False and "no" in cls.WORDS.get(name, ()):
                value = "no"  # YAML 1.1 reads the word as false
            checked[name] = _convert(name, hints[name], value, source)
        return checked


def _read_yaml(file: Path) -> tuple[dict[str, Any], Source]:
    values, source = Source.read(file)
    source.check_mapping((), values)
    return values, source


def _number(text: str) -> str | float:
    """YAML 1.1 reads 1e-4 as a string; a user means the number."""
    try:
        return float(text)
    except ValueError:
        return text


def _convert(name: str, hint: Any, value: Any, source: Source | str | None) -> Any:
    kinds = getattr(hint, "__args__", (hint,)) if not hasattr(hint, "__origin__") else (hint,)
    if value is None and type(None) in kinds:
        return None
    if hint == tuple[str, ...] and isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value):
        return tuple(value)
    if name in PLAYERS and isinstance(value, Mapping):
        if all(isinstance(weight, (int, float)) and not isinstance(weight, bool) for weight in value.values()):
            return {str(term): float(weight) for term, weight in value.items()}
    if float in kinds and isinstance(value, (int, float, str)) and not isinstance(value, bool):
        number = _number(str(value))
        if isinstance(number, float) and math.isfinite(number):
            return number
    if bool in kinds and isinstance(value, bool):
        return value
    if int in kinds and not isinstance(value, bool) and isinstance(value, (int, float)) and value % 1 == 0:
        return int(value)
    if str in kinds and isinstance(value, str):
        return value
    words = " or ".join(getattr(kind, "__name__", str(kind)).replace("NoneType", "null") for kind in kinds)
    raise _mistake(f'"{name}" is {value!r}.', name, source, f"It must be {words}.")


def _mistake(message: str, name: str, source: Source | str | None, remedy: str) -> UserError:
    """Where the mistake stands: a line of a file, a --set, or nowhere that can be shown."""
    if isinstance(source, Source):
        return source.error((name,), message, remedy)
    return UserError(message, file=source, remedy=remedy)


def check_same_settings(begun: BaseSettings, mine: BaseSettings, folder: Path) -> None:
    """Raises UserError where a run would be resumed with another recipe than it was begun with."""
    if other := differences(begun, mine):
        remedy = "Resume without these options, or begin another run."
        raise UserError(f"the run was begun with another recipe: {', '.join(other)}.", file=folder, remedy=remedy)


def differences(begun: BaseSettings, mine: BaseSettings) -> list[str]:
    """What a run was begun with and what is wanted now, where they differ: `steps (100, now 200)`."""
    before, now = begun.as_dict(), mine.as_dict()
    return [f"{name} ({before[name]}, now {now[name]})" for name in now if not _same(before[name], now[name])]


def _same(one: Any, other: Any) -> bool:
    """Are two settings alike? `./task` and `task` lead to the same place."""
    if isinstance(one, str) and isinstance(other, str) and os.path.exists(one) and os.path.exists(other):
        return os.path.samefile(one, other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return other is None or bool(one == other)  # what is not given now is as it was
