"""Results of commands as tables on standard output: tasks, scores, comparisons, planned uploads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from electra_ie.cli.tables import DASH, or_dash, print_table, score_table
from electra_ie.common.errors import UserError
from electra_ie.common.escaping import escape_controls
from electra_ie.common.files import CARD
from electra_ie.common.logs import notice, warn
from electra_ie.common.progress import output
from electra_ie.data.fields import count_labels
from electra_ie.data.hint_scores import HintScore, score_hints
from electra_ie.data.label_budget import check_budget, keep_labels
from electra_ie.data.splits import UNLABELED
from electra_ie.data.task import Task
from electra_ie.data.task_files import list_tasks, shipped
from electra_ie.metrics import with_fragments
from electra_ie.runs.layout import COMPARED, PRETRAINING

if TYPE_CHECKING:
    from electra_ie.comparison.finished import RunMeasurement
    from electra_ie.inference.scoring import SplitScores
    from electra_ie.runs.upload import Upload

SECONDARY = ("precision", "recall", "accuracy", "f1", "macro_f1", "micro_f1", "exact")
"""The scores of a field that are shown in addition to its main score."""


def list_all() -> None:
    """Print one row per shipped task."""
    rows = []
    for name in list_tasks():
        task = Task.load(name)
        rows.append(
            {
                "task": name,
                "fields": ", ".join(f"{field.name} ({field.kind}, {len(field.labels)})" for field in task.all_fields),
                "splits": ", ".join(task.splits),
                "data": _data(task),
                "description": task.description,
            }
        )
    print_table(rows)
    notice("Details of a task: electra-ie tasks NAME. To train on your own data: electra-ie train path/to/task.yaml")


def _data(task: Task) -> str:
    """Return where the data of a task are."""
    if task.folder.is_dir():
        is_shipped = task.folder.resolve().is_relative_to(shipped("tasks").resolve())
        return "shipped" if is_shipped else f"found in {task.folder}"
    return "--data, or the hub" if task.hub else "give --data"


def show(name: str) -> None:
    """Print a task: its description, fields, split sizes, label counts and data card."""
    task = Task.load(name)
    output().print(f"{task.name}: {task.description}", markup=False, highlight=False)
    fields = task.all_fields
    print_table([{"field": field.name, "kind": field.kind, "labels": ", ".join(field.labels)} for field in fields])
    if not task.folder.is_dir():
        hub = f", or read them from the hub: --data {task.hub}" if task.hub else ""
        notice(f"its files are not in {task.folder}: give their folder with --data when training{hub}")
    else:
        _sizes(task)
    card = task.card
    output().print(f"data card: {card or 'none'}", markup=False, highlight=False, soft_wrap=True)


def _sizes(task: Task) -> None:
    """Print the documents, characters and label counts of each split."""
    splits = task.read_splits(task.splits)
    rows: list[dict[str, Any]] = [
        {
            "split": split,
            "documents": len(documents),
            "labeled": sum(bool(document.gold) for document in documents),
            "characters": sum(len(document.text) for document in documents),
        }
        for split, documents in splits.items()
    ]
    print_table(rows)
    for field in task.all_fields:
        counts = {
            split: count_labels(
                field, (document.gold[field.name] for document in documents if field.name in document.gold)
            )
            for split, documents in splits.items()
            if split != "unlabeled"
        }
        labels = [*field.labels, *(["(none)"] if field.kind == "flags" else [])]
        print_table(
            [{field.name: label, **{split: count[label] for split, count in counts.items()}} for label in labels]
        )


def show_hints(name: str, data: str | None, label_budget: int | None, seed: int) -> None:
    """Print precision, coverage and matches of the hints of a task, and a warning for each useless one.

    Args:
        name: The name or path of the task.
        data: The folder of its files, instead of the one in task.yaml.
        label_budget: The number of labeled documents, drawn as in training; the others count as unlabeled. None: all.
        seed: The seed of the draw.

    Raises:
        UserError: The task has no hints, or the task, its hints or its data are invalid.
    """
    task = Task.load(name, data)
    if not task.hints:
        remedy = "Add them to task.yaml: hints: {LABEL: {terms: [...]}}, with pattern or file instead of terms."
        raise UserError("the task has no hints.", file=task.file, remedy=remedy)
    hints = task.read_hints()
    splits = task.read_splits(split for split in ("train", UNLABELED) if split in task.splits)
    documents, pool = splits.get("train", []), splits.get(UNLABELED, [])
    if label_budget is not None:
        check_budget(label_budget, [document for document in documents if document.gold])
        labeled, rest = keep_labels(documents, task.fields, label_budget, seed)
        documents = [*labeled, *rest]
    scores = score_hints(hints, task.fields, [*documents, *pool])
    print_table([_hint_row(score) for score in scores])
    for score in scores:
        if score.warning:
            warn(score.warning)


def _hint_row(score: HintScore) -> dict[str, object]:
    is_span = score.unit == "spans"
    return {
        "hint": score.hint.name,
        "unit": score.unit,
        "matches": score.matches,
        "partly right": score.partial if is_span else None,
        "precision": or_dash(score.precision),
        "gold": score.gold,
        "coverage": or_dash(score.coverage),
        "matches, unlabeled": score.unlabeled,
    }


def show_scores(scores: SplitScores, split: str) -> None:
    """Print the scores of a split: one row per field, then a table of the labels of each field."""
    rows = []
    metrics = {name: of_field.metrics for name, of_field in scores.fields.items()}
    for name, score in metrics.items():
        others = [key for key in SECONDARY if key in score and key != score["main"]]
        secondary = ", ".join(f"{key} {DASH if score[key] is None else format(score[key], '.3f')}" for key in others)
        rows.append(
            {
                "field": name,
                "score": score["main"],
                split: or_dash(score[score["main"]]),
                "documents": score["documents"],
                "gold": score["support"],
                "found": score["found"],
                "false": score["false"],
                "other scores": secondary,
            }
        )
    print_table(rows)
    if undefined := [name for name, of_field in scores.fields.items() if of_field.value is None]:
        names = ", ".join(undefined)
        notice(f"no score of {names}: no document of {split} has a label of it. Only false findings are counted.")
    for name, score in metrics.items():
        score_table(with_fragments(score), title=f"{name}, {split}")
    if scores.records:
        of_records = {**scores.records["fields"], "(whole record)": scores.records["whole"]}
        score_table(of_records, title=f"records, by value, {split}")


def show_pretraining(folder: Path) -> None:
    """Print the training facts of a pretrained encoder and its scores on held-out text."""
    from electra_ie.pretraining.model_card import SCORE_DESCRIPTIONS

    summary = json.loads((folder / PRETRAINING).read_text("utf-8"))
    rows: list[dict[str, object]] = [
        {"": "steps", "value": summary["steps"]},
        {"": "tokens", "value": summary["tokens"]},
        {"": "passes over the text", "value": summary["passes"]},
        {"": "tokens per second", "value": summary["tokens_per_second"] or DASH},
        {"": "peak memory, MiB", "value": DASH if summary["peak_memory_mib"] is None else summary["peak_memory_mib"]},
    ]
    rows += [
        {"": f"{SCORE_DESCRIPTIONS[name]}, held-out", "value": or_dash(value)}
        for name, value in summary["held_out"].items()
    ]
    print_table(rows)


def show_comparison(folder: Path) -> None:
    """Print scores, differences and costs of the presets by label budget, then notes and verdict of a comparison."""
    comparison = json.loads((folder / COMPARED).read_text("utf-8"))
    rows = []
    for budget in comparison["budgets"]:
        for preset, score in budget["presets"].items():
            gain = budget["differences"].get(preset)
            row: dict[str, object] = {"labels": budget["labels"] or "all", "preset": preset}
            row[f"{comparison['unit']}, {comparison['split']}"] = _mean_and_deviation(score["mean"], score["deviation"])
            row["difference"] = _interval(gain) if gain else None
            row["cost"] = f"{gain['cost']:.1f} x" if gain else None
            rows.append(row)
    print_table(rows)
    for line in (*comparison["notes"], comparison["verdict"]):
        output().print(line, markup=False, highlight=False, soft_wrap=True)


def show_measurements(measured: Sequence[RunMeasurement], split: str) -> None:
    """Print finished runs side by side, with the speed of each relative to the first."""
    rows: list[dict[str, object]] = []
    first = measured[0].characters_per_second
    for each in measured:
        row: dict[str, object] = {"run": each.run, "made by": each.made_by, split: or_dash(each.score)}
        row["characters a CPU second"] = round(each.characters_per_second)
        row["speed"] = f"{each.characters_per_second / first:.1f} x"
        row["MB"] = round(each.megabytes)
        row["memory, MiB"] = DASH if each.memory is None else each.memory
        rows.append(row)
    print_table(rows)


def show_upload(planned: Upload) -> None:
    """Print what a push would send: files with sizes, files that stay local, and the card."""
    sizes = planned.sizes
    rows: list[dict[str, object]] = [{"file": path, "bytes": size} for path, size in sorted(sizes.items())]
    print_table([*rows, {"file": f"{len(sizes)} files", "bytes": sum(sizes.values())}])
    local = dict.fromkeys(path.partition("/")[0] for path in planned.left_out)
    if local:
        output().print(
            f"not sent: {escape_controls(', '.join(local))}\n", markup=False, highlight=False, soft_wrap=True
        )
    card = "\n".join(map(escape_controls, planned.card.splitlines()))
    output().print(f"{CARD}:\n\n{card}", markup=False, highlight=False, soft_wrap=True)


def _mean_and_deviation(mean: float, deviation: float | None) -> str:
    return f"{mean:.1f}" + ("" if deviation is None else f" ± {deviation:.1f}")


def _interval(gain: dict[str, float | None]) -> str:
    ends = "" if gain["low"] is None else f" ({gain['low']:.1f} to {gain['high']:.1f})"
    return f"{gain['mean']:+.1f}{ends}"
