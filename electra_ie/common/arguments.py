"""The types of the arguments of public functions, checked by their annotations before the function runs."""

from __future__ import annotations

import inspect
import math
import os
import reprlib
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, wraps
from io import BufferedIOBase, RawIOBase
from numbers import Integral, Real
from typing import Any, NamedTuple, ParamSpec, TextIO, TypeVar, Union, get_args, get_origin, get_type_hints

from electra_ie.common.errors import UserError

P = ParamSpec("P")
R = TypeVar("R")

UNKNOWN = object()
"""The annotation of a parameter whose arguments are left to the function."""
SECRETS = ("token",)
"""The parameters whose values are not shown."""
SHOWN = (str, bytes, int, float, bool, list, tuple, dict, set)
"""The types whose values an error shows, shortened."""
LISTS = (Sequence, Iterable)
"""The types that are lists of items, whichever of them a function takes."""


class _Type(NamedTuple):
    """A type in words, in the plural, and a value of it as an example."""

    words: str
    plural: str
    example: str


TYPES: dict[Any, _Type] = {
    bool: _Type("True or False", "True or False", "True"),
    int: _Type("a whole number", "whole numbers", "10"),
    float: _Type("a number", "numbers", "0.5"),
    str: _Type("a string", "strings", '"name"'),
    os.PathLike: _Type("a path", "paths", '"folder/name"'),
    Mapping: _Type("a mapping", "mappings", '{"name": {...}}'),
    Callable: _Type("a function", "functions", "print"),
    TextIO: _Type("an open text file", "open text files", "sys.stdout"),
    types.NoneType: _Type("None", "None", "None"),
}


class _UnfitError(Exception):
    """A value, or an item of it, that is not of the type of an annotation."""

    def __init__(self, value: Any, annotation: Any, is_item: bool = False) -> None:
        self.value, self.annotation, self.is_item = value, annotation, is_item


def check_types(function: Callable[P, R]) -> Callable[P, R]:
    """Make a public function raise UserError for an argument that is not of the type of its annotation.

    One item in place of a list is a list of one: a string is not read letter by letter. Numbers of other libraries
    become those of Python. An annotation with a type that is imported for type checkers only is not checked.
    """
    parameters = inspect.signature(function).parameters
    positional = [each.name for each in parameters.values() if each.kind is not each.KEYWORD_ONLY]
    by_keyword = {
        each.name for each in parameters.values() if each.kind in (each.KEYWORD_ONLY, each.POSITIONAL_OR_KEYWORD)
    }

    @cache  # the modules of the types are complete when the function is called first
    def annotation(name: str) -> Any:
        return _resolved(function, parameters[name].annotation)

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        def fitting(name: str, value: Any) -> Any:
            try:
                return _converted(value, annotation(name))
            except _UnfitError as error:
                raise _error(function.__qualname__, name, error) from None

        given = [fitting(name, value) for name, value in zip(positional, args, strict=False)]
        named = {name: fitting(name, value) if name in by_keyword else value for name, value in kwargs.items()}
        return function(*given, *args[len(given) :], **named)  # type: ignore[arg-type]

    return checked


def _resolved(function: Callable[..., Any], annotation: Any) -> Any:
    """Return the type that an annotation, which is text, names; `UNKNOWN` if it cannot be checked."""
    if annotation is inspect.Parameter.empty:  # of self and cls
        return UNKNOWN
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    try:
        hint = get_type_hints(holder, vars(inspect.getmodule(function)))["it"]
    except (NameError, TypeError):  # a type, or an alias as text, for type checkers only
        return UNKNOWN
    return hint if _is_known(hint) else UNKNOWN


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    """Return the types of a union, or the one type."""
    return get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)


def _is_known(annotation: Any) -> bool:
    """Return whether values can be checked by an annotation."""
    for each in _alternatives(annotation):
        kind = get_origin(each) or each
        if kind in LISTS:
            if not all(map(_is_known, get_args(each))):
                return False
        elif kind not in TYPES and (get_origin(each) or kind is Any or not isinstance(kind, type)):
            return False
    return True


