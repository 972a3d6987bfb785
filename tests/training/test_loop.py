"""The training loop: each model learns from its own loss only, in one process or several."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

import pytest
import tiny
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState, PartialState
from processes import run_two

from electra_ie.config.train import TrainSettings
from electra_ie.models.configs import LatentGeneratorConfig, MaskingGeneratorConfig
from electra_ie.models.latent_generator import LatentGenerator
from electra_ie.models.losses import TERMS
from electra_ie.models.masking_generator import MaskingGenerator
from electra_ie.training import loop
from electra_ie.training.loop import LossNotFinite, own_states, prepare, rate_at, set_rates, training_steps

LATENT = {
    "discriminator": {"classification": 1.0, "adversarial": 0.5},
    "generator": {"generator_adversarial": 1.0, "feature_matching": 1.0, "class_consistency": 1.0},
}
MASKING = tiny.MASKING
SUPERVISED = {"preset": "supervised", "discriminator": {"classification": 1.0}}
CASES = {
    "supervised": (SUPERVISED, 1),
    "latent": (LATENT, 1),
    "masking": (MASKING, 1),
    "latent, two batches a step": (LATENT, 2),
}
"""Loss terms and accumulation steps, by name."""
STATES = (PartialState, AcceleratorState, GradientState)


def pair_of(folder, settings, pooling="stock"):
    """Return a pair with weights from a fixed seed, without dropout, prepared for the processes."""
    discriminator = tiny.discriminator_of(folder, pooling=pooling, realness_head=settings.generates_states)
    torch.manual_seed(2)
    generator = None
    if settings.generates_states:
        generator = LatentGenerator(LatentGeneratorConfig(tiny.FIELDS, 32, settings.latent_size, settings.seed))
    if settings.has_teacher:
        generator = MaskingGenerator(MaskingGeneratorConfig(32, 4, (0, 1, 2, 3, 4), 0.3, settings.seed))
        torch.nn.init.normal_(generator.score.weight)
        generator.teacher = tiny.discriminator_of(folder, pooling=pooling, sharp=20.0).eval().predict
    return prepare(Accelerator(cpu=True), discriminator, generator, settings)


def settings_of(terms, **more):
    return TrainSettings(
        **{
            "max_steps": 4,
            "learning_rate": 1e-3,
            "head_learning_rate": 1e-2,
            "generator_learning_rate": 1e-2,
            "latent_size": 8,
            **terms,
            **more,
        }
    )


def losses_of(folder, terms, parts, process=0, processes=1):
    """Return the losses of five steps, on batches of 5 labeled and 4 unlabeled windows.

    The odd number gives two processes different shares.
    """
    settings = settings_of(terms, max_steps=5)
    batches = tiny.batches_of(tiny.windower_of(folder), (5, 4 if settings.trains_generator else 0), process, processes)
    pair = pair_of(folder, settings)
    pair.accumulation_steps = parts
    assert pair.accelerator.num_processes == processes
    steps = list(training_steps(pair, batches, settings))
    return [{**step.losses, **step.parts, "real": (step.realness or (0, 0))[0]} for step in steps]


def gradients(module):
    """Return the gradient of each weight, zeros if it has none."""
    return {
        name: torch.zeros_like(weight) if weight.grad is None else weight.grad.clone()
        for name, weight in module.named_parameters()
    }


def gradients_at_steps(pair, monkeypatch):
    """Return a list to which the optimizer's next step adds the gradients of discriminator and generator."""
    applied = []
    modules = (pair.unwrapped_discriminator, pair.unwrapped_generator)
    monkeypatch.setattr(pair.optimizer, "step", lambda: applied.extend(map(gradients, modules)))
    return applied


@pytest.fixture(params=[LATENT, MASKING], ids=["latent", "masking"])
def adversarial_pair(encoder, request):
    """Return a pair, batches and settings."""
    folder = encoder("bert")
    settings = settings_of(request.param, max_grad_norm=1e9)
    pair = pair_of(folder, settings)
    batches = tiny.batches_of(tiny.windower_of(folder))
    return pair, batches, settings


def own_gradients(pair, batch, settings):
    """Return the gradient of each model's own loss, and of nothing else, in the first step."""
    discriminator, generator = pair.unwrapped_discriminator.train(), pair.unwrapped_generator
    generated = generator(**batch, step=0)
    if settings.has_teacher:  # the generator maximizes the loss of the discriminator
        loss = discriminator(**batch, generated=generated, loss_weights=settings.discriminator).loss
        generator_loss = -loss
    else:
        output = discriminator(**batch, generated=generated.detach(), loss_weights=settings.discriminator)
        loss = output.loss
        generator_loss, _ = discriminator.generator_loss(generated, output, settings.generator)
    gradients_by_model = []
    for value, module in ((loss, discriminator), (generator_loss, generator)):
        named = [(name, weight) for name, weight in module.named_parameters() if weight.requires_grad]
        weights = [weight for _, weight in named]
        grads = torch.autograd.grad(value, weights, retain_graph=True, allow_unused=True)
        gradients_by_model.append(
            {
                name: torch.zeros_like(weight) if grad is None else grad
                for (name, weight), grad in zip(named, grads, strict=True)
            }
        )
    return gradients_by_model


