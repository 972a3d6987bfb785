"""The calibration of a run: its scales, its promises, and the scores of dev; in calibration.json, without any text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from electra_ie.calibration.decisions import Table, Thresholds, decision
from electra_ie.calibration.scales import Scale
from electra_ie.common.errors import UserError
from electra_ie.common.files import CALIBRATION, parse, write
from electra_ie.common.hashing import SHOWN, of_text

VERSION = 1
"""The version of the file. A package reads only its own."""
PRECISION, RECALL = "precision", "recall"
MEASURES = (PRECISION, RECALL)
Reference = Mapping[str, Sequence[Sequence[tuple[str, float]]]]
"""By field, for each document that is labeled for it, the label and the score of each finding."""
DELETE = "Fit it again by training, or delete the file: the scores are then the model's own, and no goal holds."


@dataclass(frozen=True)
class Promise:
    """A goal that is met, with its threshold.

    Attributes:
        measure: `precision` or `recall`.
        level: The goal, between 0 and 1.
        field: The field.
        label: The label.
        threshold: Findings with at least this score are accepted (precision), or not dropped (recall).
        confidence: The confidence of a goal for the precision; None for the recall, which is promised in the mean.
        documents: The documents that it was measured on: those with an accepted finding, or with gold of the label.
        measured: Precision or recall on them, each document with the same weight.
        data: What they are: `dev` or `reviewed`.
        assumptions: What the promise assumes, as sentences.
    """

    measure: str
    level: float
    field: str
    label: str
    threshold: float
    confidence: float | None
    documents: int
    measured: float
    data: str
    assumptions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Calibration:
    """The calibration of a run or an exported model.

    Attributes:
        model: The hash of the weights that it belongs to.
        scales: The scale of each field whose scores are calibrated.
        reference: The scores on dev, with which `drift` compares those of new texts.
        promises: The goals that are met.
    """

    model: str
    scales: Mapping[str, Scale] = field(default_factory=dict)
    reference: Reference = field(default_factory=dict)
    promises: tuple[Promise, ...] = ()

    @cached_property
    def thresholds(self) -> Table:
        """The thresholds of each label with a goal, by field and label."""
        table: dict[tuple[str, str], Thresholds] = {}
        for promise in self.promises:
            key = promise.field, promise.label
            name = "accept" if promise.measure == PRECISION else "keep"
            table[key] = replace(table.get(key, Thresholds()), **{name: promise.threshold})
        return table

    def digest(self, *, decisions: bool) -> str:
        """Return the first digits of a hash of what decides the scores, and also the decisions if they are taken."""
        content = self.as_dict()
        decisive = [content["scales"], content["promises"] if decisions else []]
        return of_text(json.dumps(decisive, sort_keys=True))[:SHOWN]

    def decide(self, field: str, label: str, score: float) -> str:
        """Return the decision of a finding (see `decisions.decision`)."""
        return decision(self.thresholds, field, label, score)

    def as_dict(self) -> dict[str, Any]:
        """Return the content of the file."""
        return {
            "version": VERSION,
            "model": self.model,
            "scales": {name: scale.as_dict() for name, scale in self.scales.items()},
            "promises": [{**asdict(promise), "assumptions": list(promise.assumptions)} for promise in self.promises],
            "reference": {
                name: [[[label, score] for label, score in found] for found in documents]
                for name, documents in self.reference.items()
            },
        }

    def save(self, folder: Path) -> None:
        """Write the file of a run or an exported model."""
        content = self.as_dict()
        reference = content.pop("reference")
        head = json.dumps(content, indent=1, ensure_ascii=False).removesuffix("\n}")
        rows = ",\n".join(
            f"  {json.dumps(name, ensure_ascii=False)}: {json.dumps(documents, ensure_ascii=False)}"
            for name, documents in reference.items()
        )
        write(folder / CALIBRATION, f'{head},\n "reference": {{\n{rows}\n }}\n}}\n')

    @classmethod
    def read(cls, folder: Path, model: str) -> Calibration | None:
        """Return the calibration in a folder; None if it has none, as a run of an older version.

        model: the hash of the weights in the folder.

        Raises:
            UserError: The file is damaged, of another version, or belongs to other weights.
        """
        file = folder / CALIBRATION
        if not file.is_file():
            return None
        read = cls.of_file(file)
        if read.model != model:
            message = f"the calibration belongs to the weights {read.model[:SHOWN]}, and these are {model[:SHOWN]}."
            remedy = f"electra-ie verify says whether a file of the weights is not the one that was saved. {DELETE}"
            raise UserError(message, file=file, remedy=remedy)
        return read

    @classmethod
    def of_file(cls, file: Path) -> Calibration:
        """Return the calibration in a file, whatever weights it belongs to. Raises UserError as `read`."""
        content = parse(file.read_bytes(), file)
        if content.get("version") != VERSION:
            message = f"the calibration is of another version ({content.get('version')!r}, not {VERSION})."
            raise UserError(message, file=file, remedy=DELETE)
        try:
            return cls(
                str(content["model"]),
                {name: Scale.from_dict(scale) for name, scale in content["scales"].items()},
                {
                    name: [[(str(label), float(score)) for label, score in found] for found in documents]
                    for name, documents in content["reference"].items()
                },
                tuple(_promise(each) for each in content["promises"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UserError("the calibration is damaged.", file=file, remedy=f"Restore it. {DELETE}") from error


def _promise(content: Mapping[str, Any]) -> Promise:
    """Return a promise of the file. Raises ValueError or TypeError if it is none."""
    promise = Promise(**{**content, "assumptions": tuple(content["assumptions"])})
    if promise.measure not in MEASURES or not 0 <= float(promise.threshold) <= 1:
        raise ValueError("promise")
    return promise
