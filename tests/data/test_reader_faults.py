"""Faults in labeled data: all are listed by file and line, and no gold is lost without a message."""

from __future__ import annotations

import json
import os
from pathlib import Path

import processes
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import lines_of, read, refusal, write

from electra_ie.common.errors import UserError
from electra_ie.common.scripts import continues_word
from electra_ie.common.text_files import SourceRecord
from electra_ie.data.document import Span
from electra_ie.data.fields import AttributeField, Field
from electra_ie.data.gold_checks import refuse_lost_spans
from electra_ie.data.readers import READERS
from electra_ie.data.readers.parts.keys import is_misspelling
from electra_ie.data.readers.parts.token_tags import with_texts
from electra_ie.data.task import Task

TOPIC = Field("topic", "classes", ("cards", "parts"))
TAGS = Field("tags", "flags", ("late", "cash"))
NAMES = Field("names", "spans", ("PER", "ORG", "Trading Name"))
GOOD = {"text": "Ann paid", "names": [{"start": 0, "end": 3, "label": "PER"}]}
BAD = {"text": "Ann paid", "names": [{"start": 0, "end": 30, "label": "PER"}]}


def collected(format: str, path: Path, *fields: Field, **options: object) -> list[str]:
    """Return the messages of all faults of a file, in the order in which they are reported."""
    faults: list[UserError] = []
    list(READERS[format].read(path, fields, options, faults.append))
    return [str(fault) for fault in faults]


def spans(document) -> set[tuple[int, int, str]]:
    return {(span.start, span.end, span.label) for span in document.gold["names"]}


# --- Lists of faults


def task_of(folder: Path, **files: str) -> Task:
    write(
        folder,
        "task.yaml",
        "format: jsonl\nfiles: {train: [a.jsonl, b.jsonl, c.jsonl], dev: dev.jsonl}\n"
        "fields:\n  names: {kind: spans, labels: [PER, ORG]}\n",
    )
    for name, content in files.items():
        write(folder, f"{name}.jsonl", content)
    return Task.load(folder)


def test_first_ten_faults_of_all_files_and_splits_are_listed(tmp_path):
    files = {"a": lines_of(GOOD, *[BAD] * 5), "c": lines_of(*[BAD] * 4), "dev": lines_of(*[BAD] * 4)}
    task = task_of(tmp_path, **files)
    with pytest.raises(UserError) as caught:
        task.read_splits(task.splits)
    first, *rest = str(caught.value).split("\n")
    assert first == f"14 errors in the data of the task {tmp_path.name}; nothing is written. The first 10:"
    outside = "the span 0 to 30 is outside the text of 8 characters."
    lines = [*(f"a.jsonl:{line}: {outside}" for line in range(2, 7)), "b.jsonl: there is no such file."]
    lines += [f"c.jsonl:{line}: {outside}" for line in range(1, 5)]
    assert len(rest) == len(caught.value.errors) == 10
    for line, expected in zip(rest, lines, strict=True):
        assert line.startswith(f"{tmp_path / expected}")


def test_single_fault_is_raised_itself_and_a_few_are_all_listed(tmp_path):
    task = task_of(tmp_path, a=lines_of(GOOD, BAD), b=lines_of(GOOD), c=lines_of(GOOD), dev=lines_of(GOOD))
    with pytest.raises(UserError) as caught:
        task.read("train")
    assert str(caught.value).startswith(f"{tmp_path / 'a.jsonl'}:2: the span 0 to 30 is outside")
    assert not caught.value.errors
    assert [document.id for document in task.read("dev")] == ["dev-1"]
    write(tmp_path, "b.jsonl", lines_of({**GOOD, "id": "a-1"}))
    write(tmp_path, "c.jsonl", b'{"text": "\xe9"}')
    with pytest.raises(UserError) as caught:
        task.read("train")
    assert [fault.line for fault in caught.value.errors] == [2, 1, 1]
    assert str(caught.value).startswith(f"3 errors in the data of the task {tmp_path.name}; nothing is written:\n")
    assert "c.jsonl:1: the byte 0xe9" in str(caught.value)
    assert 'the id "a-1" is also that of' in str(caught.value)


def test_command_line_prints_the_faults_and_writes_nothing(tmp_path):
    task_of(tmp_path / "data", a=lines_of(BAD, BAD), b=lines_of(GOOD), c=lines_of(GOOD), dev=lines_of(BAD))
    command = ["-m", "electra_ie", "train", str(tmp_path / "data"), "--output", str(tmp_path / "out")]
    ended = processes.run(command)
    assert ended.code == 2
    first, *rest = [line for line in ended.messages.splitlines() if "warning:" not in line]
    assert first == "error: 3 errors in the data of the task data; nothing is written:"
    assert [line.partition(": ")[0].rpartition(os.sep)[2] for line in rest] == ["a.jsonl:1", "a.jsonl:2", "dev.jsonl:1"]
    assert not (tmp_path / "out").exists()


