"""The generator: states under the labels of the batch, noise that follows from seed, step and row alone."""

from __future__ import annotations

import pytest
import tiny
import torch

from electra_ie.data.batching import collate
from electra_ie.data.document import Document
from electra_ie.models.latent_generator import FieldGenerator, LatentGenerator


def generators(seed=0):
    torch.manual_seed(1)
    return LatentGenerator(tiny.FIELDS, 32, 8, seed)


def test_a_fake_for_each_labelled_row_under_its_label(encoder):
    windower = tiny.cutter_of(encoder("bert"))
    batch = tiny.batch_of(windower)
    fakes = generators()(batch, 0)
    length = batch.input_ids.shape[1]
    assert fakes["topic"].states.shape == fakes["risks"].states.shape == (6, 1, 32)
    assert fakes["names"].states.shape == (6, length, 32)
    for name in ("topic", "risks", "names"):
        assert torch.equal(fakes[name].labels, batch.labels[name][:6]), "labelled windows come first"
    assert torch.equal(fakes["names"].judged, batch.owned[:6])
    assert torch.equal(fakes["names"].mask, batch.attention_mask[:6])


def test_the_label_decides_the_state_and_noise_spreads_it():
    torch.manual_seed(0)
    player = FieldGenerator(tiny.TOPIC, 32, 8)
    noise = torch.randn(1, 1, 8).expand(3, 1, 8)
    made = player(torch.tensor([0, 1, 2]), noise)
    assert not torch.allclose(made[0], made[1]) and not torch.allclose(made[1], made[2])
    assert not torch.allclose(player(torch.tensor([0]), noise[:1]), player(torch.tensor([0]), noise[:1] + 1))
    player(torch.tensor([1]), noise[:1]).sum().backward()
    for learnt in (player.mu, player.log_sigma):  # mean and spread are learnt, each for its class only
        assert learnt.grad[1].abs().sum() > 0 and learnt.grad[[0, 2]].abs().sum() == 0


def test_a_text_without_flags_has_a_condition_of_its_own():
    player = FieldGenerator(tiny.RISKS, 32, 8)
    weights = player.condition(torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]))
    assert weights.tolist() == [[0, 0, 1], [1, 0, 0], [0.5, 0.5, 0]]


def test_noise_follows_from_seed_step_and_place(encoder):
    maker = generators()
    places = torch.tensor([4, 0, 7])
    noise = maker.noise(places, 5, step=3)
    assert torch.equal(noise[1], maker.noise(torch.tensor([0]), 5, step=3)[0]), "whatever the other rows"
    assert torch.equal(noise[:, :3], maker.noise(places, 3, step=3)), "whatever the padding"
    for other in (maker.noise(places, 5, step=4), generators(seed=1).noise(places, 5, step=3)):
        assert not torch.equal(noise, other)
    assert not torch.equal(noise[0], noise[1])


@pytest.mark.parametrize("known", ["topic", "names"])
def test_a_batch_in_which_a_field_is_unknown_has_no_fakes_for_it(encoder, known):
    windower = tiny.cutter_of(encoder("bert"))
    gold = {"topic": "trade"} if known == "topic" else {"names": ()}
    batch = collate(tiny.rows(windower, [Document("d", "the bank paid", gold)]), windower, tiny.FIELDS)
    fakes = generators()(batch, 0)
    assert {name: len(each.states) for name, each in fakes.items()} == {"topic": 0, "risks": 0, "names": 0, known: 1}
