"""The store of annotations: in the task's own JSON lines, whatever happens while it writes."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import linked
import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st

from electra_ie.common.errors import UserError
from electra_ie.data.document import Document, Finding, RelationFinding
from electra_ie.data.fields import Field, RelationField
from electra_ie.data.in_memory import resolve
from electra_ie.data.task import Task
from electra_ie.inference.engine.results import DocumentResult
from electra_ie.labeling.record_files import key_of
from electra_ie.labeling.session import Options, Session
from electra_ie.labeling.store import NOTHING, Conflict, LabelStore
from electra_ie.labeling.suggester import suggested

YAML = """\
format: jsonl
files: {train: train.jsonl, dev: dev.jsonl, unlabeled: pool.jsonl}
fields:
  topic: {kind: classes, labels: [trade, travel]}
  risks: {kind: flags, labels: [late, cash]}
  names: {kind: spans, labels: [person, amount], from: entities}
  links: {kind: relations, labels: [pays]}
"""
TEXTS = ["👍 Arden paid 9.99", "ماجد دفع ٥", "张三付了钱", "Corvo left", "nothing here"]
FIRST = '{"note": {"a": 1.0}, "text": "Brisk sent 5", "id": "first", "entities": [{"start": 0, "end": 5, "label": "person", "by": "hand"}]}'


def new_task(folder: Path, yaml: str = YAML, train: str | None = FIRST + "\n") -> Path:
    folder.mkdir()
    (folder / "task.yaml").write_text(yaml, encoding="utf-8")
    tiny.write_records(folder / "pool.jsonl", [{"id": f"p{n}", "text": text} for n, text in enumerate(TEXTS)])
    if train is not None:
        (folder / "train.jsonl").write_text(train, encoding="utf-8")
    return folder


def store_of(folder: Path) -> LabelStore:
    return LabelStore(Task.load(folder))


def lines(folder: Path, name: str = "train.jsonl") -> list[dict[str, Any]]:
    file = folder / name
    return [json.loads(line) for line in file.read_text("utf-8").splitlines() if line] if file.exists() else []


def answer(**fields: Any) -> dict[str, Any]:
    return {"topic": None, "risks": [], "names": [], "links": [], **fields}


PERSON = {"start": 2, "end": 7, "label": "person"}
AMOUNT = {"start": 13, "end": 17, "label": "amount"}
KEY = key_of(TEXTS[0])


def test_a_text_is_saved_in_the_keys_of_the_task_with_code_points(tmp_path):
    folder = new_task(tmp_path / "t")
    store = store_of(folder)
    pays = {"head": PERSON, "tail": AMOUNT, "label": "pays"}
    store.save("ann", KEY, answer(topic="trade", names=[PERSON, AMOUNT], links=[pays]), NOTHING)
    assert (folder / "train.jsonl").read_text("utf-8").splitlines()[0] == FIRST, "the other records are as they were"
    saved = lines(folder)[1]
    assert saved == {
        "id": "p0", "text": TEXTS[0], "topic": "trade", "risks": [], "links": [pays],
        "entities": [{**PERSON, "text": "Arden"}, {**AMOUNT, "text": "9.99"}],
    }  # fmt: skip
    document = Task.load(folder).read("train")[1]
    assert [document.text[span.start : span.end] for span in document.gold["names"]] == ["Arden", "9.99"]
    assert store_of(folder).view("ann", KEY).is_saved, "a new session knows it"


def test_what_a_record_has_besides_is_kept(tmp_path):
    folder = new_task(tmp_path / "t", train=FIRST + "\r\n\n" + '{"text": "Corvo left", "answer": "ignore"}')
    store = store_of(folder)
    key = key_of("Brisk sent 5")
    seen = store.view("ann", key)
    assert seen.annotation == {"names": [{"start": 0, "end": 5, "label": "person"}]} and not seen.is_saved
    names = [{"start": 0, "end": 5, "label": "person"}, {"start": 11, "end": 12, "label": "amount"}]
    store.save("ann", key, answer(names=names), seen.version)
    changed = lines(folder)[0]
    assert changed["note"] == {"a": 1.0} and list(changed)[:3] == ["note", "text", "id"]
    assert changed["entities"] == [
        {"start": 0, "end": 5, "label": "person", "by": "hand"},
        {"start": 11, "end": 12, "label": "amount", "text": "5"},
    ]
    ignored = key_of("Corvo left")
    store.save("ann", ignored, answer(topic="travel"), store.view("ann", ignored).version)
    assert lines(folder)[-1] == {
        "text": "Corvo left", "answer": "accept", "id": "train-3", "topic": "travel", "risks": [], "entities": [], "links": [],
    }  # fmt: skip
    assert Task.load(folder).read("train")[1].gold["topic"] == "travel"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"topic": "trad"}, 'no class "trad"'),
        ({"risks": ["early"]}, 'no flag "early"'),
        ({"names": [{"start": 2, "end": 99, "label": "person"}]}, "99"),
        ({"names": [{"start": 2, "end": "7", "label": "person"}]}, "whole number"),
        ({"names": [PERSON, {**PERSON, "end": 9}]}, "overlaps another"),
        ({"names": "x"}, "not a list"),
        ({"names": [{"start": [2], "end": {}, "label": []}]}, "whole number"),
        ({"links": [{"head": 3, "tail": [], "label": "pays"}]}, "links"),
        ({"names": [PERSON], "links": [{"head": PERSON, "tail": AMOUNT, "label": "pays"}]}, "not a span"),
        ({"other": []}, 'no field "other"'),
    ],
)
def test_an_annotation_that_cannot_be_read_again_is_refused(tmp_path, wrong, message):
    folder = new_task(tmp_path / "t")
    store = store_of(folder)
    with pytest.raises(UserError, match=message):
        store.save("ann", KEY, answer(**wrong), NOTHING)
    assert len(lines(folder)) == 1 and store.journal("ann").events == []


def test_spans_on_levels_are_saved_and_fragments_are_refused(tmp_path):
    names = "names: {kind: spans, labels: [person, amount], from: entities"
    leveled = YAML.replace(names, f"{names}, scheme: levels")
    folder = new_task(tmp_path / "t", leveled)
    store_of(folder).save("ann", KEY, answer(names=[PERSON, {**PERSON, "end": 9}]), NOTHING)
    assert len(Task.load(folder).read("train")[1].gold["names"]) == 2
    divided = new_task(tmp_path / "u", leveled.replace("levels}", "levels, fragments: true}"))
    message = r"the page cannot mark spans of several fragments \(fragments: true of names\)\. Label them with brat"
    with pytest.raises(UserError, match=f"{message}.* make every such span in the data a continuous one"):
        store_of(divided)
    hulls = new_task(tmp_path / "v", YAML.replace("fields:", "options: {discontinuous: hull}\nfields:"))
    with pytest.raises(UserError, match="a saved record would lose the fragments of its spans"):
        store_of(hulls)


def test_findings_of_several_fragments_are_no_suggestions():
    fields = [Field("names", "spans", ("person", "amount")), RelationField("links", ("pays",))]
    whole = Finding("names", "person", 0, 5, "Arden", 0.9)
    divided = Finding("names", "amount", 11, 18, "5 and 6", 0.8, fragments=((11, 12), (17, 18)))
    other = Finding("names", "amount", 17, 18, "6", 0.7)
    links = [RelationFinding("links", "pays", whole, tail, 0.6) for tail in (divided, other)]
    document = Document("a", "Arden paid 5 and 6")
    result = DocumentResult(document, 1, {}, [whole, divided, other], relations=links)
    found = suggested(result, fields)
    assert [each["end"] for each in found["names"]] == [5, 18]
    assert [(each["start"], each["score"]) for each in found["names"][1:]] == [(17, 0.7)]
    assert [each["tail"]["start"] for each in found["links"]] == [17]


def test_undo_goes_back_step_by_step_also_after_a_restart(tmp_path):
    folder = new_task(tmp_path / "t")
    store = store_of(folder)
    first = store.save("ann", KEY, answer(topic="trade"), NOTHING)
    store.save("ann", KEY, answer(topic="travel"), first)
    store.skip("ann", key_of(TEXTS[1]))
    again = store_of(folder)
    assert again.journal("ann").skipped() == [key_of(TEXTS[1])]
    assert again.undo("ann").key == key_of(TEXTS[1]) and again.journal("ann").skipped() == []
    again.undo("ann")
    assert lines(folder)[1]["topic"] == "trade"
    again.undo("ann")
    assert (folder / "train.jsonl").read_text("utf-8") == FIRST + "\n"
    with pytest.raises(UserError, match="nothing to undo"):
        again.undo("ann")


def test_two_windows_do_not_overwrite_each_other(tmp_path):
    folder = new_task(tmp_path / "t")
    one, two = store_of(folder), store_of(folder)
    one.save("ann", KEY, answer(topic="trade"), NOTHING)
    two.save("ann", key_of(TEXTS[3]), answer(topic="travel"), NOTHING)  # another text: both are there
    with pytest.raises(Conflict, match="in another window") as refused:
        two.save("ann", KEY, answer(topic="travel"), NOTHING)
    assert refused.value.theirs["topic"] == "trade"
    assert [each.get("topic") for each in lines(folder)[1:]] == ["trade", "travel"]
    two.save("ann", KEY, answer(topic="travel"), refused.value.version)
    assert [each.get("topic") for each in lines(folder)[1:]] == ["travel", "travel"]


def test_another_program_may_change_the_file(tmp_path):
    folder = new_task(tmp_path / "t")
    store = store_of(folder)
    version = store.save("ann", KEY, answer(topic="trade"), NOTHING)
    file = folder / "train.jsonl"
    file.write_text('{"id": "new", "text": "quite new", "topic": "travel"}\n' + file.read_text("utf-8"), "utf-8")
    other = store.save("ann", key_of(TEXTS[3]), answer(), NOTHING)
    assert [each["id"] for each in lines(folder)] == ["new", "first", "p0", "p3"], "other records are merged"
    file.write_text(file.read_text("utf-8").replace('"topic": "trade"', '"topic": "travel"'), "utf-8")
    with pytest.raises(Conflict, match="by another program"):
        store.save("ann", KEY, answer(topic="trade"), version)
    store.undo("ann")
    assert [each["id"] for each in lines(folder)] == ["new", "first", "p0"]
    with pytest.raises(Conflict, match="changed by another program"):
        store.undo("ann")
    assert lines(folder)[-1]["topic"] == "travel" and other
    file.write_text("{not json\n", "utf-8")
    with pytest.raises(UserError, match=r"train\.jsonl:1: this is not JSON"):
        store.save("ann", KEY, answer(topic="trade"), version)
    assert file.read_text("utf-8") == "{not json\n"


def test_annotators_are_kept_apart_until_they_decide(tmp_path):
    folder = new_task(tmp_path / "t")
    store = store_of(folder)
    store.save("ann", KEY, answer(topic="trade"), NOTHING)
    assert store.view("bob", KEY).annotation == {}, "an annotator does not see what others have saved"
    version = store.save("bob", KEY, answer(topic="travel", names=[PERSON]), NOTHING)
    assert lines(folder)[1]["topic"] == "trade", "the first one is in the file"
    assert store.others("bob", KEY)["ann"]["topic"] == "trade"
    assert "trade" not in json.dumps(store.journals["bob"].events[-1].record)
    store.save("bob", KEY, answer(topic="travel"), version, adjudicate=True)
    assert lines(folder)[1]["topic"] == "travel"
    store.undo("bob")
    assert lines(folder)[1]["topic"] == "trade"
    store.undo("ann")
    assert lines(folder)[1]["topic"] == "travel", "what the other one has saved takes its place"
    store.undo("bob")
    assert len(lines(folder)) == 1


def test_texts_for_dev_and_equal_texts(tmp_path):
    folder = new_task(tmp_path / "t", train=None)
    pool = folder / "pool.jsonl"
    pool.write_text(pool.read_text("utf-8") + '{"id": "twin", "text": "Corvo left"}\n', "utf-8")
    store = store_of(folder)
    assert len(store.unlabeled()) == len(TEXTS)
    store.save("ann", KEY, answer(topic="trade"), NOTHING, part="dev")
    assert lines(folder, "dev.jsonl")[0]["topic"] == "trade" and not (folder / "train.jsonl").exists()
    assert KEY not in store.unlabeled() and store.text(KEY).part == "dev"


def test_an_id_that_is_taken_is_not_used_again(tmp_path):
    folder = new_task(tmp_path / "t", train='{"id": "p0", "text": "other", "topic": "trade"}\n')
    store_of(folder).save("ann", KEY, answer(), NOTHING)
    assert [each["id"] for each in lines(folder)] == ["p0", "unlabeled-p0"]


class Killed(BaseException):
    """The process ends here."""


@given(
    operations=st.lists(
        st.tuples(
            st.sampled_from(["save", "save", "skip", "undo"]),
            st.sampled_from(["ann", "bob"]),
            st.sampled_from(TEXTS[:3]),
            st.sampled_from(["trade", "travel", None]),
            st.integers(0, 3),
        ),
        min_size=1,
        max_size=8,
    ),
    last=st.integers(0, 7),
)
def test_a_kill_at_any_write_leaves_the_file_before_or_after(tmp_path_factory, operations, last):
    """Every system call that writes may be the last one; the next session goes on with one of both states."""
    folder = new_task(tmp_path_factory.mktemp("kill") / "t")
    killed_at = min(last, len(operations) - 1)
    for index, (kind, who, text, topic, call) in enumerate(operations):
        before, twin = (folder / "train.jsonl").read_bytes(), folder.parent / f"twin{index}"
        shutil.copytree(folder, twin)
        _operate(twin, kind, who, text, topic)
        with pytest.MonkeyPatch.context() as patch:
            if index == killed_at:
                _kill_after(patch, call)
            _operate(folder, kind, who, text, topic)
        reopened = store_of(folder)
        now = (folder / "train.jsonl").read_bytes()
        assert now in (before, (twin / "train.jsonl").read_bytes())
        assert now.startswith((FIRST + "\n").encode())
        for journal in reopened.journals.values():
            for key, event in journal.saved().items():
                assert reopened.view(journal.annotator, key).annotation.get("topic") == event.record["topic"]


def _operate(folder, kind, who, text, topic):
    key = key_of(text)
    with contextlib.suppress(Killed, UserError):
        store = store_of(folder)
        if kind == "save":
            store.save(who, key, answer(topic=topic), store.view(who, key).version)
        elif kind == "skip":
            store.skip(who, key)
        else:
            store.undo(who)


def _kill_after(patch, calls):
    """End the process at the given call of those that write or rename."""
    left = [calls]
    for name in ("fsync", "replace"):
        real = getattr(os, name)

        def counted(*arguments, real=real, name=name):
            left[0] -= 1
            if left[0] < 0:
                if name == "fsync":  # the end of what was written is not on the disk
                    os.ftruncate(arguments[0], os.fstat(arguments[0]).st_size - 3)
                patch.setattr(Path, "unlink", lambda *_, **__: None)  # a killed process cleans nothing up
                patch.setattr("electra_ie.labeling.journal.Journal.withdraw", lambda _: None)
                raise Killed
            return real(*arguments)

        patch.setattr(os, name, counted)


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("which", [0, 1])
def test_a_full_disk_loses_nothing(tmp_path, monkeypatch, call, which):
    folder = new_task(tmp_path / "t")
    store = store_of(folder)
    version = store.save("ann", KEY, answer(topic="trade"), NOTHING)
    before = (folder / "train.jsonl").read_bytes(), (folder / "labels/ann.jsonl").read_bytes()
    real, seen = getattr(os, call), []

    def full(*arguments):
        seen.append(arguments)
        if len(seen) > which or call == "replace":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(OSError, match="No space left"):
            store.save("ann", KEY, answer(topic="travel"), version)
    assert ((folder / "train.jsonl").read_bytes(), (folder / "labels/ann.jsonl").read_bytes()) == before
    store.save("ann", KEY, answer(topic="travel"), version)  # there is space again
    assert lines(folder)[1]["topic"] == "travel"


def test_a_torn_line_of_the_journal_is_cut_and_an_interrupted_save_completed(tmp_path, capfd):
    folder = new_task(tmp_path / "t")
    store = store_of(folder)
    store.save("ann", KEY, answer(topic="trade"), NOTHING)
    after = (folder / "train.jsonl").read_bytes()
    (folder / "train.jsonl").write_bytes((FIRST + "\n").encode())  # killed between journal and file
    with (folder / "labels/ann.jsonl").open("ab") as file:
        file.write(b'{"number": 2, "ev')
    again = store_of(folder)
    assert (folder / "train.jsonl").read_bytes() == after
    assert "interrupted" in capfd.readouterr().err
    again.undo("ann")
    assert [event.event for event in store_of(folder).journal("ann").events] == ["save", "undo"]
    (folder / "labels/ann.jsonl").write_text('{"hand": "made"}\n', "utf-8")
    with pytest.raises(UserError, match=r"ann\.jsonl:1: this line is not one of the journal"):
        store_of(folder)


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [("key", ["a"], r'\["a"\]'), ("number", "1", '"1"'), ("record", 3, "3"), ("file", {}, "{}"), ("event", "saved", '"saved"')],
)  # fmt: skip
def test_a_value_of_the_journal_of_another_type_is_refused_by_line(tmp_path, key, value, shown):
    folder = new_task(tmp_path / "t")
    store_of(folder).save("ann", KEY, answer(topic="trade"), NOTHING)
    journal = folder / "labels/ann.jsonl"
    event = json.loads(journal.read_text("utf-8"))
    journal.write_text(json.dumps({**event, "before": None}) + "\n", "utf-8")
    assert store_of(folder).journal("ann").saved(), "null is the same as no key"
    journal.write_text(json.dumps({**event, key: value}) + "\n", "utf-8")
    with pytest.raises(UserError, match=rf'ann\.jsonl:1: "{key}" is {shown}, which the journal'):
        store_of(folder)


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        (
            YAML.replace("jsonl\nfiles", "csv\nfiles").replace("\n  links: {kind: relations, labels: [pays]}", ""),
            "format csv",
        ),
        (YAML.replace("train: train.jsonl, ", ""), "no file of the split train"),
        (YAML.replace("train: train.jsonl", "train: train.jsonl.gz"), r"ending \.jsonl"),
    ],
)
def test_tasks_without_json_lines_of_their_own_are_refused(tmp_path, yaml, message):
    with pytest.raises(UserError, match=message):
        store_of(new_task(tmp_path / "t", yaml))


def test_shipped_tasks_and_data_in_memory_are_refused():
    with pytest.raises(UserError, match="a task of the package"):
        LabelStore(Task.load("transaction_risk"))
    task, _ = resolve(linked.data(), fields=linked.FIELDS)
    with pytest.raises(UserError, match="not in files of its folder"):
        LabelStore(task)


def test_attributes_of_spans_are_kept(tmp_path):
    yaml = YAML.replace(
        "links: {kind: relations, labels: [pays]}", "sure: {kind: attributes, labels: [yes_, no_], of: [person]}"
    )
    record = {"id": "1", "text": "Arden paid", "entities": [{"start": 0, "end": 5, "label": "person", "sure": "no_"}]}
    folder = new_task(tmp_path / "t", yaml, json.dumps(record) + "\n")
    store, key = store_of(folder), key_of("Arden paid")
    seen = store.view("ann", key)
    assert "sure" not in seen.annotation
    store.save("ann", key, {**seen.annotation, "topic": "trade", "risks": []}, seen.version)
    assert lines(folder)[0]["entities"] == record["entities"] and key not in store.unlabeled()


def test_a_file_that_is_restored_after_a_broken_line_keeps_its_records(tmp_path):
    folder = new_task(tmp_path / "t")
    store, file = store_of(folder), folder / "train.jsonl"
    file.rename(folder / "kept")
    file.write_text("{broken\n", "utf-8")
    with pytest.raises(UserError, match="not JSON"):
        store.save("ann", KEY, answer(topic="trade"), NOTHING)
    (folder / "kept").rename(file)  # the same inode, size and time as before
    store.save("ann", KEY, answer(topic="trade"), NOTHING)
    assert [each["id"] for each in lines(folder)] == ["first", "p0"]


def test_undo_leaves_what_another_program_wrote_between_two_saves(tmp_path):
    folder = new_task(tmp_path / "t", train="")
    store, file = store_of(folder), folder / "train.jsonl"
    store.save("ann", KEY, answer(topic="trade"), NOTHING)
    file.write_text(file.read_text("utf-8").replace('"topic": "trade"', '"topic": "travel"'), "utf-8")
    with store.locked():
        seen = store.view("ann", KEY)
    store.save("ann", KEY, answer(topic=None), seen.version)
    store.undo("ann")
    with pytest.raises(Conflict, match="changed by another program"):
        store.undo("ann")
    assert lines(folder)[0]["topic"] == "travel"
    assert not store.view("ann", KEY).is_saved, "the record is that of the other program"


def test_files_of_equal_names_are_not_mixed_up(tmp_path):
    yaml = YAML.replace("train.jsonl", "train/data.jsonl").replace("dev.jsonl", "dev/data.jsonl")
    folder = new_task(tmp_path / "t", yaml, None)
    store_of(folder).save("ann", KEY, answer(topic="trade"), NOTHING)
    store_of(folder)
    assert len(lines(folder / "train", "data.jsonl")) == 1 and not (folder / "dev").exists()


def test_files_among_the_journals_are_refused(tmp_path):
    folder = new_task(tmp_path / "t", YAML.replace("train.jsonl", "labels/train.jsonl"), None)
    with pytest.raises(UserError, match="journals of the annotators"):
        store_of(folder)


def test_a_link_stays_a_link(tmp_path):
    folder = new_task(tmp_path / "t", train=None)
    (folder / "real.jsonl").touch()
    (folder / "train.jsonl").symlink_to("real.jsonl")
    store_of(folder).save("ann", KEY, answer(topic="trade"), NOTHING)
    assert (folder / "train.jsonl").is_symlink() and len(lines(folder, "real.jsonl")) == 1


@pytest.mark.parametrize("name", ["train.jsonl", "dev.jsonl"])
def test_a_link_out_of_the_folder_is_refused(tmp_path, name):
    folder = new_task(tmp_path / "t", train=None)
    (folder / name).symlink_to("../outside.jsonl")
    with pytest.raises(UserError, match="this link leads out of the folder of the data"):
        store_of(folder).save("ann", KEY, answer(topic="trade"), NOTHING)
    assert not (tmp_path / "outside.jsonl").exists()


@pytest.mark.parametrize("name", ["", "ann.jsonl", "ann.drafts.json", "runs", ".lock", ".ann.drafts.lock"])
@pytest.mark.parametrize("is_there", [True, False])
def test_no_label_is_written_through_a_link_out_of_the_folder_of_the_labels(tmp_path, name, is_there):
    folder, outside = new_task(tmp_path / "t"), tmp_path / "outside"
    if is_there and name in ("", "runs"):
        outside.mkdir()
    elif is_there:
        outside.touch()
    (folder / "labels" / name).parent.mkdir(exist_ok=True)
    (folder / "labels" / name).symlink_to(outside)
    with pytest.raises(UserError, match=rf"labels.*{name}: this link leads out of the folder of the task"):
        Session(Task.load(folder), Options("ann"))
    assert outside.exists() == is_there and not (outside.is_dir() and list(outside.iterdir()))


def test_links_within_the_folder_and_of_the_whole_folder_are_followed(tmp_path):
    folder = new_task(tmp_path / "t")
    (folder / "kept").mkdir()
    (folder / "labels").symlink_to("kept")
    (tmp_path / "link").symlink_to("t")
    store_of(tmp_path / "link").save("ann", KEY, answer(topic="trade"), NOTHING)
    assert len(lines(folder)) == 2 and len(lines(folder / "kept", "ann.jsonl")) == 1


def test_a_link_in_the_place_of_a_temporary_file_is_not_followed(tmp_path):
    folder = new_task(tmp_path / "t")
    (tmp_path / "outside").write_text("mine", "utf-8")
    (folder / ".train.jsonl.part").symlink_to("../outside")
    store_of(folder).save("ann", KEY, answer(topic="trade"), NOTHING)
    assert (tmp_path / "outside").read_text("utf-8") == "mine" and len(lines(folder)) == 2


def test_what_another_program_has_replaced_is_not_disputed(tmp_path):
    folder = new_task(tmp_path / "t")
    store = store_of(folder)
    store.save("ann", KEY, answer(topic="trade"), NOTHING)
    store.save("bob", KEY, answer(topic="travel"), NOTHING)
    assert store.disputed() == [KEY]
    file = folder / "train.jsonl"
    file.write_text(file.read_text("utf-8").replace('"topic": "trade"', '"topic": "travel"'), "utf-8")
    with store.locked():
        seen = store.view("bob", KEY)
    store.save("bob", KEY, seen.annotation, seen.version)
    assert store.disputed() == [], "what ann has saved no longer counts"
    store.save("ann", KEY, answer(topic="trade"), store.view("ann", KEY).version)
    assert store.disputed() == [KEY]


def test_a_span_with_white_space_at_its_edges_keeps_its_keys(tmp_path):
    record = {"id": "1", "text": "Arden paid", "entities": [{"start": 0, "end": 6, "label": "person", "by": "hand"}]}
    folder = new_task(tmp_path / "t", train=json.dumps(record) + "\n")
    store, key = store_of(folder), key_of("Arden paid")
    seen = store.view("ann", key)
    assert seen.annotation["names"] == [{"start": 0, "end": 5, "label": "person"}]
    store.save("ann", key, {**seen.annotation, "topic": "trade"}, seen.version)
    assert lines(folder)[0]["entities"] == record["entities"]


def test_the_texts_of_one_annotator_are_not_compared(tmp_path, monkeypatch):
    store = store_of(new_task(tmp_path / "t"))
    store.save("ann", KEY, answer(topic="trade"), NOTHING)
    store.journal("bob")
    monkeypatch.setattr(store, "view", None)  # not called
    assert store.disputed() == []