def test_each_loss_has_gradients_for_its_own_model_only(adversarial_pair):
    pair, batches, settings = adversarial_pair
    discriminator, generator = pair.unwrapped_discriminator, pair.unwrapped_generator
    generated = generator(**batches[0], step=0)
    output = discriminator(**batches[0], generated=generated.detach(), loss_weights=settings.discriminator)
    output.loss.backward()
    assert all(parameter.grad is None for parameter in generator.parameters()), "the generator learns from L_D"
    before = gradients(discriminator)
    assert sum(float(grad.abs().sum()) for grad in before.values()) > 0
    with loop.frozen(discriminator):
        loss, _ = discriminator.generator_loss(generated, output, settings.generator)
        loss.backward()
    after = gradients(discriminator)
    assert all(torch.equal(before[name], after[name]) for name in before), "the discriminator learns from L_G"
    changed = {name for name, grad in gradients(generator).items() if grad.abs().sum() > 0}
    assert changed == {name for name, _ in generator.named_parameters()}, "a part of the generator does not learn"
    assert [name for name, parameter in discriminator.named_parameters() if not parameter.requires_grad] == [
        name for name, _ in discriminator.named_parameters() if "word_embeddings" in name
    ], "frozen() has changed which weights are trained"


def test_a_step_applies_the_gradient_of_each_models_own_loss(adversarial_pair, monkeypatch):
    pair, batches, settings = adversarial_pair
    expected = own_gradients(pair, batches[0], settings)
    applied = gradients_at_steps(pair, monkeypatch)
    next(training_steps(pair, batches, settings))
    for own, actual in zip(expected, applied, strict=True):
        assert sum(float(grad.abs().sum()) for grad in own.values()) > 1e-3
        for name, grad in own.items():
            torch.testing.assert_close(actual[name], grad, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("jointly", [False, True])
@pytest.mark.parametrize("adversarial_pair", [LATENT], ids=["latent"], indirect=True)
def test_gradients_are_clipped_for_each_model_or_jointly(adversarial_pair, monkeypatch, jointly):
    pair, batches, settings = adversarial_pair
    pair.clip_jointly = jointly
    expected = own_gradients(pair, batches[0], settings)
    applied = gradients_at_steps(pair, monkeypatch)
    next(training_steps(pair, batches, settings.replace(max_grad_norm=0.1)))
    norms = [torch.stack([grad.norm() for grad in grads.values()]).norm() for grads in expected]
    assert min(norms) > 0.2, "clipping has nothing to do"
    norms = [torch.stack(norms).norm()] * 2 if jointly else norms
    for own, actual, norm in zip(expected, applied, norms, strict=True):
        for name, grad in own.items():
            torch.testing.assert_close(actual[name], grad * 0.1 / norm, atol=1e-6, rtol=1e-3)


@pytest.mark.parametrize("adversarial_pair", [LATENT], ids=["latent"], indirect=True)
def test_a_gradient_norm_of_0_clips_nothing(adversarial_pair, monkeypatch):
    pair, batches, settings = adversarial_pair
    expected = own_gradients(pair, batches[0], settings)
    applied = gradients_at_steps(pair, monkeypatch)
    next(training_steps(pair, batches, settings.replace(max_grad_norm=0.0)))
    for own, actual in zip(expected, applied, strict=True):
        for name, grad in own.items():
            torch.testing.assert_close(actual[name], grad, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("adversarial_pair", [LATENT], ids=["latent"], indirect=True)
def test_accumulation_applies_the_mean_gradient_of_the_batches(adversarial_pair, monkeypatch):
    pair, batches, settings = adversarial_pair
    one, other = (own_gradients(pair, batches[number], settings) for number in (0, 1))
    pair.accumulation_steps = 2
    applied = gradients_at_steps(pair, monkeypatch)
    list(training_steps(pair, batches, settings.replace(max_steps=1)))
    for first, second, actual in zip(one, other, applied, strict=True):
        for name in first:
            torch.testing.assert_close(actual[name], (first[name] + second[name]) / 2, atol=1e-6, rtol=1e-4)


def test_without_a_generator_the_loop_is_supervised_training(encoder):
    folder = encoder("bert")
    settings = settings_of(SUPERVISED)
    pair = pair_of(folder, settings)
    assert pair.generator is None
    steps = list(training_steps(pair, tiny.batches_of(tiny.windower_of(folder), (6, 0)), settings))
    assert [step.number for step in steps] == [0, 1, 2, 3]
    assert all(step.realness is None and set(step.losses) == {"discriminator"} for step in steps)
    assert steps[-1].losses["discriminator"] < steps[0].losses["discriminator"]


def test_frozen_word_embeddings_do_not_change(encoder):
    folder = encoder("bert")
    for freeze in (True, False):
        settings = settings_of(SUPERVISED, freeze_embeddings=freeze)
        pair = pair_of(folder, settings)
        table = pair.unwrapped_discriminator.encoder.get_input_embeddings().weight
        before = table.detach().clone()
        list(training_steps(pair, tiny.batches_of(tiny.windower_of(folder), (6, 0)), settings))
        assert torch.equal(before, table.detach()) == freeze


@pytest.mark.parametrize("pooling", ["stock", "mean"])
def test_steps_after_a_resume_equal_those_without_an_interruption(encoder, pooling):
    """All randomness of a step follows from its number, that of the generator and of dropout too."""
    folder = encoder("bert")
    settings = settings_of(LATENT)
    losses = []
    for pause in (None, 2):
        pair = pair_of(folder, settings, pooling)
        for module in pair.unwrapped_discriminator.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.3
        batches = tiny.batches_of(tiny.windower_of(folder))
        steps = []
        for step in training_steps(pair, batches, settings):
            steps.append(step.losses)
            if step.number + 1 == pause:
                break
        torch.manual_seed(99)
        steps += [step.losses for step in training_steps(pair, batches, settings, len(steps))]
        losses.append(steps)
    assert losses[0] == losses[1]


@pytest.mark.parametrize(("model", "term"), [("discriminator", "classification"), ("generator", "feature_matching")])
@pytest.mark.parametrize("adversarial_pair", [LATENT], ids=["latent"], indirect=True)
def test_a_loss_that_is_not_finite_does_not_change_the_weights(adversarial_pair, monkeypatch, model, term):
    pair, batches, settings = adversarial_pair
    true = TERMS[model][term]
    calls = []

    def breaks(*arguments):
        calls.append(1)
        return true(*arguments) * (float("nan") if len(calls) > 2 * len(tiny.FIELDS) else 1.0)

    monkeypatch.setitem(TERMS[model], term, breaks)
    steps = training_steps(pair, batches, settings)
    next(steps), next(steps)
    before = [weight.detach().clone() for weight in pair.unwrapped_discriminator.parameters()]
    with pytest.raises(LossNotFinite, match=f"the {model}'s loss is not a finite number at step 2"):
        next(steps)
    assert all(
        torch.equal(old, new) for old, new in zip(before, pair.unwrapped_discriminator.parameters(), strict=True)
    )


def test_learning_rates_rise_and_fall():
    optimizer = torch.optim.SGD([{"params": [torch.nn.Parameter(torch.zeros(1))], "peak": 2.0}], lr=0.0)
    rates = []
    for step in range(100):
        set_rates(optimizer, step, settings_of(SUPERVISED, max_steps=100, warmup_steps=0.1))
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates[0] == pytest.approx(0.2)
    assert max(rates) == rates[9] == 2.0
    assert rates[:10] == sorted(rates[:10])
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert 0 < rates[-1] < 0.05
    assert rate_at(0, 100, 0.0) == 1.0


def losses_of_processes(folder: str, output: Path) -> list[dict[str, list]]:
    """Return the losses in each of two processes."""
    run_two(lambda rank: [__file__, folder, str(output / f"{rank}.json")])
    return [json.loads((output / f"{rank}.json").read_text("utf-8")) for rank in range(2)]


def test_one_thread_trains_at_a_time_and_the_caller_gets_its_states_and_random_numbers_back(capsys):
    states = [vars(state_class)["_shared_state"] for state_class in STATES]
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    waiting, entered = threading.Event(), threading.Event()

    def train_too():
        waiting.set()
        with own_states():
            entered.set()

    other = threading.Thread(target=train_too)
    with own_states():
        torch.manual_seed(0)
        other.start()
        assert waiting.wait(30)
        assert not entered.wait(0.2)
    other.join(30)
    assert entered.is_set()
    assert "this training begins when it has ended" in capsys.readouterr().err
    assert all(vars(state_class)["_shared_state"] is state for state_class, state in zip(STATES, states, strict=True))
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.slow
def test_two_processes_have_the_losses_of_one(encoder, tmp_path):
    folder = encoder("bert")
    one, other = losses_of_processes(folder, tmp_path)
    for name, case in CASES.items():
        alone = losses_of(folder, *case)
        assert len(alone) == len(one[name]) == 5
        for expected, first, second in zip(alone, one[name], other[name], strict=True):
            assert set(expected) == set(first)
            assert first == pytest.approx(expected, abs=1e-4)
            assert second == pytest.approx(expected, abs=1e-4)
        assert abs(alone[0]["discriminator"] - alone[-1]["discriminator"]) > 1e-2, (
            "nothing was learned, so nothing is tested"
        )


if __name__ == "__main__":  # one of the two processes
    torch.set_num_threads(1)
    rank = int(os.environ["RANK"])
    result = {name: losses_of(sys.argv[1], *case, rank, 2) for name, case in CASES.items()}
    Path(sys.argv[2]).write_text(json.dumps(result), encoding="utf-8")
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
