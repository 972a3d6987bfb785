"""Saving and loading the models of a finished run: one stock transformers folder per field."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from electra_ie.common.errors import UserError
from electra_ie.common.files import MODEL_FILES, write
from electra_ie.common.hashing import of_file, of_sums
from electra_ie.data.anchored.marked_spans import SpanRules
from electra_ie.data.anchored.rules import RULES
from electra_ie.data.fields import AnchoredField, Field
from electra_ie.data.span_boundaries import BoundaryRules, edges_from
from electra_ie.data.windowing import WindowTokenizer
from electra_ie.models.discriminator import Discriminator
from electra_ie.models.encoders import load_tokenizer, max_length
from electra_ie.models.loading import check_saved, labels_differ
from electra_ie.models.untrusted import CONFIG
from electra_ie.runs.layout import check_models, load_task, refuse_links

RESTORE = "Restore the file, or train the run again."


def save_fields(
    run: Path, discriminator: Discriminator, windower: WindowTokenizer, edges: Mapping[str, BoundaryRules]
) -> None:
    """Save the discriminator: a stock transformers folder for each field, with its tokenizer, and one config.json.

    The `electra_ie` block of each field's config records how texts are cut into windows and how tags are decoded.

    edges: the span boundary rules of each field of spans.
    """
    windows = {
        "window": windower.size,
        "context_overlap": windower.context_overlap,
        "whole_words": windower.whole_words,
    }
    metadata = {field.name: dict[str, Any](windows) for field in discriminator.fields}
    for field in discriminator.fields:
        if field.kind == "spans":
            metadata[field.name]["edges"] = asdict(edges[field.name])
    discriminator.write(run, windower.tokenizer, metadata)


def load_run(
    run: str | os.PathLike[str],
) -> tuple[Discriminator, WindowTokenizer, tuple[Field, ...], dict[str, BoundaryRules]]:
    """Load a finished run: discriminator, window tokenizer, fields, and the span boundary rules of each span field.

    Reads only files in the folder of the run. Raises UserError for a missing, altered or unsafe file.
    """
    folder = Path(run)
    refuse_links(folder)
    fields = load_task(folder).fields
    check_models(folder, fields)
    discriminator = Discriminator.from_pretrained(folder)
    saved = {field.name: field for field in discriminator.fields}
    for field in fields:
        if field.name not in saved:
            raise labels_differ(folder / field.name, field)
        check_saved(folder / field.name, field, saved[field.name])
    windower = _load_windower(folder / fields[0].name, discriminator)
    spans = [field for field in fields if field.kind == "spans"]
    edges = {field.name: _edges(folder / field.name, discriminator.head(field).model.config) for field in spans}
    return discriminator, windower, fields, edges


def load_anchored(run: Path, field: AnchoredField) -> tuple[Discriminator, WindowTokenizer, SpanRules[Any]]:
    """Load the model of a field that is anchored to spans: discriminator, window tokenizer, and what it considers.

    Raises UserError for a missing, altered or unsafe file.
    """
    kind = RULES[field.kind]
    folder, of_classes = run / field.name, kind.classes(field)
    check_models(run, [of_classes])
    discriminator = Discriminator.from_stock(folder, of_classes)
    config = discriminator.head(of_classes).model.config
    try:
        rules = kind.from_dict(config.electra_ie[kind.unit])
    except (AttributeError, TypeError, KeyError, ValueError) as error:
        message = f"config.json lacks valid rules of {kind.unit} ({kind.unit} in the block electra_ie)."
        raise UserError(message, file=folder, remedy=RESTORE) from error
    return discriminator, _load_windower(folder, discriminator), rules


def add_anchored(run: Path, trained: Path, field: AnchoredField, rules: SpanRules[Any]) -> None:
    """Move the model of a field from the run that trained it into the run that it belongs to."""
    folder = trained / field.name
    if not folder.exists():  # it was moved before the process was killed
        return
    config = json.loads((folder / CONFIG).read_text("utf-8"))
    config["electra_ie"] |= {"kind": field.kind, rules.unit: rules.as_dict}
    write(folder / CONFIG, json.dumps(config, indent=2) + "\n")
    shutil.rmtree(run / field.name, ignore_errors=True)
    os.replace(folder, run / field.name)


def _load_windower(folder: Path, discriminator: Discriminator) -> WindowTokenizer:
    """Load the window tokenizer from the folder of the first field. Raises UserError for invalid window settings."""
    tokenizer = load_tokenizer(str(folder))
    config = discriminator.head(discriminator.fields[0]).model.config
    block = getattr(config, "electra_ie", None)
    limit = max_length(tokenizer, discriminator.encoder.config)
    try:
        window, context_overlap, whole_words = (block[name] for name in ("window", "context_overlap", "whole_words"))  # type: ignore[index]
        if not (0 < window <= limit and 0 <= context_overlap < window and isinstance(whole_words, bool)):
            raise ValueError
        return WindowTokenizer(tokenizer, window, context_overlap, whole_words)
    except (TypeError, KeyError, ValueError) as error:
        message = f"config.json lacks valid window settings of at most {limit} tokens (block electra_ie)."
        raise UserError(message, file=folder, remedy=RESTORE) from error


def _edges(folder: Path, config: Any) -> BoundaryRules:
    """Return the span boundary rules in a field's config. Raises UserError if they are missing or invalid."""
    try:
        return edges_from(config.electra_ie["edges"])
    except (AttributeError, TypeError, KeyError, ValueError) as error:
        message = "config.json lacks valid span boundary rules (edges in the block electra_ie)."
        raise UserError(message, file=folder, remedy=RESTORE) from error


def model_files(run: Path, fields: Sequence[str]) -> dict[str, str]:
    """Return the SHA-256 of every model file of a run, by `<field>/<file>`.

    All files that a loader may read are included, not only those that training wrote: a file added later can change
    the predictions too.
    """
    files = {file for name in fields for pattern in MODEL_FILES for file in (run / name).glob(pattern)}
    return {file.relative_to(run).as_posix(): of_file(file) for file in sorted(files) if file.is_file()}


def fields_sum(run: Path, fields: Sequence[Field]) -> str:
    """Return the hash of the models of the fields of a run, without those of relations: what a calibration fits."""
    return of_sums(model_files(run, [field.name for field in fields]))
