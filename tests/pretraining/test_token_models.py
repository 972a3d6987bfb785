"""Replaced-token detection: what is masked, what is sampled, who learns from what, and what both pair share."""

from __future__ import annotations

import copy
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from functools import partial

import numpy as np
import pytest
import tiny
import torch
from accelerate import Accelerator
from torch.nn import functional
from transformers import AutoConfig, PreTrainedModel

from electra_ie.common.errors import UserError
from electra_ie.config.pretrain import PretrainSettings
from electra_ie.models.encoders import load_tokenizer
from electra_ie.models.losses import reinforce, replaced_token_detection
from electra_ie.models.outputs import MaskedTokenScores, UnitScores
from electra_ie.pretraining import model_factory as models
from electra_ie.pretraining.embedding_sharing import GradientDisentangledEmbedding, with_plain_embedding
from electra_ie.pretraining.masking import (
    MaskingCollator,
    TokenBatch,
    TokenBatches,
    _continues_word,
    continuation_masks,
    hold_out,
)
from electra_ie.pretraining.optimizer import ElectraAdamW
from electra_ie.pretraining.setup import prepare
from electra_ie.pretraining.token_models import (
    TOKENS,
    MaskedTokenModel,
    TokenDiscriminator,
    TokenGenerator,
    check_mlm_parity,
    sample,
)
from electra_ie.training.loop import AdversarialPair, Mean, training_steps

LENGTH = 24


def text_ids(tokenizer, rows=6, length=LENGTH, padded=0) -> torch.Tensor:
    """Blocks of words, the last one padded."""
    draw = np.random.default_rng(1)
    free = [each for each in range(len(tokenizer)) if each not in tokenizer.all_special_ids]
    ids = torch.tensor(draw.choice(free, (rows, length)))
    ids[:, 0], ids[:, -1] = tokenizer.cls_token_id, tokenizer.sep_token_id
    if padded:
        ids[-1, -padded:] = tokenizer.pad_token_id
    return ids


def batch_of(tokenizer, seed=0, share=0.3, kept=0.15, **form) -> TokenBatch:
    ids = text_ids(tokenizer, **form)
    return MaskingCollator(tokenizer, ids.shape[1], share, kept)(ids, torch.Generator().manual_seed(seed))


@pytest.fixture
def tokenizer(encoder):
    return load_tokenizer(encoder("bert"))


def pair_of(folder, **settings) -> AdversarialPair:
    torch.manual_seed(3)
    rates = {
        "learning_rate": 1e-2,
        "head_learning_rate": 1e-2,
        "generator_learning_rate": 1e-2,
        "freeze_embeddings": False,
    }
    settings = PretrainSettings(encoder=folder, **{**rates, **settings}).with_defaults()
    config = AutoConfig.from_pretrained(folder)
    pair = prepare(Accelerator(cpu=True), settings, config, load_tokenizer(folder))
    for group in pair.optimizer.param_groups:
        group["peak"] = settings.learning_rate
    return pair


# What is masked


def test_only_masked_positions_change_and_special_tokens_are_never_masked(tokenizer):
    for seed in range(20):
        batch = batch_of(tokenizer, seed, padded=15)
        chosen = torch.zeros_like(batch.input_ids, dtype=torch.bool)
        for row in range(len(chosen)):
            places = batch.positions[row][batch.weight[row] > 0]
            assert len(places) == len(set(places.tolist()))
            chosen[row, places] = True
        assert torch.equal(batch.masked_ids[~chosen], batch.input_ids[~chosen])
        shown = batch.masked_ids[chosen]
        assert ((shown == tokenizer.mask_token_id) | (shown == batch.input_ids[chosen])).all(), "none becomes random"
        assert not torch.isin(batch.input_ids[chosen], torch.tensor(tokenizer.all_special_ids)).any()
        assert chosen[:-1].sum(1).tolist() == [round(0.3 * (LENGTH - 2))] * 5
        assert chosen[-1].sum() == round(0.3 * (LENGTH - 15 - 1)), "a padded block has fewer"
        assert torch.equal(batch.mask, (batch.input_ids != tokenizer.pad_token_id).long())


