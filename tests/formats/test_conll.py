"""Columns: schemes, comments with ids and texts, what tags of words cannot express, and real files."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
from reading import write

from electra_ie.common.errors import ErrorCollector, UserError
from electra_ie.formats import FORMATS
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan, canonical
from electra_ie.formats.parts.tagged_words import words

CONLL = FORMATS["conll"]
DATA = Path(__file__).parents[3] / "shared/data"


def read(path: Path, content: str, **options: object) -> list[AnnotatedDocument]:
    """Return the documents of a file with this content."""
    return list(CONLL.documents(write(path, "a.conll", content), options))


def labeled(document: AnnotatedDocument) -> list[tuple[str, str]]:
    """Return text and label of each span."""
    return [(document.passage(span), span.label) for span in document.spans]


def document(text: str, *spans: tuple[int, int, str], id: str = "d") -> AnnotatedDocument:
    """Return a document with spans."""
    return AnnotatedDocument(
        id, text, tuple(AnnotatedSpan(f"T{index}", label, ((start, end),)) for index, (start, end, label) in enumerate(spans))
    )  # fmt: skip


@pytest.mark.parametrize(
    "tags",
    [
        "PER PER O LOC", "I-PER I-PER O I-LOC", "B-PER I-PER O B-LOC", "B-PER E-PER O S-LOC", "B-PER L-PER O U-LOC",
        "b_PER i_PER o b_LOC",
    ],
)  # fmt: skip
def test_schemes_are_recognized(tmp_path, tags):
    rows = "\n".join(f"{word} NN {tag}" for word, tag in zip("Ann Lee in Rio".split(), tags.split(), strict=True))
    (result,) = read(tmp_path, rows)
    assert labeled(result) == [("Ann Lee", "PER"), ("Rio", "LOC")]
    assert (result.id, result.text) == ("a-1", "Ann Lee in Rio")


def test_sentences_comments_and_document_starts(tmp_path):
    content = "-DOCSTART- -X- O\n\n# id = 7\n# text = Ann's  cat\nAnn B-PER\n's O\ncat O\n\n#\tO\n1\tO\n\n# a license\n\n王 B-PER\n元 O\n"
    first, second, third = read(tmp_path, content.replace("-DOCSTART- -X- O", "-DOCSTART- O"))
    assert (first.id, first.text, labeled(first)) == ("7", "Ann's  cat", [("Ann", "PER")])
    assert (second.id, second.text) == ("a-9", "# 1")
    assert third.text == "王元"


def test_text_that_does_not_fit_the_words_is_counted(tmp_path, caplog):
    (result,) = read(tmp_path, "# text = A title\nAnn B-PER\nis O\n")
    assert result.text == "Ann is"
    assert "1 texts in comments do not fit the words" in caplog.text


@pytest.mark.parametrize("cut", ["is O\n", "is O", "i O\n"])
def test_a_last_sentence_whose_text_goes_on_is_an_error(tmp_path, cut):
    with pytest.raises(UserError) as caught:
        read(tmp_path, f"# text = So\nSo O\n\n# text = Ann is in Rio\nAnn B-PER\n{cut}")
    assert str(caught.value) == (
        f"{tmp_path}/a.conll:6: the file ends within the text of its last sentence, 'Ann is in Rio'. "
        "Is the file whole? Otherwise correct # text, or add the words."
    )


def test_file_of_one_column_is_not_annotated(tmp_path):
    assert [result.layers for result in read(tmp_path, "Ann\nis\n\nso\n")] == [None, None]


def test_every_invalid_sentence_is_an_error_with_its_line(tmp_path):
    path = write(tmp_path, "a.conll", "Ann B-PER\n\nBo PER\n\n# text = gone\n\nAm B-PER\nI\n\nIs O\n")
    errors = ErrorCollector()
    assert [result.text for result in CONLL.documents(path, on_error=errors.add)] == ["Ann", "Is"]
    assert [str(error).split("a.conll:")[1][:30] for error in errors.first] == [
        "8: this line has 1 columns, an",
        '3: the tag "PER" has no prefix',
        "5: there is a text in a commen",
    ]


def test_written_file_has_words_tags_ids_and_texts(tmp_path):
    documents = [
        document("Ann  Lee's\ncat", (0, 8, "PER"), (8, 10, "X Y")),
        AnnotatedDocument("", "so", layers=None),
        document('"', id=" "),
    ]
    assert CONLL.save(documents, tmp_path / "out") == {"blanks and delimiters in names": 1}
    assert (tmp_path / "out").read_text() == (
        "# id = d\n# text = \"Ann  Lee's\\ncat\"\nAnn\tB-PER\nLee\tI-PER\n'\tB-X_Y\ns\tI-X_Y\ncat\tO\n\n"
        '# id = \n# text = so\nso\t_\n\n# id = " "\n# text = "\\""\n"\tO\n\n'
    )
    first, second, third = CONLL.documents(tmp_path / "out")
    assert first.text == "Ann  Lee's\ncat"
    assert (second.id, second.layers) == ("", None)
    assert (third.id, third.text) == (" ", '"')


@pytest.mark.parametrize("text", ["#", "# #", "# id = x", "-DOCSTART-", "", "\ufeffa", "a\u2028b\x85c", "#\tO"])
def test_text_like_the_syntax_is_read_back(tmp_path, text):
    CONLL.save([document(text), AnnotatedDocument("2", f"{text}!", layers=None)], tmp_path / "out")
    assert [(result.text, result.layers) for result in CONLL.documents(tmp_path / "out")] == [
        (text, ("",)), (f"{text}!", None)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("scheme", "tags"),
    [("iob2", "B-P I-P B-P O"), ("bioes", "B-P E-P S-P O"), ("io", "I-P I-P I-P O")],
)
def test_schemes_are_written(tmp_path, scheme, tags):
    source = document("Ann Lee Bo is", (0, 7, "P"), (8, 10, "P"))
    losses = CONLL.save([source], tmp_path / "out", {"scheme": scheme})
    rows = (tmp_path / "out").read_text().splitlines()[2:6]
    assert [row.split("\t")[1] for row in rows] == tags.split()
    assert losses == ({"borders of spans next to others of the same label": 1} if scheme == "io" else {})
    (result,) = CONLL.documents(tmp_path / "out")
    assert canonical(result) == canonical(CONLL.reduced(source, {"scheme": scheme})[0])


REUTERS = "-DOCSTART- -X- O O\n\nAnn NNP B-NP B-PER\nLee NNP I-NP I-PER\nmet VBD B-VP O\nRio NNP B-NP B-LOC\n"
"""A sentence with the columns of CoNLL-2003."""
NAMED = {"columns": ["word", "pos", "chunk", "ner"]}


def layered(document: AnnotatedDocument) -> list[tuple[str, str, str]]:
    """Return layer, text and label of each span."""
    return [(span.layer, document.passage(span), span.label) for span in document.spans]


def test_last_column_of_tags_is_the_default_and_a_message_names_the_others(tmp_path, caplog):
    (result,) = read(tmp_path, REUTERS)
    assert labeled(result) == [("Ann Lee", "PER"), ("Rio", "LOC")]
    assert result.layers == ("",)
    assert "tags are read from the last column, by default; those of column 2 are not" in caplog.text
    assert "such as [2, 3]" in caplog.text
    caplog.clear()
    read(tmp_path, REUTERS, tag=3)
    read(tmp_path, REUTERS.replace("I-NP", "NP"))
    assert not caplog.text


def test_words_are_read_after_a_column_that_counts_them(tmp_path, caplog):
    """GermEval 2014 and Universal NER number the words of a sentence; a text of numbers is read as it is."""
    content = "# http://x [2009]\n1 Auf O O\n2 Rom B-LOC O\n\n1 In O O\n1-2 zum O O\n2 Rom B-LOC O\n"
    first, second = read(tmp_path, content, tag=2)
    assert (first.text, labeled(first)) == ("Auf Rom", [("Rom", "LOC")])
    assert (second.text, labeled(second)) == ("In Rom", [("Rom", "LOC")])
    assert "the first column numbers the words, which are read from column 1" in caplog.text
    for rows, text in (("1 O\n2 O", "1 2"), ("1 CD O\n3 CD O", "1 3"), ("1 CD O", "1")):
        assert read(tmp_path, rows)[0].text == text


@pytest.mark.parametrize(
    ("options", "layers"),
    [
        ({"tag": [2, 3]}, ("2", "3")),
        ({"tag": [-2, "3"]}, ("2", "3")),
        ({"tag": ["chunk", "ner"], **NAMED}, ("chunk", "ner")),
        ({"tag": [-2, "ner"], "word": "word", **NAMED}, ("chunk", "ner")),
    ],
)
def test_columns_of_tags_are_layers_by_number_or_name(tmp_path, options, layers):
    (result,) = read(tmp_path, REUTERS, **options)
    first, second = result.layers
    assert (first, second) == layers
    assert layered(result) == [
        (first, "Ann Lee", "NP"), (first, "met", "VP"), (first, "Rio", "NP"), (second, "Ann Lee", "PER"), (second, "Rio", "LOC")
    ]  # fmt: skip


def test_one_column_by_name_and_tags_without_prefixes(tmp_path):
    (result,) = read(tmp_path, REUTERS, tag="chunk", **NAMED)
    assert labeled(result) == [("Ann Lee", "NP"), ("met", "VP"), ("Rio", "NP")]
    (result,) = read(tmp_path, REUTERS, tag=["pos"], **NAMED)
    assert layered(result) == [("pos", "Ann Lee", "NNP"), ("pos", "met", "VBD"), ("pos", "Rio", "NNP")]
    assert [result.layers for result in read(tmp_path, REUTERS, tag=[])] == [None]


def test_column_that_was_not_annotated_is_no_layer_of_its_sentence(tmp_path):
    content = "Ann B-NP B-PER\nmet O O\n\nRio B-NP _\nis O _\n\nso _ _\n"
    assert [result.layers for result in read(tmp_path, content, tag=[1, 2])] == [("1", "2"), ("1",), None]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tag": [2, 4]}, "a.conll:3: the option tag is 4, and this line has 4 columns. It must be -4 to 3."),
        (
            {"tag": "ner"},
            'the option tag is "ner", and no column has this name. Name all columns in the option columns',
        ),
        ({"tag": "nr", **NAMED}, 'no column has this name. Did you mean "ner"?'),
        ({"tag": ["ner"], "columns": ["word", "ner"]}, "has 2 different names, and this line has 4 columns"),
        ({"columns": ["word", "pos", "ner", "ner"]}, "has 3 different names"),
        ({"tag": [True]}, "It must be a whole number or text or a list of whole numbers or texts."),
        ({"tag": [2, 3], "labels": ["NP", "PER"], "word": 1}, ""),
    ],
)
def test_column_that_does_not_exist_is_an_error(tmp_path, options, words):
    if words:
        with pytest.raises(UserError) as caught:
            read(tmp_path, REUTERS, **options)
        assert words in str(caught.value)
    else:
        assert read(tmp_path, REUTERS, **options)[0].text == "NNP NNP VBD NNP"


def test_layers_are_written_as_columns_and_read_back(tmp_path):
    (source,) = read(tmp_path, REUTERS, tag=["chunk", "ner"], **NAMED)
    others = [
        AnnotatedDocument("2", "# so", (AnnotatedSpan("T1", "PER", ((2, 4),), layer="ner"),), layers=("ner",)),
        AnnotatedDocument("3", "x", layers=None),
        AnnotatedDocument("4", "", layers=("chunk",)),
    ]
    assert CONLL.save([source, *others], tmp_path / "out") == {}
    assert (tmp_path / "out").read_text() == (
        '# layers = ["chunk", "ner"]\n\n# id = a-3\n# text = Ann Lee met Rio\n# annotated = ["chunk", "ner"]\n'
        "Ann\tB-NP\tB-PER\nLee\tI-NP\tI-PER\nmet\tB-VP\tO\nRio\tB-NP\tB-LOC\n\n"
        '# id = 2\n# text = # so\n# annotated = ["ner"]\n#\t_\tO\nso\t_\tB-PER\n\n'
        '# id = 3\n# text = x\nx\t_\t_\n\n# id = 4\n# text = \n# annotated = ["chunk"]\n\n'
    )
    result = list(CONLL.documents(tmp_path / "out"))
    assert [canonical(item) for item in result] == [canonical(item) for item in [source, *others]]
    bare = CONLL.documents(tmp_path / "out", {"tag": []})
    assert [(item.text, item.layers) for item in bare] == [(item.text, None) for item in result]


def test_spans_of_different_layers_may_overlap_and_those_of_one_may_not():
    spans = [AnnotatedSpan(f"T{end}", "A", ((0, end),), layer=layer) for end, layer in ((3, "a"), (7, "b"), (11, "b"))]
    kept, losses = CONLL.reduced(AnnotatedDocument("d", "Ann Lee met", tuple(spans), layers=("a", "b")))
    assert [(span.layer, span.end) for span in kept.spans] == [("a", 3), ("b", 11)]
    assert losses == {"spans within others": 1}


def test_every_invalid_tag_is_an_error(tmp_path):
    path = write(tmp_path, "a.conll", "Ann B-PER\nBo X\n# Y\n\nso B\nit O\n")
    errors = ErrorCollector()
    assert not list(CONLL.documents(path, {"labels": ["PER", "LOC"]}, errors.add))
    assert [str(error).removeprefix(f"{path}:").partition(". ")[0] for error in errors.first] == [
        '2: "X" is not a tag', '3: "Y" is not a tag', '5: the tag "B" has no label'
    ]  # fmt: skip
    assert "The option tag selects their column (here 1)." in str(errors.first[0])
    assert "If this is a comment" in str(errors.first[1])


def test_labels_with_blanks_are_read_if_they_are_given(tmp_path):
    content = "Arden X B-Trading Name\nLtd X I-Trading Name\nis X O\nso X O\nis X O\n"
    (result,) = read(tmp_path, content, labels=["Trading Name"])
    assert labeled(result) == [("Arden Ltd", "Trading Name")]
    with pytest.raises(UserError, match='If "Trading Name" is a label, give all labels in the option labels'):
        read(tmp_path, content)


def test_spans_that_are_not_whole_words_are_counted():
    source = document("Ann  Leeds is", (0, 4, "P"), (4, 5, "P"), (5, 8, "P"), (11, 12, "P"))
    kept, losses = CONLL.reduced(source)
    assert labeled(kept) == [("Ann", "P")]
    assert losses == {
        "white space at the edges of spans": 1,
        "spans of white space only": 1,
        "spans that begin or end inside a word": 2,
    }


def test_words_are_runs_of_letters_with_their_combining_marks():
    text = "e\u0301a 5g, \u4e2d\u6587\N{GRINNING FACE}\u200d\u00a0x"
    assert [text[start:end] for start, end in words(text)] == [
        "e\u0301a", "5g", ",", "\u4e2d", "\u6587", "\N{GRINNING FACE}\u200d", "x"
    ]  # fmt: skip


def test_text_with_nul_is_refused(tmp_path):
    with pytest.raises(UserError, match='document "d" contains U\\+0000'):
        CONLL.save([document("a\0b")], tmp_path / "out")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("-DOCSTART- -X- O\n\nAnn NNP B-PER\nis VB O\n", True),
        ("# id = 1\n# text = Ann\nAnn\tO\n", True),
        ("Ann is here\nand so\n", False),
        ("Ann,B-PER\n", False),
        ("", False),
        ("\0\1", False),
    ],
)
def test_columns_with_tags_are_detected(tmp_path, content, expected):
    assert CONLL.detect(write(tmp_path, "a", content)) is expected
    assert not CONLL.detect(tmp_path)


@pytest.mark.parametrize("name", ["bc5cdr/train.tsv", "sec_filings/train.txt"])
def test_real_file_is_written_back_unchanged(tmp_path, name):
    if not (DATA / name).exists():
        pytest.skip(f"needs the data set {name}")
    with (DATA / name).open() as file:
        path = write(tmp_path, "part.txt", "".join(islice(file, 2000)))
    assert CONLL.detect(path)
    documents = list(CONLL.documents(path))
    assert sum(len(result.spans) for result in documents) > 40
    assert CONLL.save(documents, tmp_path / "out") == {}
    result = list(CONLL.documents(tmp_path / "out"))
    assert [canonical(item) for item in result] == [canonical(item) for item in documents]