def test_all_readers_collect_faults_by_line(tmp_path):
    table = write(tmp_path, "a.csv", "text,topic\na,cads\nb\nc,parts\nd,prts\n")
    assert [fault.split(": ")[0] for fault in collected("csv", table, TOPIC)] == [
        f"{table}:{line}" for line in (2, 3, 5)
    ]
    words = write(tmp_path, "a.conll", "Ann B-PR\nLee B-PE\n\nBo B-PER\nis\n\nSo B-PER\nBo X\nso Y\n")
    assert [fault.split(": ")[0] for fault in collected("conll", words, NAMES)] == [
        f"{words}:{line}" for line in (5, 1, 2, 8, 9)
    ]
    write(tmp_path, "set/a.txt", "Ann Lee")
    annotations = write(tmp_path, "set/a.ann", "T1\tPR 0 3\tAnn\nT2\tPER 0 3\tAnn\nT3\tOR 4 7\tLee\n")
    write(tmp_path, "set/b.txt", b"\xff")
    lone = write(tmp_path, "set/c.ann", "")
    locations = [fault.split(": ")[0] for fault in collected("brat", annotations.parent, NAMES)]
    assert locations == [str(lone), f"{annotations}:1", f"{annotations}:3", f"{tmp_path / 'set' / 'b.txt'}:1"]


@pytest.mark.parametrize("end", ["\r", "\r\n", "\r\r\n"])
def test_all_line_ends_are_accepted(tmp_path, end):
    (first, second) = read("conll", write(tmp_path, "a", f"Ann B-PER{end}is O{end}{end}Bo B-PER{end}"), NAMES)
    assert (first.text, spans(first), second.text, second.line) == ("Ann is", {(0, 3, "PER")}, "Bo", 4)
    table = write(tmp_path, "a.csv", f"text,topic{end}a,cards{end}b,parts{end}")
    assert [(document.text, document.gold["topic"]) for document in read("csv", table, TOPIC)] == [
        ("a", "cards"),
        ("b", "parts"),
    ]
    records = write(tmp_path, "a.jsonl", end.join([json.dumps(GOOD)] * 2))
    assert [document.line for document in read("jsonl", records, NAMES)] == [1, 2]
    write(tmp_path, "set/a.txt", "Ann\rLee")
    write(tmp_path, "set/a.ann", f"T1\tPER 0 3\tAnn{end}T2\tORG 4 7\tLee{end}")
    (document,) = read("brat", tmp_path / "set", NAMES)
    assert document.text == "Ann\rLee"
    assert spans(document) == {(0, 3, "PER"), (4, 7, "ORG")}


# --- conll


def sentence(folder: Path, *rows: str, **options: object):
    (document,) = read("conll", write(folder, "a.conll", "\n".join(rows) + "\n"), NAMES, **options)
    return document


@pytest.mark.parametrize(
    ("rows", "text", "expected"),
    [
        ("王 B-PER|小 M-PER|明 E-PER|存 O|2 O|0 O|0 O|0 O|元 O|。 O", "王小明存2000元。", {(0, 3, "PER")}),
        (
            "小明 S-PER|在 O|New B-ORG|York I-ORG|买 O|A O|P O|P O",
            "小明在New York买APP",
            {(0, 2, "PER"), (3, 11, "ORG")},
        ),
        ("東京 B-ORG|銀行 I-ORG|に O|e\u0301ts O|ab B-PER", "東京銀行にe\u0301ts ab", {(0, 4, "ORG"), (10, 12, "PER")}),
        ("ฉัน O|รัก O|กรุงเทพ B-ORG", "ฉันรักกรุงเทพ", {(6, 13, "ORG")}),
        ("The O|bank O|中国 B-ORG|has O|paid O", "The bank 中国 has paid", {(9, 11, "ORG")}),
        ("한국 B-ORG|은행 I-ORG", "한국 은행", {(0, 5, "ORG")}),
    ],
)
def test_words_are_joined_by_the_rules_of_their_script(tmp_path, rows, text, expected):
    document = sentence(tmp_path, *rows.split("|"))
    assert (document.text, spans(document)) == (text, expected)


def test_sentence_without_letters_is_joined_like_the_others_of_the_file(tmp_path, capsys):
    path = write(tmp_path, "a.conll", "王 B-PER\n元 O\n\n3 O\n. O\n5 O\n")
    assert [document.text for document in read("conll", path, NAMES)] == ["王元", "3.5"]
    warning = capsys.readouterr().err
    assert warning.startswith(f"warning: {path}: 2 of 2 sentences are joined without blanks")
    assert "join: blank" in warning
    assert [document.text for document in read("conll", path, NAMES, join="blank")] == ["王 元", "3 . 5"]
    assert capsys.readouterr().err == ""
    path = write(tmp_path, "b.conll", "Ann B-PER\nLee I-PER\n\n3 O\n. O\n")
    assert [document.text for document in read("conll", path, NAMES)] == ["Ann Lee", "3 ."]
    assert [document.text for document in read("conll", path, NAMES, join="none")] == ["AnnLee", "3."]


word = st.text(st.sampled_from("ab1é\u0301王京กの.。"), min_size=1, max_size=3)
chunk = st.tuples(word, st.sampled_from([None, "PER", "ORG"]), st.integers(1, 3))


