"""The methods of this package that few_labels.py measures, all trained by `electra_ie.train`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cell_data import CellData
from measurements import cpu_seconds

from electra_ie.config.train import TrainSettings

SEED_STEP = 1000
"""Distance of the training seeds of several runs on the labels of one seed."""


@dataclass(frozen=True)
class Method:
    """A preset with settings.

    supervised_runs: the number of supervised runs of which dev selects one. Without a dev split, it is one run of as
    many times the steps.
    adapts: whether it adapts the encoder, so that its teacher is not the supervised run.
    """

    preset: str
    overrides: tuple[str, ...] = ()
    supervised_runs: int = 1
    adapts: bool = False


SUPERVISED = "supervised"
METHODS = {
    SUPERVISED: Method("supervised"),
    "supervised_best_of_3": Method("supervised", supervised_runs=3),
    "complete_texts": Method("self_training", ("mask_ratio=0",)),
    "self_training": Method("self_training"),
    "adversarial": Method("adversarial"),
    "thorough": Method("thorough", adapts=True),
}
"""supervised_best_of_3: supervised training at the cost of `self_training`. complete_texts: self-training without
masks. thorough: self-training with the encoder adapted to the text of the task, also for the teacher."""


@dataclass(frozen=True)
class Trained:
    """A finished run and its CPU seconds, those of its teacher included."""

    path: Path
    seconds: float
    best_on_dev: float | None


class Runs:
    """The runs of one cell and seed, which share the supervised run: it is the teacher of the others.

    overrides: settings of all runs; a supervised one gets those that it uses. The encoder is that of the cell.
    """

    def __init__(self, data: CellData, folder: Path, overrides: Sequence[str] = ()) -> None:
        encoder = [f"encoder={data.cell.encoder}"] if data.cell.encoder else []
        self.data, self.folder, self.overrides = data, folder, (*encoder, *overrides)
        self.task = data.task()

    @cached_property
    def supervised(self) -> Trained:
        """The supervised run."""
        return self._train(SUPERVISED, METHODS[SUPERVISED])

    def train(self, name: str) -> Trained:
        """Train by a method of `METHODS`."""
        method = METHODS[name]
        if name == SUPERVISED:
            return self.supervised
        if method.supervised_runs > 1:
            return self._supervised_at_equal_cost(name, method)
        if TrainSettings.build(None, (), preset=method.preset).has_teacher and not method.adapts:
            return self._train(name, method, teacher=self.supervised)
        return self._train(name, method)

    def _supervised_at_equal_cost(self, name: str, method: Method) -> Trained:
        if not self.data.dev:
            steps = TrainSettings.build(self.supervised.path / "run.yaml").max_steps or 0
            return self._train(name, method, f"max_steps={steps * method.supervised_runs}")
        seeds = [self.data.seed + index * SEED_STEP for index in range(1, method.supervised_runs)]
        runs = [self.supervised, *(self._train(f"{name}.{seed}", method, f"seed={seed}") for seed in seeds)]
        best = max(runs, key=lambda run: run.best_on_dev or 0)  # the first of equally good ones
        return Trained(best.path, sum(run.seconds for run in runs), best.best_on_dev)

    def _train(self, name: str, method: Method, *overrides: str, teacher: Trained | None = None) -> Trained:
        """Train into a folder of this name. overrides: settings besides those of the method."""
        import electra_ie

        began = cpu_seconds()
        common = [text for text in self.overrides if method.preset != SUPERVISED or _concerns_supervised(text)]
        run = electra_ie.train(
            self.task, self.folder / name, preset=method.preset, seed=self.data.seed,
            overrides=[*common, *method.overrides, *overrides], teacher=teacher.path if teacher else None,
        )  # fmt: skip
        seconds = cpu_seconds() - began + (teacher.seconds if teacher else 0)
        return Trained(run.path, seconds, run.scores["dev"].mean if self.data.dev else None)

    def predict(self, trained: Trained) -> list[dict[str, Any]]:
        """Return the answers to the documents that are scored."""
        import electra_ie
        from electra_ie.inference.scoring import predict

        return predict(electra_ie.Extractor.from_pretrained(trained.path), self.data.test)


def _concerns_supervised(override: str) -> bool:
    """Return whether a supervised run uses a setting: no loss weight, and no setting of the generator."""
    name = override.partition("=")[0].partition(".")[0]
    return name not in ("discriminator", "generator", *TrainSettings.IGNORED_IF_SUPERVISED)
