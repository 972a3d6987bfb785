"""All checks of a data set, and their report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from electra_ie.checks.counts import (
    LabelCount,
    SplitCount,
    Splits,
    count_by_label,
    count_splits,
    empty_texts,
    rare_labels,
)
from electra_ie.checks.duplicates import conflicts, duplicate_issues, find_duplicates
from electra_ie.checks.issues import SEVERITIES, Issue
from electra_ie.checks.languages import LanguageCount, count_languages
from electra_ie.checks.scripts import ScriptCount, count_scripts
from electra_ie.checks.spans import (
    SeenCount,
    count_seen,
    divided_spans,
    misaligned_spans,
    overlapping_spans,
    seen_entities,
)
from electra_ie.checks.suspects import suspect_labels
from electra_ie.checks.tokens import LengthCount, count_lengths, count_tokens, long_texts, unread_characters
from electra_ie.common.logs import collected_warnings, silenced
from electra_ie.common.progress import progress
from electra_ie.config.train import TrainSettings
from electra_ie.data.fields import with_levels
from electra_ie.data.splits import UNLABELED
from electra_ie.data.task import Task
from electra_ie.data.training_data import TrainingData, unlabeled
from electra_ie.data.windowing import WindowTokenizer
from electra_ie.models.encoders import encoder_config, load_tokenizer, max_length

POOL = "pool"
"""The name of the unlabeled documents in a report: those of the task and the added ones."""
FORMAT = 1
"""The version of the keys of a report. It changes if a key is removed or gets another meaning."""

STEPS = 5
"""Steps that take time: duplicates, tokens, scripts, languages and suspect labels."""


@dataclass(frozen=True)
class CheckReport:
    """The result of all checks: counts by split and label, and the issues, the most severe first.

    Attributes:
        task: The name of the task.
        encoder: The encoder whose tokenizer reads the texts.
        splits: The size of each split.
        labels: The count of each label.
        seen: For each label of spans, the spans of dev and test whose text train has.
        lengths: The lengths of the documents in tokens.
        scripts: The scripts of each split.
        languages: The languages of each split.
        issues: What was found.
        skipped: What was not checked, or only in part, one sentence each.
    """

    task: str
    encoder: str
    splits: Sequence[SplitCount]
    labels: Sequence[LabelCount]
    seen: Sequence[SeenCount]
    lengths: Sequence[LengthCount]
    scripts: Sequence[ScriptCount]
    languages: Sequence[LanguageCount]
    issues: Sequence[Issue]
    skipped: Sequence[str]

    def count(self, severity: str) -> int:
        """Return the number of issues of a severity."""
        return sum(issue.severity == severity for issue in self.issues)

    @property
    def passed(self) -> bool:
        """Whether no issue is an error or a warning."""
        return not self.count("error") and not self.count("warning")

    def as_dict(self, show_text: bool = False) -> dict[str, Any]:
        """Return the report as JSON values. show_text: with passages of the documents."""
        tables = ("splits", "labels", "seen", "lengths", "scripts", "languages")
        return {
            "format": FORMAT,
            "task": self.task,
            "encoder": self.encoder,
            "passed": self.passed,
            "counts": {severity: self.count(severity) for severity in SEVERITIES},
            **{table: [asdict(row) for row in getattr(self, table)] for table in tables},
            "issues": [issue.as_dict(show_text) for issue in self.issues],
            "skipped": list(self.skipped),
        }


def check(task: Task, settings: TrainSettings) -> CheckReport:
    """Check the data of a task.

    Args:
        task: The task.
        settings: The settings of training that name the encoder, the window, the units and further unlabeled texts.

    Raises:
        UserError: A file, record or list of codes cannot be read, or the encoder cannot be loaded.
    """
    tokenizer, config = load_tokenizer(settings.encoder), encoder_config(settings.encoder)
    settings = settings.with_window(max_length(tokenizer, config), any(field.kind != "spans" for field in task.fields))
    task.check_codes()
    with collected_warnings() as messages:
        read = task.read_splits(split for split in task.splits if split != UNLABELED)
        pool = unlabeled(task, settings)
    splits: Splits = {**read, **({POOL: pool} if pool else {})}
    fields = with_levels(task.fields, read.get("train", ()))
    windower = WindowTokenizer(tokenizer, settings.window or 0, settings.context_overlap)
    with silenced():  # its warnings are issues here
        data = TrainingData(list(read.get("train", ())), [], [])
        tagger = data.windower(tokenizer, windower.size, windower.context_overlap, fields, settings.units)
    with progress(STEPS, "checking", unit="steps") as done:
        duplicates = find_duplicates(splits)
        done(1)
        tokens = count_tokens(splits, tokenizer)
        done(2)
        scripts, script_issues = count_scripts(splits)
        done(3)
        languages, language_issues, skipped = count_languages(splits)
        done(4)
        suspect_issues, not_modeled = suspect_labels(splits, fields, windower)
        skipped += not_modeled
        done(5)
    lengths, seen = count_lengths(tokens, windower), count_seen(splits, fields)
    issues = [
        *(Issue("reading", "warning", message, 1, 1) for message in messages),
        *empty_texts(splits),
        *rare_labels(splits, task.all_fields),
        *overlapping_spans(splits, fields),
        *misaligned_spans(splits, fields, tagger),
        *divided_spans(splits, fields, tagger),
        *duplicate_issues(splits, duplicates),
        *conflicts(splits, duplicates.groups, fields),
        *seen_entities(seen),
        *script_issues,
        *language_issues,
        *unread_characters(tokens),
        *long_texts(lengths),
        *suspect_issues,
    ]
    if duplicates.compared < len(duplicates.groups):
        skipped.append(
            f"near-duplicates were searched in {duplicates.compared:,} of {len(duplicates.groups):,} distinct texts."
        )
    for split, counts in tokens.items():
        if len(counts.documents) < len(splits[split]):
            skipped.append(
                f"tokens were counted in {len(counts.documents):,} of {len(splits[split]):,} documents of {split}."
            )
    issues.sort(key=lambda issue: SEVERITIES.index(issue.severity))
    return CheckReport(
        task.name, settings.encoder, count_splits(splits), count_by_label(splits, task.all_fields), seen, lengths,
        scripts, languages, issues, skipped,
    )  # fmt: skip