@given(st.lists(chunk, min_size=1, max_size=6), st.sampled_from(["auto", "blank", "none"]))
def test_spans_of_joined_words_contain_exactly_these_words(tmp_path_factory, chunks, join):
    rows, expected = [], []
    for text, label, length in chunks:
        tags = ["O"] * length if label is None else [f"B-{label}"] + [f"M-{label}"] * (length - 1)
        rows += [f"{text}\t{tag}" for tag in tags]
        expected += [(text * length, label)] if label else []
    path = write(tmp_path_factory.mktemp("join"), "a.tsv", "\n".join(rows) + "\n")
    (document,) = read("conll", path, NAMES, delimiter="\t", join=join)
    labeled = [(document.text[span.start : span.end], span.label) for span in document.gold["names"]]
    assert [(text.replace(" ", ""), label) for text, label in labeled] == expected
    assert all(text == text.strip() for text, _ in labeled)
    words = [row.split("\t")[0] for row in rows]
    assert document.text.replace(" ", "") == "".join(words)
    if join == "none":
        assert " " not in document.text
    if join == "auto" and " " in document.text and " ".join(words) != document.text:
        blanks = [offset for offset, character in enumerate(document.text) if character == " "]
        without_blanks = document.text.replace(" ", "")
        assert all(continues_word(without_blanks, offset - index) for index, offset in enumerate(blanks))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["EU B_ORG", "is O", "Ann b-PER", "Lee i-PER", "so o"], {(0, 2, "ORG"), (6, 13, "PER")}),
        (["EU ORG", "is O", "Ann PER", "Lee PER"], {(0, 2, "ORG"), (6, 13, "PER")}),
        (["Bo B-PER", "Le M-PER", "E. E-PER", "X S-ORG"], {(0, 8, "PER"), (9, 10, "ORG")}),
        (["EU X _ B-Trading Name", "Fish X _ I-Trading Name", "is X _ O"], {(0, 7, "Trading Name")}),
    ],
)
def test_tags_of_other_tools_are_read(tmp_path, rows, expected):
    assert spans(sentence(tmp_path, *rows)) == expected


@pytest.mark.parametrize(
    ("rows", "line", "words"),
    [
        (["EU b-org", "is o"], 1, 'no field has the label "org". Did you mean "ORG"?'),
        (
            ["EU ORG", "Ann B-PER"],
            1,
            'the tag "ORG" has no prefix, and other tags have one ("B-PER"). Write B-ORG or I-ORG',
        ),
        (["EU B", "is O"], 1, 'the tag "B" has no label. Write B-PER'),
        (["EU (ORG*", "is O"], 1, '"(ORG*" is not a tag. Did you mean "ORG"?'),
        (["EU B-Trading Nam", "is O", "so O"], 1, 'there is no label "Trading Nam". Did you mean "Trading Name"?'),
        (["is O", "# more of it", "so O"], 2, "A comment is allowed only before the first word of a sentence."),
        (["New York\tB-ORG", "is\tO", "so\tO"], 1, 'set the option delimiter: "\\t"'),
    ],
)
def test_conll_error_names_the_cause(tmp_path, rows, line, words):
    path = write(tmp_path, "a.conll", "\n".join(rows) + "\n")
    message = refusal("conll", path, NAMES)
    assert message.startswith(f"{path}:{line}: ")
    assert words in message


def test_comments_before_a_sentence_are_skipped_and_the_word_hash_is_not(tmp_path):
    rows = [
        "# id 1f domain=en",
        "# x",
        "EU _ _ B-ORG",
        "# # O O",
        "",
        "# # _ I-PER",
        "is _ _ O",
        "",
        "#key = a",
        "# _ _ O",
    ]
    documents = read("conll", write(tmp_path, "a.conll", "\n".join(rows)), NAMES)
    assert [(document.text, document.line) for document in documents] == [("EU #", 3), ("# is", 6), ("#", 10)]
    assert [spans(document) for document in documents] == [{(0, 2, "ORG")}, {(0, 1, "PER")}, set()]
    io = sentence(tmp_path, "# a", "# ORG", "is O")
    assert (io.text, spans(io)) == ("# is", {(0, 1, "ORG")})
    bare = read("conll", write(tmp_path, "b.conll", "# text = EU is\nEU\n#\nis\n"), NAMES)
    assert [(document.text, document.gold) for document in bare] == [("EU # is", {})]


def test_conllu_ranges_and_empty_nodes_are_skipped(tmp_path):
    rows = ["# text = del Rio", "1-2\tdel\t_", "1\tde\tO", "2\tel\tO", "3\tRio\tB-ORG", "3.1\te\t_"]
    document = sentence(tmp_path, *rows, word=1)
    assert (document.text, spans(document)) == ("de el Rio", {(6, 9, "ORG")})


def test_unlabeled_conll_accepts_any_tags(tmp_path):
    path = write(tmp_path, "a.conll", "EU X B-Trading Name\nis X O\nso X O\n")
    assert [document.text for document in read("conll", path)] == ["EU is so"]


# --- jsonl