def test_about_one_in_seven_masked_positions_keeps_its_token(tokenizer):
    batch = batch_of(tokenizer, rows=400)
    kept = (batch.masked_ids.gather(1, batch.positions) != tokenizer.mask_token_id)[batch.weight > 0].float()
    assert kept.mean() == pytest.approx(0.15, abs=0.02)
    assert (batch_of(tokenizer, kept=0.0).masked_ids == tokenizer.mask_token_id).sum() == 6 * 7


@pytest.mark.parametrize("family", tiny.TOKENIZERS)
def test_single_token_words_are_maskable(encoder, family):
    """By the characters on both sides of a token, in a text of plain words, numbers and punctuation."""
    tokenizer = load_tokenizer(encoder(family))
    text = "the bank, Brisk. paid 12 of banker the invoices. invoice, Arden-Corvo xyzzy"
    read = tokenizer(text, return_offsets_mapping=True)
    ids = torch.tensor([read["input_ids"]])
    alone = set()
    for number, (start, end) in enumerate(read["offset_mapping"]):
        word = text[start:end].lstrip()
        around = text[max(end - len(word) - 1, 0) : end - len(word)] + text[end : end + 1]
        if word and not (word.isalnum() and any(character.isalnum() for character in around)):
            alone.add(number)
    batch = MaskingCollator(tokenizer, ids.shape[1], 0.999, 0.0, "single")(ids, torch.Generator().manual_seed(0))
    chosen = set(batch.positions[0][batch.weight[0] > 0].tolist())
    assert chosen <= alone
    assert len(chosen) > 4
    if family == "bert":  # elsewhere a space may be a token, and what stands behind it looks as within a word
        assert chosen == alone
        assert len(alone) < ids.shape[1] - 8
    few = MaskingCollator(tokenizer, ids.shape[1], 0.2, 0.0, "single")(ids, torch.Generator().manual_seed(0))
    assert set(few.positions[0][few.weight[0] > 0].tolist()) < chosen
    assert few.weight.sum() == round(0.2 * len(chosen))


def test_whole_words_are_masked_completely_or_not_at_all(encoder):
    tokenizer = load_tokenizer(encoder("bert"))
    text = "xyzzy paid the Arden-Corvo bank of banker invoices 4711 plugh. " * 6
    ids = torch.tensor([tokenizer(text)["input_ids"][: 3 * LENGTH - 1] + [tokenizer.sep_token_id]] * 40)
    words = [
        number for number, token in enumerate(tokenizer.convert_ids_to_tokens(ids[0].tolist())) if token[:2] != "##"
    ]
    words = [set(range(first, last)) for first, last in zip(words, [*words[1:], ids.shape[1]], strict=True)]
    sizes = []
    for share in (0.15, 0.3):
        batch = MaskingCollator(tokenizer, ids.shape[1], share, 0.0, "words")(ids, torch.Generator().manual_seed(0))
        for places, weight in zip(batch.positions, batch.weight, strict=True):
            chosen = set(places[weight > 0].tolist())
            assert all(word <= chosen or not word & chosen for word in words), "no word is cut"
            wanted = round(share * (ids.shape[1] - 2))
            assert wanted - max(map(len, words)) < len(chosen) <= wanted
            sizes += [len(word) for word in words if word & chosen]
    assert {1, 2} < set(sizes)
    assert np.mean(sizes) == pytest.approx(np.mean([len(word) for word in words[1:-1]]), rel=0.1), "long words too"


def test_a_single_word_longer_than_the_mask_ratio_is_masked_in_part(encoder):
    tokenizer = load_tokenizer(encoder("bert"))
    ids = torch.tensor([tokenizer("xyzzyplughxyzzy")["input_ids"]])
    assert ids.shape[1] > 8
    batch = MaskingCollator(tokenizer, ids.shape[1], 0.2, 0.0, "words")(ids, torch.Generator().manual_seed(0))
    assert batch.weight.sum() == round(0.2 * (ids.shape[1] - 2))


