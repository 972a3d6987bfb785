"""Pseudo-labels: the teacher's probabilities for unlabeled texts, computed once, and their way into the batches."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tiny
import torch
from accelerate import Accelerator
from processes import run_two
from sklearn.metrics import average_precision_score

from electra_ie import train
from electra_ie.data.batching import Batches, collate
from electra_ie.data.training_data import TrainingData
from electra_ie.models.frozen_encoder import FrozenEncoder
from electra_ie.training.flag_thresholds import document_logits, label_shares
from electra_ie.training.pseudo_labels import pool as module
from electra_ie.training.pseudo_labels.pool import pseudo_labels
from electra_ie.training.windows import TrainingWindows

GOLD = tiny.documents(30, seed=8)
POOL = [document.unlabeled() for document in GOLD]


def setup_of(folder: str, labeled=None, pool=POOL, co_training: bool = False, size: int = 64):
    """Return what `pseudo_labels` reads of a `TrainingSetup`, and a teacher."""
    windower, teacher = tiny.windower_of(folder, size=size), tiny.discriminator_of(folder, sharp=20.0)
    labeled = tiny.documents(40) if labeled is None else labeled
    setup = SimpleNamespace(
        is_main_process=Accelerator(cpu=True).is_main_process, accelerator=Accelerator(cpu=True),
        task=SimpleNamespace(fields=tiny.FIELDS), settings=SimpleNamespace(seed=0, co_training=co_training),
        data=TrainingData(labeled, list(pool), []),
        windows=TrainingWindows(windower, tiny.rows(windower, labeled), [], [], tiny.rows(windower, pool), list(pool)),
        frozen_encoder=FrozenEncoder(teacher.encoder, windower) if co_training else None,
    )  # fmt: skip
    return setup, teacher


def test_pseudo_labels_are_the_probabilities_of_the_teacher(encoder):
    """Those of classes, and of spans whose types no label has."""
    labeled = [replace(document, gold={**document.gold, "names": ()}) for document in tiny.documents(40)]
    setup, teacher = setup_of(encoder("bert"), labeled=labeled)
    labels, fields = pseudo_labels(setup, teacher)
    assert fields == []
    for row, label in zip(setup.windows.pool, labels, strict=True):
        _, expected = teacher.predict(collate([row], setup.windows.windower, ()))
        torch.testing.assert_close(label["topic"], expected["topic"][0], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(label["names"], expected["names"][0], atol=1e-5, rtol=1e-4)


def test_types_of_spans_that_the_teacher_rarely_predicts_are_raised_toward_their_share(encoder):
    setup, teacher = setup_of(encoder("bert"))
    field = next(field for field in tiny.FIELDS if field.name == "names")
    begin = field.names.index(f"B-{field.labels[0]}")
    with torch.no_grad():
        teacher.head(field).output_layer.weight *= 0.05  # the teacher is not so sure that no shift changes it
        teacher.head(field).output_layer.bias[begin] -= 1.5
    labels, _ = pseudo_labels(setup, teacher)
    tags = [tag for row in setup.windows.labeled for tag in row.gold["names"]]
    share = tags.count(begin) / sum(tag >= 0 for tag in tags)
    words = [
        label["names"][len(setup.windows.windower.before) + token, begin]
        for row, label in zip(setup.windows.pool, labels, strict=True)
        for token, (start, end) in enumerate(row.window.offsets)
        if start < end
    ]
    assert 0.7 * share < float(torch.stack(words).mean()) < share  # less by a standard error


def test_flags_are_aligned_to_the_label_shares(encoder):
    """The order of the texts is that of the teacher's logits, and all windows of a text have the same flags."""
    pool = [replace(document, text=" ".join([document.text] * (1 + index % 3))) for index, document in enumerate(POOL)]
    setup, teacher = setup_of(encoder("bert"), pool=pool, size=24)
    with torch.no_grad():
        teacher.head(tiny.RISKS).output_layer.bias.copy_(torch.tensor([-4.0, 3.0]))
    labels, _ = pseudo_labels(setup, teacher)
    by_text: dict[str, list[torch.Tensor]] = {}
    documents = [document.id for document in pool for _ in setup.windows.windower(document.text)]
    for document, label in zip(documents, labels, strict=True):
        by_text.setdefault(document, []).append(label["risks"])
    assert len(labels) > 1.5 * len(pool)
    assert all(torch.equal(values[0], value) for values in by_text.values() for value in values)
    probabilities = torch.stack([values[0] for values in by_text.values()])
    shares = torch.tensor(label_shares(setup.data.train, tiny.RISKS), dtype=torch.float32)
    torch.testing.assert_close(probabilities.mean(0), shares, atol=1e-4, rtol=1e-3)
    logits = []
    for document in pool:
        windows = tiny.rows(setup.windows.windower, [document])
        logits.append(teacher.predict_logits(collate(windows, setup.windows.windower, ()))["risks"].mean(0))
    assert torch.equal(torch.stack(logits).argsort(0), probabilities.argsort(0))


@pytest.mark.parametrize("flags", [("late", "cash"), ()])
def test_flags_of_all_labeled_texts_or_none_are_those_of_the_teacher(encoder, flags):
    labeled = [replace(document, gold={**document.gold, "risks": flags}) for document in tiny.documents(12)]
    setup, teacher = setup_of(encoder("bert"), labeled)
    labels, _ = pseudo_labels(setup, teacher)
    row, label = setup.windows.pool[0], labels[0]
    _, expected = teacher.predict(collate([row], setup.windows.windower, ()))
    torch.testing.assert_close(label["risks"], expected["risks"][0], atol=1e-4, rtol=1e-3)


