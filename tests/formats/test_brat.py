"""brat: every kind of line, names of files, and the lines that are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from reading import write

from electra_ie.common.errors import ErrorCollector, UserError
from electra_ie.formats import FORMATS
from electra_ie.formats.annotations import (
    AnnotatedDocument,
    AnnotatedSpan,
    Attribute,
    Event,
    Reference,
    Relation,
    canonical,
)

BRAT = FORMATS["brat"]
CASES = Path(__file__).parents[3] / "shared/data/medical_cases/train"
TEXT = "fracture of tibia and fibula\nMr. Ann was \N{GRINNING FACE} given Aspirin"
ANN = """T1\tFINDING 0 11;22 28\tfracture of fibula
T2\tFINDING 0 17\tfracture of tibia
T3\tDRUG 49 56\tAspirin
T4\tGive 43 48\tgiven
T5\tPER 22 32;33 36\tfibula Mr. Ann
R1\tLocated Arg1:T3 Arg2:T2\t
E1\tGive:T4 Theme:T3 Theme2:T2
E2\tGive:T4 Cause:E1
*\tEquiv T1 T2 T3
A1\tNegated T2
M2\tConfidence E1 very high
A3\tSure R1
N1\tReference T3 ATC:B01AC06\tacetylsalicylic acid
#1\tAnnotatorNotes T2\tsee page 2
#2\tAnnotatorNotes R1\tunsure
"""


def folder(path: Path, ann: str, text: str = TEXT) -> Path:
    """Write a document `sub/a` and return its folder."""
    write(path, "in/sub/a.ann", ann)
    return write(path, "in/sub/a.txt", text).parents[1]


def messages(path: Path) -> list[str]:
    """Return the errors of a folder, and check that it has no document."""
    errors = ErrorCollector()
    assert not list(BRAT.documents(path, on_error=errors.add))
    return [str(error).replace(str(path), "") for error in errors.first]


def test_every_kind_of_line_is_read_and_written_back(tmp_path):
    source = folder(tmp_path, ANN)
    (document,) = BRAT.documents(source)
    assert document.id == "sub/a"
    assert document.spans[0].fragments == ((0, 11), (22, 28))
    assert document.spans[1].notes == ("see page 2",)
    assert document.spans[1].attributes == (Attribute("Negated"),)
    assert document.spans[2].references == (Reference("ATC", "B01AC06", "acetylsalicylic acid"),)
    assert document.relations[0] == Relation(
        "R1", "Located", (("Arg1", "T3"), ("Arg2", "T2")), attributes=(Attribute("Sure"),), notes=("unsure",)
    )
    assert document.relations[1].symmetric
    assert [target for _, target in document.relations[1].arguments] == ["T1", "T2", "T3"]
    assert document.events == (
        Event(
            "E1", "Give", "T4", (("Theme", "T3"), ("Theme2", "T2")), attributes=(Attribute("Confidence", "very high"),)
        ),
        Event("E2", "Give", "T4", (("Cause", "E1"),)),
    )
    assert BRAT.save([document], tmp_path / "out") == {}
    assert sorted((tmp_path / "out/sub/a.ann").read_text().splitlines()) == sorted(
        ANN.replace("M2\tConf", "A3\tConf").replace("A3\tSure", "A2\tSure").splitlines()
    )


def test_text_without_ann_is_not_annotated_and_one_with_an_empty_ann_is(tmp_path):
    write(tmp_path, "in/a.txt", "Ann")
    write(tmp_path, "in/b.txt", "Bo")
    write(tmp_path, "in/b.ann", "")
    documents = list(BRAT.documents(tmp_path / "in"))
    assert [document.layers for document in documents] == [None, ("",)]
    BRAT.save(documents, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.txt", "b.ann", "b.txt"]


def test_offsets_in_utf_16_are_converted_by_the_quoted_text(tmp_path, caplog):
    (document,) = BRAT.documents(folder(tmp_path, "T1\tDRUG 50 57\tAspirin\nT2\tX 44 46;50 57\tgi Aspirin\n"))
    assert [span.fragments for span in document.spans] == [((49, 56),), ((43, 45), (49, 56))]
    assert "2 spans count UTF-16 code units" in caplog.text


def test_every_invalid_line_is_an_error_with_its_line_and_the_document_is_left_out(tmp_path):
    lines = [
        "T1\tDRUG 49 56\tAspirin",
        "T2\tDRUG 0 5\tAspirin",
        "T3\tDRUG 49 99\tAspirin",
        "T1\tDRUG 49 56\tAspirin",
        "T5\tX 0 4;2 6\tfrac actu",
        "R1\tLocated T1",
        "R2\tLocated",
        "E1\tGive",
        "A1\tNegated",
        "N1\tReference T1 here",
        "*\tEquiv T1",
        "something else",
    ]
    expected = [
        "not 'Aspirin'", "outside the text", "used twice", "overlap", "not a role", "no arguments", "not a role",
        "not an attribute", "not a reference", "two or more", "not a standoff",
    ]  # fmt: skip
    found = messages(folder(tmp_path, "\n".join(lines)))
    for number, (message, words) in enumerate(zip(found, expected[:10], strict=True), start=2):
        assert message.startswith(f"/sub/a.ann:{number}: ")
        assert words in message


@pytest.mark.parametrize(
    "line", ["R1\tLocated Arg1:T1 Arg2:T9", "R1\tX Arg1:A1 Arg2:T1", "E1\tGive:E1", "A2\tNegated T9", "#1\tNote R9\tx"]
)
def test_unknown_target_is_an_error(tmp_path, line):
    (message,) = messages(folder(tmp_path, f"T1\tDRUG 49 56\tAspirin\nA1\tX T1\n{line}\n"))
    assert message.startswith("/sub/a.ann:3: there is no annotation")


def test_lines_that_the_model_of_documents_lacks_are_counted(tmp_path, caplog):
    ann = "T1\tDRUG 49 56\tAspirin\nA1\tX T1\n#1\tAnnotatorNotes A1\tx\n# a comment\n#2\tNormalization T1\ty\n"
    (document,) = BRAT.documents(folder(tmp_path, ann))
    assert document.spans[0].notes == ("y",)
    for words in ("1 notes on other lines", "1 comments", "1 kinds of notes"):
        assert words in caplog.text


@pytest.mark.parametrize(
    "id", ["..", "a//b", "/a", "a/../b", "con", "a/LPT1.x", "x" * 201, "a:b", "a\\b", ".a", "a.", "b.txt/c", "unnamed-0001"]
)  # fmt: skip
def test_id_that_is_no_path_everywhere_is_counted_and_numbered(tmp_path, id):
    documents = [AnnotatedDocument("b", "x"), AnnotatedDocument(id, "y")]
    assert BRAT.save(documents, tmp_path / "out") == {"ids of documents": 1}
    assert (tmp_path / "out/unnamed-0002.txt").read_text() == "y"
    assert [document.id for document in BRAT.documents(tmp_path / "out")] == ["b", ""]


def test_ids_that_need_the_same_file_are_an_error_and_nothing_is_written(tmp_path):
    with pytest.raises(UserError, match='"A" and "a"'):
        BRAT.save([AnnotatedDocument("A", "x"), AnnotatedDocument("a", "y")], tmp_path / "out")
    with pytest.raises(UserError, match='document "b" contains U\\+0000'):
        BRAT.save([AnnotatedDocument("a", "x"), AnnotatedDocument("b", "y\0")], tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_what_the_syntax_cannot_hold_is_counted(tmp_path):
    span = AnnotatedSpan(
        "1",
        "two words",
        ((0, 3),),
        attributes=(Attribute("a", ""), Attribute("b", "x\ny")),
        references=(Reference("a:b", "c d", "e\r\nf"),),
        notes=("a\nb", "tab\there"),
    )
    document = AnnotatedDocument(
        "d",
        "Ann met Bo",
        (span, AnnotatedSpan("2", "P", ((8, 10),))),
        (
            Relation("3", "same", (("left", "1"), ("right", "2")), symmetric=True, notes=("lost",)),
            Relation("4", "one", (("left", "1"),)),
            Relation("5", "met", (("who:1", "1"), ("whom", "2"))),
        ),
        (Event("6", "a:b", "1", (("x y", "2"),)),),
    )
    losses = BRAT.save([document], tmp_path / "out")
    assert losses == {
        "blanks and delimiters in names": 6,
        "line ends in notes and values": 3,
        "empty values of attributes": 1,
        "relations of other than two arguments": 1,
        "roles in relations without order": 1,
        "notes on relations and events": 1,
    }
    (result,) = BRAT.documents(tmp_path / "out")
    assert canonical(result) == canonical(BRAT.reduced(document)[0])
    assert result.spans[0].label == "two_words"
    assert result.spans[0].notes == ("a b", "tab\there")


def test_folder_with_ann_is_detected(tmp_path):
    assert BRAT.detect(folder(tmp_path, ""))
    write(tmp_path, "other/a.txt", "")
    assert not BRAT.detect(tmp_path / "other")
    assert not BRAT.detect(tmp_path / "in/sub/a.ann")


@pytest.mark.skipif(not CASES.exists(), reason="needs the data set medical_cases")
def test_real_folder_is_written_back_unchanged(tmp_path):
    documents = list(BRAT.documents(CASES))[:4]
    assert sum(len(document.relations) for document in documents) > 5
    assert BRAT.save(documents, tmp_path / "out") == {}
    result = list(BRAT.documents(tmp_path / "out"))
    assert [canonical(document) for document in result] == [canonical(document) for document in documents]


def test_texts_that_may_not_have_been_seen_are_counted(tmp_path, capsys):
    """Collections of brat need an empty `.ann` for each text before a person opens it."""
    for name in "abc":
        (tmp_path / f"{name}.txt").write_text("ACME paid")
        if name != "c":
            (tmp_path / f"{name}.ann").touch()
    list(FORMATS["brat"].documents(tmp_path))
    assert "without an annotation" not in capsys.readouterr().err
    (tmp_path / "d.txt").write_text("ACME paid")
    (tmp_path / "d.ann").write_text("T1\tORG 0 4\tACME\n")
    layers = [document.layers for document in FORMATS["brat"].documents(tmp_path)]
    assert layers == [("",), ("",), None, ("",)]
    warned = capsys.readouterr().err
    assert "2 texts without an annotation are read as seen by a person, who found nothing." in warned
    assert "If nobody has seen them, remove their .ann" in warned
