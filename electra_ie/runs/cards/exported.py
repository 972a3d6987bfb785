"""The card of an exported model: what was exported from which run, how both compare, and how to load it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from electra_ie.calibration.stored import Calibration
from electra_ie.common.export_files import EXPORT_MODEL, export_files
from electra_ie.common.files import CALIBRATION
from electra_ie.common.hashing import SHOWN, WEIGHTS
from electra_ie.data.fields import ANCHORED_KINDS
from electra_ie.data.task import Task
from electra_ie.runs.cards.anchored import anchored_lines
from electra_ie.runs.cards.calibration import calibration_lines
from electra_ie.runs.cards.data import data_lines
from electra_ie.runs.cards.distillation import distillation_lines
from electra_ie.runs.cards.facts import RunSummary
from electra_ie.runs.cards.limits import OF_AN_EXPORT, limits_of
from electra_ie.runs.cards.markdown import joined, plain
from electra_ie.runs.cards.metadata import exported_front_matter
from electra_ie.runs.cards.origin import made_by, training_lines
from electra_ie.runs.cards.records import record_lines
from electra_ie.runs.cards.scores import field_lines, score_lines
from electra_ie.runs.export_audit import read_export_audit
from electra_ie.runs.layout import AUDIT, SCORES, SETTINGS, load_task

WEIGHT_FORMS = {
    32: "32-bit floating point, as in the run",
    8: "8 bits for the matrices, with a scale for each block of 32 weights; activations in 32-bit floating point",
}
FORMATS = {
    32: "ONNX, operator set {}",
    8: "ONNX, operator set {}, and the operator MatMulNBits of onnxruntime",
}


def exported_card(folder: Path, run: Path) -> str:
    """Return the card of an exported model as Markdown with the Hub's metadata.

    Args:
        folder: The folder of the exported model, with its audit.
        run: The folder of its run. Scores, limits and data are shown if the run has scores and an audit, which models
            that were saved without a run have not.
    """
    audit, task = read_export_audit(folder), load_task(folder)
    facts = RunSummary.read(run) if all((run / name).is_file() for name in (AUDIT, SCORES, SETTINGS)) else None
    if facts and (folder / CALIBRATION).is_file():
        facts = replace(facts, promises=Calibration.of_file(folder / CALIBRATION).promises)
    what, export, fields = _what(task, audit, facts), _export(audit, export_size(folder)), field_lines(task)
    sections = [what, fields, export, *_of_run(audit, facts), _loading(), _hashes(audit)]
    front = exported_front_matter(task.fields, facts.training if facts else {}, facts.data_card if facts else None)
    return front + joined(sections)


def export_size(folder: Path) -> float:
    """Return the size of the models of an exported model, in units of 10^6 bytes."""
    models = [folder / name for name in export_files(folder) if name.endswith(EXPORT_MODEL)]
    return round(sum(file.stat().st_size for file in models) / 1e6, 1)


def _what(task: Task, audit: Mapping[str, Any], facts: RunSummary | None) -> Iterator[str]:
    """Yield title and summary, with the training of the run."""
    bits = f", {audit['export']['bits']} bits" if audit["export"]["bits"] != max(WEIGHT_FORMS) else ""
    yield f"# {plain(task.name)}{f', {made_by(facts)}' if facts else ''}, exported to ONNX{bits}"
    yield ""
    if task.description:
        yield plain(task.description)
        yield ""
    yield (
        f"Exported by electra_ie {audit['code']['electra_ie']} from the run with the model "
        f"`{audit['run']['model'][:SHOWN]}`. It runs on a CPU in onnxruntime, without torch and transformers. "
        f"Model `{audit['model'][:SHOWN]}`."
    )


def _export(audit: Mapping[str, Any], size: float) -> Iterator[str]:
    """Yield the section on the form of the model and its comparison with the run. size: in units of 10^6 bytes."""
    export, compared = audit["export"], audit["comparison"]
    yield "## Export"
    yield ""
    yield "| property | value |"
    yield "| --- | --- |"
    yield f"| format | {FORMATS[export['bits']].format(export['opset'])} |"
    yield f"| weights | {WEIGHT_FORMS[export['bits']]} |"
    yield f"| size | {size:.1f} MB |"
    yield f"| made with | {', '.join(f'{name} {version}' for name, version in export['made_with'].items())} |"
    yield f"| texts on which it was compared with the run | {compared['texts']:,} |"
    yield f"| largest difference of a logit | {compared['largest']:.1e} |"
    yield f"| largest difference of a score | {compared['largest_score']:.1e} |"
    yield f"| texts with other findings | {compared['other_findings']:,} |"
    yield f"| texts with the same findings, but a score that rounds differently | {compared['other_scores']:,} |"
    decided = "texts with the same findings, of which one is on the other side of a threshold"
    yield f"| {decided} | {compared['other_decisions']:,} |"
    yield f"| texts with other findings alone than among others | {compared['other_alone']:,} |"
    if export["bits"] == max(WEIGHT_FORMS):
        return
    yield ""
    if not audit["f1_lost"]:
        yield "The F1 that 8 bits lose was not measured: no labeled documents of dev were available."
        return
    yield "F1 points that it has less than the run on dev (negative: more):"
    yield ""
    yield "| field | label | F1 lost |"
    yield "| --- | --- | ---: |"
    for field, labels in audit["f1_lost"].items():
        yield from (f"| {field} | {plain(label)} | {100 * lost:+.1f} |" for label, lost in labels.items())


def _of_run(audit: Mapping[str, Any], facts: RunSummary | None) -> list[Iterable[str]]:
    """Return the sections that an exported model has of its run."""
    if facts is None:
        return [["The training data and the scores of the run are not recorded here."]]
    training = ("## Run", "", *training_lines(facts))
    limits = limits_of(facts, audit["model"], OF_AN_EXPORT)
    scores = score_lines(facts, "Scores of the run")
    anchored = [anchored_lines(facts, kind, exported=True) for kind in ANCHORED_KINDS]
    of_scores = [scores, calibration_lines(facts), *anchored, record_lines(facts)]
    return [training, distillation_lines(facts), *of_scores, limits, data_lines(facts)]


def _loading() -> Iterator[str]:
    yield "## Loading"
    yield ""
    yield "In a shell, with this folder or its name on the Hub:"
    yield ""
    yield "```sh"
    yield 'pip install "electra_ie[onnx]"'
    yield "electra-ie extract . inbox/ --output findings.jsonl"
    yield "```"
    yield ""
    yield "In Python:"
    yield ""
    yield "```python"
    yield "import electra_ie"
    yield ""
    yield 'extractor = electra_ie.ExportedExtractor.from_pretrained(".")  # or "ORG/NAME", revision="COMMIT"'
    yield 'findings = extractor("...")'
    yield "```"
    yield ""
    yield (
        "An installation without torch: the packages of `requirements-onnx.txt`, and `pip install --no-deps "
        "electra_ie`. Stock onnxruntime loads `model.onnx` too; windows of tokens and the decoding of spans are those "
        "of electra_ie, by `export.json`."
    )


def _hashes(audit: Mapping[str, Any]) -> Iterator[str]:
    bits = audit["export"]["bits"]
    yield "## Reproduction and verification"
    yield ""
    yield "```"
    yield f"# RUN: the run with the model {audit['run']['model'][:SHOWN]}"
    yield f"electra-ie export RUN --to onnx{f' --bits {bits}' if bits != max(WEIGHT_FORMS) else ''} --output again"
    yield "electra-ie verify .        # compares this folder with its audit.json"
    yield "sha256sum model.onnx       # as below"
    yield "```"
    yield ""
    yield "| file | SHA-256 |"
    yield "| --- | --- |"
    for name, value in audit["weights"].items():
        yield f"| `{name}` | `{value}` |"
    for name, value in audit["run"]["weights"].items():
        if name.endswith(WEIGHTS):
            yield f"| `{name}` of the run | `{value}` |"
