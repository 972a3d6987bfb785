"""A new head begins at the shares of its labels."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
import tiny
import torch
from safetensors.torch import load_file

from electra_ie import train
from electra_ie.common.errors import UserError
from electra_ie.config.train import PRESETS, TrainSettings
from electra_ie.data.batching import collate
from electra_ie.data.fields import IGNORED, Field
from electra_ie.data.task import Task
from electra_ie.data.training_data import TrainingData
from electra_ie.data.windowing import LabeledWindow, Window
from electra_ie.models.bias_init import init_bias_to_prior, prior_logits
from electra_ie.models.discriminator import Discriminator
from electra_ie.training import trainer as module
from electra_ie.training.distribution_alignment import align_flag_distribution
from electra_ie.training.setup import set_up
from electra_ie.training.trainer import Trainer


def window(size: int, share: float = 1.0) -> Window:
    return Window(tuple(range(size)), tuple((2 * at, 2 * at + 1) for at in range(size)), 0, size, share)


def test_spans_begin_at_the_shares_of_tags_among_judged_tokens():
    rows = [
        LabeledWindow(window(4, 0.25), {"names": [IGNORED, 0, 1, 2]}),  # tokens all weigh the same in the loss
        LabeledWindow(window(5), {"names": [0, 0, 0, 0, IGNORED]}),
        LabeledWindow(window(9), {}),  # nothing is known of it
    ]
    counts = torch.tensor([5.0, 1, 1, 0, 0]) + 1
    torch.testing.assert_close(prior_logits(rows, tiny.NAMED).softmax(-1), counts / counts.sum())


def test_windows_of_a_long_text_count_as_much_as_they_weigh_in_the_loss():
    rows = [LabeledWindow(window(3), {"topic": 0}), *[LabeledWindow(window(3, 0.25), {"topic": 2})] * 4]
    torch.testing.assert_close(prior_logits(rows, tiny.TOPIC).softmax(-1), torch.tensor([0.4, 0.2, 0.4]))
    flags = [
        LabeledWindow(window(3), {"risks": [1.0, 0.0]}),
        *[LabeledWindow(window(3, 0.5), {"risks": [0.0, 0.0]})] * 2,
    ]
    torch.testing.assert_close(prior_logits(flags, tiny.RISKS).sigmoid(), torch.tensor([0.5, 0.25]))


@pytest.mark.parametrize("field", tiny.FIELDS, ids=lambda field: field.kind)
def test_a_field_of_which_nothing_is_known_begins_with_all_answers_alike(field):
    logits = prior_logits([LabeledWindow(window(3), {})], field)
    torch.testing.assert_close(logits, torch.zeros(len(field.names)))


def test_shares_make_no_state_more_real():
    """With the fake's logit at 0, realness is the logsumexp: log K, whatever the shares."""
    spans = prior_logits([LabeledWindow(window(50), {"names": [0] * 49 + [1]})], tiny.NAMED)
    classes = prior_logits([LabeledWindow(window(3), {"topic": 1})] * 9, tiny.TOPIC)
    assert spans.std() > 0.5 and classes.std() > 0.5
    torch.testing.assert_close(spans.logsumexp(-1), torch.tensor(5.0).log())
    torch.testing.assert_close(classes.logsumexp(-1), torch.tensor(3.0).log())


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_a_training_begins_with_the_shares_of_its_labels(family, preset, encoder, tmp_path):
    task = Task.load(str(tiny.write_task(tmp_path / "task")))
    settings = TrainSettings(**tiny.settings(encoder(family), preset))
    training = set_up(task, settings, TrainingData.read(task, settings), tmp_path / "run")
    for field in training.task.fields:
        bias = training.discriminator.head(field).last.bias.detach()
        torch.testing.assert_close(bias, prior_logits(training.labeled, field))
        assert bias.abs().max() > 0.1, "shares so even that any would do"


def test_the_head_of_a_run_is_kept_for_the_same_labels_only(run):
    """A run's field is an encoder like another; but who goes on with the same labels goes on with what was learnt."""
    others = (
        Field("same", "classes", tiny.TOPIC.labels),
        Field("fewer", "classes", tiny.TOPIC.labels[:2]),
        Field("renamed", "classes", ("a", "b", "c")),
        Field("spans", "spans", ("a",)),
    )
    rows = [LabeledWindow(window(3), {each.name: [1, 0, 0] if each.kind == "spans" else 0 for each in others})]
    trained = load_file(run / "topic" / "model.safetensors")["classifier.bias"]
    for field in others:
        discriminator = Discriminator.load(str(run / "topic"), [field], "stock")
        init_bias_to_prior(discriminator, rows)
        bias = discriminator.head(field).last.bias.detach()
        torch.testing.assert_close(bias, trained if field.name == "same" else prior_logits(rows, field))


def test_an_encoder_whose_weights_have_another_shape_is_refused_by_name(encoder, tmp_path):
    folder = tmp_path / "encoder"
    shutil.copytree(encoder("bert"), folder)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "intermediate_size": 64}), "utf-8")
    with pytest.raises(UserError, match=r"the weights of .*intermediate.* config\.json says\. Restore") as caught:
        Discriminator.load(str(folder), [tiny.TOPIC], "stock")
    assert caught.value.file == str(folder)


