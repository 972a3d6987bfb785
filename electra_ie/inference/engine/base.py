"""What every extractor can do, whichever library runs its model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, overload

from electra_ie.calibration.scales import Scale
from electra_ie.calibration.stored import Calibration
from electra_ie.data.document import Document
from electra_ie.data.fields import AnyField, Field
from electra_ie.inference.engine.anchored import AnchoredReader, read_again
from electra_ie.inference.engine.pipeline import ExtractionPipeline
from electra_ie.inference.engine.results import DocumentResult, Findings, documents_of


class TextExtractor(ABC):
    """A trained model with its tokenizer and fields, ready to extract from texts.

    Attributes:
        fields: The fields of the task.
        model: The first digits of the hash of the model's files; None if it was not loaded from files.
        anchored_readers: What finds the attributes of the spans and the relations between them, one for each field.
        calibration: What makes probabilities of the scores, and the thresholds; None without a calibration.
    """

    fields: Sequence[Field]
    model: str | None
    anchored_readers: Sequence[AnchoredReader[Any]] = ()
    calibration: Calibration | None = None

    def __repr__(self) -> str:
        """Return the class with the kinds of its fields and the hash of its model."""
        fields = ", ".join(f"{field.name}: {field.kind}" for field in self.all_fields)
        return f"{type(self).__name__}(fields=({fields}), model={self.model!r})"

    @property
    def all_fields(self) -> list[AnyField]:
        """The fields, and those that are anchored to spans."""
        return [*self.fields, *(reader.field for reader in self.anchored_readers)]

    @property
    def scales(self) -> Mapping[str, Scale]:
        """The scale of each field whose scores are calibrated."""
        return self.calibration.scales if self.calibration else {}

    @abstractmethod
    def pipeline(self, overlapped: bool | None = None) -> ExtractionPipeline:
        """Return what reads texts with this model.

        Args:
            overlapped: Tokenize and decode in a second thread while the model runs (default: if there is a second
                core).
        """

    def unmap(self) -> None:  # noqa: B027 - most extractors have nothing to do
        """Copy weights that are mapped from their files, so that a file that is overwritten does not change them."""

    @overload
    def __call__(self, text: str) -> Findings: ...  # type: ignore[overload-overlap]

    @overload
    def __call__(self, text: Iterable[str]) -> list[Findings]: ...

    def __call__(self, text: str | Iterable[str]) -> Findings | list[Findings]:
        """Return the findings of one text, in the order of their offsets, or of each text of several.

        Args:
            text: A string; or a list of strings, the column of a table or any other iterable of strings.
        """
        found = [Findings(result) for result in self.read(documents_of(text))]
        return found[0] if isinstance(text, str) else found

    def read(self, documents: Iterable[Document]) -> Iterator[DocumentResult]:
        """Yield the result of each document, in the order of the input.

        Windows of several documents share a forward pass. On a CPU the result of a document does not depend on the
        others, bit for bit (see `engine.batches`); on a GPU, scores may differ in the fourth decimal.
        """
        results = self.pipeline().read(documents)
        return read_again(results, self.anchored_readers) if self.anchored_readers else results
