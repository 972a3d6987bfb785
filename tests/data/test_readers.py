"""Readers: exact texts and spans, and errors that name file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import read, refusal, write

from electra_ie.common.errors import UserError
from electra_ie.common.text_files import SourceLine
from electra_ie.data.document import Span
from electra_ie.data.fields import Field
from electra_ie.data.readers import READERS, read_unlabeled
from electra_ie.formats.parts.tagged_words import Tags, chunks

TOPIC = Field("topic", "classes", ("fraud", "other"))
RISKS = Field("risks", "flags", ("shell", "mule", "none of these"))
ENTITIES = Field("entities", "spans", ("PER", "LOC"))

AWKWARD = "Zoë İ e\u0301 👩‍👩‍👧 1️⃣ ﬁ ½\r\nnext\u2028\u200bＡ\n\tend"
"""Characters that are easily normalized, split or counted twice."""


# --- Files


@pytest.mark.parametrize(
    ("format", "name"), [("jsonl", "a.jsonl"), ("csv", "a.csv"), ("conll", "a.tsv"), ("text", "a.txt")]
)
@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("LINE\nLINE é\n".encode("latin-1"), 2, "0xe9 is not UTF-8"),
        (b"LINE\nLINE\nLI\0NE\n", 3, "binary"),
        ("LINE\n".encode("utf-16"), 1, "UTF-16"),
    ],
)
def test_file_that_is_not_utf8_text_is_refused_by_line(tmp_path, format, name, content, line, words):
    path = write(tmp_path, name, content.replace(b"LINE", b'{"text": ""}' if format == "jsonl" else b"line"))
    message = refusal(format, path, **({"columns": ["text"], "header": False} if format == "csv" else {}))
    assert message.startswith(f"{path}:{line}: ")
    assert words in message
    assert "UTF-8" in message


@pytest.mark.parametrize("format", ["jsonl", "csv", "conll", "text", "brat"])
def test_missing_file_is_an_error(tmp_path, format):
    message = refusal(format, tmp_path / "absent")
    assert message.startswith(f"{tmp_path / 'absent'}: there is no such")


@pytest.mark.parametrize("format", ["jsonl", "csv", "conll"])
def test_folder_instead_of_a_file_is_an_error(tmp_path, format):
    assert "not a file" in refusal(format, tmp_path)


def test_unreadable_file_is_an_error(tmp_path, monkeypatch):
    path = write(tmp_path, "a.txt", "x")

    def forbid(self):
        raise PermissionError

    monkeypatch.setattr(Path, "read_bytes", forbid)
    assert "no permission to read" in refusal("text", path)


def test_byte_order_mark_is_skipped_except_in_plain_text(tmp_path):
    mark = "\ufeff"
    assert read("csv", write(tmp_path, "a.csv", mark + "text,topic\nhi,fraud\n"), TOPIC)[0].text == "hi"
    assert read("jsonl", write(tmp_path, "a.jsonl", mark + '{"text": "hi"}\n'))[0].text == "hi"
    assert read("conll", write(tmp_path, "a.tsv", mark + "hi\tO\n"), ENTITIES)[0].text == "hi"
    assert read("text", write(tmp_path, "a.txt", mark + "hi"))[0].text == mark + "hi"


@pytest.mark.parametrize("format", list(READERS))
def test_unknown_option_is_refused(tmp_path, format):
    message = refusal(format, tmp_path, color="red")
    assert f'the format {format} has no option "color"' in message


def test_option_of_the_wrong_type_is_refused(tmp_path):
    assert 'Did you mean "header"' in refusal("csv", tmp_path, headers=True)
    assert "must be true or false" in refusal("csv", tmp_path, header="no")
    assert "must be a whole number" in refusal("conll", tmp_path, word=True)
    assert "must be a list of texts" in refusal("jsonl", tmp_path, unlabeled=[1])
    assert "must be error or hull or skip" in refusal("brat", tmp_path, discontinuous="cut")


def test_field_that_a_format_cannot_express_is_refused(tmp_path):
    assert "Formats that can: jsonl, datasets, argilla, bioc, brat, cas, conll," in refusal("csv", tmp_path, ENTITIES)
    assert "cannot express the field topic" in refusal("conll", tmp_path, TOPIC)
    assert "cannot express the field risks" in refusal("brat", tmp_path, RISKS)


# --- csv and tsv


def test_csv_reads_quotes_line_ends_ids_and_unknown_values(tmp_path):
    rows = 'id,text,topic,risks\r\na,"two, ""words""\r\nand a line",fraud,shell|mule\r\nb,plain,,\r\nc,x,?,?\r\n'
    first, second, third = read("csv", write(tmp_path, "a.csv", rows), TOPIC, RISKS, unlabeled=["?"], blank="none")
    assert first.text == 'two, "words"\r\nand a line'
    assert first.gold == {"topic": "fraud", "risks": ("shell", "mule")}
    assert (first.id, first.line, second.line) == ("a", 2, 4)
    assert second.gold == {"risks": ()}, "an empty cell is no flag here, and an unknown class"
    assert third.gold == {}


def test_csv_without_the_column_of_a_field_is_unlabeled(tmp_path):
    (only,) = read("tsv", write(tmp_path, "a.tsv", "text\nhi\n"), TOPIC, RISKS)
    assert only.gold == {}
    assert only.id == "a-2"


def test_csv_joins_columns_to_a_text(tmp_path):
    path = write(tmp_path, "a.csv", "amount,memo\n5.975,rent\n7,\n")
    first, second = read("csv", path, text=["memo", "amount"])
    assert (first.text, second.text) == ("memo: rent\namount: 5.975", "memo:\namount: 7")


def test_last_column_without_quotes_is_the_rest_of_the_line(tmp_path):
    path = write(tmp_path, "a.tsv", 'label question\nfraud "Who is\nother What  "is" it ?\n')
    field = Field("topic", "classes", TOPIC.labels, "label")
    documents = read("csv", path, field, delimiter=" ", quotes=False, text="question")
    assert [document.text for document in documents] == ['"Who is', 'What  "is" it ?']
    assert [document.gold["topic"] for document in documents] == ["fraud", "other"]


def test_very_long_cell_is_read(tmp_path):
    assert len(read("csv", write(tmp_path, "a.csv", "text\n" + "x" * 200_000 + "\n"))[0].text) == 200_000


@pytest.mark.parametrize(
    ("content", "options", "line", "words"),
    [
        ("text,topic\nhi\n", {}, 2, "this row has 1 columns, not 2 (text, topic)."),
        ("text,topic\nhi,frau\n", {}, 2, 'no class "frau". Did you mean "fraud"?'),
        ("text,risks\nhi,shell|mul\n", {}, 2, 'no flag "mul". Did you mean "mule"?'),
        ("txt,topic\nhi,fraud\n", {}, 1, 'no column "text". Did you mean "txt"?'),
        ("text,topic\nhi,fraud\n", {"id": "key"}, 1, 'no column "key".'),
        ("text,text\na,b\n", {}, 1, 'two columns have the name "text".'),
        ("text,topic\na,b\n", {"columns": ["text"]}, 1, "the file has 2 columns, but the option columns has 1 names."),
        ('text,topic\n"hi,fraud\n', {}, 2, "set the option quotes: false"),
        ("id,text\n,a\n", {}, 2, "the id is empty."),
    ],
)
def test_csv_error_names_the_line(tmp_path, content, options, line, words):
    path = write(tmp_path, "a.csv", content)
    message = refusal("csv", path, TOPIC, RISKS, **options)
    assert message.startswith(f"{path}:{line}: ")
    assert words in message


def test_csv_refuses_impossible_options(tmp_path):
    path = write(tmp_path, "a.csv", "hi\n")
    assert "Name them in the option columns" in refusal("csv", path, header=False)
    assert "must be one character" in refusal("csv", path, delimiter="||")


# --- conll


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("I-PER I-PER O I-PER", [(0, 1, "PER"), (3, 3, "PER")]),  # IO
        ("I-PER B-PER I-LOC", [(0, 0, "PER"), (1, 1, "PER"), (2, 2, "LOC")]),  # IOB1
        ("B-PER I-PER B-PER O", [(0, 1, "PER"), (2, 2, "PER")]),  # IOB2
        ("B-PER E-PER I-PER S-PER S-LOC", [(0, 1, "PER"), (2, 2, "PER"), (3, 3, "PER"), (4, 4, "LOC")]),  # IOBES
        ("B-PER L-PER U-LOC", [(0, 1, "PER"), (2, 2, "LOC")]),  # BILOU
        ("O O", []),
    ],
)
def test_chunks_begin_as_in_conlleval(tags, expected):
    scheme = Tags(tags.split(), ENTITIES.labels)
    assert list(chunks([scheme.parse(tag, SourceLine("a", 1)) for tag in tags.split()])) == expected


def test_conll_reads_sentences_and_their_lines(tmp_path):
    content = "-DOCSTART- -X- O\r\n\r\nAnn NN B-PER\r\nof NN O\r\n\r\n\r\nRio NN I-LOC\r\nBo\u00a0y NN I-LOC"
    first, second = read("conll", write(tmp_path, "a.txt", content), ENTITIES)
    assert (first.id, first.line, first.text) == ("a-3", 3, "Ann of")
    assert first.gold == {"entities": (Span(0, 3, "PER"),)}
    assert (second.id, second.text) == ("a-7", "Rio Bo\u00a0y")
    assert second.gold == {"entities": (Span(0, 8, "LOC"),)}


def test_conll_gives_each_field_its_labels_and_a_single_column_none(tmp_path):
    people, cities = Field("people", "spans", ("PER",)), Field("cities", "spans", ("LOC",))
    (both,) = read("conll", write(tmp_path, "a.txt", "Ann B-PER\nRio B-LOC\n"), people, cities)
    assert both.gold == {"people": (Span(0, 3, "PER"),), "cities": (Span(4, 7, "LOC"),)}
    (bare,) = read("conll", write(tmp_path, "b.txt", "Ann\nRio\n"), people, cities)
    assert bare.gold == {}
    assert bare.text == "Ann Rio"


@pytest.mark.parametrize(
    ("content", "options", "line", "words"),
    [
        ("Ann B-PER\nRio B-LOX\n", {}, 2, 'no field has the label "LOX". Did you mean "LOC"?'),
        ("Ann B-PER\nRio LOC\n", {}, 2, 'the tag "LOC" has no prefix'),
        ("Ann NN O\nRio O\n", {}, 2, "this line has 2 columns, and most lines have 3."),
        ("Ann\tO\n\tO\n", {"delimiter": "\t"}, 2, "a tag, but no word"),
        ("Ann O\n", {"tag": 3}, 1, "the option tag is 3, and this line has 2 columns. It must be -2 to 1."),
    ],
)
def test_conll_error_names_the_line(tmp_path, content, options, line, words):
    path = write(tmp_path, "a.txt", content)
    message = refusal("conll", path, ENTITIES, **options)
    assert message.startswith(f"{path}:{line}: ")
    assert words in message


word = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=6).filter(
    lambda text: not text[:1].isspace() and text != "-DOCSTART-" and text[0] != "\ufeff"
)


@given(st.lists(st.tuples(word, st.sampled_from([None, "PER", "LOC"]), st.integers(1, 3)), min_size=1, max_size=6))
def test_conll_spans_have_the_offsets_of_their_words(tmp_path_factory, chunks):
    rows = []
    for text, label, length in chunks:
        tags = ["O"] * length if label is None else [f"B-{label}"] + [f"I-{label}"] * (length - 1)
        rows += [(text, tag) for tag in tags]
    path = write(tmp_path_factory.mktemp("conll"), "a.tsv", "\n".join(map("\t".join, rows)))
    (document,) = read("conll", path, ENTITIES, delimiter="\t")
    expected, end = [], 0
    for text, label, length in chunks:  # each word is searched after the one before it
        starts = []
        for _ in range(length):
            starts.append(document.text.index(text, end))
            end = starts[-1] + len(text)
        expected += [Span(starts[0], end, label)] if label else []
    assert list(document.gold["entities"]) == expected


# --- jsonl


def record(folder: Path, **values: object) -> Path:
    return write(folder, "a.jsonl", '{"text": "ok"}\n\n' + json.dumps(values, ensure_ascii=False) + "\n")


def test_jsonl_distinguishes_unknown_from_empty(tmp_path):
    path = record(tmp_path, id=7, text="x", topic=None, risks=[], entities=[])
    first, second = read("jsonl", path, TOPIC, RISKS, ENTITIES)
    assert (first.id, first.gold) == ("a-1", {})
    assert (second.id, second.line, second.gold) == ("7", 3, {"risks": (), "entities": ()})


def test_jsonl_keys_can_be_named(tmp_path):
    path = write(tmp_path, "a.jsonl", '{"body": "x", "key": "k", "kind": "UNK"}\n{"body": "y", "kind": "fraud"}\n')
    field = Field("topic", "classes", TOPIC.labels, "kind")
    first, second = read("jsonl", path, field, text="body", id="key", unlabeled=["UNK"])
    assert (first.id, first.gold, second.gold) == ("k", {}, {"topic": "fraud"})


def test_outer_white_space_of_spans_is_stripped_and_counted(tmp_path, capsys):
    spans = [{"start": 0, "end": 4, "label": "PER"}, {"start": 1, "end": 3, "label": "PER"}]
    path = record(tmp_path, text=" Al \n", entities=spans)
    assert read("jsonl", path, ENTITIES)[1].gold["entities"] == (Span(1, 3, "PER"),)
    error = capsys.readouterr().err
    assert error.count("warning:") == 1
    assert f"{path}: removed the white space at the edges of 1 spans, dropped 1 repeated spans." in error


SPAN = {"start": 0, "end": 3, "label": "PER"}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"text": 5}, '"text" is 5, not a text.'),
        ({"txt": "x"}, 'no "text". Did you mean "txt"?'),
        ({"text": "x", "id": ""}, "An id must be a text that is not empty"),
        ({"text": "x", "id": True}, '"id" is true.'),
        ({"text": "x", "topic": ["fraud"]}, "It must be one label"),
        ({"text": "x", "topic": "frod"}, 'no class "frod". Did you mean "fraud"?'),
        ({"text": "x", "risks": "shell"}, "It must be a list of labels"),
        ({"text": "x", "risks": ["shel"]}, 'no flag "shel". Did you mean "shell"?'),
        ({"text": "Ann", "entities": {}}, "It must be a list of objects"),
        ({"text": "Ann", "entities": [{**SPAN, "end": True}]}, '"end" of a span of "entities" is true'),
        ({"text": "Ann", "entities": [{**SPAN, "label": "PERS"}]}, 'no label "PERS". Did you mean "PER"?'),
        ({"text": "Ann", "entities": [{**SPAN, "end": 4}]}, "the span 0 to 4 is outside the text of 3 characters."),
        ({"text": "Ann", "entities": [{**SPAN, "start": -1}]}, "is outside the text"),
        ({"text": "Ann", "entities": [{**SPAN, "end": 0}]}, "the span 0 to 0 is empty. start must be smaller"),
        ({"text": "   ", "entities": [SPAN]}, "contains white space only"),
        ({"text": "Ann Bo", "entities": [{**SPAN, "text": "Bo"}]}, "is 'Ann', not 'Bo'. Offsets must count"),
        ({"text": "Anna", "entities": [{**SPAN, "text": "Anna"}]}, "the end is inclusive: add 1"),
        (
            {"text": "😀 Ann", "entities": [{"start": 3, "end": 6, "label": "PER", "text": "Ann"}]},
            "Here they count UTF-16 code units",
        ),
        (
            {"text": "é Ann", "entities": [{"start": 3, "end": 6, "label": "PER", "text": "Ann"}]},
            "Here they count UTF-8 bytes",
        ),
        (
            {"text": "a\r\nAnn", "entities": [{"start": 2, "end": 5, "label": "PER", "text": "Ann"}]},
            "count a line end of two characters (CRLF) as one",
        ),
    ],
)
def test_jsonl_error_names_the_line(tmp_path, values, words):
    path = record(tmp_path, **values)
    message = refusal("jsonl", path, TOPIC, RISKS, ENTITIES)
    assert message.startswith(f"{path}:3: ")
    assert words in message


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"text": "x",}', "this is not JSON"),
        ('["x"]', "not a JSON object"),
        ('{"text": "half \\ud83d"}', "character 5 of the text is half of a surrogate pair (\\ud83d)"),
        ("[" * 100_000, "too many levels"),
    ],
)
def test_jsonl_refuses_lines_that_are_not_records(tmp_path, line, words):
    path = write(tmp_path, "a.jsonl", f'{{"text": "ok"}}\n{line}\n')
    message = refusal("jsonl", path)
    assert message.startswith(f"{path}:2: ")
    assert words in message


@st.composite
def spanned(draw):
    text = draw(st.text(st.one_of(st.sampled_from(AWKWARD), st.characters(exclude_categories=["Cs"])), min_size=1))
    text *= draw(st.integers(1, 2))  # so that every text occurs twice
    cuts = st.integers(0, len(text))
    pairs = draw(st.lists(st.tuples(cuts, cuts).map(sorted), max_size=4))
    labels = st.sampled_from(ENTITIES.labels)
    return text, [(start, end, draw(labels)) for start, end in pairs if text[start:end].strip()]


def without_edges(text: str, start: int, end: int, label: str) -> Span:
    """Return the span without outer white space."""
    while text[start].isspace():
        start += 1
    while text[end - 1].isspace():
        end -= 1
    return Span(start, end, label)


@given(spanned(), st.booleans())
def test_jsonl_keeps_text_and_spans_unchanged(tmp_path_factory, case, ascii):
    text, offsets = case
    spans = [{"start": start, "end": end, "label": label, "text": text[start:end]} for start, end, label in offsets]
    line = json.dumps({"text": text, "entities": spans}, ensure_ascii=ascii)
    (document,) = read("jsonl", write(tmp_path_factory.mktemp("jsonl"), "a.jsonl", line + "\n"), ENTITIES)
    assert document.text == text
    assert list(document.gold["entities"]) == sorted({without_edges(text, *span) for span in offsets})


TWICE = "Rio, says Ann; Ann of Rio is not the Ann of Rio."
SECOND_OCCURRENCES = (Span(15, 18, "PER"), Span(22, 25, "LOC"), Span(37, 40, "PER"))
"""Spans whose text occurs in TWICE before, unlabeled."""


def test_span_keeps_its_offsets_if_its_text_occurs_before(tmp_path):
    assert all(TWICE.index(TWICE[span.start : span.end]) < span.start for span in SECOND_OCCURRENCES)
    spans = [
        {"start": span.start, "end": span.end, "label": span.label, "text": TWICE[span.start : span.end]}
        for span in SECOND_OCCURRENCES
    ]
    annotations = [
        f"T{index}\t{span.label} {span.start} {span.end}\t{TWICE[span.start : span.end]}"
        for index, span in enumerate(SECOND_OCCURRENCES)
    ]
    tags = {"Ann": "B-PER", "Rio": "B-LOC"}
    rows = [(word, "O") for word in "Rio , says Ann ;".split()]
    rows += [(word, tags.get(word, "O")) for word in "Ann of Rio is not the Ann".split()] + [("Rio", "O")]
    columns = write(tmp_path, "a.tsv", "\n".join(map("\t".join, rows)))
    (from_jsonl,) = read("jsonl", write(tmp_path, "a.jsonl", json.dumps({"text": TWICE, "entities": spans})), ENTITIES)
    (from_brat,) = read("brat", standoff(tmp_path, TWICE, *annotations), ENTITIES)
    (from_conll,) = read("conll", columns, ENTITIES, delimiter="\t")
    assert from_jsonl.gold["entities"] == from_brat.gold["entities"] == SECOND_OCCURRENCES
    assert from_conll.text == "Rio , says Ann ; Ann of Rio is not the Ann Rio"
    assert from_conll.gold["entities"] == (Span(17, 20, "PER"), Span(24, 27, "LOC"), Span(39, 42, "PER"))


# --- brat


def standoff(folder: Path, text: str, *annotations: str) -> Path:
    """Write a brat document and return its folder."""
    write(folder, "set/a.txt", text)
    write(folder, "set/a.ann", "".join(f"{line}\n" for line in annotations))
    return folder / "set"


def test_brat_reads_nested_spans_of_several_fields_and_skips_the_rest(tmp_path):
    people, cities = Field("people", "spans", ("PER",)), Field("cities", "spans", ("LOC",))
    spans = ["T1\tPER 3 9\tof Rio", "T2\tLOC 6 9\tRio", "T3\tJUNK 0 1\tA"]
    annotations = [*spans, "R1\tin Arg1:T1 Arg2:T2", "#1\tNote T1\tx", ""]
    path = standoff(tmp_path, "A\r\nof Rio", *annotations)
    write(tmp_path, "set/deep/b.txt", "bare")
    first, second = read("brat", path, people, cities, ignore=["JUNK"])
    assert (first.id, first.text) == ("a", "A\r\nof Rio")
    assert first.gold == {"people": (Span(3, 9, "PER"),), "cities": (Span(6, 9, "LOC"),)}
    assert (second.id, second.gold) == ("deep/b", {})


def test_brat_accepts_a_blank_for_a_line_end(tmp_path):
    path = standoff(tmp_path, "Ann\nLee", "T1\tPER 0 7\tAnn Lee")
    assert read("brat", path, ENTITIES)[0].gold["entities"] == (Span(0, 7, "PER"),)


def test_brat_takes_the_hull_of_a_discontinuous_span_by_option_only(tmp_path):
    path = standoff(tmp_path, "Ann and Bo Lee", "T1\tPER 0 3;11 14\tAnn Lee")
    assert "discontinuous: hull" in refusal("brat", path, ENTITIES)
    assert read("brat", path, ENTITIES, discontinuous="hull")[0].gold["entities"] == (Span(0, 14, "PER"),)


def test_brat_strips_white_space_with_one_warning_per_folder(tmp_path, capsys):
    path = standoff(tmp_path, " Ann ", "T1\tPER 0 4\t Ann", "T2\tPER 1 5\tAnn ", "T3\tPER 1 4\tAnn")
    assert read("brat", path, ENTITIES)[0].gold["entities"] == (Span(1, 4, "PER"),)
    assert capsys.readouterr().err == (
        f"warning: {path}: removed the white space at the edges of 2 spans, dropped 2 repeated spans.\n"
    )


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        ("T1\tPER 0 3\tBob", "is 'Ann', not 'Bob'"),
        ("T1\tPEER 0 3\tAnn", 'no field has the label "PEER". Did you mean "PER"?'),
        ("T1\tPER 0 x\tAnn", "not a standoff annotation"),
        ("nonsense", "not a standoff annotation"),
        ("T1\tPER 0 90\tAnn", "outside the text of 3 characters"),
    ],
)
def test_brat_error_names_the_line(tmp_path, annotation, words):
    path = standoff(tmp_path, "Ann", "T0\tPER 0 3\tAnn", annotation)
    message = refusal("brat", path, ENTITIES)
    assert message.startswith(f"{path / 'a.ann'}:2: ")
    assert words in message


def test_brat_refuses_annotations_without_a_text(tmp_path):
    path = write(tmp_path, "set/a.ann", "").parent
    assert refusal("brat", path, ENTITIES).startswith(f"{path / 'a.ann'}: there is no .txt")
    assert "not a folder" in refusal("brat", path / "a.ann", ENTITIES)


# --- texts


def test_plain_text_keeps_all_code_points(tmp_path):
    path = write(tmp_path, "a.log", AWKWARD)
    assert [(document.id, document.text, document.gold) for document in read("text", path, ENTITIES)] == [
        ("a.log", AWKWARD, {})
    ]


def test_folder_is_read_by_name_and_other_files_are_a_warning(tmp_path, capsys):
    write(tmp_path, "b.txt", "B")
    write(tmp_path, "a/c.TXT", "C")
    write(tmp_path, "a/d.jsonl", '{"text": "D"}\n{"id": "own", "text": "E"}\n')
    write(tmp_path, "a/e.pdf", b"\0")
    assert [(document.id, document.text) for document in read_unlabeled(tmp_path)] == [
        ("a/c.TXT", "C"),
        ("a/d-1", "D"),
        ("own", "E"),
        ("b.txt", "B"),
    ]
    warning = f"warning: {tmp_path}: left out: 1 file with an ending other than .txt or .jsonl.\n"
    assert capsys.readouterr().err == warning
    assert [document.id for document in read("text", tmp_path)] == ["a/c.TXT", "b.txt"]


def test_texts_are_read_lazily(tmp_path):
    write(tmp_path, "a.txt", "A")
    write(tmp_path, "b.txt", b"\0")
    texts = read_unlabeled(tmp_path)
    assert next(texts).text == "A"
    with pytest.raises(UserError, match="b.txt:1: this is binary"):
        next(texts)


def test_unlabeled_pool_is_text_jsonl_or_a_folder(tmp_path):
    write(tmp_path, "a.txt", "A")
    write(tmp_path, "b.jsonl", '{"text": "B", "topic": "fraud"}\n')
    assert [document.text for document in read_unlabeled(tmp_path)] == ["A", "B"]
    assert [document.gold for document in read_unlabeled(tmp_path / "b.jsonl")] == [{}]
    with pytest.raises(UserError, match="cannot be read as unlabeled text. Give a .txt, a .jsonl"):
        read_unlabeled(write(tmp_path, "c.csv", "x"))
    with pytest.raises(UserError, match="there is no such file"):
        list(read_unlabeled(tmp_path / "absent"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="there is no .txt or .jsonl in this folder."):
        list(read_unlabeled(tmp_path / "empty"))