def test_continuation_tokens_of_byte_level_bpe(encoder):
    """Parts of a character do; a space and the end of a line begin a word."""
    tokenizer = load_tokenizer(encoder("roberta"))
    marked, breaks = continuation_masks(tokenizer)
    for text, expected in {"é": True, "银": True, " bank": False, ",": False, "the": True, "7": True}.items():
        assert set(marked[tokenizer(text, add_special_tokens=False)["input_ids"]].tolist()) == {expected}, text
    ids = torch.tensor([tokenizer("the bank\nthe paid xyz")["input_ids"]])
    batch = MaskingCollator(tokenizer, ids.shape[1], 0.999, 0.0, "single")(ids, torch.Generator().manual_seed(0))
    chosen = tokenizer.convert_ids_to_tokens(ids[0, batch.positions[0][batch.weight[0] > 0].sort().values].tolist())
    assert chosen == ["the", "Ġbank", "Ċ", "the", "Ġpaid"]
    assert breaks.any()


@pytest.mark.parametrize(("text", "expected"), [
    ("bank", True), ("7", True), ("\ufffd", True), ("ب", True), ("अ", True), ("ा", True), ("한", True),
    ("银", False), ("か", False), ("ไ", False), (",", False), (" ", False), ("", False), ("€", False),
])  # fmt: skip
def test_scripts_with_and_without_spaces(text, expected):
    assert _continues_word(text) == expected


def test_a_tokenizer_that_marks_word_ends_is_refused(encoder):
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.BPE({"a</w>": 0}, [], end_of_word_suffix="</w>"))
    )
    with pytest.raises(UserError, match="maskable=tokens"):
        continuation_masks(tokenizer)


class Rows:
    """Blocks in memory."""

    def __init__(self, tokenizer, number):
        self.ids = text_ids(tokenizer, number).numpy()

    def rows(self, places):
        return self.ids[places]


def batches_of(tokenizer, number=10, size=4, process=0, processes=1, seed=0):
    trained, _ = hold_out(number, 0.1, seed)
    return TokenBatches(
        Rows(tokenizer, number), trained, MaskingCollator(tokenizer, LENGTH, 0.2, 0.1), size, seed, process, processes
    )  # type: ignore[arg-type]


def test_batches_are_a_function_of_seed_and_number_for_any_number_of_processes(tokenizer):
    whole, again = batches_of(tokenizer), batches_of(tokenizer)
    parts = [batches_of(tokenizer, process=process, processes=2) for process in range(2)]
    for number in (0, 7, 3):
        for name in vars(whole[number]):
            mine = getattr(whole[number], name)
            assert torch.equal(mine, getattr(again[number], name))
            for process, part in enumerate(parts):
                assert torch.equal(mine[process::2], getattr(part[number], name))
    assert not torch.equal(whole[0].positions, whole[1].positions)
    assert not torch.equal(whole[0].input_ids, batches_of(tokenizer, seed=1)[0].input_ids)


def test_each_block_is_read_once_per_epoch_and_held_out_blocks_never(tokenizer):
    batches = batches_of(tokenizer, number=10, size=3)
    trained, held_out = hold_out(10, 0.1, 0)
    assert len(held_out) == 1
    assert sorted([*trained, *held_out]) == list(range(10))
    read = torch.cat([batches[number].input_ids for number in range(6)])
    for one_pass in (read[:9], read[9:]):
        assert sorted(one_pass.tolist()) == sorted(batches.blocks.rows(trained).tolist())
    assert hold_out(1, 0.5, 0)[1].size == 0
    assert hold_out(100, 0.0, 0)[1].size == 0


# What is sampled


def test_tokens_are_sampled_from_the_softmax():
    """Chances that cover the interval evenly give each token its share: no argmax, no other law."""
    logits = torch.tensor([2.0, -1.0, 0.0, 1.0, -float("inf")])
    chance = (torch.arange(10_000) + 0.5) / 10_000
    drawn = sample(logits.repeat(10_000, 1), chance)
    assert torch.bincount(drawn, minlength=5) / 10_000 == pytest.approx(logits.softmax(-1), abs=2e-4)
    edges = sample(torch.tensor([[-float("inf"), 0.0, 0.0]] * 2), torch.tensor([0.0, 1 - 2**-24]))
    assert edges.tolist() == [1, 2], "what has no probability is never drawn"


