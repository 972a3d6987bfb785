"""The terms of the losses: the implicit fake class is the explicit one, and unknown rows teach nothing."""

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
from electra_ie.models.losses import ROW_TERMS, TERMS, check_terms, divergence, weighted_loss
from electra_ie.models.outputs import DiscriminatorOutput


def mean(values, weights):
    return (values * weights.view(-1, *[1] * (values.dim() - 1))).sum(0) / weights.sum().clamp(min=1e-8)


def verdict(logits, labels=None, weight=None, features=None):
    logits = torch.tensor(logits)
    rows = len(logits)
    return DiscriminatorOutput(
        tiny.TOPIC, logits, torch.zeros(rows, 2) if features is None else features, logits.logsumexp(-1),
        torch.full((rows,), IGNORED) if labels is None else torch.tensor(labels),
        torch.ones(rows) if weight is None else torch.tensor(weight),
    )  # fmt: skip


def with_fake_class(logits):
    """Log-probabilities of K + 1 classes, the last being "fake" with logit 0."""
    return torch.cat([torch.tensor(logits), torch.zeros(4, 1, dtype=torch.float64)], 1).log_softmax(1)


def test_the_divergence_from_the_teacher_is_that_of_scipy():
    logits, taught = np.array([[2.0, 0.0, -1.0], [0.0, 3.0, 0.0]]), np.array([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0]])
    made = replace(verdict(logits, weight=[1.0, 3.0]), taught=torch.tensor(taught))
    rows = [rel_entr(taught[row], np.exp(logits[row]) / np.exp(logits[row]).sum()).sum() for row in range(2)]
    assert float(divergence(made, mean)) == pytest.approx((rows[0] + 3 * rows[1]) / 4)
    same = replace(made, taught=made.logits.softmax(-1))
    assert float(divergence(same, mean)) == pytest.approx(0, abs=1e-9)
    flags = replace(made, field=tiny.RISKS, logits=made.logits[:, :2], taught=made.taught[:, :2])
    found = 1 / (1 + np.exp(-logits[:, :2]))
    rows = (rel_entr(taught[:, :2], found) + rel_entr(1 - taught[:, :2], 1 - found)).mean(1)
    assert float(divergence(flags, mean)) == pytest.approx((rows[0] + 3 * rows[1]) / 4)


LOGITS = arrays(np.float64, (4, 3), elements=st.floats(-15, 15))


@given(LOGITS, LOGITS)
def test_the_fake_class_needs_no_weight_of_its_own(real, fake):
    """K logits and p(real) = sigmoid(logsumexp) are the softmax over K + 1 classes whose last logit is 0."""
    on_real, on_fake = (with_fake_class(each) for each in (real, fake))
    as_real = [each[:, :3].logsumexp(1).mean() for each in (on_real, on_fake)]
    rejects = TERMS["discriminator"]["adversarial"](verdict(real), verdict(fake), mean)
    torch.testing.assert_close(rejects, -as_real[0] - on_fake[:, 3].mean())
    passes = TERMS["generator"]["generator_adversarial"](verdict(real), verdict(fake), mean)
    torch.testing.assert_close(passes, -as_real[1])


@given(LOGITS, st.lists(st.integers(0, 2), min_size=4, max_size=4))
def test_knowing_classes_is_knowing_them_given_that_the_row_is_real(logits, labels):
    whole = with_fake_class(logits)
    given_real = whole[:, :3] - whole[:, :3].logsumexp(1, keepdim=True)
    expected = -given_real[torch.arange(4), labels].mean()
    torch.testing.assert_close(TERMS["discriminator"]["classification"](verdict(logits, labels), None, mean), expected)


