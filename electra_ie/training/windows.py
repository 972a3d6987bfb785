"""The windows that a run learns from, and what they are cut from."""

from __future__ import annotations

from dataclasses import dataclass

from electra_ie.data.document import Document
from electra_ie.data.windowing import LabeledWindow, WindowTokenizer


@dataclass(frozen=True)
class TrainingWindows:
    """The windows that a run learns from.

    In a distillation `pool` and `pool_documents` disagree: the student also learns the answers of the run to the
    labeled texts, so the labeled windows, without their labels, follow those of the unlabeled documents in `pool`.
    `pool_documents` never has the labeled documents.

    Attributes:
        windower: Cuts texts into windows.
        labeled: The windows of the labeled documents.
        label_texts: Labeled documents about the labels.
        label_windows: Their windows.
        pool: Windows without labels.
        pool_documents: The unlabeled documents whose windows are in `pool`.
        pool_has_labeled: Whether the labeled windows are in `pool` too: that of a distillation.
    """

    windower: WindowTokenizer
    labeled: list[LabeledWindow]
    label_texts: list[Document]
    label_windows: list[LabeledWindow]
    pool: list[LabeledWindow]
    pool_documents: list[Document]
    pool_has_labeled: bool = False

    @property
    def unlabeled_count(self) -> int:
        """The number of windows of the unlabeled documents."""
        return len(self.pool) - (len(self.labeled) if self.pool_has_labeled else 0)
