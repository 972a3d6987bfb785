"""Loading of what extracts from texts: a run, with torch, or an exported model, with onnxruntime."""

from __future__ import annotations

import threading
from pathlib import Path

from electra_ie.common.errors import UserError
from electra_ie.inference.engine.base import TextExtractor
from electra_ie.inference.engine.exported import ExportedExtractor
from electra_ie.runs.layout import is_exported

IMPORTING = threading.Lock()
"""Held while a thread of several imports what imports transformers, which takes seconds: until its end, the module
`transformers` is another one, without its classes, and a second thread would import that."""


def load_extractor(folder: Path) -> TextExtractor:
    """Return the extractor of a run's folder, or of an exported model's. Only a run needs torch.

    Raises:
        UserError: It is neither, or a file is damaged.
    """
    if is_exported(folder):
        return ExportedExtractor.from_pretrained(folder)
    try:
        with IMPORTING:
            from electra_ie.inference.extractor import Extractor
    except ModuleNotFoundError as error:
        remedy = "Install electra_ie with its dependencies, or export the run where they are: electra-ie export."
        raise UserError(f"a run needs {error.name}, which is not installed.", file=folder, remedy=remedy) from error
    return Extractor.from_pretrained(folder)
