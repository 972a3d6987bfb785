"""CoNLL-U: documents, white space, multiword tokens, and tags in MISC or a column."""

from __future__ import annotations

from pathlib import Path

import pytest
from reading import write

from electra_ie.common.errors import ErrorCollector, UserError
from electra_ie.formats import FORMATS
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan, canonical

pytest.importorskip("conllu")

CONLLU = FORMATS["conllu"]


def rows(*words: str) -> str:
    """Return the lines of a sentence from `id form misc`."""
    lines = []
    for word in words:
        id, form, misc = word.split(" ")
        lines.append(f"{id}\t{form}\t_\tNOUN\t_\tCase=Nom\t0\troot\t_\t{misc}\n")
    return "".join(lines) + "\n"


def read(path: Path, content: str, **options: object) -> list[AnnotatedDocument]:
    """Return the documents of a file with this content."""
    return list(CONLLU.documents(write(path, "a.conllu", content), options))


def labeled(document: AnnotatedDocument) -> list[tuple[str, str]]:
    """Return text and label of each span."""
    return [(document.passage(span), span.label) for span in document.spans]


def test_documents_are_made_of_their_sentences(tmp_path):
    content = (
        "# newdoc id = d1\n# sent_id = s1\n# text = Ann Lee's cat.\n"
        + rows("1 Ann NER=B-PER", "2 Lee SpaceAfter=No|NER=I-PER", "3 's _", "4 cat SpaceAfter=No", "5 . _")
        + "# sent_id = s2\n# text = So.\n"
        + rows("1 So SpaceAfter=No", "2 . SpacesAfter=\\s\\n")
        + "# newpar\n# sent_id = s3\n"
        + rows("1 Bo NER=B-PER")
        + "# newdoc\n# sent_id = s4\n"
        + rows("1 Rio NER=B-LOC")
    )
    first, second = read(tmp_path, content)
    assert (first.id, first.text) == ("d1", "Ann Lee's cat. So. \nBo")
    assert labeled(first) == [("Ann Lee", "PER"), ("Bo", "PER")]
    assert (second.id, labeled(second)) == ("", [("Rio", "LOC")])


def test_sentences_are_documents_where_none_is_named(tmp_path):
    first, second = read(tmp_path, "# sent_id = s1\n" + rows("1 Ann NER=B-PER") + rows("1 so _"))
    assert [(result.id, result.text, result.layers) for result in (first, second)] == [
        ("s1", "Ann", ("",)), ("a-4", "so", ("",))
    ]  # fmt: skip


def test_file_without_tags_is_not_annotated(tmp_path):
    assert [result.layers for result in read(tmp_path, rows("1 Ann _"))] == [None]


def test_tags_of_stanza_are_read(tmp_path):
    """Stanza writes `ner=` in BIOES, and tags a multiword token instead of its parts."""
    (result,) = read(
        tmp_path,
        rows(
            "1-2 Zum ner=B-ORG", "1 zu _", "2 dem _", "3 Amt ner=E-ORG", "4-5 vom ner=O", "4 von _", "5 dem _",
            "6 Rio ner=S-LOC", "7-8 al NER=S-PER", "7 a _", "8 l _",
        ),
    )  # fmt: skip
    assert labeled(result) == [("Zum Amt", "ORG"), ("Rio", "LOC"), ("al", "PER")]


def test_tags_under_another_key_are_named(tmp_path, caplog):
    (result,) = read(tmp_path, rows("1 Ann Ent=B-PER|Gloss=B-x", "2 so Ent=O|Gloss=so"))
    assert result.layers is None
    assert (
        "tags are read from NER, and no word has it. The values of Ent look like tags. "
        "To read them, set the option tags: Ent." in caplog.text
    )
    assert labeled(read(tmp_path / "b", rows("1 Ann Ent=B-PER"), tags="Ent")[0]) == [("Ann", "PER")]


def test_multiword_tokens_and_empty_nodes(tmp_path):
    content = "# text = va al mare.\n" + rows(
        "1 va NER=O", "1.1 lui _", "2-3 al _", "2 a NER=B-LOC", "3 il NER=I-LOC", "4 mare SpaceAfter=No|NER=I-LOC",
        "5 . NER=O",
    )  # fmt: skip
    (result,) = read(tmp_path, content)
    assert result.text == "va al mare."
    assert labeled(result) == [("al mare", "LOC")]


