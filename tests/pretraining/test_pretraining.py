"""`pretrain` as a whole on tiny models: saved files, resuming, refused input."""

from __future__ import annotations

import json
import random
import re
import sys
import time
from pathlib import Path

import pytest
import tiny
import torch
import yaml
from hub_server import running
from processes import READ_THE_ENVIRONMENT, run, run_two, start
from safetensors.torch import load_file
from transformers import AutoModel, AutoModelForMaskedLM, AutoTokenizer, ElectraForMaskedLM, ElectraForPreTraining

from electra_ie import UserError, evaluate, pretrain, train
from electra_ie.cli.app import main
from electra_ie.cli.listing import show_pretraining
from electra_ie.common.randomness import MAX_SEED
from electra_ie.models.pooling import choose_pooling
from electra_ie.pretraining import trainer
from electra_ie.pretraining.token_models import MaskedLanguageModel, TokenDiscriminator
from electra_ie.pretraining.trainer import Pretrainer
from electra_ie.training.callbacks import Callback

SETTINGS = {
    "block_length": 16,
    "batch_size": 4,
    "max_steps": 6,
    "num_evaluations": 2,
    "learning_rate": 1e-3,
    "held_out": 0.1,
    "precision": "no",  # on every processor
}
LAST = Path("checkpoint/last.safetensors")


def write_corpus(folder: Path, documents=60, name="corpus.txt") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    texts = [tiny.record(index, random.Random(index))["text"] for index in range(documents)]
    (folder / name).write_text("\n\n".join(texts) + "\n", encoding="utf-8")
    return folder / name


@pytest.fixture
def corpus(tmp_path):
    return write_corpus(tmp_path / "texts")


def test_undefined_precision_and_peak_memory_are_null_and_shown_as_a_dash(
    corpus, tmp_path, encoder, monkeypatch, capsys
):
    """Precision is undefined if no token is predicted as replaced, the peak if the system does not report it."""
    forward = TokenDiscriminator.forward

    def all_original(self, **inputs):
        output = forward(self, **inputs)
        for scores in (output.units["tokens"], output.generated_units["tokens"]):
            scores.realness = scores.realness.abs() + 1
        return output

    monkeypatch.setattr(TokenDiscriminator, "forward", all_original)
    monkeypatch.setattr(trainer, "peak_memory", lambda: None)
    monkeypatch.setattr("electra_ie.pretraining.setup.peak_memory", lambda: None)
    output = pretrain(
        [corpus],
        tmp_path / "output",
        encoder=encoder("electra"),
        block_length=16,
        batch_size=4,
        max_steps=2,
        num_evaluations=1,
        held_out=0.1,
    )
    summary = json.loads((output / "pretraining.json").read_text("utf-8"))
    assert summary["held_out"]["precision"] is None
    assert summary["held_out"]["recall"] == 0.0
    assert summary["peak_memory_mib"] is None
    assert "| precision of replaced tokens | – |" in (output / "README.md").read_text("utf-8")
    assert "peak memory" not in capsys.readouterr().err
    show_pretraining(output)
    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["peak", "memory,", "MiB", "-"] in shown
    assert "precision of replaced tokens, held-out -".split() in shown


def weights(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("model.safetensors"))}