def test_a_perfect_generator_leaves_all_tokens_original(encoder, tokenizer, monkeypatch):
    generator = pair_of(encoder("bert")).unwrapped_generator
    batch = batch_of(tokenizer)
    output = generator(**batch)
    assert output.replaced.any()
    assert torch.equal(output.replaced, output.input_ids != batch.input_ids)
    predict_masked = generator.predict_masked

    def perfect(batch):
        scores = predict_masked(batch)
        return replace(scores, logits=1e4 * functional.one_hot(scores.labels, scores.logits.shape[-1]).float())

    monkeypatch.setattr(generator, "predict_masked", perfect)
    output = generator(**batch)
    assert not output.replaced.any()
    assert torch.equal(output.input_ids, batch.input_ids)


def test_positions_that_are_not_masked_never_change(encoder, tokenizer):
    generator = pair_of(encoder("bert")).unwrapped_generator
    batch = batch_of(tokenizer, padded=15)
    output = generator(**batch)
    chosen = torch.zeros_like(output.replaced).scatter(1, batch.positions, batch.weight > 0)
    assert not (output.replaced & ~chosen).any()
    assert (output.replaced & chosen).any()


# Who learns from what


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_every_family_trains_and_projects_only_masked_positions(encoder, family):
    folder = encoder(family)
    pair = pair_of(folder, embedding_sharing="none")
    batch = batch_of(load_tokenizer(folder))
    seen = []
    with pair.unwrapped_generator.stock_model() as model:
        model.get_output_embeddings().register_forward_pre_hook(
            lambda _, given: seen.append(given[0].shape[:-1].numel())
        )
    step = next(training_steps(pair, [batch], PretrainSettings(encoder=folder, max_steps=1, learning_rate=1e-2)))
    assert seen == [batch.positions.numel()]
    assert set(step.losses) == {"discriminator", "generator"}
    assert 0 < step.realness[0] < 1
    assert (
        pair.unwrapped_generator.encoder.config.num_hidden_layers
        == 1
        < pair.unwrapped_discriminator.encoder.config.num_hidden_layers
    )


def test_each_loss_has_gradients_for_its_own_model_only(encoder, tokenizer):
    pair = pair_of(encoder("bert"), embedding_sharing="none")
    mean, batch = Mean(pair.accelerator), batch_of(tokenizer)
    generated = pair.generator(**batch, step=0)
    output = pair.discriminator(**batch, generated=generated.detach(), mean=mean)
    output.loss.backward()
    assert all(weight.grad is None for weight in pair.unwrapped_generator.parameters())
    assert any(
        each.grad.abs().sum() > 0 for each in pair.unwrapped_discriminator.encoder.parameters() if each.grad is not None
    )
    pair.optimizer.zero_grad()
    loss, parts = pair.unwrapped_discriminator.generator_loss(generated, output, mean=mean)
    loss.backward()
    expected = functional.cross_entropy(generated.predictions.logits, generated.predictions.labels)
    assert parts == {"tokens.mlm": pytest.approx(float(expected.detach()))}
    assert all(weight.grad is None for weight in pair.unwrapped_discriminator.parameters())
    assert all(weight.grad is not None for weight in pair.unwrapped_generator.encoder.embeddings.parameters())


def test_the_loss_is_binary_cross_entropy_over_all_tokens_but_padding(encoder, tokenizer):
    pair = pair_of(encoder("electra"))
    discriminator, batch = pair.unwrapped_discriminator.eval(), batch_of(tokenizer, padded=15)
    generated = pair.unwrapped_generator.eval()(**batch)
    loss = discriminator(**batch, generated=generated).loss
    with discriminator.stock_model() as model:
        logits = model(input_ids=generated.input_ids, attention_mask=batch.mask).logits
    counted = batch.mask.bool()
    target = (generated.input_ids != batch.input_ids).float()
    # ElectraForPreTraining says "replaced" with a positive logit.
    assert loss.item() == pytest.approx(
        functional.binary_cross_entropy_with_logits(logits[counted], target[counted]).item(), abs=1e-6
    )


