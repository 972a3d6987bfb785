"""The manifest of a job: what is read, by which model, with which options, how far it is, and what is written."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from electra_ie.common.errors import UserError
from electra_ie.common.files import atomic_path, parse

LAYOUT = 1
"""The version of the layout of a manifest."""
OVERWRITE = "Give another --output, or --overwrite to write it again."
COUNTS = ("documents", "characters", "windows", "findings", "left_out", "errors", "to_review", "dropped")
"""What is counted; left_out: the findings that do not pass the filters; the last two: what thresholds leave for review
or drop. `relations`, how many of the findings are relations, is only there if some are."""


@dataclass
class Manifest:
    """The manifest of a job.

    Attributes:
        version: The version of this package.
        model: The hash of the model.
        options: What decides the content of the output: format, filters, names of keys.
        inputs: What is read (`inputs.Inputs`).
        finished: Whether everything is read and written.
        chunks: The number of chunks that are written.
        digest: A hash of the content of these chunks.
        counts: The counts of `COUNTS`.
        sizes: The bytes of each file of an unfinished job that are valid.
        outputs: Size and SHA-256 of each file that is written, by path; of a finished job.
        layout: The version of the layout.
    """

    version: str
    model: str | None
    options: dict[str, Any]
    inputs: dict[str, Any]
    finished: bool = False
    chunks: int = 0
    digest: str = ""
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    sizes: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    layout: int = LAYOUT

    @classmethod
    def read(cls, file: Path) -> Manifest | None:
        """Return the manifest in a file, or None if there is no file.

        Raises:
            UserError: It is damaged, or of another version of this package.
        """
        if not file.is_file():
            return None
        try:
            values = parse(file.read_bytes(), file)
        except UserError as error:
            raise UserError("this manifest is damaged.", file=file, remedy=OVERWRITE) from error
        if values.get("layout") != LAYOUT or values.keys() != {each.name for each in fields(cls)}:
            raise UserError("this manifest is of another version of electra_ie.", file=file, remedy=OVERWRITE)
        manifest = cls(**values)
        now = cls("", "", {}, {})  # a model may have no hash
        if any(type(value) is not type(getattr(now, name)) for name, value in values.items() if name != "model"):
            raise UserError("this manifest is damaged.", file=file, remedy=OVERWRITE)
        return manifest

    def write(self, file: Path) -> None:
        """Write the manifest: after this, it is on the disk."""
        with atomic_path(file) as part, part.open("w", encoding="utf-8", newline="\n") as stream:
            stream.write(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n")
            stream.flush()
            os.fsync(stream.fileno())

    def check_same(self, now: Manifest, output: Path) -> None:
        """Raise UserError if a job of the same output has another model, other options or other inputs."""
        if reason := self._difference(now):
            raise UserError(f"this output was begun or written {reason}.", file=output, remedy=OVERWRITE)

    def _difference(self, now: Manifest) -> str:
        if self.version != now.version:
            return f"by version {self.version} of electra_ie, and this is {now.version}"
        if self.model != now.model:
            return f"by the model {self.model}, and the run has {now.model}"
        for name, value in now.options.items():
            if self.options.get(name) != value:
                return f"with {name} {_shown(self.options.get(name))}, and now it is {_shown(value)}"
        return f"from other inputs: {_changed(self.inputs, now.inputs)}" if self.inputs != now.inputs else ""


def _shown(value: Any) -> str:
    return "not set" if value in (None, [], "") else json.dumps(value, ensure_ascii=False)


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return one difference between two lists of files."""
    old, new = ({row[0]: row[1:] for row in inputs["files"]} for inputs in (before, now))
    if before["number"] != now["number"] or not (old and new):
        return f"{before['number']:,} files of {before['bytes']:,} bytes, and now {now['number']:,} of {now['bytes']:,}"
    name = next((name for name in new if old.get(name) != new[name]), "")
    return f"{name} has changed" if name in old else f"{name} is new" if name else "their order has changed"
