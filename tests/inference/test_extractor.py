"""Findings: exact offsets, whole wherever they lie, the same in any company."""

from __future__ import annotations

import random
import unicodedata
from types import SimpleNamespace

import datasets
import numpy as np
import pandas as pd
import pytest
import tiny
import torch
from hypothesis import given
from hypothesis import strategies as st
from unicode_texts import FORM, TEXT, without_halves

from electra_ie import UserError
from electra_ie.data.document import Document, Span
from electra_ie.data.windowing import WindowTokenizer
from electra_ie.inference import extractor as module
from electra_ie.inference.engine import pipeline
from electra_ie.inference.extractor import Extractor
from electra_ie.metrics import score

ENTITY = "7345 8692"
PERSON = [tiny.NAMED]


class Oracle(SimpleNamespace):
    """A replacement for the discriminator, whose logits depend on the token only and not on its position."""

    def __init__(self, predict_logits):
        super().__init__(encoder=SimpleNamespace(device=torch.device("cpu")), training=False)
        self.predict_groups = lambda groups: [predict_logits(SimpleNamespace(input_ids=ids)) for ids in groups]
        self.eval = self.train = lambda *_: self


def knowing(windower: WindowTokenizer) -> Extractor:
    """An extractor that finds ENTITY: a piece with a 7 begins it, a piece with another digit goes on."""
    pieces = windower.tokenizer.convert_ids_to_tokens(list(range(len(windower.tokenizer))))
    kinds = torch.tensor([1 if "7" in piece else 2 if any(map(str.isdigit, piece)) else 0 for piece in pieces])

    def predict_logits(batch):
        return {"names": torch.nn.functional.one_hot(kinds[batch.input_ids], 5).float() * 5}

    return Extractor(Oracle(predict_logits), windower, PERSON)


@pytest.fixture(scope="module", params=tiny.TOKENIZERS)
def folder(request, encoder):
    return encoder(request.param)


def test_names_are_found_at_every_position_of_a_long_text(folder):
    """Recall does not depend on where in a long text a name stands: nothing is cut off, nothing is passed over."""
    draw = random.Random(1)
    extractor = knowing(tiny.windower_of(folder, 48, 4))
    words, gold, length = [], [], 0
    for number in range(1, 10_001):
        word = ENTITY if number % 100 == 0 else draw.choice(tiny.WORDS) + draw.choice(("", "", "", "", ",", "."))
        if word is ENTITY:
            gold.append(Span(length, length + len(word), "person"))
        words.append(word)
        length += len(word) + 1
    text = " ".join(words)
    result = next(extractor.read([Document("long", text)]))
    assert result.windows > 200
    assert result.answers["names"] == gold
    assert len(gold) == 100
    assert result.record()["characters"] == len(text)
    assert score(tiny.NAMED, [gold], [result.answers["names"]])["recall"] == 1


@pytest.mark.parametrize(
    ("size", "context_overlap", "whole"), [(14, 0, False), (20, 3, False), (33, 8, False), (20, 3, True)]
)
def test_a_name_across_a_window_boundary_is_found_whole(folder, size, context_overlap, whole):
    windower = WindowTokenizer(tiny.windower_of(folder).tokenizer, size, context_overlap, whole)
    extractor = knowing(windower)
    crossed = 0
    for number in range(1, 60):  # at the very beginning a tokenizer may put its word mark on the first digit
        before = "bank " * number
        text = before + ENTITY + " river" * 30
        windows = windower(text)
        edges = [window.owned[0][0] for window in windows[1:]]
        crossed += any(len(before) < edge < len(before) + len(ENTITY) for edge in edges)
        found = [(each.start, each.end, each.text, each.label) for each in extractor(text)]
        assert found == [(len(before), len(before) + len(ENTITY), ENTITY, "person")], number
    assert crossed > 3, "no cut went through the name: the test tests nothing"


def scattered(batch):
    """Logits that follow from the token alone, as wild as can be."""
    ids = batch.input_ids.double()
    tags = torch.stack([torch.sin(ids * (place + 1) * 12.9898) * 4 for place in range(5)], -1)
    return {"names": tags, "topic": tags[:, 0, :3] + 1, "risks": tags[:, 1, :2]}


@given(TEXT, FORM, st.integers(10, 40))
@pytest.mark.parametrize("whole", [False, True])
def test_a_finding_is_a_passage_without_white_space_at_its_edges(folder, whole, text, form, size):
    text = without_halves(unicodedata.normalize(form, text) if form else text)
    windower = WindowTokenizer(tiny.windower_of(folder).tokenizer, size, 3, whole)
    found = Extractor(Oracle(scattered), windower, tiny.FIELDS)(text)
    for each in found:
        assert 0 <= each.start <= each.end <= len(text)
        if each.field == "names":
            assert each.text == text[each.start : each.end] == each.text.strip() != ""
            assert each.window is None
        else:
            assert each.text is None
            assert 1 <= each.window <= len(windower(text))
        assert 0 <= each.score <= 1
    assert [each.field for each in found].count("topic") == (1 if text.strip() else 0)
    assert found == sorted(found, key=lambda each: (each.start, each.end, each.field, each.label))


