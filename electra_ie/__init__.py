"""Train text information extractors from a handful of labels and a pile of unlabelled text.

Public names: `pretrain`, `train`, `compare`, `evaluate`, `extract`, `verify`, `push_to_hub`, `push_data` (what the
commands do), `Extractor` (texts -> findings), `Recipe`, `PretrainRecipe`, `Task`, `Document`, `Span`, `Finding`,
`UserError`. They are imported on first use: `import electra_ie` alone costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from electra_ie.commands import evaluate as evaluate
    from electra_ie.commands import extract as extract
    from electra_ie.commands import pretrain as pretrain
    from electra_ie.commands import push_data as push_data
    from electra_ie.commands import push_to_hub as push_to_hub
    from electra_ie.commands import train as train
    from electra_ie.commands import verify as verify
    from electra_ie.common.errors import UserError as UserError
    from electra_ie.comparing import compare as compare
    from electra_ie.config.pretrain import PretrainRecipe as PretrainRecipe
    from electra_ie.config.train import Recipe as Recipe
    from electra_ie.document import Document as Document
    from electra_ie.document import Finding as Finding
    from electra_ie.document import Span as Span
    from electra_ie.extractor import Extractor as Extractor
    from electra_ie.task import Task as Task

_HOMES = {
    "pretrain": "commands", "train": "commands", "evaluate": "commands", "extract": "commands",
    "verify": "commands", "push_data": "commands", "push_to_hub": "commands", "compare": "comparing",
    "Extractor": "extractor", "Recipe": "config.train", "PretrainRecipe": "config.pretrain", "Task": "task",
    "Document": "document", "Span": "document", "Finding": "document", "UserError": "common.errors",
}  # fmt: skip
__all__ = [
    "Document", "Extractor", "Finding", "PretrainRecipe", "Recipe", "Span", "Task", "UserError", "compare", "evaluate",
    "extract", "pretrain", "push_data", "push_to_hub", "train", "verify",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
