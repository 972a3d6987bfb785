"""`python -m tasks.generation.template_memory`: how well known templates and single words predict the test splits.

It prints, for each task, the shares of test sentences and records whose templates occur in no other split or not in
train. For the tasks that label whole texts it adds the scores of two cheap methods: template memory, which knows the
template of each sentence and assigns what most of the labeled records with that template have, and a bag of words
(`bag_of_words`). Each is trained on 60 labeled records, drawn plainly with five seeds, and on all. The data cards quote
the table.
"""

from __future__ import annotations

import random
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

from tasks.generation import bag_of_words, structure_rule
from tasks.generation.grammar import TEST_ONLY, Record, mark
from tasks.generation.keyword_baseline import f1
from tasks.generation.splits import TASKS, generate

FEW_LABELS, SEEDS = 60, range(5)


def macro_f1(test: Sequence[Record], predicted: Sequence[set[str]]) -> float:
    """Return the mean over the flags, or over the outcomes, of their F1 (%)."""
    gold = [record.names() for record in test]
    names = sorted(set().union(*gold))
    return 100 * statistics.mean(
        f1([{name} & names for names in gold], [{name} & names for names in predicted]) for name in names
    )


def remember(train: Sequence[Record], test: Sequence[Record]) -> list[set[str]]:
    """Return the flags of each test record, or its outcome, by the templates of its sentences.

    Each template stands for the most common set of flags, or outcome, of the train records that contain it. A record has
    the flags of all its templates, or the outcome of the template that has it most reliably.
    """
    counts: dict[str, Counter[frozenset[str]]] = defaultdict(Counter)
    for record in train:
        for template in record.all_templates():
            counts[template][frozenset(record.names())] += 1
    predicted: list[set[str]] = []
    for record in test:
        known = [counts[template] for template in sorted(record.all_templates()) if template in counts]
        if "flags" in record.labels:
            predicted.append({flag for count in known for flag in count.most_common(1)[0][0]})
        else:
            best = max(known, key=lambda count: count.most_common(1)[0][1] / (count.total() + 1), default=Counter())
            predicted.append({name for names, _ in best.most_common(1) for name in names})
    return predicted


def shares(splits: dict[str, list[Record]]) -> dict[str, float]:
    """Return the shares (%) of sentences and records of test by where their templates occur."""
    in_train = set[str]().union(*(record.all_templates() for record in splits["train"]))
    test = splits["test"]
    sentences = [sentence for record in test for sentence in record.templates]
    return {
        "test sentences with a template of test only, %": percent(map(has_test_only, sentences)),
        "test records with such a sentence, %": percent(any(map(has_test_only, record.templates)) for record in test),
        "test sentences with a template that train lacks, %": percent(
            not in_train.issuperset(one) for one in sentences
        ),
        "test records with templates of train only, %": percent(in_train >= record.all_templates() for record in test),
    }


def has_test_only(sentence: Sequence[str]) -> bool:
    """Return whether one of the templates of a sentence occurs in test only."""
    return any(mark(template) == TEST_ONLY for template in sentence)


def percent(values: Iterable[bool]) -> float:
    """Return the share (%) of true values."""
    return 100 * statistics.mean(values)


def scores(splits: dict[str, list[Record]]) -> dict[str, str]:
    """Return macro F1 (%) on test of both methods, with few labels (mean and standard deviation) and with all."""
    train, unlabeled, test = (splits[name] for name in ("train", "unlabeled", "test"))
    methods: dict[str, Callable[[list[Record]], list[set[str]]]] = {
        "template memory": lambda labeled: remember(labeled, test),
        "bag of words": lambda labeled: bag_of_words.predict(labeled, unlabeled, test),
    }
    table = {}
    for name, predict in methods.items():
        few = [macro_f1(test, predict(random.Random(seed).sample(train, FEW_LABELS))) for seed in SEEDS]
        table[f"{name}, {FEW_LABELS} labels, macro F1"] = f"{statistics.mean(few):.1f} ± {statistics.stdev(few):.1f}"
        table[f"{name}, {len(train)} labels, macro F1"] = f"{macro_f1(test, predict(train)):.1f}"
    return table


def show() -> str:
    """Return the shares and scores of all tasks as Markdown tables for the data cards."""
    lines = []
    for task in TASKS:
        splits = generate(task)
        rows = {name: f"{value:.1f}" for name, value in shares(splits).items()}
        rows |= scores(splits) if splits["test"][0].labels else {}
        if task == "transaction_risk":
            predicted = [structure_rule.predict(record.text) for record in splits["test"]]
            rows["rule that reads the facts, no labels, macro F1"] = f"{macro_f1(splits['test'], predicted):.1f}"
        lines += ["", f"| {task} | |", "|---|---|"]
        lines += [f"| {name} | {value} |" for name, value in rows.items()]
    return "\n".join(lines[1:])


if __name__ == "__main__":
    print(show())