def rows(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.parametrize(("family", "objective", "sharing", "precision"), [
    ("electra", "electra", "plain", "no"),
    pytest.param("bert", "electra", "disentangled", "bf16", marks=pytest.mark.slow),
    pytest.param("roberta", "adversarial", "none", "no", marks=pytest.mark.slow), ("deberta-v2", "mlm", "none", "bf16"),
])  # fmt: skip
def test_pretrained_encoder_has_its_files_and_can_be_trained(
    corpus, task, tmp_path, encoder, family, objective, sharing, precision
):
    settings = {**SETTINGS, "objective": objective, "embedding_sharing": sharing, "precision": precision}
    output = pretrain([corpus], tmp_path / "output", encoder=encoder(family), **settings)
    files = {file.name for file in output.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "run.yaml", "log.jsonl", "curves.png", "README.md",
            "pretraining.json", "corpus.json"} <= files  # fmt: skip
    assert not any(name.startswith(".") for name in files)
    assert "checkpoint" not in files
    assert (output / "generator").exists() == (objective != "mlm")
    before, after = (
        load_file(Path(encoder(family)) / "model.safetensors"),
        AutoModel.from_pretrained(output).state_dict(),
    )
    moved = [name for name, value in before.items() if name in after and not torch.equal(value, after[name])]
    assert len(moved) > 10

    summary = json.loads((output / "pretraining.json").read_text("utf-8"))
    assert (summary["steps"], summary["tokens"]) == (6, 6 * 4 * 16)
    assert summary["tokens_per_second"] > 0
    expected = {"mlm_loss", "mlm_accuracy"}
    expected |= set() if objective == "mlm" else {"replaced_token_detection_loss", "precision", "recall", "replaced"}
    assert set(summary["held_out"]) == expected
    log = rows(output)
    assert [row["step"] for row in log if "held_out" not in row] == [1, 2, 3, 4, 5, 6]
    assert [row["step"] for row in log if "held_out" in row] == [3, 6]
    assert all(row["tokens"] == row["step"] * 64 for row in log)

    tiny.without(task, "risks", "names")
    run = train(str(task), tmp_path / "run", **tiny.settings(str(output), "supervised", max_steps=2)).path
    assert set(evaluate(run).fields) == {"topic"}


def test_new_weights_and_vocabulary_work_for_chinese(tmp_path):
    text = tmp_path / "zh.txt"
    text.write_text("银行支付了货款。\n\n公司向客户付款。\n\nThe bank paid.\n\n" * 30, encoding="utf-8")
    with pytest.raises(UserError, match="supports a vocabulary of"):
        pretrain([text], tmp_path / "output", from_scratch="tiny", **SETTINGS)
    assert not (tmp_path / "output").exists(), "something was written before the input was checked"
    with pytest.raises(UserError) as caught:
        pretrain([text], tmp_path / "output", from_scratch="tiny", vocab_size=5000, **SETTINGS)
    size = int(re.search(r"--vocab-size (\d+)", str(caught.value))[1])
    output = pretrain([text], tmp_path / "output", from_scratch="tiny", vocab_size=size, **SETTINGS)
    tokenizer = AutoTokenizer.from_pretrained(output)
    assert tokenizer.tokenize("银行") == ["银", "行"]
    assert len(tokenizer) == size
    discriminator = ElectraForPreTraining.from_pretrained(output)
    generator = ElectraForMaskedLM.from_pretrained(output / "generator")
    assert discriminator.config.hidden_size == 4 * generator.config.hidden_size
    assert discriminator.config.vocab_size == size


def test_stock_classes_give_the_trained_logits_and_positive_means_replaced(corpus, tmp_path, encoder, monkeypatch):
    kept = {}
    finish = Pretrainer._finish
    monkeypatch.setattr(
        Pretrainer,
        "_finish",
        lambda self: (finish(self), kept.update(pair=self.setup.pair, batch=self.setup.held_out[0])),
    )
    output = pretrain(
        [corpus], tmp_path / "output", encoder=encoder("electra"), embedding_sharing="disentangled", **SETTINGS
    )
    discriminator, generator = kept["pair"].unwrapped_discriminator.eval(), kept["pair"].unwrapped_generator.eval()
    batch = kept["batch"]
    generated = generator(**batch)
    ids, mask = generated.input_ids, batch.mask
    stock = ElectraForPreTraining.from_pretrained(output).eval()
    with torch.no_grad():
        logits = stock(input_ids=ids, attention_mask=mask).logits
        filled = (
            AutoModelForMaskedLM.from_pretrained(output / "generator")
            .eval()(input_ids=batch.masked_ids, attention_mask=mask)
            .logits
        )
        realness = discriminator(**batch, generated=generated).units["tokens"].realness.view_as(logits)
    torch.testing.assert_close(logits, -realness, atol=1e-4, rtol=1e-4)
    masked = filled.gather(1, batch.positions[..., None].expand(-1, -1, filled.shape[-1])).flatten(0, 1)
    torch.testing.assert_close(masked, generated.predictions.logits.detach(), atol=1e-4, rtol=1e-4)


def test_saved_model_with_other_logits_is_an_error(corpus, tmp_path, encoder, monkeypatch):
    save = trainer.save_encoder

    def spoil(module, folder, tokenizer):
        save(module, folder, tokenizer)
        with torch.no_grad():
            next(module.encoder.parameters()).add_(1.0)

    monkeypatch.setattr(trainer, "save_encoder", spoil)
    with pytest.raises(RuntimeError, match="gives other logits than the trained one"):
        pretrain([corpus], tmp_path / "output", encoder=encoder("electra"), embedding_sharing="none", **SETTINGS)


@pytest.mark.slow
def test_discriminator_learns_to_detect_replaced_tokens(tmp_path, encoder):
    """The corpus is one sentence, and the untrained generator replaces its words by any others: easy to detect."""
    text = tmp_path / "same.txt"
    text.write_text("the bank paid the invoice and the goods were sent to the city\n" * 200, encoding="utf-8")
    settings = {
        **SETTINGS,
        "max_steps": 60,
        "batch_size": 8,
        "learning_rate": 3e-3,
        "head_learning_rate": 3e-3,
        "freeze_embeddings": False,
    }
    settings["generator"] = {"mlm": 0.0}
    output = pretrain([text], tmp_path / "output", encoder=encoder("electra"), **settings)
    held_out = [row["held_out"] for row in rows(output) if "held_out" in row][-1]
    assert held_out["recall"] > 0.8
    assert held_out["precision"] > 0.8
    assert held_out["replaced"] > 0.1


@pytest.mark.parametrize(("objective", "scores"), [("mlm", ["mlm_accuracy"]), ("adversarial", ["precision", "recall"])])
def test_objective_learns_its_task(tmp_path, encoder, objective, scores):
    """A document repeats one word, so the rest of a block shows what is masked and what was replaced."""
    text = tmp_path / "same.txt"
    words = ["bank", "river", "goods", "house", "city"] * 8
    text.write_text("\n\n".join(" ".join([word] * 90) for word in words), encoding="utf-8")
    settings = {
        **SETTINGS,
        "max_steps": 60,
        "batch_size": 8,
        "learning_rate": 1e-2,
        "head_learning_rate": 1e-2,
        "freeze_embeddings": False,
        "interpolation": 1.0,
    }
    output = pretrain([text], tmp_path / "output", encoder=encoder("bert"), objective=objective, **settings)
    held_out = [row["held_out"] for row in rows(output) if "held_out" in row][-1]
    assert {name: held_out[name] > 0.8 for name in scores} == dict.fromkeys(scores, True), held_out


# Determinism and resuming


@pytest.mark.slow
def test_same_seed_gives_the_same_bytes(corpus, tmp_path, encoder):
    rough = tiny.build("bert", tmp_path / "rough", dropout=0.2)
    one = pretrain([corpus], tmp_path / "one", encoder=rough, dropout=True, **SETTINGS)
    two = pretrain([], tmp_path / "two", settings=one / "run.yaml")
    assert weights(one) == weights(two)
    assert len(weights(one)) == 2
    other = pretrain([corpus], tmp_path / "other", encoder=rough, dropout=True, seed=MAX_SEED, **SETTINGS)
    assert weights(other) != weights(one)


@pytest.mark.slow
def test_dropout_is_off_unless_set(corpus, tmp_path):
    """By default the dropout of an encoder's config is ignored in training, and saved unchanged."""
    smooth, rough = tiny.build("bert", tmp_path / "smooth"), tiny.build("bert", tmp_path / "rough", dropout=0.5)
    one = pretrain([corpus], tmp_path / "one", encoder=smooth, **SETTINGS)
    two = pretrain([corpus], tmp_path / "two", encoder=rough, **SETTINGS)
    assert weights(one) == weights(two)
    assert json.loads((two / "config.json").read_text("utf-8"))["hidden_dropout_prob"] == 0.5
    three = pretrain([corpus], tmp_path / "three", encoder=rough, dropout=True, **SETTINGS)
    assert weights(three) != weights(two)


def kill_after(folder: Path, command: list[str], checkpoints: int) -> None:
    """Run a command and kill it once it has written `checkpoints` checkpoints."""
    process = start(command, folder.with_name("messages"))
    seen: set[int] = set()
    while len(seen) < checkpoints:
        assert process.is_alive(), "the process ended before it was killed"
        if (folder / LAST).exists():
            seen.add((folder / LAST).stat().st_mtime_ns)  # not its inode, which the system reuses
        time.sleep(0.01)
    process.kill()
    process.join()


@pytest.mark.parametrize("sharing", ["plain", pytest.param("disentangled", marks=pytest.mark.slow)])
def test_killed_run_resumes_to_the_same_weights(corpus, tmp_path, sharing):
    rough = tiny.build("electra", tmp_path / "rough", dropout=0.2)
    settings = {**SETTINGS, "max_steps": 24, "save_minutes": 0.0, "embedding_sharing": sharing, "dropout": True}
    whole = pretrain([corpus], tmp_path / "whole", encoder=rough, **settings)
    command = [
        "-m",
        "electra_ie",
        "pretrain",
        str(corpus),
        "--output",
        str(tmp_path / "cut"),
        "--encoder",
        rough,
    ]
    kill_after(
        tmp_path / "cut",
        [*command, *(part for name, value in settings.items() for part in ("--set", f"{name}={value}"))],
        3,
    )
    assert (tmp_path / "cut" / LAST).is_file()
    assert not (tmp_path / "cut" / "README.md").exists()
    cut = pretrain([], tmp_path / "cut", resume=True)
    assert weights(cut) == weights(whole)

    def log(folder):
        return [{name: value for name, value in row.items() if name != "seconds"} for row in rows(folder)]

    assert log(cut) == log(whole)


@pytest.mark.slow
def test_resumed_run_keeps_its_new_vocabulary(corpus, tmp_path):
    settings = {**SETTINGS, "max_steps": 40, "save_minutes": 0.0, "from_scratch": "tiny", "vocab_size": 150}
    whole = pretrain([corpus], tmp_path / "whole", **settings)
    command = ["-m", "electra_ie", "pretrain", str(corpus), "--output", str(tmp_path / "cut")]
    kill_after(
        tmp_path / "cut",
        [*command, *(part for name, value in settings.items() for part in ("--set", f"{name}={value}"))],
        2,
    )
    assert weights(pretrain([], tmp_path / "cut", resume=True)) == weights(whole)


def test_run_resumes_only_with_the_same_settings_and_texts(corpus, tmp_path, encoder, monkeypatch, capsys):
    class Stopped(Exception):
        pass

    class StopAfterCheckpoint(Callback):
        def on_save(self, state, path):
            raise Stopped

    settings = {"encoder": encoder("bert"), **SETTINGS, "save_minutes": 0.0}
    with pytest.raises(Stopped):
        pretrain([corpus], tmp_path / "output", callbacks=[StopAfterCheckpoint()], **settings)
    with pytest.raises(UserError, match="output folder is not empty"):
        pretrain([corpus], tmp_path / "output", **settings)
    with pytest.raises(UserError, match=r"started with other settings: batch_size \(4, now 5\)"):
        pretrain([corpus], tmp_path / "output", resume=True, batch_size=5)
    with pytest.raises(UserError, match="there is no run to resume"):
        pretrain([corpus], tmp_path / "none", resume=True)
    text = corpus.read_text("utf-8")
    corpus.write_text(text.replace("paid", "sent"), encoding="utf-8")
    with pytest.raises(UserError, match="texts are not those that the run began with"):
        pretrain([], tmp_path / "output", resume=True)
    corpus.write_text(text, encoding="utf-8")
    output = pretrain([], tmp_path / "output", resume=True)
    before = {file: file.stat().st_mtime_ns for file in output.rglob("*")}
    pretrain([], output, resume=True)
    assert {file: file.stat().st_mtime_ns for file in output.rglob("*")} == before
    assert "this encoder is finished" in capsys.readouterr().err
    with pytest.raises(UserError, match=r"started with other settings: seed \(0, now 3\)"):
        pretrain([], output, resume=True, seed=3)


def test_gradient_accumulation_reads_as_many_tokens(corpus, tmp_path, encoder):
    """The gradient is tested in `test_token_models.py`."""
    one = pretrain([corpus], tmp_path / "one", encoder=encoder("bert"), objective="mlm", **{**SETTINGS, "max_steps": 2})
    settings = yaml.safe_load((one / "run.yaml").read_text("utf-8"))
    assert settings["gradient_accumulation_steps"] == 1
    two = pretrain(
        [corpus],
        tmp_path / "two",
        encoder=encoder("bert"),
        objective="mlm",
        gradient_accumulation_steps=2,
        **{**SETTINGS, "max_steps": 2},
    )
    assert [row["tokens"] for row in rows(one)] == [row["tokens"] for row in rows(two)]
    assert rows(one)[0]["discriminator"] != rows(two)[0]["discriminator"], (
        "the parts of a batch have the masks of the whole batch"
    )


@pytest.mark.slow
def test_compiled_run_has_the_same_losses(corpus, tmp_path, encoder, monkeypatch):
    """torch.compile traces both models; code generation, its slow part, belongs to torch and is skipped here."""
    compiled = torch.nn.Module.compile
    monkeypatch.setenv("CXX", sys.executable)  # any program, so that the test needs no compiler
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self: compiled(self, backend="eager"))
    settings = {**SETTINGS, "encoder": encoder("electra"), "max_steps": 2, "num_evaluations": 1}
    one, two = (pretrain([corpus], tmp_path / str(flag), torch_compile=flag, **settings) for flag in (False, True))
    assert load_file(one / "model.safetensors").keys() == load_file(two / "model.safetensors").keys()
    for row, compiled_row in zip(rows(one), rows(two), strict=True):
        assert row["discriminator"] == pytest.approx(compiled_row["discriminator"], rel=1e-4)
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(UserError, match="needs the C[+][+] compiler no-such-compiler"):
        pretrain([corpus], tmp_path / "none", torch_compile=True, **settings)
    assert not (tmp_path / "none").exists()


