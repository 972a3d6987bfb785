"""The generator that hides: what it may hide, what the discriminator then reads, and whom each of them learns from."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import tiny
import torch
from hypothesis import given
from hypothesis import strategies as st
from processes import run_two
from safetensors.torch import load_file, save_file

from electra_ie import train
from electra_ie.common.errors import UserError
from electra_ie.metrics import ACHIEVED
from electra_ie.models.encoders import load_tokenizer
from electra_ie.models.masking_generator import MaskingGenerator
from electra_ie.models.outputs import TEXTS
from electra_ie.runs.plots import curves_figure
from electra_ie.training.dev_scoring import DevScoring
from electra_ie.training.self_training import answers_of
from electra_ie.training.step_log import StepLog
from electra_ie.training.trainer import Trainer

FAMILIES = ["bert", "roberta", "electra", "deberta-v2", "distilbert", "modernbert", "xlm-roberta"]


def generator_of(folder, share=0.3, seed=0, **more):
    tokenizer = load_tokenizer(folder)
    made = MaskingGenerator(32, tokenizer.mask_token_id, tokenizer.all_special_ids, share, seed)
    torch.manual_seed(3)
    torch.nn.init.normal_(made.score.weight)
    made.teacher = answers_of(tiny.discriminator_of(folder, sharp=20.0, **more))
    return made


@given(st.lists(st.integers(0, 40), min_size=1, max_size=5), st.floats(0, 0.9), st.integers(0, 99))
def test_so_many_are_hidden_and_never_what_may_not_be(lengths, share, step):
    made = MaskingGenerator(8, 4, (0, 1, 2, 3, 4), share, 0)
    width = max(lengths) + 2
    free = torch.zeros(len(lengths), width, dtype=torch.bool)
    for row, length in enumerate(lengths):
        free[row, 1 : 1 + length] = True
    torch.manual_seed(step)
    scores = torch.randn(len(lengths), width, requires_grad=True)
    hidden = made.choose(scores, free, torch.arange(len(lengths)), step)
    assert set(hidden.unique().tolist()) <= {0.0, 1.0} and not hidden[~free].any()
    assert hidden.sum(1).tolist() == (free.sum(1) * share).round().tolist()
    hidden.sum().backward()
    assert scores.grad.isfinite().all() and not scores.grad[~free].any()


def test_what_is_hidden_follows_from_seed_step_and_place_and_from_the_scores():
    made = MaskingGenerator(8, 4, (), 0.3, seed=5)
    free, places = torch.ones(2, 20, dtype=torch.bool), torch.tensor([3, 1])
    draw = [made.choose(torch.zeros(2, 20), free, places, step) for step in range(400)]
    assert torch.equal(draw[0], made.choose(torch.zeros(2, 20), free, places, 0))
    assert torch.equal(draw[0][1:], made.choose(torch.zeros(1, 20), free[:1], places[1:], 0)), "whatever the other rows"
    longer = made.choose(torch.zeros(2, 30), torch.nn.functional.pad(free, (0, 10)), places, 0)
    assert torch.equal(draw[0], longer[:, :20]), "whatever the padding"
    share = torch.stack(draw).mean((0, 1))
    assert (share - 0.3).abs().max() < 0.08, "all alike while nothing is known"
    scores = torch.zeros(2, 20)
    scores[:, 7] = 3.0
    likely = torch.stack([made.choose(scores, free, places, step) for step in range(200)]).mean((0, 1))
    assert likely[7] > 0.9 and likely[8] < 0.4


@pytest.mark.parametrize("family", FAMILIES)
def test_a_hidden_token_reads_as_the_mask(encoder, family):
    """With hidden tokens the discriminator gives the very answers that it gives to a text with the mask in place."""
    folder = encoder(family)
    batch, made = tiny.batch_of(tiny.cutter_of(folder)), generator_of(folder)
    discriminator = tiny.discriminator_of(folder, sharp=5.0).eval()
    discriminator.probe_hiding(folder, load_tokenizer(folder).mask_token_id)
    fakes = made(batch, 0)
    hidden = fakes[TEXTS]
    real, fake = discriminator(batch, fakes)
    texts = batch.rows(~batch.known())
    assert torch.equal(hidden.texts.input_ids, texts.input_ids) and len(texts.input_ids) == 4
    assert hidden.hidden.sum() > 0
    never = torch.isin(texts.input_ids, torch.tensor(load_tokenizer(folder).all_special_ids))
    assert not any(made(batch, step)[TEXTS].hidden[never].any() for step in range(20)), "special tokens stay"
    masked = texts.input_ids.masked_fill(hidden.hidden.bool(), load_tokenizer(folder).mask_token_id)
    texts.input_ids = masked
    expected = discriminator.answers(texts)
    taught = tiny.discriminator_of(folder, sharp=20.0).eval().answers(batch.rows(~batch.known()))
    known = discriminator.answers(batch.rows(batch.known()))
    for field in tiny.FIELDS:
        spans = field.kind == "spans"
        want, told = ((each[field.name][texts.owned] if spans else each[field.name]) for each in (expected, taught))
        torch.testing.assert_close(fake[field.name].logits, want, atol=1e-5, rtol=1e-4)
        told = told.sigmoid() if field.kind == "flags" else told.softmax(-1)
        torch.testing.assert_close(fake[field.name].taught, told, atol=1e-5, rtol=1e-4)
        mine = known[field.name][batch.rows(batch.known()).owned] if spans else known[field.name]
        torch.testing.assert_close(real[field.name].logits, mine, atol=1e-5, rtol=1e-4)


def test_what_hiding_achieves_is_the_disagreement_on_the_texts_it_makes(encoder):
    """The numbers are those of the texts with the mask in place; nothing random is used, no weight changes."""
    folder = encoder("bert")
    batch, made = tiny.batch_of(tiny.cutter_of(folder)), generator_of(folder)
    discriminator = tiny.discriminator_of(folder, sharp=5.0).train()
    for module in discriminator.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.5
    before = {name: each.clone() for name, each in (*discriminator.state_dict().items(), *made.state_dict().items())}
    state = torch.get_rng_state()
    found = made.achieved(discriminator, batch, 7)
    assert torch.equal(torch.get_rng_state(), state) and discriminator.training
    after = {**discriminator.state_dict(), **made.state_dict()}
    assert all(torch.equal(each, after[name]) for name, each in before.items())
    assert all(each.grad is None for each in (*discriminator.parameters(), *made.parameters()))

    texts = batch.rows(~batch.known())
    zero = MaskingGenerator(32, made.token, made.special.tolist(), made.share, made.seed)  # all tokens alike
    zero.teacher = made.teacher
    taught = made(batch, 7)[TEXTS].taught
    discriminator.eval()
    for name, player in zip(ACHIEVED, (made, zero), strict=True):
        masked = replace(
            texts, input_ids=texts.input_ids.masked_fill(player(batch, 7)[TEXTS].hidden.bool(), made.token)
        )
        told = []
        for field in tiny.FIELDS:
            logits, by_teacher = discriminator.answers(masked)[field.name], taught[field.name]
            if field.kind == "flags":
                whole, some = (torch.stack([each, 1 - each]) for each in (by_teacher, logits.sigmoid()))
                rows = (torch.xlogy(whole, whole) - torch.xlogy(whole, some)).sum(0).mean(-1)
            else:
                rows = (torch.xlogy(by_teacher, by_teacher) - by_teacher * logits.log_softmax(-1)).sum(-1)
            weights = texts.owned.float() if field.kind == "spans" else texts.window_weight
            told.append((rows * weights).sum() / weights.sum())
        assert found[name] == pytest.approx(float(sum(told)) / 3, rel=1e-4) and found[name] > 0.01
    one, other = (found[name] for name in ACHIEVED)
    assert one != other
    one, other = (zero.achieved(discriminator, batch, 7)[name] for name in ACHIEVED)
    assert one == other, "a generator that knows nothing hides by chance"
    assert made.achieved(discriminator, batch.rows(batch.known()), 7) == {}


def test_a_run_logs_what_hiding_achieves_and_ends_in_the_same_weights(task, tmp_path, encoder, finished, monkeypatch):
    settings = tiny.settings(encoder("bert"), "adversarial", max_steps=60)
    run = finished(tmp_path / "run", "adversarial", max_steps=60)
    told = {row["step"]: [row[name] for name in ACHIEVED] for row in rows(run) if ACHIEVED[0] in row}
    assert list(told) == [25, 50, 60] and all(0 < each < 5 for some in told.values() for each in some)
    assert any(one != other for one, other in told.values())
    monkeypatch.setattr(StepLog, "masking_effect", lambda *_: {})
    without = train(str(task), tmp_path / "without", **settings).path
    assert not any(ACHIEVED[0] in row for row in rows(without))
    for part in ("names", "topic", "risks"):
        assert (run / part / "model.safetensors").read_bytes() == (without / part / "model.safetensors").read_bytes()


def test_the_teacher_is_no_player(encoder):
    made = generator_of(encoder("bert"))
    assert [name for name, _ in made.named_parameters()] == ["score.weight", "score.bias"]
    assert set(made.state_dict()) == {"score.weight", "score.bias"}


def test_a_batch_without_unlabelled_rows_teaches_nothing_new(encoder):
    folder = encoder("bert")
    batch = tiny.batch_of(tiny.cutter_of(folder))
    made, discriminator = generator_of(folder), tiny.discriminator_of(folder)
    labelled = batch.rows(batch.known())
    _, fake = discriminator(labelled, made(labelled, 0))
    assert all(len(each.logits) == 0 for each in fake.values())


def test_an_encoder_without_a_mask_or_without_embeddings_is_refused(task, tmp_path, encoder, monkeypatch):
    from electra_ie.training import setup as training

    folder = encoder("bert")
    settings = tiny.settings(folder, "adversarial")
    with monkeypatch.context() as patch:
        tokenizer = load_tokenizer(folder)
        tokenizer.mask_token = None
        patch.setattr(training, "load_tokenizer", lambda name: tokenizer)
        with pytest.raises(UserError, match="has no mask token"):
            train(str(task), tmp_path / "run", **settings)
        assert not (tmp_path / "run").exists()
        written = task.read_text("utf-8")
        task.write_text(written.replace(", unlabeled: pool.jsonl", ""), encoding="utf-8")
        train(str(task), tmp_path / "bare", **settings)  # nothing is hidden where there are no texts to hide it in
        task.write_text(written, encoding="utf-8")
    discriminator = tiny.discriminator_of(folder)
    forward = discriminator.encoder.forward
    monkeypatch.setattr(
        discriminator.encoder, "forward",
        lambda **given: forward(**{k: v * 2 if k == "inputs_embeds" else v for k, v in given.items()}),
    )  # fmt: skip
    with pytest.raises(UserError, match="does not take word embeddings"):
        discriminator.probe_hiding(folder, 4)
    with pytest.raises(UserError, match="no embedding for the mask token"):
        discriminator.probe_hiding(folder, 99_999)
    assert not (tmp_path / "run").exists()


def rows(run):
    return [json.loads(line) for line in (run / "log.jsonl").read_text("utf-8").splitlines()]


def spoil(monkeypatch, after=0):
    """From its dev score of that number on, the game's discriminator knows nothing any more."""
    true, scored = DevScoring.score, []

    def score(self, state):
        if self.setup.settings.has_teacher:
            scored.append(state.step)
            if len(scored) > after:
                with torch.no_grad():
                    for head in self.setup.discriminator.heads.values():
                        head.last.weight.zero_()
        true(self, state)

    monkeypatch.setattr(DevScoring, "score", score)


