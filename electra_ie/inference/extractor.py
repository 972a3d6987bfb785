"""Texts -> findings with exact offsets, the same whatever else is read beside them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from electra_ie.common.hashing import SHOWN, of_sums, package_version
from electra_ie.common.hub_client import parse_hub_name
from electra_ie.data.batching import collate
from electra_ie.data.bio import to_spans, viterbi
from electra_ie.data.document import Document, Finding, Span
from electra_ie.data.fields import Field
from electra_ie.data.span_boundaries import Edges
from electra_ie.data.windowing import LabeledWindow, Window, WindowTokenizer
from electra_ie.inference.html_report import frame
from electra_ie.models.discriminator import Discriminator
from electra_ie.runs.download import run_folder
from electra_ie.runs.storage import load_run, model_files

TOKENS_AT_ONCE = 4096
"""Padded tokens in a forward pass: enough to fill two cores, little enough for any GPU."""
WINDOWS_AT_ONCE = 512
"""Windows gathered before they are sorted by length and judged: bounds the memory over any number of documents."""
KINDS: dict[type, str] = {str: "classes", tuple: "flags", list: "spans"}
"""The kind of a field by the type of its answer."""


@dataclass
class DocumentResult:
    """All that was found in one document. `answers`: for each field the class, the tuple of flags, or the spans.
    `model`: the first digits of the hash of the saved model that found it (see `Extractor`)."""

    document: Document
    windows: int
    answers: dict[str, Any]
    findings: list[Finding]
    model: str | None = None

    def record(self) -> dict[str, Any]:
        """The JSON line of `electra-ie extract`."""
        return {
            "id": self.document.id,
            "file": self.document.file,
            "characters": len(self.document.text),
            "windows": self.windows,
            "model": self.model,
            "version": package_version(),
            "findings": [_finding_record(each) for each in self.findings],
        }

    def _repr_html_(self) -> str:
        """What a notebook shows: the text with its findings marked."""
        kinds = {name: KINDS[type(answer)] for name, answer in self.answers.items()}
        return frame(self.document.id or "Findings", kinds, self.record(), self.document.text)


class Findings(list[Finding]):
    """The findings of one text: a list, which a notebook shows as the text with its findings marked."""

    def __init__(self, reading: DocumentResult):
        super().__init__(reading.findings)
        self.reading = reading

    def _repr_html_(self) -> str:
        return self.reading._repr_html_()


@dataclass
class _Pending:
    """A document whose windows are being judged; `logits` of each window by field."""

    document: Document
    windows: list[Window]
    logits: list[dict[str, np.ndarray]] = field(default_factory=list)


class Extractor:
    """Reads texts with a trained discriminator. `Extractor.load(run)` gives one from a folder, or from the hub.

    `model`: the first digits of the hash of its files, as in the run's audit.json; None for one that was not loaded.
    """

    def __init__(
        self,
        discriminator: Discriminator,
        windower: WindowTokenizer,
        fields: Sequence[Field],
        model: str | None = None,
        edges: Mapping[str, Edges] | None = None,
    ):
        """edges: the rules for the spans of each field; those of a field that is not there are the defaults."""
        self.discriminator, self.windower, self.fields, self.model = discriminator, windower, tuple(fields), model
        self.edges = {field.name: (edges or {}).get(field.name, Edges()) for field in fields}

    @classmethod
    def load(cls, run: str, device: str | None = None) -> Extractor:
        """The extractor of a run, on `device` (default: a GPU if there is one).

        run: a folder; or `ORG/NAME` or `ORG/NAME@REVISION` on the hub. Raises UserError where there is no finished run.
        """
        return cls.from_pretrained(run, device=device)

    @classmethod
    def from_pretrained(
        cls,
        run: str,
        *,
        revision: str | None = None,
        token: str | None = None,
        local_files_only: bool = False,
        device: str | None = None,
    ) -> Extractor:
        """As `load`, by the names that users of transformers know.

        revision: a branch, tag or commit on the hub; a folder that exists here has none. token: in place of the one
        that the hub's client knows. local_files_only: take what was fetched before, without any network.
        """
        if revision and not os.path.exists(run):
            run = str(parse_hub_name(f"{os.fspath(run).partition('@')[0]}@{revision}") or run)
        folder = run_folder(run, token=token, local_files_only=local_files_only)
        discriminator, windower, fields, edges = load_run(folder)
        discriminator.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        files = model_files(folder, [field.name for field in fields])  # as they are, whatever audit.json says
        return cls(discriminator, windower, fields, of_sums(files)[:SHOWN], edges)

    def __call__(self, text: str) -> Findings:
        """The findings of one text as they stand in it."""
        return Findings(next(self.read([Document("", text)])))

    def read(self, documents: Iterable[Document]) -> Iterator[DocumentResult]:
        """Read documents in their order. Windows of several documents share a forward pass; padding is masked, so
        that a document's answers do not depend on its neighbours."""
        pending: list[_Pending] = []
        waiting = 0
        for document in documents:
            pending.append(_Pending(document, self.windower(document.text)))
            waiting += len(pending[-1].windows)
            if waiting >= WINDOWS_AT_ONCE:
                yield from self._judge(pending)
                pending, waiting = [], 0
        yield from self._judge(pending)

    def _judge(self, pending: Sequence[_Pending]) -> Iterator[DocumentResult]:
        places = [(each, number) for each in pending for number in range(len(each.windows))]
        places.sort(key=lambda place: len(place[0].windows[place[1]].ids), reverse=True)
        for each in pending:
            each.logits = [{} for _ in each.windows]
        training = self.discriminator.training
        self.discriminator.eval()
        while places:
            longest = len(places[0][0].windows[places[0][1]].ids) + len(self.windower.before) + len(self.windower.after)
            size = max(1, TOKENS_AT_ONCE // longest)
            self._forward(places[:size])
            places = places[size:]
        self.discriminator.train(training)
        for each in pending:
            yield self._reading(each)

    def _forward(self, places: Sequence[tuple[_Pending, int]]) -> None:
        rows = [LabeledWindow(each.windows[number], {}) for each, number in places]
        batch = collate(rows, self.windower, ()).to(self.discriminator.encoder.device)
        logits = {name: value.float().cpu().numpy() for name, value in self.discriminator.answers(batch).items()}
        begins = len(self.windower.before)
        for row, (each, number) in enumerate(places):
            window = each.windows[number]
            own = slice(begins + window.first, begins + window.last)
            for one in self.fields:
                each.logits[number][one.name] = (
                    logits[one.name][row, own] if one.kind == "spans" else logits[one.name][row]
                )

    def _reading(self, each: _Pending) -> DocumentResult:
        findings: list[Finding] = []
        answers = {}
        for one in self.fields:
            logits = [window[one.name] for window in each.logits]
            if one.kind == "spans":
                answers[one.name], found = _read_spans(one, each, logits, self.edges[one.name])
            else:
                answers[one.name], found = _read_text(one, each, logits)
            findings += found if each.document.text.strip() else []  # nothing is found in nothing
        findings.sort(key=lambda finding: (finding.start, finding.end, finding.field, finding.label))
        return DocumentResult(each.document, len(each.windows), answers, findings, self.model)


def _finding_record(finding: Finding) -> dict[str, Any]:
    """A finding in a JSON line: the text of a passage, the window of a finding about the whole text."""
    own = "text" if finding.window is None else "window"
    return {name: getattr(finding, name) for name in ("field", "label", "start", "end", own, "score")}


def _read_spans(
    one: Field, each: _Pending, logits: Sequence[np.ndarray], edges: Edges
) -> tuple[list[Span], list[Finding]]:
    """Spans are spelt over the whole document's tokens, each judged in the window that owns it: a window's edge cuts
    none. A finding's score is the mean probability of its tokens' tags."""
    text = each.document.text
    offsets = [offset for window in each.windows for offset in window.owned]
    seen = [place for place, (start, end) in enumerate(offsets) if start < end]
    offsets = [offsets[place] for place in seen]
    scores = np.concatenate(logits)[seen]
    tags = viterbi(one, scores, edges.breaks(text, offsets))
    sure = _softmax(scores)
    spans, findings = [], []
    for whole, tokens in to_spans(one, tags.tolist(), offsets):
        span = edges.trim(text, whole)
        if span:
            score = _rounded(sure[tokens, tags[tokens]].mean())
            spans.append(span)
            findings.append(Finding(one.name, span.label, span.start, span.end, text[span.start : span.end], score))
    return spans, findings


def _read_text(one: Field, each: _Pending, logits: Sequence[np.ndarray]) -> tuple[Any, list[Finding]]:
    """A text's logits are the mean over its windows. The finding is grounded in the window that speaks most for it."""
    stacked = np.stack(logits)
    mean = stacked.mean(axis=0)
    sure = 1 / (1 + np.exp(-mean)) if one.kind == "flags" else _softmax(mean[None])[0]
    chosen = [place for place in range(len(mean)) if sure[place] > 0.5] if one.kind == "flags" else [int(mean.argmax())]
    text = each.document.text
    findings = []
    for place in chosen:
        start, end, window = 0, len(text), int(stacked[:, place].argmax())
        if len(each.windows) > 1:
            offsets = [offset for offset in each.windows[window].owned if offset[0] < offset[1]]
            start, end = (offsets[0][0], offsets[-1][1]) if offsets else (start, end)
        findings.append(Finding(one.name, one.labels[place], start, end, None, _rounded(sure[place]), window + 1))
    names = tuple(one.labels[place] for place in chosen)
    return (names if one.kind == "flags" else names[0]), findings


def _softmax(logits: np.ndarray) -> np.ndarray:
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True)) if len(logits) else logits
    return raised / raised.sum(axis=-1, keepdims=True) if len(logits) else raised


def _rounded(probability: float) -> float:
    """Four decimals: what differs beyond them is rounding in the arithmetic, not evidence."""
    return round(float(probability), 4)