def test_max_hours_sets_the_steps_and_gives_a_complete_encoder(corpus, tmp_path, encoder, capsys):
    settings = {name: value for name, value in SETTINGS.items() if name != "max_steps"}
    output = pretrain([corpus], tmp_path / "output", encoder=encoder("bert"), max_hours=0.0005, **settings)
    saved = yaml.safe_load((output / "run.yaml").read_text("utf-8"))
    summary = json.loads((output / "pretraining.json").read_text("utf-8"))
    assert saved["max_steps"] >= 1
    assert 1 <= summary["steps"] <= summary["steps_planned"] == saved["max_steps"]
    assert "steps in 0.0005 hours" in capsys.readouterr().err
    assert (output / "README.md").is_file()
    # The trial steps have no effect: a run with the same number of steps has the same first losses.
    again = pretrain([corpus], tmp_path / "again", encoder=encoder("bert"), max_steps=saved["max_steps"], **settings)
    assert rows(again)[0]["discriminator"] == pytest.approx(rows(output)[0]["discriminator"], rel=1e-6)


def test_a_resumed_run_keeps_the_steps_that_fit_into_its_hours(corpus, tmp_path, encoder, capsys):
    class Stopped(Exception):
        pass

    class StopAfterCheckpoint(Callback):
        def on_save(self, state, path):
            raise Stopped

    values = {name: value for name, value in SETTINGS.items() if name != "max_steps"}
    settings = tmp_path / "mine.yaml"
    settings.write_text(yaml.safe_dump({**values, "max_hours": 0.0005, "save_minutes": 0.0}), "utf-8")
    given = {"settings": settings, "encoder": encoder("bert")}
    with pytest.raises(Stopped):
        pretrain([corpus], tmp_path / "output", callbacks=[StopAfterCheckpoint()], **given)
    assert "steps in 0.0005 hours" in capsys.readouterr().err
    steps = yaml.safe_load((tmp_path / "output" / "run.yaml").read_text("utf-8"))["max_steps"]
    output = pretrain([corpus], tmp_path / "output", resume=True, **given)
    assert "steps in 0.0005 hours" not in capsys.readouterr().err, "no trial, which resets the optimizer"
    assert json.loads((output / "pretraining.json").read_text("utf-8"))["steps_planned"] == steps