def test_the_teachers_weights_are_kept_where_the_game_falls_far_behind(
    task, tmp_path, encoder, finished, monkeypatch, capsys
):
    settings = tiny.settings(encoder("bert"), "adversarial", max_steps=60)
    run = finished(tmp_path / "run", "adversarial", max_steps=60)
    teacher = rows(run)[0]
    assert teacher["step"] == 0 and teacher["teacher"]["mean"] > 0.3 and teacher["seconds"] > 0
    assert "names.distillation" in rows(run)[1] and "texts.adversarial_masking" in rows(run)[1]
    assert not (run / "checkpoint").exists()
    saved = json.loads((run / "scores.json").read_text("utf-8"))["training"]
    assert saved["best_step"] > 0 and saved["teacher"] == {"dev": teacher["teacher"]}
    told = f"the supervised run with the same seed, which scores {teacher['teacher']['mean']:.3f} on dev"
    assert told in (run / "README.md").read_text("utf-8")

    spoil(monkeypatch)
    kept = train(str(task), tmp_path / "kept", **settings).path
    scores = json.loads((kept / "scores.json").read_text("utf-8"))
    assert scores["training"]["best_step"] == 0 and rows(kept)[0] == {
        **teacher,
        **{name: rows(kept)[0][name] for name in ("seconds", "seconds_scoring")},
    }
    by_name = {name: each[each["main"]] for name, each in scores["dev"].items()}
    assert by_name == pytest.approx({name: teacher["teacher"][name] for name in by_name})
    assert "the teacher's weights are kept." in capsys.readouterr().err
    assert "the teacher's, from before adversarial training" in (kept / "README.md").read_text("utf-8")


