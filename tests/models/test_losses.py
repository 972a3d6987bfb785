"""The loss terms: the implicit class "generated" equals an explicit one, and rows with unknown labels are ignored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import rel_entr

from electra_ie.common.errors import UserError
from electra_ie.data.fields import IGNORED
from electra_ie.models.losses import ROW_TERMS, TERMS, check_terms, divergence, local_mean, weighted_loss
from electra_ie.models.outputs import UnitScores


def scores_of(logits, labels=None, weight=None, features=None):
    logits = torch.tensor(logits)
    rows = len(logits)
    return UnitScores(
        tiny.TOPIC, logits, torch.zeros(rows, 2) if features is None else features, logits.logsumexp(-1),
        torch.full((rows,), IGNORED) if labels is None else torch.tensor(labels),
        torch.ones(rows) if weight is None else torch.tensor(weight),
    )  # fmt: skip


def with_generated_class(logits):
    """Return log probabilities of K + 1 classes, the last being "generated" with the logit 0."""
    return torch.cat([torch.tensor(logits), torch.zeros(4, 1, dtype=torch.float64)], 1).log_softmax(1)


def test_the_divergence_from_the_teacher_is_that_of_scipy():
    logits, teacher = np.array([[2.0, 0.0, -1.0], [0.0, 3.0, 0.0]]), np.array([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0]])
    scores = replace(scores_of(logits, weight=[1.0, 3.0]), teacher_probabilities=torch.tensor(teacher))
    rows = [rel_entr(teacher[row], np.exp(logits[row]) / np.exp(logits[row]).sum()).sum() for row in range(2)]
    assert float(divergence(scores, local_mean)) == pytest.approx((rows[0] + 3 * rows[1]) / 4)
    same = replace(scores, teacher_probabilities=scores.logits.softmax(-1))
    assert float(divergence(same, local_mean)) == pytest.approx(0, abs=1e-9)
    flags = replace(
        scores, field=tiny.RISKS, logits=scores.logits[:, :2], teacher_probabilities=scores.teacher_probabilities[:, :2]
    )
    probabilities = 1 / (1 + np.exp(-logits[:, :2]))
    rows = (rel_entr(teacher[:, :2], probabilities) + rel_entr(1 - teacher[:, :2], 1 - probabilities)).mean(1)
    assert float(divergence(flags, local_mean)) == pytest.approx((rows[0] + 3 * rows[1]) / 4)


LOGITS = arrays(np.float64, (4, 3), elements=st.floats(-15, 15))


@given(LOGITS, LOGITS)
def test_the_class_generated_needs_no_weights(real, generated):
    """K logits and p(real) = sigmoid(logsumexp) are the softmax over K + 1 classes whose last logit is 0."""
    on_real, on_generated = (with_generated_class(logits) for logits in (real, generated))
    as_real = [rows[:, :3].logsumexp(1).mean() for rows in (on_real, on_generated)]
    loss = TERMS["discriminator"]["adversarial"](scores_of(real), scores_of(generated), local_mean)
    torch.testing.assert_close(loss, -as_real[0] - on_generated[:, 3].mean())
    loss = TERMS["generator"]["generator_adversarial"](scores_of(real), scores_of(generated), local_mean)
    torch.testing.assert_close(loss, -as_real[1])


@given(LOGITS, st.lists(st.integers(0, 2), min_size=4, max_size=4))
def test_classification_is_conditional_on_the_row_being_real(logits, labels):
    of_all = with_generated_class(logits)
    given_real = of_all[:, :3] - of_all[:, :3].logsumexp(1, keepdim=True)
    expected = -given_real[torch.arange(4), labels].mean()
    torch.testing.assert_close(
        TERMS["discriminator"]["classification"](scores_of(logits, labels), None, local_mean), expected
    )


def test_flags_are_binary_and_unknown_rows_are_left_out():
    logits = torch.tensor([[2.0, -1.0], [0.5, 0.5], [9.0, 9.0]])
    labels = torch.tensor([[1.0, 0.0], [0.0, 0.0], [IGNORED, IGNORED]])
    real = UnitScores(tiny.RISKS, logits, torch.zeros(3, 2), torch.zeros(3), labels, torch.ones(3))
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits[:2], labels[:2])
    torch.testing.assert_close(TERMS["discriminator"]["classification"](real, None, local_mean), expected)


def test_a_text_of_several_windows_has_the_weight_of_one_text():
    logits = [[2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]
    shared = scores_of(logits, [0, 1, 1], [1.0, 0.5, 0.5])
    one = scores_of(logits[:2], [0, 1], [1.0, 1.0])
    for name in ("classification", "adversarial"):
        term = TERMS["discriminator"][name]
        torch.testing.assert_close(term(shared, one, local_mean), term(one, one, local_mean))


def test_feature_matching_compares_means_and_has_no_gradient_for_real_features():
    real = torch.tensor([[1.0, 3.0], [3.0, 5.0]], requires_grad=True)
    generated = torch.tensor([[0.0, 0.0], [2.0, 2.0]], requires_grad=True)
    logits = [[0.0] * 3] * 2
    loss = TERMS["generator"]["feature_matching"](
        scores_of(logits, features=real), scores_of(logits, features=generated), local_mean
    )
    loss.backward()
    assert float(loss.detach()) == pytest.approx(((2 - 1) ** 2 + (4 - 1) ** 2) / 2)
    assert real.grad is None
    assert generated.grad.abs().sum() > 0


def test_the_loss_is_weighted_and_its_parts_are_not():
    real = {"topic": scores_of([[1.0, 0.0, 0.0]], [0])}
    generated = {"topic": scores_of([[0.0, 0.0, 1.0]], [2])}
    total, parts = weighted_loss(
        "discriminator", {"classification": 2.0, "adversarial": 0.5}, real, generated, local_mean
    )
    assert set(parts) == {"topic.classification", "topic.adversarial"}
    assert float(total) == pytest.approx(2 * parts["topic.classification"] + 0.5 * parts["topic.adversarial"])


def test_distillation_is_the_cross_entropy_with_the_teacher():
    """It is smallest for the teacher's own predictions, with or without labels; rows have weights."""
    teacher = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])
    generated = scores_of(teacher.log().tolist(), weight=[1.0, 3.0])
    generated.teacher_probabilities = teacher
    distillation = TERMS["discriminator"]["distillation"]
    entropy = -(teacher * teacher.log()).sum(-1)
    assert float(distillation(None, generated, local_mean)) == pytest.approx(float((entropy[0] + 3 * entropy[1]) / 4))
    other = scores_of(teacher.flip(0).log().tolist(), weight=[1.0, 3.0])
    other.teacher_probabilities = teacher
    assert distillation(None, other, local_mean) > distillation(None, generated, local_mean)
    flags = replace(generated, field=tiny.RISKS, logits=teacher.logit())
    binary = -(teacher * teacher.log() + (1 - teacher) * (1 - teacher).log()).mean(-1)
    assert float(distillation(None, flags, local_mean)) == pytest.approx(
        float((binary[0] + 3 * binary[1]) / 4), rel=1e-5
    )


@pytest.mark.parametrize(("discriminator", "generator", "message"), [
    ({"classificatio": 1.0}, {}, 'unknown term "classificatio" of the discriminator. Did you mean "classification"'),
    ({"classification": 1.0}, {"passes": 1.0}, 'unknown term "passes" of the generator'),
    ({"adversarial": 1.0}, {}, "adversarial needs a generator"),
    ({"classification": 1.0}, {"adversarial_masking": 1.0}, "needs the predictions of a teacher"),
    ({"distillation": 1.0}, {"feature_matching": 1.0}, "not both"),
    ({"distillation": 1.0, "adversarial": 1.0}, {}, "adversarial needs a generator"),
    ({"distillation": 1.0}, {"adversarial_masking": 1.0, "feature_matching": 1.0}, "not both"),
])  # fmt: skip
def test_terms_that_exclude_each_other_are_refused(discriminator, generator, message):
    with pytest.raises(UserError, match=message.replace("?", r"\?")):
        check_terms({"discriminator": discriminator, "generator": generator}, ROW_TERMS)