def test_a_folder_with_the_lock_of_a_killed_process_alone_is_empty(corpus, tmp_path, encoder):
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / ".lock").touch()
    assert (pretrain([corpus], tmp_path / "output", encoder=encoder("bert"), **SETTINGS) / "README.md").is_file()


def test_run_resumed_after_its_hours_trains_no_further(corpus, tmp_path, encoder, monkeypatch):
    class Stopped(Exception):
        pass

    def stop(self):
        raise Stopped

    monkeypatch.setattr(Pretrainer, "_finish", stop)
    settings = {name: value for name, value in SETTINGS.items() if name != "max_steps"}
    with pytest.raises(Stopped):  # as if killed after the last checkpoint
        pretrain(
            [corpus],
            tmp_path / "output",
            encoder=encoder("bert"),
            max_hours=1e-6,
            max_steps=10_000,
            interpolation=1.0,
            **settings,
        )
    before = load_file(tmp_path / "output" / LAST)
    monkeypatch.undo()
    output = pretrain([], tmp_path / "output", resume=True)
    after = load_file(output / "model.safetensors")
    assert all(torch.equal(value, after[name.removeprefix("discriminator.encoder.")])
               for name, value in before.items() if name.startswith("discriminator.encoder."))  # fmt: skip


def test_encoder_keeps_its_pooler_and_pooling(corpus, tmp_path, encoder):
    """Masked language models have no pooler: the one of the initial encoder is saved with the trained encoder."""
    start = Path(tiny.build("bert", tmp_path / "start"))
    (start / "1_Pooling").mkdir()
    (start / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}', encoding="utf-8")
    pooler = {name: value for name, value in load_file(start / "model.safetensors").items() if "pooler" in name}
    assert pooler
    for objective in ("mlm", "electra"):
        output = pretrain([corpus], tmp_path / objective, encoder=str(start), objective=objective, **SETTINGS)
        state = AutoModel.from_pretrained(output).state_dict()
        assert all(torch.equal(value, state[name]) for name, value in pooler.items()), objective
        assert choose_pooling(str(output)) == "mean"


