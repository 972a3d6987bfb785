"""PubTator as its tools export it, and lines that are invalid."""

from __future__ import annotations

import pytest

from electra_ie.common.errors import UserError
from electra_ie.formats import FORMATS
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan, Reference

PUBTATOR = FORMATS["pubtator"]
CDR = (
    "227508|t|Naloxone reverses clonidine.\n"
    "227508|a|Breast and lung cancer|t|x; V600E \U0001f600 e\u0301 p53.\n"
    "227508\t0\t8\tNaloxone\tChemical\tD009270\n"
    "227508\t18\t27\tclonidine\tChemical\tMESH:D003000\n"
    "227508\t29\t51\tBreast and lung cancer\tDisease\tD001943|D008175\tBreast cancer|lung cancer\n"
    "227508\t57\t62\tV600E\tDNAMutation\ttmVar:p|SUB|V|600|E;HGVS:p.V600E\n"
    "227508\t68\t71\tp53\tGene\t-1\n"
    "227508\tCID\tD003000\tD001943\n"
    "\n"
    "2|t|No abstract\n"
    "\n"
)


def read(tmp_path, text):
    """Return documents and errors of a file with this text."""
    path = tmp_path / "x.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    errors = []
    return list(PUBTATOR.documents(path, on_error=errors.append)), [
        str(error).removeprefix(f"{path}:") for error in errors
    ]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_title_and_abstract_are_joined_by_one_character(tmp_path, line_end):
    documents, errors = read(tmp_path, CDR.replace("\n", line_end))
    assert not errors
    first, second = documents
    assert first.text == "Naloxone reverses clonidine.\nBreast and lung cancer|t|x; V600E \U0001f600 e\u0301 p53."
    assert [first.passage(span) for span in first.spans] == [
        "Naloxone",
        "clonidine",
        "Breast and lung cancer",
        "V600E",
        "p53",
    ]
    assert [span.references for span in first.spans] == [
        (Reference("", "D009270"),),
        (Reference("MESH", "D003000"),),
        (Reference("", "D001943", "Breast cancer"), Reference("", "D008175", "lung cancer")),
        (Reference("tmVar", "p|SUB|V|600|E;HGVS:p.V600E"),),
        (),
    ]
    assert first.metadata == {"relations": [{"label": "CID", "concepts": ["D003000", "D001943"]}]}
    assert (second.id, second.text, second.line) == ("2", "No abstract", 10)
    assert PUBTATOR.detect(tmp_path / "x.txt")


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("\t18\t27\t", "\t19\t28\t", "4: the span 19 to 28 is 'lonidine.', not 'clonidine'"),
        ("\t18\t27\t", "\t990\t999\t", "4: the span 990 to 999 is '', not 'clonidine'"),
        ("227508\t0", "227509\t0", '3: the id "227509" is not that of the document'),
        ("\tNaloxone\tChemical\tD009270", "", "3: '227508\\t0\\t8' is not a line of PubTator"),
        ("227508|a|", "227508|t|", '1: the document "227508" has no'),
        ("227508|t|Naloxone reverses clonidine.\n", "", '1: the document "227508" has no title'),
        ("227508|a|", "227508|a|x\n227508|a|", "3: this document has a second abstract"),
    ],
)  # fmt: skip
def test_an_invalid_line_is_an_error_and_the_next_document_is_read(tmp_path, old, new, error):
    documents, errors = read(tmp_path, CDR.replace(old, new, 1))
    if new == "227508|t|":  # a second title begins a document
        assert errors and documents[0].text == "Naloxone reverses clonidine."
        return
    assert len(errors) == 1 and errors[0].startswith(error)
    assert [document.id for document in documents] == ["2"]


def test_offsets_in_utf_16_are_converted_and_said(tmp_path, capsys):
    [document], errors = read(tmp_path, "1|t|\U0001f600 ACME\n1\t3\t7\tACME\tORG\t\n")
    assert not errors
    assert document.spans[0].fragments == ((2, 6),)
    assert "count UTF-16 code units" in capsys.readouterr().err


@pytest.mark.parametrize(("raw", "message"), [(b"1|t|\xff\n", "not UTF-8"), (b"1|t|\x00\n", "binary")])
def test_bytes_that_are_no_text_are_an_error(tmp_path, raw, message):
    documents, [error] = read(tmp_path, raw)
    assert message in error and not documents


