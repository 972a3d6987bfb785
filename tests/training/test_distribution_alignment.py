"""Distribution alignment: the flags of a teacher are shifted to their label shares."""

from __future__ import annotations

import json
from dataclasses import replace

import tiny
import torch

from electra_ie import train
from electra_ie.data.batching import collate
from electra_ie.training import trainer
from electra_ie.training.distribution_alignment import align_flag_distribution
from electra_ie.training.trainer import Trainer


def test_mean_probability_of_flags_becomes_their_label_share(encoder):
    """The mean is that over unlabeled texts. Ranking of texts and other fields are unchanged."""
    folder = encoder("bert")
    windower = tiny.windower_of(folder)
    teacher = tiny.discriminator_of(folder, sharp=20.0)
    with torch.no_grad():
        teacher.head(tiny.RISKS).output_layer.bias.copy_(torch.tensor([-4.0, 3.0]))
    pool = tiny.rows(windower, [document.unlabeled() for document in tiny.documents(30, seed=8)])
    labeled = tiny.rows(windower, tiny.documents(40))
    batch = collate(pool, windower, tiny.FIELDS)
    before = teacher.eval().predict_logits(batch)
    align_flag_distribution(teacher, labeled, pool, windower, seed=0)
    after = teacher.predict_logits(batch)
    shares = torch.tensor([row.gold["risks"] for row in labeled]).mean(0)
    torch.testing.assert_close(after["risks"].sigmoid().mean(0), shares, atol=1e-4, rtol=1e-3)
    moved = after["risks"] - before["risks"]
    torch.testing.assert_close(moved, moved[:1].expand_as(moved), atol=1e-4, rtol=1e-4)
    assert all(torch.equal(after[name], before[name]) for name in ("topic", "names"))


def test_flags_of_all_texts_or_none_and_flags_without_a_pool_are_unchanged(encoder):
    folder = encoder("bert")
    windower, teacher = tiny.windower_of(folder), tiny.discriminator_of(folder)
    rows = tiny.rows(windower, [document.unlabeled() for document in tiny.documents(9)])
    labeled = [replace(row, gold={"risks": [1.0, 0.0]}) for row in rows]
    before = teacher.head(tiny.RISKS).output_layer.bias.clone()
    align_flag_distribution(teacher, labeled, rows, windower, seed=0)
    align_flag_distribution(teacher, tiny.rows(windower, tiny.documents(9)), [], windower, seed=0)
    align_flag_distribution(teacher, [], rows, windower, seed=0)
    assert torch.equal(teacher.head(tiny.RISKS).output_layer.bias, before)


def test_shares_are_weighted_by_windows(encoder):
    folder = encoder("bert")
    windower, teacher = tiny.windower_of(folder), tiny.discriminator_of(folder, sharp=20.0)
    rows = tiny.rows(windower, tiny.documents(12))
    light = [
        replace(row, window=replace(row.window, weight=1.0 if index < 4 else 0.1)) for index, row in enumerate(rows)
    ]
    heavy = [
        replace(row, window=replace(row.window, weight=0.1 if index < 8 else 1.0)) for index, row in enumerate(rows)
    ]
    align_flag_distribution(teacher, heavy, light, windower, seed=0)
    probabilities = teacher.predict_logits(collate(light, windower, tiny.FIELDS))["risks"].sigmoid()
    weights = torch.tensor([row.window.weight for row in light])
    has_flag = torch.tensor([row.gold["risks"] for row in heavy])
    label_weights = torch.tensor([row.window.weight for row in heavy])
    shares = (has_flag * label_weights[:, None]).sum(0) / label_weights.sum()
    assert (shares - has_flag.mean(0)).abs().min() > 0.05, "the weights make no difference"
    torch.testing.assert_close((probabilities * weights[:, None]).sum(0) / weights.sum(), shares, atol=1e-4, rtol=1e-3)


def test_student_learns_from_aligned_flags_and_a_kept_teacher_is_not_aligned(task, tmp_path, encoder, monkeypatch):
    settings = tiny.settings(encoder("bert"), "adversarial")
    run = train(str(task), tmp_path / "run", **settings).path
    monkeypatch.setattr(trainer, "align_flag_distribution", lambda *args: None)
    sentence = (
        "the teacher's predictions for `risks` were shifted so that the mean probability of each flag equals its share"
    )
    assert sentence in (run / "README.md").read_text("utf-8")
    plain = train(str(task), tmp_path / "plain", **settings).path
    logs = [
        [json.loads(line) for line in (folder / "log.jsonl").read_text("utf-8").splitlines()] for folder in (run, plain)
    ]
    assert logs[0][0]["teacher"] == logs[1][0]["teacher"], "alignment changes the teacher's own scores"
    assert logs[0][1]["risks.distillation"] != logs[1][1]["risks.distillation"]
    assert logs[0][1]["names.distillation"] == logs[1][1]["names.distillation"]

    monkeypatch.undo()
    supervised = train(str(task), tmp_path / "supervised", **tiny.settings(encoder("bert"), "supervised")).path
    monkeypatch.setattr(Trainer, "select_final_weights", lambda self: self._keep_teacher() if self.teacher else None)
    assert "were shifted" not in (supervised / "README.md").read_text("utf-8")
    kept = train(str(task), tmp_path / "kept", teacher=supervised, **settings).path
    assert (kept / "risks" / "model.safetensors").read_bytes() == (
        supervised / "risks" / "model.safetensors"
    ).read_bytes()
