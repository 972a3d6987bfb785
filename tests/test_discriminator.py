"""The discriminator answers as the stock model it is saved as does, whatever the encoder and the padding."""

from __future__ import annotations

import json

import pytest
import tiny
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification

from electra_ie.common.errors import UserError
from electra_ie.data.batching import collate
from electra_ie.data.document import Document
from electra_ie.data.fields import Field
from electra_ie.data.span_boundaries import edges_of
from electra_ie.data.windowing import LabeledWindow
from electra_ie.models.discriminator import Discriminator
from electra_ie.models.losses import TERMS
from electra_ie.models.pooling import averaged
from electra_ie.runs.storage import save_fields

SHORT = "Arden paid 5.975,74 to the bank."
LONG = "the old house by the river was sold in march and the bank sent a letter to Brisk about it, " * 2
CLOSE = {"atol": 2e-5, "rtol": 0.0}


def plain_mean(values, weights):
    """What `loop.Mean` is where there is one process."""
    return (values * weights.view(-1, *[1] * (values.dim() - 1))).sum(0) / weights.sum().clamp(min=1e-8)


MEAN = [(family, "mean") for family in ("bert", "roberta", "electra", "distilbert", "modernbert")]


@pytest.fixture(scope="module", params=[*((family, "stock") for family in tiny.FAMILIES), *MEAN], ids="-".join)
def judged(request, encoder):
    """A family's discriminator with answers far from zero, and its windows."""
    family, pooling = request.param
    folder = encoder(family)
    return tiny.discriminator_of(folder, pooling=pooling, sharp=1.0).eval(), tiny.cutter_of(folder, 160)


def row(windower, text):
    return LabeledWindow(windower(text)[0], {})


def test_padding_changes_no_answer(judged):
    discriminator, windower = judged
    short, long = row(windower, SHORT), row(windower, LONG)
    assert len(long.window.ids) >= len(short.window.ids) + 25
    alone = collate([short], windower, ())
    length = alone.input_ids.shape[1]
    padded = collate([short, row(windower, LONG[:20]), long], windower, ())
    answers, beside = discriminator.answers(alone), discriminator.answers(padded)
    more = alone.__class__(
        torch.nn.functional.pad(alone.input_ids, (0, 50), value=windower.tokenizer.pad_token_id),
        torch.nn.functional.pad(alone.attention_mask, (0, 50)), alone.owned, {}, alone.window_weight, alone.row_indices,
    )  # fmt: skip
    for other in (beside, discriminator.answers(more)):
        for name, logits in answers.items():
            same = other[name][:1, :length] if name == "names" else other[name][:1]
            torch.testing.assert_close(same, logits, **CLOSE)
            assert logits.abs().max() > 0.05, "answers so small that any would do"


def test_heads_answer_as_the_stock_models_do(judged):
    discriminator, windower = judged
    batch = collate([row(windower, SHORT), row(windower, LONG)], windower, ())
    answers = discriminator.answers(batch)
    for field in discriminator.fields:
        with discriminator.stock(field) as model, torch.no_grad():
            expected = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits
        exact = not discriminator.head(field).averages  # a layer of matrices adds up in another order
        torch.testing.assert_close(answers[field.name], expected, atol=0 if exact else 1e-6, rtol=0)
    again = discriminator.answers(batch)
    assert all(torch.equal(answers[name], again[name]) for name in answers), "stock() undoes what it did"


def test_saved_folders_answer_the_same_and_hold_k_outputs(judged, tmp_path):
    discriminator, windower = judged
    batch = collate([row(windower, SHORT), row(windower, LONG)], windower, ())
    save_fields(tmp_path, discriminator, windower, edges_of((), tiny.FIELDS))
    answers = discriminator.answers(batch)
    folders = {field.name: str(tmp_path / field.name) for field in tiny.FIELDS}
    again = Discriminator.from_saved(folders, tiny.FIELDS).eval().answers(batch)
    for field, outputs in zip(tiny.FIELDS, (3, 2, 5), strict=True):
        auto = AutoModelForTokenClassification if field.kind == "spans" else AutoModelForSequenceClassification
        model = auto.from_pretrained(folders[field.name]).eval()
        with torch.no_grad():
            stock = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits
        assert stock.shape[-1] == model.config.num_labels == outputs
        torch.testing.assert_close(stock, answers[field.name], **CLOSE)
        torch.testing.assert_close(again[field.name], answers[field.name], **CLOSE)
        config = json.loads((tmp_path / field.name / "config.json").read_text("utf-8"))
        assert [config["id2label"][str(number)] for number in range(outputs)] == list(field.names)


def test_a_head_that_reads_more_than_states_is_refused_by_name(encoder):
    with pytest.raises(UserError, match=r"albert.*topic.*AlbertForSequenceClassification.*Choose another encoder"):
        tiny.discriminator_of(encoder("albert"))
    tiny.discriminator_of(encoder("albert"), [tiny.NAMED])  # its token head reads the states alone


