"""SetFit and spaCy with their default settings."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from cell_data import CellData
from linear_peers import Predict, assign, gold_of, texts_of

from electra_ie.config.train import EMBEDDED
from electra_ie.data.document import Span
from electra_ie.data.fields import Field


def setfit(field: Field, data: CellData) -> Predict:
    """Train SetFit with default settings, from the encoder of this package; flags by the strategy one-vs-rest."""
    import datasets
    from setfit import SetFitModel, Trainer, TrainingArguments

    from electra_ie.models.encoders import resolve_encoder

    gold = gold_of(field, data.labeled(field))
    if field.kind == "flags":
        labels: list[Any] = [[int(label in flags) for label in field.labels] for flags in gold]
    else:
        labels = [field.labels.index(label) for label in gold]
    strategy = "one-vs-rest" if field.kind == "flags" else None
    model = SetFitModel.from_pretrained(resolve_encoder(EMBEDDED), multi_target_strategy=strategy)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(output_dir=folder, report_to="none", save_strategy="no", seed=data.seed)
        rows = datasets.Dataset.from_dict({"text": texts_of(data.labeled(field)), "label": labels})
        Trainer(model=model, args=arguments, train_dataset=rows).train()

    def scores(texts: Sequence[str]) -> np.ndarray:
        probabilities = model.predict_proba(list(texts), as_numpy=True)
        if field.kind == "flags":
            return np.asarray(probabilities)
        columns = np.zeros((len(texts), len(field.labels)))
        columns[:, np.unique(labels)] = probabilities
        return columns

    pool = scores(texts_of(data.pool)) if field.kind == "flags" else np.empty(0)
    return lambda texts: assign(field, scores(texts), pool, data)


def spacy(field: Field, data: CellData) -> Predict:
    """Train spaCy's default pipeline without vectors: ner, textcat or textcat_multilabel.

    Dev selects the weights, or train without a dev split.
    """
    import spacy as library
    from spacy.tokens import DocBin

    component = {"spans": "ner", "classes": "textcat", "flags": "textcat_multilabel"}[field.kind]
    blank = library.blank("en")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for split, documents in (("train", data.train), ("dev", data.dev or data.train)):
            docs = DocBin(store_user_data=True)
            for document in documents:
                docs.add(_annotated(blank.make_doc(document.text), field, document.gold[field.name]))
            docs.to_disk(folder / f"{split}.spacy")
        (folder / "labels.json").write_text(json.dumps(field.labels), "utf-8")
        run = partial(subprocess.run, check=True, stdout=subprocess.DEVNULL, cwd=folder)
        run([sys.executable, "-m", "spacy", "init", "config", "config.cfg", "--lang", "en", "--pipeline", component])
        overrides = ["--paths.train", "train.spacy", "--paths.dev", "dev.spacy", "--system.seed", str(data.seed)]
        run([sys.executable, "-m", "spacy", "train", "config.cfg", "--output", "out", *overrides])
        model = library.load(folder / "out" / "model-best")
    if field.kind == "spans":
        return lambda texts: [
            tuple(Span(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents) for doc in model.pipe(texts)
        ]

    def scores(texts: Sequence[str]) -> np.ndarray:
        return np.array([[doc.cats.get(label, 0.0) for label in field.labels] for doc in model.pipe(texts)])

    pool = scores(texts_of(data.pool)) if field.kind == "flags" else np.empty(0)
    return lambda texts: assign(field, scores(texts), pool, data)


def _annotated(doc: Any, field: Field, gold: Any) -> Any:
    """Return a spaCy document with its gold; spans that begin or end within a token are expanded."""
    from spacy.util import filter_spans

    if field.kind == "spans":
        spans = [doc.char_span(span.start, span.end, span.label, alignment_mode="expand") for span in gold]
        doc.ents = filter_spans([span for span in spans if span is not None])
    else:
        positive = {gold} if field.kind == "classes" else set(gold)
        doc.cats = {label: float(label in positive) for label in field.labels}
    return doc
