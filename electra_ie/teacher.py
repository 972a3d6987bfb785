"""The teacher of a run: what is logged of it, and a finished run of control that becomes one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from electra_ie.discriminator import Discriminator
from electra_ie.errors import UserError
from electra_ie.persistence import Progress, differences, load_run, load_task
from electra_ie.recipe import Recipe
from electra_ie.run_files import CORPUS, RECIPE, is_finished, parse, read_log, read_scores
from electra_ie.task import Task

Rows = Sequence[Mapping[str, Any]]


def take_over(run: Path, task: Task, recipe: Recipe, corpus: str) -> tuple[Discriminator, Progress, Rows]:
    """The discriminator of a finished run, how far it came, and its log.

    recipe: what the teacher would be trained with. corpus: the hash of what it would learn from. Raises UserError where
    the run is another than that.
    """
    remedy = "Give the run of control with the same labels, seed and settings; or leave --teacher out: one is trained."
    if not (run / RECIPE).is_file() or not is_finished(run):
        raise UserError("there is no finished run to be the teacher.", file=run, remedy=remedy)
    made = Recipe.build(run / RECIPE)
    of_no_account = {name: getattr(recipe, name) for name in ("task", "data", "include_examples", *Recipe.OF_THE_GAME)}
    other = differences(replace(made, **of_no_account), recipe)
    known = run / CORPUS
    if not known.is_file() or parse(known.read_bytes(), known).get("hash") != corpus:
        other.append("the texts or their labels")
    if load_task(run).fields != task.fields:
        other.append("the fields of the task")
    if other:
        raise UserError(f"this run cannot be the teacher, it differs in {', '.join(other)}.", file=run, remedy=remedy)
    rows, told = read_log(run), read_scores(run)["training"]
    best = [row["dev"]["mean"] for row in rows if row.get("best")]
    reached = Progress(told["steps"], told["best_step"], best[-1] if best else None)
    return load_run(run)[0], reached, [*rows, row_of_the_end(reached.step, told.get("collapsed"))]


def row_of_the_end(step: int, collapsed: Mapping[str, Any] | None) -> dict[str, Any]:
    """The last row of a teacher's log."""
    return {"step": step, "collapsed": collapsed}


def row_of(rows: Rows) -> dict[str, Any]:
    """What a run's log says of the teacher whose log this is: step 0, the best dev scores, whether it collapsed, the
    time it took."""
    scored = [row for row in rows if row.get("best")]
    return {
        "step": 0,
        "seconds": max((row.get("seconds", 0.0) for row in rows), default=0.0),
        "seconds_scoring": sum(row.get("seconds_scoring", 0.0) for row in rows),
        **({"teacher": scored[-1]["dev"]} if scored else {}),
        "collapsed": rows[-1]["collapsed"],
    }


def told_of(rows: Rows) -> dict[str, Any]:
    """Dev scores of the teacher, if there are any, and what it collapsed by, from the log of the run that it taught."""
    found = {"dev": rows[0].get("teacher"), "collapsed": rows[0]["collapsed"]}
    return {name: value for name, value in found.items() if value}
