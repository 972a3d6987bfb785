"""`python -m tasks.generation.assertion_baseline`: cheap methods for the assertions of the gold spans of test.

They are the most frequent label, the rule with which the package compares each model (`electra_ie.inference.cue_rules`),
and logistic regression on the words before and after the span in its sentence. The latter is trained on 60 records, drawn
plainly with five seeds, and on all. The data card quotes the table.
"""

from __future__ import annotations

import random
import re
import statistics
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from electra_ie.data.anchored.attribute_spans import AttributeRules
from electra_ie.data.anchored.marked_spans import Sentences
from electra_ie.data.document import Attribute, Document, Span
from electra_ie.data.fields import AttributeField
from electra_ie.data.task import Task
from electra_ie.inference.attribute_scoring import score_given_spans, score_rule

TASK = "medical_assertions"
FEW_LABELS, SEEDS = 60, range(5)


def context(text: str, span: Span, sentences: Sentences) -> list[str]:
    """Return the words and pairs of neighbors before and after a span in its sentence, with the side that they are on."""
    start, end = sentences.around((span,))
    features: list[str] = []
    for side, part in (("<", text[start : span.start]), (">", text[span.end : end])):
        words = re.findall(r"[\w/]+|[,;:]", part.lower())
        features += [side + word for word in words]
        features += [f"{side}{one} {other}" for one, other in pairwise(["|", *words, "|"])]
    return features


def contexts(field: AttributeField, documents: Sequence[Document]) -> Iterator[tuple[list[str], str]]:
    """Yield context and label of each gold span with an attribute."""
    for document in documents:
        sentences = Sentences(document.text)
        yield from ((context(document.text, each.span, sentences), each.label) for each in document.gold[field.name])


def learned(field: AttributeField, train: Sequence[Document], test: Sequence[Document]) -> dict[str, Any]:
    """Return the scores on test of logistic regression on contexts."""
    features, labels = zip(*contexts(field, train), strict=True)
    vectorizer = TfidfVectorizer(analyzer=list, sublinear_tf=True)
    model = LogisticRegression(C=10, max_iter=1000).fit(vectorizer.fit_transform(features), labels)
    answers = iter(model.predict(vectorizer.transform([features for features, _ in contexts(field, test)])))
    gold = [document.gold[field.name] for document in test]
    return score_given_spans(field, gold, [[Attribute(each.span, str(next(answers))) for each in one] for one in gold])


def show() -> str:
    """Return the scores as a Markdown table for the data card."""
    task = Task.load(TASK)
    (field,) = (each for each in task.anchored if isinstance(each, AttributeField))
    train, test = task.read("train"), task.read("test")
    common = AttributeRules.learn(field, train).common
    gold = [document.gold[field.name] for document in test]
    draws = [random.Random(seed).sample(train, FEW_LABELS) for seed in SEEDS]
    methods = {
        f"always {common}": [score_given_spans(field, gold, [[Attribute(each.span, common) for each in one] for one in gold])],
        "cue words (rule baseline)": [score_rule(field, common, test)],
        f"words around the span, {FEW_LABELS} labels": [learned(field, draw, test) for draw in draws],
        f"words around the span, {len(train)} labels": [learned(field, train, test)],
    }  # fmt: skip
    lines = [
        f"| {TASK}, test | accuracy | macro F1 | {' | '.join(field.labels)} |",
        "|---" * (3 + len(field.labels)) + "|",
    ]
    for name, runs in methods.items():
        rows = [
            [one["accuracy"], one["macro_f1"], *(one["labels"][label]["f1"] for label in field.labels)] for one in runs
        ]
        lines.append(f"| {name} | {' | '.join(map(percent, zip(*rows, strict=True)))} |")
    return "\n".join(lines)


def percent(values: Sequence[float]) -> str:
    """Return a score in %, of several seeds mean and standard deviation."""
    mean = f"{100 * statistics.mean(values):.1f}"
    return f"{mean} ± {100 * statistics.stdev(values):.1f}" if len(values) > 1 else mean


if __name__ == "__main__":
    print(show())
