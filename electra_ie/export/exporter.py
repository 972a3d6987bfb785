"""Export of a finished run to a folder that runs without torch. It is checked against the run before it is kept."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path

import yaml

from electra_ie.common.errors import UserError
from electra_ie.common.export_files import EXPORT_MODEL
from electra_ie.common.files import CARD, write
from electra_ie.common.logs import notice
from electra_ie.data.document import Document
from electra_ie.data.readers.plain import read_unlabeled
from electra_ie.data.splits import DEV, TRAIN, UNLABELED
from electra_ie.data.task import Task
from electra_ie.export.comparison import Comparison, compare
from electra_ie.export.goals import measured_again
from electra_ie.export.graph import OPSET, quantize, require, write_graph
from electra_ie.inference.engine.exported import ExportedExtractor, model_sum, save_settings
from electra_ie.inference.engine.results import DocumentResult
from electra_ie.inference.extractor import Extractor
from electra_ie.inference.scoring import read, score_anchored, score_answers
from electra_ie.runs.cards.exported import export_size, exported_card
from electra_ie.runs.download import run_folder
from electra_ie.runs.export_audit import write_export_audit
from electra_ie.runs.layout import TASK, announce_data_folder, load_task, model_names
from electra_ie.runs.storage import model_files

BITS = (32, 8)
TEXTS = 200
"""Texts on which an export is compared with the run."""
SCORED = 500
"""Labeled documents of dev at most, on which the loss of 8 bits is measured."""


@dataclass(frozen=True)
class Export:
    """An exported model.

    Attributes:
        path: Its folder.
        megabytes: The size of its models.
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
    """Export a run as ONNX, to be read by `electra-ie extract` without torch.

    One file is for all fields but those of relations and attributes; each of these has a folder with its own model.

    Args:
        run: A folder, or `ORG/NAME[@REVISION]` on the Hub.
        output: The folder of the exported model. It may not exist, or must be empty.
        bits: The size of a weight of a matrix, 32 or 8. With 8, findings may differ.
        texts: Files or folders of text on which the exported model is compared with the run (default: unlabeled texts
            of the run's task, or else those of train).

    Raises:
        UserError: A package is not installed, the encoder cannot be exported, there are no texts; or in fp32 logits or
            scores differ by more than 1e-4, or findings differ; or findings depend on other texts. Nothing is left.
    """
    if bits not in BITS:
        raise UserError(f"bits is {bits}.", remedy="Give 32 or 8.")
    require("onnx", "onnxscript", "onnxruntime")
    folder, target = run_folder(run), Path(output)
    if target.is_file() or (target.is_dir() and any(target.iterdir())):
        raise UserError("the output exists.", file=target, remedy="Give a new folder with --output.")
    task = load_task(folder)
    extractor = Extractor.from_pretrained(folder, device="cpu")
    documents = _documents(folder, task, texts)
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        exported = _write(extractor, task, part, bits)
        comparison = compare(extractor, exported, documents)
        comparison.check(exact=bits == max(BITS))
        lost = _measure(extractor, exported, _labeled(folder, task), part) if bits < max(BITS) else {}
        weights = model_files(folder, model_names(task))
        facts = {"comparison": asdict(comparison), "f1_lost": lost}
        write_export_audit(part, folder, weights, {"format": "onnx", "opset": OPSET, "bits": bits}, facts)
        write(part / CARD, exported_card(part, folder))
        size = export_size(part)
        if target.is_dir():
            target.rmdir()
        os.replace(part, target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Export(target, size, comparison, lost)


def _documents(folder: Path, task: Task, texts: Sequence[str | os.PathLike[str]]) -> list[Document]:
    """Return the texts of the comparison. Raises UserError if there are none."""
    if texts:
        found = [document for path in texts for document in islice(read_unlabeled(path), TEXTS)]
    else:
        announce_data_folder(folder, task)
        found = task.read(UNLABELED if UNLABELED in task.splits else TRAIN)
    documents = [
        Document(str(number), document.text)
        for number, document in enumerate(islice((each for each in found if each.text.strip()), TEXTS))
    ]
    if not documents:
        raise UserError("there is no text to compare the exported model on.", remedy="Give some with --texts.")
    return documents


def _write(extractor: Extractor, task: Task, folder: Path, bits: int) -> ExportedExtractor:
    _write_model(extractor, folder, bits)
    for each in extractor.anchored_extractors:
        (field,) = each.fields
        (folder / field.name).mkdir()
        _write_model(each, folder / field.name, bits)
    write(folder / TASK, yaml.safe_dump(task.shareable(), sort_keys=False, allow_unicode=True))
    exported = ExportedExtractor.from_pretrained(folder)
    if extractor.calibration:
        exported.calibration = replace(extractor.calibration, model=model_sum(folder))
        exported.calibration.save(folder)
    return exported


def _write_model(extractor: Extractor, folder: Path, bits: int) -> None:
    """Write the model of an extractor with its settings, without those of its relations and attributes."""
    write_graph(extractor.discriminator, folder / EXPORT_MODEL)
    if bits < max(BITS):
        quantize(folder / EXPORT_MODEL)
    fields = tuple(extractor.fields)
    save_settings(folder, extractor.windower, fields, extractor.edges, extractor.anchored_readers, bits)


def _labeled(folder: Path, task: Task) -> list[Document]:
    """Return documents of dev, or none, with a notice, if the data of the run have no labeled ones or are not here."""
    reason = "the task has no labeled documents of dev"
    try:
        announce_data_folder(folder, task)
        documents = task.read(DEV) if DEV in task.splits else []
        if any(document.gold for document in documents):
            return documents
    except UserError as error:
        reason = str(error)
    notice(f"the F1 that 8 bits lose is not measured: {reason.rstrip('.')}.")
    return []


def _measure(
    extractor: Extractor, exported: ExportedExtractor, documents: Sequence[Document], folder: Path
) -> dict[str, dict[str, float]]:
    """Write what a model of 8 bits keeps of the calibration of its run, and return the F1 that it has less.

    The run is compared on the first documents of dev, and the goals are measured on all of them.

    Args:
        extractor: The run.
        exported: The exported model.
        documents: The documents of dev; none if they are not available.
        folder: The folder of the exported model.
    """
    results = read(exported, documents)
    if exported.calibration:
        exported.calibration = measured_again(exported.calibration, exported.fields, documents, results)
        exported.calibration.save(folder)
    return _lost(extractor, exported, documents[:SCORED], results[:SCORED])


def _lost(
    extractor: Extractor,
    exported: ExportedExtractor,
    documents: Sequence[Document],
    results: Sequence[DocumentResult],
) -> dict[str, dict[str, float]]:
    """Return how much F1 an exported model has less than its run on documents, by field and label.

    results: those of the exported model.
    """
    of_run, of_export = (
        {
            **score_answers(each.fields, documents, [result.answers for result in found]),
            **score_anchored(each, documents, found),
        }
        for each, found in ((extractor, read(extractor, documents)), (exported, results))
    )
    return {
        name: {
            label: round(scores["f1"] - of_export[name]["labels"][label]["f1"], 4)
            for label, scores in of_field["labels"].items()
            if scores["f1"] is not None and of_export[name]["labels"][label]["f1"] is not None
        }
        for name, of_field in of_run.items()
    }
