"""Recipes: what is given where, in which order, and what is refused by name."""

from __future__ import annotations

import dataclasses

import pytest
import yaml

from electra_ie.common.errors import UserError
from electra_ie.config.pretrain import PretrainSettings
from electra_ie.config.train import PRESETS, TrainSettings


def refusal(*settings, **given):
    with pytest.raises(UserError) as caught:
        TrainSettings.build(None, settings, **given)
    return str(caught.value)


@pytest.mark.parametrize("setting, name, value", [
    ("max_steps=300", "max_steps", 300), ("learning_rate=1e-4", "learning_rate", 1e-4), ("learning_rate=2", "learning_rate", 2.0), ("learning_rate=null", "learning_rate", None),
    ("max_steps=3e2", "max_steps", 300), ("freeze_embeddings=false", "freeze_embeddings", False),
    ("pooling=mean", "pooling", "mean"),
    ("unlabeled=[a.txt, b]", "unlabeled", ("a.txt", "b")), ("warmup_steps=.2", "warmup_steps", 0.2), (" max_steps =7", "max_steps", 7),
])  # fmt: skip
def test_settings(setting, name, value):
    found = getattr(TrainSettings.build(None, (setting,)), name)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize("settings", [TrainSettings, PretrainSettings])
def test_no_is_a_word_and_not_false(tmp_path, settings):
    file = tmp_path / "mine.yaml"
    file.write_text("precision: no\n", encoding="utf-8")
    assert settings.build(None, ("precision=no",)).precision == settings.build(file).precision == "no"


def test_one_weight_of_a_preset_is_set_and_the_others_stay():
    settings = ("generator.generator_adversarial=0.25", "discriminator.adversarial=3")
    settings = TrainSettings.build(None, settings, preset="latent")
    assert settings.generator == {**PRESETS["latent"]["generator"], "generator_adversarial": 0.25}
    assert settings.discriminator == {**PRESETS["latent"]["discriminator"], "adversarial": 3.0}


@pytest.mark.parametrize("settings, words", [
    (["stepz=3"], ['unknown key "stepz"', 'Did you mean "max_steps"']),
    (["max_steps=many"], ['"max_steps" is', "--set max_steps=many", "int"]),
    (["max_steps=2.5"], ['"max_steps" is 2.5']),
    (["max_steps=true"], ['"max_steps" is True']),
    (["freeze_embeddings=3"], ['"freeze_embeddings" is 3', "bool"]),
    (["max_steps"], ['no "="', "--set key=value"]),
    (["max_steps=[1"], ["not valid YAML"]),
    (["max_steps=0"], ["max_steps is 0", "at least 1"]),
    (["preset=advers"], ['unknown preset "advers"', '"adversarial"']),
    (["generator.generator_adversarial=lots"], ['"generator" is']),
    (["unlabeled=3"], ['"unlabeled" is 3']),
    (["seed=99999999999999"], ["seed is 99999999999999", "at most 4294967295"]),
    (["seed=-1"], ["seed is -1"]),
    (["max_steps=.inf"], ['"max_steps" is inf']),
    (["max_steps=.nan"], ['"max_steps" is nan']),
    (["learning_rate=nan"], ['"learning_rate" is']),
    (["warmup_steps=-1"], ["warmup_steps is -1"]),
    (["pooling=foo"], ['pooling is "foo"', "stock, mean"]),
    (["discriminator.classification=-1"], ["discriminator.classification is -1", "at least 0"]),
])  # fmt: skip
def test_what_cannot_be_is_refused(settings, words):
    message = refusal(*settings)
    assert all(word in message for word in words), message


def test_given_values_are_checked_too():
    assert 'unknown key "colour"' in refusal(colour="red")
    assert '"label_budget" is' in refusal(label_budget="ten")


def test_defaults_then_file_then_given_then_settings(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("seed: 3\nmax_steps: 10\nbatch_size: 2\n", encoding="utf-8")
    settings = TrainSettings.build(file, ("batch_size=7",), max_steps=20, seed=None)
    assert (settings.seed, settings.max_steps, settings.batch_size, settings.context_overlap) == (
        3,
        20,
        7,
        TrainSettings.context_overlap,
    )


@pytest.mark.parametrize("text, words", [
    ("seed: 1\nstep: 3\n", ["mine.yaml:2", 'unknown key "step"', 'Did you mean "max_steps"']),
    ("seed: 1\nmax_steps: x\n", ["mine.yaml:2", '"max_steps" is']),
    ("seed: [1\n", ["not valid YAML", "mine.yaml:2"]),
    ("- 1\n", ["must be a mapping"]),
])  # fmt: skip
def test_a_bad_file_is_named(tmp_path, text, words):
    file = tmp_path / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        TrainSettings.build(file)
    assert all(word in str(caught.value) for word in ["mine.yaml", *words]), caught.value


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match="none.yaml: there is no such file. Check the path."):
        TrainSettings.build(tmp_path / "none.yaml")