def test_reinforce_raises_the_probability_of_tokens_that_fool_the_discriminator():
    """Three places: one replaced and taken for original, one replaced and found out, one restored and believed."""
    logits = torch.zeros(3, 4, requires_grad=True)
    filled = MaskedTokenScores(
        TOKENS, logits, torch.tensor([0, 0, 2]), torch.tensor([1, 1, 2]), torch.ones(3), torch.tensor([5, 1, 3])
    )
    realness = torch.tensor([0.0, -3.0, 0.0, 2.0, 0.0, 3.0])
    real = UnitScores(TOKENS, realness[:, None], realness, realness, torch.zeros(6), torch.ones(6))
    reinforce(real, filled, Mean(Accelerator(cpu=True))).backward()
    reward = torch.tensor([functional.softplus(torch.tensor(each)) for each in (3.0, -3.0, -2.0)])
    chosen = functional.one_hot(filled.sampled, 4) - 0.25  # the gradient of the log-likelihood
    expected = -(reward - reward.mean())[:, None] * chosen / 3
    assert torch.allclose(logits.grad, expected, atol=1e-6)
    assert logits.grad[0, 1] < 0 < logits.grad[1, 1], "descent makes the first draw likelier, the second less so"


# What both share


def steps_of(pair, tokenizer, number=3, clip=1e3):
    batches = [batch_of(tokenizer, seed, padded=seed) for seed in range(number)]
    settings = PretrainSettings(max_steps=number, learning_rate=1e-2, max_grad_norm=clip)
    return list(training_steps(pair, batches, settings)), batches


def test_accumulated_gradients_equal_those_of_the_whole_batch(encoder, tokenizer, monkeypatch):
    """The same masks; blocks of one length, so that each part counts as much."""
    whole = batch_of(tokenizer)
    halves = [
        TokenBatch(*(getattr(whole, each.name)[rows] for each in fields(whole))) for rows in (slice(3), slice(3, 6))
    ]
    found = []
    for parts, batches in ((1, [whole]), (2, halves)):
        pair = pair_of(encoder("electra"), embedding_sharing="none")
        pair.accumulation_steps = parts
        weights = [*pair.unwrapped_discriminator.named_parameters(), *pair.unwrapped_generator.named_parameters()]
        keep = partial(
            lambda all_of_them: found.append([(name, each.grad.clone()) for name, each in all_of_them]), weights
        )
        monkeypatch.setattr(pair.optimizer, "step", keep)
        list(training_steps(pair, batches, PretrainSettings(max_steps=1, max_grad_norm=1e3)))
    one, two = found
    assert sum(float(grad.abs().sum()) for _, grad in one) > 1
    for (name, grad), (_, other) in zip(one, two, strict=True):
        torch.testing.assert_close(other, grad, atol=1e-6, rtol=1e-4, msg=name)