def test_a_game_that_is_slightly_behind_its_teacher_is_kept(task, tmp_path, encoder, monkeypatch):
    """Else a comparison on dev would be one of two chances against one."""
    true = Trainer.select_final_weights

    def settle(self):
        if self.teacher:
            self.teacher = replace(self.teacher, best_score=self.state.saved.best_score + 0.01)
        true(self)

    monkeypatch.setattr(Trainer, "select_final_weights", settle)
    run = train(str(task), tmp_path / "run", **tiny.settings(encoder("bert"), "adversarial", max_steps=40)).path
    assert json.loads((run / "scores.json").read_text("utf-8"))["training"]["best_step"] > 0


@pytest.mark.parametrize("dev", [True, False])
def test_a_game_that_collapses_ends_with_the_teacher(task, tmp_path, encoder, monkeypatch, capsys, dev):
    from electra_ie.training import trainer as training

    if not dev:
        task.write_text(task.read_text("utf-8").replace("dev: dev.jsonl, ", ""), encoding="utf-8")

    class DivergenceMonitor(training.DivergenceMonitor):
        def see(self, step):
            hides = any("adversarial_masking" in name for name in step.parts)
            return "the loss has exploded" if hides and step.number == 13 else super().see(step)

    monkeypatch.setattr(training, "DivergenceMonitor", DivergenceMonitor)
    run = train(str(task), tmp_path / "run", **tiny.settings(encoder("bert"), "adversarial", max_steps=40)).path
    saved = json.loads((run / "scores.json").read_text("utf-8"))
    assert saved["training"]["collapsed"] == {"step": 14, "what": "the loss has exploded", "kept": 0}
    assert saved["training"]["best_step"] == 0
    if dev:
        by_name = {name: each[each["main"]] for name, each in saved["dev"].items()}
        assert by_name == pytest.approx({name: rows(run)[0]["teacher"][name] for name in by_name})
    message = capsys.readouterr().err
    assert "(adversarial) has collapsed at step 14" in message and "keeps the teacher's weights" in message
    assert "with the teacher's weights" in (run / "README.md").read_text("utf-8")


