"""The discriminator: equal to its stock models for every encoder, and a PreTrainedModel that saves and loads."""

from __future__ import annotations

import json
import shutil

import pytest
import tiny
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification
from transformers.utils import ModelOutput

from electra_ie.common.errors import UserError
from electra_ie.data.batching import collate
from electra_ie.data.document import Document
from electra_ie.data.fields import Field
from electra_ie.data.span_boundaries import edges_of
from electra_ie.data.windowing import LabeledWindow
from electra_ie.models.configs import DiscriminatorConfig
from electra_ie.models.discriminator import Discriminator
from electra_ie.models.encoders import load_tokenizer
from electra_ie.models.latent_generator import LatentGenerator
from electra_ie.models.losses import TERMS, local_mean
from electra_ie.models.pooling import apply_averaging_layer
from electra_ie.runs.storage import save_fields

SHORT = "Arden paid 5.975,74 to the bank."
LONG = "the old house by the river was sold in march and the bank sent a letter to Brisk about it, " * 2
CLOSE = {"atol": 2e-5, "rtol": 0.0}


MEAN = [(family, "mean") for family in ("bert", "roberta", "electra", "distilbert", "modernbert")]


@pytest.fixture(scope="module", params=[*((family, "stock") for family in tiny.FAMILIES), *MEAN], ids="-".join)
def family_discriminator(request, encoder):
    """Return the discriminator of a family, with logits far from zero, and its window tokenizer."""
    family, pooling = request.param
    folder = encoder(family)
    return tiny.discriminator_of(folder, pooling=pooling, sharp=1.0).eval(), tiny.windower_of(folder, 160)


def row(windower, text):
    return LabeledWindow(windower(text)[0], {})


def test_padding_does_not_change_the_logits(family_discriminator):
    discriminator, windower = family_discriminator
    short, long = row(windower, SHORT), row(windower, LONG)
    assert len(long.window.ids) >= len(short.window.ids) + 25
    alone = collate([short], windower, ())
    length = alone.input_ids.shape[1]
    padded = collate([short, row(windower, LONG[:20]), long], windower, ())
    logits, in_batch = discriminator.predict_logits(alone), discriminator.predict_logits(padded)
    padded_more = alone.__class__(
        torch.nn.functional.pad(alone.input_ids, (0, 50), value=windower.tokenizer.pad_token_id),
        torch.nn.functional.pad(alone.attention_mask, (0, 50)), alone.token_mask, {}, alone.window_weight, alone.row_indices,
    )  # fmt: skip
    for other in (in_batch, discriminator.predict_logits(padded_more)):
        for name, alone_logits in logits.items():
            same = other[name][:1, :length] if name == "names" else other[name][:1]
            torch.testing.assert_close(same, alone_logits, **CLOSE)
            assert alone_logits.abs().max() > 0.05, "the logits are too small to differ"


def test_heads_give_the_logits_of_the_stock_models(family_discriminator):
    discriminator, windower = family_discriminator
    batch = collate([row(windower, SHORT), row(windower, LONG)], windower, ())
    answers = discriminator.predict_logits(batch)
    for field in discriminator.fields:
        with discriminator.stock_model(field) as model, torch.no_grad():
            expected = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits
        exact = not discriminator.head(field).averages  # a layer of matrices adds up in another order
        torch.testing.assert_close(answers[field.name], expected, atol=0 if exact else 1e-6, rtol=0)
    again = discriminator.predict_logits(batch)
    assert all(torch.equal(answers[name], again[name]) for name in answers), "stock_model() changes the model"


def test_saved_folders_give_the_same_logits_and_have_k_outputs(family_discriminator, tmp_path):
    discriminator, windower = family_discriminator
    batch = collate([row(windower, SHORT), row(windower, LONG)], windower, ())
    save_fields(tmp_path, discriminator, windower, edges_of((), tiny.FIELDS))
    answers = discriminator.predict_logits(batch)
    folders = {field.name: str(tmp_path / field.name) for field in tiny.FIELDS}
    again = Discriminator.from_pretrained(tmp_path).predict_logits(batch)
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
def test_after_the_averaging_layer_the_first_token_holds_the_mean_without_padding(encoder, family):
    discriminator = tiny.discriminator_of(encoder(family), [tiny.TOPIC], "mean").eval()
    windower = tiny.windower_of(encoder(family))
    batch = collate([row(windower, SHORT), row(windower, SHORT + " the bank was closed today")], windower, ())
    with torch.no_grad():
        states = discriminator.encode(batch)
        with discriminator.stock_model(tiny.TOPIC) as model:
            first = model.base_model(batch.input_ids, batch.attention_mask).last_hidden_state[:, 0]
    for number, length in enumerate(batch.attention_mask.sum(1).tolist()):
        mean = states[number, :length].mean(0)
        assert torch.nn.functional.cosine_similarity(first[number], mean - mean.mean(), dim=0) > 0.999
        assert torch.nn.functional.cosine_similarity(first[number], states[number, 0], dim=0) < 0.9, (
            "not the first token"
        )


