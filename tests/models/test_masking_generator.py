"""The masking generator: which tokens it masks, what the discriminator then reads, and the effect of masking."""

from __future__ import annotations

from dataclasses import replace

import pytest
import tiny
import torch
from hypothesis import given
from hypothesis import strategies as st

from electra_ie import train
from electra_ie.common.errors import UserError
from electra_ie.metrics import MASKING_EFFECT
from electra_ie.models.configs import MaskingGeneratorConfig
from electra_ie.models.encoders import load_tokenizer
from electra_ie.models.masking_generator import MaskingGenerator
from electra_ie.models.parity_checks import check_maskable

FAMILIES = ["bert", "roberta", "electra", "deberta-v2", "distilbert", "modernbert", "xlm-roberta"]


def generator_of(folder, **more):
    """Return a masking generator with random scores, whose teacher makes confident predictions."""
    generator = MaskingGenerator.from_encoder(folder)
    torch.manual_seed(3)
    torch.nn.init.normal_(generator.score.weight)
    generator.teacher = tiny.discriminator_of(folder, sharp=20.0, **more).eval().predict
    return generator


@given(st.lists(st.integers(0, 40), min_size=1, max_size=5), st.floats(0, 0.9), st.integers(0, 99))
def test_the_share_of_masked_tokens_is_exact_and_only_maskable_tokens_are_masked(lengths, share, step):
    generator = MaskingGenerator(MaskingGeneratorConfig(8, 4, (0, 1, 2, 3, 4), share))
    width = max(lengths) + 2
    maskable = torch.zeros(len(lengths), width, dtype=torch.bool)
    for row, length in enumerate(lengths):
        maskable[row, 1 : 1 + length] = True
    torch.manual_seed(step)
    scores = torch.randn(len(lengths), width, requires_grad=True)
    mask = generator.sample_mask(scores, maskable, torch.arange(len(lengths)), step)
    assert set(mask.unique().tolist()) <= {0.0, 1.0}
    assert not mask[~maskable].any()
    assert mask.sum(1).tolist() == (maskable.sum(1) * share).round().tolist()
    mask.sum().backward()
    assert scores.grad.isfinite().all()
    assert not scores.grad[~maskable].any()


def test_the_mask_is_a_function_of_seed_step_row_index_and_scores():
    generator = MaskingGenerator(MaskingGeneratorConfig(8, 4, (), 0.3, seed=5))
    maskable, indices = torch.ones(2, 20, dtype=torch.bool), torch.tensor([3, 1])
    masks = [generator.sample_mask(torch.zeros(2, 20), maskable, indices, step) for step in range(400)]
    assert torch.equal(masks[0], generator.sample_mask(torch.zeros(2, 20), maskable, indices, 0))
    second_row = generator.sample_mask(torch.zeros(1, 20), maskable[:1], indices[1:], 0)
    assert torch.equal(masks[0][1:], second_row), "it depends on other rows"
    longer = generator.sample_mask(torch.zeros(2, 30), torch.nn.functional.pad(maskable, (0, 10)), indices, 0)
    assert torch.equal(masks[0], longer[:, :20]), "it depends on the padding"
    share = torch.stack(masks).mean((0, 1))
    assert (share - 0.3).abs().max() < 0.08, "equal scores do not give equal probabilities"
    scores = torch.zeros(2, 20)
    scores[:, 7] = 3.0
    share = torch.stack([generator.sample_mask(scores, maskable, indices, step) for step in range(200)]).mean((0, 1))
    assert share[7] > 0.9
    assert share[8] < 0.4