def test_a_teacher_is_trained_once(task, tmp_path, encoder, monkeypatch, capsys):
    settings = tiny.settings(encoder("bert"), "adversarial", max_steps=20)
    with monkeypatch.context() as patch:
        patch.setattr(DevScoring, "score", lambda self, state: 1 / 0 if self.setup.settings.has_teacher else None)
        with pytest.raises(ZeroDivisionError):
            train(str(task), tmp_path / "run", **settings)
    assert "(teacher)" in capsys.readouterr().err
    train(str(task), tmp_path / "run", resume=True)
    shown = capsys.readouterr().err
    assert "(adversarial)" in shown and "(teacher)" not in shown


def test_a_field_may_be_called_texts(task, tmp_path, encoder):
    task.write_text(task.read_text("utf-8").replace("  topic: {", "  texts: {from: topic, "), encoding="utf-8")
    for preset in ("latent", "adversarial"):
        run = train(str(task), tmp_path / preset, **tiny.settings(encoder("bert"), preset)).path
        assert (run / "texts" / "model.safetensors").is_file()


def test_two_processes_train_the_teacher_and_the_game(task, tmp_path, encoder, finished):
    """Once alone, once in two processes, the same run but for how sums are rounded."""
    settings = tiny.settings(encoder("bert"), "adversarial")
    alone = finished(tmp_path / "alone", "adversarial")
    told = json.dumps({"output": str(tmp_path / "both"), **settings})
    program = "import json, sys, electra_ie; electra_ie.train(sys.argv[1], **json.loads(sys.argv[2]))"
    run_two(lambda rank: ["-c", program, str(task), told])
    assert not (tmp_path / "both" / "checkpoint").exists()
    for one, both in zip(rows(alone), rows(tmp_path / "both"), strict=True):
        assert one["step"] == both["step"]
        for name in one.keys() & {"discriminator", "generator", "names.distillation"}:
            assert both[name] == pytest.approx(one[name], abs=2e-3), (one["step"], name)