@pytest.fixture(scope="module")
def reader(folder):
    """A real discriminator whose answers differ from text to text."""
    discriminator = tiny.discriminator_of(folder, sharp=3.0).eval()
    return Extractor(discriminator, tiny.windower_of(folder, 32, 4), tiny.FIELDS)


def test_other_documents_in_the_batch_do_not_change_the_answers(reader, monkeypatch):
    """Documents in any order, any number of windows at once: the same findings, byte for byte."""
    draw = random.Random(2)
    documents = [
        Document(str(number), " ".join(draw.choices([*tiny.WORDS, *tiny.NAMES, "5.975,74"], k=draw.randint(0, 90))))
        for number in range(12)
    ]
    alone = {each.document.id: each for each in reader.read(documents)}
    assert list(alone) == [each.id for each in documents], "documents come back in their order"
    names = {finding.label for each in alone.values() for finding in each.findings}
    assert len(names) >= 3, f"answers so alike that any would do: {names}"
    for tokens, characters in ((4096, 1 << 18), (64, 300), (1, 1), (300, 1000)):
        monkeypatch.setattr(module, "TOKENS_ON_CPU", tokens)
        monkeypatch.setattr(pipeline, "CHARACTERS_AT_ONCE", characters)
        draw.shuffle(documents)
        for result in reader.read(documents):
            expected = alone[result.document.id]
            assert result.answers == expected.answers
            assert result.record() == expected.record()


def test_one_text_gives_the_same_findings_as_in_a_list(reader):
    text = "Arden paid 5.975,74 to Brisk. " * 6
    assert reader(text) == next(reader.read([Document("x", text)])).findings


def test_a_record_names_document_model_and_version(reader):
    text = "Arden paid 5.975,74 to Brisk. " * 6
    result = next(reader.read([Document("x", text, file="a.txt")]))
    record = result.record()
    assert list(record) == ["id", "file", "characters", "windows", "model", "version", "findings"]
    assert (record["id"], record["file"], record["characters"]) == ("x", "a.txt", len(text))
    assert record["windows"] == len(reader.windower(text)) > 1
    assert {finding["field"] for finding in record["findings"]} >= {"topic"}
    for finding in record["findings"]:
        own = "text" if finding["field"] == "names" else "window"
        assert list(finding) == ["field", "label", "start", "end", own, "score"]


def test_a_blank_text_has_no_findings(reader):
    for text in ("", " \n "):
        (result,) = reader.read([Document("", text)])
        assert result.findings == []
        assert result.answers["topic"] in tiny.TOPIC.labels
        assert result.windows == 1


def test_classes_and_flags_are_decided_by_the_mean_over_windows_and_point_to_the_best_one(encoder):
    windower = tiny.windower_of(encoder("bert"), 24, 4)
    bank, river = windower.tokens("bank")[0][0], windower.tokens("river")[0][0]

    def predict_logits(batch):
        trade, travel = ((batch.input_ids == each).any(1).float() for each in (bank, river))
        logits = torch.stack([trade * 3, travel * 8, torch.zeros_like(trade)], 1)
        return {"topic": logits, "risks": torch.stack([trade * 8 - 4, travel * 16 - 4], 1)}

    text = "the bank was closed. " * 8 + "the river was red. " * 4
    found = Extractor(Oracle(predict_logits), windower, [tiny.TOPIC, tiny.RISKS])(text)
    windows = windower(text)
    loud = [window for window in windows if "river" in text[window.owned[0][0] : window.owned[-1][1]]]
    quiet = [window for window in windows if "bank" in text[window.owned[0][0] : window.owned[-1][1]]]
    mean = {"trade": 3 * len(quiet) / len(windows), "travel": 8 * len(loud) / len(windows)}
    topic = next(each for each in found if each.field == "topic")
    assert topic.label == max(mean, key=mean.get) == "travel"
    assert (topic.start, topic.end) == (loud[0].owned[0][0], loud[0].owned[-1][1])
    assert topic.window == windows.index(loud[0]) + 1 > 1
    assert topic.text is None
    flags = {each.label for each in found if each.field == "risks"}
    sure = {"late": 8 * len(quiet) / len(windows) - 4, "cash": 16 * len(loud) / len(windows) - 4}
    assert flags == {label for label, logit in sure.items() if logit > 0}
    assert len(flags) > 0


