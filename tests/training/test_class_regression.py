"""Co-training: regression on states of the untrained encoder, and its combination with the teacher."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch

from electra_ie import train
from electra_ie.data.batching import collate
from electra_ie.data.document import Document
from electra_ie.data.label_texts import label_texts
from electra_ie.models.frozen_encoder import FrozenEncoder
from electra_ie.training.pseudo_labels.class_regression import FINAL_SHARE, FeatureClassifier, _layer, self_trained
from electra_ie.training.pseudo_labels.temperature import calibrated_loss

TOPIC = tiny.TOPIC


def fitted(folder: str, documents, pool=(), dev=(), about=(), sharp: float = 1.0) -> FeatureClassifier:
    """Return a classifier fitted to these documents and those about labels, with an untrained teacher."""
    windower, teacher = tiny.windower_of(folder), tiny.discriminator_of(folder, sharp=sharp)
    classifier = FeatureClassifier(teacher.fields, FrozenEncoder(teacher.encoder, windower))
    rows = [tiny.rows(windower, part) for part in (documents, about, pool, dev)]
    classifier.fit(*rows, teacher, seed=0)
    return classifier


def pool():
    return [document.unlabeled() for document in tiny.documents(30, seed=8)]


def of_cues(size: int, seed: int) -> list[Document]:
    """Return texts of the cue words of their class and one other word: even an untrained encoder separates them."""
    rng = random.Random(seed)
    drawn = [(rng.choice(TOPIC.labels), rng.choice(tiny.WORDS)) for _ in range(size)]
    return [
        Document(str(index), f"{word} {' '.join([tiny.CUES[topic]] * 4)}", {TOPIC.name: topic})
        for index, (topic, word) in enumerate(drawn)
    ]


def test_regression_predicts_the_classes_of_unseen_texts(encoder):
    classifier = fitted(encoder("bert"), of_cues(40, 5), [document.unlabeled() for document in of_cues(30, 8)])
    windower = tiny.windower_of(encoder("bert"))
    unseen = of_cues(60, 21)
    states = torch.tensor(classifier.encoder.read(tiny.rows(windower, unseen)))
    predicted = [TOPIC.labels[index] for index in classifier.layers[TOPIC.name](states).argmax(1).tolist()]
    correct = sum(label == document.gold[TOPIC.name] for label, document in zip(predicted, unseen, strict=True))
    assert correct > 50  # 20 at random


def test_texts_about_labels_teach_a_class_without_a_labeled_text(encoder):
    folder, missing = encoder("bert"), TOPIC.labels[-1]
    drawn = of_cues(24, 5)
    labeled = [text for label in TOPIC.labels[:-1] for text in [d for d in drawn if d.gold[TOPIC.name] == label][:2]]
    about = label_texts([TOPIC], {TOPIC.name: {label: " ".join([tiny.CUES[label]] * 4) for label in TOPIC.labels}})
    windower, unseen = tiny.windower_of(folder), [text for text in of_cues(60, 21) if text.gold[TOPIC.name] == missing]
    correct = []
    for texts in ((), about):
        classifier = fitted(folder, labeled, about=texts)
        states = torch.tensor(classifier.encoder.read(tiny.rows(windower, unseen)))
        predicted = classifier.layers[TOPIC.name](states).argmax(1)
        correct.append(int((predicted == TOPIC.labels.index(missing)).sum()))
    assert correct[0] == 0
    assert correct[1] > 0


def test_combination_is_the_geometric_mean_and_leaves_other_fields_unchanged(encoder):
    classifier = fitted(encoder("bert"), tiny.documents(40), pool())
    batch = tiny.batch_of(tiny.windower_of(encoder("bert")))
    texts = batch.rows(~batch.known())
    count = len(texts.input_ids)
    even = torch.full((count, len(TOPIC.labels)), 1 / len(TOPIC.labels))
    of_teacher = {TOPIC.name: even, "other": torch.rand(count, 3)}
    with torch.no_grad():
        of_regression = classifier.layers[TOPIC.name](classifier.encoder.states(texts)).softmax(-1)
    combined = classifier.combine_with_teacher(of_teacher, texts)
    assert combined["other"] is of_teacher["other"]
    expected = of_regression.sqrt() / of_regression.sqrt().sum(-1, keepdim=True)
    torch.testing.assert_close(combined[TOPIC.name], expected, atol=1e-4, rtol=1e-3)
    with_itself = classifier.combine_with_teacher({TOPIC.name: of_regression}, texts)[TOPIC.name]
    torch.testing.assert_close(with_itself, of_regression, atol=1e-4, rtol=1e-3)


def of_class(*names: str, size: int = 40):
    return [document for document in tiny.documents(size) if document.gold[TOPIC.name] in names]


def test_class_without_a_label_keeps_the_teachers_prediction(encoder):
    first, second, last = TOPIC.labels
    assert not fitted(encoder("bert"), of_class(first)).layers, "there is one class only"
    classifier = fitted(encoder("bert"), of_class(first, second))
    batch = tiny.batch_of(tiny.windower_of(encoder("bert")))
    certain = torch.zeros(len(batch.input_ids), len(TOPIC.labels))
    certain[:, TOPIC.labels.index(last)] = 1.0
    combined = classifier.combine_with_teacher({TOPIC.name: certain}, batch)[TOPIC.name]
    assert classifier.layers[TOPIC.name].bias.isinf().tolist() == [label == last for label in TOPIC.labels]
    assert bool(torch.isfinite(combined).all())
    assert bool((combined[:, TOPIC.labels.index(last)] > 0.3).all())


def answered_by(classifier: FeatureClassifier, folder: str):
    """Return sixty documents with the classes that the regression predicts."""
    windower = tiny.windower_of(folder)
    states = torch.tensor(classifier.encoder.read(tiny.rows(windower, tiny.documents(60, seed=21))))
    return with_classes(classifier.layers[TOPIC.name](states))


def with_classes(logits: torch.Tensor):
    """Return sixty documents, each with the class of its highest logit, (60, K)."""
    return [
        replace(document, gold={**document.gold, TOPIC.name: TOPIC.labels[index]})
        for document, index in zip(tiny.documents(60, seed=21), logits.argmax(1).tolist(), strict=True)
    ]


def test_without_dev_no_class_may_have_a_single_label(encoder):
    folder, (first, second, last) = encoder("bert"), TOPIC.labels
    few = [*of_class(first, second), *of_class(last)[:1]]
    assert not fitted(folder, few).layers
    more = fitted(folder, [*few, *of_class(last)[1:2]])
    assert list(more.layers) == [TOPIC.name]
    assert fitted(folder, few, dev=answered_by(more, folder)).layers, "it helps on dev"


def test_with_dev_the_combination_must_beat_the_teacher(encoder):
    folder = encoder("bert")
    classifier = fitted(folder, tiny.documents(40))
    assert fitted(folder, tiny.documents(40), dev=answered_by(classifier, folder)).layers
    windower, teacher = tiny.windower_of(folder), tiny.discriminator_of(folder, sharp=20.0).eval()
    batch = collate(tiny.rows(windower, tiny.documents(60, seed=21)), windower, tiny.FIELDS)
    of_teacher = with_classes(teacher.predict_logits(batch)[TOPIC.name])
    assert not fitted(folder, tiny.documents(40), dev=of_teacher, sharp=20.0).layers


def testcalibrated_loss_does_not_depend_on_the_temperature():
    probabilities = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.6, 0.3], [0.3, 0.1, 0.6]])
    gold, weights = np.array([0, 1, 2, 2]), np.array([1.0, 1.0, 0.5, 1.0])
    loss = calibrated_loss(probabilities, gold, weights)
    sharper = probabilities**3 / (probabilities**3).sum(1, keepdims=True)
    assert calibrated_loss(sharper, gold, weights) == pytest.approx(loss, abs=1e-5)
    assert loss < -np.average(np.log(probabilities[range(4), gold]), weights=weights)
    wrong = probabilities[:, [1, 2, 0]]
    assert calibrated_loss(wrong, gold, weights) > np.log(3) - 1e-2 > loss  # no better than equal probabilities


def test_self_training_improves_the_boundary_and_keeps_class_shares():
    """Two clusters with one label each at their edges: the boundary between the labels alone is wrong."""
    rng = np.random.default_rng(0)
    clusters = np.concatenate([rng.normal((side, 0), (0.3, 0.5), (200, 2)) for side in (-1, 1)])
    truth = np.repeat([0, 1], 200)
    labeled, gold = np.array([[-0.5, -1.0], [0.5, 1.0]]), np.array([0, 1])
    without_texts = self_trained(labeled, gold, np.ones(2), np.empty((0, 2)))
    with_texts = self_trained(labeled, gold, np.ones(2), clusters)
    accuracy = [float((model.predict(clusters) == truth).mean()) for model in (without_texts, with_texts)]
    assert accuracy[0] < 0.9
    assert accuracy[1] > 0.98

    counted = []
    fit = type(without_texts).fit

    def count(self, states, labels, weights=None):
        counted.append(np.bincount(labels, minlength=2))
        return fit(self, states, labels, weights)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(without_texts), "fit", count)
        self_trained(np.vstack([labeled, [[1.0, 1.0], [1.1, 1.0]]]), np.array([0, 1, 1, 1]), np.ones(4), clusters)
    assert counted[-1][0] <= 1 + round(FINAL_SHARE * 0.25 * 400)
    assert counted[-1][1] <= 3 + round(FINAL_SHARE * 0.75 * 400)
    assert counted[0].tolist() == [1, 3]
    assert len(counted) == 6


@pytest.mark.parametrize("kept", [(0, 1, 2), (0, 2), (1, 2)])
def test_layer_gives_the_probabilities_of_the_regression(kept):
    rng = np.random.default_rng(1)
    gold = np.array(kept * 10)
    states = rng.normal(size=(len(gold), 4)) + gold[:, None]
    model = self_trained(states, gold, np.ones(len(gold)), np.empty((0, 4)))
    probabilities = _layer(model, TOPIC)(torch.tensor(states, dtype=torch.float32)).softmax(-1)
    expected = torch.zeros_like(probabilities)
    expected[:, list(kept)] = torch.tensor(model.predict_proba(states), dtype=torch.float32)
    torch.testing.assert_close(probabilities, expected, atol=1e-4, rtol=1e-3)


def test_encoder_is_a_copy_that_training_does_not_change(encoder):
    discriminator = tiny.discriminator_of(encoder("bert"))
    frozen = FrozenEncoder(discriminator.encoder, tiny.windower_of(encoder("bert")))
    before = {name: value.clone() for name, value in frozen.encoder.state_dict().items()}
    with torch.no_grad():
        for parameter in discriminator.encoder.parameters():
            parameter.add_(1.0)
    assert all(torch.equal(value, before[name]) for name, value in frozen.encoder.state_dict().items())
    assert not any(parameter.requires_grad for parameter in frozen.encoder.parameters())


@pytest.mark.slow
def test_run_with_classes_uses_co_training_and_one_without_does_not(task, tmp_path, encoder, monkeypatch):
    task.write_text(task.read_text("utf-8").replace("dev: dev.jsonl, ", ""), encoding="utf-8")
    settings = tiny.settings(encoder("bert"), "adversarial", max_steps=2)
    calls = []
    combine = FeatureClassifier.combine_with_teacher

    def record_call(self, probabilities, texts):
        calls.append(sorted(self.layers))
        return combine(self, probabilities, texts)

    monkeypatch.setattr(FeatureClassifier, "combine_with_teacher", record_call)
    run = train(str(task), tmp_path / "run", **settings).path
    assert calls == [["topic"]], "once, for all unlabeled texts"
    log = [json.loads(line) for line in (run / "log.jsonl").read_text("utf-8").splitlines()]
    monkeypatch.setattr(FeatureClassifier, "combine_with_teacher", lambda self, probabilities, texts: probabilities)
    other = train(str(task), tmp_path / "other", **settings).path
    logs = [json.loads(line) for line in (other / "log.jsonl").read_text("utf-8").splitlines()]
    assert log[1]["topic.distillation"] != logs[1]["topic.distillation"]
    assert log[1]["names.distillation"] == logs[1]["names.distillation"]
    assert json.loads((run / "scores.json").read_text("utf-8"))["training"]["co_training"] == [
        "topic",
        "risks",
        "names",
    ]
    sentence = (
        "The targets for `topic` are the geometric mean of the teacher's predictions and those of logistic regression"
    )
    card = (run / "README.md").read_text("utf-8")
    assert sentence in card
    assert (
        "The targets for `risks` combine the teacher's predictions with those of logistic regression on words" in card
    )

    monkeypatch.setattr(FeatureClassifier, "combine_with_teacher", record_call)
    calls.clear()
    spans = train(str(tiny.without(task, "topic", "risks")), tmp_path / "spans", **settings).path
    assert not calls
    assert "`topic` are the geometric mean" not in (spans / "README.md").read_text("utf-8")


def test_co_training_can_be_disabled(task, tmp_path, encoder, monkeypatch):
    monkeypatch.setattr(FeatureClassifier, "fit", lambda *args: pytest.fail("it was fitted"))
    settings = tiny.settings(encoder("bert"), "adversarial", max_steps=2, overrides=["co_training=false"])
    run = train(str(task), tmp_path / "run", **settings).path
    assert "logistic regression" not in (run / "README.md").read_text("utf-8")


def test_co_training_is_not_used_with_many_labels(encoder, monkeypatch):
    monkeypatch.setattr("electra_ie.training.pseudo_labels.class_regression.MAX_WINDOWS", 40)
    assert fitted(encoder("bert"), tiny.documents(40)).layers
    assert not fitted(encoder("bert"), tiny.documents(41)).layers


def test_frozen_encoder_reads_each_sentence_once(encoder, monkeypatch):
    frozen = FrozenEncoder(tiny.discriminator_of(encoder("bert")).encoder, tiny.windower_of(encoder("bert")))
    counts = []
    read = FrozenEncoder.read

    def count(self, windows):
        counts.append(len(windows))
        return read(self, windows)

    monkeypatch.setattr(FrozenEncoder, "read", count)
    first = frozen.read_sentences(["the bank", "a river", "the bank"])
    again = frozen.read_sentences(["a river", "the goods", "the bank"])
    assert counts == [2, 1]
    assert np.array_equal(first[0], first[2])
    assert np.array_equal(again[[0, 2]], first[[1, 0]])
    assert not np.allclose(again[1], again[0])
