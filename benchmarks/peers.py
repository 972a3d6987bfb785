"""Peers on the same labels as few_labels.py: what one gets without us. Each model is scored on test once.

    pip install setfit spacy                       # in an environment of their own, beside this package
    python benchmarks/peers.py                     # hours: SetFit compares all pairs of labelled texts
    python benchmarks/peers.py --peers regression --cells trec_fine:all
    python benchmarks/peers.py --table             # only print what results/peers.json holds

regression: logistic regression on the frozen encoder's mean states, then five rounds of self-training, in each of
which the surest texts of the pool join the labels, of every class so many that the classes keep their shares among the
labels. setfit: SetFit at its own defaults, from the same encoder. spacy: its default pipeline for entities in English,
without vectors, checkpoint chosen on dev, or on train where there is no dev.
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


def regression(field: Field, corpus: TrainingData, test: Sequence[Document]) -> list[Any]:
    from electra_ie.training.co_training import self_trained

    known, pool, asked = (features([each.text for each in some]) for some in (corpus.train, corpus.pool, test))
    labels = np.array([each.gold[field.name] for each in corpus.train])
    model = self_trained(known, labels, np.ones(len(labels)), pool)
    return model.predict(asked).tolist()


def features(texts: Sequence[str]) -> np.ndarray:
    """(N, H): the mean of the encoder's states, of length one."""
    import torch
    from transformers import AutoModel

    from electra_ie.models.encoders import load_tokenizer, resolve_encoder

    tokenizer, model = load_tokenizer(EMBEDDED), AutoModel.from_pretrained(resolve_encoder(EMBEDDED)).eval()
    found = []
    for start in range(0, len(texts), 64):
        batch = tokenizer(
            list(texts[start : start + 64]), return_tensors="pt", padding=True, truncation=True, max_length=256
        )
        mask = batch["attention_mask"][..., None]
        with torch.no_grad():
            states = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
        found.append(torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1))
    return torch.cat(found).numpy()


def setfit(field: Field, corpus: TrainingData, test: Sequence[Document]) -> list[Any]:
    import datasets
    from setfit import SetFitModel, Trainer, TrainingArguments

    from electra_ie.models.encoders import resolve_encoder

    rows = {"text": [each.text for each in corpus.train]}
    rows["label"] = [field.labels.index(each.gold[field.name]) for each in corpus.train]
    model = SetFitModel.from_pretrained(resolve_encoder(EMBEDDED))
    with tempfile.TemporaryDirectory() as folder:
        told = TrainingArguments(output_dir=folder, report_to="none")
        Trainer(model=model, args=told, train_dataset=datasets.Dataset.from_dict(rows)).train()
        return [field.labels[int(each)] for each in model.predict([each.text for each in test])]


def spacy(field: Field, corpus: TrainingData, test: Sequence[Document]) -> list[Any]:
    import spacy as library
    from spacy.tokens import DocBin

    blank = library.blank("en")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for split, documents in (("train", corpus.train), ("dev", corpus.dev or corpus.train)):
            kept = DocBin()
            for each in documents:
                doc = blank.make_doc(each.text)
                spans = [
                    doc.char_span(span.start, span.end, span.label, alignment_mode="expand")
                    for span in each.gold[field.name]
                ]
                doc.ents = library.util.filter_spans([span for span in spans if span is not None])
                kept.add(doc)
            kept.to_disk(folder / f"{split}.spacy")
        run = partial(subprocess.run, check=True, stdout=subprocess.DEVNULL, cwd=folder)
        run([sys.executable, "-m", "spacy", "init", "config", "config.cfg", "--lang", "en", "--pipeline", "ner"])
        paths = ["--paths.train", "train.spacy", "--paths.dev", "dev.spacy"]
        run([sys.executable, "-m", "spacy", "train", "config.cfg", "--output", "out", *paths])
        model = library.load(folder / "out" / "model-best")
        return [
            tuple(Span(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents)
            for doc in model.pipe(each.text for each in test)
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
    """The main score (%) of a peer on the test split, and its CPU seconds, those of its processes too."""
    import resource

    import torch

    from electra_ie.data.training_data import TrainingData

    name, _, budget = cell.partition(":")
    task = Task.load(name)
    labels = None if budget == "all" else int(budget)
    corpus = TrainingData.read(task, TrainSettings(task=name, label_budget=labels, seed=seed, preset="adversarial"))
    kind = "spans" if peer == "spacy" else "classes"
    (field,) = (each for each in task.fields if each.kind == kind)
    test = task.read("test")
    torch.manual_seed(seed)
    began = time.process_time(), resource.getrusage(resource.RUSAGE_CHILDREN)
    answers = PEERS[peer](field, corpus, test)
    ended = time.process_time(), resource.getrusage(resource.RUSAGE_CHILDREN)
    found = score(field, [each.gold[field.name] for each in test], answers)
    spent = ended[0] - began[0] + ended[1].ru_utime - began[1].ru_utime
    return {"test": round(100 * found[found["main"]], 2), "cpu_seconds": round(spent)}


OURS = {(few_labels.DEFAULT, "question"), (few_labels.DEFAULT, "entities")}
"""The encoder and the fields whose scores stand beside those of the peers."""
NAMES = {
    "regression": "logistic regression on frozen states, self-training", "setfit": "SetFit", "spacy": "spaCy",
}  # fmt: skip


def table() -> str:
    """Markdown: a row for each peer and cell, beside both presets of few_labels.py on the encoder as it is."""
    lines = ["| peer | set | peer | supervised | adversarial | CPU s of the peer |"]
    lines.append("| --- | --- | ---: | ---: | ---: | ---: |")
    ours = {row.cell: row for row in few_labels.rows() if (row.encoder, row.field) in OURS}
    for peer, cells in CELLS.items():
        for cell in cells:
            if found := RESULTS.matching(f"{peer} | {cell} | ").values():
                shown = [spread(each["test"] for each in found)]
                shown += [spread(ours[cell].control), spread(ours[cell].adversarial)]
                place = f"{cell}, {ours[cell].field}" if cell.startswith("transaction_risk") else cell
                spent = statistics.mean(each["cpu_seconds"] for each in found)
                lines.append(f"| {NAMES[peer]} | {place} | {' | '.join(shown)} | {spent:.0f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=PEERS)
    parser.add_argument("--cells", nargs="+")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    for seed in [] if given.table else given.seeds:
        for peer in given.peers:
            for cell in given.cells or CELLS[peer]:
                RESULTS.fill(f"{peer} | {cell} | {seed}", partial(measure, peer, cell, seed))
    print(table())


if __name__ == "__main__":
    main()
