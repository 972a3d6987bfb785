"""The one loop: each player learns from its own loss only, alone or in several processes."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
import tiny
import torch
from accelerate import Accelerator
from processes import run_two

from electra_ie.config.train import TrainSettings
from electra_ie.models.latent_generator import LatentGenerator
from electra_ie.models.losses import TERMS, weighted_loss
from electra_ie.models.masking_generator import MaskingGenerator
from electra_ie.training import loop
from electra_ie.training.loop import LossNotFinite, prepare, rate_at, set_rates, training_steps
from electra_ie.training.self_training import answers_of

GAME = {
    "discriminator": {"classification": 1.0, "adversarial": 0.5},
    "generator": {"generator_adversarial": 1.0, "feature_matching": 1.0, "class_consistency": 1.0},
}
HIDING = tiny.HIDING
PLAIN = {"preset": "supervised", "discriminator": {"classification": 1.0}}
CASES = {"supervised": (PLAIN, 1), "game": (GAME, 1), "hiding": (HIDING, 1), "game in two parts": (GAME, 2)}
"""By name, the terms and the parts of a step."""


def players_of(folder, settings, pooling="stock"):
    """Both players with weights from a fixed seed, without dropout, prepared for the processes at hand."""
    fakes = settings.has_generator and not settings.has_teacher
    discriminator = tiny.discriminator_of(folder, pooling=pooling, fakes=fakes)
    torch.manual_seed(2)
    generator = LatentGenerator(tiny.FIELDS, 32, settings.latent_size, settings.seed) if fakes else None
    if settings.has_teacher:
        generator = MaskingGenerator(32, 4, (0, 1, 2, 3, 4), 0.3, settings.seed)
        torch.nn.init.normal_(generator.score.weight)
        generator.teacher = answers_of(tiny.discriminator_of(folder, pooling=pooling, sharp=20.0))
    return prepare(Accelerator(cpu=True), discriminator, generator, settings)


def recipe_of(terms, **more):
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
    """The losses of each step of five, on batches of 5 labelled and 4 unlabelled windows: odd, so that two processes
    have unlike shares."""
    settings = recipe_of(terms, max_steps=5)
    batches = tiny.batches_of(tiny.cutter_of(folder), (5, 4 if settings.has_generator else 0), process, processes)
    players = players_of(folder, settings)
    players.accumulation_steps = parts
    assert players.accelerator.num_processes == processes
    steps = list(training_steps(players, batches, settings))
    return [{**step.losses, **step.parts, "real": (step.realness or (0, 0))[0]} for step in steps]


def gradients(module):
    """Of every weight that takes one; zeros where there is none."""
    return {
        name: torch.zeros_like(each) if each.grad is None else each.grad.clone()
        for name, each in module.named_parameters()
    }


@pytest.fixture(params=[GAME, HIDING], ids=["latent", "hiding"])
def game(encoder, request):
    """Both players, a batch, and the fakes for it."""
    folder = encoder("bert")
    settings = recipe_of(request.param, max_grad_norm=1e9)
    players = players_of(folder, settings)
    batches = tiny.batches_of(tiny.cutter_of(folder))
    return players, batches, settings


def single(values, weights):
    return (values * weights.view(-1, *[1] * (values.dim() - 1))).sum(0) / weights.sum().clamp(min=1e-8)


def own_gradients(players, batch, settings):
    """What each player's own loss, and nothing else, asks of it in the first step."""
    discriminator, generator = players.unwrapped_discriminator.train(), players.unwrapped_generator
    fakes = generator(batch, 0)
    if settings.has_teacher:  # it wants just what the discriminator does not
        of_discriminator, _ = weighted_loss(
            "discriminator", settings.discriminator, *discriminator(batch, fakes), single
        )
        of_generator = -of_discriminator
    else:
        real, fake = discriminator(batch, {name: each.detach() for name, each in fakes.items()})
        of_discriminator, _ = weighted_loss("discriminator", settings.discriminator, real, fake, single)
        of_generator, _ = weighted_loss("generator", settings.generator, real, discriminator.judge(fakes), single)
    found = []
    for loss, module in ((of_discriminator, discriminator), (of_generator, generator)):
        names, weights = zip(*((n, each) for n, each in module.named_parameters() if each.requires_grad), strict=True)
        grads = torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True)
        whole = [torch.zeros_like(w) if g is None else g for w, g in zip(weights, grads, strict=True)]
        found.append(dict(zip(names, whole, strict=True)))
    return found


