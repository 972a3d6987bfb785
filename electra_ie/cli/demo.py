"""What `make demo` runs: the whole path on the shipped task, in one process. A few minutes on two cores."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from electra_ie.cli.tables import or_dash, print_table, show_finding
from electra_ie.common.errors import UserError
from electra_ie.common.logs import use_cli_format
from electra_ie.common.progress import output
from electra_ie.data.task_yaml import shipped

TASK, LABELS, SEED = "transaction_risk", 60, 0
STEPS = 160
"""About half of what the recipe would take here, so that nobody waits long."""
PRESETS = ("supervised", "adversarial")
FOLDER = Path("runs/demo")


def main() -> None:
    """Train both presets, score them on test, extract from the shipped inbox, and show what came of it."""
    from electra_ie.api import evaluate, extract, train

    shutil.rmtree(FOLDER, ignore_errors=True)
    rows: list[dict[str, Any]] = []
    for preset in PRESETS:
        teacher = FOLDER / PRESETS[0] if rows else None
        run = train(
            TASK,
            FOLDER / preset,
            label_budget=LABELS,
            seed=SEED,
            preset=preset,
            teacher=teacher,
            overrides=[f"max_steps={STEPS}"],
        )
        scores = evaluate(run)
        spent = json.loads((run / "scores.json").read_text("utf-8"))["training"]
        numbers = {f"{name} ({each['main']})": or_dash(each[each["main"]]) for name, each in scores.items()}
        rows.append({"preset": preset, **numbers, "steps": spent["steps"], "training, s": spent["seconds"]})
    inbox = shipped("tasks") / TASK / "inbox"
    findings, page = FOLDER / "findings.jsonl", FOLDER / "findings.html"
    extract(FOLDER / PRESETS[-1], [inbox], findings, page)
    print_table(rows, title=f"{TASK}: {LABELS} labelled records, seed {SEED}, scores on the test split")
    show_examples(findings)
    for what, where in (
        ("findings", findings),
        ("page", page),
        ("plots", f"{FOLDER}/*/curves.png, {FOLDER}/*/test_*.png"),
        ("model", f"{FOLDER}/{PRESETS[-1]}"),
    ):
        output().print(f"{what:>9}  {where}", markup=False, highlight=False)


def show_examples(findings: Path, number: int = 3) -> None:
    """The surest finding of each of the first labels to come up, in its context."""
    best: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
    for line in findings.read_text("utf-8").splitlines():
        record = json.loads(line)
        for finding in record["findings"]:
            known = best.get(finding["label"])
            if finding["end"] - finding["start"] < 80 and (known is None or finding["score"] > known[1]["score"]):
                best[finding["label"]] = record, finding
    for record, finding in list(best.values())[:number]:
        with open(record["file"], encoding="utf-8", newline="") as file:
            show_finding(Path(record["file"]).name, finding, file.read())


if __name__ == "__main__":
    use_cli_format()
    try:
        main()
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