@pytest.mark.parametrize("clip", [1e3, 0.5])
def test_plain_sharing_trains_one_table_by_both_losses(encoder, tokenizer, clip):
    """Against a reference in which both pair hold the very same tensors, and one norm is that of all gradients."""
    pair = pair_of(encoder("electra"), embedding_sharing="plain")
    discriminator, generator = copy.deepcopy(pair.unwrapped_discriminator), copy.deepcopy(pair.unwrapped_generator)
    steps, batches = steps_of(pair, tokenizer, clip=clip)
    table = pair.unwrapped_discriminator.encoder.embeddings.word_embeddings.weight
    assert torch.equal(table, pair.unwrapped_generator.encoder.embeddings.word_embeddings.weight)
    assert table is not pair.unwrapped_generator.encoder.embeddings.word_embeddings.weight

    discriminator.encoder.embeddings = generator.encoder.embeddings
    weights = list({id(each): each for model in (generator, discriminator) for each in model.parameters()}.values())
    groups = [
        {"params": [each for each in weights if (each.dim() > 1) is wide], "weight_decay": 0.01 * wide}
        for wide in (True, False)
    ]
    optimizer = ElectraAdamW(groups, lr=1e-2, eps=1e-6, fused=True)
    mean = Mean(pair.accelerator)
    for number, batch in enumerate(batches):
        torch.manual_seed(number * 1_009)
        for group in optimizer.param_groups:
            group["lr"] = 1e-2 * (3 - number) / 2.7 if number else 1e-2
        generated = generator.train()(**batch)
        output = discriminator.train()(**batch, generated=generated)
        filled = generated.predictions
        loss = 50 * replaced_token_detection(output.units["tokens"], output.generated_units["tokens"], mean)
        loss = loss + mean(functional.cross_entropy(filled.logits, filled.labels, reduction="none"), filled.weight)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(weights, clip)
        assert (norm > clip) == (clip < 1), "the smaller bound clips, the larger does not"
        optimizer.step()
        optimizer.zero_grad()
    for name, value in discriminator.state_dict().items():
        if "key.bias" not in name:  # the softmax cancels it: its gradient is rounding, which Adam blows up
            assert torch.allclose(value, pair.unwrapped_discriminator.state_dict()[name], atol=1e-4), name
    assert not torch.allclose(
        table,
        pair_of(encoder("electra")).unwrapped_discriminator.encoder.embeddings.word_embeddings.weight,
        atol=1e-3,
    )


def test_disentangled_sharing_keeps_the_losses_apart(encoder, tokenizer):
    pair = pair_of(encoder("electra"), embedding_sharing="disentangled")
    shared = pair.unwrapped_discriminator.encoder.get_input_embeddings()
    base = pair.unwrapped_generator.encoder.get_input_embeddings().weight
    assert isinstance(shared, GradientDisentangledEmbedding)
    assert not shared.residual.any()
    assert all(each is not base for each in pair.unwrapped_discriminator.parameters())
    batch = batch_of(tokenizer)
    generated = pair.unwrapped_generator(**batch).detach()
    pair.unwrapped_discriminator(**batch, generated=generated).loss.backward()
    assert base.grad is None
    assert shared.residual.grad.abs().sum() > 0
    pair.optimizer.zero_grad()
    before = base.detach().clone()
    steps_of(pair, tokenizer)
    ids = torch.arange(5, 20)
    assert torch.allclose(shared(ids), base[ids] + shared.residual[ids])
    assert shared.residual.any()
    assert not torch.equal(before, base), "the generator's own loss moves the table"
    with with_plain_embedding(pair.unwrapped_discriminator.encoder):
        stock = pair.unwrapped_discriminator.encoder.get_input_embeddings()
        assert type(stock) is torch.nn.Embedding
        assert torch.equal(stock.weight, base + shared.residual)
    assert pair.unwrapped_discriminator.encoder.get_input_embeddings() is shared


def test_a_generator_of_another_vocabulary_or_shape_is_refused(encoder, tmp_path):
    with pytest.raises(UserError, match="has another vocabulary than the encoder"):
        pair_of(encoder("bert"), generator_encoder=encoder("roberta"))
    with pytest.raises(
        UserError, match="embeddings differ from the encoder's .*LayerNorm.*--set embedding_sharing=none"
    ):
        pair_of(encoder("bert"), generator_encoder=encoder("electra"), embedding_sharing="plain")
    with pytest.raises(UserError, match=r"word embeddings are .*16\), the encoder's .*32\)"):
        pair_of(encoder("bert"), generator_encoder=encoder("electra"), embedding_sharing="disentangled")
    assert (
        pair_of(
            encoder("bert"), generator_encoder=encoder("electra"), embedding_sharing="none"
        ).unwrapped_generator.encoder.config.model_type
        == "electra"
    )
    with pytest.raises(UserError, match="generator_layers is 3; the encoder has 2"):
        pair_of(encoder("bert"), generator_layers=3)


def test_a_head_that_reads_more_than_the_states_is_refused(encoder, monkeypatch):
    filler = pair_of(encoder("bert")).unwrapped_generator
    monkeypatch.setattr(
        filler,
        "predict_masked",
        lambda batch: replace(MaskedTokenModel.predict_masked(filler, batch), logits=torch.zeros(4, 600)),
    )
    with pytest.raises(UserError, match='"some/encoder" cannot predict masked tokens'):
        check_mlm_parity(filler, "some/encoder")