@pytest.mark.parametrize("size", [2, 3, 7])
def test_k_labels_have_k_outputs(encoder, size):
    labels = tuple(f"label{number}" for number in range(size))
    fields = [Field("topic", "classes", labels), Field("risks", "flags", labels), Field("names", "spans", labels)]
    discriminator = tiny.discriminator_of(encoder("bert"), fields, realness_head=True)
    outputs = {head.field.name: head.output_layer.out_features for head in discriminator.heads.values()}
    assert outputs == {"topic": size, "risks": size, "names": 2 * size + 1}
    extra = {head.field.name for head in discriminator.heads.values() if head.realness_layer is not None}
    assert extra == {"risks"}, "only flags have a realness layer, and only on request"
    assert all(head.realness_layer is None for head in tiny.discriminator_of(encoder("bert"), fields).heads.values())


def test_the_realness_layer_of_flags_is_not_saved(encoder, tmp_path):
    discriminator = tiny.discriminator_of(encoder("bert"), realness_head=True)
    save_fields(tmp_path, discriminator, tiny.windower_of(encoder("bert")), edges_of((), tiny.FIELDS))
    saved = load_file(tmp_path / "risks" / "model.safetensors")
    assert not [name for name in saved if "realness" in name]
    assert saved["classifier.weight"].shape == (2, 32)
    stock = AutoModelForSequenceClassification.from_pretrained(tmp_path / "risks").state_dict()
    assert set(saved) == set(stock)


@pytest.mark.parametrize("kind", ["topic", "risks", "names"])
def test_unlabeled_documents_do_not_change_the_classification_loss(encoder, kind):
    """Neither the loss nor its gradient changes when unlabeled texts are added to the batch."""
    windower = tiny.windower_of(encoder("bert"))
    discriminator = tiny.discriminator_of(encoder("bert")).eval()
    known = tiny.rows(windower, tiny.documents(4))
    bare = tiny.rows(windower, [document.unlabeled() for document in tiny.documents(5, seed=9)])
    found = []
    for rows in (known, known + bare):
        units = discriminator(**collate(rows, windower, tiny.FIELDS)).units
        loss = TERMS["discriminator"]["classification"](units[kind], None, local_mean)
        loss.backward()
        found.append((float(loss.detach()), discriminator.heads[f"field_{kind}"].output_layer.weight.grad.clone()))
        discriminator.zero_grad()
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    assert found[0][0] > 0
    torch.testing.assert_close(found[0][1], found[1][1])
    units = discriminator(**collate(bare, windower, tiny.FIELDS)).units
    assert float(TERMS["discriminator"]["classification"](units[kind], None, local_mean).detach()) == 0


def test_an_empty_text_has_finite_logits(family_discriminator):
    discriminator, windower = family_discriminator
    batch = collate([row(windower, ""), row(windower, SHORT)], windower, ())
    assert all(torch.isfinite(logits).all() for logits in discriminator.predict_logits(batch).values())
    assert not batch.token_mask[0].any()
    assert tiny.rows(windower, [Document("e", "")])[0].window.weight == 1


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_a_new_head_passes_the_mean_to_its_output_layer(encoder, family):
    """A head that was trained on the mean is kept as it is (see test_stock_models)."""
    discriminator = tiny.discriminator_of(encoder(family), pooling="mean").eval()
    field = next(field for field in discriminator.fields if field.kind == "classes")
    mask = torch.ones(2, 5, dtype=torch.long)
    states = torch.randn(2, 5, discriminator.hidden_size)
    features = discriminator.head(field)(states, mask)[1]
    assert torch.allclose(features, torch.tanh(apply_averaging_layer(states, mask)[:, 0] / 2), atol=1e-6)