def test_flag_threshold_and_span_score(encoder):
    """The second token would rather go on with an amount, which nothing began: its tag is the best that may follow."""
    windower = tiny.windower_of(encoder("bert"))
    tags = torch.zeros(1, 4, 5)  # [CLS] bank paid [SEP]; O, B-person, I-person, B-amount, I-amount
    tags[0, 1, 1], tags[0, 2, 2], tags[0, 2, 4] = 5.0, 2.0, 2.5
    extractor = Extractor(
        Oracle(lambda batch: {"names": tags, "risks": torch.tensor([[0.02, -0.02]])}),
        windower,
        [tiny.RISKS, tiny.NAMED],
    )
    flag, span = sorted(extractor("bank paid"), key=lambda each: each.field, reverse=True)
    assert (flag.label, flag.score) == ("late", pytest.approx(torch.sigmoid(torch.tensor(0.02)).item(), abs=1e-4))
    assert (span.start, span.end, span.label) == (0, 9, "person")
    given = tags.softmax(-1)[0]
    assert span.score == pytest.approx(float(given[1, 1] + given[2, 2]) / 2, abs=1e-4)


def test_a_list_of_texts_has_the_findings_of_each_text(reader):
    texts = ["Arden paid 1.234,56", "", "the river moved to Brisk"]
    results = reader(texts)
    assert results == [reader(text) for text in texts] == reader(tuple(texts))
    assert reader([]) == []
    assert [findings.result.document.text for findings in results] == texts


def test_a_saved_extractor_is_read_back_without_texts_and_paths(run, tmp_path):
    loaded = Extractor.from_pretrained(run)
    loaded.save_pretrained(tmp_path / "new" / "saved")
    saved = tmp_path / "new" / "saved"
    fields = {field.name for field in tiny.FIELDS}
    assert {path.name for path in saved.iterdir()} == {*fields, "config.json", "task.yaml", "calibration.json"}
    for name in fields:
        assert {path.name for path in (saved / name).iterdir()} == {path.name for path in (run / name).iterdir()}
    assert str(run.parent) not in (saved / "task.yaml").read_text("utf-8")
    again = Extractor.from_pretrained(saved)
    text = "invoice goods Arden paid 5.975,74 later than monday."
    assert again(text) == loaded(text)
    assert again.fields == loaded.fields
    assert again.edges == loaded.edges
    assert again.model == loaded.model, "the same bytes"
    again.save_pretrained(saved)
    assert Extractor.from_pretrained(saved)(text) == loaded(text)


def test_an_extractor_that_was_never_loaded_is_saved_too(encoder, tmp_path):
    folder = encoder("bert")
    made = Extractor(tiny.discriminator_of(folder), tiny.windower_of(folder), tiny.FIELDS)
    made.save_pretrained(tmp_path / "saved")
    again = Extractor.from_pretrained(tmp_path / "saved")
    assert again.fields == tiny.FIELDS
    assert again("Arden paid 5.975,74") == made("Arden paid 5.975,74")


def test_an_extractor_is_not_saved_over_a_run_or_a_file(run, tmp_path):
    loaded = Extractor.from_pretrained(run)
    with pytest.raises(UserError, match="the folder of a run, whose audit records the models in it. Give another"):
        loaded.save_pretrained(run)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file: this is a file. Give a folder"):
        loaded.save_pretrained(tmp_path / "file")


@pytest.mark.parametrize(
    "several",
    [
        tuple,
        np.array,
        pd.Series,
        iter,
        lambda texts: pd.Series(texts, index=[7, 7]),
        lambda texts: datasets.Dataset.from_dict({"text": texts})["text"],
    ],
)
def test_an_extractor_takes_columns_of_tables_and_other_iterables_of_strings(encoder, several):
    folder, texts = encoder("bert"), ["Arden paid 5.975,74", "Corvo paid late"]
    extractor = Extractor(tiny.discriminator_of(folder), tiny.windower_of(folder), tiny.FIELDS)
    assert extractor(several(texts)) == extractor(texts)


def test_an_extractor_is_shown_with_its_fields_and_its_model(run, encoder):
    loaded = Extractor.from_pretrained(run)
    fields = "topic: classes, risks: flags, names: spans"
    assert repr(loaded) == f"Extractor(fields=({fields}), model='{loaded.model}')"
    folder = encoder("bert")
    made = Extractor(tiny.discriminator_of(folder), tiny.windower_of(folder), tiny.FIELDS)
    assert repr(made) == f"Extractor(fields=({fields}), model=None)"


def test_an_extractor_takes_strings_only(encoder, tmp_path):
    windower = tiny.windower_of(encoder("bert"))
    extractor = Extractor(tiny.discriminator_of(encoder("bert")), windower, tiny.FIELDS)
    for value, message in (
        (None, "text is of the type NoneType"),
        ({"text": "abc"}, "text is of the type dict"),
        (b"abc", "text is of the type bytes"),
        (
            pd.DataFrame({"text": ["abc"]}),
            r'text is of the type DataFrame. Give .* the column of the texts: data\["text"\]',
        ),
        (pd.Series(["a", 1]), "item 1 is of the type int, not a string"),
        (["a", None], "item 1 is of the type NoneType, not a string"),
        ("a\ud800b", "text has a lone surrogate at character 1"),
    ):
        with pytest.raises(UserError, match=message):
            extractor(value)
    assert extractor([]) == []
    (tmp_path / "task.yaml").write_text("description: mine", "utf-8")
    with pytest.raises(UserError, match="the folder of a task"):
        extractor.save_pretrained(tmp_path)
