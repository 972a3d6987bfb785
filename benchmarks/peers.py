"""Other methods on the labels of few_labels.py, which a method of this package has to beat.

Each gets the labels, dev and pool that the methods of this package get. Flags of every peer but `keyword_rule` have
thresholds: the quantile of a flag's scores on the pool that gives the flag its share among the labels. Test chooses
nothing.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from cell_data import ROOT, Cell, CellData

from electra_ie.config.train import EMBEDDED
from electra_ie.data.document import Document, Span
from electra_ie.data.fields import Field, drop_overlapping
from electra_ie.metrics import score

INVERSE_PENALTIES = (10.0, 1.0, 100.0)
"""`C` of scikit-learn's LogisticRegression: the best on dev, the first without dev or of equally good ones."""
Predict = Callable[[Sequence[str]], list[Any]]
"""Texts -> the answer to each: a class, a tuple of flags or a tuple of spans."""


# Classes and flags


def assign(field: Field, scores: np.ndarray, pool_scores: np.ndarray, data: CellData) -> list[Any]:
    """Return the answers to texts with scores (N, K): the best class, or the flags above their thresholds.

    pool_scores: (M, K), those of the pool, on which the thresholds are the quantiles of the label shares.
    """
    if field.kind == "classes":
        return [field.labels[index] for index in scores.argmax(1)]
    shares = [np.mean([label in gold for gold in gold_of(field, data.train)]) for label in field.labels]
    thresholds = [
        np.quantile(column, 1 - share) if share else np.inf for column, share in zip(pool_scores.T, shares, strict=True)
    ]
    return [
        tuple(label for label, assigned in zip(field.labels, row, strict=True) if assigned)
        for row in scores > thresholds
    ]


def gold_of(field: Field, documents: Sequence[Document]) -> list[Any]:
    return [document.gold[field.name] for document in documents]


def texts_of(documents: Sequence[Document]) -> list[str]:
    return [document.text for document in documents]


def best_on_dev(field: Field, data: CellData, candidates: Iterator[Predict]) -> Predict:
    """Return the first of equally good candidates on dev, or the first one without a dev split."""
    if not data.dev:
        return next(candidates)
    best, best_score = None, -1.0
    for predict in candidates:
        scores = score(field, gold_of(field, data.dev), predict(texts_of(data.dev)))
        if (scores[scores["main"]] or 0) > best_score:
            best, best_score = predict, scores[scores["main"]] or 0
    assert best is not None
    return best


def logistic_scores(
    field: Field, data: CellData, penalty: float, rows: Any, pool: Any, self_training: bool
) -> Callable[[Any], np.ndarray]:
    """Return a function from features (N, H) to scores (N, K) by logistic regression on labeled features.

    Classes: one multinomial regression; a class without a label has the score -inf. Flags: a regression for each flag.
    """
    gold = gold_of(field, data.train)
    fit = partial(_self_trained if self_training else _fitted, penalty=penalty, labeled=rows, pool=pool)
    if field.kind == "classes":
        model = fit(gold=np.array([field.labels.index(label) for label in gold]))

        def of_classes(features: Any) -> np.ndarray:
            scores = np.full((features.shape[0], len(field.labels)), -np.inf)
            scores[:, model.classes_] = model.predict_log_proba(features)
            return scores

        return of_classes
    indicators = [np.array([label in flags for flags in gold], dtype=int) for label in field.labels]
    models = [fit(gold=column) if 0 < column.sum() < len(column) else None for column in indicators]

    def of_flags(features: Any) -> np.ndarray:
        columns = [
            np.zeros(features.shape[0]) if model is None else model.decision_function(features) for model in models
        ]
        return np.stack(columns, 1)

    return of_flags


def _fitted(labeled: Any, gold: np.ndarray, penalty: float, pool: Any) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=penalty, max_iter=1000).fit(labeled, gold)


ROUNDS = 5
FINAL_SHARE = 0.8
"""Share of the pool in the last round of self-training."""


def _self_trained(labeled: np.ndarray, gold: np.ndarray, penalty: float, pool: np.ndarray) -> Any:
    """Return logistic regression after five rounds of class-balanced self-training (Zou et al. 2018, arXiv 1810.07911).

    Each round adds the most confident rows of the pool to the labels, in numbers that keep the shares of the classes,
    and more of them than the round before. With two classes, a flag, the rows are split at the flag's share first:
    without that a rare flag would never be predicted.
    """
    model = _fitted(labeled, gold, penalty, pool)
    classes, counts = np.unique(gold, return_counts=True)
    shares = counts / len(gold)
    for index in range(1, ROUNDS + 1):
        probabilities = model.predict_proba(pool)
        predicted = probabilities.argmax(1)
        if len(classes) == 2:
            predicted = (probabilities[:, 1] > np.quantile(probabilities[:, 1], shares[0])).astype(int)
        confidence = probabilities[np.arange(len(pool)), predicted]
        selected: list[int] = []
        for column, share in enumerate(shares):
            candidates = np.flatnonzero(predicted == column)
            count = round(FINAL_SHARE * share * len(pool) * index / ROUNDS)
            selected += candidates[np.argsort(-confidence[candidates], kind="stable")][:count].tolist()
        model = _fitted(
            np.vstack([labeled, pool[selected]]), np.array([*gold, *classes[predicted[selected]]]), penalty, pool
        )
    return model