def test_a_teachers_flags_are_brought_to_the_shares_of_the_labels(encoder):
    """The mean over texts that it has not learnt from; who ranks before whom stays, and so do the other fields."""
    folder = encoder("bert")
    windower = tiny.cutter_of(folder)
    teacher = tiny.discriminator_of(folder, sharp=20.0)
    with torch.no_grad():
        teacher.head(tiny.RISKS).last.bias.copy_(torch.tensor([-4.0, 3.0]))
    pool = tiny.rows(windower, [each.unlabeled() for each in tiny.documents(30, seed=8)])
    labelled = tiny.rows(windower, tiny.documents(40))
    batch = collate(pool, windower, tiny.FIELDS)
    before = teacher.eval().answers(batch)
    align_flag_distribution(teacher, labelled, pool, windower, seed=0)
    after = teacher.answers(batch)
    shares = torch.tensor([row.gold["risks"] for row in labelled]).mean(0)
    torch.testing.assert_close(after["risks"].sigmoid().mean(0), shares, atol=1e-4, rtol=1e-3)
    moved = after["risks"] - before["risks"]
    torch.testing.assert_close(moved, moved[:1].expand_as(moved), atol=1e-4, rtol=1e-4)
    assert all(torch.equal(after[name], before[name]) for name in ("topic", "names"))


def test_flags_that_all_bear_or_none_and_flags_without_a_pool_stay(encoder):
    folder = encoder("bert")
    windower, teacher = tiny.cutter_of(folder), tiny.discriminator_of(folder)
    rows = tiny.rows(windower, [each.unlabeled() for each in tiny.documents(9)])
    labelled = [replace(row, gold={"risks": [1.0, 0.0]}) for row in rows]
    before = teacher.head(tiny.RISKS).last.bias.clone()
    align_flag_distribution(teacher, labelled, rows, windower, seed=0)
    align_flag_distribution(teacher, tiny.rows(windower, tiny.documents(9)), [], windower, seed=0)
    align_flag_distribution(teacher, [], rows, windower, seed=0)
    assert torch.equal(teacher.head(tiny.RISKS).last.bias, before)


def test_windows_of_a_long_text_weigh_less_when_shares_are_counted(encoder):
    folder = encoder("bert")
    windower, teacher = tiny.cutter_of(folder), tiny.discriminator_of(folder, sharp=20.0)
    rows = tiny.rows(windower, tiny.documents(12))
    light = [
        replace(row, window=replace(row.window, weight=1.0 if place < 4 else 0.1)) for place, row in enumerate(rows)
    ]
    heavy = [
        replace(row, window=replace(row.window, weight=0.1 if place < 8 else 1.0)) for place, row in enumerate(rows)
    ]
    align_flag_distribution(teacher, heavy, light, windower, seed=0)
    said = teacher.answers(collate(light, windower, tiny.FIELDS))["risks"].sigmoid()
    weights = torch.tensor([row.window.weight for row in light])
    borne, labels = (
        torch.tensor([row.gold["risks"] for row in heavy]),
        torch.tensor([row.window.weight for row in heavy]),
    )
    shares = (borne * labels[:, None]).sum(0) / labels.sum()
    assert (shares - borne.mean(0)).abs().min() > 0.05, "weights that change nothing"
    torch.testing.assert_close((said * weights[:, None]).sum(0) / weights.sum(), shares, atol=1e-4, rtol=1e-3)


def test_a_run_learns_from_a_teacher_whose_flags_were_brought_to_the_shares(task, tmp_path, encoder, monkeypatch):
    """And where the game is lost, the teacher that is kept is the supervised run, as it was."""
    settings = tiny.settings(encoder("bert"), "adversarial")
    run = train(str(task), tmp_path / "run", **settings).path
    monkeypatch.setattr(module, "align_flag_distribution", lambda *given: None)
    told = (
        "the teacher's predictions for `risks` were shifted so that the mean probability of each flag equals its share"
    )
    assert told in (run / "README.md").read_text("utf-8")
    plain = train(str(task), tmp_path / "plain", **settings).path
    logs = [
        [json.loads(line) for line in (each / "log.jsonl").read_text("utf-8").splitlines()] for each in (run, plain)
    ]
    assert logs[0][0]["teacher"] == logs[1][0]["teacher"], "its own scores are not touched"
    assert logs[0][1]["risks.distillation"] != logs[1][1]["risks.distillation"]
    assert logs[0][1]["names.distillation"] == logs[1][1]["names.distillation"]

    monkeypatch.undo()
    control = train(str(task), tmp_path / "supervised", **tiny.settings(encoder("bert"), "supervised")).path
    monkeypatch.setattr(Trainer, "select_final_weights", lambda self: self._keep_teacher() if self.teacher else None)
    assert "were shifted" not in (control / "README.md").read_text("utf-8")
    lost = train(str(task), tmp_path / "lost", teacher=control, **settings).path
    assert (lost / "risks" / "model.safetensors").read_bytes() == (control / "risks" / "model.safetensors").read_bytes()
