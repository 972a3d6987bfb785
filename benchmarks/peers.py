"""Other tools on the labels of few_labels.py. Each model is scored on test once.

    pip install setfit spacy                       # in a separate environment with this package
    python benchmarks/peers.py                     # hours: SetFit trains on all pairs of labeled texts
    python benchmarks/peers.py --peers regression --cells trec_fine:all
    python benchmarks/peers.py --table             # only print what results/peers.json contains

regression: logistic regression on the mean states of the frozen encoder, then five rounds of self-training, each of
which adds the most confident texts of the pool to the labels, in numbers that keep the label shares of the classes.
setfit: SetFit with default settings, from the same encoder. spacy: its default pipeline for English entities, without
vectors, checkpoint chosen on dev, or on train if there is no dev split.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import few_labels
import numpy as np
from cells import Cells, spread

from electra_ie.config.train import EMBEDDED, TrainSettings
from electra_ie.data.document import Document, Span
from electra_ie.data.fields import Field
from electra_ie.data.task import Task
from electra_ie.metrics import score

if TYPE_CHECKING:
    from electra_ie.data.training_data import TrainingData

RESULTS = Cells("peers")


def regression(field: Field, data: TrainingData, test: Sequence[Document]) -> list[Any]:
    """Return the predictions of self-trained logistic regression on encoder states."""
    from electra_ie.training.co_training import self_trained

    labeled, pool, scored = (
        features([document.text for document in documents]) for documents in (data.train, data.pool, test)
    )
    labels = np.array([document.gold[field.name] for document in data.train])
    model = self_trained(labeled, labels, np.ones(len(labels)), pool)
    return model.predict(scored).tolist()


def features(texts: Sequence[str]) -> np.ndarray:
    """Return the mean states of the encoder, normalized to length one, as (N, H)."""
    import torch
    from transformers import AutoModel

    from electra_ie.models.encoders import load_tokenizer, resolve_encoder

    tokenizer, model = load_tokenizer(EMBEDDED), AutoModel.from_pretrained(resolve_encoder(EMBEDDED)).eval()
    means = []
    for start in range(0, len(texts), 64):
        batch = tokenizer(
            list(texts[start : start + 64]), return_tensors="pt", padding=True, truncation=True, max_length=256
        )
        mask = batch["attention_mask"][..., None]
        with torch.no_grad():
            states = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
        means.append(torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1))
    return torch.cat(means).numpy()


def setfit(field: Field, data: TrainingData, test: Sequence[Document]) -> list[Any]:
    """Return the predictions of SetFit."""
    import datasets
    from setfit import SetFitModel, Trainer, TrainingArguments

    from electra_ie.models.encoders import resolve_encoder

    rows = {"text": [document.text for document in data.train]}
    rows["label"] = [field.labels.index(document.gold[field.name]) for document in data.train]
    model = SetFitModel.from_pretrained(resolve_encoder(EMBEDDED))
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(output_dir=folder, report_to="none")
        Trainer(model=model, args=arguments, train_dataset=datasets.Dataset.from_dict(rows)).train()
        predictions = model.predict([document.text for document in test])
        return [field.labels[int(prediction)] for prediction in predictions]


def spacy(field: Field, data: TrainingData, test: Sequence[Document]) -> list[Any]:
    """Return the entities that spaCy's default pipeline finds, as spans."""
    import spacy as library
    from spacy.tokens import DocBin

    blank = library.blank("en")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for split, documents in (("train", data.train), ("dev", data.dev or data.train)):
            docs = DocBin()
            for document in documents:
                doc = blank.make_doc(document.text)
                spans = [
                    doc.char_span(span.start, span.end, span.label, alignment_mode="expand")
                    for span in document.gold[field.name]
                ]
                doc.ents = library.util.filter_spans([span for span in spans if span is not None])
                docs.add(doc)
            docs.to_disk(folder / f"{split}.spacy")
        run = partial(subprocess.run, check=True, stdout=subprocess.DEVNULL, cwd=folder)
        run([sys.executable, "-m", "spacy", "init", "config", "config.cfg", "--lang", "en", "--pipeline", "ner"])
        paths = ["--paths.train", "train.spacy", "--paths.dev", "dev.spacy"]
        run([sys.executable, "-m", "spacy", "train", "config.cfg", "--output", "out", *paths])
        model = library.load(folder / "out" / "model-best")
        return [
            tuple(Span(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents)
            for doc in model.pipe(document.text for document in test)
        ]


PEERS: dict[str, Callable[[Field, TrainingData, Sequence[Document]], list[Any]]] = {
    "regression": regression, "setfit": setfit, "spacy": spacy,
}  # fmt: skip
CELLS = {
    "regression": ("trec_fine:all",),
    "setfit": ("trec_fine:all",),
    "spacy": ("bc5cdr:50", "bc5cdr:100", "bc5cdr:500", "sec_filings:50", "transaction_risk:60", "transaction_risk:200"),
}


def measure(peer: str, cell: str, seed: int) -> dict[str, Any]:
    """Return the main score (%) of a peer on test, and its CPU seconds, including those of its subprocesses."""
    import resource

    import torch

    from electra_ie.data.training_data import TrainingData

    name, _, budget = cell.partition(":")
    task = Task.load(name)
    labels = None if budget == "all" else int(budget)
    data = TrainingData.read(task, TrainSettings(task=name, label_budget=labels, seed=seed, preset="adversarial"))
    kind = "spans" if peer == "spacy" else "classes"
    (field,) = (field for field in task.fields if field.kind == kind)
    test = task.read("test")
    torch.manual_seed(seed)
    began = time.process_time(), resource.getrusage(resource.RUSAGE_CHILDREN)
    answers = PEERS[peer](field, data, test)
    ended = time.process_time(), resource.getrusage(resource.RUSAGE_CHILDREN)
    scores = score(field, [document.gold[field.name] for document in test], answers)
    seconds = ended[0] - began[0] + ended[1].ru_utime - began[1].ru_utime
    return {"test": round(100 * scores[scores["main"]], 2), "cpu_seconds": round(seconds)}


OURS = {(few_labels.DEFAULT, "question"), (few_labels.DEFAULT, "entities")}
"""Encoder and fields of few_labels.py that the peers are compared with."""
NAMES = {
    "regression": "logistic regression on frozen states, self-training", "setfit": "SetFit", "spacy": "spaCy",
}  # fmt: skip


def table() -> str:
    """Return a Markdown table: a row for each peer and cell, with both presets on the default encoder."""
    lines = ["| peer | set | peer | supervised | adversarial | CPU s of the peer |"]
    lines.append("| --- | --- | ---: | ---: | ---: | ---: |")
    ours = {row.cell: row for row in few_labels.rows() if (row.encoder, row.field) in OURS}
    for peer, cells in CELLS.items():
        for cell in cells:
            if results := RESULTS.matching(f"{peer} | {cell} | ").values():
                shown = [spread(result["test"] for result in results)]
                shown += [spread(ours[cell].supervised), spread(ours[cell].adversarial)]
                name = f"{cell}, {ours[cell].field}" if cell.startswith("transaction_risk") else cell
                seconds = statistics.mean(result["cpu_seconds"] for result in results)
                lines.append(f"| {NAMES[peer]} | {name} | {' | '.join(shown)} | {seconds:.0f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=PEERS)
    parser.add_argument("--cells", nargs="+")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--table", action="store_true", help="only print the table")
    arguments = parser.parse_args()
    for seed in [] if arguments.table else arguments.seeds:
        for peer in arguments.peers:
            for cell in arguments.cells or CELLS[peer]:
                RESULTS.fill(f"{peer} | {cell} | {seed}", partial(measure, peer, cell, seed))
    print(table())


if __name__ == "__main__":
    main()
