"""The section of a card on training the model again, and on the hashes of its weights."""

from __future__ import annotations

from collections.abc import Iterator

from electra_ie.common.hashing import SHOWN, WEIGHTS
from electra_ie.models.encoders import INSTALL_COMMANDS
from electra_ie.runs.cards.distillation import distill_command
from electra_ie.runs.cards.facts import RunSummary


def reproduction_lines(facts: RunSummary) -> Iterator[str]:
    """Yield the section with the commands that train the model again, and the hashes of its weights."""
    audit, training = facts.audit, facts.training
    environment = audit["environment"]
    yield "## Reproduction and verification"
    yield ""
    shipped = facts.data_card is not None
    task = facts.task.name if shipped else "path/to/task.yaml"
    data = " --data path/to/data" if facts.data_card and not facts.data_card.shipped else ""
    versions = [f"{name}=={environment[name].partition('+')[0]}" for name in ("torch", "transformers")]
    yield "```"
    yield f"pip install electra_ie=={audit['code']['electra_ie']} {' '.join(versions)}"
    if command := INSTALL_COMMANDS.get(facts.settings.encoder):
        yield command
    if distillation := training.get("distillation"):
        yield f"# TEACHER: the run with the model {distillation['teacher'][:SHOWN]}; run.yaml has all settings"
        yield distill_command(distillation, data)
    else:
        yield f"electra-ie train {task}{data} --settings run.yaml --output again"
    yield "electra-ie verify .                    # compares this folder with its audit.json"
    yield "sha256sum again/*/model.safetensors    # as below, on the same kind of CPU"
    yield "```"
    yield ""
    seconds = training["seconds"] + training["seconds_scoring"]
    revision = f", revision `{audit['revision']}`" if audit["revision"] else ""
    yield (
        f"Trained in {seconds:,.0f} s on {environment['device']} (processes: {training['processes']}, threads: "
        f"{training['threads']}); {environment['platform']}, Python {environment['python']}{revision}."
    )
    yield ""
    yield "| weights | SHA-256 |"
    yield "| --- | --- |"
    for name, value in audit["weights"].items():
        if name.endswith(WEIGHTS):
            yield f"| `{name}` | `{value}` |"
