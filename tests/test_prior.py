"""A new head begins at the shares of its labels."""

from __future__ import annotations

import math

import pytest
import tiny
import torch

from electra_ie.batching import Labelled, Window
from electra_ie.labels import IGNORED
from electra_ie.prior import begin_at_shares, prior_logits
from electra_ie.recipe import Recipe
from electra_ie.task import Task
from electra_ie.training import Corpus, Training


def window(size: int, share: float = 1.0) -> Window:
    return Window(tuple(range(size)), tuple((2 * at, 2 * at + 1) for at in range(size)), 0, size, share)


def test_spans_begin_at_the_shares_of_tags_among_judged_tokens():
    rows = [
        Labelled(window(4), {"names": [IGNORED, 0, 1, 2]}),
        Labelled(window(5), {"names": [0, 0, 0, 0, IGNORED]}),
        Labelled(window(9), {}),  # nothing is known of it
    ]
    counts = torch.tensor([5.0, 1, 1, 0, 0]) + 1
    torch.testing.assert_close(prior_logits(rows, tiny.NAMED).softmax(-1), counts / counts.sum())


def test_windows_of_a_long_text_count_as_much_as_they_weigh_in_the_loss():
    rows = [Labelled(window(3), {"topic": 0}), *[Labelled(window(3, 0.25), {"topic": 2})] * 4]
    torch.testing.assert_close(prior_logits(rows, tiny.TOPIC).softmax(-1), torch.tensor([0.4, 0.2, 0.4]))
    flags = [Labelled(window(3), {"risks": [1.0, 0.0]}), *[Labelled(window(3, 0.5), {"risks": [0.0, 0.0]})] * 2]
    torch.testing.assert_close(prior_logits(flags, tiny.RISKS).sigmoid(), torch.tensor([0.5, 0.25]))


@pytest.mark.parametrize("field", tiny.FIELDS, ids=lambda field: field.kind)
def test_a_field_of_which_nothing_is_known_begins_with_all_answers_alike(field):
    logits = prior_logits([Labelled(window(3), {})], field)
    torch.testing.assert_close(logits, torch.zeros(len(field.names)))


def test_a_text_begins_no_more_real_than_without():
    """With the fake's logit at 0, realness is the logsumexp: log K, whatever the shares."""
    rows = [Labelled(window(50), {"names": [0] * 49 + [1]})]
    assert math.isclose(float(prior_logits(rows, tiny.NAMED).logsumexp(-1)), math.log(5), rel_tol=1e-6)


def test_a_head_that_was_trained_before_keeps_its_bias(encoder):
    folder = encoder("bert")
    discriminator = tiny.discriminator_of(folder)
    rows = tiny.rows(tiny.cutter_of(folder), tiny.documents(20))
    trained = torch.tensor([0.5, -0.25, 0.0])
    with torch.no_grad():
        discriminator.head(tiny.TOPIC).last.bias.copy_(trained)
    begin_at_shares(discriminator, rows)
    assert torch.equal(discriminator.head(tiny.TOPIC).last.bias, trained)
    assert discriminator.head(tiny.NAMED).last.bias.argmax() == 0


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_training_begins_with_the_answers_that_labels_have(family, encoder, tmp_path):
    """Before the first step, the mean answer to the labelled windows is near the shares of the labels."""
    task = Task.load(str(tiny.write_task(tmp_path / "task")))
    recipe = Recipe(**tiny.settings(encoder(family), "control"))
    training = Training(task, recipe, Corpus.read(task, recipe), tmp_path / "run")
    for field in training.task.fields:
        bias = training.discriminator.head(field).last.bias.detach()
        torch.testing.assert_close(bias, prior_logits(training.labelled, field))
        assert bias.abs().max() > 0.1, "shares so even that any would do"