@pytest.mark.parametrize("generations, dev", [(1, True), (1, False), (2, True)])
def test_without_unlabelled_texts_there_is_no_game_and_the_run_is_control(
    task, tmp_path, encoder, capsys, generations, dev
):
    bare = task.read_text("utf-8").replace(", unlabeled: pool.jsonl", "")
    task.write_text(bare if dev else bare.replace("dev: dev.jsonl, ", ""), encoding="utf-8")
    control = train(str(task), tmp_path / "supervised", **tiny.settings(encoder("bert"), "supervised")).path
    settings = tiny.settings(encoder("bert"), "adversarial", overrides=[f"self_training_rounds={generations}"])
    run = train(str(task), tmp_path / "run", **settings).path
    told = "there is no unlabeled text to learn from; the teacher's weights are kept. Add texts"
    assert capsys.readouterr().err.count(told) == 1
    for part in ("names", "topic", "risks"):
        assert (run / part / "model.safetensors").read_bytes() == (control / part / "model.safetensors").read_bytes()
    found = [json.loads((each / "scores.json").read_text("utf-8")) for each in (run, control)]
    assert found[0].get("dev") == found[1].get("dev") and ("dev" in found[0]) == dev
    assert (
        curves_figure(rows(run)).texts[0].get_text()
        == "There was no adversarial training: the teacher's weights are kept."
    )
    assert "adversarial training was skipped. These are the weights of its teacher" in (run / "README.md").read_text(
        "utf-8"
    )
    assert not (run / "checkpoint").exists()


def test_the_teacher_is_the_run_of_control_with_the_same_seed(task, tmp_path, encoder, finished, monkeypatch, capsys):
    """Trained within, or taken from there: the same run in the end, to the byte."""
    folder = encoder("bert")
    control = finished(tmp_path / "supervised", "supervised", max_steps=40)
    capsys.readouterr()
    settings = tiny.settings(folder, "adversarial", max_steps=40)
    own = train(str(task), tmp_path / "own", **settings).path
    assert "(teacher)" in capsys.readouterr().err
    given = train(str(task), tmp_path / "given", teacher=control, **settings).path
    assert "(teacher)" not in capsys.readouterr().err
    for part in ("names", "topic"):
        assert (own / part / "model.safetensors").read_bytes() == (given / part / "model.safetensors").read_bytes()
        assert (own / part / "model.safetensors").read_bytes() != (control / part / "model.safetensors").read_bytes()
    assert rows(own)[0]["teacher"] == rows(given)[0]["teacher"]
    assert rows(given)[0]["seconds"] == max(row.get("seconds", 0) for row in rows(control)), (
        "its time is part of the run's"
    )

    spoil(monkeypatch)
    kept = train(str(task), tmp_path / "kept", teacher=control, **settings).path
    for part in ("names", "topic"):
        assert (kept / part / "model.safetensors").read_bytes() == (control / part / "model.safetensors").read_bytes()


