"""The adaptation of the encoder to the text of a task: which text, the cache, resuming, and what a run says of it."""

from __future__ import annotations

import json
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from processes import run_two
from safetensors.torch import load_file
from training_facts import check_facts
from transformers import AutoModelForSequenceClassification

from electra_ie import Task, compare, evaluate, train, verify
from electra_ie.cli.app import main
from electra_ie.common.errors import UserError
from electra_ie.comparison import runner
from electra_ie.comparison.statistics import RunKey
from electra_ie.config.train import PRESETS, TrainSettings
from electra_ie.pretraining import adaptation
from electra_ie.pretraining.adaptation import plan_adaptation
from electra_ie.pretraining.trainer import Pretrainer
from electra_ie.runs.layout import CHECKPOINT
from electra_ie.training.callbacks import Callback


@pytest.fixture(autouse=True)
def short(tmp_path, monkeypatch):
    """A cache for each test, and an adaptation of three small steps that little text is enough for."""
    monkeypatch.setenv("ELECTRA_IE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(adaptation, "MIN_TOKENS", 100)
    monkeypatch.setattr(adaptation, "STEPS", 3)
    monkeypatch.setattr(adaptation, "BLOCK_LENGTH", 16)


@pytest.fixture
def task(task):
    """A task of one field: the adaptation reads the texts only."""
    return tiny.without(task, "risks", "names")


def short_run(encoder: Callable[[str], str], preset: str, **more: Any) -> dict[str, Any]:
    """Settings of a run of four steps, since the steps before it are what is tested."""
    return tiny.settings(encoder("bert"), preset, **{"max_steps": 4, "num_evaluations": 1, **more})


def adapting(encoder: Callable[[str], str], **more: Any) -> dict[str, Any]:
    """Settings of the cheapest run that adapts its encoder."""
    return short_run(encoder, "supervised", adapt_encoder=True, **more)


@pytest.fixture
def trained(monkeypatch):
    """The texts of each adaptation that was trained and not taken from the cache."""
    original, texts = Pretrainer.run, []

    def run(self, resume=False):
        texts.append(self.setup.tokenizer.batch_decode(self.setup.blocks.rows(range(len(self.setup.blocks)))))
        original(self, resume)

    monkeypatch.setattr(Pretrainer, "run", run)
    return texts


def scores_of(run: Path) -> dict:
    return json.loads((run / "scores.json").read_text("utf-8"))["training"]


def weights(run: Path) -> dict[str, bytes]:
    return {str(file.relative_to(run)): file.read_bytes() for file in sorted(run.rglob("model.safetensors"))}


def cached(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "cache").glob("*.encoder*"))


def plan(task, encoder, **settings):
    loaded = Task.load(str(task))
    return plan_adaptation(loaded, TrainSettings.build(**{**tiny.settings(encoder, "thorough"), **settings}))


def mark(file: Path, word: str) -> None:
    """Put a word into every text of a file."""
    records = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    tiny.write_records(file, [{**record, "text": f"{record['text']} {word}"} for record in records])


def test_the_preset_has_the_terms_of_adversarial_and_adapts():
    assert PRESETS["thorough"] == PRESETS["self_training"]
    assert [preset for preset in PRESETS if TrainSettings.build(preset=preset).adapts_encoder] == ["thorough"]
    assert not TrainSettings.build(preset="thorough", adapt_encoder=False).adapts_encoder
    assert TrainSettings.build(None, ("adapt_encoder=true",), preset="self_training").adapts_encoder
    assert TrainSettings.build(preset="thorough").supervised.adapts_encoder
    assert not TrainSettings.build(preset="adversarial").supervised.adapts_encoder


