"""Recipes: what is given where, in which order, and what is refused by name."""

from __future__ import annotations

import dataclasses

import pytest
import yaml

from electra_ie.common.errors import UserError
from electra_ie.config.pretrain import PretrainRecipe
from electra_ie.config.train import PRESETS, Recipe


def refusal(*settings, **given):
    with pytest.raises(UserError) as caught:
        Recipe.build(None, settings, **given)
    return str(caught.value)


@pytest.mark.parametrize("setting, name, value", [
    ("steps=300", "steps", 300), ("rate=1e-4", "rate", 1e-4), ("rate=2", "rate", 2.0), ("rate=null", "rate", None),
    ("steps=3e2", "steps", 300), ("freeze_embeddings=false", "freeze_embeddings", False),
    ("pooling=mean", "pooling", "mean"),
    ("unlabeled=[a.txt, b]", "unlabeled", ("a.txt", "b")), ("warmup=.2", "warmup", 0.2), (" steps =7", "steps", 7),
])  # fmt: skip
def test_settings(setting, name, value):
    found = getattr(Recipe.build(None, (setting,)), name)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize("recipe", [Recipe, PretrainRecipe])
def test_no_is_a_word_and_not_false(tmp_path, recipe):
    file = tmp_path / "mine.yaml"
    file.write_text("precision: no\n", encoding="utf-8")
    assert recipe.build(None, ("precision=no",)).precision == recipe.build(file).precision == "no"


def test_one_weight_of_a_preset_is_set_and_the_others_stay():
    settings = ("generator.passes_for_real=0.25", "discriminator.rejects_fakes=3")
    recipe = Recipe.build(None, settings, preset="latent")
    assert recipe.generator == {**PRESETS["latent"]["generator"], "passes_for_real": 0.25}
    assert recipe.discriminator == {**PRESETS["latent"]["discriminator"], "rejects_fakes": 3.0}


@pytest.mark.parametrize("settings, words", [
    (["stepz=3"], ['unknown key "stepz"', 'Did you mean "steps"']),
    (["steps=many"], ['"steps" is', "--set steps=many", "int"]),
    (["steps=2.5"], ['"steps" is 2.5']),
    (["steps=true"], ['"steps" is True']),
    (["freeze_embeddings=3"], ['"freeze_embeddings" is 3', "bool"]),
    (["steps"], ['no "="', "--set key=value"]),
    (["steps=[1"], ["not valid YAML"]),
    (["steps=0"], ["steps is 0", "at least 1"]),
    (["preset=advers"], ['unknown preset "advers"', '"adversarial"']),
    (["generator.passes_for_real=lots"], ['"generator" is']),
    (["unlabeled=3"], ['"unlabeled" is 3']),
    (["seed=99999999999999"], ["seed is 99999999999999", "at most 4294967295"]),
    (["seed=-1"], ["seed is -1"]),
    (["steps=.inf"], ['"steps" is inf']),
    (["steps=.nan"], ['"steps" is nan']),
    (["rate=nan"], ['"rate" is']),
    (["warmup=1.5"], ["warmup is 1.5"]),
    (["pooling=foo"], ['pooling is "foo"', "stock, mean"]),
    (["discriminator.knows_classes=-1"], ["discriminator.knows_classes is -1", "at least 0"]),
])  # fmt: skip
def test_what_cannot_be_is_refused(settings, words):
    message = refusal(*settings)
    assert all(word in message for word in words), message


def test_given_values_are_checked_too():
    assert 'unknown key "colour"' in refusal(colour="red")
    assert '"labels" is' in refusal(labels="ten")


def test_defaults_then_file_then_given_then_settings(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("seed: 3\nsteps: 10\nbatch: 2\n", encoding="utf-8")
    recipe = Recipe.build(file, ("batch=7",), steps=20, seed=None)
    assert (recipe.seed, recipe.steps, recipe.batch, recipe.margin) == (3, 20, 7, Recipe.margin)


@pytest.mark.parametrize("text, words", [
    ("seed: 1\nstep: 3\n", ["mine.yaml:2", 'unknown key "step"', 'Did you mean "steps"']),
    ("seed: 1\nsteps: x\n", ["mine.yaml:2", '"steps" is']),
    ("seed: [1\n", ["not valid YAML", "mine.yaml:2"]),
    ("- 1\n", ["must be a mapping"]),
])  # fmt: skip
def test_a_bad_file_is_named(tmp_path, text, words):
    file = tmp_path / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        Recipe.build(file)
    assert all(word in str(caught.value) for word in ["mine.yaml", *words]), caught.value


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match="none.yaml: there is no such file. Check the path."):
        Recipe.build(tmp_path / "none.yaml")


