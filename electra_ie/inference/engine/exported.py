"""An exported model: its files, and the extractor that runs it with onnxruntime, without torch and transformers."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from electra_ie.calibration.stored import Calibration
from electra_ie.common.arguments import check_types
from electra_ie.common.errors import UserError, first_line
from electra_ie.common.export_files import (
    ANCHORED,
    EXPORT_MODEL,
    EXPORT_PATTERNS,
    EXPORT_SETTINGS,
    EXPORT_TOKENIZER,
    export_files,
)
from electra_ie.common.files import CALIBRATION, parse, write
from electra_ie.common.hashing import SHOWN, of_file, of_sums
from electra_ie.common.hub_client import local_folder
from electra_ie.data.anchored.rules import RULES
from electra_ie.data.fields import Field, anchored_as_saved, anchored_from_saved, as_saved, from_saved
from electra_ie.data.span_boundaries import BoundaryRules, edges_from
from electra_ie.data.windowing import WindowTokenizer
from electra_ie.inference.engine.anchored import AnchoredReader
from electra_ie.inference.engine.anchored_readers import ANCHORED_READERS
from electra_ie.inference.engine.base import TextExtractor
from electra_ie.inference.engine.batches import Group
from electra_ie.inference.engine.pipeline import ExtractionPipeline

FORMAT = 2
"""The version of the files. A package reads only its own."""
IDS, MASK = "input_ids", "attention_mask"
"""The inputs of the model, (B, L) each."""
MIN_TOKENS = 4
RESTORE = "Restore the file, or export the run again."
CANDIDATES = "rules"
"""The key of what the model of a field of relations or attributes considers (`SpanRules`)."""


def output_name(field: str) -> str:
    """Return the name of the model's output for a field."""
    return f"logits_of_{field}"


@dataclass(frozen=True)
class PlainTokenizer:
    """A `tokenizers.Tokenizer` with the parts of transformers' tokenizers that windows need."""

    backend_tokenizer: Any
    pad_token_id: int


def model_sum(folder: Path) -> str:
    """Return the hash of an exported model. Raises UserError or OSError if a file is damaged or missing."""
    return of_sums({name: of_file(folder / name) for name in export_files(folder)})


def save_settings(
    folder: Path,
    windower: WindowTokenizer,
    fields: tuple[Field, ...],
    edges: Mapping[str, BoundaryRules],
    anchored: Sequence[AnchoredReader[Any]],
    bits: int,
) -> None:
    """Write tokenizer and settings of an exported model, as `ExportedExtractor.from_pretrained` reads them.

    Args:
        folder: The folder.
        windower: Splits a text into windows of tokens.
        fields: The fields of the model.
        edges: The boundary rules for the spans of each field.
        anchored: What finds relations and attributes, each with a model in the folder of its field.
        bits: The size of a weight of a matrix.
    """
    tokenizer = windower.tokenizer.backend_tokenizer
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.save(str(folder / EXPORT_TOKENIZER))
    settings = {
        "format": FORMAT,
        "bits": bits,
        "window": windower.size,
        "context_overlap": windower.context_overlap,
        "whole_words": windower.whole_words,
        "pad_token_id": windower.tokenizer.pad_token_id or 0,
        "fields": [as_saved(field) for field in fields],
        "edges": {field.name: asdict(edges[field.name]) for field in fields if field.kind == "spans"},
        ANCHORED: [{**anchored_as_saved(each.field), CANDIDATES: each.rules.as_dict} for each in anchored],
    }
    write(folder / EXPORT_SETTINGS, json.dumps(settings, indent=2, ensure_ascii=False) + "\n")