@pytest.mark.parametrize(("family", "objective", "sharing"), [
    ("bert", "electra", "disentangled"),
    pytest.param("electra", "electra", "plain", marks=pytest.mark.slow), pytest.param("bert", "mlm", "none", marks=pytest.mark.slow),
    pytest.param("electra", "electra", "none", marks=pytest.mark.slow), pytest.param("roberta", "electra", "none", marks=pytest.mark.slow),
    pytest.param("deberta-v2", "mlm", "none", marks=pytest.mark.slow),
])  # fmt: skip
def test_saved_encoder_is_interpolated_between_initial_and_trained(
    corpus, tmp_path, encoder, family, objective, sharing
):
    settings = {
        **SETTINGS,
        "encoder": encoder(family),
        "objective": objective,
        "embedding_sharing": sharing,
        "freeze_embeddings": False,
    }
    start, trained = (
        pretrain([corpus], tmp_path / str(share), interpolation=share, **settings) for share in (0.0, 1.0)
    )
    middle = pretrain([corpus], tmp_path / "middle", **settings)
    states = [AutoModel.from_pretrained(path).state_dict() for path in (encoder(family), start, trained, middle)]
    moved = 0
    for name, value in states[0].items():
        if "pooler" not in name and value.is_floating_point():
            torch.testing.assert_close(states[1][name], value)
            torch.testing.assert_close(states[3][name], (states[1][name] + states[2][name]) / 2)
            moved += not torch.equal(states[2][name], value)
    assert moved > 10
    assert any("word_embeddings" in name and not torch.equal(states[2][name], states[0][name]) for name in states[0])
    if sharing == "plain":
        shared = AutoModel.from_pretrained(middle / "generator").state_dict()
        assert torch.equal(shared["embeddings.word_embeddings.weight"], states[3]["embeddings.word_embeddings.weight"])
    assert "Wortsman" in (middle / "README.md").read_text("utf-8")


