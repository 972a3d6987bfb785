"""Rows of tables, such as a `datasets.Dataset`, as JSON values, with names in place of the numbers of labels."""

from __future__ import annotations

import math
import sys
from collections.abc import Collection, Mapping
from typing import Any

from electra_ie.common.text_files import SourceRecord

MISSING = ("NAType", "NaTType")
"""The types of pandas' missing values, besides None and NaN."""


def is_a(value: object, package: str, name: str) -> bool:
    """Return whether a value is of a class of a package, without importing the package."""
    return isinstance(value, getattr(sys.modules.get(package), name, ()))


def type_name(value: object) -> str:
    """Return the name of a value's type, for a type of a package with the name of the package."""
    package = type(value).__module__.partition(".")[0]
    return type(value).__name__ if package == "builtins" else f"{package}.{type(value).__name__}"


def record_of_row(
    row: Mapping[Any, Any], used: Collection[str], features: Mapping[str, Any], source: SourceRecord
) -> dict[str, Any]:
    """Return a row whose values are those of JSON under the keys that are used; the others are left as they are.

    Raises:
        UserError: a value contains an object of another type, or a number that is not one of its ClassLabel feature.
    """
    record = {}
    for key, value in row.items():
        record[str(key)] = value
        if key in used:
            try:
                named = with_label_names(value, features.get(key))
            except ValueError as error:
                raise source.error(f'"{key}" has a number without a name: {error}.', "Correct the number.") from None
            record[key] = json_value(named, key, source)
    return record


def with_label_names(value: Any, feature: Any) -> Any:
    """Replace the integers of ClassLabel features by label names, and -1, which means unknown, by None.

    A feature may be a list or a struct of others. A struct of lists, which some data sets have in place of a list of
    structs, becomes the latter.
    """
    if value is None or feature is None:
        return value
    if is_a(feature, "datasets", "ClassLabel"):
        return None if value == -1 else feature.int2str(value)
    if isinstance(feature, Mapping) and isinstance(value, Mapping):
        named = {key: with_label_names(item, feature.get(key)) for key, item in value.items()}
        if named and all(isinstance(item, list) for item in named.values()):
            return [dict(zip(named, items, strict=True)) for items in zip(*named.values(), strict=True)]
        return named
    inner = element(feature)
    return [with_label_names(item, inner) for item in value] if inner is not None else value


def element(feature: Any) -> Any:
    """Return the feature of the elements of a list feature, or None for any other."""
    return feature[0] if isinstance(feature, list) else getattr(feature, "feature", None)


def json_value(value: Any, key: str, source: SourceRecord) -> Any:
    """Return a value with the types of JSON: numpy values converted, and missing values of pandas as None.

    Raises:
        UserError: The value contains an object of another type.
    """
    if hasattr(value, "tolist"):  # a numpy array or scalar
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(name): json_value(item, key, source) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item, key, source) for item in value]
    if value is None or type(value).__name__ in MISSING or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str | int | float):
        return value
    message = f'"{key}" contains an object of the type {type_name(value)}.'
    raise source.error(message, "Give strings, numbers, lists and mappings only, and None for an unknown value.")


def feature_names(feature: Any) -> list[str] | None:
    """Return the names of the ClassLabel feature within a feature, or None if there is none."""
    if is_a(feature, "datasets", "ClassLabel"):
        return list(feature.names)
    if isinstance(feature, Mapping):
        return feature_names(feature.get("label"))
    inner = element(feature)
    return None if inner is None else feature_names(inner)