def test_records_that_prodigy_rejects_or_ignores_are_unlabeled(tmp_path, capsys):
    answers = ("accept", "reject", "ignore", "reject")
    path = write(tmp_path, "a.jsonl", lines_of(*({**GOOD, "_task_hash": 1, "answer": answer} for answer in answers)))
    assert [document.gold for document in read("jsonl", path, NAMES)] == [{"names": (Span(0, 3, "PER"),)}, {}, {}, {}]
    assert capsys.readouterr().err == (
        f'warning: {path}: "answer" (of Prodigy) is reject in 2 and ignore in 1 of 4 records: these are unlabeled.\n'
    )
    odd = write(tmp_path, "b.jsonl", lines_of({**GOOD, "_task_hash": 1, "answer": "maybe"}))
    assert f'{odd}:1: "answer" is "maybe". It must be accept, reject or ignore.' == refusal("jsonl", odd, NAMES)


def test_spans_of_a_record_that_shows_one_suggestion_are_not_read(tmp_path, capsys):
    record = {**GOOD, "_task_hash": 1, "answer": "accept", "_view_id": "ner"}
    path = write(tmp_path, "a.jsonl", lines_of(record, {**record, "_view_id": "ner_manual"}))
    assert [document.gold for document in read("jsonl", path, NAMES)] == [{}, {"names": (Span(0, 3, "PER"),)}]
    assert "the spans of 1 records are not read: in ner.teach of Prodigy" in capsys.readouterr().err


def test_field_or_text_called_answer_is_not_that_of_prodigy(tmp_path):
    field = Field("answer", "classes", ("accept", "reject"))
    path = write(tmp_path, "a.jsonl", lines_of({"text": "x", "answer": "reject", "_task_hash": 1}))
    assert read("jsonl", path, field)[0].gold == {"answer": "reject"}
    path = write(tmp_path, "b.jsonl", lines_of({"answer": "reject", "topic": "cards"}))
    assert [(document.text, document.gold) for document in read("jsonl", path, TOPIC, text="answer")] == [
        ("reject", {"topic": "cards"})
    ]


NEGATED = AttributeField("negated", ("yes", "no"), ("PER",))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"_metadata": "x"}, '"_metadata" is "x". It must be an object.'),
        ({"_origins": ["person"]}, '"_origins" is ["person"]. It must be an object.'),
        ({"_origins": {"topic": 3}}, '"topic" is 3. It must be a text.'),
        ({"names": [{**GOOD["names"][0], "attributes": 3}]}, '"attributes" is 3. It must be a list.'),
        ({"names": [{**GOOD["names"][0], "attributes": {}}]}, '"attributes" is {}. It must be a list.'),
    ],
)
def test_keys_besides_those_of_fields_have_their_types_where_there_are_labels(tmp_path, more, words):
    path = write(tmp_path, "a.jsonl", lines_of(GOOD, {**GOOD, **more}))
    assert refusal("jsonl", path, NAMES, NEGATED).startswith(f"{path}:2: {words}")
    assert len(read("jsonl", path)) == 2, "a text without labels is read"


def test_null_is_the_same_as_no_key(tmp_path):
    null = {**GOOD, "_metadata": None, "_origins": None, "_layers": None, "_relations": None, "id": None}
    span = {**GOOD["names"][0], "attributes": None, "fragments": None, "text": None, "origin": None, "negated": None}
    path = write(tmp_path, "a.jsonl", lines_of(GOOD, null, {**GOOD, "names": [span], "_origins": {"names": None}}))
    first, *others = read("jsonl", path, NAMES, NEGATED)
    assert [document.gold for document in others] == [first.gold] * 2


def test_tags_of_tokens_in_memory_that_are_no_list_are_a_fault():
    faults: list[UserError] = []
    assert (
        with_texts(
            [(SourceRecord("train", 1), {"tokens": ["Ann"], "names": 3})],
            "text",
            "tokens",
            ["names"],
            "auto",
            faults.append,
        )
        == []
    )
    assert str(faults[0]).startswith('train, record 1: "names" is 3, and the record has 1 tokens.')


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"text": "a", "text": "b"}', 'the key "text" occurs twice'),
        (
            '{"text": "a", "names": [{"start": 0, "start": 0, "end": 1, "label": "PER"}]}',
            'the key "start" occurs twice',
        ),
        ('{"text": "a", "score": NaN}', "this is not JSON: it contains NaN."),
        ('{"text": "a", "score": -Infinity}', "this is not JSON: it contains -Infinity."),
        ('{"text": "a", "id": "\\ud83d"}', "character 0 of the id is half of a surrogate pair"),
    ],
)
def test_ambiguous_json_is_refused_with_and_without_labels(tmp_path, line, words):
    path = write(tmp_path, "a.jsonl", f'{{"text": "ok"}}\n{line}\n')
    for fields in ((), (NAMES,)):
        message = refusal("jsonl", path, *fields)
        assert message.startswith(f"{path}:2: ")
        assert words in message


