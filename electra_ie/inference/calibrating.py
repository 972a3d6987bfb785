"""Calibration of a run on its labeled documents of dev."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from electra_ie.calibration.fitting import Fit, fit
from electra_ie.calibration.found import Found, found_in
from electra_ie.calibration.scales import Scale
from electra_ie.calibration.stored import Calibration
from electra_ie.data.document import Document
from electra_ie.data.fields import Field
from electra_ie.inference.engine.base import TextExtractor
from electra_ie.inference.engine.decoding import rounded
from electra_ie.inference.engine.results import DocumentResult
from electra_ie.runs import plots
from electra_ie.runs.layout import reliability_plot

NO_DEV = "there was no labeled document of dev"


def read_with_evidence(extractor: TextExtractor, documents: Sequence[Document]) -> list[DocumentResult]:
    """Return the results for documents, with what their scores are made of. The gold is not read."""
    reader = replace(extractor.pipeline(), with_evidence=True)
    return list(reader.read(document.unlabeled() for document in documents))


def calibrate_run(
    folder: Path, fields: Sequence[Field], documents: Sequence[Document], results: Sequence[DocumentResult], model: str
) -> dict[str, Any]:
    """Fit the scales of a run, write them with the scores of dev and their plots, and return the summary by field.

    Args:
        folder: The folder of the run.
        fields: Its fields.
        documents: The documents of dev.
        results: The results for them with their evidence, by a model without calibration.
        model: The hash of the weights of the fields.
    """
    summary: dict[str, Any] = {}
    scales: dict[str, Scale] = {}
    reference = {}
    for field in fields:
        found = _found(field, documents, results)
        if not found.gold:
            summary[field.name] = {"reason": NO_DEV}
            continue
        fitted = fit(found)
        summary[field.name] = fitted.summary
        if fitted.scale:
            scales[field.name] = fitted.scale
            assert found.evidence is not None
            found = replace(found, scores=np.array([rounded(score) for score in fitted.scale(found.evidence)]))
        reference[field.name] = found.by_document()
        if fitted.before:
            _plot(folder, field, fitted)
    Calibration(model, scales, reference).save(folder)
    return summary


def _found(field: Field, documents: Sequence[Document], results: Sequence[DocumentResult]) -> Found:
    evidence = [(result.evidence or {})[field.name] for result in results]
    return found_in(field, documents, [result.findings for result in results], evidence)


def _plot(folder: Path, field: Field, fitted: Fit) -> None:
    errors = [fitted.summary[name] for name in ("error_before", "error_after") if name in fitted.summary]
    title = f"{field.name}, dev ({fitted.summary['findings']:,} findings in {fitted.summary['documents']:,} documents)"
    plots.reliability(fitted.before, fitted.after, errors, folder / reliability_plot(field.name), title)
