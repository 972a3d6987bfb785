"""Settings: defaults, YAML and options, their order, what is refused, what is derived, and the table of all of them."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
import yaml
from pydantic import ValidationError
from typer.testing import CliRunner

from electra_ie.cli.app import app
from electra_ie.cli.settings import settings_markdown, show_settings
from electra_ie.common.errors import UserError
from electra_ie.config.base import LOSS_FIELDS, BaseSettings, differences
from electra_ie.config.pretrain import OBJECTIVES, PretrainSettings
from electra_ie.config.train import PRESETS, TrainSettings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
BOTH = pytest.mark.parametrize("settings_class", [TrainSettings, PretrainSettings])


def refusal(*overrides, **values):
    with pytest.raises(UserError) as caught:
        TrainSettings.build(None, overrides, **values)
    return str(caught.value)


def default(name: str, settings_class: type[BaseSettings] = TrainSettings):
    return settings_class.model_fields[name].default


@pytest.mark.parametrize(("override", "name", "value"), [
    ("max_steps=300", "max_steps", 300), ("learning_rate=1e-4", "learning_rate", 1e-4), ("learning_rate=2", "learning_rate", 2.0),
    ("learning_rate=null", "learning_rate", None), ("max_steps=3e2", "max_steps", 300), ("max_steps=300.0", "max_steps", 300),
    ("max_steps='3e2'", "max_steps", 300), ("freeze_embeddings=false", "freeze_embeddings", False), ("pooling=mean", "pooling", "mean"),
    ("unlabeled=[a.txt, b]", "unlabeled", ("a.txt", "b")), ("warmup_steps=.2", "warmup_steps", 0.2), ("warmup_steps=50", "warmup_steps", 50.0),
    (" max_steps =7", "max_steps", 7), ("encoder=1e4", "encoder", "1e4"),
])  # fmt: skip
def test_an_override_sets_a_value_of_the_right_type(override, name, value):
    result = getattr(TrainSettings.build(None, (override,)), name)
    assert result == value
    assert type(result) is type(value)


def test_yaml_spells_numbers_as_text_and_python_gives_lists(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("learning_rate: 1e-4\nmax_steps: 3e2\ngenerator: {feature_matching: 1e-1}\n", encoding="utf-8")
    settings = TrainSettings.build(file, unlabeled=["a.txt"])
    assert (settings.learning_rate, settings.max_steps, settings.unlabeled) == (1e-4, 300, ("a.txt",))
    assert settings.generator == {"feature_matching": 0.1}


@BOTH
def test_no_is_a_word_and_not_false(tmp_path, settings_class):
    file = tmp_path / "mine.yaml"
    file.write_text("precision: no\n", encoding="utf-8")
    assert settings_class.build(None, ("precision=no",)).precision == settings_class.build(file).precision == "no"


def test_one_weight_of_a_preset_is_set_and_the_others_stay():
    overrides = ("generator.generator_adversarial=0.25", "discriminator.adversarial=3")
    settings = TrainSettings.build(None, overrides, preset="latent")
    assert settings.generator == {**PRESETS["latent"]["generator"], "generator_adversarial": 0.25}
    assert settings.discriminator == {**PRESETS["latent"]["discriminator"], "adversarial": 3.0}


@pytest.mark.parametrize(("overrides", "words"), [
    (["stepz=3"], ['unknown setting "stepz"', 'Did you mean "max_steps"']),
    (["max_steps=many"], ['max_steps is "many"', "--set max_steps=many", "whole number, at least 1"]),
    (["max_steps=2.5"], ["max_steps is 2.5", "whole number"]),
    (["max_steps=true"], ["max_steps is true"]),
    (["learning_rate=true"], ["learning_rate is true", "It must be a number"]),
    (["freeze_embeddings=3"], ["freeze_embeddings is 3", "true or false"]),
    (["freeze_embeddings=1"], ["freeze_embeddings is 1"]),
    (["freeze_embeddings=null"], ["freeze_embeddings is null"]),
    (["max_steps"], ['no "="', "--set key=value"]),
    (["max_steps=[1"], ["not valid YAML"]),
    (["max_steps=0"], ["max_steps is 0", "at least 1"]),
    (["max_steps.x=1"], ["max_steps is {'x': 1}"]),
    (["preset=advers"], ['preset is "advers"', 'Did you mean "adversarial"']),
    (["preset=[adversarial]"], ["preset is", "Valid: supervised"]),
    (["generator.generator_adversarial=lots"], ['generator.generator_adversarial is "lots"', "weights of at least 0"]),
    (["generator.generator_adversarial=true"], ["generator.generator_adversarial is true"]),
    (["generator=3"], ["generator is 3", "loss terms"]),
    (["generator=0"], ["generator is 0"]),
    (["generator=null"], ["generator is null"]),
    (["max_steps=[3]"], ["max_steps is [3]"]),
    ([f"learning_rate=1{'0' * 400}"], ["learning_rate is 1000", "It must be a number"]),
    (["unlabeled=3"], ["unlabeled is 3", "a list of texts"]),
    (["unlabeled=[a, 3]"], ["unlabeled.1 is 3"]),
    (["task=2024"], ["task is 2024", "It must be text"]),
    (["seed=99999999999999"], ["seed is 99999999999999", "at most 4294967295"]),
    (["seed=-1"], ["seed is -1"]),
    (["mask_ratio=0.95"], ["mask_ratio is 0.95", "at most 0.9"]),
    (["max_steps=.inf"], ["max_steps is inf"]),
    (["max_steps=.nan"], ["max_steps is nan"]),
    (["learning_rate=nan"], ["learning_rate is nan"]),
    (["learning_rate=.inf"], ["learning_rate is inf"]),
    (["warmup_steps=-1"], ["warmup_steps is -1"]),
    (["pooling=foo"], ['pooling is "foo"', "stock, mean"]),
    (["discriminator.classification=-1"], ["discriminator.classification is -1", "at least 0"]),
    (["discriminator.classification=.inf"], ["discriminator.classification is inf"]),
])  # fmt: skip
def test_an_invalid_override_is_refused_in_one_line(overrides, words):
    message = refusal(*overrides)
    assert all(word in message for word in words), message
    assert "\n" not in message, message
    assert message.startswith(f"--set {overrides[0]}: ")


def test_values_from_python_are_checked_too():
    assert refusal(color="red").startswith('unknown setting "color"')
    assert refusal(label_budget="ten").startswith('label_budget is "ten"')


def test_defaults_then_file_then_values_then_overrides(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("seed: 3\nmax_steps: 10\nbatch_size: 2\n", encoding="utf-8")
    settings = TrainSettings.build(file, ("batch_size=7",), max_steps=20, seed=None)
    overlap = default("context_overlap")
    assert (settings.seed, settings.max_steps, settings.batch_size, settings.context_overlap) == (3, 20, 7, overlap)


@pytest.mark.parametrize(("text", "words"), [
    ("seed: 1\nstep: 3\n", ["mine.yaml:2", 'unknown setting "step"', 'Did you mean "max_steps"']),
    ("seed: 1\nmax_steps: x\n", ["mine.yaml:2", 'max_steps is "x"']),
    ("generator:\n  mlm: x\n", ["mine.yaml:2", 'generator.mlm is "x"']),
    ("seed: [1\n", ["not valid YAML", "mine.yaml:2"]),
    ("- 1\n", ["must be a mapping"]),
])  # fmt: skip
def test_a_mistake_in_a_file_is_named_with_its_line(tmp_path, text, words):
    file = tmp_path / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        TrainSettings.build(file)
    assert all(word in str(caught.value) for word in ["mine.yaml", *words]), caught.value


def test_a_mistake_is_attributed_to_what_set_the_value_last(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("seed: 1\nmax_steps: 3\n", encoding="utf-8")
    for overrides, values, start in (
        ((), {"max_steps": 0}, "max_steps is 0"),
        (("max_steps=-1",), {}, "--set max_steps=-1: max_steps is -1"),
    ):
        with pytest.raises(UserError) as caught:
            TrainSettings.build(file, overrides, **values)
        assert str(caught.value).startswith(start)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="none.yaml: there is no such file. Check the path."):
        TrainSettings.build(tmp_path / "none.yaml")


def test_another_preset_than_the_files_brings_its_own_terms(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text(TrainSettings(preset="adversarial", max_steps=9).to_yaml(), encoding="utf-8")
    supervised = TrainSettings.build(file, preset="supervised")
    assert (supervised.preset, supervised.max_steps, supervised.trains_generator) == ("supervised", 9, False)
    assert supervised.discriminator == PRESETS["supervised"]["discriminator"]
    same = TrainSettings.build(file, preset="adversarial")
    assert same.trains_generator
    assert same.discriminator == PRESETS["adversarial"]["discriminator"]
    assert TrainSettings.build(file, ("preset=supervised",)) == supervised, "--set preset= is --preset"
    own = {"classification": 2.0}
    settings = TrainSettings.build(file, preset="supervised", discriminator=own)
    assert settings.discriminator == own, "terms given with the preset stay"


# Copies and derived values


def test_settings_are_frozen_and_a_copy_is_validated():
    settings = TrainSettings(preset="latent", max_steps=5)
    with pytest.raises(ValidationError, match="frozen"):
        settings.max_steps = 6
    copy = settings.replace(max_steps=6)
    assert (copy.max_steps, settings.max_steps) == (6, 5)
    assert copy.replace(max_steps=5) == settings
    assert copy.discriminator is not settings.discriminator
    with pytest.raises(UserError, match="^max_steps is 0. It must be a whole number, at least 1"):
        settings.replace(max_steps=0)
    with pytest.raises(UserError, match='^unknown setting "steps"'):
        settings.replace(steps=1)


def test_derived_values_fill_only_what_is_not_set():
    settings = TrainSettings(max_steps=5, learning_rate=None).derive(max_steps=9, learning_rate=0.5)
    assert (settings.max_steps, settings.learning_rate) == (5, 0.5)
    assert "max_steps" in settings.model_fields_set
    assert "learning_rate" not in settings.model_fields_set
    assert "learning_rate" in settings.replace(learning_rate=0.5).model_fields_set


def test_the_written_settings_read_back_equal(tmp_path):
    values = {
        "task": "t",
        "unlabeled": ("a", "b: #"),
        "learning_rate": 3e-5,
        "pooling": "mean",
        "preset": "adversarial",
    }
    settings = TrainSettings.build(None, ("generator.feature_matching=0.5",), **values)
    settings = settings.with_window(512, True).with_schedule(100, 384)
    file = tmp_path / "run.yaml"
    file.write_text(settings.to_yaml(), encoding="utf-8")
    assert TrainSettings.build(file) == settings
    assert yaml.safe_load(file.read_text("utf-8")) == settings.as_dict()
    assert list(settings.as_dict()) == list(TrainSettings.model_fields)
    assert set(settings.as_dict()) - set(yaml.safe_load(settings.to_yaml(exclude=("task",)))) == {"task"}


def test_a_derived_value_is_written_with_its_rule():
    settings = TrainSettings(batch_size=4).with_window(512, False).with_schedule(100, 384)
    lines = settings.to_yaml().splitlines()
    assert "max_steps: 800  # derived: 320 / batch_size * sqrt(labeled windows), at least 100" in lines
    assert "batch_size: 4" in lines
    assert "label_budget: null" in lines
    marked = {line.partition(":")[0] for line in lines if "# derived: " in line}
    assert marked == {"window", "max_steps", "unlabeled_batch_size", "learning_rate"}
    teacher = settings.replace(preset="adversarial").of_teacher.with_schedule(100, 384).to_yaml()
    assert "max_steps: 800  # derived: " in teacher
    assert "unlabeled_batch_size: 4  # derived: " in teacher


def test_pretraining_values_are_derived_from_the_start(tmp_path):
    names = (
        "batch_size",
        "learning_rate",
        "head_learning_rate",
        "generator_learning_rate",
        "embedding_sharing",
        "maskable",
    )
    for values, expected in (
        ({}, (16, 1e-4, 1e-3, 5e-4, "none", "single")),
        ({"objective": "mlm"}, (16, 2e-4, 1e-3, None, "none", "words")),
        ({"from_scratch": "tiny"}, (32, 5e-4, 5e-4, 5e-4, "plain", "tokens")),
        ({"from_scratch": "tiny", "objective": "mlm", "learning_rate": 0.0}, (32, 0.0, 0.0, None, "none", "tokens")),
    ):
        settings = PretrainSettings(**values).with_defaults()
        assert tuple(getattr(settings, name) for name in names) == expected
        assert settings.with_defaults() == settings
        file = tmp_path / "run.yaml"
        file.write_text(settings.to_yaml(), encoding="utf-8")
        assert PretrainSettings.build(file) == settings
    new, continued = PretrainSettings(from_scratch="tiny").with_defaults(), PretrainSettings().with_defaults()
    assert (new.vocab_size, new.lowercase, new.interpolation, new.freeze_embeddings) == (30_522, True, None, False)
    assert (continued.vocab_size, continued.lowercase, continued.interpolation) == (None, None, 0.5)
    assert continued.freeze_embeddings
    assert not PretrainSettings(embedding_sharing="plain").with_defaults().freeze_embeddings


@pytest.mark.parametrize(("values", "steps", "corrected"), [
    ({}, 9_999, True), ({}, 10_000, False), ({"warmup_steps": 5}, 10_000, True), ({"warmup_steps": 1_000}, 10_000, False),
    ({"max_steps": 10_000}, 5, False), ({"bias_correction": True}, 10_000, True),
])  # fmt: skip
def test_a_long_warmup_needs_no_bias_correction(values, steps, corrected):
    settings = PretrainSettings(**values).with_max_steps(steps)
    assert (settings.max_steps, settings.bias_correction) == (values.get("max_steps", steps), corrected)


def test_training_values_are_derived_from_data_and_encoder():
    few, many = (TrainSettings().with_window(512, True).with_schedule(windows, 384) for windows in (100, 5000))
    for settings in (few, many):
        derived = ("window", "max_steps", "batch_size", "unlabeled_batch_size", "learning_rate")
        assert None not in (getattr(settings, name) for name in derived)
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


def test_a_learning_rate_of_zero_is_not_derived():
    assert TrainSettings(learning_rate=0.0).with_schedule(100, 384).learning_rate == 0.0


def test_the_teacher_has_the_seed_and_the_student_another():
    student = TrainSettings.build(preset="adversarial", seed=3, unlabeled=("texts",), mask_ratio=0.3)
    assert student.of_teacher == TrainSettings.build(preset="supervised", seed=3)
    latent = TrainSettings.build(preset="latent", seed=3)
    assert student.of_teacher.training_seed == latent.training_seed == 3 != student.training_seed


def test_each_round_has_the_round_before_as_teacher_and_its_own_seed():
    third = TrainSettings.build(preset="adversarial", seed=3, unlabeled=("texts",), self_training_rounds=3)
    second, first = third.of_teacher, third.of_teacher.of_teacher
    assert first == TrainSettings.build(preset="adversarial", seed=3, unlabeled=("texts",))
    assert second.self_training_rounds == 2
    assert first.of_teacher == third.supervised == TrainSettings.build(preset="supervised", seed=3)
    assert len({settings.training_seed for settings in (first, second, third, third.supervised)}) == 4
    with pytest.raises(UserError, match="self_training_rounds is 0"):
        TrainSettings.build(preset="adversarial", self_training_rounds=0)


# The declarations and the table of settings


@BOTH
def test_every_setting_has_a_help_text_and_every_none_a_rule(settings_class):
    for name, field in settings_class.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name
        is_none = field.get_default(call_default_factory=True) is None
        assert is_none == bool((field.json_schema_extra or {}).get("derived")), name


def test_the_choices_of_a_preset_are_the_rows_of_its_table():
    assert get_args(TrainSettings.model_fields["preset"].annotation) == tuple(PRESETS)
    assert get_args(PretrainSettings.model_fields["objective"].annotation) == tuple(OBJECTIVES)


@BOTH
def test_the_names_of_presets_and_loss_fields_are_settings(settings_class):
    assert {settings_class.preset_field, *settings_class.reset_with_preset, *LOSS_FIELDS} <= set(
        settings_class.model_fields
    )
    assert set(TrainSettings.IGNORED_IF_SUPERVISED) <= set(TrainSettings.model_fields)


def test_a_row_of_the_table_has_default_values_meaning_and_derivation():
    rows = {row.name: row for row in TrainSettings.rows()}
    assert list(rows) == list(TrainSettings.model_fields)
    assert rows["seed"][1:3] == ("0", "a whole number, at least 0, at most 4294967295")
    assert rows["precision"][1:3] == ("auto", "auto, bf16, no")
    assert rows["max_steps"].default == ""
    assert rows["task"].default == '""'
    assert rows["unlabeled"].default == "[]"
    assert rows["max_steps"].meaning == (
        "Number of optimizer steps. If not set: 320 / batch_size * sqrt(labeled windows), at least 100."
    )


def test_the_settings_page_is_up_to_date():
    command = "electra-ie settings --markdown > docs/settings.md"
    assert PAGE.read_text("utf-8") == settings_markdown(), f"run: {command}"
    assert command in settings_markdown()


def test_the_command_lists_settings_and_presets_of_one_or_all_commands(capsys):
    show_settings("pretrain")
    pretrain = capsys.readouterr().out
    assert "block_length" in pretrain
    assert "replaced_token_detection 50" in pretrain
    assert "label_budget" not in pretrain
    show_settings()
    both = capsys.readouterr().out
    for name in (*TrainSettings.model_fields, *PretrainSettings.model_fields, *PRESETS, *OBJECTIVES):
        assert f" {name} " in both, name
    with pytest.raises(UserError, match='"trian" has no settings. Did you mean "train"'):
        show_settings("trian")


def test_the_command_prints_the_page():
    result = CliRunner().invoke(app, ["settings", "--markdown"])
    assert (result.exit_code, result.stdout) == (0, settings_markdown())
    assert "GAN-BERT" in CliRunner().invoke(app, ["settings", "train"]).stdout


def test_a_model_on_the_hub_is_the_same_without_its_commit_only():
    def build(encoder):
        return TrainSettings.build(encoder=encoder)

    commit, other = "a" * 40, "b" * 40
    pinned = build(f"acme/encoder@{commit}")
    for name in ("acme/encoder", "acme/encoder@main", f"acme/encoder@{commit}"):
        assert not differences(pinned, build(name)), name
    for name in (f"acme/encoder@{other}", "acme/other", "acme/other@main"):
        assert differences(pinned, build(name)) == [f"encoder (acme/encoder@{commit}, now {name})"], name
    assert differences(build("acme/encoder@main"), build("acme/encoder@other"))