def test_misspelled_key_of_a_field_is_a_fault_and_other_keys_are_listed_once(tmp_path, capsys):
    typo = {"text": "Ann paid", "name": GOOD["names"]}
    path = write(tmp_path, "a.jsonl", lines_of(typo, {"text": "x", "names": []}, {**typo, "names": None}))
    assert collected("jsonl", path, NAMES) == [
        f'{path}:1: there is no key "names" for the field names, but "name". Rename it, or set from: "name" in the field; '
        'if it is something else, write "names": null.'
    ]
    capsys.readouterr()
    extra = {**GOOD, "lang": "en", "_input_hash": 1, "meta": {}}
    path = write(tmp_path, "b.jsonl", lines_of(extra, {**extra, "ID": 7}))
    assert len(read("jsonl", path, NAMES)) == 2
    assert capsys.readouterr().err == (
        f'warning: {path}: the keys "lang" (2 records), "ID" (1 record) are not read. Did you mean "id" for "ID"?\n'
    )
    assert len(read("jsonl", path)) == 2
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("key", "column", "expected"),
    [
        ("name", "names", True),
        ("Entity Names", "entity_names", True),
        ("entitynames", "entity_names", True),
        ("lables", "labels", True),
        ("topic_b", "topic_a", False),
        ("name2", "name1", False),
        ("start_date", "end_date", False),
        ("lang", "label", False),
    ],
)
def test_misspelling_is_not_a_similar_key(key, column, expected):
    assert is_misspelling(key, column) == expected


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (
            {"start": 0.0, "end": 3.0, "label": "PER"},
            '"start" of a span of "names" is 0.0, not a whole number. Write 0.',
        ),
        (
            {"start": 0, "end": "3", "label": "PER"},
            '"end" of a span of "names" is "3", not a whole number. Write 3, without quotes.',
        ),
        ({"start_offset": 0, "end_offset": 3, "label": "PER"}, 'has no "start"; its keys are start_offset, end_offset'),
        ({"start": 0, "end": 3, "labels": ["PER"]}, 'has no "label"; its keys are start, end, labels.'),
        ({"start": 0, "end": 3, "label": ["PER"]}, '"label" of a span of "names" is ["PER"], not a text.'),
        (
            [0, 3, "PER"],
            'It must be {"start": 0, "end": 3, "label": "PER"}. The format doccano reads such lists, under',
        ),
    ],
)
def test_span_of_another_shape_is_refused_with_the_cause(tmp_path, span, words):
    path = write(tmp_path, "a.jsonl", lines_of(GOOD, {"text": "Ann paid", "names": [span]}))
    message = refusal("jsonl", path, NAMES)
    assert message.startswith(f"{path}:2: ")
    assert words in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (json.dumps([GOOD]), "this is a JSON array, not one JSON object a line. Convert it: electra-ie convert a.json"),
        (json.dumps([GOOD], indent=2), "this is a JSON array"),
        (json.dumps([{"id": 1, "annotations": [], "data": GOOD}], indent=2), "Set format: label_studio"),
        (json.dumps(GOOD, indent=2), "this is a JSON object over several lines"),
        (json.dumps(GOOD, indent=2) * 2, "Convert it: jq -c . a.json"),
    ],
)
def test_json_that_is_not_json_lines_is_recognized(tmp_path, content, words):
    path = write(tmp_path, "a.json", content)
    faults: list[UserError] = []
    with pytest.raises(UserError) as caught:
        list(READERS["jsonl"].read(path, [NAMES], {}, faults.append))
    assert str(caught.value).startswith(f"{path}: ")
    assert words in str(caught.value)
    assert not faults


@pytest.mark.parametrize(("label", "helps"), [("ORG", True), ("PER", False)])
def test_tracks_are_proposed_only_if_they_help(tmp_path, label, helps):
    path = write(
        tmp_path, "a.jsonl", lines_of({**GOOD, "names": [*GOOD["names"], {"start": 0, "end": 8, "label": label}]})
    )
    documents = read("jsonl", path, NAMES)
    with pytest.raises(UserError, match="`overlaps: count` in the field to train without them") as caught:
        refuse_lost_spans(NAMES, documents, None)
    assert ("Write `scheme: tracks` in the field" in str(caught.value)) == helps


# --- csv and tsv


def test_tsv_has_no_quotes_by_default(tmp_path, capsys):
    rows = '"Where is my card?\tcards\nMy card\tcards\nThe bolt of 3"\tparts\n'
    documents = read("tsv", write(tmp_path, "a.tsv", "text\ttopic\n" + rows), TOPIC)
    assert [(document.text, document.gold["topic"]) for document in documents] == [
        ('"Where is my card?', "cards"),
        ("My card", "cards"),
        ('The bolt of 3"', "parts"),
    ]
    assert capsys.readouterr().err == ""
    path = write(tmp_path, "b.tsv", 'text\ttopic\n"He said ""no"""\tcards\n')
    assert read("tsv", path, TOPIC)[0].text == '"He said ""no"""'
    assert f"warning: {path}: 1 rows have a cell in quotes" in capsys.readouterr().err
    assert read("tsv", path, TOPIC, quotes=True)[0].text == 'He said "no"'
    path = write(tmp_path, "c.tsv", 'text\ttopic\n"one\ntwo"\tcards\n')
    assert "set the option quotes: true" in refusal("tsv", path, TOPIC)
    assert read("tsv", path, TOPIC, quotes=True)[0].text == "one\ntwo"