def tfidf(field: Field, data: CellData) -> Predict:
    """Logistic regression on tf-idf features of words and bigrams."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    labeled, pool = vectorizer.fit_transform(texts_of(data.train)), vectorizer.transform(texts_of(data.pool))

    def of_penalty(penalty: float) -> Predict:
        scores = logistic_scores(field, data, penalty, labeled, pool, self_training=False)
        return lambda texts: assign(field, scores(vectorizer.transform(texts)), scores(pool), data)

    return best_on_dev(field, data, map(of_penalty, INVERSE_PENALTIES))


def frozen_states(field: Field, data: CellData) -> Predict:
    """Logistic regression with self-training on the mean states of the encoder, which is not trained."""
    labeled, pool = states(tuple(texts_of(data.train))), states(tuple(texts_of(data.pool)))

    def of_penalty(penalty: float) -> Predict:
        scores = logistic_scores(field, data, penalty, labeled, pool, self_training=True)
        return lambda texts: assign(field, scores(states(tuple(texts))), scores(pool), data)

    return best_on_dev(field, data, map(of_penalty, INVERSE_PENALTIES))


@lru_cache(maxsize=4)
def states(texts: tuple[str, ...]) -> np.ndarray:
    """Return the mean states of the encoder, normalized to length one, as (N, H). At most 256 tokens are read."""
    import torch
    from transformers import AutoModel

    from electra_ie.models.encoders import load_tokenizer, resolve_encoder

    tokenizer, model = load_tokenizer(EMBEDDED), AutoModel.from_pretrained(resolve_encoder(EMBEDDED)).eval()
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))  # texts of similar length share a batch
    result = np.zeros((len(texts), model.config.hidden_size), dtype=np.float32)
    for start in range(0, len(texts), 64):
        indices = order[start : start + 64]
        batch = tokenizer(
            [texts[index] for index in indices], return_tensors="pt", padding=True, truncation=True, max_length=256
        )
        mask = batch["attention_mask"][..., None]
        with torch.no_grad():
            output = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
        result[indices] = torch.nn.functional.normalize((output * mask).sum(1) / mask.sum(1), dim=-1).numpy()
    return result


def setfit(field: Field, data: CellData) -> Predict:
    """SetFit with default settings, from the encoder of this package; flags by the strategy one-vs-rest."""
    import datasets
    from setfit import SetFitModel, Trainer, TrainingArguments

    from electra_ie.models.encoders import resolve_encoder

    gold = gold_of(field, data.train)
    if field.kind == "flags":
        labels: list[Any] = [[int(label in flags) for label in field.labels] for flags in gold]
    else:
        labels = [field.labels.index(label) for label in gold]
    strategy = "one-vs-rest" if field.kind == "flags" else None
    model = SetFitModel.from_pretrained(resolve_encoder(EMBEDDED), multi_target_strategy=strategy)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(output_dir=folder, report_to="none", save_strategy="no", seed=data.seed)
        rows = datasets.Dataset.from_dict({"text": texts_of(data.train), "label": labels})
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


# Spans

TOKEN = re.compile(r"\w+|[^\w\s]")
SENTENCE = re.compile(r".+?(?:[.!?](?=\s+[A-Z])|\n|$)", re.DOTALL)
REPEATED = re.compile(r"(.)\1+")
CRF = {"c1": 0.1, "c2": 0.01, "max_iterations": 100, "feature.possible_transitions": True}
"""Penalties (L1 and L2) and steps of L-BFGS. Of six pairs of penalties these were best on held-out labels of three cells
(bc5cdr:100, sec_filings:50, transaction_risk@844e7c0:60; seeds 0 and 1), by less than a point."""


def crf(field: Field, data: CellData) -> Predict:
    """A linear-chain conditional random field on words, shapes, affixes and neighbors (python-crfsuite)."""
    import pycrfsuite

    trainer = pycrfsuite.Trainer(verbose=False)
    trainer.set_params(CRF)
    for document in data.train:
        spans = drop_overlapping(document.gold[field.name])[0]
        for tokens in sentences(document.text):
            trainer.append(features_of(document.text, tokens), tags_of(tokens, spans))
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "model")
        trainer.train(file)
        tagger = pycrfsuite.Tagger()
        tagger.open(file)

    def predict(texts: Sequence[str]) -> list[Any]:
        return [
            tuple(
                span for tokens in sentences(text) for span in spans_of(tokens, tagger.tag(features_of(text, tokens)))
            )
            for text in texts
        ]

    return predict


def sentences(text: str) -> Iterator[list[tuple[int, int]]]:
    """Yield the offsets of the tokens of each sentence."""
    for sentence in SENTENCE.finditer(text):
        if tokens := [match.span() for match in TOKEN.finditer(text, *sentence.span())]:
            yield tokens


def features_of(text: str, tokens: Sequence[tuple[int, int]]) -> list[list[str]]:
    """Return the features of each token: word, shape, affixes, and the words and shapes of two neighbors each side."""
    words = [text[start:end] for start, end in tokens]
    lowered, shapes = [word.lower() for word in words], [shape(word) for word in words]
    short_shapes = [REPEATED.sub(r"\1", its_shape) for its_shape in shapes]
    rows = []
    for index, word in enumerate(lowered):
        row = ["bias", f"word={word}", f"shape={shapes[index]}", f"short shape={short_shapes[index]}"]
        row += [f"prefix={word[:size]}" for size in (1, 2, 3, 4)] + [f"suffix={word[-size:]}" for size in (1, 2, 3, 4)]
        for offset in (-2, -1, 1, 2):
            inside = 0 <= index + offset < len(words)
            neighbor, its_shape = (lowered[index + offset], shapes[index + offset]) if inside else ("(none)", "(none)")
            row += [f"word {offset}={neighbor}", f"shape {offset}={its_shape}"]
        row.append(f"before and word={lowered[index - 1] if index else '(none)'} {word}")
        rows.append(row)
    return rows


def shape(word: str) -> str:
    """Return a word with capitals as X, other letters as x and digits as 0."""
    return "".join("X" if c.isupper() else "x" if c.isalpha() else "0" if c.isdigit() else c for c in word)


def tags_of(tokens: Sequence[tuple[int, int]], spans: Sequence[Span]) -> list[str]:
    """Return the BIO tags of tokens; a token that a span covers in part belongs to the span."""
    tags, current = [], None
    for start, end in tokens:
        span = next((span for span in spans if span.start < end and start < span.end), None)
        tags.append("O" if span is None else f"{'I' if span == current else 'B'}-{span.label}")
        current = span
    return tags


def spans_of(tokens: Sequence[tuple[int, int]], tags: Sequence[str]) -> Iterator[Span]:
    """Yield the spans of BIO tags. An I- tag without a beginning begins a span."""
    current: Span | None = None
    for (start, end), tag in zip(tokens, tags, strict=True):
        prefix, _, label = tag.partition("-")
        if current and prefix == "I" and label == current.label:
            current = Span(current.start, end, label)
            continue
        if current:
            yield current
        current = Span(start, end, label) if label else None
    if current:
        yield current


def keyword_rule(field: Field, data: CellData) -> Predict:
    """The keyword rules of the task: phrases chosen by reading all of train, of which those that the labels support.

    They know more than the labels: whoever wrote them has read the texts of train with their flags.
    """
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    from tasks.generation.keyword_baseline import answers

    train = []
    for document in data.train:
        entities = [{"start": span.start, "end": span.end, "label": span.label} for span in document.gold["entities"]]
        train.append({"text": document.text, "flags": list(document.gold["flags"]), "entities": entities})

    def predict(texts: Sequence[str]) -> list[Any]:
        found = answers("transaction_risk", train, texts)
        if field.kind == "flags":
            return [tuple(flags) for flags, _ in found]
        return [tuple(Span(*span) for span in spans) for _, spans in found]

    return predict


# spaCy


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


@dataclass(frozen=True)
class Peer:
    """A method: how it is fitted, the kinds of fields it predicts, the module it needs, and the data sets it is for.

    fit: returns a function from texts to answers. module: of an optional package. data_sets: empty for all.
    packages: whose versions a result names. sources: code that its results depend on, besides this file.
    """

    fit: Callable[[Field, CellData], Predict]
    kinds: tuple[str, ...]
    module: str = "sklearn"
    packages: tuple[str, ...] = ("scikit-learn",)
    data_sets: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    @property
    def is_installed(self) -> bool:
        """Whether the package that it needs is installed."""
        return find_spec(self.module) is not None

    def applies(self, cell: Cell) -> bool:
        """Return whether it predicts any field of a cell."""
        return bool(cell.kinds & set(self.kinds)) and (not self.data_sets or cell.data_set in self.data_sets)


TEXT_KINDS = ("classes", "flags")
PEERS = {
    "tfidf": Peer(tfidf, TEXT_KINDS),
    "keyword_rule": Peer(
        keyword_rule, ("flags", "spans"), data_sets=("transaction_risk", "transaction_risk@844e7c0"),
        sources=("tasks/generation/keyword_baseline.py",),
    ),
    "crf": Peer(crf, ("spans",), "pycrfsuite", ("python-crfsuite",)),
    "frozen_states": Peer(frozen_states, TEXT_KINDS, packages=("scikit-learn", "torch", "transformers")),
    "setfit": Peer(setfit, TEXT_KINDS, "setfit", ("setfit", "sentence-transformers", "torch", "transformers")),
    "spacy": Peer(spacy, ("spans", *TEXT_KINDS), "spacy", ("spacy",)),
}  # fmt: skip