def test_a_given_teacher_teaches_the_first_generation_only(task, tmp_path, encoder, finished, monkeypatch, capsys):
    folder = encoder("bert")
    control = finished(tmp_path / "supervised", "supervised", max_steps=40)
    settings = tiny.settings(folder, "adversarial", max_steps=40, overrides=["self_training_rounds=2"])
    own = train(str(task), tmp_path / "own", **settings).path
    shown = capsys.readouterr().err
    assert "(teacher)" in shown and "(adversarial, round 1)" in shown and "(adversarial, round 2)" in shown
    given = train(str(task), tmp_path / "given", teacher=control, **settings).path
    shown = capsys.readouterr().err
    assert "(teacher)" not in shown and "(adversarial, round 1)" in shown
    for part in ("names", "topic"):
        assert (own / part / "model.safetensors").read_bytes() == (given / part / "model.safetensors").read_bytes()
    card = (own / "README.md").read_text("utf-8")
    told = f"the model of self-training round 1, which scores {rows(own)[0]['teacher']['mean']:.3f} on dev. The teacher of round 1"
    assert f"{told} was the supervised run with the same seed." in card
    before = max(row.get("seconds", 0) for row in rows(control))
    assert rows(given)[0]["seconds"] > before, "the time of all before it is part of the run's"

    spoil(monkeypatch)
    kept = train(str(task), tmp_path / "kept", teacher=control, **settings).path
    assert capsys.readouterr().err.count("the teacher's weights are kept") == 2, "each generation falls back"
    for part in ("names", "topic"):
        assert (kept / part / "model.safetensors").read_bytes() == (control / part / "model.safetensors").read_bytes()
    dev = [row["dev"]["mean"] for row in rows(control) if row.get("best")][-1]
    assert rows(kept)[0]["teacher"]["mean"] == dev, "what round 1 kept, not what it scored"


@pytest.mark.parametrize(
    "change, told",
    [
        ({"seed": 1}, "seed (0, now 1)"),
        ({"label_budget": 20}, "label_budget (None, now 20)"),
        ({"overrides": ["learning_rate=1e-5"]}, "learning_rate"),
    ],
)
def test_another_run_is_no_teacher(task, tmp_path, encoder, finished, change, told):
    folder = encoder("bert")
    control = finished(tmp_path / "supervised", "supervised")
    given = tiny.settings(folder, "adversarial")
    given |= {name: [*given.get(name, []), *value] if name == "settings" else value for name, value in change.items()}
    with pytest.raises(UserError, match="cannot be the teacher, it differs in") as raised:
        train(str(task), tmp_path / "run", teacher=control, **given)
    assert told in str(raised.value) and not (tmp_path / "run").exists()


def of_other_code(run, folder):
    audit = json.loads((run / "audit.json").read_text("utf-8"))
    audit["code"]["modules"] = "0" * 64
    (run / "audit.json").write_text(json.dumps(audit), "utf-8")


def of_other_weights(run, folder):
    shutil.copy(run / "topic" / "model.safetensors", run / "names" / "model.safetensors")


def without_log(run, folder):
    (run / "log.jsonl").unlink()


def on_another_encoder(run, folder):
    weights = load_file(folder / "model.safetensors")
    save_file(
        {name: each + 1 if "word_emb" in name else each for name, each in weights.items()}, folder / "model.safetensors"
    )


@pytest.mark.parametrize(
    "change, told",
    [
        (of_other_code, "differs in the code of this package"),
        (of_other_weights, "differs in its models"),
        (on_another_encoder, "differs in the weights of its encoder"),
        (without_log, "lacks the steps or dev scores"),
    ],
)
def test_a_run_that_is_not_what_would_be_trained_now_is_no_teacher(task, tmp_path, encoder, change, told):
    folder = Path(shutil.copytree(encoder("bert"), tmp_path / "encoder"))
    control = train(str(task), tmp_path / "supervised", **tiny.settings(str(folder), "supervised")).path
    change(control, folder)
    with pytest.raises(UserError, match=told):
        train(str(task), tmp_path / "run", teacher=control, **tiny.settings(str(folder), "adversarial"))
    assert not (tmp_path / "run").exists()


def test_a_teacher_must_be_there_and_be_asked_for(task, tmp_path, encoder):
    settings = tiny.settings(encoder("bert"), "adversarial")
    with pytest.raises(UserError, match="no finished run to be the teacher"):
        train(str(task), tmp_path / "run", teacher=tmp_path / "none", **settings)
    with pytest.raises(UserError, match="the preset supervised has no teacher"):
        train(str(task), tmp_path / "run", teacher=tmp_path, **tiny.settings(settings["encoder"], "supervised"))
    assert not (tmp_path / "run").exists()
