"""The examples run as they are: ten steps through each generator in a plain Accelerate loop."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification

from electra_ie import Discriminator, Extractor

EXAMPLES = Path(__file__).parents[1] / "examples"


def load(name):
    """Import an example from its file."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("generator", ["latent", "masking"])
def test_ten_steps_in_a_plain_accelerate_loop(encoder, tmp_path, generator, capsys):
    arguments = ["--generator", generator, "--encoder", encoder("bert"), "--learning-rate", "3e-3"]
    history = load("custom_loop").main([*arguments, "--output", str(tmp_path / "saved")])
    assert len(history) == 10
    assert "step 10: L_D" in capsys.readouterr().out
    classification = [step["flags.classification"] + step["entities.classification"] for step in history]
    assert sum(classification[-3:]) < 0.8 * sum(classification[:3]), "the discriminator does not learn"
    if generator == "latent":
        values = [step["generator"] for step in history]
        assert sum(values[-3:]) < sum(values[:3]), "the generator does not learn"
    loaded = Discriminator.from_pretrained(tmp_path / "saved")
    assert [field.name for field in loaded.fields] == ["flags", "entities"]
    AutoModelForSequenceClassification.from_pretrained(tmp_path / "saved" / "flags")
    AutoModelForTokenClassification.from_pretrained(tmp_path / "saved" / "entities")


@pytest.mark.parametrize("preset", ["supervised", pytest.param("self_training", marks=pytest.mark.slow)])
def test_train_score_and_extract_on_objects_in_memory(encoder, tmp_path, capsys, preset):
    arguments = ["--encoder", encoder("bert"), "--steps", "8", "--output", str(tmp_path / "run"), "--preset", preset]
    result = load("train_and_extract").main(arguments)
    out = capsys.readouterr().out
    assert "test, flags: macro_f1" in out
    assert "test, entities: f1" in out
    assert result.scores["dev"]["entities"].metric == "f1"
    text = "Cash deposit of EUR 9,800 by ACME Ltd."
    extractor = Extractor.from_pretrained(tmp_path / "run-extractor")
    assert extractor(text) == result.extractor()(text)