def test_flags_are_binary_and_unknown_rows_are_left_out():
    logits = torch.tensor([[2.0, -1.0], [0.5, 0.5], [9.0, 9.0]])
    labels = torch.tensor([[1.0, 0.0], [0.0, 0.0], [IGNORED, IGNORED]])
    real = DiscriminatorOutput(tiny.RISKS, logits, torch.zeros(3, 2), torch.zeros(3), labels, torch.ones(3))
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits[:2], labels[:2])
    torch.testing.assert_close(TERMS["discriminator"]["classification"](real, None, mean), expected)


def test_a_text_in_many_windows_counts_as_one():
    logits = [[2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]
    shared = verdict(logits, [0, 1, 1], [1.0, 0.5, 0.5])
    one = verdict(logits[:2], [0, 1], [1.0, 1.0])
    for name in ("classification", "adversarial"):
        term = TERMS["discriminator"][name]
        torch.testing.assert_close(term(shared, one, mean), term(one, one, mean))


def test_features_are_matched_in_the_mean_and_only_the_generator_learns_by_it():
    seen = torch.tensor([[1.0, 3.0], [3.0, 5.0]], requires_grad=True)
    made = torch.tensor([[0.0, 0.0], [2.0, 2.0]], requires_grad=True)
    logits = [[0.0] * 3] * 2
    loss = TERMS["generator"]["feature_matching"](verdict(logits, features=seen), verdict(logits, features=made), mean)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(((2 - 1) ** 2 + (4 - 1) ** 2) / 2)
    assert seen.grad is None and made.grad.abs().sum() > 0


def test_weights_multiply_terms_and_the_log_has_them_unweighted():
    real = {"topic": verdict([[1.0, 0.0, 0.0]], [0])}
    fake = {"topic": verdict([[0.0, 0.0, 1.0]], [2])}
    total, parts = weighted_loss("discriminator", {"classification": 2.0, "adversarial": 0.5}, real, fake, mean)
    assert set(parts) == {"topic.classification", "topic.adversarial"}
    assert float(total) == pytest.approx(2 * parts["topic.classification"] + 0.5 * parts["topic.adversarial"])


def test_agreeing_is_cross_entropy_with_the_teachers_answer():
    """Least where the answer is the teacher's own, unknown labels or not; a row weighs what it weighs."""
    taught = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])
    fake = verdict(taught.log().tolist(), weight=[1.0, 3.0])
    fake.taught = taught
    agrees = TERMS["discriminator"]["distillation"]
    entropy = -(taught * taught.log()).sum(-1)
    assert float(agrees(None, fake, mean)) == pytest.approx(float((entropy[0] + 3 * entropy[1]) / 4))
    other = verdict(taught.flip(0).log().tolist(), weight=[1.0, 3.0])
    other.taught = taught
    assert agrees(None, other, mean) > agrees(None, fake, mean)
    flags = replace(fake, field=tiny.RISKS, logits=taught.logit())
    binary = -(taught * taught.log() + (1 - taught) * (1 - taught).log()).mean(-1)
    assert float(agrees(None, flags, mean)) == pytest.approx(float((binary[0] + 3 * binary[1]) / 4), rel=1e-5)


@pytest.mark.parametrize("discriminator, generator, message", [
    ({"classificatio": 1.0}, {}, 'unknown term "classificatio" of the discriminator. Did you mean "classification"'),
    ({"classification": 1.0}, {"passes": 1.0}, 'unknown term "passes" of the generator'),
    ({"adversarial": 1.0}, {}, "adversarial needs a generator"),
    ({"distillation": 1.0}, {}, "are terms of one game"),
    ({"classification": 1.0}, {"adversarial_masking": 1.0}, "are terms of one game"),
    ({"distillation": 1.0}, {"adversarial_masking": 1.0, "feature_matching": 1.0}, "not both"),
])  # fmt: skip
def test_terms_that_cannot_be_are_refused(discriminator, generator, message):
    with pytest.raises(UserError, match=message.replace("?", r"\?")):
        check_terms({"discriminator": discriminator, "generator": generator}, ROW_TERMS)