def test_neither_loss_reaches_the_other_player(game):
    players, batches, settings = game
    discriminator, generator = players.unwrapped_discriminator, players.unwrapped_generator
    fakes = generator(batches[0], 0)
    real, fake = discriminator(batches[0], {name: each.detach() for name, each in fakes.items()})
    loss, _ = weighted_loss("discriminator", settings.discriminator, real, fake, single)
    loss.backward()
    assert all(each.grad is None for each in generator.parameters()), "d(discriminator loss) / d(generator) is zero"
    before = gradients(discriminator)
    assert sum(float(each.abs().sum()) for each in before.values()) > 0
    with loop.frozen(discriminator):
        loss, _ = weighted_loss("generator", settings.generator, real, discriminator.judge(fakes), single)
        loss.backward()
    after = gradients(discriminator)
    still = [torch.equal(before[name], after[name]) for name in before]
    assert all(still), "d(generator loss) / d(discriminator) is zero"
    moved = {name for name, each in gradients(generator).items() if each.abs().sum() > 0}
    assert moved == {name for name, _ in generator.named_parameters()}, "all of the generator learns"
    assert [name for name, each in discriminator.named_parameters() if not each.requires_grad] == [
        name for name, _ in discriminator.named_parameters() if "word_embeddings" in name
    ], "frozen() gives back what it took, and only that"


