"""Spans of different labels that overlap: a sequence of tags for each label (scheme `tracks`)."""

from __future__ import annotations

import re

import leveled
import linked
import pytest
import tiny
import torch

import electra_ie
from electra_ie.common.errors import UserError
from electra_ie.data.bio import track_logits
from electra_ie.data.document import Document, Span
from electra_ie.data.fields import Field, by_track, lost_by_overlap
from electra_ie.data.in_memory import resolve
from electra_ie.inference.extractor import Extractor
from electra_ie.models.tags import field_probabilities, tag_logits

FIELDS = {"names": {"kind": "spans", "labels": ["person", "amount", "payment"], "scheme": "tracks"}}
FIELD = Field("names", "spans", ("person", "amount"), scheme="tracks")


def nested(size, seed=1):
    """Records in which a payment contains the person that pays and the amount."""
    records = []
    for each in linked.records(size, seed):
        spans = each["names"]
        payment = {"start": spans[0]["start"], "end": spans[1]["end"], "label": "payment"}
        records.append({"id": each["id"], "text": each["text"], "names": [*spans, payment]})
    return records


def train(encoder, folder, preset="supervised", fields=FIELDS, **settings):
    data = {"train": nested(24), "dev": nested(8, 2), "unlabeled": [{"text": each["text"]} for each in nested(12, 3)]}
    given = {
        **tiny.settings(encoder("bert"), preset),
        "head_learning_rate": 2e-2,
        "max_steps": 50,
        "num_evaluations": 1,
    }
    return electra_ie.train(data, folder, fields=fields, **{**given, **settings})


@pytest.fixture(scope="module")
def run(encoder, tmp_path_factory):
    return train(encoder, tmp_path_factory.mktemp("tracks") / "run")


def test_nested_spans_are_learned_and_found(run):
    scores = run.scores["dev"]["names"].metrics
    assert scores["overlapping"] == 0
    assert scores["labels"]["payment"]["f1"] > 0.6
    assert scores["labels"]["person"]["f1"] > 0.6
    (result,) = run.extractor().read([Document("d", nested(1, 9)[0]["text"])])
    found = [Span(each.start, each.end, each.label) for each in result.findings]
    assert found == sorted(found, key=lambda span: (span.start, span.end, span.label))
    pairs = [(one, other) for one in found for other in found if one.label != other.label]
    assert any(one.start <= other.start and other.end <= one.end for one, other in pairs)


def test_the_code_of_the_card_finds_the_same(run, monkeypatch):
    card = (run.path / "README.md").read_text("utf-8")
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", card, re.DOTALL) if "def find_names" in block]
    monkeypatch.chdir(run.path)
    names = {}
    exec(code, names)
    extractor = run.extractor()
    for record in nested(6, 4):
        expected = [
            {
                "label": each.label,
                "start": each.start,
                "end": each.end,
                "score": pytest.approx(each.score, abs=1e-4),
                "text": each.text,
            }
            for each in extractor(record["text"])
        ]
        assert expected
        assert names["find_names"](record["text"]) == expected
    assert "No pipeline fits `names`" in card
    assert "(in `names`: of one label)" in card


def test_one_sequence_of_tags_refuses_them_and_names_the_scheme(encoder, tmp_path):
    flat = {"names": {"kind": "spans", "labels": ["person", "amount", "payment"]}}
    with pytest.raises(
        UserError,
        match=r"overlap a longer one, which the scheme bio cannot express .* Write `scheme: tracks` in the field",
    ):
        train(encoder, tmp_path / "run", fields=flat)


@pytest.mark.slow
def test_a_teacher_teaches_every_track(encoder, tmp_path):
    result = train(encoder, tmp_path / "run", "self_training", max_steps=20)
    assert result.scores["dev"]["names"].value is not None
    assert result.scores.training["teacher"]