def test_forward_takes_tensors_as_a_tokenizer_makes_them_and_returns_a_model_output(encoder):
    folder = encoder("bert")
    discriminator = tiny.discriminator_of(folder)
    encoded = load_tokenizer(folder)([SHORT, LONG], padding=True, return_tensors="pt")
    tensors = {"input_ids": encoded["input_ids"], "attention_mask": encoded["attention_mask"]}
    output = discriminator(**tensors)
    assert isinstance(output, ModelOutput)
    assert output.loss is None
    length = encoded["input_ids"].shape[1]
    assert {name: tuple(logits.shape) for name, logits in output.logits.items()} == {
        "topic": (2, 3), "risks": (2, 2), "names": (2, length, 5)
    }  # fmt: skip
    assert {name: tuple(realness.shape) for name, realness in output.realness.items()} == {
        "topic": (2,), "risks": (2,), "names": (2, length)
    }  # fmt: skip
    torch.testing.assert_close(output.realness["topic"], output.logits["topic"].logsumexp(-1))
    labels = {"topic": torch.tensor([1, -100])}  # of one field, for one text
    output = discriminator(**tensors, labels=labels)
    expected = torch.nn.functional.cross_entropy(output.logits["topic"][:1], labels["topic"][:1])
    torch.testing.assert_close(output.loss, expected)
    output.loss.backward()
    assert discriminator.head(tiny.TOPIC).output_layer.weight.grad.abs().sum() > 0


def test_save_pretrained_and_from_pretrained_keep_one_encoder_for_all_fields(family_discriminator, tmp_path):
    discriminator, windower = family_discriminator
    batch = collate([row(windower, SHORT), row(windower, LONG)], windower, ())
    discriminator.save_pretrained(tmp_path / "saved")
    assert {path.name for path in (tmp_path / "saved").iterdir()} == {"config.json", "topic", "risks", "names"}
    loaded = Discriminator.from_pretrained(tmp_path / "saved")
    assert not loaded.training
    assert loaded.fields == discriminator.fields
    before, after = discriminator.state_dict(), loaded.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert loaded.num_parameters() == discriminator.num_parameters(), "an encoder for each field"
    for name, logits in discriminator.predict_logits(batch).items():
        assert torch.equal(loaded.predict_logits(batch)[name], logits)


def test_a_configuration_alone_gives_a_model_with_random_weights(encoder):
    discriminator = tiny.discriminator_of(encoder("roberta"), pooling="mean")
    config = DiscriminatorConfig.from_dict(json.loads(discriminator.config.to_json_string()))
    random = Discriminator(config)
    shapes = {name: value.shape for name, value in discriminator.state_dict().items()}
    assert {name: value.shape for name, value in random.state_dict().items()} == shapes
    assert [head.averages for head in random.heads.values()] == [head.averages for head in discriminator.heads.values()]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "config.json").unlink(), "there is no discriminator here"),
        (lambda folder: edit(folder / "config.json", model_type="bert"), "there is no discriminator here"),
        (lambda folder: edit(folder / "config.json", fields=[]), "has no valid fields"),
        (
            lambda folder: edit(folder / "config.json", fields=[{"name": "../x", "kind": "classes", "labels": ["a"]}]),
            "has no valid fields",
        ),
        (lambda folder: shutil.rmtree(folder / "topic"), "topic"),
        (lambda folder: (folder / "topic" / "model.safetensors").unlink(), "topic.*cannot be loaded"),
        (lambda folder: edit(folder / "topic" / "config.json", auto_map={"AutoModel": "x.Y"}), "refers to code"),
    ],
)
def test_a_damaged_or_unsafe_folder_is_refused_in_one_line(encoder, tmp_path, change, message):
    tiny.discriminator_of(encoder("bert")).save_pretrained(tmp_path)
    change(tmp_path)
    with pytest.raises(UserError, match=message) as raised:
        Discriminator.from_pretrained(tmp_path)
    assert "\n" not in str(raised.value)


def edit(file, **entries):
    """Change entries of a JSON file."""
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), **entries}), "utf-8")


def test_the_folder_of_a_run_is_a_saved_discriminator_but_not_an_encoder(run):
    loaded = Discriminator.from_pretrained(run)
    assert [field.name for field in loaded.fields] == ["topic", "risks", "names"]
    with pytest.raises(UserError, match=r"this is the folder of a run.*Give the folder of one of its fields: .*topic"):
        Discriminator.from_encoder(str(run), tiny.FIELDS)


FIELD = Field("topic", "classes", ("a", "b"))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ([], "the task has no fields"),
        ([Field("", "classes", ("a", "b"))], "cannot be the name of a field"),
        ([Field("../other", "classes", ("a", "b"))], "cannot be the name of a field"),
        ([Field("t", "klass", ("a", "b"))], 'there is no kind "klass"'),
        ([Field("t", "classes", ("a",))], "has only one class"),
        ([Field("t", "flags", "ab")], "not a list"),
        ([FIELD, FIELD], 'two fields are called "topic"'),
        ([FIELD, Field("Topic", "classes", ("a", "b"))], "differ in case only"),
        ([{"name": "t", "kind": "classes", "labels": ["a", "b"]}], "of the type dict, not Field"),
    ],
)
def test_invalid_fields_are_refused_before_the_encoder_is_loaded(fields, message):
    with pytest.raises(UserError, match=message):
        Discriminator.from_encoder("no/such/encoder", fields)