def _converted(value: Any, annotation: Any) -> Any:
    """Return a value as its function takes it. Raises _UnfitError if it is not of the type of the annotation."""
    if annotation is UNKNOWN:
        return value
    alternatives = _alternatives(annotation)
    for each in alternatives:
        kind = get_origin(each) or each
        if kind not in LISTS and _is_of(value, kind):
            return _plain(value, kind)
    lists = [each for each in alternatives if get_origin(each) in LISTS]
    if not lists:
        raise _UnfitError(value, annotation)
    [item] = get_args(lists[0])
    with_items = isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)
    try:
        return tuple(_converted(each, item) for each in (value if with_items else [value]))
    except _UnfitError as error:
        raise (_UnfitError(error.value, item, is_item=True) if with_items else _UnfitError(value, annotation)) from None


def _is_of(value: Any, kind: Any) -> bool:
    """Return whether a value is of a type that is not a list."""
    if kind in (int, float):
        is_number = isinstance(value, Integral if kind is int else Real) and not isinstance(value, bool)
        return is_number and math.isfinite(value)
    if kind is TextIO:
        is_binary = isinstance(value, RawIOBase | BufferedIOBase) or "b" in str(getattr(value, "mode", ""))
        return hasattr(value, "write") and not is_binary
    return callable(value) if kind is Callable else isinstance(value, kind)


def _plain(value: Any, kind: Any) -> Any:
    """Return a number of another library, such as numpy, as one of Python."""
    return kind(value) if kind in (int, float) and not isinstance(value, int | float) else value


def _error(function: str, name: str, unfit: _UnfitError) -> UserError:
    """Return the error of an argument."""
    value, alternatives = unfit.value, _alternatives(unfit.annotation)
    kinds = [get_origin(each) or each for each in alternatives]
    expected = _joined([_words(each) for each in alternatives])
    if float in kinds and isinstance(value, float):
        expected = expected.replace("a number", "a finite number")
    what = f"an item of {name}" if unfit.is_item else name
    remedy = f"Give a value such as {_example(alternatives[0])}."
    for kind in {int, float} & set(kinds):
        if isinstance(value, str) and _reads(kind, value):
            remedy = f"Give it without quotes: {value.strip()}."
    return UserError(f"{function}: {what} is {_shown(value, name)}, and must be {expected}.", remedy=remedy)


def _reads(kind: Callable[[str], Any], text: str) -> bool:
    try:
        return math.isfinite(kind(text))
    except ValueError:
        return False


def _words(annotation: Any, plural: bool = False) -> str:
    """Return a type in words."""
    kind = get_origin(annotation) or annotation
    if kind in LISTS:
        return f"a list of {_joined([_words(each, plural=True) for each in _alternatives(get_args(annotation)[0])])}"
    known = TYPES.get(kind) or _Type(f"a {kind.__name__}", f"objects of {kind.__name__}", "")
    return known.plural if plural else known.words


def _example(annotation: Any) -> str:
    kind = get_origin(annotation) or annotation
    if kind in LISTS:
        return f"[{_example(_alternatives(get_args(annotation)[0])[0])}]"
    return TYPES[kind].example if kind in TYPES else f"{kind.__name__}(...)"


def _joined(words: Sequence[str]) -> str:
    """Return words as a list: `a, b or c`."""
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _shown(value: Any, name: str) -> str:
    """Return a value with its type; of a secret, and of an object whose text may be long, its type only."""
    kind = type(value).__name__
    if value is None:
        return "None"
    if name in SECRETS or type(value) not in SHOWN:
        return f"of the type {kind}"
    text = reprlib.repr(value)
    return f'"{text[1:-1]}" ({kind})' if isinstance(value, str) else f"{text} ({kind})"