def test_a_step_applies_each_players_own_gradient(game, monkeypatch):
    players, batches, settings = game
    expected = own_gradients(players, batches[0], settings)
    applied = []
    modules = (players.unwrapped_discriminator, players.unwrapped_generator)
    monkeypatch.setattr(players.optimizer, "step", lambda: applied.extend(map(gradients, modules)))
    next(training_steps(players, batches, settings))
    for own, given in zip(expected, applied, strict=True):
        assert sum(float(each.abs().sum()) for each in own.values()) > 1e-3
        for name, grad in own.items():
            torch.testing.assert_close(given[name], grad, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("jointly", [False, True])
@pytest.mark.parametrize("game", [GAME], ids=["latent"], indirect=True)
def test_gradients_are_clipped_each_players_or_both_as_one(game, monkeypatch, jointly):
    players, batches, settings = game
    players.clip_jointly = jointly
    expected = own_gradients(players, batches[0], settings)
    applied = []
    monkeypatch.setattr(
        players.optimizer,
        "step",
        lambda: applied.extend(map(gradients, (players.unwrapped_discriminator, players.unwrapped_generator))),
    )
    next(training_steps(players, batches, settings.replace(max_grad_norm=0.1)))
    norms = [torch.stack([each.norm() for each in player.values()]).norm() for player in expected]
    assert min(norms) > 0.2, "clipping has nothing to do"
    norms = [torch.stack(norms).norm()] * 2 if jointly else norms
    for own, given, norm in zip(expected, applied, norms, strict=True):
        for name, grad in own.items():
            torch.testing.assert_close(given[name], grad * 0.1 / norm, atol=1e-6, rtol=1e-3)


@pytest.mark.parametrize("game", [GAME], ids=["latent"], indirect=True)
def test_a_step_in_parts_applies_the_mean_of_the_parts_gradients(game, monkeypatch):
    players, batches, settings = game
    one, other = (own_gradients(players, batches[number], settings) for number in (0, 1))
    players.accumulation_steps = 2
    applied = []
    monkeypatch.setattr(
        players.optimizer,
        "step",
        lambda: applied.extend(map(gradients, (players.unwrapped_discriminator, players.unwrapped_generator))),
    )
    list(training_steps(players, batches, settings.replace(max_steps=1)))
    for first, second, given in zip(one, other, applied, strict=True):
        for name in first:
            torch.testing.assert_close(given[name], (first[name] + second[name]) / 2, atol=1e-6, rtol=1e-4)


def test_without_a_generator_the_loop_is_plain_training(encoder):
    folder = encoder("bert")
    settings = recipe_of(PLAIN)
    players = players_of(folder, settings)
    assert players.generator is None
    steps = list(training_steps(players, tiny.batches_of(tiny.cutter_of(folder), (6, 0)), settings))
    assert [step.number for step in steps] == [0, 1, 2, 3]
    assert all(step.realness is None and set(step.losses) == {"discriminator"} for step in steps)
    assert steps[-1].losses["discriminator"] < steps[0].losses["discriminator"]


def test_word_embeddings_stay_where_they_are_when_asked(encoder):
    folder = encoder("bert")
    for freeze in (True, False):
        settings = recipe_of(PLAIN, freeze_embeddings=freeze)
        players = players_of(folder, settings)
        table = players.unwrapped_discriminator.encoder.get_input_embeddings().weight
        before = table.detach().clone()
        list(training_steps(players, tiny.batches_of(tiny.cutter_of(folder), (6, 0)), settings))
        assert torch.equal(before, table.detach()) == freeze


@pytest.mark.parametrize("pooling", ["stock", "mean"])
def test_steps_from_the_middle_are_those_of_a_run_from_the_beginning(encoder, pooling):
    """The randomness of a step follows from its number: the fakes and the dropout too."""
    folder = encoder("bert")
    settings = recipe_of(GAME)
    found = []
    for pause in (None, 2):
        players = players_of(folder, settings, pooling)
        for module in players.unwrapped_discriminator.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.3
        batches = tiny.batches_of(tiny.cutter_of(folder))
        steps = []
        for step in training_steps(players, batches, settings):
            steps.append(step.losses)
            if step.number + 1 == pause:
                break
        torch.manual_seed(99)
        steps += [step.losses for step in training_steps(players, batches, settings, len(steps))]
        found.append(steps)
    assert found[0] == found[1]


@pytest.mark.parametrize("player, term", [("discriminator", "classification"), ("generator", "feature_matching")])
@pytest.mark.parametrize("game", [GAME], ids=["latent"], indirect=True)
def test_a_loss_that_is_no_number_never_reaches_the_weights(game, monkeypatch, player, term):
    players, batches, settings = game
    true = TERMS[player][term]
    calls = []

    def breaks(*arguments):
        calls.append(1)
        return true(*arguments) * (float("nan") if len(calls) > 2 * len(tiny.FIELDS) else 1.0)

    monkeypatch.setitem(TERMS[player], term, breaks)
    steps = training_steps(players, batches, settings)
    next(steps), next(steps)
    before = [each.detach().clone() for each in players.unwrapped_discriminator.parameters()]
    with pytest.raises(LossNotFinite, match=f"the {player}'s loss is not a finite number at step 2"):
        next(steps)
    assert all(
        torch.equal(one, each) for one, each in zip(before, players.unwrapped_discriminator.parameters(), strict=True)
    )


def test_rates_rise_and_fall():
    optimizer = torch.optim.SGD([{"params": [torch.nn.Parameter(torch.zeros(1))], "peak": 2.0}], lr=0.0)
    rates = []
    for step in range(100):
        set_rates(optimizer, step, recipe_of(PLAIN, max_steps=100, warmup_steps=0.1))
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates[0] == pytest.approx(0.2) and max(rates) == rates[9] == 2.0
    assert rates[:10] == sorted(rates[:10]) and rates[9:] == sorted(rates[9:], reverse=True)
    assert 0 < rates[-1] < 0.05 and rate_at(0, 100, 0.0) == 1.0


def play_in_processes(folder: str, output: Path) -> list[dict[str, list]]:
    """Two processes, each a Python of its own; what each saw of the losses."""
    run_two(lambda rank: [__file__, folder, str(output / f"{rank}.json")])
    return [json.loads((output / f"{rank}.json").read_text("utf-8")) for rank in range(2)]


def test_two_processes_have_the_losses_of_one(encoder, tmp_path):
    folder = encoder("bert")
    one, other = play_in_processes(folder, tmp_path)
    for name, case in CASES.items():
        alone = losses_of(folder, *case)
        assert len(alone) == len(one[name]) == 5
        for expected, first, second in zip(alone, one[name], other[name], strict=True):
            assert set(expected) == set(first)
            assert first == pytest.approx(expected, abs=1e-4)
            assert second == pytest.approx(expected, abs=1e-4)
        assert abs(alone[0]["discriminator"] - alone[-1]["discriminator"]) > 1e-2, "nothing was learnt, nothing shown"


if __name__ == "__main__":  # one of the two processes
    torch.set_num_threads(1)
    rank = int(os.environ["RANK"])
    result = {name: losses_of(sys.argv[1], *case, rank, 2) for name, case in CASES.items()}
    Path(sys.argv[2]).write_text(json.dumps(result), encoding="utf-8")
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
