"""Thresholds of flags: each flag is assigned to its label share of the unlabeled texts, in every preset."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch

from electra_ie import Extractor, train
from electra_ie.data.batching import collate
from electra_ie.training.flag_thresholds import FlagThresholds, document_logits, label_shares
from electra_ie.training.trainer import Trainer

LABELED = tiny.documents(40)
SHARES = label_shares(LABELED, tiny.RISKS)


def unlabeled(count: int):
    return [document.unlabeled() for document in tiny.documents(count, seed=8)]


def biased(folder: str):
    """Return a discriminator that assigns the first flag to no text, and the second one to most."""
    discriminator = tiny.discriminator_of(folder, sharp=20.0)
    with torch.no_grad():
        discriminator.head(tiny.RISKS).output_layer.bias.copy_(torch.tensor([-40.0, 30.0]))
    return discriminator.eval()


def thresholds_of(folder: str, documents, labeled=LABELED) -> FlagThresholds:
    windower = tiny.windower_of(folder)
    return FlagThresholds(tiny.FIELDS, labeled, tiny.rows(windower, documents), windower)


def test_flags_are_assigned_to_their_label_shares_of_unlabeled_texts(encoder):
    folder = encoder("bert")
    windower, discriminator, documents = tiny.windower_of(folder), biased(folder), unlabeled(40)
    batch = collate(tiny.rows(windower, documents), windower, tiny.FIELDS)
    before = discriminator.predict_logits(batch)
    thresholds_of(folder, documents).set(discriminator)
    after = discriminator.predict_logits(batch)
    np.testing.assert_allclose((after["risks"] > 0).float().mean(0), SHARES, atol=0.5 / 40)
    assert ((SHARES > 0.1) & (SHARES < 0.9)).all()
    moved = after["risks"] - before["risks"]
    torch.testing.assert_close(moved, moved[:1].expand_as(moved), atol=1e-4, rtol=1e-4)
    assert all(torch.equal(after[name], before[name]) for name in ("topic", "names"))


def test_texts_of_several_windows_count_once(encoder):
    folder = encoder("bert")
    windower, discriminator = tiny.windower_of(folder, size=24), biased(folder)
    documents = [
        replace(document, text=" ".join([document.text] * (1 + 3 * (index % 2))))
        for index, document in enumerate(unlabeled(30))
    ]
    windows = tiny.rows(windower, documents)
    assert len(windows) > 2 * len(documents)
    FlagThresholds(tiny.FIELDS, LABELED, windows, windower).set(discriminator)
    logits = document_logits(discriminator, windows, windower, [tiny.RISKS])["risks"]
    assert len(logits) == len(documents)
    np.testing.assert_allclose((logits > 0).mean(0), SHARES, atol=0.5 / 30)
    extracted = Extractor(discriminator, windower, tiny.FIELDS).read(documents)
    share = np.mean([[name in answer.answers["risks"] for name in tiny.RISKS.labels] for answer in extracted], axis=0)
    np.testing.assert_allclose(share, SHARES, atol=0.5 / 30)


def test_few_texts_change_no_threshold_and_are_reported(encoder):
    """Two texts would put a rare flag on one of them, and so on every other text."""
    folder = encoder("bert")
    rare = [replace(each, gold={"risks": ("late",) if number == 0 else ("cash",) * (number < 20)})
            for number, each in enumerate(LABELED)]  # fmt: skip
    for count, changed in ((2, [False, False]), (9, [False, True]), (119, [False, True]), (120, [True, True])):
        discriminator = biased(folder)
        before = discriminator.head(tiny.RISKS).output_layer.bias.clone()
        thresholds = thresholds_of(folder, unlabeled(count), rare)
        thresholds.set(discriminator)
        after = discriminator.head(tiny.RISKS).output_layer.bias
        assert (after != before).tolist() == changed, count
        kept = [name for name, each in zip(tiny.RISKS.labels, changed, strict=True) if not each]
        assert thresholds.unchanged == ({"risks": kept} if kept else {}), count
    assert not thresholds_of(folder, [], rare).unchanged, "without any unlabeled text nothing is to be set"


def test_a_run_with_few_texts_says_which_thresholds_stay(task, tmp_path, encoder, capsys):
    tiny.without(task, "topic", "names")
    (task.parent / "pool.jsonl").write_text('{"text": "Arden pays Berg."}\n', "utf-8")
    train(str(task), tmp_path / "run", **tiny.settings(encoder("bert"), "supervised", max_steps=2))
    message = "risks: the thresholds of late, cash stay at one half: 1 unlabeled texts are too few"
    shown = capsys.readouterr().err
    assert message in shown and "Add texts with --unlabeled." in shown


@pytest.mark.parametrize("flags", [("late", "cash"), ()])
def test_flags_of_all_texts_or_none_are_unchanged(encoder, flags):
    discriminator = biased(encoder("bert"))
    before = discriminator.head(tiny.RISKS).output_layer.bias.clone()
    labeled = [replace(document, gold={"risks": flags}) for document in LABELED]
    thresholds_of(encoder("bert"), unlabeled(9), labeled).set(discriminator)
    thresholds_of(encoder("bert"), []).set(discriminator)
    assert torch.equal(discriminator.head(tiny.RISKS).output_layer.bias, before)


def test_thresholds_within_a_context_leave_the_bias_as_it_was(encoder):
    discriminator = biased(encoder("bert"))
    bias = discriminator.head(tiny.RISKS).output_layer.bias
    before = bias.clone()
    with thresholds_of(encoder("bert"), unlabeled(20)).within(discriminator):
        assert not torch.equal(bias, before)
    assert torch.equal(bias, before)


@pytest.mark.parametrize(("preset", "dev"), [
    ("supervised", True), ("supervised", False), ("latent", True),
    pytest.param("adversarial", True, marks=pytest.mark.slow), pytest.param("adversarial", False, marks=pytest.mark.slow), pytest.param("latent", False, marks=pytest.mark.slow),
])  # fmt: skip
def test_every_preset_has_thresholds(task, tmp_path, encoder, preset, dev):
    """Too few steps to learn the flags: without thresholds nearly no text would have the rarer one, or all would."""
    tiny.without(task, "topic", "names")
    if not dev:
        task.write_text(task.read_text("utf-8").replace("dev: dev.jsonl, ", ""), encoding="utf-8")
    result = train(str(task), tmp_path / "run", **tiny.settings(encoder("bert"), preset, max_steps=4))
    pool = [json.loads(line)["text"] for line in (task.parent / "pool.jsonl").read_text("utf-8").splitlines()]
    train_gold = [json.loads(line)["risks"] for line in (task.parent / "train.jsonl").read_text("utf-8").splitlines()]
    if dev:
        train_gold += [
            json.loads(line)["risks"] for line in (task.parent / "dev.jsonl").read_text("utf-8").splitlines()
        ]
    shares = np.mean([[name in flags for name in tiny.RISKS.labels] for flags in train_gold], axis=0)
    extractor = result.extractor()
    found = [{finding.label for finding in extractor(text) if finding.field == "risks"} for text in pool]
    assigned = np.mean([[name in labels for name in tiny.RISKS.labels] for labels in found], axis=0)
    np.testing.assert_allclose(assigned, shares, atol=1.5 / len(pool))


@pytest.mark.slow
def test_scores_on_dev_are_those_with_thresholds(task, tmp_path, encoder, monkeypatch):
    settings = tiny.settings(encoder("bert"), "supervised")
    tiny.without(task, "topic", "names")
    monkeypatch.setattr(FlagThresholds, "set", lambda self, discriminator: None)
    plain = train(str(task), tmp_path / "plain", **settings).scores["dev"].fields["risks"].value
    monkeypatch.undo()
    assert train(str(task), tmp_path / "run", **settings).scores["dev"].fields["risks"].value != plain


@pytest.mark.slow
def test_supervised_run_with_thresholds_is_the_teacher_of_an_adversarial_one(task, tmp_path, encoder, monkeypatch):
    tiny.without(task, "topic", "names")
    supervised = tiny.settings(encoder("bert"), "supervised", max_steps=4)
    supervised = train(str(task), tmp_path / "supervised", **supervised).path
    monkeypatch.setattr(
        Trainer, "select_final_weights", lambda self: self._keep_teacher() if self.teacher_header else None
    )
    settings = tiny.settings(encoder("bert"), "adversarial", max_steps=4)
    for name, teacher in (("given", supervised), ("trained", None)):
        kept = train(str(task), tmp_path / name, teacher=teacher, **settings).path
        weights = (kept / "risks" / "model.safetensors").read_bytes()
        assert weights == (supervised / "risks" / "model.safetensors").read_bytes()
