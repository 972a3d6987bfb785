"""The second view: regression on the encoder as it came, and what the teacher says beside it."""

from __future__ import annotations

import json
import random
import sys
from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch
from accelerate import Accelerator
from processes import run_two
from safetensors.torch import load_file, save_file

from electra_ie import train
from electra_ie.data.batching import collate
from electra_ie.data.document import Document
from electra_ie.training.co_training import TAKEN, FeatureClassifier, _layer, _surprise, self_trained

TOPIC = tiny.TOPIC


def learnt(folder: str, documents, pool=(), dev=(), sharp: float = 1.0) -> FeatureClassifier:
    """One that has learnt from these documents, beside a teacher that nothing has trained."""
    windower, teacher = tiny.cutter_of(folder), tiny.discriminator_of(folder, sharp=sharp)
    made = FeatureClassifier(teacher)
    labelled, bare, scored = (tiny.rows(windower, each) for each in (documents, pool, dev))
    made.learn(labelled, bare, scored, teacher, windower, seed=0)
    return made


def pool():
    return [each.unlabeled() for each in tiny.documents(30, seed=8)]


def of_cues(size: int, seed: int) -> list[Document]:
    """Texts of the cue words of their class and one other word: states that even an encoder never trained tells apart."""
    draw = random.Random(seed)
    drawn = [(draw.choice(TOPIC.labels), draw.choice(tiny.WORDS)) for _ in range(size)]
    return [
        Document(str(place), f"{word} {' '.join([tiny.CUES[topic]] * 4)}", {TOPIC.name: topic})
        for place, (topic, word) in enumerate(drawn)
    ]


def test_it_judges_the_classes_of_texts_it_has_not_read(encoder):
    view = learnt(encoder("bert"), of_cues(40, 5), [each.unlabeled() for each in of_cues(30, 8)])
    windower = tiny.cutter_of(encoder("bert"))
    asked = of_cues(60, 21)
    states = torch.tensor(view._read(tiny.rows(windower, asked), windower))
    said = view.layers[TOPIC.name](states).argmax(1).tolist()
    right = sum(TOPIC.labels[each] == document.gold[TOPIC.name] for each, document in zip(said, asked, strict=True))
    assert right > 50  # by chance 20


def test_what_both_views_say_is_their_geometric_mean_and_other_fields_are_left_alone(encoder):
    view = learnt(encoder("bert"), tiny.documents(40), pool())
    batch = tiny.batch_of(tiny.cutter_of(encoder("bert")))
    texts = batch.rows(~batch.known())
    count = len(texts.input_ids)
    even = torch.full((count, len(TOPIC.labels)), 1 / len(TOPIC.labels))
    taught = {TOPIC.name: even, "other": torch.rand(count, 3)}
    with torch.no_grad():
        ours = view.layers[TOPIC.name](view._states(texts)).softmax(-1)
    told = view.beside(taught, texts)
    assert told["other"] is taught["other"]
    expected = ours.sqrt() / ours.sqrt().sum(-1, keepdim=True)
    torch.testing.assert_close(told[TOPIC.name], expected, atol=1e-4, rtol=1e-3)
    swapped = view.beside({TOPIC.name: ours}, texts)[TOPIC.name]
    torch.testing.assert_close(swapped, ours, atol=1e-4, rtol=1e-3)


def of_class(*names: str, size: int = 40):
    return [each for each in tiny.documents(size) if each.gold[TOPIC.name] in names]


def test_a_class_without_a_label_is_left_to_the_teacher(encoder):
    first, second, last = TOPIC.labels
    assert not learnt(encoder("bert"), of_class(first)).layers, "there is nothing to tell apart"
    view = learnt(encoder("bert"), of_class(first, second))
    batch = tiny.batch_of(tiny.cutter_of(encoder("bert")))
    sure = torch.zeros(len(batch.input_ids), len(TOPIC.labels))
    sure[:, TOPIC.labels.index(last)] = 1.0
    told = view.beside({TOPIC.name: sure}, batch)[TOPIC.name]
    assert view.layers[TOPIC.name].bias.isinf().tolist() == [each == last for each in TOPIC.labels]
    assert bool(torch.isfinite(told).all()) and bool((told[:, TOPIC.labels.index(last)] > 0.3).all())


