"""`make demo`: train, score and extract on a shipped task, in one process and less than five CPU minutes."""

from __future__ import annotations

import csv
import importlib.util
import json
import shutil
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from electra_ie.cli.tables import or_dash, print_table, show_finding
from electra_ie.common.errors import UserError
from electra_ie.common.logs import use_cli_format
from electra_ie.common.progress import output
from electra_ie.config.train import TrainSettings
from electra_ie.data.document import Document, Span
from electra_ie.data.task import Task
from electra_ie.data.task_files import shipped

if TYPE_CHECKING:
    from electra_ie.inference.extractor import Extractor
    from electra_ie.inference.scoring import Scores

TASK, LABEL_BUDGET, SEED = "transaction_risk", 60, 0
MAX_STEPS, NUM_EVALUATIONS, TEST_RECORDS = 70, 2, 120
"""Sizes that keep the demo short. The printed note states them next to those of a full run."""
PRESETS = ("supervised", "self_training")
LONGEST_EXAMPLE = 80
"""The printed examples have fewer characters than this, so that each fits on a line with its context."""
FOLDER = Path("runs/demo")


def main() -> None:
    """Train both presets, score them and the keyword rule on test records, extract from the inbox, print results."""
    from electra_ie.api import extract, train

    shutil.rmtree(FOLDER, ignore_errors=True)
    task = Task.load(TASK)
    all_test = task.read("test")
    test = all_test[:TEST_RECORDS]
    rows: list[dict[str, Any]] = []
    for preset in PRESETS:
        result = train(
            TASK,
            FOLDER / preset,
            label_budget=LABEL_BUDGET,
            seed=SEED,
            preset=preset,
            teacher=FOLDER / PRESETS[0] if rows else None,
            overrides=[f"max_steps={MAX_STEPS}", f"num_evaluations={NUM_EVALUATIONS}"],
        )
        summary = result.scores.training
        scores = _score(result.extractor(), test)
        rows.append({"method": preset, "labels": LABEL_BUDGET, **scores, "seconds": summary["seconds"]})
    train_records = len(task.read("train"))
    rows.append({"method": "keyword rule", "labels": train_records, **score_keyword_rule(task, test), "seconds": None})

    findings, page = FOLDER / "findings.jsonl", FOLDER / "findings.html"
    records = FOLDER / "records.csv" if importlib.util.find_spec("babel") else None  # of the extra values
    extract(FOLDER / PRESETS[-1], [shipped("tasks") / TASK / "inbox"], findings, page, records=records)
    print_table(rows, title=f"{TASK}: {LABEL_BUDGET} labeled records, seed {SEED}, scores on {len(test)} test records")
    full_steps = TrainSettings(task=TASK).with_schedule(summary["labeled"]["windows"], hidden_size=384).max_steps
    full_evaluations = TrainSettings(task=TASK).num_evaluations
    _print(
        f"Smaller than a full run: {MAX_STEPS} training steps instead of {full_steps}, {NUM_EVALUATIONS} evaluations "
        f"on dev instead of {full_evaluations}, {len(test)} of {len(all_test)} test records, one seed. Scores are "
        f"lower and differences less certain. The keyword rule was written on all {train_records} train records."
    )
    show_examples(findings)
    if records:
        show_records(records)
    for name, path in (
        ("findings", findings),
        ("page", page),
        *([("records", records)] if records else []),
        ("plots", f"{FOLDER}/*/curves.png, {FOLDER}/*/dev_*.png"),
        ("model", f"{FOLDER}/{PRESETS[-1]}"),
    ):
        _print(f"{name:>9}  {path}")


def _print(line: str) -> None:
    output().print(line, markup=False, highlight=False, soft_wrap=True)


def _score(extractor: Extractor, test: Sequence[Document]) -> dict[str, float | str]:
    """Return the main score of each field on test documents, by column name."""
    from electra_ie.inference.scoring import predict, score_answers

    return _main_scores(score_answers(extractor.fields, test, predict(extractor, test)))


def score_keyword_rule(task: Task, test: Sequence[Document]) -> dict[str, float | str]:
    """Return the main score of each field of the shipped keyword rule on test documents, by column name."""
    from electra_ie.inference.scoring import score_answers

    # The rule lies in the folder of tasks, which is within the package in a wheel and next to it in a checkout: it has
    # no module name common to both.
    file = shipped("tasks") / "generation" / "keyword_baseline.py"
    spec = importlib.util.spec_from_file_location("keyword_baseline", file)
    assert spec is not None, file
    assert spec.loader is not None, file
    rule = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rule)
    train = rule.read_records(shipped("tasks") / task.name, "train")
    answers: list[dict[str, Any]] = [
        {"flags": tuple(flags), "entities": tuple(Span(*span) for span in spans)}
        for flags, spans in rule.answers(task.name, train, [document.text for document in test])
    ]
    return _main_scores(score_answers(task.fields, test, answers))


def _main_scores(scores: Scores) -> dict[str, float | str]:
    return {f"{name} ({score['main']})": or_dash(score[score["main"]]) for name, score in scores.items()}


def show_examples(findings: Path, count: int = 3) -> None:
    """Print the findings of highest score, one per label and at most `count`, in their context."""
    best: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
    for line in findings.read_text("utf-8").splitlines():
        record = json.loads(line)
        for finding in record["findings"]:
            known = best.get(finding["label"])
            is_short = finding["end"] - finding["start"] < LONGEST_EXAMPLE
            if is_short and (known is None or finding["score"] > known[1]["score"]):
                best[finding["label"]] = record, finding
    for record, finding in list(best.values())[:count]:
        with open(record["file"], encoding="utf-8", newline="") as file:
            show_finding(Path(record["file"]).name, finding, file.read())


def show_records(records: Path, count: int = 5) -> None:
    """Print the first records: the fields with the values that were read, and the status of the amounts."""
    with records.open(encoding="utf-8", newline="") as file:
        rows = [
            {name: row[name] for name in ("id", "parties", "amounts", "amounts_unit", "amounts_status", "risks")}
            for row in islice(csv.DictReader(file), count)
        ]
    print_table(rows, title="records of the inbox")


if __name__ == "__main__":
    use_cli_format()
    try:
        main()
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