def test_another_preset_than_the_files_brings_its_own_terms(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(TrainSettings(preset="adversarial", max_steps=9).as_dict()), encoding="utf-8")
    control = TrainSettings.build(file, preset="supervised")
    assert (control.preset, control.max_steps, control.has_generator) == ("supervised", 9, False)
    assert control.discriminator == PRESETS["supervised"]["discriminator"]
    same = TrainSettings.build(file, preset="adversarial")
    assert same.has_generator and same.discriminator == PRESETS["adversarial"]["discriminator"]
    assert TrainSettings.build(file, ("preset=supervised",)) == control, "--set preset= is --preset"
    own = {"classification": 2.0}
    assert TrainSettings.build(file, preset="supervised", discriminator=own).discriminator == own, (
        "terms given with it stay"
    )


def test_what_is_written_reads_back(tmp_path):
    given = {"task": "t", "unlabeled": ("a", "b"), "learning_rate": 3e-5, "pooling": "mean", "preset": "adversarial"}
    settings = TrainSettings.build(None, ("generator.feature_matching=0.5",), **given)
    settings = settings.with_window(512, True).with_schedule(100, 384)
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(settings.as_dict(), sort_keys=False), encoding="utf-8")
    assert TrainSettings.build(file) == settings
    assert set(yaml.safe_load(file.read_text("utf-8"))) == {each.name for each in dataclasses.fields(TrainSettings)}


def test_what_is_not_given_follows_from_data_and_encoder():
    few, many = (TrainSettings().with_window(512, True).with_schedule(windows, 384) for windows in (100, 5000))
    for settings in (few, many):
        assert None not in (
            settings.window,
            settings.max_steps,
            settings.batch_size,
            settings.unlabeled_batch_size,
            settings.learning_rate,
        )
    assert many.max_steps > few.max_steps
    assert TrainSettings().with_window(64, True).window == 64, "never above the encoder's"
    texts = TrainSettings().with_window(512, True).with_schedule(100, 384, spans=False)
    assert (texts.batch_size, texts.learning_rate, texts.max_steps) == (16, many.learning_rate, 200)
    assert few.max_steps == 400, "half the batch, twice the steps"
    assert TrainSettings(batch_size=20).with_schedule(100, 384).max_steps == 160, "a larger batch, fewer steps"
    assert TrainSettings().with_schedule(4, 384).max_steps == 100
    assert TrainSettings(max_steps=5, batch_size=3, learning_rate=0.5).with_schedule(100, 384).max_steps == 5
    wide, narrow = (TrainSettings().with_schedule(100, width).learning_rate for width in (1024, 128))
    assert wide < narrow
    with pytest.raises(UserError, match="window is 600; the encoder takes 512"):
        TrainSettings(window=600).with_window(512, True)


def test_the_teacher_has_the_seed_and_the_game_another():
    game = TrainSettings.build(preset="adversarial", seed=3, unlabeled=("texts",), mask_ratio=0.3)
    assert game.of_teacher == TrainSettings.build(preset="supervised", seed=3)
    assert (
        game.of_teacher.training_seed
        == TrainSettings.build(preset="latent", seed=3).training_seed
        == 3
        != game.training_seed
    )


def test_a_generation_learns_from_the_one_before_and_draws_otherwise():
    third = TrainSettings.build(preset="adversarial", seed=3, unlabeled=("texts",), self_training_rounds=3)
    second, first = third.of_teacher, third.of_teacher.of_teacher
    assert (
        first == TrainSettings.build(preset="adversarial", seed=3, unlabeled=("texts",))
        and second.self_training_rounds == 2
    )
    assert first.of_teacher == third.supervised == TrainSettings.build(preset="supervised", seed=3)
    assert len({each.training_seed for each in (first, second, third, third.supervised)}) == 4
    with pytest.raises(UserError, match="self_training_rounds is 0"):
        TrainSettings.build(preset="adversarial", self_training_rounds=0)


def test_a_rate_of_nought_is_a_rate():
    assert TrainSettings(learning_rate=0.0).with_schedule(100, 384).learning_rate == 0.0


def test_every_field_has_its_help():
    import ast
    from pathlib import Path

    from electra_ie.config import train as settings

    tree = ast.parse(Path(settings.__file__).read_text("utf-8"))
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef)).body
    for node, behind in zip(body, body[1:], strict=False):
        if isinstance(node, ast.AnnAssign) and "ClassVar" not in ast.unparse(node.annotation):
            assert isinstance(behind, ast.Expr) and isinstance(behind.value, ast.Constant), ast.unparse(node.target)