@pytest.mark.parametrize("family", ["bert", "roberta", "electra", "distilbert"])
def test_behind_the_averaging_layer_the_first_token_holds_the_mean_of_what_is_text(encoder, family):
    discriminator = tiny.discriminator_of(encoder(family), [tiny.TOPIC], "mean").eval()
    windower = tiny.cutter_of(encoder(family))
    batch = collate([row(windower, SHORT), row(windower, SHORT + " the bank was closed today")], windower, ())
    told = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
    with torch.no_grad():
        states = discriminator.states(batch)
        with discriminator.stock(tiny.TOPIC) as model:
            first = model.base_model(**told).last_hidden_state[:, 0]
    for number, length in enumerate(batch.attention_mask.sum(1).tolist()):
        mean = states[number, :length].mean(0)
        assert torch.nn.functional.cosine_similarity(first[number], mean - mean.mean(), dim=0) > 0.999
        assert torch.nn.functional.cosine_similarity(first[number], states[number, 0], dim=0) < 0.9, (
            "not the first token"
        )


@pytest.mark.parametrize("size", [2, 3, 7])
def test_k_labels_make_k_outputs(encoder, size):
    labels = tuple(f"label{number}" for number in range(size))
    fields = [Field("topic", "classes", labels), Field("risks", "flags", labels), Field("names", "spans", labels)]
    discriminator = tiny.discriminator_of(encoder("bert"), fields, fakes=True)
    outputs = {head.field.name: head.last.out_features for head in discriminator.heads.values()}
    assert outputs == {"topic": size, "risks": size, "names": 2 * size + 1}
    extra = {head.field.name for head in discriminator.heads.values() if head.extra is not None}
    assert extra == {"risks"}, "only flags learn a logit of being real, and only for the game"
    assert all(head.extra is None for head in tiny.discriminator_of(encoder("bert"), fields).heads.values())


def test_the_extra_logit_of_flags_is_not_saved(encoder, tmp_path):
    discriminator = tiny.discriminator_of(encoder("bert"), fakes=True)
    save_fields(tmp_path, discriminator, tiny.cutter_of(encoder("bert")), edges_of((), tiny.FIELDS))
    saved = load_file(tmp_path / "risks" / "model.safetensors")
    assert not [name for name in saved if "extra" in name]
    assert saved["classifier.weight"].shape == (2, 32)
    stock = AutoModelForSequenceClassification.from_pretrained(tmp_path / "risks").state_dict()
    assert set(saved) == set(stock)


@pytest.mark.parametrize("kind", ["topic", "risks", "names"])
def test_an_unlabelled_document_is_no_class(encoder, kind):
    """Neither the loss nor its gradient changes when unlabelled texts join the batch."""
    windower = tiny.cutter_of(encoder("bert"))
    discriminator = tiny.discriminator_of(encoder("bert")).eval()
    known = tiny.rows(windower, tiny.documents(4))
    bare = tiny.rows(windower, [each.unlabeled() for each in tiny.documents(5, seed=9)])
    found = []
    for rows in (known, known + bare):
        real, _ = discriminator(collate(rows, windower, tiny.FIELDS))
        loss = TERMS["discriminator"]["classification"](real[kind], None, plain_mean)
        loss.backward()
        found.append((float(loss.detach()), discriminator.heads[f"field_{kind}"].last.weight.grad.clone()))
        discriminator.zero_grad()
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5) and found[0][0] > 0
    torch.testing.assert_close(found[0][1], found[1][1])
    real, _ = discriminator(collate(bare, windower, tiny.FIELDS))
    assert float(TERMS["discriminator"]["classification"](real[kind], None, plain_mean).detach()) == 0


def test_an_empty_text_is_judged(judged):
    discriminator, windower = judged
    batch = collate([row(windower, ""), row(windower, SHORT)], windower, ())
    assert all(torch.isfinite(each).all() for each in discriminator.answers(batch).values())
    assert not batch.owned[0].any()
    assert tiny.rows(windower, [Document("e", "")])[0].window.weight == 1


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_a_new_head_hands_the_mean_on_to_its_classifier(encoder, family):
    """But a head that was trained on the mean stays as it is (see test_stock)."""
    discriminator = tiny.discriminator_of(encoder(family), pooling="mean").eval()
    field = next(field for field in discriminator.fields if field.kind == "classes")
    mask = torch.ones(2, 5, dtype=torch.long)
    states = torch.randn(2, 5, discriminator.hidden)
    features = discriminator.head(field)(states, mask)[1]
    assert torch.allclose(features, torch.tanh(averaged(states, mask)[:, 0] / 2), atol=1e-6)
