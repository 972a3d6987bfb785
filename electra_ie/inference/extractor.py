"""The extractor of a run: the engine with the trained discriminator, in torch."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import yaml

from electra_ie.calibration.stored import Calibration
from electra_ie.common.arguments import check_types
from electra_ie.common.errors import UserError
from electra_ie.common.files import CALIBRATION, repository_of, write
from electra_ie.common.hashing import SHOWN, of_sums
from electra_ie.data.batching import batch_of_tensors
from electra_ie.data.fields import Field
from electra_ie.data.span_boundaries import BoundaryRules
from electra_ie.data.task import Task
from electra_ie.data.windowing import WindowTokenizer
from electra_ie.inference.engine.anchored import AnchoredReader
from electra_ie.inference.engine.anchored_readers import ANCHORED_READERS
from electra_ie.inference.engine.base import TextExtractor
from electra_ie.inference.engine.batches import Group
from electra_ie.inference.engine.pipeline import ExtractionPipeline
from electra_ie.models.discriminator import Discriminator
from electra_ie.models.saved import check_save_directory
from electra_ie.models.untrusted import CONFIG
from electra_ie.runs.download import run_folder
from electra_ie.runs.layout import SETTINGS, TASK, is_exported, is_finished, load_task, model_names
from electra_ie.runs.storage import fields_sum, load_anchored, load_run, model_files, save_fields
from electra_ie.runs.upload import push_models, push_run

TOKENS_ON_CPU, TOKENS_ON_GPU = 4096, 16_384
"""Padded tokens in a forward pass: enough to keep the processor busy, few enough for the memory of any GPU."""


class Extractor(TextExtractor):
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
        anchored_readers: What finds the attributes and relations of each such field of the run.
    """

    def __init__(
        self,
        discriminator: Discriminator,
        windower: WindowTokenizer,
        fields: Sequence[Field],
        model: str | None = None,
        edges: Mapping[str, BoundaryRules] | None = None,
        folder: Path | None = None,
    ) -> None:
        """Combine the parts. Fields that `edges` does not contain have the default boundary rules."""
        self.folder = folder
        self.discriminator, self.windower, self.fields, self.model = discriminator, windower, tuple(fields), model
        self.edges = {field.name: (edges or {}).get(field.name, BoundaryRules()) for field in fields}

    @classmethod
    @check_types
    def from_pretrained(
        cls,
        run: str | os.PathLike[str],
        *,
        revision: str | None = None,
        token: str | None = None,
        local_files_only: bool = False,
        device: str | torch.device | None = None,
        anchored: bool = True,
    ) -> Extractor:
        """Load the extractor of a run.

        Args:
            run: A folder, or `ORG/NAME` or `ORG/NAME@REVISION` on the Hub.
            revision: A branch, tag or commit on the Hub; ignored for a folder.
            token: A token for the Hub in place of the stored one.
            local_files_only: Use the download cache only, without network access.
            device: The device of the model (default: a GPU if there is one).
            anchored: Also load the models of relations and attributes.

        Raises:
            UserError: There is no finished run.
        """
        folder = run_folder(run, revision=revision, token=token, local_files_only=local_files_only)
        if is_exported(folder):
            remedy = "Load it with electra_ie.ExportedExtractor.from_pretrained, or give the run."
            raise UserError("this is an exported model, which torch cannot run.", file=os.fspath(run), remedy=remedy)
        discriminator, windower, fields, edges = load_run(folder)
        device = str(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        discriminator.to(device)  # type: ignore[arg-type]
        task = load_task(folder)
        files = model_files(folder, model_names(task))  # hashed now, not read from audit.json
        extractor = cls(discriminator, windower, fields, of_sums(files)[:SHOWN], edges, folder)
        own = {field.name for field in fields}
        of_fields = of_sums({name: value for name, value in files.items() if name.partition("/")[0] in own})
        extractor.calibration = Calibration.read(folder, of_fields)
        extractor.anchored_readers = anchored_readers(folder, task, device) if anchored else []
        return extractor

    @check_types
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
        anchored = [reader.field.name for reader in self.anchored_readers]
        check_save_directory(folder, [*(field.name for field in self.fields), *anchored])
        if (folder / TASK).exists() and not (folder / CONFIG).exists():
            remedy = "Give another folder."
            raise UserError(
                "this is the folder of a task, whose task.yaml would be replaced.", file=folder, remedy=remedy
            )
        save_fields(folder, self.discriminator, self.windower, self.edges)
        (folder / CALIBRATION).unlink(missing_ok=True)  # of the models that are replaced
        if self.calibration:
            replace(self.calibration, model=fields_sum(folder, self.fields)).save(folder)
        if self.folder and folder.resolve() != self.folder.resolve():  # otherwise they are there already
            for name in anchored:
                shutil.rmtree(folder / name, ignore_errors=True)
                shutil.copytree(self.folder / name, folder / name)
        write(folder / TASK, yaml.safe_dump(self._task().shareable(), sort_keys=False, allow_unicode=True))

    def _task(self) -> Task:
        """Return the task that the extractor was loaded with, or one with its fields."""
        if self.folder:
            return load_task(self.folder)
        file = "train.jsonl"
        files, memory = {"train": (file,)}, {file: None}
        return Task("extractor", "", "jsonl", Path(), files, {}, tuple(self.fields), Path(TASK), memory)

    @check_types
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

    def pipeline(self, overlapped: bool | None = None) -> ExtractionPipeline:
        """Return what reads texts with this model; see `TextExtractor.pipeline`."""
        on_cpu = self.discriminator.encoder.device.type == "cpu"
        return ExtractionPipeline(
            self.windower,
            self.fields,
            self.edges,
            self.score,
            self.model,
            tokens=TOKENS_ON_CPU if on_cpu else TOKENS_ON_GPU,
            equal_lengths=on_cpu,
            overlapped=(os.cpu_count() or 1) > 1 if overlapped is None else overlapped,
            scales=self.scales,
        )

    @property
    def anchored_extractors(self) -> list[Extractor]:
        """The extractor of marked texts of each of the anchored readers."""
        return [reader.pipeline.score.__self__ for reader in self.anchored_readers]  # type: ignore[attr-defined]

    def unmap(self) -> None:
        """Copy the weights, which safetensors maps from their files; see `TextExtractor.unmap`."""
        for extractor in (self, *self.anchored_extractors):
            for tensor in (*extractor.discriminator.parameters(), *extractor.discriminator.buffers()):
                tensor.data = tensor.data.clone()

    def score(self, groups: Sequence[Group]) -> list[dict[str, np.ndarray]]:
        """Run the model on a batch, as `pipeline.Score`."""
        if was_training := self.discriminator.training:
            self.discriminator.eval()
        device = self.discriminator.encoder.device
        tensors = [(torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device)) for ids, mask in groups]
        if device.type == "cpu":
            scored = self.discriminator.predict_groups([ids for ids, _ in tensors])
        else:
            scored = [self.discriminator.predict_logits(batch_of_tensors(ids, mask)) for ids, mask in tensors]
        if was_training:
            self.discriminator.train()
        return [{name: value.float().cpu().numpy() for name, value in logits.items()} for logits in scored]


def anchored_readers(run: Path, task: Task, device: str) -> list[AnchoredReader[Any]]:
    """Return what finds the attributes and relations of each such field of a run.

    Raises:
        UserError: a model is missing, altered or unsafe.
    """
    readers = []
    for field in sorted(task.anchored, key=lambda field: list(ANCHORED_READERS).index(field.kind)):
        discriminator, windower, rules = load_anchored(run, field)
        discriminator.to(device)  # type: ignore[arg-type]
        extractor = Extractor(discriminator, windower, discriminator.fields)
        readers.append(ANCHORED_READERS[field.kind](field, rules, extractor.pipeline()))
    return readers