def test_text_gives_the_white_space_that_misc_lacks(tmp_path):
    (result,) = read(tmp_path, "# text = Ann, so\n" + rows("1 Ann NER=B-X=Y", "2 , _", "3 so _"))
    assert (result.text, labeled(result)) == ("Ann, so", [("Ann", "X=Y")])


def test_tags_in_a_column_of_conllu_plus(tmp_path):
    content = "# global.columns = ID FORM NE\n1\tAnn\tPER\n2\tLee\tPER\n3\tis\t_\n"
    (result,) = read(tmp_path, content, tags="ne")
    assert labeled(result) == [("Ann Lee", "PER")]


def test_every_invalid_sentence_is_an_error_with_its_line(tmp_path, caplog):
    content = (
        "# text = Bo\n" + rows("1 Ann NER=B-PER") + "1\tAnn\n\n" + rows("x Ann _") + rows("1 Ann NER=PER")
        + rows("1 Ann NER=B-PER|Entity=(e1-person)")
    )  # fmt: skip
    errors = ErrorCollector()
    path = write(tmp_path, "a.conllu", content)
    assert [result.text for result in CONLLU.documents(path, on_error=errors.add)] == ["Ann"]
    found = sorted(str(error).removeprefix(f"{path}:") for error in errors.first)
    assert [message[:20] for message in found] == [
        "1: the words of this",
        "4: this line has 2 c",
        "6: this sentence is ",
        '8: the tag "PER" has',
    ]
    assert "1 words with brackets of entities, for want of the comment # global.Entity" in caplog.text


COREFUD = (
    "# newdoc id = d1\n# global.Entity = eid-etype-head-other\n# sent_id = 1\n"
    + rows(
        "1 Ann Entity=(e1-person-1-new(e2-org-1", "2 Lee Entity=e2)", "3 left Entity=e1)(e3[1/2]-time-1",
        "4 on Entity=e3[1/2])", "5 the _", "6 fifth Entity=(e3[2/2]-time-1)(e4--1)", "6.1 _ Entity=(e1-person-1)",
    )
    + rows("1-2 al _", "1 a Entity=(e5-place-2(e1-person)", "2 il _", "3 mare Entity=e5)|Bridge=e5<e1")
)  # fmt: skip
"""Brackets as udapi writes those of CorefUD: nested, crossing, with gaps, without a type, and on an empty node."""


def test_brackets_of_entities_are_spans_with_their_clusters(tmp_path, caplog):
    (document,) = read(tmp_path, COREFUD)
    assert document.text == "Ann Lee left on the fifth al mare"
    found = [
        (document.passage(span), span.label, dict((a.name, a.value) for a in span.attributes))
        for span in document.spans
    ]
    assert found == [
        ("Ann Lee left", "person", {"eid": "e1", "head": "1", "other": "new"}),
        ("Ann Lee", "org", {"eid": "e2", "head": "1"}),
        ("left on fifth", "time", {"eid": "e3", "head": "1"}),
        ("fifth", "entity", {"eid": "e4", "head": "1"}),
        ("al mare", "place", {"eid": "e5", "head": "2"}),
        ("al", "person", {"eid": "e1"}),
    ]
    assert document.layers == ("Entity",) and {span.layer for span in document.spans} == {"Entity"}
    assert [len(span.fragments) for span in document.spans] == [1, 1, 2, 1, 1, 1]
    assert "1 mentions of empty nodes only" in caplog.text
    assert "1 words with links of entities (Bridge)" in caplog.text
    assert CONLLU.save([document], tmp_path / "out") == {
        "attributes of spans": 7, "layers of spans": 1, "spans of several fragments": 1, "spans within others": 2,
    }  # fmt: skip


