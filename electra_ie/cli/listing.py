"""What `tasks`, `train` and `evaluate` print: tables of tasks and of scores."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from electra_ie.cli.tables import DASH, or_dash, print_table, score_table
from electra_ie.common.files import CARD
from electra_ie.common.logs import notice
from electra_ie.common.progress import escape_controls, output
from electra_ie.data.fields import count_labels
from electra_ie.data.task import Task
from electra_ie.data.task_yaml import list_tasks
from electra_ie.runs.layout import COMPARED, PRETRAINING

if TYPE_CHECKING:
    from electra_ie.runs.upload import Upload

ALSO = ("precision", "recall", "accuracy", "f1", "macro_f1", "micro_f1", "exact")
"""The numbers of a field that are shown beside its main one."""


def list_all() -> None:
    """A line for each shipped task."""
    rows = []
    for name in list_tasks():
        task = Task.load(name)
        rows.append(
            {
                "task": name,
                "fields": ", ".join(f"{field.name} ({field.kind}, {len(field.labels)})" for field in task.fields),
                "splits": ", ".join(task.splits),
                "data": "here" if task.folder.is_dir() else "give --data",
                "what": task.description,
            }
        )
    print_table(rows)
    notice("One of them in full: electra-ie tasks NAME. Any other: electra-ie train path/to/task.yaml")


def show(name: str) -> None:
    """One task: what it is, its fields, how much there is of each label, and its card."""
    task = Task.load(name)
    output().print(f"{task.name}: {task.description}", markup=False, highlight=False)
    print_table([{"field": field.name, "kind": field.kind, "labels": ", ".join(field.labels)} for field in task.fields])
    if not task.folder.is_dir():
        notice(f"its files are not at {task.folder}: give their folder with --data when training")
    else:
        _sizes(task)
    card = task.card
    output().print(f"data card: {card or 'none'}", markup=False, highlight=False, soft_wrap=True)


def _sizes(task: Task) -> None:
    """Documents, characters and labels of each split."""
    read = task.read_splits(task.splits)
    rows: list[dict[str, Any]] = [
        {
            "split": split,
            "documents": len(documents),
            "labelled": sum(bool(document.gold) for document in documents),
            "characters": sum(len(document.text) for document in documents),
        }
        for split, documents in read.items()
    ]
    print_table(rows)
    for field in task.fields:
        counts = {
            split: count_labels(field, (each.gold[field.name] for each in documents if field.name in each.gold))
            for split, documents in read.items()
            if split != "unlabeled"
        }
        labels = [*field.labels, *(["(none)"] if field.kind == "flags" else [])]
        print_table(
            [{field.name: label, **{split: count[label] for split, count in counts.items()}} for label in labels]
        )


def show_scores(scores: Mapping[str, Mapping[str, Any]], split: str) -> None:
    """The scores of a split: one line a field, then its labels; nothing where there are none."""
    if not scores:
        return
    rows = []
    for name, each in scores.items():
        others = [key for key in ALSO if key in each and key != each["main"]]
        shown = ", ".join(f"{key} {DASH if each[key] is None else format(each[key], '.3f')}" for key in others)
        rows.append(
            {
                "field": name,
                "score": each["main"],
                split: or_dash(each[each["main"]]),
                "documents": each["documents"],
                "gold": each.get("support"),  # these three are absent in scores of an earlier version
                "found": each.get("found"),
                "false": each.get("false"),
                "also": shown,
            }
        )
    print_table(rows)
    if bare := [name for name, each in scores.items() if each[each["main"]] is None]:
        notice(f"no score of {', '.join(bare)}: no document of {split} has a label of it. False findings are counted.")
    for name, each in scores.items():
        score_table(each["labels"], title=f"{name}, {split}")


def show_pretraining(folder: Path) -> None:
    """What an encoder was trained on, and how it does on held-out text."""
    from electra_ie.pretraining.model_card import WORDS

    summary = json.loads((folder / PRETRAINING).read_text("utf-8"))
    rows: list[dict[str, object]] = [
        {"": "steps", "value": summary["steps"]},
        {"": "tokens", "value": summary["tokens"]},
        {"": "passes over the text", "value": summary["passes"]},
        {"": "tokens per second", "value": summary["tokens_per_second"] or DASH},
        {"": "peak memory, MiB", "value": DASH if summary["peak_memory_mib"] is None else summary["peak_memory_mib"]},
    ]
    rows += [{"": f"{WORDS[name]}, held-out", "value": or_dash(value)} for name, value in summary["held_out"].items()]
    print_table(rows)


def show_comparison(folder: Path) -> None:
    """Scores of the presets by label budget, their difference and cost, what else is to know, and the verdict."""
    found = json.loads((folder / COMPARED).read_text("utf-8"))
    rows = []
    for budget in found["budgets"]:
        for preset, score in budget["presets"].items():
            gain = budget["differences"].get(preset)
            row: dict[str, object] = {"labels": budget["labels"] or "all", "preset": preset}
            row[f"{found['unit']}, {found['split']}"] = _between(score["mean"], score["deviation"])
            row["difference"] = _interval(gain) if gain else None
            row["cost"] = f"{gain['cost']:.1f} x" if gain else None
            rows.append(row)
    print_table(rows)
    for line in (*found["notes"], found["verdict"]):
        output().print(line, markup=False, highlight=False, soft_wrap=True)


def show_upload(planned: Upload) -> None:
    """What a push would send: files and sizes, what stays here, and the card as it would be seen."""
    sizes = planned.sizes
    rows: list[dict[str, object]] = [{"file": path, "bytes": size} for path, size in sorted(sizes.items())]
    print_table([*rows, {"file": f"{len(sizes)} files", "bytes": sum(sizes.values())}])
    stay = dict.fromkeys(path.partition("/")[0] for path in planned.left_out)
    if stay:
        output().print(
            f"stays here: {escape_controls(', '.join(stay))}\n", markup=False, highlight=False, soft_wrap=True
        )
    card = "\n".join(map(escape_controls, planned.card.splitlines()))
    output().print(f"{CARD}:\n\n{card}", markup=False, highlight=False, soft_wrap=True)


def _between(mean: float, deviation: float | None) -> str:
    return f"{mean:.1f}" + ("" if deviation is None else f" ± {deviation:.1f}")


def _interval(gain: dict[str, float | None]) -> str:
    ends = "" if gain["low"] is None else f" ({gain['low']:.1f} to {gain['high']:.1f})"
    return f"{gain['mean']:+.1f}{ends}"
