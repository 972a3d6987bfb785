"""The model card of a run: what it was made from and what it scores. It holds no text of any document."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from electra_ie.recipe import Recipe
from electra_ie.task import Task

STOCK = {
    "spans": "AutoModelForTokenClassification",
    "classes": "AutoModelForSequenceClassification",
    "flags": "AutoModelForSequenceClassification",
}


def model_card(task: Task, recipe: Recipe, summary: Mapping[str, Any], scores: Mapping[str, Any]) -> str:
    """Markdown. `summary` and `scores` as training writes them to scores.json (`scores` empty without a dev split)."""
    budget, pool = summary["labelled"], summary["unlabelled"]
    lines = [
        f"# {task.name}, {recipe.preset}",
        "",
        task.description,
        "",
        f"Trained by electra_ie {version('electra_ie')} on the encoder `{recipe.encoder}`, seed {recipe.seed}: "
        f"{budget['documents']} labelled documents ({budget['windows']} windows), {pool['documents']} unlabelled, "
        f"{summary['steps']} steps, {summary['seconds']} s. Every setting stands in `run.yaml`; "
        "`electra-ie train` with `--recipe run.yaml` repeats the run.",
        "",
        "| field | kind | labels | score on dev |",
        "| --- | --- | --- | --- |",
    ]
    for field in task.fields:
        known = scores.get(field.name)
        score = (
            f"{known['main']} {known[known['main']]:.3f} on {known['documents']} documents" if known else "no dev split"
        )
        lines.append(f"| {field.name} | {field.kind} | {', '.join(field.labels)} | {score} |")
    lines += ["", "## Loading", "", "Each field is a folder of its own.", "", "```python"]
    if recipe.pooling == "mean" and any(field.kind != "spans" for field in task.fields):
        lines.append("import electra_ie.pooling  # registers the class of the fields that judge whole texts")
    lines.append(f"from transformers import {', '.join(sorted({STOCK[field.kind] for field in task.fields}))}")
    lines += [f'{field.name} = {STOCK[field.kind]}.from_pretrained("{field.name}")' for field in task.fields]
    lines += ["```", ""]
    if recipe.pooling == "mean" and any(field.kind != "spans" for field in task.fields):
        lines += [
            "Fields of kind classes and flags pool by the mean of the states, which the encoder's stock class cannot "
            "express: they need `electra_ie` installed, and stock transformers refuses them. Fields of kind spans are "
            "stock folders.",
            "",
        ]
    if any(field.kind == "spans" for field in task.fields):
        lines += ["Spans are BIO tags: spans of one field that overlap cannot be found.", ""]
    return "\n".join(lines)