def test_tags_and_brackets_are_two_layers(tmp_path):
    content = "# global.Entity = entity-GRP\n" + rows("1 Ann NER=B-PER|Entity=(person-7", "2 left NER=O|Entity=7)")
    (document,) = read(tmp_path, content)
    assert document.layers == ("", "Entity")
    assert [(span.layer, span.label) for span in document.spans] == [("", "PER"), ("Entity", "person")]


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("Entity=e2)", "Entity=e9)", 5, 'closes a mention of "e9" that is not open'),
        ("Entity=e2)", "Entity=e2", 5, '"Entity=e2" is not a row of brackets'),
        ("Entity=e2)", "_", 4, 'the mention of "e2" is not closed'),
        ("(e3[2/2]-time-1)", "(e3[2/3]-time-1)", 9, 'the part 2 of 3 of a mention of "e3" does not follow part 1'),
        ("(e3[2/2]-time-1)", "", 4, 'a mention of "e3" has 1 of its 2 parts'),
        ("(e4--1)", "(-person)", 9, 'the bracket "(-person" has no cluster'),
        ("eid-etype", "etype", 1, "without the field eid"),
    ],
)
def test_brackets_that_do_not_match_are_an_error_with_their_line(tmp_path, old, new, line, words):
    path = write(tmp_path, "a.conllu", COREFUD.replace(old, new))
    errors = ErrorCollector()
    list(CONLLU.documents(path, on_error=errors.add))
    assert str(errors.first[0]).startswith(f"{path}:{line}: ")
    assert words in str(errors.first[0])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("# global.columns = ID NE\n1\tO\n", "ID and FORM"),
        (rows("_ Ann _"), '"Ann" has no id'),
        ("1\tA\xff", "not UTF-8"),
    ],
)
def test_invalid_file_is_an_error(tmp_path, content, words):
    path = tmp_path / "a.conllu"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(UserError, match=words):
        list(CONLLU.documents(path))


def test_written_file_is_conllu_with_exact_white_space(tmp_path):
    spans = (AnnotatedSpan("1", "P", ((1, 8),)), AnnotatedSpan("2", "Q|R", ((9, 14),)))
    documents = [
        AnnotatedDocument("d  1", " Ann\tLee is\nso\nhe\u00a0goes ", spans),
        AnnotatedDocument("", "so", layers=None),
        AnnotatedDocument("e", "  "),
    ]
    assert CONLLU.save(documents, tmp_path / "out", {"scheme": "bioes"}) == {
        "blanks and delimiters in names": 1,
        "ids of documents": 1,
        "white space of texts without words": 1,
    }
    lines = (tmp_path / "out").read_text().split("\n")
    assert lines[:3] == ["# newdoc id = d 1", "# sent_id = 1", "# text = Ann Lee is so"]
    assert lines[3] == "1\tAnn\t_\t_\t_\t_\t_\t_\t_\tNER=B-P|SpacesAfter=\\t|SpacesBefore=\\s"
    result = list(CONLLU.documents(tmp_path / "out"))
    expected = [CONLLU.reduced(item, {"scheme": "bioes"})[0] for item in documents]
    assert [canonical(item) for item in result] == [canonical(item) for item in expected]
    assert [item.text for item in result] == [documents[0].text, "so", ""]


def test_tags_are_written_to_a_column_and_not_to_words(tmp_path):
    document = AnnotatedDocument("d", "Ann is", (AnnotatedSpan("1", "P", ((0, 3),)),))
    CONLLU.save([document], tmp_path / "out", {"tags": "xpos"})
    assert "1\tAnn\t_\t_\tB-P\t_\t_\t_\t_\t_\n" in (tmp_path / "out").read_text()
    assert [canonical(item) for item in CONLLU.documents(tmp_path / "out", {"tags": "xpos"})] == [canonical(document)]
    with pytest.raises(UserError, match="the option tags is 'Form'"):
        CONLLU.save([document], tmp_path / "other", {"tags": "Form"})


def test_conllu_is_detected_and_is_not_conll(tmp_path):
    path = write(tmp_path, "a", "# sent_id = 1\n" + rows("1 Ann _"))
    assert CONLLU.detect(path)
    assert not FORMATS["conll"].detect(path)
    assert CONLLU.detect(write(tmp_path, "b", "# global.columns = ID FORM NE\n"))
    for content in ("Ann B-PER\n", "", "\0"):
        assert not CONLLU.detect(write(tmp_path, "c", content))