@pytest.mark.parametrize(("format", "delimiter"), [("csv", ","), ("tsv", "\t"), ("csv", ";")])
def test_quoted_cell_over_several_rows_is_refused_by_line(tmp_path, format, delimiter):
    content = 'text,topic\nx,parts\n"Where is it?,cards\nMy card,cards\nClose it",parts\nlast,cards\n'
    path = write(tmp_path, "a", content.replace(",", delimiter))
    (message,) = collected(format, path, TOPIC, delimiter=delimiter, quotes=True)
    assert message.startswith(f"{path}:3: a quote opens a cell of 3 lines here")
    assert "quotes: false" in message
    first = write(tmp_path, "b", 'topic,text\ncards,"Where is it\nparts,close it"\n'.replace(",", delimiter))
    assert len(collected(format, first, TOPIC, delimiter=delimiter, quotes=True)) == 1
    flags = write(tmp_path, "c", 'text,tags\n"a,late|cash\nb",late\n'.replace(",", delimiter))
    assert len(collected(format, flags, TAGS, delimiter=delimiter, quotes=True)) == 1


def test_quoted_text_over_several_lines_may_contain_delimiters(tmp_path):
    text = "Dear Sir,\nplease, do pay, now\n\nbye"
    path = write(tmp_path, "a.csv", f'text,topic\n"{text}",cards\nx,parts\n')
    assert [(document.text, document.line) for document in read("csv", path, TOPIC)] == [(text, 2), ("x", 6)]
    path = write(tmp_path, "b.csv", f'topic,text,tags\ncards,"{text}",late\nparts,x,cash\n')
    assert [document.text for document in read("csv", path, TOPIC, TAGS)] == [text, "x"]
    path = write(tmp_path, "c.tsv", f'topic\ttext\ncards\t"{text}"\nparts\tx\n')
    assert [document.text for document in read("tsv", path, TOPIC, quotes=True)] == [text, "x"]


@pytest.mark.parametrize(
    ("format", "content", "options", "words"),
    [
        ("csv", "id;text;topic\n1;a;cards\n", {}, 'set the option delimiter: ";"'),
        ("csv", "text\ttopic\na\tcards\n", {}, 'set the option delimiter: "\\t"'),
        ("tsv", "text,topic\na,cards\n", {}, 'set the option delimiter: ","'),
        ("csv", "a;cards\n", {"header": False, "columns": ["text", "topic"]}, 'set the option delimiter: ";"'),
        ("tsv", '"text"\t"topic"\n"a"\t"cards"\n', {}, "set the option quotes: true"),
        ("csv", "text,topics\na,cards\n", {}, 'there is no column "topic" for the field topic, but "topics".'),
    ],
)
def test_error_of_a_header_names_the_option_that_helps(tmp_path, format, content, options, words):
    path = write(tmp_path, "a", content)
    message = refusal(format, path, TOPIC, **options)
    assert message.startswith(f"{path}:1: ")
    assert words in message


def test_no_delimiter_is_proposed_if_none_helps(tmp_path):
    path = write(tmp_path, "a.csv", "text,topic\na,b,cards\nc\n")
    assert not [fault for fault in collected("csv", path, TOPIC) if "option delimiter" in fault]
    path = write(tmp_path, "a.conll", "Ann NN O\nLee O\nis NN O\n")
    assert "option delimiter" not in refusal("conll", path, NAMES)


def test_unused_columns_are_listed_once(tmp_path, capsys):
    path = write(tmp_path, "a.csv", "ID,text,topic,annotator\n1,a,cards,x\n2,b,parts,x\n")
    assert len(read("csv", path, TOPIC)) == 2
    assert capsys.readouterr().err == (
        f'warning: {path}: the columns "ID", "annotator" are not read. Did you mean "id" for "ID"?\n'
    )


def test_empty_cell_of_flags_is_unknown_unless_blank_is_none(tmp_path, capsys):
    path = write(tmp_path, "a.csv", "text,tags\na,late\nb,\nc, \nd,cash|late\n")
    assert [document.gold for document in read("csv", path, TAGS)] == [
        {"tags": ("late",)},
        {},
        {},
        {"tags": ("late", "cash")},
    ]
    warning = capsys.readouterr().err
    assert warning.startswith(
        f"warning: {path}: 2 cells of the field tags are empty and 2 have flags: the empty ones are "
    )
    assert "no row is known to have no flag" in warning
    assert "blank: none" in warning
    assert warning.count("\n") == 1
    none = read("csv", path, TAGS, blank="none")
    assert [document.gold["tags"] for document in none] == [("late",), (), (), ("late", "cash")]
    assert "in 2 rows no flag applies (blank: none)." in capsys.readouterr().err
    assert [document.gold for document in read("csv", path, TAGS, blank="unknown")][1:3] == [{}, {}]
    assert [document.gold for document in read("csv", path, TAGS, unlabeled=["", " "])][1:3] == [{}, {}]
    assert capsys.readouterr().err == ""


# --- brat