def answered_by(view: FeatureClassifier, folder: str):
    """Sixty documents whose class is what the view says."""
    windower = tiny.cutter_of(folder)
    states = torch.tensor(view._read(tiny.rows(windower, tiny.documents(60, seed=21)), windower))
    return of_these_classes(view.layers[TOPIC.name](states))


def of_these_classes(logits: torch.Tensor):
    """Sixty documents, each of the class with the highest logit (60, K)."""
    return [
        replace(each, gold={**each.gold, TOPIC.name: TOPIC.labels[place]})
        for each, place in zip(tiny.documents(60, seed=21), logits.argmax(1).tolist(), strict=True)
    ]


def test_without_dev_no_class_may_have_a_single_label(encoder):
    folder, (first, second, last) = encoder("bert"), TOPIC.labels
    few = [*of_class(first, second), *of_class(last)[:1]]
    assert not learnt(folder, few).layers
    more = learnt(folder, [*few, *of_class(last)[1:2]])
    assert list(more.layers) == [TOPIC.name]
    assert learnt(folder, few, dev=answered_by(more, folder)).layers, "dev says that it helps"


def test_with_dev_it_is_asked_only_where_both_tell_the_right_classes_better(encoder):
    folder = encoder("bert")
    view = learnt(folder, tiny.documents(40))
    assert learnt(folder, tiny.documents(40), dev=answered_by(view, folder)).layers
    windower, teacher = tiny.cutter_of(folder), tiny.discriminator_of(folder, sharp=20.0).eval()
    batch = collate(tiny.rows(windower, tiny.documents(60, seed=21)), windower, tiny.FIELDS)
    of_teacher = of_these_classes(teacher.answers(batch)[TOPIC.name])
    assert not learnt(folder, tiny.documents(40), dev=of_teacher, sharp=20.0).layers


def test_that_one_is_only_too_sure_is_not_held_against_it():
    chances = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.6, 0.3], [0.3, 0.1, 0.6]])
    gold, weights = np.array([0, 1, 2, 2]), np.array([1.0, 1.0, 0.5, 1.0])
    least = _surprise(chances, gold, weights)
    surer = chances**3 / (chances**3).sum(1, keepdims=True)
    assert _surprise(surer, gold, weights) == pytest.approx(least, abs=1e-5)
    assert least < -np.average(np.log(chances[range(4), gold]), weights=weights)
    wrong = chances[:, [1, 2, 0]]
    assert _surprise(wrong, gold, weights) > np.log(3) - 1e-2 > least  # no better than not to know


def test_texts_without_labels_move_the_border_and_classes_keep_their_shares():
    """Two clouds with one label each at their edges: the border of the labels alone is askew."""
    draw = np.random.default_rng(0)
    clouds = np.concatenate([draw.normal((side, 0), (0.3, 0.5), (200, 2)) for side in (-1, 1)])
    truth = np.repeat([0, 1], 200)
    known, gold = np.array([[-0.5, -1.0], [0.5, 1.0]]), np.array([0, 1])
    alone = self_trained(known, gold, np.ones(2), np.empty((0, 2)))
    taught = self_trained(known, gold, np.ones(2), clouds)
    right = [float((model.predict(clouds) == truth).mean()) for model in (alone, taught)]
    assert right[0] < 0.9 and right[1] > 0.98

    counted = []
    fit = type(alone).fit

    def count(self, states, labels, weights=None):
        counted.append(np.bincount(labels, minlength=2))
        return fit(self, states, labels, weights)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(alone), "fit", count)
        self_trained(np.vstack([known, [[1.0, 1.0], [1.1, 1.0]]]), np.array([0, 1, 1, 1]), np.ones(4), clouds)
    assert counted[-1][0] <= 1 + round(TAKEN * 0.25 * 400) and counted[-1][1] <= 3 + round(TAKEN * 0.75 * 400)
    assert counted[0].tolist() == [1, 3] and len(counted) == 6


@pytest.mark.parametrize("kept", [(0, 1, 2), (0, 2), (1, 2)])
def test_the_layer_answers_as_the_regression(kept):
    draw = np.random.default_rng(1)
    gold = np.array(kept * 10)
    states = draw.normal(size=(len(gold), 4)) + gold[:, None]
    model = self_trained(states, gold, np.ones(len(gold)), np.empty((0, 4)))
    found = _layer(model, TOPIC)(torch.tensor(states, dtype=torch.float32)).softmax(-1)
    expected = torch.zeros_like(found)
    expected[:, list(kept)] = torch.tensor(model.predict_proba(states), dtype=torch.float32)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)