@pytest.mark.parametrize(
    ("records", "fields", "tags"),
    [(nested(6), FIELDS, 3), (leveled.records(6), {"names": {**leveled.FIELDS["names"], "levels": 2}}, 4)],
    ids=["tracks", "levels"],
)
def test_accumulated_batches_give_the_loss_of_one(encoder, records, fields, tags):
    """The units of a token count as those of other fields: the mean over tokens and tracks does not depend on the batch."""
    folder = encoder("bert")
    windower = tiny.windower_of(folder)
    task, _ = resolve(records, None, (), fields=fields)
    field = task.fields[0]
    model = tiny.discriminator_of(folder, (field,))
    rows = tiny.rows(windower, task.read("train"), (field,))
    from electra_ie.data.batching import collate

    together = model(**collate(rows, windower, [field]))
    alone = [model(**collate([row], windower, [field])) for row in rows]
    counts = torch.tensor([len(each.units["names"].labels) for each in alone], dtype=torch.float)
    losses = torch.stack([each.loss for each in alone])
    assert torch.allclose(together.loss, (losses * counts).sum() / counts.sum(), atol=1e-5)
    assert together.units["names"].logits.shape[-1] == tags


def test_a_text_without_tokens_is_no_fault(encoder, tmp_path):
    data = {"train": [*nested(12), {"id": "e", "text": " \n", "names": []}], "dev": nested(4, 2)}
    settings = {**tiny.settings(encoder("bert"), "supervised"), "max_steps": 4}
    assert electra_ie.train(data, tmp_path / "run", fields=FIELDS, **settings).scores["dev"]["names"].value is not None


def test_the_latent_generator_refuses_tracks(encoder, tmp_path):
    with pytest.raises(UserError, match="the preset latent does not generate states for the scheme tracks"):
        train(encoder, tmp_path / "run", "latent")
    assert not (tmp_path / "run").exists()


def test_a_saved_model_keeps_its_scheme(run):
    loaded = Extractor.from_pretrained(run.path)
    assert loaded.discriminator.fields[0].scheme == "tracks"
    config = loaded.discriminator.heads["field_names"].model.config
    assert list(config.id2label.values()) == ["B-person", "I-person", "B-amount", "I-amount", "B-payment", "I-payment"]


def test_outside_has_the_logit_zero_in_each_track():
    logits = torch.tensor([[[1.0, 2.0, 3.0, 4.0]]])
    assert tag_logits(FIELD, logits).tolist() == [[[[0.0, 1.0, 2.0], [0.0, 3.0, 4.0]]]]
    probabilities = field_probabilities(FIELD, logits)
    assert probabilities.shape == (1, 1, 6)
    assert torch.allclose(probabilities.unflatten(-1, (2, 3)).sum(-1), torch.ones(1, 1, 2))
    (first, one), (second, other) = track_logits(FIELD, logits[0].numpy())
    assert (first.names, second.names) == (("O", "B-person", "I-person"), ("O", "B-amount", "I-amount"))
    assert (one.tolist(), other.tolist()) == ([[0.0, 1.0, 2.0]], [[0.0, 3.0, 4.0]])


def test_only_spans_of_one_label_are_lost():
    spans = [Span(0, 5, "person"), Span(1, 2, "amount"), Span(3, 9, "person")]
    assert lost_by_overlap(FIELD, spans) == [Span(0, 5, "person")]
    assert [(track.labels, kept) for track, kept, _ in by_track(FIELD, spans)] == [
        (("person",), [spans[2]]),
        (("amount",), [spans[1]]),
    ]


@pytest.mark.slow  # the graph of a run of one sequence is exported by tests/export
def test_an_exported_model_finds_the_same(run, tmp_path):
    from electra_ie.export.exporter import export_run
    from electra_ie.inference.engine.exported import ExportedExtractor

    (tmp_path / "texts.txt").write_text("\n".join(each["text"] for each in nested(6, 4)), encoding="utf-8")
    exported = export_run(run.path, tmp_path / "exported", texts=[tmp_path / "texts.txt"])
    assert exported.comparison.other_findings == 0
    text = nested(1, 9)[0]["text"]
    assert list(ExportedExtractor.from_pretrained(tmp_path / "exported")(text)) == list(run.extractor()(text))
