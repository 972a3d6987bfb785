"""Training data: splits, label budget, and gold that cannot be expressed, which is refused or counted."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import tiny

from electra_ie.common.errors import UserError
from electra_ie.config.train import TrainSettings
from electra_ie.data import gold_checks
from electra_ie.data.document import Document, Span
from electra_ie.data.fields import Field
from electra_ie.data.gold_checks import comparable_gold, warn_of_conflicts, warn_of_rare_labels
from electra_ie.data.task import Task
from electra_ie.data.training_data import TrainingData
from electra_ie.data.windowing import WindowTokenizer
from electra_ie.metrics import score

OVERLAP = {"id": "o", "text": "Arden Brisk paid", "topic": "trade", "risks": [], "names": [
    {"start": 0, "end": 11, "label": "person"}, {"start": 6, "end": 11, "label": "person"},
    {"start": 12, "end": 16, "label": "amount"}]}  # fmt: skip


def read(file, **settings) -> TrainingData:
    return TrainingData.read(Task.load(file), TrainSettings.build(None, (), **settings))


def add(file, name, *records):
    with (file.parent / name).open("a", encoding="utf-8") as stream:
        stream.writelines(json.dumps(record) + "\n" for record in records)


def test_data_follow_preset_budget_and_limits(task, tmp_path, capsys):
    supervised = read(task, preset="supervised")
    assert (len(supervised.train), len(supervised.pool), len(supervised.dev)) == (40, 30, 20)
    adversarial = read(task, preset="adversarial", label_budget=10, max_dev_documents=7)
    assert (len(adversarial.train), len(adversarial.pool), len(adversarial.dev)) == (10, 60, 7)
    assert all(document.gold for document in adversarial.train)
    assert not any(document.gold for document in adversarial.pool)
    (tmp_path / "more.txt").write_text("another text", encoding="utf-8")
    capsys.readouterr()
    assert len(read(task, preset="adversarial", unlabeled=(str(tmp_path / "more.txt"),)).pool) == 31
    assert not capsys.readouterr().err
    tiny.without(task, "risks")
    for budget in (None, 10):
        assert not read(task, preset="supervised", label_budget=budget).pool, "only flags need unlabeled text"
    assert len(read(task, preset="self_training").pool) == 30


def test_no_more_unlabeled_texts_are_tokenized_than_needed(task, encoder):
    data, windower = read(task, preset="adversarial"), tiny.windower_of(encoder("bert"))
    every, windows = data.unlabeled_windows(windower, 1000, seed=0)
    assert sorted(document.id for document in every) == sorted(document.id for document in data.pool)
    assert windows == tiny.rows(windower, every, ())
    some, first = data.unlabeled_windows(windower, 7, seed=0)
    assert some == every[: len(some)]
    assert first == windows[: len(first)]
    assert 7 <= len(first) < 12
    other, _ = data.unlabeled_windows(windower, 7, seed=1)
    assert other != some


def test_gold_keeps_its_offsets_if_its_text_occurs_twice(task):
    records = [json.loads(line) for line in (task.parent / "train.jsonl").read_text("utf-8").splitlines()]
    gold = {
        record["id"]: {(span["start"], span["end"], span["label"]) for span in record["names"]} for record in records
    }
    documents = read(task, preset="supervised").train
    assert {
        document.id: {(span.start, span.end, span.label) for span in document.gold["names"]} for document in documents
    } == gold
    twice = [
        document
        for document in documents
        if any(document.text.index(document.text[s.start : s.end]) < s.start for s in document.gold["names"])
    ]
    assert len(twice) == 10


@pytest.mark.parametrize("draw", ["plain", "stratified"])
def test_presets_draw_the_same_labels(task, draw):
    settings = {"label_budget": 12, "seed": 4, "label_draw": draw}
    one, other = (read(task, preset=preset, **settings).train for preset in ("supervised", "adversarial"))
    assert [document.id for document in one] == [document.id for document in other]


def test_label_draw_decides_which_labels_are_kept(task):
    plain, stratified, default = (
        [document.id for document in read(task, label_budget=12, **draw).train]
        for draw in ({"label_draw": "plain"}, {"label_draw": "stratified"}, {})
    )
    assert plain == default != stratified


def test_budget_above_the_number_of_labels_is_refused(task):
    with pytest.raises(UserError, match="--label-budget 41: train has 40 labeled documents"):
        read(task, label_budget=41)


def test_train_without_a_label_is_refused(task):
    tiny.write_records(task.parent / "train.jsonl", [{"id": "a", "text": "bare"}])
    with pytest.raises(UserError, match='no record of the split "train" has a label'):
        read(task)


@pytest.mark.parametrize("name", ["topic", "risks", "names"])
def test_a_field_that_no_labeled_record_of_train_has_is_refused(task, name):
    records = [json.loads(line) for line in (task.parent / "train.jsonl").read_text("utf-8").splitlines()]
    tiny.write_records(task.parent / "train.jsonl", [{k: v for k, v in row.items() if k != name} for row in records])
    with pytest.raises(UserError, match=f'no labeled record of the split "train" has the field "{name}"'):
        read(task)


@pytest.mark.parametrize(("split", "line"), [("train", 41), ("dev", 21)])
def test_gold_that_bio_cannot_express_is_refused_with_its_position(task, split, line):
    add(task, f"{split}.jsonl", OVERLAP)
    with pytest.raises(UserError) as caught:
        read(task)
    message = str(caught.value)
    assert f"{split}.jsonl:{line}: 1 of {2 * (40 + 20) + 3} gold spans" in message, message
    assert '"names"' in message
    assert "characters 6 to 11 of o" in message
    assert "overlaps: count" in message


def test_overlapping_gold_is_counted_by_option_and_missed_in_the_score(task, capsys):
    text = task.read_text("utf-8").replace("labels: [person, amount]}", "labels: [person, amount], overlaps: count}")
    task.write_text(text, encoding="utf-8")
    add(task, "train.jsonl", OVERLAP)
    data = read(task)
    assert "train.jsonl:41: 1 of 123 gold spans" in capsys.readouterr().err
    document = next(document for document in data.train if document.id == "o")
    assert len(document.gold["names"]) == 3, "a gold span was dropped"
    best = (Span(0, 11, "person"), Span(12, 16, "amount"))  # all that BIO can express
    ours = score(tiny.NAMED, [document.gold["names"]], [best])
    assert (ours["support"], ours["recall"]) == (3, 2 / 3)
    run = Task.from_dict(Task.load(task).as_dict(), task)
    assert run.fields[2].overlaps == "count", "the task of a run lacks the option"


@pytest.mark.parametrize("option", ["overlaps: counted", "overlaps: [count]", "overlaps: true"])
def test_overlaps_accepts_error_or_count_only(task, option):
    text = task.read_text("utf-8").replace("[person, amount]}", f"[person, amount], {option}}}")
    task.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="task.yaml:7: overlaps is .* error or count"):
        Task.load(task)


def test_label_without_an_example_is_a_warning(task, capsys):
    text = task.read_text("utf-8")
    for last, added in (("other", "sport"), ("cash", "gold"), ("amount", "city")):
        text = text.replace(f"{last}]", f"{last}, {added}]")
    task.write_text(text, encoding="utf-8")
    read(task)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    for line, field, label in zip(lines, ("topic", "risks", "names"), ("sport", "gold", "city"), strict=True):
        assert f'field "{field}": 1 of' in line
        assert "has no labeled document" in line
        assert line.endswith(f": {label}.")


def test_label_of_a_single_document_is_a_warning(capsys):
    topic, names = (Field(name, kind, ("a", "b", "c")) for name, kind in (("topic", "classes"), ("names", "spans")))
    spans = {"a": Span(0, 1, "a"), "b": Span(2, 3, "b")}
    train = [Document("1", "a b", {"topic": "a", "names": (spans["a"], spans["a"], spans["b"])})]
    train += [Document(str(index), "a b", {"topic": "b", "names": (spans["b"],)}) for index in (2, 3)]
    for field in (topic, names):
        warn_of_rare_labels(field, train)
    expected = [f'field "{name}": 1 of 3 labels has {what}: {label}.' for name in ("topic", "names")
            for what, label in (("no labeled document", "c"), ("only one labeled document", "a"))]  # fmt: skip
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition("warning: ")[2] for line in lines] == expected


def windower_of(file, encoder, units="auto") -> WindowTokenizer:
    return read(file).windower(tiny.windower_of(encoder("bert")).tokenizer, 48, 4, tiny.FIELDS, units)


def add_spans_inside_words(task, size):
    part = {"text": "the Ardens paid", "names": [{"start": 4, "end": 9, "label": "person", "text": "Arden"}]}
    for index in range(size):
        add(task, "train.jsonl", {"id": f"i{index}", **part})
    return part["text"]


def test_few_spans_inside_words_keep_whole_words(task, encoder, capsys):
    assert windower_of(task, encoder).whole_words is True and capsys.readouterr().err == ""
    text = add_spans_inside_words(task, 2)
    windower = windower_of(task, encoder)
    assert windower.whole_words is True and (4, 10) in windower.tokens(text)[1]
    line = capsys.readouterr().err
    assert "warning: 2 of 82 gold spans of train begin or end inside a word of this encoder: " in line
    assert "i0 (line 41, characters 4 to 9), i1 (line 42, characters 4 to 9)." in line
    assert "--set units=tokens it can find 2 of them." in line


def test_tokens_are_labeled_if_words_cannot_express_much_of_the_gold(task, encoder, capsys):
    text = add_spans_inside_words(task, 8)
    windower = windower_of(task, encoder)
    assert (4, 9) in windower.tokens(text)[1] and windower.whole_words is False
    assert capsys.readouterr().err == ""


def test_setting_units_decides(task, encoder):
    assert windower_of(task, encoder, "tokens").whole_words is False
    add_spans_inside_words(task, 8)
    assert windower_of(task, encoder, "words").whole_words is True


def test_spans_inside_a_token_are_counted_and_five_are_listed(task, encoder, capsys):
    for index in range(6):
        part = {
            "id": f"i{index}",
            "text": "the bank",
            "names": [{"start": 4, "end": 7, "label": "person", "text": "ban"}],
        }
        add(task, "train.jsonl", part)
    add(task, "dev.jsonl", {**part, "id": "d", "text": "the bank opened"})
    windower_of(task, encoder, "tokens")
    train, dev = capsys.readouterr().err.splitlines()
    assert "warning: 6 of 86 gold spans of train begin or end inside a token" in train
    assert train.count("(line ") == 5
    assert "i4 (line 45, characters 4 to 7), ..." in train
    assert "units=tokens" not in train
    assert "warning: 1 of 41 gold spans of dev" in dev
    assert "d (line 21, characters 4 to 7)." in dev


def test_dev_split_without_labels_is_refused(task):
    file = task.parent / "dev.jsonl"
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    tiny.write_records(file, [{"id": row["id"], "text": row["text"]} for row in rows])
    with pytest.raises(UserError, match='no record of the split "dev" has a label'):
        read(task)


def test_texts_of_dev_in_train_are_counted(task, capsys):
    first = json.loads((task.parent / "train.jsonl").read_text("utf-8").splitlines()[0])
    add(task, "dev.jsonl", {**first, "id": "again"})
    read(task)
    said = "1 of 21 texts of dev are also in train, word for word: scores on dev are too high."
    assert f"{said} `electra-ie check` lists them." in capsys.readouterr().err
    of_files = Task.load(task)
    memory = {name: of_files.read(split) for split in of_files.splits for name in of_files.files[split]}
    TrainingData.read(replace(of_files, name="relations", memory=memory), TrainSettings.build(None))
    assert f"{said}\n" in capsys.readouterr().err, "the command does not read texts with marked spans"


def test_supervised_preset_warns_of_unused_unlabeled_text(task, capsys):
    read(tiny.without(task, "risks"), unlabeled=("more.txt",))
    assert (
        "--unlabeled: the preset supervised uses no unlabeled text; --preset self_training does."
        in capsys.readouterr().err
    )


def test_hash_depends_on_texts_and_gold(task):
    before = read(task).hash
    assert read(task).hash == before
    file = task.parent / "train.jsonl"
    file.write_text(file.read_text("utf-8").replace('"risks": ["late"]', '"risks": []'), encoding="utf-8")
    assert read(task).hash != before


def test_dev_documents_without_gold_take_no_place_in_its_sample(tmp_path):
    file = tiny.write_task(tmp_path / "task")
    add(file, "dev.jsonl", *({"id": f"u{number}", "text": f"nothing {number}"} for number in range(300)))
    labeled = {document.id for document in Task.load(file).read("dev") if document.gold}
    data = TrainingData.read(Task.load(file), TrainSettings.build(None, ("max_dev_documents=10",)))
    assert len(data.dev) == min(10, len(labeled)) and {document.id for document in data.dev} <= labeled


def test_conflicts_of_long_documents_are_looked_for_in_linear_time(monkeypatch):
    """The positions of spans are compared only where a text occurs twice, and counted once for a text."""
    text = "word " * 40_000
    spans = tuple(Span(start, start + 4, "x") for start in range(0, len(text), 50))
    field = Field("names", "spans", ("x",))
    one, two = (Document(id, text, {"names": spans}) for id in "ab")
    assert comparable_gold(one, field) == comparable_gold(two, field)
    assert comparable_gold(one, field)[1] == ([(40, "word")], "x")
    monkeypatch.setattr(gold_checks, "comparable_gold", lambda *_: pytest.fail("nothing is to be compared"))
    warn_of_conflicts([one], [field])
