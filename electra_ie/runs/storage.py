"""The models of a finished run: a stock folder a field."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from electra_ie.common.errors import UserError
from electra_ie.common.files import MODEL_FILES
from electra_ie.common.hashing import of_file
from electra_ie.data.fields import Field
from electra_ie.data.span_boundaries import Edges, edges_from
from electra_ie.data.windowing import WindowTokenizer
from electra_ie.models.discriminator import Discriminator
from electra_ie.models.encoders import load_tokenizer, max_length, quiet_transformers
from electra_ie.models.pooling import AVERAGES
from electra_ie.models.untrusted import inspect_model, strip_code_references
from electra_ie.runs.layout import check_models, load_task, refuse_links


def save_fields(run: Path, discriminator: Discriminator, windower: WindowTokenizer, edges: Mapping[str, Edges]) -> None:
    """A stock folder for each field: config, weights, tokenizer. The `electra_ie` block of the config says how texts
    were cut, and how to decode. edges: the rules for the spans of each field of spans."""
    for field in discriminator.fields:
        part = run / f".{field.name}.part"
        shutil.rmtree(part, ignore_errors=True)
        with quiet_transformers(), discriminator.stock(field) as model:
            model.config.electra_ie = {
                "field": field.name,
                "kind": field.kind,
                "window": windower.size,
                "context_overlap": windower.context_overlap,
                "whole_words": windower.whole_words,
                AVERAGES: discriminator.head(field).averages,
                **({"edges": asdict(edges[field.name])} if field.kind == "spans" else {}),
            }
            strip_code_references(vars(model.config))
            model.save_pretrained(part)
        windower.tokenizer.save_pretrained(part)
        shutil.rmtree(run / field.name, ignore_errors=True)
        os.replace(part, run / field.name)


def load_run(run: str | os.PathLike[str]) -> tuple[Discriminator, WindowTokenizer, tuple[Field, ...], dict[str, Edges]]:
    """The discriminator of a finished run, how it cuts texts, its fields, and the rules for the spans of each field.

    Nothing is fetched by name.
    """
    folder = Path(run)
    refuse_links(folder)
    fields = load_task(folder).fields
    check_models(folder, fields)
    for field in fields:
        inspect_model(folder / field.name, saved=True)
    discriminator = Discriminator.from_saved({field.name: str(folder / field.name) for field in fields}, fields)
    place = folder / fields[0].name
    tokenizer = load_tokenizer(str(place))
    config = discriminator.head(fields[0]).model.config
    told = getattr(config, "electra_ie", None)
    most = max_length(tokenizer, discriminator.encoder.config)
    try:
        window, context_overlap, whole_words = (told[name] for name in ("window", "context_overlap", "whole_words"))  # type: ignore[index]
        if not (0 < window <= most and 0 <= context_overlap < window and isinstance(whole_words, bool)):
            raise ValueError
        windower = WindowTokenizer(tokenizer, window, context_overlap, whole_words)
    except (TypeError, KeyError, ValueError) as error:
        raise UserError(
            "the config.json does not say how texts are cut (its block electra_ie).",
            file=place,
            remedy="Restore it, or train again.",
        ) from error
    spans = [field for field in fields if field.kind == "spans"]
    edges = {field.name: _edges(folder / field.name, discriminator.head(field).model.config) for field in spans}
    return discriminator, windower, fields, edges


def _edges(folder: Path, config: Any) -> Edges:
    """The rules for the spans of a field, from its configuration. Raises UserError where it has none."""
    try:
        return edges_from(config.electra_ie["edges"])
    except (AttributeError, TypeError, KeyError, ValueError) as error:
        message = "the config.json does not say where spans end (edges in its block electra_ie)."
        raise UserError(message, file=folder, remedy="Restore it, or train again.") from error


def model_files(run: Path, fields: Sequence[str]) -> dict[str, str]:
    """The sum of each file of a run that decides what is found, by `<field>/<file>`: of all that may be read of a
    model, for a file that was not there when the run was made may change what is found."""
    files = {file for name in fields for pattern in MODEL_FILES for file in (run / name).glob(pattern)}
    return {file.relative_to(run).as_posix(): of_file(file) for file in sorted(files) if file.is_file()}
