"""Texts without an annotation in formats that do not say whether a person has seen them."""

from __future__ import annotations

from pathlib import Path

from electra_ie.common.logs import warn
from electra_ie.formats.annotations import AnnotatedDocument


class Unseen:
    """Counter of the texts that are read as annotated but have no annotation, and of those that have one."""

    def __init__(self) -> None:
        self.bare = self.others = 0

    def add(self, document: AnnotatedDocument) -> None:
        """Count a document."""
        if any(True for _ in document.annotations) or any(document.labels.values()):
            self.others += 1
        elif document.labels or document.layers is not None:
            self.bare += 1

    def report(self, path: Path, remedy: str) -> None:
        """Warn of the texts without an annotation if others have one. remedy: what to do if nobody has seen them."""
        if self.bare and self.others:
            warn(
                f"{path}: {self.bare} texts without an annotation are read as seen by a person, who found nothing. "
                f"If nobody has seen them, {remedy}."
            )
