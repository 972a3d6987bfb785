"""What the files of a run say: the source of every section of its card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from electra_ie.calibration.stored import Calibration, Promise
from electra_ie.common.files import CALIBRATION, parse
from electra_ie.config.train import TrainSettings
from electra_ie.data.dataset_card import DataCard
from electra_ie.data.task import Task
from electra_ie.runs.cards.usage_snippets import StockFolder
from electra_ie.runs.layout import COMPARED, COMPARISON, SCORES, SETTINGS, load_task
from electra_ie.runs.training_facts import TrainingFacts
from electra_ie.runs.verification import read_audit


@dataclass(frozen=True)
class RunSummary:
    """The contents of a run's files."""

    run: Path
    task: Task
    settings: TrainSettings
    scores: Mapping[str, Any]
    audit: Mapping[str, Any]
    data_card: DataCard | None
    comparison: Mapping[str, Any] | None
    folders: Sequence[StockFolder]
    promises: Sequence[Promise] = ()

    @classmethod
    def read(cls, run: Path, scores: Mapping[str, Any] | None = None) -> RunSummary:
        """Read the files of a finished run. scores: used in place of those in scores.json."""
        task = load_task(run)
        scores = parse((run / SCORES).read_bytes(), run / SCORES) if scores is None else scores
        folders = [StockFolder.read(run, field) for field in task.fields]
        return cls(
            run,
            task,
            TrainSettings.build(run / SETTINGS),
            scores,
            read_audit(run),
            DataCard.of(task),
            _won_comparison(run),
            folders,
            Calibration.of_file(run / CALIBRATION).promises if (run / CALIBRATION).is_file() else (),
        )

    @property
    def training(self) -> TrainingFacts:
        """The facts about the training in scores.json."""
        facts: TrainingFacts = self.scores["training"]
        return facts


def _won_comparison(run: Path) -> Mapping[str, Any] | None:
    """Return the content of compare.json if the run won a comparison."""
    file = run / COMPARISON / COMPARED
    return parse(file.read_bytes(), file) if file.is_file() else None