def test_labels_of_an_unknown_field_or_of_another_shape_are_refused(encoder):
    discriminator = tiny.discriminator_of(encoder("bert"))
    ids = torch.tensor([[5, 6, 7], [8, 9, 10]])
    for labels, message in (
        ({"Topic": torch.tensor([0, 1])}, 'labels for the unknown field "Topic". Did you mean "topic"'),
        ({"topic": torch.tensor([[0, 1]])}, r"topic \(classes\) are \(1, 2\), not \(2,\)"),
        ({"risks": torch.tensor([0, 1])}, r"risks \(flags\) are \(2,\), not \(2, 2\)"),
        ({"names": [0, 1]}, r"names \(spans\) are list, not \(2, 3\)"),
        (torch.tensor([0, 1]), "labels are not a mapping"),
    ):
        with pytest.raises(UserError, match=message):
            discriminator(ids, labels=labels)
    with pytest.raises(UserError, match="the loss term distillation needs what a generator"):
        discriminator(ids, labels={"topic": torch.tensor([0, 1])}, loss_weights={"distillation": 1.0})
    as_int32 = discriminator(ids, labels={"topic": torch.tensor([0, 1], dtype=torch.int32)}).loss
    assert torch.equal(as_int32, discriminator(ids, labels={"topic": torch.tensor([0, 1])}).loss)


def test_generated_states_of_flags_need_a_realness_layer(encoder):
    folder = encoder("bert")
    batch = tiny.batch_of(tiny.windower_of(folder))
    generated = LatentGenerator.from_encoder(folder, tiny.FIELDS)(**batch).detach()
    with pytest.raises(UserError, match="risks .* has no output for realness.*realness_head=True"):
        tiny.discriminator_of(folder)(**batch, generated=generated)
    labels = {"topic": batch.labels["topic"]}
    generated = LatentGenerator.from_encoder(folder, [tiny.TOPIC])(batch.input_ids, labels=labels).detach()
    with pytest.raises(UserError, match="the generator lacks the field risks"):
        tiny.discriminator_of(folder, realness_head=True)(**batch, generated=generated)


def test_save_pretrained_replaces_nothing_but_an_earlier_save(encoder, run, tmp_path):
    discriminator = tiny.discriminator_of(encoder("bert"), realness_head=True)
    own = tmp_path / "project" / "topic" / "labels.jsonl"
    own.parent.mkdir(parents=True)
    own.write_text("mine", "utf-8")
    copy_of_encoder = shutil.copytree(encoder("bert"), tmp_path / "encoder")
    copy_of_run = shutil.copytree(run, tmp_path / "run")
    for folder, message in (
        (tmp_path / "project", "not the saved model of the field topic"),
        (copy_of_encoder, "the folder of another model"),
        (copy_of_run, "the folder of a run"),
        (own, "this is a file"),
    ):
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        with pytest.raises(UserError, match=message):
            discriminator.save_pretrained(folder)
        assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    for _ in range(2):
        discriminator.save_pretrained(tmp_path / "saved")
    assert not Discriminator.from_pretrained(tmp_path / "saved").config.realness_head
    discriminator.save_pretrained(tmp_path / "other process", is_main_process=False)
    assert not (tmp_path / "other process").exists()


def test_what_would_bypass_the_checks_of_a_push_is_refused(encoder, tmp_path):
    discriminator = tiny.discriminator_of(encoder("bert"))
    for call in (
        lambda: discriminator.push_to_hub("acme/model"),
        lambda: discriminator.save_pretrained(tmp_path / "saved", push_to_hub=True),
        lambda: discriminator.resize_token_embeddings(400),
        lambda: LatentGenerator.from_encoder(encoder("bert"), tiny.FIELDS).push_to_hub("acme/model"),
        lambda: Discriminator.from_encoder(encoder("bert"), tiny.FIELDS, pooling="max"),
    ):
        with pytest.raises(UserError):
            call()
    assert not (tmp_path / "saved").exists()


def test_forward_takes_the_token_types_of_a_tokenizer(encoder):
    discriminator = tiny.discriminator_of(encoder("bert")).eval()
    ids = torch.tensor([[5, 6, 7]])
    with_types = discriminator(input_ids=ids, token_type_ids=torch.zeros_like(ids)).logits["topic"]
    assert torch.equal(with_types, discriminator(ids).logits["topic"])