def standoff(folder: Path, text: str, *annotations: str) -> Path:
    """Write a brat document and return its folder."""
    write(folder, "set/a.txt", text)
    return write(folder, "set/a.ann", "".join(f"{line}\n" for line in annotations)).parent


def test_brat_labels_with_blanks_are_read(tmp_path):
    path = standoff(tmp_path, "Ann Lee", "T1\tTrading Name 0 3\tAnn", "T2\tTrading Name 4 7\tLee")
    assert spans(read("brat", path, NAMES)[0]) == {(0, 3, "Trading Name"), (4, 7, "Trading Name")}
    numbered = Field("names", "spans", ("Site 2",))
    path = standoff(tmp_path / "b", "Ann Lee", "T1\tSite 2 0 3\tAnn")
    assert spans(read("brat", path, numbered)[0]) == {(0, 3, "Site 2")}


def test_text_between_the_fragments_of_a_span_is_counted(tmp_path, capsys):
    annotations = ["T1\tORG 0 3;15 18\tbay tax", "T2\tPER 8 10\tBo", "T3\tPER 0 3\tbay", "T4\tORG 19 20;21 22\tx y"]
    path = standoff(tmp_path, "bay and Bo and tax x y", *annotations)
    (document,) = read("brat", path, NAMES, discontinuous="hull")
    assert spans(document) == {(0, 18, "ORG"), (8, 10, "PER"), (0, 3, "PER"), (19, 22, "ORG")}
    assert capsys.readouterr().err == (
        f"warning: {path}: joined 1 fragments with the one before, only white space being between.\n"
        f"warning: {path}: 1 spans of several fragments are read from their first character to their last "
        "(discontinuous: hull), with the 12 characters between the fragments; 1 other spans share characters with those.\n"
    )
    (first,) = collected("brat", path, NAMES)
    assert first.startswith(
        f'{path / "a.ann"}:1: this span "ORG" has 2 fragments; the field {NAMES.name} has continuous'
    )
    assert "discontinuous: hull reads it as one span" in first
    assert "(' and Bo and ')" in first
    assert "ignore: [ORG]" in first


# --- Regressions


def conll(folder: Path, rows: str, **options: object) -> list:
    return read("conll", write(folder, "a.conll", rows), NAMES, **options)


@pytest.mark.parametrize(("rows", "text"), [
    ("win won O\n2-0 2-0 O\nAnna Anna B-PER\n", "won 2-0 Anna"), ("1-1\tAnna\tB-PER\n1-2\tmet\tO\n", "Anna met"),
])  # fmt: skip
def test_ranges_are_recognized_only_with_ids_of_conllu(tmp_path, rows, text):
    assert [document.text for document in conll(tmp_path, rows, word=1)] == [text]


@pytest.mark.parametrize("delimiter", [";", ",", "|"])
def test_conll_error_proposes_another_delimiter(tmp_path, delimiter):
    rows = f"Anna{delimiter}B-PER\nmet{delimiter}O\n\nBob{delimiter}B-PER\n"
    with pytest.raises(
        UserError, match=rf'\.conll:1: this file has one column, .* Set the option delimiter: "\{delimiter}"'
    ):
        conll(tmp_path, rows)
    assert len(conll(tmp_path, rows, delimiter=delimiter)) == 2


def test_conll_error_recognizes_a_comment(tmp_path):
    with pytest.raises(UserError, match='"note" is not a tag. If this is a comment, begin it with "# "'):
        conll(tmp_path, "Anna B-PER\n# note\nmet O\n")


def test_bmewo_tags_are_read(tmp_path):
    (document,) = conll(tmp_path, "王 B-PER\n小 M-PER\n伟 E-PER\n李 W-PER\n")
    assert [(span.start, span.end) for span in document.gold["names"]] == [(0, 3), (3, 4)]


def jsonl(folder: Path, *records: dict) -> list:
    return read("jsonl", write(folder, "a.jsonl", lines_of(*records)), Field("entities", "spans", ("PER",)))


def test_answer_of_prodigy_is_case_insensitive_and_refused_in_spans(tmp_path):
    span = {"start": 0, "end": 4, "label": "PER"}
    one, other = jsonl(
        tmp_path, {"text": "Anna", "entities": [span], "answer": "REJECT"}, {"text": "Anna", "entities": [span]}
    )
    assert one.gold == {}
    assert len(other.gold["entities"]) == 1
    with pytest.raises(UserError, match='a.jsonl:1: a span of "entities" has "answer": "reject"'):
        jsonl(tmp_path, {"text": "Anna", "entities": [{**span, "answer": "reject"}], "answer": "accept"})


def test_singular_of_a_key_is_a_misspelling(tmp_path):
    with pytest.raises(UserError, match='a.jsonl:1: there is no key "entities" for the field entities, but "entity"'):
        jsonl(tmp_path, {"text": "Anna", "entity": []})


