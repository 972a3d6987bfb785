"""The latent generator: states for the labels of a batch, and noise that depends on seed, step and row only."""

from __future__ import annotations

import pytest
import tiny
import torch
from safetensors.torch import load_file, save_file

from electra_ie.common.errors import UserError
from electra_ie.data.batching import collate
from electra_ie.data.document import Document
from electra_ie.models.configs import LatentGeneratorConfig
from electra_ie.models.latent_generator import FieldGenerator, LatentGenerator
from electra_ie.models.masking_generator import MaskingGenerator


def generator_of(seed=0):
    torch.manual_seed(1)
    return LatentGenerator(LatentGeneratorConfig(tiny.FIELDS, 32, 8, seed))


def test_states_are_generated_for_the_labels_of_each_labeled_row(encoder):
    windower = tiny.windower_of(encoder("bert"))
    batch = tiny.batch_of(windower)
    output = generator_of()(**batch)
    length = batch.input_ids.shape[1]
    assert output.states["topic"].shape == output.states["risks"].shape == (6, 1, 32)
    assert output.states["names"].shape == (6, length, 32)
    for name in ("topic", "risks", "names"):
        assert torch.equal(output.labels[name], batch.labels[name][:6]), "labeled windows are not first"
    assert torch.equal(output.token_mask["names"], batch.token_mask[:6])
    assert torch.equal(output.attention_mask["names"], batch.attention_mask[:6])
    detached = output.detach()
    assert all(states.requires_grad for states in output.states.values())
    assert not any(states.requires_grad for states in detached.states.values())


def test_label_and_noise_determine_the_state():
    torch.manual_seed(0)
    generator = FieldGenerator(tiny.TOPIC, 32, 8)
    noise = torch.randn(1, 1, 8).expand(3, 1, 8)
    states = generator(torch.tensor([0, 1, 2]), noise)
    assert not torch.allclose(states[0], states[1])
    assert not torch.allclose(states[1], states[2])
    other_noise = generator(torch.tensor([0]), noise[:1] + 1)
    assert not torch.allclose(generator(torch.tensor([0]), noise[:1]), other_noise)
    generator(torch.tensor([1]), noise[:1]).sum().backward()
    for parameter in (generator.mu, generator.log_sigma):  # each class has its own mean and spread
        assert parameter.grad[1].abs().sum() > 0
        assert parameter.grad[[0, 2]].abs().sum() == 0


def test_a_text_without_flags_has_its_own_condition():
    generator = FieldGenerator(tiny.RISKS, 32, 8)
    weights = generator.condition(torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]))
    assert weights.tolist() == [[0, 0, 1], [1, 0, 0], [0.5, 0.5, 0]]


def test_noise_is_a_function_of_seed_step_and_row_index():
    generator = generator_of()
    indices = torch.tensor([4, 0, 7])
    noise = generator.noise(indices, 5, step=3)
    assert torch.equal(noise[1], generator.noise(torch.tensor([0]), 5, step=3)[0]), "it depends on other rows"
    assert torch.equal(noise[:, :3], generator.noise(indices, 3, step=3)), "it depends on the padding"
    for other in (generator.noise(indices, 5, step=4), generator_of(seed=1).noise(indices, 5, step=3)):
        assert not torch.equal(noise, other)
    assert not torch.equal(noise[0], noise[1])


@pytest.mark.parametrize("known", ["topic", "names"])
def test_no_states_are_generated_for_a_field_without_labels(encoder, known):
    windower = tiny.windower_of(encoder("bert"))
    gold = {"topic": "trade"} if known == "topic" else {"names": ()}
    batch = collate(tiny.rows(windower, [Document("d", "the bank paid", gold)]), windower, tiny.FIELDS)
    output = generator_of()(**batch)
    assert {name: len(states) for name, states in output.states.items()} == {
        "topic": 0, "risks": 0, "names": 0, known: 1
    }  # fmt: skip


def test_a_saved_generator_generates_the_same_states(encoder, tmp_path):
    torch.manual_seed(2)
    generator = LatentGenerator.from_encoder(encoder("bert"), tiny.FIELDS, latent_size=8, seed=5)
    batch = tiny.batch_of(tiny.windower_of(encoder("bert")))
    generator.save_pretrained(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["config.json", "model.safetensors"]
    loaded = LatentGenerator.from_pretrained(tmp_path)
    for name, states in generator(**batch, step=3).states.items():
        assert torch.equal(loaded(**batch, step=3).states[name], states)


@pytest.mark.parametrize("damage", ["missing weight", "other model", "other generator", "no folder"])
def test_a_folder_that_is_not_a_saved_generator_is_refused(encoder, tmp_path, damage):
    folder = tmp_path / "saved"
    generator_of().save_pretrained(folder)
    message = "there is no LatentGenerator here"
    if damage == "missing weight":
        weights = load_file(folder / "model.safetensors")
        del weights["field_generators.field_topic.mu"]
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        message = r"field_topic\.mu is missing, unexpected or of another shape"
    elif damage == "other model":
        folder = encoder("bert")
    elif damage == "other generator":
        MaskingGenerator.from_encoder(encoder("bert")).save_pretrained(folder)
    else:
        folder = tmp_path / "absent"
    with pytest.raises(UserError, match=message):
        LatentGenerator.from_pretrained(folder)


def test_the_size_of_the_latent_space_is_checked():
    with pytest.raises(UserError, match="latent_size is 0"):
        LatentGeneratorConfig(tiny.FIELDS, 32, 0)


def test_fields_may_be_declared_as_in_a_task(encoder):
    declared = {"topic": {"kind": "classes", "labels": ["a", "b"]}}
    assert LatentGenerator.from_encoder(encoder("bert"), declared).config.typed_fields[0].labels == ("a", "b")