def test_another_preset_on_the_settings_of_a_thorough_run_does_not_adapt(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text(TrainSettings(preset="thorough").derive(adapt_encoder=True).to_yaml(), "utf-8")
    assert TrainSettings.build(file).adapts_encoder
    assert not TrainSettings.build(file, preset="adversarial").adapts_encoder


def test_only_text_of_train_and_without_labels_is_read(task, tmp_path, encoder, trained, monkeypatch):
    read = []
    original = adaptation.corpus_of_texts
    monkeypatch.setattr(adaptation, "corpus_of_texts", lambda texts: read.extend(texts) or original(texts))
    (tmp_path / "added.txt").write_text("busy and quiet\n", encoding="utf-8")
    settings = short_run(encoder, "thorough", unlabeled=(str(tmp_path / "added.txt"),), label_budget=10)
    train(str(task), tmp_path / "run", **settings)
    texts = {name: [document.text for document in Task.load(str(task)).read(name)] for name in ("train", "dev", "test")}
    pool = [document.text for document in Task.load(str(task)).read("unlabeled")]
    assert read == [*texts["train"], *pool, "busy and quiet\n"]
    assert not {*texts["dev"], *texts["test"]} & set(read)
    words = " ".join(read).replace(".", " . ").split()
    (blocks,) = trained
    assert abs(sum(block.split().count("invoice") for block in blocks) - words.count("invoice")) <= 1


@pytest.mark.slow
def test_other_seeds_budgets_and_presets_use_the_cached_encoder(task, tmp_path, encoder, trained, capsys):
    settings = short_run(encoder, "thorough")
    first = train(str(task), tmp_path / "first", **settings).path
    shown = capsys.readouterr().err
    assert "adapting bert" in shown
    assert "encoder: bert, adapted to 70 texts" in shown
    assert "from the cache" not in shown
    train(str(task), tmp_path / "seed", **adapting(encoder, seed=1))
    train(str(task), tmp_path / "budget", **adapting(encoder, label_budget=12))
    teacher = train(str(task), tmp_path / "supervised", **adapting(encoder)).path
    assert capsys.readouterr().err.count("from the cache") == 3
    taught = train(str(task), tmp_path / "taught", **settings, teacher=teacher).path
    assert "from the cache" in capsys.readouterr().err
    assert weights(taught) == weights(first)
    assert len(trained) == 1
    assert len(cached(tmp_path)) == 1


@pytest.mark.slow
def test_weights_differ_from_those_on_the_encoder_as_it_is_and_do_not_need_the_cache(task, tmp_path, encoder):
    run = train(str(task), tmp_path / "run", **adapting(encoder)).path
    plain = train(str(task), tmp_path / "plain", **short_run(encoder, "supervised")).path
    assert weights(run) != weights(plain)
    shutil.rmtree(tmp_path / "cache")
    model, missing = AutoModelForSequenceClassification.from_pretrained(run / "topic", output_loading_info=True)
    assert not missing["missing_keys"]
    assert model.config.id2label == dict(enumerate(tiny.TOPIC.labels))
    assert evaluate(run).fields
    assert verify(run).same


@pytest.mark.slow
def test_the_models_start_from_the_adapted_encoder(task, tmp_path, encoder, monkeypatch):
    """The adapted weights are those of `pretrain` on the same texts; the teacher, the student and co-training start from them."""
    from electra_ie.training import trainer as training

    started = []
    original = training.set_up

    def set_up(*arguments, **options):
        setup = original(*arguments, **options)
        states = {name: value.clone() for name, value in setup.discriminator.encoder.state_dict().items()}
        frozen = setup.frozen_encoder.encoder.state_dict() if setup.frozen_encoder else states
        started.append((setup.settings.preset, bool(setup.adaptation and setup.adaptation.folder), states, frozen))
        return setup

    monkeypatch.setattr(training, "set_up", set_up)
    train(str(task), tmp_path / "run", **short_run(encoder, "thorough"))
    (folder,) = (tmp_path / "cache").glob("*.encoder")
    adapted = load_file(folder / "model.safetensors")
    assert [(preset, is_adapted) for preset, is_adapted, _, _ in started] == [
        ("thorough", False), ("thorough", True), ("supervised", True)
    ]  # fmt: skip
    for _, _, states, frozen in started[1:]:
        for name in states:
            if "encoder.layer" in name:
                assert torch.equal(states[name], adapted[f"bert.{name}"])
                assert torch.equal(frozen[name], states[name])


def test_the_hash_depends_on_text_encoder_code_and_precision_only(task, tmp_path, encoder, monkeypatch):
    settings = {"encoder": encoder("bert")}
    before = plan(task, **settings).hash
    assert plan(task, **settings, seed=3, label_budget=10, max_steps=99).hash == before
    mark(task.parent / "dev.jsonl", "quiet")
    mark(task.parent / "test.jsonl", "quiet")
    assert plan(task, **settings).hash == before
    assert plan(task, **settings, precision="bf16").hash != before
    assert plan(task, encoder=encoder("electra")).hash != before
    moved = shutil.copytree(encoder("bert"), tmp_path / "moved")
    assert plan(task, encoder=str(moved)).hash == before
    added = tmp_path / "added.txt"
    added.write_text("one more text\n", encoding="utf-8")
    assert plan(task, **settings, unlabeled=(str(added),)).hash != before
    with monkeypatch.context() as patch:
        patch.setattr(adaptation, "CODE", adaptation.CODE[:-1])
        assert plan(task, **settings).hash != before
    with monkeypatch.context() as patch:
        patch.setattr(adaptation, "STEPS", 4)
        assert plan(task, **settings).hash != before
    mark(task.parent / "pool.jsonl", "quiet")
    assert plan(task, **settings).hash != before


def test_the_code_of_the_hash_exists():
    assert all((adaptation.ROOT / name).exists() for name in adaptation.CODE)


class KilledError(Exception):
    """Raised where a process would be killed."""


def kill_adaptation(monkeypatch, after: int) -> None:
    """Make adaptation fail after a number of steps, each of which is saved."""
    original = Pretrainer.__init__

    class Kill(Callback):
        def on_step(self, state, step):
            if state.step == after:
                raise KilledError

    def init(self, setup, folder, began, callbacks=(), description=None):
        original(self, setup, folder, began, [*callbacks, Kill()], description)

    monkeypatch.setattr(Pretrainer, "__init__", init)


@pytest.mark.slow
@pytest.mark.parametrize("resume", [True, False])
def test_an_interrupted_adaptation_is_resumed(task, tmp_path, encoder, monkeypatch, trained, resume):
    settings, adapt = adapting(encoder), plan(task, encoder("bert"))
    adapted = (Path(adapt.train()) / "model.safetensors").read_bytes()
    shutil.rmtree(tmp_path / "cache")
    monkeypatch.setattr(adaptation, "SAVE_MINUTES", 0.0)
    with monkeypatch.context() as patch:
        kill_adaptation(patch, after=2)
        with pytest.raises(KilledError):
            train(str(task), tmp_path / "run", **settings)
    assert cached(tmp_path)[0].endswith(".encoder.part")
    part = tmp_path / "cache" / cached(tmp_path)[0]
    assert (part / CHECKPOINT / "last.safetensors").is_file()
    # With --resume the run goes on; another run goes on with the same adaptation.
    if resume:
        train(str(task), tmp_path / "run", **settings, resume=True)
    else:
        adapt.train()
    (folder,) = (tmp_path / "cache").glob("*.encoder*")
    assert folder.suffix == ".encoder"
    assert (folder / "model.safetensors").read_bytes() == adapted


def test_an_interrupted_adaptation_that_cannot_be_resumed_is_begun_again(task, tmp_path, encoder, monkeypatch, capsys):
    monkeypatch.setattr(adaptation, "SAVE_MINUTES", 0.0)
    with monkeypatch.context() as patch:
        kill_adaptation(patch, after=2)
        with pytest.raises(KilledError):
            plan(task, encoder("bert")).train()
    (checkpoint,) = (tmp_path / "cache").rglob("last.safetensors")
    checkpoint.write_bytes(checkpoint.read_bytes()[:100])
    folder = Path(plan(task, encoder("bert")).train())
    assert "cannot be resumed" in capsys.readouterr().err
    assert adaptation._is_intact(folder)
    assert not list((tmp_path / "cache").glob("*.part"))


def test_an_adaptation_that_was_trained_but_not_yet_renamed_is_used(task, tmp_path, encoder, monkeypatch, trained):
    settings = adapting(encoder)
    with monkeypatch.context() as patch:
        patch.setattr(adaptation, "_sums", lambda folder: (_ for _ in ()).throw(KilledError))
        with pytest.raises(KilledError):
            train(str(task), tmp_path / "run", **settings)
    train(str(task), tmp_path / "run", **settings, resume=True)
    assert len(trained) == 1


@pytest.mark.slow
def test_a_killed_training_is_resumed_to_the_same_weights(task, tmp_path, encoder, trained):
    class Kill(Callback):
        def on_save(self, state, path):
            if state.step == 2:
                raise KilledError

    settings = adapting(encoder)
    expected = weights(train(str(task), tmp_path / "expected", **settings).path)
    with pytest.raises(KilledError):
        train(str(task), tmp_path / "run", **settings, callbacks=[Kill()])
    shutil.rmtree(tmp_path / "cache")  # it is trained again, to the same weights
    assert weights(train(str(task), tmp_path / "run", resume=True).path) == expected
    assert len(trained) == 2


def test_a_run_is_not_resumed_on_another_adapted_encoder(task, tmp_path, encoder, monkeypatch):
    class Kill(Callback):
        def on_save(self, state, path):
            raise KilledError

    with pytest.raises(KilledError):
        train(str(task), tmp_path / "run", **adapting(encoder), callbacks=[Kill()])
    monkeypatch.setattr(adaptation, "STEPS", 4)
    with pytest.raises(UserError, match="the adapted encoder is not the one that the run began with"):
        train(str(task), tmp_path / "run", resume=True)


@pytest.mark.slow
def test_a_run_on_the_encoder_as_it_is_cannot_be_the_teacher(task, tmp_path, encoder):
    teacher = train(str(task), tmp_path / "plain", **short_run(encoder, "supervised")).path
    with pytest.raises(UserError, match="it differs in adapt_encoder"):
        train(str(task), tmp_path / "run", **short_run(encoder, "thorough"), teacher=teacher)
    teacher = train(str(task), tmp_path / "supervised", **adapting(encoder)).path
    corpus = json.loads((teacher / "corpus.json").read_text("utf-8"))
    (teacher / "corpus.json").write_text(json.dumps({**corpus, "adaptation": "0"}), encoding="utf-8")
    with pytest.raises(UserError, match="the adaptation of its encoder"):
        train(str(task), tmp_path / "run", **short_run(encoder, "thorough"), teacher=teacher)


@pytest.mark.parametrize("damage", ["weights", "sums", "no sums"])
def test_a_damaged_encoder_is_trained_again(task, encoder, trained, capsys, damage):
    folder = Path(plan(task, encoder("bert")).train())
    expected = weights(folder)
    file = folder / (adaptation.SUMS if "sums" in damage else "model.safetensors")
    file.unlink() if damage == "no sums" else file.write_bytes(file.read_bytes()[:-1])
    assert weights(Path(plan(task, encoder("bert")).train())) == expected
    assert "this adapted encoder is damaged; it is trained again." in capsys.readouterr().err
    assert len(trained) == 2


def test_card_audit_and_settings_name_the_encoder_and_its_adaptation_but_no_path(task, tmp_path, encoder):
    run = train(str(task), tmp_path / "run", **short_run(encoder, "thorough")).path
    facts = plan(task, encoder("bert")).summary
    assert facts["documents"] == 70
    assert facts["steps"] == 3
    assert facts["tokens"] > 500
    assert scores_of(run)["adaptation"] == facts
    check_facts(run, "adaptation", "teacher", "co_training")
    assert json.loads((run / "audit.json").read_text("utf-8"))["adaptation"] == facts
    card = (run / "README.md").read_text("utf-8")
    assert "on the encoder `bert`, adapted to the task's text, with" in card
    assert f"modeling to 70 texts of train and without labels ({facts['tokens']:,} tokens) in 3 steps" in card
    assert f"Adaptation `{facts['hash'][:16]}`" in card
    settings = (run / "run.yaml").read_text("utf-8")
    assert "adapt_encoder: true  # derived" in settings
    assert f"encoder: {encoder('bert')}" in settings
    for file in run.rglob("*"):
        assert not file.is_file() or str(tmp_path / "cache").encode() not in file.read_bytes(), file
    assert str(tmp_path) not in card


def test_little_text_leaves_the_encoder_as_it_is(task, tmp_path, encoder, monkeypatch, trained, capsys):
    tokens = plan(task, encoder("bert")).tokens
    monkeypatch.setattr(adaptation, "MIN_TOKENS", tokens + 1)
    run = train(str(task), tmp_path / "run", **adapting(encoder)).path
    plain = train(str(task), tmp_path / "plain", **short_run(encoder, "supervised")).path
    assert not trained
    assert weights(run) == weights(plain)
    message = capsys.readouterr().err
    assert f"encoder: bert is used as it is: the {tokens:,} tokens" in message
    assert f"fewer than the {tokens + 1:,}" in message
    card = (run / "README.md").read_text("utf-8")
    assert "on the encoder `bert` with" in card
    assert "The encoder was not adapted to the task's text" in card
    assert scores_of(run)["adaptation"]["steps"] == 0
    monkeypatch.setattr(adaptation, "MIN_TOKENS", tokens)
    plan(task, encoder("bert")).train()
    assert len(trained) == 1


@pytest.mark.slow
def test_data_in_memory(task, tmp_path, encoder, trained):
    records = {
        name: [json.loads(line) for line in (task.parent / f"{file}.jsonl").read_text("utf-8").splitlines()]
        for name, file in (("train", "train"), ("dev", "dev"), ("unlabeled", "pool"))
    }
    fields = {"topic": {"kind": "classes", "labels": list(tiny.TOPIC.labels)}}
    settings = adapting(encoder)
    run = train(records, tmp_path / "memory", fields=fields, **settings).path
    files = train(str(task), tmp_path / "files", **settings).path
    assert scores_of(run)["adaptation"] == scores_of(files)["adaptation"]
    assert len(trained) == 1


def test_two_trainings_at_once_adapt_once(task, tmp_path, encoder, monkeypatch, trained, capsys):
    """The second waits for the first, and then takes the encoder from the cache."""
    adapt = plan(task, encoder("bert"))
    waiting = threading.Event()
    original = adaptation.notice

    def notice(message):
        if "waiting" in message:
            waiting.set()
        original(message)

    monkeypatch.setattr(adaptation, "notice", notice)
    other = threading.Thread(target=adapt.train)

    class Begin(Callback):
        def on_begin(self, state):
            other.start()
            assert waiting.wait(30)

    init = Pretrainer.__init__
    monkeypatch.setattr(
        Pretrainer,
        "__init__",
        lambda self, *arguments, **options: init(self, *arguments, callbacks=[Begin()], **options),
    )
    folder = adapt.train()
    other.join(60)
    assert not other.is_alive()
    assert len(trained) == 1
    assert Path(folder).is_dir()


def test_the_command_line(task, tmp_path, encoder, trained, monkeypatch, capsys):
    settings = short_run(encoder, "thorough")
    options = [f"--set={name}={json.dumps(value)}" for name, value in settings.items() if name != "preset"]
    output = tmp_path / "run"
    arguments = ["electra-ie", "train", str(task), "--output", str(output), "--preset", "thorough", *options]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert "encoder: bert, adapted to 70 texts" in capsys.readouterr().err
    assert len(trained) == 1
    assert scores_of(output)["adaptation"] == plan(task, encoder("bert")).summary


@pytest.mark.slow
def test_a_comparison_adapts_once(task, tmp_path, encoder, trained):
    settings = short_run(encoder, "thorough", max_steps=2)
    for name in ("preset", "discriminator", "generator"):
        del settings[name]
    presets = ["supervised", "thorough"]
    folder = compare(str(task), tmp_path / "compared", presets=presets, seeds=1, **settings)
    runs = {path.name: scores_of(path) for path in (folder / "runs").iterdir()}
    assert len(runs) == 2
    assert all(("adaptation" in facts) == ("thorough" in name) for name, facts in runs.items())
    both = compare(str(task), tmp_path / "both", presets=["supervised"], seeds=1, adapt_encoder=True, **settings)
    assert all("adaptation" in scores_of(path) for path in (both / "runs").iterdir())
    assert len(trained) == 1


def test_the_processes_of_a_comparison_get_the_setting(task, tmp_path):
    loaded = Task.load(str(task))
    base = TrainSettings.build(task=str(task), adapt_encoder=True)
    (tmp_path / runner.BASE).write_text(base.to_yaml(), "utf-8")
    command = runner._command(RunKey(None, 0, "adversarial"), base, tmp_path, loaded)
    assert "--set=adapt_encoder=true" in command
    assert "--set=adapt_encoder" not in " ".join(
        runner._command(RunKey(None, 0, "thorough"), base.replace(adapt_encoder=None), tmp_path, loaded)
    )


@pytest.mark.slow
def test_two_processes_adapt_one_encoder(task, tmp_path, encoder):
    code = (
        "import json, sys\n"
        "from electra_ie import train\n"
        "from electra_ie.pretraining import adaptation\n"
        "adaptation.MIN_TOKENS, adaptation.STEPS, adaptation.BLOCK_LENGTH = 100, 3, 16\n"
        "train(sys.argv[1], sys.argv[2], **json.loads(sys.argv[3]))\n"
    )
    settings = json.dumps(adapting(encoder))
    run_two(lambda rank: ["-c", code, str(task), str(tmp_path / "run"), settings])
    assert scores_of(tmp_path / "run")["processes"] == 2
    assert scores_of(tmp_path / "run")["adaptation"]["steps"] == 3
    assert [name.endswith(".encoder") for name in cached(tmp_path)] == [True]