def test_another_preset_than_the_files_brings_its_own_terms(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(Recipe(preset="adversarial", steps=9).as_dict()), encoding="utf-8")
    control = Recipe.build(file, preset="control")
    assert (control.preset, control.steps, control.has_generator) == ("control", 9, False)
    assert control.discriminator == PRESETS["control"]["discriminator"]
    same = Recipe.build(file, preset="adversarial")
    assert same.has_generator and same.discriminator == PRESETS["adversarial"]["discriminator"]
    assert Recipe.build(file, ("preset=control",)) == control, "--set preset= is --preset"
    own = {"knows_classes": 2.0}
    assert Recipe.build(file, preset="control", discriminator=own).discriminator == own, "terms given with it stay"


def test_what_is_written_reads_back(tmp_path):
    given = {"task": "t", "unlabeled": ("a", "b"), "rate": 3e-5, "pooling": "mean", "preset": "adversarial"}
    recipe = Recipe.build(None, ("generator.matches_features=0.5",), **given)
    recipe = recipe.with_window(512, True).with_schedule(100, 384)
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(recipe.as_dict(), sort_keys=False), encoding="utf-8")
    assert Recipe.build(file) == recipe
    assert set(yaml.safe_load(file.read_text("utf-8"))) == {each.name for each in dataclasses.fields(Recipe)}


def test_what_is_not_given_follows_from_data_and_encoder():
    few, many = (Recipe().with_window(512, True).with_schedule(windows, 384) for windows in (100, 5000))
    for recipe in (few, many):
        assert None not in (recipe.window, recipe.steps, recipe.batch, recipe.unlabeled_batch, recipe.rate)
    assert many.steps > few.steps
    assert Recipe().with_window(64, True).window == 64, "never above the encoder's"
    texts = Recipe().with_window(512, True).with_schedule(100, 384, spans=False)
    assert (texts.batch, texts.rate, texts.steps) == (16, many.rate, 200)
    assert few.steps == 400, "half the batch, twice the steps"
    assert Recipe(batch=20).with_schedule(100, 384).steps == 160, "a larger batch, fewer steps"
    assert Recipe().with_schedule(4, 384).steps == 100
    assert Recipe(steps=5, batch=3, rate=0.5).with_schedule(100, 384).steps == 5
    wide, narrow = (Recipe().with_schedule(100, width).rate for width in (1024, 128))
    assert wide < narrow
    with pytest.raises(UserError, match="window is 600; the encoder takes 512"):
        Recipe(window=600).with_window(512, True)


def test_the_teacher_has_the_seed_and_the_game_another():
    game = Recipe.build(preset="adversarial", seed=3, unlabeled=("texts",), hide=0.3)
    assert game.of_the_teacher == Recipe.build(preset="control", seed=3)
    assert game.of_the_teacher.chance == Recipe.build(preset="latent", seed=3).chance == 3 != game.chance


def test_a_generation_learns_from_the_one_before_and_draws_otherwise():
    third = Recipe.build(preset="adversarial", seed=3, unlabeled=("texts",), generations=3)
    second, first = third.of_the_teacher, third.of_the_teacher.of_the_teacher
    assert first == Recipe.build(preset="adversarial", seed=3, unlabeled=("texts",)) and second.generations == 2
    assert first.of_the_teacher == third.of_control == Recipe.build(preset="control", seed=3)
    assert len({each.chance for each in (first, second, third, third.of_control)}) == 4
    with pytest.raises(UserError, match="generations is 0"):
        Recipe.build(preset="adversarial", generations=0)


def test_a_rate_of_nought_is_a_rate():
    assert Recipe(rate=0.0).with_schedule(100, 384).rate == 0.0


def test_every_field_has_its_help():
    import ast
    from pathlib import Path

    from electra_ie.config import train as recipe

    tree = ast.parse(Path(recipe.__file__).read_text("utf-8"))
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef)).body
    for node, behind in zip(body, body[1:], strict=False):
        if isinstance(node, ast.AnnAssign) and "ClassVar" not in ast.unparse(node.annotation):
            assert isinstance(behind, ast.Expr) and isinstance(behind.value, ast.Constant), ast.unparse(node.target)