def test_the_encoder_is_the_one_of_before_the_training(encoder):
    discriminator = tiny.discriminator_of(encoder("bert"))
    view = FeatureClassifier(discriminator)
    before = {name: each.clone() for name, each in view.encoder.state_dict().items()}
    with torch.no_grad():
        for each in discriminator.encoder.parameters():
            each.add_(1.0)
    assert all(torch.equal(each, before[name]) for name, each in view.encoder.state_dict().items())
    assert not any(each.requires_grad for each in view.encoder.parameters())


def test_a_run_learns_from_it_and_one_without_classes_does_not(task, tmp_path, encoder, monkeypatch):
    task.write_text(task.read_text("utf-8").replace("dev: dev.jsonl, ", ""), encoding="utf-8")
    settings = tiny.settings(encoder("bert"), "adversarial")
    asked = []
    beside = FeatureClassifier.beside

    def ask(self, taught, texts):
        asked.append(sorted(self.layers))
        return beside(self, taught, texts)

    monkeypatch.setattr(FeatureClassifier, "beside", ask)
    run = train(str(task), tmp_path / "run", **settings).path
    assert asked == [["topic"]] * 13, "at each step, and where it is measured what hiding achieves"
    log = [json.loads(line) for line in (run / "log.jsonl").read_text("utf-8").splitlines()]
    monkeypatch.setattr(FeatureClassifier, "beside", lambda self, taught, texts: taught)
    other = train(str(task), tmp_path / "other", **settings).path
    logs = [json.loads(line) for line in (other / "log.jsonl").read_text("utf-8").splitlines()]
    assert log[1]["topic.distillation"] != logs[1]["topic.distillation"]
    assert log[1]["names.distillation"] == logs[1]["names.distillation"]
    assert json.loads((run / "scores.json").read_text("utf-8"))["training"]["second_view"] == ["topic"]
    told = (
        "The targets for `topic` are the geometric mean of the teacher's predictions and those of logistic regression"
    )
    assert told in (run / "README.md").read_text("utf-8")

    monkeypatch.setattr(FeatureClassifier, "beside", ask)
    asked.clear()
    kept = [line for line in task.read_text("utf-8").splitlines() if "topic" not in line]
    task.write_text("\n".join(kept) + "\n", encoding="utf-8")
    spans = train(str(task), tmp_path / "spans", **settings).path
    assert not asked and "logistic regression" not in (spans / "README.md").read_text("utf-8")


def test_it_may_be_left_out(task, tmp_path, encoder, monkeypatch):
    monkeypatch.setattr(FeatureClassifier, "learn", lambda *given: pytest.fail("it was asked"))
    settings = tiny.settings(encoder("bert"), "adversarial", overrides=["co_training=false"])
    run = train(str(task), tmp_path / "run", **settings).path
    assert "logistic regression" not in (run / "README.md").read_text("utf-8")


def test_where_labels_are_many_it_is_not_asked(encoder, monkeypatch):
    monkeypatch.setattr("electra_ie.training.co_training.MOST", 40)
    assert learnt(encoder("bert"), tiny.documents(40)).layers
    assert not learnt(encoder("bert"), tiny.documents(41)).layers


@pytest.mark.slow
def test_of_two_processes_the_first_decides(encoder, tmp_path):
    folder = encoder("bert")
    run_two(lambda rank: [__file__, folder, str(tmp_path / str(rank))])
    one, other = (load_file(tmp_path / str(rank)) for rank in range(2))
    assert torch.equal(one["weight"], other["weight"])
    alone = learnt(folder, tiny.documents(40, seed=0)).layers[TOPIC.name]
    torch.testing.assert_close(one["weight"], alone.weight, atol=1e-3, rtol=1e-3)


if __name__ == "__main__":  # one of the two processes: what the second was told would teach it another layer
    rank = Accelerator(cpu=True).process_index
    layer = learnt(sys.argv[1], tiny.documents(40, seed=rank)).layers[TOPIC.name]
    save_file(layer.state_dict(), sys.argv[2])