@pytest.mark.parametrize(("body", "refused"), [
    ('1,"Hello\n2,World,\n3,said ",fraud\n', True), ('1,"Hello\n2,World,?\n3,said ",fraud\n', True),
    ('1,"Dear all,\nplease, pay, \nthanks",fraud\n', False), ('1,"Dear,\nAnna Lee, Bob,\nbye",fraud\n', False),
])  # fmt: skip
def test_quoted_cell_over_rows_without_labels_is_recognized(tmp_path, body, refused):
    file = tmp_path / "a.csv"
    file.write_text(f"id,text,risk\n{body}9,x,scam\n", encoding="utf-8")
    read = READERS["csv"].read(file, [Field("risk", "flags", ("fraud", "scam"))], {"unlabeled": ["?"]})
    if refused:
        with pytest.raises(UserError, match=r"a.csv:2: a quote opens a cell of 3 lines"):
            list(read)
    else:
        assert [document.id for document in read] == ["1", "9"]


def test_delimiter_is_proposed_if_column_names_differ_in_case(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("id;Text;risk\n1;x, y;fraud\n", encoding="utf-8")
    with pytest.raises(UserError, match='set the option delimiter: ";"'):
        list(READERS["csv"].read(file, [Field("risk", "flags", ("fraud", "scam"))]))


def test_hidden_link_in_a_data_folder_is_skipped(tmp_path):
    (tmp_path / "t" / "pool" / ".cache").mkdir(parents=True)
    (tmp_path / "t" / "pool" / "memo.txt").write_text("Anna met")
    (tmp_path / "t" / "pool" / ".cache" / "out").symlink_to(tmp_path)
    (tmp_path / "t" / "task.yaml").write_text(
        "format: jsonl\nfiles: {unlabeled: pool}\nfields: {e: {kind: spans, labels: [PER]}}\n"
    )
    assert [document.id for document in Task.load(tmp_path / "t").read("unlabeled")] == ["memo.txt"]


def test_invalid_line_of_an_ann_file_is_a_fault(tmp_path):
    write(tmp_path, "a/1.txt", "Anna met")
    good = "T1\tPER 0 4\tAnna\nR1\tfoo Arg1:T1 Arg2:T1\nA1\tNeg T1\nE1\tPER:T1\nN1\tReference T1 x:1\tx\n#1\tNotes T1\tx\n*\tEquiv T1 T1\n"
    write(tmp_path, "a/1.ann", good)
    assert len(read("brat", tmp_path / "a", NAMES)) == 1
    write(tmp_path, "a/1.ann", good + "Anna PER 0 4\nReally wrong\n")
    assert [fault.partition(": ")[0][-2:] for fault in collected("brat", tmp_path / "a", NAMES)] == [":8", ":9"]


def test_ids_of_several_folders_contain_the_path(tmp_path):
    for folder in ("a", "b"):
        write(tmp_path, f"{folder}/memo.txt", "Anna")
        write(tmp_path, f"{folder}/memo.ann", "T1\tPER 0 4\tAnna\n")
        write(tmp_path, f"{folder}/train.jsonl", '{"text": "Anna"}\n{"id": "own", "text": "Bob"}\n')
    fields = "fields: {e: {kind: spans, labels: [PER]}}\n"
    brat = write(tmp_path, "brat.yaml", f"format: brat\nfiles: {{train: [a, b], unlabeled: [a]}}\n{fields}")
    assert [document.id for document in Task.load(brat).read("train")] == ["a/memo", "b/memo"]
    pool = write(tmp_path, "pool.yaml", f"format: jsonl\nfiles: {{unlabeled: [a/memo.txt, b/memo.txt]}}\n{fields}")
    assert [document.id for document in Task.load(pool).read("unlabeled")] == ["a/memo.txt", "b/memo.txt"]
    lines = write(tmp_path, "lines.yaml", f"format: jsonl\nfiles: {{train: [a/train.jsonl, b/train.jsonl]}}\n{fields}")
    with pytest.raises(UserError, match='b/train.jsonl:2: the id "own" is also that of'):
        Task.load(lines).read("train")
    one = write(tmp_path, "one.yaml", f"format: brat\nfiles: {{train: a}}\n{fields}")
    assert [document.id for document in Task.load(one).read("train")] == ["memo"], (
        "the id contains a path without a clash"
    )


@pytest.mark.parametrize("separator", [";", ",", "/"])
def test_error_proposes_another_separator_of_flags(tmp_path, separator):
    path = write(tmp_path, "a.csv", f'id,text,tags\n1,x,"late{separator}cash"\n')
    assert f'Set the option separator: "{separator}".' in refusal("csv", path, TAGS)
    assert read("csv", path, TAGS, separator=separator)[0].gold["tags"] == ("late", "cash")


def test_first_line_of_excel_is_recognized(tmp_path):
    path = write(tmp_path, "a.csv", "sep=;\nid;text;tags\n1;x;late\n")
    assert "The first line is Excel's note of the delimiter: remove it" in refusal("csv", path, TAGS)


def test_tsv_continues_after_a_line_that_is_not_text(tmp_path):
    path = write(tmp_path, "a.tsv", b"id\ttext\n1\tPay\n2\tcaf\xe9\n3\tx\n")
    faults: list[UserError] = []
    assert [document.id for document in READERS["tsv"].read(path, [], {}, faults.append)] == ["1", "3"]
    assert [str(fault).partition(": ")[0].rpartition(":")[2] for fault in faults] == ["3"]
