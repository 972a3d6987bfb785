"""A saved field is a stock model: it loads without electra_ie and gives the same logits."""

from __future__ import annotations

import json
import shutil

import processes
import pytest
import tiny
import torch
from safetensors.torch import load_file

from electra_ie import Extractor, pretrain, train
from electra_ie.common.errors import UserError
from electra_ie.data.batching import collate
from electra_ie.data.document import Document
from electra_ie.models.discriminator import Discriminator
from electra_ie.models.pooling import choose_pooling

TEXTS = ["invoice goods Arden paid 5.975,74 later.", "river winter Brisk paid 3.100,25 to the bank and all in green."]

STOCK = """
import json, sys
sys.modules["electra_ie"] = None  # from here on it cannot be imported
import torch
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification, AutoTokenizer
request = json.loads(open(sys.argv[1], encoding="utf-8").read())
result = {run: {} for run, _ in request["folders"]}
for run, name in request["folders"]:
    folder = f"{run}/{name}"
    auto = AutoModelForTokenClassification if name == "names" else AutoModelForSequenceClassification
    model = auto.from_pretrained(folder).eval()
    batch = AutoTokenizer.from_pretrained(folder)(request["texts"], padding=True, return_tensors="pt")
    with torch.no_grad():
        logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    result[run][name] = {"logits": logits.tolist(), "labels": model.config.id2label, "class": type(model).__module__}
print(json.dumps(result))
"""


def logits_of(extractor: Extractor) -> dict[str, torch.Tensor]:
    rows = tiny.rows(extractor.windower, [Document("t", text) for text in TEXTS])
    return extractor.discriminator.eval().predict_logits(collate(rows, extractor.windower, ()))


@pytest.fixture(scope="module")
def mean_run(encoder, tmp_path_factory):
    """A run whose class field pools by the mean; word pieces of RoBERTa, for another tokenizer than `run`'s."""
    folder = tmp_path_factory.mktemp("mean")
    settings = tiny.settings(encoder("roberta"), "supervised", max_steps=4, pooling="mean")
    return train(str(tiny.write_task(folder / "task")), folder / "run", **settings).path


@pytest.fixture(scope="module")
def stock(run, mean_run, tmp_path_factory) -> dict[str, dict[str, dict]]:
    """What stock transformers gives for each field of each run. One process loads all, with a transformers of its own."""
    folders = [(str(each), field.name) for each in (run, mean_run) for field in tiny.FIELDS]
    request = tmp_path_factory.mktemp("request") / "request.json"
    request.write_text(json.dumps({"folders": folders, "texts": TEXTS}), encoding="utf-8")
    ended = processes.run(["-c", STOCK, str(request)], again=("electra_ie", "transformers"))
    assert ended.code == 0, ended.messages
    return json.loads(ended.output)


@pytest.mark.parametrize("fixture", ["run", "mean_run"])
def test_fields_load_without_electra_ie_and_give_the_same_logits(request, fixture, stock):
    run = request.getfixturevalue(fixture)
    result = stock[str(run)]
    extractor = Extractor.from_pretrained(run)
    family = {"run": "bert", "mean_run": "roberta"}[fixture]
    for field in tiny.FIELDS:
        assert result[field.name]["class"].startswith(f"transformers.models.{family}")
        assert list(result[field.name]["labels"].values()) == list(field.names)
        logits = torch.tensor(result[field.name]["logits"])
        torch.testing.assert_close(logits, logits_of(extractor)[field.name], atol=1e-5, rtol=0)


def test_pooling_is_what_the_encoder_declares(encoder, tmp_path, capsys):
    for family, able in (("bert", "mean"), ("deberta-v2", "stock")):
        folder = shutil.copytree(encoder(family), tmp_path / family)
        assert choose_pooling(str(folder)) == "stock"
        (folder / "1_Pooling").mkdir()
        for declared, expected in ((True, able), (False, "stock")):
            (folder / "1_Pooling" / "config.json").write_text(
                json.dumps({"pooling_mode_mean_tokens": declared}), "utf-8"
            )
            assert choose_pooling(str(folder)) == expected
    assert "deberta-v2 cannot use the mean of the states" in capsys.readouterr().err
    with pytest.raises(UserError, match=r"deberta-v2.*Set pooling=stock"):
        choose_pooling(str(folder), "mean")


def test_a_field_of_a_run_is_used_as_an_encoder_without_its_averaging_layer(mean_run, tmp_path):
    discriminator = Discriminator.from_encoder(str(mean_run / "topic"), tiny.FIELDS[:1], pooling="stock")
    assert (
        discriminator.encoder.config.num_hidden_layers
        == len(discriminator.encoder.encoder.layer)
        == tiny.SIZES["num_hidden_layers"]
    )
    assert not discriminator.head(tiny.FIELDS[0]).averages
    again = (
        Discriminator.from_encoder(str(mean_run / "topic"), tiny.FIELDS[:1], pooling="mean").head(tiny.FIELDS[0]).model
    )
    saved = load_file(mean_run / "topic" / "model.safetensors")
    assert torch.equal(again.classifier.dense.weight, saved["classifier.dense.weight"]), (
        "the layer that was trained on the mean is reset"
    )
    texts = tmp_path / "texts"
    texts.mkdir()
    (texts / "memo.txt").write_text("Arden paid the invoice.", encoding="utf-8")
    with pytest.raises(UserError, match="whose last layer only averages. Give the encoder"):
        pretrain(texts / "memo.txt", tmp_path / "more", encoder=str(mean_run / "topic"))


@pytest.mark.parametrize("family", ["modernbert", "distilbert"])
def test_an_invalid_entry_about_averaging_removes_no_layer(encoder, tmp_path, family):
    folder = shutil.copytree(encoder(family), tmp_path / family)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    entry = {"electra_ie": ["averages"] if family == "distilbert" else {"averages": True}}
    (folder / "config.json").write_text(json.dumps({**config, **entry}), "utf-8")
    plain, other = (
        Discriminator.from_encoder(str(each), tiny.FIELDS, pooling="stock") for each in (encoder(family), folder)
    )
    assert other.num_parameters() == plain.num_parameters()
