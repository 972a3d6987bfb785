"""Initialization of the bias of new heads to the label shares."""

from __future__ import annotations

import json
import shutil

import pytest
import tiny
import torch
from safetensors.torch import load_file

from electra_ie.common.errors import UserError
from electra_ie.config.train import PRESETS, TrainSettings
from electra_ie.data.fields import IGNORED, Field
from electra_ie.data.task import Task
from electra_ie.data.training_data import TrainingData
from electra_ie.data.windowing import LabeledWindow, Window
from electra_ie.models.bias_init import init_bias_to_prior, prior_logits
from electra_ie.models.discriminator import Discriminator
from electra_ie.training.setup import set_up


def window(size: int, weight: float = 1.0) -> Window:
    offsets = tuple((2 * index, 2 * index + 1) for index in range(size))
    return Window(tuple(range(size)), offsets, 0, size, weight)


def test_span_bias_is_the_tag_share_among_labeled_tokens():
    rows = [
        LabeledWindow(window(4, 0.25), {"names": [IGNORED, 0, 1, 2]}),  # the loss weighs all tokens equally
        LabeledWindow(window(5), {"names": [0, 0, 0, 0, IGNORED]}),
        LabeledWindow(window(9), {}),  # not labeled
    ]
    counts = torch.tensor([5.0, 1, 1, 0, 0]) + 1
    torch.testing.assert_close(prior_logits(rows, tiny.NAMED).softmax(-1), counts / counts.sum())


def test_windows_count_by_their_weight_in_the_loss():
    rows = [LabeledWindow(window(3), {"topic": 0}), *[LabeledWindow(window(3, 0.25), {"topic": 2})] * 4]
    torch.testing.assert_close(prior_logits(rows, tiny.TOPIC).softmax(-1), torch.tensor([0.4, 0.2, 0.4]))
    flags = [
        LabeledWindow(window(3), {"risks": [1.0, 0.0]}),
        *[LabeledWindow(window(3, 0.5), {"risks": [0.0, 0.0]})] * 2,
    ]
    torch.testing.assert_close(prior_logits(flags, tiny.RISKS).sigmoid(), torch.tensor([0.5, 0.25]))


@pytest.mark.parametrize("field", tiny.FIELDS, ids=lambda field: field.kind)
def test_field_without_labels_starts_at_equal_logits(field):
    logits = prior_logits([LabeledWindow(window(3), {})], field)
    torch.testing.assert_close(logits, torch.zeros(len(field.names)))


def test_bias_does_not_change_realness():
    """The logit of the class "fake" is 0, so realness is the logsumexp of the others: log K for any shares."""
    spans = prior_logits([LabeledWindow(window(50), {"names": [0] * 49 + [1]})], tiny.NAMED)
    classes = prior_logits([LabeledWindow(window(3), {"topic": 1})] * 9, tiny.TOPIC)
    assert spans.std() > 0.5
    assert classes.std() > 0.5
    torch.testing.assert_close(spans.logsumexp(-1), torch.tensor(5.0).log())
    torch.testing.assert_close(classes.logsumexp(-1), torch.tensor(3.0).log())


@pytest.mark.parametrize(("family", "preset"), [
    pytest.param(family, preset, marks=[] if family == "bert" or preset == "supervised" else pytest.mark.slow)
    for family in tiny.FAMILIES for preset in PRESETS
])  # fmt: skip
def test_training_starts_at_the_label_shares(family, preset, encoder, tmp_path):
    task = Task.load(str(tiny.write_task(tmp_path / "task")))
    settings = TrainSettings(**tiny.settings(encoder(family), preset))
    training = set_up(task, settings, TrainingData.read(task, settings), tmp_path / "run")
    for field in training.task.fields:
        bias = training.discriminator.head(field).output_layer.bias.detach()
        torch.testing.assert_close(bias, prior_logits(training.windows.labeled, field))
        assert bias.abs().max() > 0.1, "the shares are too even to show a difference"


def test_trained_head_is_kept_for_the_same_labels_only(run):
    """The model of a field can be the encoder of a new run; its head is kept if the labels are the same."""
    others = (
        Field("same", "classes", tiny.TOPIC.labels),
        Field("fewer", "classes", tiny.TOPIC.labels[:2]),
        Field("renamed", "classes", ("a", "b", "c")),
        Field("spans", "spans", ("a",)),
    )
    rows = [LabeledWindow(window(3), {field.name: [1, 0, 0] if field.kind == "spans" else 0 for field in others})]
    trained = load_file(run / "topic" / "model.safetensors")["classifier.bias"]
    for field in others:
        discriminator = Discriminator.from_encoder(str(run / "topic"), [field], pooling="stock")
        init_bias_to_prior(discriminator, rows)
        bias = discriminator.head(field).output_layer.bias.detach()
        torch.testing.assert_close(bias, trained if field.name == "same" else prior_logits(rows, field))


def test_encoder_with_weights_of_another_shape_is_an_error(encoder, tmp_path):
    folder = tmp_path / "encoder"
    shutil.copytree(encoder("bert"), folder)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "intermediate_size": 64}), "utf-8")
    with pytest.raises(UserError, match=r"the weights of .*intermediate.* config\.json gives\. Restore") as caught:
        Discriminator.from_encoder(str(folder), [tiny.TOPIC], pooling="stock")
    assert caught.value.file == str(folder)