@pytest.mark.parametrize("family", FAMILIES)
def test_the_discriminator_scores_a_masked_text_like_one_with_mask_tokens(encoder, family):
    folder = encoder(family)
    batch, generator = tiny.batch_of(tiny.windower_of(folder)), generator_of(folder)
    discriminator = tiny.discriminator_of(folder, sharp=5.0).eval()
    tokenizer = load_tokenizer(folder)
    check_maskable(discriminator, folder, tokenizer.mask_token_id)
    generated = generator(**batch)
    output = discriminator(**batch, generated=generated)
    texts, labeled = batch.rows(~batch.known()), batch.rows(batch.known())
    assert torch.equal(generated.texts.input_ids, texts.input_ids)
    assert len(texts.input_ids) == 4
    assert generated.mask.sum() > 0
    special = torch.isin(texts.input_ids, torch.tensor(tokenizer.all_special_ids))
    assert not any(generator(**batch, step=step).mask[special].any() for step in range(20)), "a special token is masked"
    with_mask_tokens = replace(
        texts, input_ids=texts.input_ids.masked_fill(generated.mask.bool(), tokenizer.mask_token_id)
    )
    expected = discriminator.predict_logits(with_mask_tokens)
    _, by_teacher = tiny.discriminator_of(folder, sharp=20.0).eval().predict(texts)
    of_labeled = discriminator.predict_logits(labeled)
    close = {"atol": 1e-5, "rtol": 1e-4}
    for field in tiny.FIELDS:
        rows, labeled_rows = (
            (texts.token_mask, labeled.token_mask) if field.kind == "spans" else (slice(None), slice(None))
        )
        units = output.generated_units[field.name]
        torch.testing.assert_close(units.logits, expected[field.name][rows], **close)
        torch.testing.assert_close(units.teacher_probabilities, by_teacher[field.name][rows], **close)
        torch.testing.assert_close(output.units[field.name].logits, of_labeled[field.name][labeled_rows], **close)


