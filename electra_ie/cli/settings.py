"""Tables of all settings and presets, for the terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from electra_ie.cli.tables import print_table
from electra_ie.common.errors import UserError, nearest
from electra_ie.config.base import LOSS_FIELDS, BaseSettings
from electra_ie.config.pretrain import PretrainSettings
from electra_ie.config.train import TrainSettings

COMMANDS: Mapping[str, type[BaseSettings]] = {"train": TrainSettings, "pretrain": PretrainSettings}
"""The commands that have settings."""

HEAD = """# Settings

All settings of `electra-ie train` and `electra-ie pretrain`. Set one with `--set key=value`, several with
`--settings FILE`, a YAML file such as the `run.yaml` of a run. An option of the command line has precedence over the
file, and `--set` over both. `--set generator.mlm=0.5` sets the weight of one loss term.

A setting without a default is derived from the data or the encoder. The `run.yaml` of a run contains the derived value
and, in a comment, the rule. `null` stands for "not set".

This page is generated: `electra-ie settings --markdown > docs/settings.md`.
"""


def show_settings(command: str | None = None) -> None:
    """Print the settings and the presets of a command, or of all commands.

    Raises:
        UserError: the command has no settings.
    """
    if command is not None and command not in COMMANDS:
        raise UserError(f'"{command}" has no settings.', remedy=nearest(command, COMMANDS))
    for name in [command] if command else COMMANDS:
        settings = COMMANDS[name]
        rows = [
            {"setting": row.name, "default": row.default, "meaning": f"{row.meaning} [{row.values}]"}
            for row in settings.rows()
        ]
        print_table(rows, title=f"Settings of electra-ie {name}")
        print_table(list(preset_rows(settings)), title=f"Loss terms by {settings.preset_field}")


def preset_rows(settings: type[BaseSettings]) -> Iterator[dict[str, str]]:
    """Yield the name of each preset and, for each model, its loss terms with their weights."""
    for preset, terms in settings.presets.items():
        row = {settings.preset_field: preset}
        for model in LOSS_FIELDS:
            row[model] = ", ".join(f"{term} {weight:g}" for term, weight in terms[model].items()) or "none"
        yield row


def settings_markdown() -> str:
    """Return the page docs/settings.md: the settings and presets of all commands."""
    parts = [HEAD]
    for command, settings in COMMANDS.items():
        rows = [
            [f"`{row.name}`", f"`{row.default}`" if row.default else "", row.meaning, row.values]
            for row in settings.rows()
        ]
        preset_cells = [[f"`{name}`", *cells] for name, *cells in map(dict.values, preset_rows(settings))]
        parts += [
            f"## {command}\n",
            _table(["setting", "default", "meaning", "values"], rows),
            f"### Loss terms by `{settings.preset_field}`\n",
            _table([settings.preset_field, *LOSS_FIELDS], preset_cells),
        ]
    return "\n".join(parts)


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [names, ["---"] * len(names), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