def test_objective_given_with_settings_resets_what_depends_on_it(corpus, tmp_path, encoder):
    one = pretrain([corpus], tmp_path / "one", encoder=encoder("electra"), embedding_sharing="plain", **SETTINGS)
    two = pretrain([], tmp_path / "two", settings=one / "run.yaml", objective="mlm")
    settings = yaml.safe_load((two / "run.yaml").read_text("utf-8"))
    assert (settings["maskable"], settings["embedding_sharing"], settings["generator_learning_rate"]) == (
        "words",
        "none",
        None,
    )


def test_pooler_moves_to_the_device_of_its_encoder(encoder):
    """The pooler is not registered, so Accelerate does not move it with the encoder."""
    discriminator = TokenDiscriminator(AutoModel.from_pretrained(encoder("bert")))
    filler = MaskedLanguageModel(
        AutoModelForMaskedLM.from_pretrained(encoder("bert")), AutoModel.from_pretrained(encoder("bert")).pooler
    )
    for model in (discriminator, filler):
        model.to("meta")
        with model.stock_model():
            assert {weight.device.type for weight in model.encoder.pooler.parameters()} == {"meta"}
        assert model.encoder.pooler is None


# Refused input


@pytest.mark.parametrize(("settings", "words"), [
    ({"objective": "elektra"}, ['objective is "elektra"', '"electra"']),
    ({"block_length": 400}, ["block_length is 400; the encoder takes 160 tokens"]),
    ({"embedding_sharing": "all"}, ['sharing is "all"', "plain, disentangled, none"]),
    ({"mask_ratio": 1.0}, ["mask_ratio is 1.0", "below 1"]),
    ({"batch_size": 4, "gradient_accumulation_steps": 3}, ["batch_size 4 is not divisible by gradient_accumulation_steps 3"]),
    ({"encoder": None, "from_scratch": "tiny", "interpolation": 0.5}, ["interpolation has no effect without an encoder to continue from"]),
    ({"from_scratch": "tiny"}, ["encoder and from_scratch are both set"]),
    ({"generator": {"mlmm": 1.0}}, ['unknown term "mlmm"', '"mlm"']),
    ({"max_steps": 0}, ["max_steps is 0"]),
    ({"max_hours": 0.0}, ["max_hours is 0.0"]),
    ({"generator": {"generator_adversarial": 1.0}}, ['unknown term "generator_adversarial"']),
    ({"objective": "mlm", "discriminator": {"replaced_token_detection": 1.0}}, ["replaced_token_detection needs a generator"]),
    ({"discriminator": {"mlm": 1.0}}, ["only without a generator"]),
    ({"generator_encoder": "x", "generator_layers": 1}, ["generator_layers has no effect with a generator_encoder"]),
    ({"vocab_size": 100}, ["vocab_size has no effect without from_scratch"]),
    ({"objective": "mlm", "generator_layers": 1}, ["generator_layers has no effect without a generator"]),
    ({"objective": "mlm", "embedding_sharing": "plain"}, ["embedding_sharing=plain has no effect without a generator"]),
])  # fmt: skip
def test_impossible_settings_are_refused_before_anything_is_written(corpus, tmp_path, encoder, settings, words):
    with pytest.raises(UserError) as caught:
        pretrain([corpus], tmp_path / "output", **{"encoder": encoder("bert"), **SETTINGS, **settings})
    assert all(word in str(caught.value) for word in words), caught.value
    assert not (tmp_path / "output").exists()