def test_an_empty_file_has_no_documents(tmp_path):
    assert read(tmp_path, b"") == ([], [])


def test_line_ends_and_identifiers_that_lines_cannot_hold_are_counted(tmp_path):
    """The characters are replaced one for one, so that offsets stay."""
    span = AnnotatedSpan("T1", "X", ((0, 9),), references=(Reference("r", "a|b"), Reference("MESH", "D1")))
    document = AnnotatedDocument("1", "a\tb\nc\r\nd\ne", (span,), metadata={"relations": "none", "k": 1})
    losses = PUBTATOR.save([document], tmp_path / "x.txt")
    assert losses == {"line ends in texts": 3, "references of spans": 1, "other values of records": 2}
    [result] = PUBTATOR.documents(tmp_path / "x.txt")
    assert result.text == "a\tb\nc  d e"
    assert result.spans[0].fragments == ((0, 9),)
    assert result.spans[0].references == (Reference("MESH", "D1"),)


def test_relations_of_concepts_have_the_novelty_of_biored(tmp_path):
    """Lines of BioRED; PubTator names what it has no column for."""
    lines = (
        "1|t|p53\n1\tAssociation\t7157\tD009369\tNovel\n1\tBind\t7157\t4193\tNo\n1\tCID\tD1\tD2\tD3\n1\tCID\tD1\tD2\t\n"
    )
    [document], errors = read(tmp_path, lines)
    assert not errors
    first, second, third, fourth = document.metadata["relations"]
    assert first == {"label": "Association", "concepts": ["7157", "D009369"], "values": {"novel": "Novel"}}
    assert second["values"] == {"novel": "No"}
    assert (third["concepts"], fourth["concepts"]) == (["D1", "D2", "D3"], ["D1", "D2"])
    stated = [{**first, "roles": ["Gene", "Disease"]}, {**second, "values": {"score": "1"}}, {**third, "label": "9"}]
    losses = PUBTATOR.save([AnnotatedDocument("1", "a", metadata={"relations": stated})], tmp_path / "y.txt")
    assert losses == {
        "relations of concepts": 1, "roles of relations of concepts": 1, "values of relations of concepts": 1,
    }  # fmt: skip
    assert (tmp_path / "y.txt").read_text() == "1|t|a\n1\tAssociation\t7157\tD009369\tNovel\n1\tBind\t7157\t4193\n\n"


def test_a_label_with_a_tab_is_refused(tmp_path):
    document = AnnotatedDocument("1", "abc", (AnnotatedSpan("T1", "A\tB", ((0, 1),)),))
    with pytest.raises(UserError, match='document "1" has a tab'):
        PUBTATOR.save([document], tmp_path / "x.txt")
    assert not (tmp_path / "x.txt").exists()


def test_quotations_with_other_dashes_and_greek_letters_are_accepted_and_counted(tmp_path, capsys):
    """Tools write the quotation in ASCII, and the text as it is."""
    text = "1|t|TNF-\u03b1 and 5 \u03bcm \u2013 IL\u20111\u03b2\n1\t0\t5\tTNF-a\tG\n1\t10\t14\t5 um\tG\n1\t17\t22\tIL-1b\tG\n"
    [document], errors = read(tmp_path, text)
    assert not errors
    assert [document.passage(span) for span in document.spans] == ["TNF-\u03b1", "5 \u03bcm", "IL\u20111\u03b2"]
    counted = "the quoted texts of 3 spans have other dashes or Greek letters than the text; accepted."
    assert counted in capsys.readouterr().err
    for quoted in ("TNF-b", "TNF-alpha", "TNFa", "tnf-a"):
        assert "is 'TNF-\u03b1', not" in read(tmp_path, f"1|t|TNF-\u03b1 and\n1\t0\t5\t{quoted}\tG\n")[1][0]
    emoji = read(tmp_path, "1|t|\U0001f600 TNF-\u03b1 b\n1\t3\t8\tTNF-a\tG\n")[1][0]
    assert "is 'NF-\u03b1 ', not" in emoji, "offsets in another unit are not converted by a quotation that differs"
