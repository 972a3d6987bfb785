"""Apply a trained discriminator to texts: findings with exact character offsets, independent of batching."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, overload

import numpy as np
import torch
import yaml
from scipy.special import expit, softmax

from electra_ie.common.errors import UserError
from electra_ie.common.files import repository_of, write
from electra_ie.common.hashing import SHOWN, of_sums, package_version
from electra_ie.data.batching import collate
from electra_ie.data.bio import to_spans, viterbi
from electra_ie.data.document import Document, Finding, Span
from electra_ie.data.fields import Field
from electra_ie.data.span_boundaries import Edges
from electra_ie.data.task import Task
from electra_ie.data.windowing import LabeledWindow, Window, WindowTokenizer
from electra_ie.inference.html_report import frame
from electra_ie.models.discriminator import Discriminator
from electra_ie.models.saved import check_save_directory
from electra_ie.models.untrusted import CONFIG
from electra_ie.runs.download import run_folder
from electra_ie.runs.layout import SETTINGS, TASK, is_finished, load_task
from electra_ie.runs.storage import load_run, model_files, save_fields
from electra_ie.runs.upload import push_models, push_run

TOKENS_AT_ONCE = 4096
"""Padded tokens in a forward pass: enough to keep two cores busy, few enough for the memory of any GPU."""
WINDOWS_AT_ONCE = 512
"""Windows that are collected before they are sorted by length and scored: bounds the memory for any input."""
FLAG_THRESHOLD = 0.5
"""A flag is found if its probability is above this."""
KINDS: dict[type, str] = {str: "classes", tuple: "flags", list: "spans"}
"""The kind of a field by the Python type of its answer."""


@dataclass
class DocumentResult:
    """The result of one document.

    Attributes:
        document: The document.
        windows: The number of windows that the document was split into.
        answers: The class, the tuple of flags, or the list of spans of each field.
        findings: The findings of all fields in the order of their offsets.
        model: The first digits of the hash of the saved model (see `Extractor`).
    """

    document: Document
    windows: int
    answers: dict[str, Any]
    findings: list[Finding]
    model: str | None = None

    def record(self) -> dict[str, Any]:
        """Return the record that `electra-ie extract` writes as a line of JSON."""
        return {
            "id": self.document.id,
            "file": self.document.file,
            "characters": len(self.document.text),
            "windows": self.windows,
            "model": self.model,
            "version": package_version(),
            "findings": [_finding_record(finding) for finding in self.findings],
        }

    def _repr_html_(self) -> str:
        """Return the text with its findings highlighted, for notebooks."""
        kinds = {name: KINDS[type(answer)] for name, answer in self.answers.items()}
        return frame(self.document.id or "Findings", kinds, self.record(), self.document.text)


class Findings(list[Finding]):
    """The findings of one text: a list that notebooks display as the text with its findings highlighted."""

    def __init__(self, result: DocumentResult) -> None:
        """Wrap the findings of a result."""
        super().__init__(result.findings)
        self.result = result

    def _repr_html_(self) -> str:
        return self.result._repr_html_()


@dataclass
class _Pending:
    """A document whose windows are being scored. `logits` holds one dictionary per window: field name to logits."""

    document: Document
    windows: list[Window]
    logits: list[dict[str, np.ndarray]] = dataclasses.field(default_factory=list)


class Extractor:
    """A trained discriminator with its tokenizer and fields, ready to extract from texts.

    `Extractor.from_pretrained` reads one from a run folder or from the Hub.

    Attributes:
        discriminator: The model.
        windower: Splits a text into windows of tokens.
        fields: The fields of the task.
        model: The first digits of the hash of the model's files, as in the run's audit.json; None if it was not
            loaded from files.
        edges: The boundary rules for the spans of each field.
        folder: The folder that the extractor was loaded from, or None.
    """

    def __init__(
        self,
        discriminator: Discriminator,
        windower: WindowTokenizer,
        fields: Sequence[Field],
        model: str | None = None,
        edges: Mapping[str, Edges] | None = None,
        folder: Path | None = None,
    ) -> None:
        """Combine the parts. Fields that `edges` does not contain have the default boundary rules."""
        self.folder = folder
        self.discriminator, self.windower, self.fields, self.model = discriminator, windower, tuple(fields), model
        self.edges = {field.name: (edges or {}).get(field.name, Edges()) for field in fields}

    @classmethod
    def from_pretrained(
        cls,
        run: str | os.PathLike[str],
        *,
        revision: str | None = None,
        token: str | None = None,
        local_files_only: bool = False,
        device: str | None = None,
    ) -> Extractor:
        """Load the extractor of a run, with the arguments of transformers' `from_pretrained`.

        Args:
            run: A folder, or `ORG/NAME` or `ORG/NAME@REVISION` on the Hub.
            revision: A branch, tag or commit on the Hub; ignored for a folder.
            token: A token for the Hub in place of the stored one.
            local_files_only: Use the download cache only, without network access.
            device: The device of the model (default: a GPU if there is one).

        Raises:
            UserError: There is no finished run.
        """
        folder = run_folder(run, revision=revision, token=token, local_files_only=local_files_only)
        discriminator, windower, fields, edges = load_run(folder)
        discriminator.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))  # type: ignore[arg-type]
        files = model_files(folder, [field.name for field in fields])  # hashed now, not read from audit.json
        return cls(discriminator, windower, fields, of_sums(files)[:SHOWN], edges, folder)

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Save the extractor in a folder, as `from_pretrained` reads it.

        The folder gets a stock transformers folder for each field, and task.yaml with fields and names of keys. It
        contains no texts, scores or settings of the training.

        Args:
            folder: The folder. Models that it has for the same fields are replaced.

        Raises:
            UserError: It is a file, the folder of a run, a task or another model, or has other files in the place of a
                model.
        """
        folder = Path(folder)
        check_save_directory(folder, [field.name for field in self.fields])
        if (folder / TASK).exists() and not (folder / CONFIG).exists():
            remedy = "Give another folder."
            raise UserError(
                "this is the folder of a task, whose task.yaml would be replaced.", file=folder, remedy=remedy
            )
        save_fields(folder, self.discriminator, self.windower, self.edges)
        write(folder / TASK, yaml.safe_dump(self._task().shareable(), sort_keys=False, allow_unicode=True))

    def _task(self) -> Task:
        """Return the task that the extractor was loaded with, or one with its fields."""
        if self.folder:
            return load_task(self.folder)
        file = "train.jsonl"
        files, memory = {"train": (file,)}, {file: None}
        return Task("extractor", "", "jsonl", Path(), files, {}, self.fields, Path(TASK), memory)

    def push_to_hub(
        self, repository: str, *, private: bool = False, revision: str | None = None, token: str | None = None
    ) -> str:
        """Send the extractor to the Hub as one commit, and return `ORG/NAME@COMMIT`, which `from_pretrained` loads.

        An extractor that was loaded from the folder of a finished run sends the run, as `electra_ie.push_to_hub` does:
        with its scores, audit and card. Any other sends what `save_pretrained` writes, with a short card.

        Args:
            repository: The repository, `ORG/NAME`. It is created if it does not exist.
            private: Create it as private; refuse an existing public one.
            revision: The branch (default: main).
            token: A token for the Hub in place of the stored one.

        Raises:
            UserError: The push is refused or fails; the repository is unchanged.
        """
        options: dict[str, Any] = {"private": private, "revision": revision, "token": token}
        folder = self.folder
        if folder and repository_of(folder) is None and (folder / SETTINGS).is_file() and is_finished(folder):
            return push_run(folder, repository, **options)
        with TemporaryDirectory() as temporary:
            self.save_pretrained(temporary)
            return push_models(Path(temporary), self.fields, repository, **options)

    @overload
    def __call__(self, text: str) -> Findings: ...

    @overload
    def __call__(self, text: list[str] | tuple[str, ...]) -> list[Findings]: ...

    def __call__(self, text: str | list[str] | tuple[str, ...]) -> Findings | list[Findings]:
        """Return the findings of one text, in the order of their offsets, or of each text of a list."""
        if isinstance(text, str):
            return Findings(next(self.read([Document("", _checked_text(text))])))
        if not isinstance(text, list | tuple):
            raise UserError(f"text is of the type {type(text).__name__}.", remedy="Give a string or a list of strings.")
        documents = [Document("", _checked_text(item, f"item {index} ")) for index, item in enumerate(text)]
        return [Findings(result) for result in self.read(documents)]

    def read(self, documents: Iterable[Document]) -> Iterator[DocumentResult]:
        """Yield the result of each document, in the order of the input.

        Windows of several documents share a forward pass. Padding is masked, so that the result of a document does not
        depend on the others.
        """
        pending: list[_Pending] = []
        windows = 0
        for document in documents:
            pending.append(_Pending(document, self.windower(document.text)))
            windows += len(pending[-1].windows)
            if windows >= WINDOWS_AT_ONCE:
                yield from self._process(pending)
                pending, windows = [], 0
        yield from self._process(pending)

    def _process(self, pending: Sequence[_Pending]) -> Iterator[DocumentResult]:
        """Score all windows of these documents, longest first, and yield the results."""
        for item in pending:
            item.logits = [{} for _ in item.windows]
        rows = [(item, index) for item in pending for index in range(len(item.windows))]
        # Windows of like length share a batch, which then holds little padding.
        rows.sort(key=lambda row: len(row[0].windows[row[1]].ids), reverse=True)
        was_training = self.discriminator.training
        self.discriminator.eval()
        while rows:
            item, index = rows[0]
            longest = len(item.windows[index].ids) + len(self.windower.before) + len(self.windower.after)
            size = max(1, TOKENS_AT_ONCE // longest)
            self._forward(rows[:size])
            rows = rows[size:]
        self.discriminator.train(was_training)
        for item in pending:
            yield self._result(item)

    def _forward(self, rows: Sequence[tuple[_Pending, int]]) -> None:
        """Run the model on a batch of windows and store the logits with their documents."""
        labeled = [LabeledWindow(item.windows[index], {}) for item, index in rows]
        batch = collate(labeled, self.windower, ()).to(self.discriminator.encoder.device)
        logits = {name: value.float().cpu().numpy() for name, value in self.discriminator.predict_logits(batch).items()}
        offset = len(self.windower.before)
        for row, (item, index) in enumerate(rows):
            window = item.windows[index]
            # Of a window's tokens only those it owns count; the others are context that a neighbor owns.
            owned = slice(offset + window.first, offset + window.last)
            for field in self.fields:
                values = logits[field.name][row]
                item.logits[index][field.name] = values[owned] if field.kind == "spans" else values

    def _result(self, item: _Pending) -> DocumentResult:
        """Turn the logits of a document's windows into answers and findings."""
        findings: list[Finding] = []
        answers = {}
        for field in self.fields:
            logits = [window[field.name] for window in item.logits]
            if field.kind == "spans":
                answers[field.name], of_field = _decode_spans(field, item, logits, self.edges[field.name])
            else:
                answers[field.name], of_field = _decode_text(field, item, logits)
            findings += of_field if item.document.text.strip() else []  # a blank text has answers but no findings
        findings.sort(key=lambda finding: (finding.start, finding.end, finding.field, finding.label))
        return DocumentResult(item.document, len(item.windows), answers, findings, self.model)


def _checked_text(text: Any, name: str = "text ") -> str:
    """Return a text. Raises UserError if it is not a string, or has surrogates, which no tokenizer accepts."""
    if not isinstance(text, str):
        raise UserError(f"{name}is of the type {type(text).__name__}, not a string.", remedy="Give strings.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        message = f"{name}has a lone surrogate at character {error.start}, which is not a character."
        raise UserError(message, remedy='Decode the text as UTF-8, for example with errors="replace".') from error
    return text


def _finding_record(finding: Finding) -> dict[str, Any]:
    """Return a finding as JSON: with the text of a span, or the window of a finding about the whole text."""
    own = "text" if finding.window is None else "window"
    return {name: getattr(finding, name) for name in ("field", "label", "start", "end", own, "score")}


def _decode_spans(
    field: Field, item: _Pending, logits: Sequence[np.ndarray], edges: Edges
) -> tuple[list[Span], list[Finding]]:
    """Decode spans over the tokens of the whole document, so that no window boundary cuts a span.

    Each token has the logits (T, K) of the window that owns it. The score of a finding is the mean probability of the
    tags of its tokens.
    """
    text = item.document.text
    offsets = [offset for window in item.windows for offset in window.owned]
    visible = [index for index, (start, end) in enumerate(offsets) if start < end]  # some tokens have no characters
    offsets = [offsets[index] for index in visible]
    scores = np.concatenate(logits)[visible]
    tags = viterbi(field, scores, edges.breaks(text, offsets))
    probabilities = softmax(scores, axis=-1)
    spans, findings = [], []
    for untrimmed, tokens in to_spans(field, tags.tolist(), offsets):
        span = edges.trim(text, untrimmed)
        if span:
            score = _rounded(probabilities[tokens, tags[tokens]].mean())
            spans.append(span)
            findings.append(Finding(field.name, span.label, span.start, span.end, text[span.start : span.end], score))
    return spans, findings


def _decode_text(field: Field, item: _Pending, logits: Sequence[np.ndarray]) -> tuple[Any, list[Finding]]:
    """Decode a class or flags from the mean of the windows' logits (K).

    A finding has the offsets of the window with the highest logit for its label.
    """
    stacked = np.stack(logits)
    mean = stacked.mean(axis=0)
    probabilities = expit(mean) if field.kind == "flags" else softmax(mean)
    chosen = np.flatnonzero(probabilities > FLAG_THRESHOLD).tolist() if field.kind == "flags" else [int(mean.argmax())]
    text = item.document.text
    findings = []
    for label in chosen:
        start, end, window = 0, len(text), int(stacked[:, label].argmax())
        if len(item.windows) > 1:
            offsets = [offset for offset in item.windows[window].owned if offset[0] < offset[1]]
            start, end = (offsets[0][0], offsets[-1][1]) if offsets else (start, end)
        score = _rounded(probabilities[label])
        findings.append(Finding(field.name, field.labels[label], start, end, None, score, window + 1))
    names = tuple(field.labels[label] for label in chosen)
    return (names if field.kind == "flags" else names[0]), findings


def _rounded(probability: float) -> float:
    """Round to four decimals, beyond which differences are numerical error."""
    return round(float(probability), 4)