def test_co_training_changes_all_fields(encoder):
    setup, teacher = setup_of(encoder("bert"))
    plain, _ = pseudo_labels(setup, teacher)
    setup, teacher = setup_of(encoder("bert"), co_training=True)
    labels, fields = pseudo_labels(setup, teacher)
    assert fields == ["topic", "risks", "names"]
    for name, same in (("topic", False), ("risks", False), ("names", False)):
        assert torch.equal(labels[0][name], plain[0][name]) is same
    shares = torch.tensor(label_shares(setup.data.train, tiny.RISKS), dtype=torch.float32)
    mean = torch.stack([label["risks"] for label in labels]).mean(0)
    torch.testing.assert_close(mean, shares, atol=1e-4, rtol=1e-3)


@pytest.mark.slow
def test_co_training_of_flags_must_improve_the_predictions_for_dev(encoder):
    """The teacher is right on one dev split and wrong on another."""
    documents = tiny.documents(30, seed=21)
    for right in (True, False):
        setup, teacher = setup_of(encoder("bert"), co_training=True)
        windows = tiny.rows(setup.windows.windower, documents)
        logits = document_logits(teacher.eval(), windows, setup.windows.windower, [tiny.RISKS])["risks"]
        of_teacher = logits > np.median(logits, axis=0)
        labels = [tuple(np.array(tiny.RISKS.labels)[row].tolist()) for row in (of_teacher if right else ~of_teacher)]
        dev = [replace(document, gold={"risks": flags}) for document, flags in zip(documents, labels, strict=True)]
        setup.data = replace(setup.data, dev=dev)
        _, fields = pseudo_labels(setup, teacher)
        assert ("risks" in fields) is not right


def test_flags_are_better_with_co_training(encoder):
    """The untrained teacher knows nothing; the words of the labeled texts show both flags."""
    gold = np.array([[name in document.gold["risks"] for name in tiny.RISKS.labels] for document in GOLD])
    precision = []
    for co_training in (False, True):
        setup, teacher = setup_of(encoder("bert"), co_training=co_training)
        labels, _ = pseudo_labels(setup, teacher)
        predicted = np.array([label["risks"].tolist() for label in labels])
        precision.append(average_precision_score(gold, predicted))
    assert precision[1] > precision[0] + 0.2


@pytest.mark.parametrize(("process", "processes"), [(0, 1), (0, 2), (1, 2)])
def test_batches_have_the_pseudo_labels_of_their_unlabeled_rows(encoder, process, processes):
    setup, teacher = setup_of(encoder("bert"))
    labels, _ = pseudo_labels(setup, teacher)
    windows = setup.windows
    batches = Batches(windows.labeled, windows.pool, (5, 4), windows.windower, tiny.FIELDS, 0, process, processes)
    batches.pseudo_labels = labels
    by_ids = {row.window.ids: label for row, label in zip(windows.pool, labels, strict=True)}
    for index in range(3):
        batch = batches[index]
        texts = batch.rows(~batch.known())
        assert len(texts.input_ids) == 4 // processes
        for row in range(len(texts.input_ids)):
            tokens = texts.input_ids[row][texts.attention_mask[row].bool()].tolist()
            label = by_ids[tuple(tokens[1:-1])]
            assert torch.equal(texts.teacher_probabilities["topic"][row], label["topic"])
            assert torch.equal(texts.teacher_probabilities["names"][row, : len(tokens)], label["names"])
        assert not batch.rows(batch.known()).teacher_probabilities["topic"].any()


@pytest.mark.slow
def test_student_learns_from_the_pseudo_labels(task, tmp_path, encoder, monkeypatch):
    settings = tiny.settings(encoder("bert"), "adversarial", max_steps=2)
    run = train(str(task), tmp_path / "run", **settings).path
    card = (run / "README.md").read_text("utf-8")
    assert "shifted so that the mean probability of each flag equals its share" in card
    assert (
        "Labels of `names` that the teacher predicted less often than the labeled texts have them were raised" in card
    )
    monkeypatch.setattr(module, "align_flags", lambda *args: False)
    plain = train(str(task), tmp_path / "plain", **settings).path
    logs = [
        [json.loads(line) for line in (folder / "log.jsonl").read_text("utf-8").splitlines()] for folder in (run, plain)
    ]
    assert logs[0][0]["teacher"] == logs[1][0]["teacher"], "alignment changes the teacher's own scores"
    assert logs[0][1]["risks.distillation"] != logs[1][1]["risks.distillation"]
    assert logs[0][1]["names.distillation"] == logs[1][1]["names.distillation"]


@pytest.mark.slow
def test_first_of_two_processes_decides(encoder, tmp_path):
    folder = encoder("bert")
    run_two(lambda rank: [__file__, folder, str(tmp_path / str(rank))])
    one, other = (json.loads((tmp_path / str(rank)).read_text("utf-8")) for rank in range(2))
    assert one == other
    setup, teacher = setup_of(folder, co_training=True)
    alone = [label["topic"].tolist() for label in pseudo_labels(setup, teacher)[0]]
    np.testing.assert_allclose(one, alone, atol=1e-4)


if __name__ == "__main__":  # one of the two processes: the second has other labels, and would predict otherwise
    rank = Accelerator(cpu=True).process_index
    setup, teacher = setup_of(sys.argv[1], tiny.documents(40, seed=5 + rank), co_training=True)
    probabilities = [label["topic"].tolist() for label in pseudo_labels(setup, teacher)[0]]
    Path(sys.argv[2]).write_text(json.dumps(probabilities), encoding="utf-8")