class ExportedExtractor(TextExtractor):
    """An extractor whose model runs in onnxruntime, without torch.

    `ExportedExtractor.from_pretrained` reads one from the folder of an exported model or from the Hub.

    Attributes:
        windower: Splits a text into windows of tokens.
        fields: The fields of the task.
        edges: The boundary rules for the spans of each field.
        model: The first digits of the hash of the model's files.
        calibration: The calibration of the run; None if the run has none.
        anchored_readers: What finds the attributes and relations of each such field of the run.
    """

    def __init__(
        self,
        session: Any,
        windower: WindowTokenizer,
        fields: tuple[Field, ...],
        edges: Mapping[str, BoundaryRules],
        model: str | None,
    ) -> None:
        """Combine the parts. session: an `onnxruntime.InferenceSession`."""
        self.session, self.windower, self.fields, self.edges, self.model = session, windower, fields, edges, model

    @classmethod
    @check_types
    def from_pretrained(
        cls,
        model: str | os.PathLike[str],
        *,
        revision: str | None = None,
        token: str | None = None,
        local_files_only: bool = False,
    ) -> ExportedExtractor:
        """Load an exported model. It runs on the CPU, with OMP_NUM_THREADS threads (default: one for each core).

        Args:
            model: A folder, or `ORG/NAME` or `ORG/NAME@REVISION` on the Hub.
            revision: A branch, tag or commit on the Hub; ignored for a folder.
            token: A token for the Hub in place of the stored one.
            local_files_only: Use the download cache only, without network access.

        Raises:
            UserError: onnxruntime is not installed, it is no exported model, or a file is missing, damaged, or of
                another version.
        """
        names = (*EXPORT_PATTERNS, CALIBRATION)
        folder, _ = local_folder(model, names, revision=revision, token=token, local_files_only=local_files_only)
        settings = _settings(folder)
        missing = [name for name in export_files(folder) if not (folder / name).is_file()]
        if missing:
            raise UserError(f"the exported model has no {missing[0]}.", file=folder, remedy=RESTORE)
        extractor = cls._of_folder(folder, settings)
        extractor.anchored_readers = [cls._anchored_reader(folder, saved) for saved in settings.get(ANCHORED, [])]
        whole = model_sum(folder)
        extractor.model = whole[:SHOWN]
        extractor.calibration = Calibration.read(folder, whole)
        return extractor

    @classmethod
    def _of_folder(cls, folder: Path, settings: Mapping[str, Any]) -> ExportedExtractor:
        """Load the model of a folder, without hash, calibration, relations and attributes."""
        try:
            windower = _windower(folder, settings)
            fields = tuple(map(from_saved, settings["fields"]))
            edges = {name: edges_from(rules) for name, rules in settings["edges"].items()}
            edges = {field.name: edges.get(field.name, BoundaryRules()) for field in fields}
        except Exception as error:  # the tokenizers library raises Exception itself
            message = f"the settings or the tokenizer of the exported model are invalid: {first_line(error)}."
            raise UserError(message, file=folder, remedy=RESTORE) from error
        session = _session(folder / EXPORT_MODEL)
        outputs = {output.name for output in session.get_outputs()}
        if outputs != {output_name(field.name) for field in fields}:
            raise UserError("the model does not fit its settings.", file=folder / EXPORT_MODEL, remedy=RESTORE)
        return cls(session, windower, fields, edges, None)

    @classmethod
    def _anchored_reader(cls, folder: Path, saved: Mapping[str, Any]) -> AnchoredReader[Any]:
        """Load what finds the relations or attributes of a field. saved: what the settings say of it."""
        try:
            field = anchored_from_saved(saved)
            rules = RULES[field.kind].from_dict(saved[CANDIDATES])
        except (KeyError, TypeError, ValueError) as error:
            message = f"the settings lack valid relations or attributes: {first_line(error)}."
            raise UserError(message, file=folder / EXPORT_SETTINGS, remedy=RESTORE) from error
        own = cls._of_folder(folder / field.name, _settings(folder / field.name))
        if own.fields != (rules.classes(field),):
            message = "the model does not fit the settings of the folder that it is in."
            raise UserError(message, file=folder / field.name / EXPORT_SETTINGS, remedy=RESTORE)
        return ANCHORED_READERS[field.kind](field, rules, own.pipeline())

    def pipeline(self, overlapped: bool | None = None) -> ExtractionPipeline:
        """Return what reads texts with this model; see `TextExtractor.pipeline`."""
        if overlapped is None:
            overlapped = (os.cpu_count() or 1) > 1
        parts = self.windower, self.fields, self.edges, self.score, self.model
        return ExtractionPipeline(*parts, overlapped=overlapped, scales=self.scales)

    def score(self, groups: Sequence[Group]) -> list[dict[str, np.ndarray]]:
        """Run the model on a batch, as `pipeline.Score`."""
        outputs = [output_name(field.name) for field in self.fields]
        scored = []
        for ids, mask in groups:
            # A matrix product of fewer rows is computed in another way: the last bits would depend on the batch.
            repeats = MIN_TOKENS if ids.size < MIN_TOKENS else 1
            inputs = {IDS: np.repeat(ids, repeats, axis=0), MASK: np.repeat(mask, repeats, axis=0)}
            values = [value[::repeats] for value in self.session.run(outputs, inputs)]
            scored.append(dict(zip([field.name for field in self.fields], values, strict=True)))
        return scored


def _settings(folder: Path) -> dict[str, Any]:
    """Return the settings of an exported model. Raises UserError if they are of another version."""
    file = folder / EXPORT_SETTINGS
    if not file.is_file():
        remedy = "Give the folder that electra-ie export has written."
        raise UserError(f"this is no exported model (no {EXPORT_SETTINGS} in it).", file=folder, remedy=remedy)
    settings = parse(file.read_bytes(), file)
    version = settings.get("format")
    if version != FORMAT:
        message = f"this model was exported by another version of electra_ie (format {version!r}, not {FORMAT})."
        raise UserError(message, file=file, remedy="Export the run again with this version.")
    return settings


def _windower(folder: Path, settings: Mapping[str, Any]) -> WindowTokenizer:
    from tokenizers import Tokenizer

    tokenizer = PlainTokenizer(Tokenizer.from_file(str(folder / EXPORT_TOKENIZER)), int(settings["pad_token_id"]))
    return WindowTokenizer(
        tokenizer, int(settings["window"]), int(settings["context_overlap"]), bool(settings["whole_words"])
    )


def _session(file: Path) -> Any:
    """Return an onnxruntime session of a file. Raises UserError if it cannot be loaded."""
    try:
        import onnxruntime
    except ImportError as error:
        remedy = 'Install it with: pip install "electra_ie[onnx]", or the packages of requirements-onnx.txt.'
        raise UserError("an exported model needs onnxruntime, which is not installed.", remedy=remedy) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _threads()
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no common class below Exception
        raise UserError(f"the model cannot be loaded: {first_line(error)}.", file=file, remedy=RESTORE) from error


def _threads() -> int:
    """Return $OMP_NUM_THREADS, which torch follows too and onnxruntime by itself does not; 0 is one for each core."""
    value = os.environ.get("OMP_NUM_THREADS", "")
    return int(value) if value.isdigit() else 0