def test_the_masking_effect_is_the_divergence_on_masked_texts_and_changes_nothing(encoder):
    folder = encoder("bert")
    batch, generator = tiny.batch_of(tiny.windower_of(folder)), generator_of(folder)
    discriminator = tiny.discriminator_of(folder, sharp=5.0).train()
    for module in discriminator.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.5
    before = {**discriminator.state_dict(), **generator.state_dict()}
    before = {name: tensor.clone() for name, tensor in before.items()}
    state = torch.get_rng_state()
    effect = generator.masking_effect(discriminator, batch, 7)
    assert torch.equal(torch.get_rng_state(), state)
    assert discriminator.training
    after = {**discriminator.state_dict(), **generator.state_dict()}
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert all(parameter.grad is None for parameter in (*discriminator.parameters(), *generator.parameters()))

    texts = batch.rows(~batch.known())
    untrained = MaskingGenerator(generator.config)  # equal scores
    untrained.teacher = generator.teacher
    by_teacher = generator(**batch, step=7).teacher_probabilities
    discriminator.eval()
    for name, masking in zip(MASKING_EFFECT, (generator, untrained), strict=True):
        mask = masking(**batch, step=7).mask.bool()
        masked = replace(texts, input_ids=texts.input_ids.masked_fill(mask, generator.config.mask_token_id))
        logits = discriminator.predict_logits(masked)
        divergences = []
        for field in tiny.FIELDS:
            target = by_teacher[field.name]
            if field.kind == "flags":
                p, q = (torch.stack([yes, 1 - yes]) for yes in (target, logits[field.name].sigmoid()))
                rows = (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(0).mean(-1)
            else:
                rows = (torch.xlogy(target, target) - target * logits[field.name].log_softmax(-1)).sum(-1)
            weights = texts.token_mask.float() if field.kind == "spans" else texts.window_weight
            divergences.append((rows * weights).sum() / weights.sum())
        assert effect[name] == pytest.approx(float(sum(divergences)) / 3, rel=1e-4)
        assert effect[name] > 0.01
    by_score, by_chance = (effect[name] for name in MASKING_EFFECT)
    assert by_score != by_chance
    by_score, by_chance = (untrained.masking_effect(discriminator, batch, 7)[name] for name in MASKING_EFFECT)
    assert by_score == by_chance, "an untrained generator does not mask at random"
    assert generator.masking_effect(discriminator, batch.rows(batch.known()), 7) == {}


def test_the_teacher_is_not_part_of_the_generator(encoder):
    generator = generator_of(encoder("bert"))
    assert [name for name, _ in generator.named_parameters()] == ["score.weight", "score.bias"]
    assert set(generator.state_dict()) == {"score.weight", "score.bias"}


def test_a_generator_without_a_teacher_says_so(encoder):
    folder = encoder("bert")
    with pytest.raises(RuntimeError, match="set `teacher` before the first step"):
        MaskingGenerator.from_encoder(folder)(**tiny.batch_of(tiny.windower_of(folder)))


def test_a_batch_without_unlabeled_rows_gives_no_masked_texts(encoder):
    folder = encoder("bert")
    batch = tiny.batch_of(tiny.windower_of(folder))
    labeled = batch.rows(batch.known())
    output = tiny.discriminator_of(folder)(**labeled, generated=generator_of(folder)(**labeled).detach())
    assert all(len(scores.logits) == 0 for scores in output.generated_units.values())
    assert output.losses["topic.distillation"] == 0
    assert output.loss.isfinite()


def test_a_saved_generator_masks_the_same_tokens(encoder, tmp_path):
    folder = encoder("bert")
    batch, generator = tiny.batch_of(tiny.windower_of(folder)), generator_of(folder)
    generator.save_pretrained(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["config.json", "model.safetensors"]
    loaded = MaskingGenerator.from_pretrained(tmp_path)
    loaded.teacher = generator.teacher
    assert torch.equal(loaded(**batch, step=3).mask, generator(**batch, step=3).mask)


@pytest.mark.slow
def test_an_encoder_without_a_mask_token_or_word_embeddings_is_refused(task, tmp_path, encoder, monkeypatch):
    from electra_ie.training import setup as training

    folder = encoder("bert")
    settings = tiny.settings(folder, "adversarial")
    with monkeypatch.context() as patch:
        tokenizer = load_tokenizer(folder)
        tokenizer.mask_token = None
        patch.setattr(training, "load_tokenizer", lambda name: tokenizer)
        with pytest.raises(UserError, match="has no mask token"):
            train(str(task), tmp_path / "run", **settings)
        assert not (tmp_path / "run").exists()
        written = task.read_text("utf-8")
        task.write_text(written.replace(", unlabeled: pool.jsonl", ""), encoding="utf-8")
        train(str(task), tmp_path / "bare", **settings)  # without unlabeled texts, nothing is masked
        task.write_text(written, encoding="utf-8")
    discriminator = tiny.discriminator_of(folder)
    forward = discriminator.encoder.forward

    def forward_with_other_embeddings(**inputs):
        return forward(**{name: value * 2 if name == "inputs_embeds" else value for name, value in inputs.items()})

    monkeypatch.setattr(discriminator.encoder, "forward", forward_with_other_embeddings)
    with pytest.raises(UserError, match="does not accept word embeddings"):
        check_maskable(discriminator, folder, 4)
    with pytest.raises(UserError, match="no embedding for the mask token"):
        check_maskable(discriminator, folder, 99_999)
    assert not (tmp_path / "run").exists()


def test_steps_of_a_custom_loop_in_the_wrong_order_are_named(encoder):
    """Without the gradient at the mask, the loss of the generator would silently be 0."""
    folder = encoder("bert")
    batch, generator, discriminator = (
        tiny.batch_of(tiny.windower_of(folder)),
        generator_of(folder),
        tiny.discriminator_of(folder),
    )
    generated = generator(**batch)
    output = discriminator(**batch, generated=generated.detach())
    with pytest.raises(UserError, match="call backward on its loss before"):
        discriminator.generator_loss(generated, output)
    output.loss.backward()
    loss, _ = discriminator.generator_loss(generated, output)
    loss.backward()
    assert generator.score.weight.grad.abs().sum() > 0


def test_the_share_of_masked_tokens_is_checked():
    with pytest.raises(UserError, match="mask_ratio is 30"):
        MaskingGeneratorConfig(mask_ratio=30)
