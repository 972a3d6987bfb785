"""The pipeline: a stream of documents through a model, with results in the order of the input and bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from dataclasses import field as default
from typing import Any, TypeVar

import numpy as np

from electra_ie.calibration.scales import Scale
from electra_ie.common.errors import UserError
from electra_ie.data.document import Document, Finding
from electra_ie.data.fields import Field
from electra_ie.data.span_boundaries import BoundaryRules
from electra_ie.data.windowing import Window, WindowTokenizer
from electra_ie.inference.engine.batches import Group, pad, plan
from electra_ie.inference.engine.decoding import Range, characters_of, decode_spans, decode_text
from electra_ie.inference.engine.results import DocumentResult
from electra_ie.inference.engine.sections import sections
from electra_ie.inference.engine.uncertainty import log_probabilities, of_path, of_text

CHARACTERS_AT_ONCE = 1 << 18
"""Characters that are collected before their windows are sorted by length: bounds the memory for any input."""
DOCUMENTS_AT_ONCE = 1024
"""Documents that are collected at most: each has at least one window."""
Score = Callable[[Sequence[Group]], Sequence[Mapping[str, np.ndarray]]]
"""Return the logits of each group of a batch by field: (B, K), or (B, L, K) for spans."""
OfDocument = TypeVar("OfDocument")


@dataclass
class _Text:
    """A document on its way: what its sections have given so far.

    `ranges` are the characters of each window. `logits` are by field of classes or flags, one (K,) for each window.
    `paths` are by field of spans: the sum of the log probabilities of the best tags, and their number.
    """

    document: Document
    findings: list[Finding] = default(default_factory=list)
    answers: dict[str, Any] = default(default_factory=dict)
    ranges: list[Range | None] = default(default_factory=list)
    logits: dict[str, list[np.ndarray]] = default(default_factory=dict)
    paths: dict[str, tuple[float, int]] = default(default_factory=dict)
    evidence: dict[str, list[np.ndarray]] = default(default_factory=dict)


@dataclass
class _Part:
    """A section of a document. `logits` holds one dictionary per window: field name to logits."""

    of: _Text
    start: int
    text: str
    last: bool
    windows: list[Window] = default(default_factory=list)
    logits: list[dict[str, np.ndarray]] = default(default_factory=list)


@dataclass(frozen=True)
class ExtractionPipeline:
    """Reads texts with a model, which any library may run.

    Attributes:
        windower: Splits a text into windows of tokens.
        fields: The fields of the task.
        edges: The boundary rules for the spans of each field.
        score: Runs the model.
        model: The first digits of the hash of the saved model, or None.
        tokens: Tokens in a forward pass: enough to keep the processor busy, few enough for its memory.
        equal_lengths: See `batches.plan`.
        overlapped: Tokenize and decode in a second thread while the model runs.
        scales: The scale of each field whose scores are calibrated.
        with_evidence: Keep the evidence of the findings in the results.
    """

    windower: WindowTokenizer
    fields: Sequence[Field]
    edges: Mapping[str, BoundaryRules]
    score: Score
    model: str | None = None
    tokens: int = 4096
    equal_lengths: bool = True
    overlapped: bool = False
    scales: Mapping[str, Scale] = default(default_factory=dict)
    with_evidence: bool = False

    def read(self, documents: Iterable[Document]) -> Iterator[DocumentResult]:
        """Yield the result of each document, in the order of the input.

        Raises:
            UserError: The model gives logits that are not finite.
        """
        return self._results(documents, self._decode)

    def uncertainties(self, documents: Iterable[Document]) -> Iterator[dict[str, float]]:
        """Yield the uncertainty of each field of each document (see `engine.uncertainty`), in the order of the input.

        On a CPU it does not depend on the other documents, as the results of `read`.

        Raises:
            UserError: As `read`.
        """
        return self._results(documents, self._measure)

    def _results(
        self, documents: Iterable[Document], finish: Callable[[Sequence[_Part]], list[OfDocument]]
    ) -> Iterator[OfDocument]:
        """Run the model on documents, and yield what `finish` makes of the sections of each portion."""
        portions = self._portions(documents)
        portion, fault = _next(portions)
        self._tokenize(portion)
        with ThreadPoolExecutor(1) as helper:  # its thread starts with the first task
            decoded = None
            while portion:
                following, fault = _next(portions)
                tokenized = helper.submit(self._tokenize, following) if self.overlapped and following else None
                self._run(portion)
                if decoded:
                    yield from decoded.result()
                    decoded = None
                if tokenized:
                    tokenized.result()
                    decoded = helper.submit(finish, portion)
                else:
                    yield from finish(portion)
                    self._tokenize(following)
                portion = following
        if fault:
            raise fault

    @staticmethod
    def _portions(documents: Iterable[Document]) -> Iterator[list[_Part]]:
        """Yield the sections of all documents in groups that are read together."""
        portion: list[_Part] = []
        characters = 0
        for document in documents:
            of = _Text(document)
            for start, text in sections(document.text):
                portion.append(_Part(of, start, text, start + len(text) == len(document.text)))
                characters += len(text)
                if characters >= CHARACTERS_AT_ONCE or len(portion) >= DOCUMENTS_AT_ONCE:
                    yield portion
                    portion, characters = [], 0
        if portion:
            yield portion

    def _tokenize(self, portion: Sequence[_Part]) -> None:
        for part in portion:
            part.windows = self.windower(part.text)

    def _run(self, portion: Sequence[_Part]) -> None:
        """Run the model on all windows of these sections and store the logits with them."""
        for part in portion:
            part.logits = [{} for _ in part.windows]
        rows = [(part, index) for part in portion for index in range(len(part.windows))]
        special = len(self.windower.before) + len(self.windower.after)
        lengths = [len(part.windows[index].ids) + special for part, index in rows]
        for batch in plan(lengths, self.tokens, self.equal_lengths):
            groups = [[rows[index] for index in group] for group in batch]
            padded = [pad([part.windows[index] for part, index in group], self.windower) for group in groups]
            for group, logits in zip(groups, self.score(padded), strict=True):
                self._keep(group, logits)

    def _keep(self, rows: Sequence[tuple[_Part, int]], logits: Mapping[str, np.ndarray]) -> None:
        """Store the logits of a group of windows with their sections."""
        offset = len(self.windower.before)
        for field in self.fields:
            values = logits[field.name]
            if not np.isfinite(values).all():
                message = f'the logits of the field "{field.name}" are not finite: the weights are damaged.'
                raise UserError(message, remedy="Restore the model, or train it again.")
            for row, (part, index) in enumerate(rows):
                window = part.windows[index]
                # Of a window's tokens only those it owns count; the others are context that a neighbor owns.
                owned = slice(offset + window.first, offset + window.last)
                part.logits[index][field.name] = values[row, owned] if field.kind == "spans" else values[row]

    def _decode(self, portion: Sequence[_Part]) -> list[DocumentResult]:
        """Return the results of the documents that end in these sections."""
        results = []
        for part in portion:
            self._decode_part(part)
            if part.last:
                results.append(self._result(part.of))
        return results

    def _measure(self, portion: Sequence[_Part]) -> list[dict[str, float]]:
        """Return the uncertainties of the documents that end in these sections."""
        measured = []
        for part in portion:
            of = part.of
            for field in self.fields:
                logits = [window[field.name] for window in part.logits]
                if field.kind == "spans":
                    found = log_probabilities(field, part.windows, logits)
                    total, tags = of.paths.get(field.name, (0.0, 0))
                    of.paths[field.name] = total + float(found.sum()), tags + len(found)
                else:
                    of.logits.setdefault(field.name, []).extend(logits)
            if part.last:
                measured.append(
                    {
                        field.name: of_path(*of.paths[field.name])
                        if field.kind == "spans"
                        else of_text(field, of.logits[field.name])
                        for field in self.fields
                    }
                )
        return measured

    def _decode_part(self, part: _Part) -> None:
        of, start = part.of, part.start
        for field in self.fields:
            logits = [window[field.name] for window in part.logits]
            if field.kind != "spans":
                of.logits.setdefault(field.name, []).extend(logits)
                continue
            evidence = of.evidence.setdefault(field.name, []) if self.with_evidence else None
            edges, scale = self.edges[field.name], self.scales.get(field.name)
            found = decode_spans(field, part.text, part.windows, logits, edges, start, scale, evidence)
            of.answers.setdefault(field.name, []).extend(finding.span for finding in found)
            of.findings += found
        of.ranges += [characters_of(window, start) for window in part.windows]

    def _result(self, of: _Text) -> DocumentResult:
        text = of.document.text
        for field in self.fields:
            if field.kind != "spans":
                logits = of.logits[field.name]
                scale = self.scales.get(field.name)
                of.answers[field.name], found = decode_text(field, len(text), of.ranges, logits, scale)
                of.findings += found
        findings = of.findings if text.strip() else []  # a blank text has answers but no findings
        findings.sort(key=lambda each: (each.start, each.end, each.field, each.label, each.fragments))
        answers = {field.name: of.answers[field.name] for field in self.fields}
        evidence = {field.name: self._evidence(of, field) for field in self.fields} if self.with_evidence else None
        return DocumentResult(of.document, len(of.ranges), answers, findings, self.model, evidence=evidence)

    @staticmethod
    def _evidence(of: _Text, field: Field) -> np.ndarray:
        """Return the evidence of the answer to a field, that of spans in the order of the findings."""
        if field.kind == "spans":
            spans = of.answers[field.name]
            return np.concatenate(of.evidence[field.name])[sorted(range(len(spans)), key=spans.__getitem__)]
        mean: np.ndarray = np.stack(of.logits[field.name]).mean(axis=0)
        return mean


def _next(portions: Iterator[list[_Part]]) -> tuple[list[_Part], UserError | None]:
    """Return the next portion, empty at the end, and the fault that ended the input; those before it are finished."""
    try:
        return next(portions, []), None
    except UserError as error:
        return [], error