def test_output_folder_inside_the_texts_is_refused(corpus, encoder):
    with pytest.raises(UserError, match="output folder is inside a folder of input texts"):
        pretrain(corpus.parent, corpus.parent / "output", encoder=encoder("bert"), **SETTINGS)


def test_holding_out_leaves_at_least_one_block_to_train_on(tmp_path, encoder):
    text = tmp_path / "short.txt"
    text.write_text("the bank paid the invoice " * 8, encoding="utf-8")
    output = pretrain(text, tmp_path / "output", encoder=encoder("bert"), **{**SETTINGS, "held_out": 0.9})
    assert json.loads((output / "pretraining.json").read_text("utf-8"))["passes"] > 1


def test_command_line_pretrains_and_reports_errors(corpus, tmp_path, encoder, monkeypatch, capsys):
    def call(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["electra-ie", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    shared = [str(corpus.parent), "--encoder", encoder("electra"), "--set", "block_length=16", "--set", "batch_size=4"]
    assert call("pretrain", *shared, "--output", str(tmp_path / "output"), "--max-steps", "3") == 0
    captured = capsys.readouterr()
    assert "tokens per second" in captured.out
    assert "encoder saved in" in captured.err
    assert "60 documents" in captured.err
    assert call("pretrain", "--output", str(tmp_path / "none")) == 2
    assert "error: no text is given" in capsys.readouterr().err
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe")
    assert call("pretrain", str(tmp_path / "bad.txt"), "--output", str(tmp_path / "none")) == 2
    assert "bad.txt:1: this is UTF-16 text" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


COMMANDS = """
import os, sys, urllib.request
from electra_ie.cli.app import main
for line in sys.argv[1].splitlines():
    sys.argv, code = ["electra-ie", *line.split("|")], 0
    try:
        main()
    except SystemExit as end:
        code = end.code or 0
    sys.stderr.write(f"\\nended with {code}\\n")
    try:
        urllib.request.urlopen(os.environ["HF_ENDPOINT"] + "/ended")
    except OSError:
        pass  # the hub has no such page, and has recorded the request
"""


@pytest.mark.slow
def test_hub_data_set_is_a_corpus(tmp_path, encoder):
    """The real client reads from a local server, and the second run of a revision uses the cache of tokens.

    The client runs in another process, since it takes address and offline mode from the environment when imported.
    """
    lines = b"".join(json.dumps({"body": f"the bank paid the invoice {index}"}).encode() + b"\n" for index in range(60))
    with running({"datasets/acme/notes": {"train.jsonl": lines, "README.md": b"---\nlicense: mit\n---\n"}}) as hub:
        corpora = {"output": "hub:acme/notes?column=body", "again": "hub:acme/notes?column=body",
                   "all_columns": "hub:acme/notes", "unknown": "hub:acme/none"}  # fmt: skip
        more = f"--encoder|{encoder('bert')}|--max-steps|2|--set|block_length=16|--set|batch_size=4"
        lines = [f"pretrain|{corpus}|--output|{tmp_path / output}|{more}" for output, corpus in corpora.items()]
        environment = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0"}
        ended = run(["-c", COMMANDS, "\n".join(lines)], environment, READ_THE_ENVIRONMENT)
    first, again, *refused, rest = re.split("\nended with ", ended.messages)
    assert "60 documents, 60 lines" in first
    assert [said.split()[0] for said in (again, *refused, rest)] == ["0", "0", "2", "2"], ended.messages
    assert "column= one of: body" in refused[0] and "cannot be found" in refused[1]
    assert (tmp_path / "output" / "README.md").is_file()
    reads = [path for path in hub.requests if "train.jsonl" in path or path == "GET /ended"]
    first_end = reads.index("GET /ended")
    assert first_end > 0 and reads[first_end + 1] == "GET /ended", "tokenized twice"
    assert "Traceback" not in ended.messages
    assert not (tmp_path / "all_columns").exists() and not (tmp_path / "unknown").exists()


def test_saved_files_contain_no_text_of_the_corpus(tmp_path, encoder):
    text = tmp_path / "canary.txt"
    canary = "Zebulon Quixworth paid 77.123,45 to the secret house of Vexley under oath today"
    text.write_text((canary + "\n") * 30, encoding="utf-8")
    output = pretrain([text], tmp_path / "output", encoder=encoder("bert"), **SETTINGS)
    for file in output.rglob("*"):
        if file.is_file() and file.suffix != ".safetensors":
            content = file.read_bytes()
            assert b"Quixworth" not in content and b"quixworth" not in content, file
    card = (output / "README.md").read_text("utf-8")
    assert "Clark et al., ICLR 2020" in card
    assert "electra-ie train TASK --encoder" in card


def test_loss_that_is_not_finite_ends_the_run_and_keeps_good_weights(corpus, tmp_path, encoder):
    """The learning rate grows over the warm-up, so that only a later step diverges."""
    settings = {**SETTINGS, "learning_rate": 1e30, "save_minutes": 0.0}
    with pytest.raises(
        UserError, match="not a finite number at step .*Lower the learning rate: --set learning_rate=0.0001"
    ):
        pretrain([corpus], tmp_path / "output", encoder=encoder("bert"), **settings)
    assert all(bool(value.isfinite().all()) for value in load_file(tmp_path / "output" / LAST).values())


# Several processes


@pytest.mark.parametrize("sharing", ["plain", pytest.param("disentangled", marks=pytest.mark.slow)])
def test_two_processes_have_the_losses_of_one_process(corpus, tmp_path, encoder, sharing):
    settings = {
        **SETTINGS,
        "batch_size": 5,
        "embedding_sharing": sharing,
    }  # odd: the processes get different numbers of blocks
    overrides = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    shared = ["-m", "electra_ie", "pretrain", str(corpus), "--encoder", encoder("electra"), *overrides]
    run_two(lambda rank: [*shared, "--output", str(tmp_path / "two")])
    one = pretrain([corpus], tmp_path / "one", encoder=encoder("electra"), **settings)
    for row, other in zip(rows(one), rows(tmp_path / "two"), strict=True):
        for name in ("discriminator", "generator", "realness_real", "realness_fake"):
            assert row[name] == pytest.approx(other[name], rel=1e-3), (row["step"], name)
    assert json.loads((tmp_path / "two" / "pretraining.json").read_text("utf-8"))["processes"] == 2


@pytest.mark.slow
def test_two_processes_both_end_if_weights_are_not_finite(corpus, tmp_path, encoder):
    command = [
        "-m",
        "electra_ie",
        "pretrain",
        str(corpus),
        "--encoder",
        encoder("bert"),
        "--output",
        str(tmp_path / "two"),
    ]
    settings = {
        **SETTINGS,
        "learning_rate": 1e39,
        "warmup_steps": 0.0,
    }  # beyond float32: the first step makes the weights infinite
    overrides = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    run_two(lambda rank: [*command, *overrides], code=2)
    assert not (tmp_path / "two" / LAST).exists()
