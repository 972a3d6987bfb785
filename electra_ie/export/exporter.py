"""Export of a finished run to a folder that runs without torch. It is checked against the run before it is kept."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from electra_ie.calibration.stored import Calibration
from electra_ie.common.errors import UserError
from electra_ie.common.files import CARD, EXPORT_MODEL, write
from electra_ie.common.logs import notice
from electra_ie.data.declaration.task_yaml import UNLABELED
from electra_ie.data.document import Document
from electra_ie.data.readers.plain import read_unlabeled
from electra_ie.data.task import Task
from electra_ie.export.graph import OPSET, quantize, require, write_graph
from electra_ie.inference.engine.batches import Group
from electra_ie.inference.engine.exported import ExportedExtractor, model_sum, save_settings
from electra_ie.inference.engine.results import DocumentResult
from electra_ie.inference.extractor import Extractor
from electra_ie.inference.scoring import predict, score_answers
from electra_ie.runs.cards.exported import exported_card
from electra_ie.runs.download import run_folder
from electra_ie.runs.export_audit import write_export_audit
from electra_ie.runs.layout import TASK, announce_data_folder, load_task
from electra_ie.runs.storage import model_files

BITS = (32, 8)
TEXTS = 200
"""Texts on which an export is compared with the run."""
SCORED = 500
"""Labeled documents of dev at most, on which the loss of 8 bits is measured."""
TOLERANCE = 1e-4
"""Difference of logits at most between torch and onnxruntime in fp32."""


@dataclass(frozen=True)
class Comparison:
    """An exported model and its run on the same texts.

    Attributes:
        texts: The number of texts.
        largest: The largest difference of a logit.
        other_findings: Texts with other findings; scores are not compared.
        other_scores: Texts with the same findings, of which a score differs in the fourth decimal.
        other_alone: Texts whose findings or scores are different if the exported model reads each of them alone.
    """

    texts: int
    largest: float
    other_findings: int
    other_scores: int
    other_alone: int


@dataclass(frozen=True)
class Export:
    """An exported model.

    Attributes:
        path: Its folder.
        megabytes: The size of model.onnx.
        comparison: How it compares with the run.
        lost: F1 that it has less than the run on dev, by field and label, from 0 to 1; empty without labeled dev data,
            and in fp32.
    """

    path: Path
    megabytes: float
    comparison: Comparison
    lost: dict[str, dict[str, float]]


def export_run(
    run: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    bits: int = 32,
    texts: Sequence[str | os.PathLike[str]] = (),
) -> Export:
    """Export a run as ONNX, one file for all fields, to be read by `electra-ie extract` without torch.

    Args:
        run: A folder, or `ORG/NAME[@REVISION]` on the Hub.
        output: The folder of the exported model. It may not exist, or must be empty.
        bits: The size of a weight of a matrix, 32 or 8. With 8, findings may differ.
        texts: Files or folders of text on which the exported model is compared with the run (default: unlabeled texts
            of the run's task, or else those of train).

    Raises:
        UserError: A package is not installed, the encoder cannot be exported, there are no texts; or in fp32 logits
            differ by more than 1e-4, or findings differ; or findings depend on other texts. Nothing is left.
    """
    if bits not in BITS:
        raise UserError(f"bits is {bits}.", remedy="Give 32 or 8.")
    require("onnx", "onnxscript", "onnxruntime")
    folder, target = run_folder(run), Path(output)
    if target.is_file() or (target.is_dir() and any(target.iterdir())):
        raise UserError("the output exists.", file=target, remedy="Give a new folder with --output.")
    task = load_task(folder)
    task.refuse_anchored("exported", folder, "Use the run itself, or train one without them.")
    extractor = Extractor.from_pretrained(folder, device="cpu")
    documents = _documents(folder, task, texts)
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        exported = _write(extractor, task, part, bits)
        comparison = compare(extractor, exported, documents)
        _check(comparison, bits)
        lost = _lost(extractor, exported, _labeled(folder, task)) if bits < max(BITS) else {}
        weights = model_files(folder, [field.name for field in extractor.fields])
        facts = {"comparison": asdict(comparison), "f1_lost": lost}
        write_export_audit(part, folder, weights, {"format": "onnx", "opset": OPSET, "bits": bits}, facts)
        write(part / CARD, exported_card(part, folder))
        size = (part / EXPORT_MODEL).stat().st_size / 1e6
        if target.is_dir():
            target.rmdir()
        os.replace(part, target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Export(target, round(size, 1), comparison, lost)


def _documents(folder: Path, task: Task, texts: Sequence[str | os.PathLike[str]]) -> list[Document]:
    """Return the texts of the comparison. Raises UserError if there are none."""
    if texts:
        found = [document for path in texts for document in islice(read_unlabeled(path), TEXTS)]
    else:
        announce_data_folder(folder, task)
        found = task.read(UNLABELED if UNLABELED in task.splits else "train")
    documents = [
        Document(str(number), document.text)
        for number, document in enumerate(islice((each for each in found if each.text.strip()), TEXTS))
    ]
    if not documents:
        raise UserError("there is no text to compare the exported model on.", remedy="Give some with --texts.")
    return documents


def _write(extractor: Extractor, task: Task, folder: Path, bits: int) -> ExportedExtractor:
    write_graph(extractor.discriminator, folder / EXPORT_MODEL)
    if bits < max(BITS):
        quantize(folder / EXPORT_MODEL)
    save_settings(folder, extractor.windower, tuple(extractor.fields), extractor.edges, bits)
    write(folder / TASK, yaml.safe_dump(task.shareable(), sort_keys=False, allow_unicode=True))
    if extractor.calibration:
        _calibration_of(extractor.calibration, bits, model_sum(folder)).save(folder)
    return ExportedExtractor.from_pretrained(folder)


def _calibration_of(calibration: Calibration, bits: int, model: str) -> Calibration:
    """Return the calibration of a run for its exported model; with 8 bits without its promises, which were of 32."""
    if bits == max(BITS) or not calibration.promises:
        return replace(calibration, model=model)
    notice("the goals of the run are left out: they were measured with 32 bits.")
    return replace(calibration, model=model, promises=())


def compare(extractor: Extractor, exported: ExportedExtractor, documents: Sequence[Document]) -> Comparison:
    """Compare the logits and the findings of an exported model with those of its run."""
    scored: list[Any] = []
    largest = 0.0

    def score(groups: Sequence[Group]) -> list[dict[str, np.ndarray]]:
        nonlocal largest
        expected, logits = extractor.score(groups), exported.score(groups)
        for one, other in zip(expected, logits, strict=True):
            largest = max(largest, *(float(np.abs(one[name] - other[name]).max()) for name in one))
        scored.append(logits)
        return expected

    of_run = list(replace(extractor.reader(overlapped=False), score=score).read(documents))
    again = replace(exported.reader(overlapped=False), score=lambda _: scored.pop(0))
    of_export = list(again.read(documents))
    pairs = list(zip(of_run, of_export, strict=True))
    other_findings = sum(_without_scores(one) != _without_scores(other) for one, other in pairs)
    other_scores = sum(one.findings != other.findings for one, other in pairs) - other_findings
    alone = [next(exported.read([document])) for document in documents]
    other_alone = sum(one.findings != other.findings for one, other in zip(alone, of_export, strict=True))
    return Comparison(len(documents), largest, other_findings, other_scores, other_alone)


def _without_scores(result: DocumentResult) -> list[Any]:
    return [replace(finding, score=0.0) for finding in result.findings]


def _check(comparison: Comparison, bits: int) -> None:
    """Raise UserError if the exported model does not do what it should."""
    remedy = "Run it with torch, and report this with the family of the encoder."
    if not np.isfinite(comparison.largest):
        raise UserError("the exported model gives logits that are not finite.", remedy=remedy)
    if comparison.other_alone:
        message = f"{comparison.other_alone} of {comparison.texts} texts have other findings alone than with others."
        raise UserError(f"the exported model is not used: {message}", remedy=remedy)
    if bits == max(BITS) and (comparison.largest > TOLERANCE or comparison.other_findings):
        message = (
            f"the exported model is not equal to the run: logits differ by up to {comparison.largest:.1e}, and "
            f"{comparison.other_findings} of {comparison.texts} texts have other findings."
        )
        raise UserError(message, remedy=remedy)


def _labeled(folder: Path, task: Task) -> list[Document]:
    """Return documents of dev, or none, with a notice, if the data of the run have no labeled ones or are not here."""
    reason = "the task has no labeled documents of dev"
    try:
        announce_data_folder(folder, task)
        documents = task.read("dev")[:SCORED] if "dev" in task.splits else []
        if any(document.gold for document in documents):
            return documents
    except UserError as error:
        reason = str(error)
    notice(f"the F1 that 8 bits lose is not measured: {reason}")
    return []


def _lost(
    extractor: Extractor, exported: ExportedExtractor, documents: Sequence[Document]
) -> dict[str, dict[str, float]]:
    """Return how much F1 the exported model has less than the run on these documents, by field and label."""
    of_run, of_export = (
        score_answers(extractor.fields, documents, predict(each, documents)) for each in (extractor, exported)
    )
    return {
        name: {
            label: round(scores["f1"] - of_export[name]["labels"][label]["f1"], 4)
            for label, scores in of_field["labels"].items()
            if scores["f1"] is not None and of_export[name]["labels"][label]["f1"] is not None
        }
        for name, of_field in of_run.items()
    }