# The optimiser


def test_adam_without_bias_correction():
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(5))
    expected, first, second = weight.detach().clone(), torch.zeros(5), torch.zeros(5)
    optimizer = ElectraAdamW([weight], lr=0.1, eps=1e-2, weight_decay=0.3)
    optimizer.corrected = False
    for rate in (0.1, 0.2, 0.05):
        gradient = torch.randn(5)
        weight.grad = gradient.clone()
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        expected = expected - rate * (first / (second.sqrt() + 1e-2) + 0.3 * expected)
        assert torch.allclose(weight, expected, atol=1e-6)
    assert optimizer.param_groups[0] | {"params": 0} == optimizer.param_groups[0] | {
        "params": 0,
        "lr": 0.05,
        "eps": 1e-2,
        "weight_decay": 0.3,
    }


def test_new_shapes_are_those_of_the_paper(tokenizer):
    for name, width, heads, generator in (("small", 256, 4, (64, 1)), ("base", 768, 12, (256, 4))):
        settings = PretrainSettings(from_scratch=name)
        config = models.shape(settings, tokenizer, generator=False)
        made = models.shape(settings, tokenizer, generator=True)
        assert (config.hidden_size, config.num_attention_heads, config.num_hidden_layers) == (width, heads, 12)
        assert (made.hidden_size, made.num_attention_heads, made.num_hidden_layers) == (*generator, 12)
        assert made.embedding_size == config.embedding_size
        assert config.intermediate_size == 4 * width


def test_models_that_threads_load_at_once_keep_their_tied_output_layer(encoder):
    """Transformers replaces functions of its classes while it loads a model; threads must not see or keep them."""
    settings = PretrainSettings(encoder=encoder("bert"))
    config = AutoConfig.from_pretrained(settings.encoder)
    tie_weights = PreTrainedModel.tie_weights
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as pool:
            loaded = list(pool.map(lambda _: models.load_masked_lm(settings, config), range(24)))
        assert PreTrainedModel.tie_weights is tie_weights
    finally:
        sys.setswitchinterval(interval)
        PreTrainedModel.tie_weights = tie_weights  # for the other tests
    for model in loaded:
        assert model.get_output_embeddings().weight is model.get_input_embeddings().weight


def test_every_family_passes_the_parity_check(encoder):
    for family in tiny.FAMILIES:
        generator = TokenGenerator(
            models.load_masked_lm(
                PretrainSettings(encoder=encoder(family)), AutoConfig.from_pretrained(encoder(family))
            )
        )
        check_mlm_parity(generator, family)
        assert isinstance(
            TokenDiscriminator(
                models.load_encoder(
                    PretrainSettings(encoder=encoder(family)), AutoConfig.from_pretrained(encoder(family))
                )
            ),
            TokenDiscriminator,
        )


def test_parameter_groups_have_the_learning_rates_of_their_part(encoder):
    pair = pair_of(
        encoder("bert"),
        freeze_embeddings=True,
        learning_rate=1e-4,
        head_learning_rate=2e-4,
        generator_learning_rate=3e-4,
    )
    rates = {id(each): group["rate"] for group in pair.optimizer.param_groups for each in group["params"]}
    decays = {id(each): group["weight_decay"] for group in pair.optimizer.param_groups for each in group["params"]}
    discriminator, generator = pair.unwrapped_discriminator, pair.unwrapped_generator
    assert {rates.get(id(each)) for each in discriminator.predictions.parameters()} == {"head_learning_rate"}
    assert {rates.get(id(each)) for each in discriminator.encoder.encoder.parameters()} == {"learning_rate"}
    assert {rates.get(id(each)) for each in generator.encoder.encoder.parameters()} == {"generator_learning_rate"}
    for model in (discriminator, generator):
        assert id(model.encoder.get_input_embeddings().weight) not in rates
    assert all((decays[id(each)] > 0) is (each.dim() > 1) for each in discriminator.predictions.parameters())
