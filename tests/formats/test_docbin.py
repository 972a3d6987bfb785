"""DocBin as spaCy writes it, and what is written for it: tokens, entities, groups of spans, categories."""

from __future__ import annotations

import zlib

import pytest
import unicode_texts
from hypothesis import given

from electra_ie.common.errors import UserError
from electra_ie.formats import FORMATS
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan, Attribute, Reference, canonical

spacy = pytest.importorskip("spacy")
from spacy.tokens import Doc, DocBin, Span, SpanGroup  # noqa: E402

DOCBIN = FORMATS["docbin"]
TEXT = "\u4e2d\u6587 ACME\u00a0Ltd  paid\r\nEUR \U0001f600 cafe\u0301."


def save(path, *docs, user_data=True):
    """Write Docs as spaCy does."""
    DocBin(store_user_data=user_data, docs=docs).to_disk(path)
    return path


def loaded(path):
    """Return the Docs of a file, read by spaCy."""
    return list(DocBin().from_disk(path).get_docs(spacy.blank("xx").vocab))


@pytest.fixture
def doc():
    return spacy.blank("en")("ACME Ltd paid Jo Smith.")


def test_entities_groups_and_categories_of_spacy_are_read(doc, tmp_path, capsys):
    doc.set_ents([Span(doc, 0, 2, "ORG", kb_id="Q42", span_id="rule 1")])
    doc.spans["people"] = [Span(doc, 3, 5, "PER"), Span(doc, 3, 4, "GIVEN")]
    doc.spans["sc"] = SpanGroup(doc, attrs={"scores": [0.25]}, spans=[Span(doc, 2, 3, "ACT")])
    doc.cats = {"fraud": 0.75, "spam": 0.25, "other": 0.0}
    doc.user_data |= {"id": "memo 1", "page": (1, 2)}
    Doc.set_extension("seen", default=None, force=True)
    doc._.seen = 1
    [document] = DOCBIN.documents(save(tmp_path / "x.spacy", doc))
    assert [(span.layer, span.label, document.passage(span), span.score) for span in document.spans] == [
        ("", "ORG", "ACME Ltd", None),
        ("people", "PER", "Jo Smith", None),
        ("people", "GIVEN", "Jo", None),
        ("sc", "ACT", "paid", 0.25),
    ]
    assert document.spans[0].references == (Reference("", "Q42"),)
    assert document.spans[0].attributes == (Attribute("id", "rule 1"),)
    assert document.layers == ("", "people", "sc")
    assert document.labels == {"labels": ("fraud",)} and document.label_scores == {"labels": (0.75,)}
    assert document.id == "memo 1" and document.metadata == {"page": [1, 2]}
    err = capsys.readouterr().err
    assert "1 custom attributes are not read" in err and "1 scores of labels that do not apply are not read" in err


def test_a_doc_without_entities_differs_from_one_that_was_not_annotated(doc, tmp_path):
    empty = spacy.blank("en")("Nothing here")
    empty.set_ents([], default="outside")
    first, second = DOCBIN.documents(save(tmp_path / "x.spacy", doc, empty, user_data=False))
    assert first.layers is None and second.layers == ("",)


def test_labels_of_all_documents_are_categories_of_each_as_spacy_trains_on_them(tmp_path):
    documents = [
        AnnotatedDocument(str(index), "x", labels=labels)
        for index, labels in enumerate([{"q": ("a",)}, {"q": ("b",)}, {}])
    ]
    assert DOCBIN.save(documents, tmp_path / "x.spacy") == {"names of questions": 2}
    assert [doc.cats for doc in loaded(tmp_path / "x.spacy")] == [{"a": 1.0, "b": 0.0}, {"a": 0.0, "b": 1.0}, {}]


def test_tokens_are_split_where_a_span_begins_or_ends_within_one(tmp_path, capsys):
    spans = (
        AnnotatedSpan("T1", "A", ((4, 6),)),
        AnnotatedSpan("T2", "B", ((6, 12),)),
        AnnotatedSpan("T3", "C", ((12, 13),)),
    )
    document = AnnotatedDocument("1", TEXT, spans)
    assert TEXT[4:6] == "CM"
    assert DOCBIN.save([document], tmp_path / "x.spacy") == {}
    [doc] = loaded(tmp_path / "x.spacy")
    assert doc.text == TEXT and [ent.text for ent in doc.ents] == [TEXT[4:6], TEXT[6:12], TEXT[12:13]]
    [result] = DOCBIN.documents(tmp_path / "x.spacy")
    assert canonical(result) == canonical(document)


@pytest.mark.parametrize(("first", "second"), [((3, 7), (3, 7)), ((3, 7), (3, 11)), ((3, 7), (5, 11))])
def test_spans_that_overlap_in_any_document_are_written_as_a_group_in_all(tmp_path, first, second):
    spans = (AnnotatedSpan("T1", "A", (first,)), AnnotatedSpan("T2", "B", (second,)))
    documents = [AnnotatedDocument("1", TEXT, spans), AnnotatedDocument("2", TEXT, spans[:1])]
    assert DOCBIN.save(documents, tmp_path / "x.spacy") == {}
    assert [(len(doc.ents), len(doc.spans["sc"])) for doc in loaded(tmp_path / "x.spacy")] == [(0, 2), (0, 1)]
    assert list(map(canonical, DOCBIN.documents(tmp_path / "x.spacy"))) == list(map(canonical, documents))


def test_spans_with_scores_are_written_as_a_group_with_the_scores_of_the_span_categorizer(tmp_path):
    spans = (AnnotatedSpan("T1", "A", ((3, 7),), score=0.5), AnnotatedSpan("T2", "B", ((3, 11),)))
    DOCBIN.save([AnnotatedDocument("1", TEXT, spans, layers=("", "sc"))], tmp_path / "x.spacy")
    [doc] = loaded(tmp_path / "x.spacy")
    assert {key: len(group) for key, group in doc.spans.items()} == {"sc": 0, "sc_": 2}
    assert list(doc.spans["sc_"].attrs["scores"]) == [0.5, None]


def test_attributes_and_references_that_a_span_of_spacy_has_no_place_for_are_counted(tmp_path):
    span = AnnotatedSpan(
        "T1", "A", ((3, 7),), attributes=(Attribute("id", "7"), Attribute("sure", "no")),
        references=(Reference("MESH", "D1", "Acme"), Reference("MESH", "D2")),
    )  # fmt: skip
    losses = DOCBIN.save([AnnotatedDocument("1", TEXT, (span,))], tmp_path / "x.spacy")
    assert losses == {"attributes of spans": 1, "references of spans": 1, "names of references": 1}
    [ent] = loaded(tmp_path / "x.spacy")[0].ents
    assert (ent.kb_id_, ent.id_) == ("MESH:D1", "7")


@given(unicode_texts.TEXT.map(unicode_texts.without_halves))
def test_every_text_comes_back(text):
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        DOCBIN.save([AnnotatedDocument("1", text)], Path(folder) / "x")
        [document] = DOCBIN.documents(Path(folder) / "x")
    assert document.text == text


def test_nothing_is_pickled_and_user_data_is_text(tmp_path):
    """The file is msgpack in zlib; a pickle begins with 0x80 and a version, and ends with a dot."""
    document = AnnotatedDocument("1", TEXT, metadata={"k": [1, {"a": None}]}, notes=("n",))
    DOCBIN.save([document], tmp_path / "x.spacy")
    raw = zlib.decompress((tmp_path / "x.spacy").read_bytes())
    assert b"pickle" not in raw and b"\x80\x04\x95" not in raw and b"\x80\x05\x95" not in raw
    assert all(type(value) is str for value in loaded(tmp_path / "x.spacy")[0].user_data.values())


def test_reading_a_pickle_in_the_file_does_not_run_it(doc, tmp_path):
    """Numpy arrays of objects are pickles in numpy's own files; msgpack of spaCy must not load them."""
    import pickle

    import srsly

    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "was here"), "w"))

    data = {b"nd": True, b"type": "O", b"kind": b"O", b"shape": (1,), b"data": pickle.dumps(Evil())}
    path = save(tmp_path / "x.spacy", doc)
    message = srsly.msgpack_loads(zlib.decompress(path.read_bytes()))
    message["user_data"] = [srsly.msgpack_dumps({"k": data})]
    path.write_bytes(zlib.compress(srsly.msgpack_dumps(message)))
    with pytest.raises(UserError, match="not a DocBin"):
        list(DOCBIN.documents(path))
    assert not (tmp_path / "was here").exists()


@pytest.mark.parametrize("change", ["empty", "truncated", "text", "other", "strings"])
def test_a_file_that_is_no_whole_docbin_is_refused(doc, tmp_path, change):
    import srsly

    path = save(tmp_path / "x.spacy", doc)
    raw = path.read_bytes()
    changed = {
        "empty": b"", "truncated": raw[: len(raw) // 2], "text": b"hello", "other": zlib.compress(srsly.msgpack_dumps([1])),
        "strings": zlib.compress(srsly.msgpack_dumps({**srsly.msgpack_loads(zlib.decompress(raw)), "strings": []})),
    }  # fmt: skip
    path.write_bytes(changed[change])
    with pytest.raises(UserError, match=r"x\.spacy: this is not a DocBin"):
        list(DOCBIN.documents(path))


def test_a_missing_file_and_a_language_without_tokenizer_are_errors(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        list(DOCBIN.documents(tmp_path / "none"))
    with pytest.raises(UserError, match='no tokenizer for the language "qq"'):
        DOCBIN.save([AnnotatedDocument("1", "a")], tmp_path / "x", {"lang": "qq"})


def test_a_language_splits_texts_by_its_rules(tmp_path):
    DOCBIN.save([AnnotatedDocument("1", "don't")], tmp_path / "x", {"lang": "en"})
    assert [token.text for token in loaded(tmp_path / "x")[0]] == ["do", "n't"]


def test_detect(doc, tmp_path):
    assert DOCBIN.detect(save(tmp_path / "x.spacy", doc))
    (tmp_path / "z").write_bytes(zlib.compress(b"hello"))
    (tmp_path / "t").write_bytes(b"hello")
    assert not any(DOCBIN.detect(tmp_path / name) for name in ("z", "t", "none", "."))


def test_entities_of_a_text_with_missing_values_are_no_complete_annotation(doc, tmp_path, capsys):
    partial, spaced, groups = doc, spacy.blank("en")("ACME  paid"), spacy.blank("en")("ACME paid Jo")
    partial.set_ents([Span(partial, 0, 2, "ORG")], missing=[partial[3:5]], default="outside")
    spaced.set_ents([Span(spaced, 0, 1, "ORG")], missing=[spaced[1:2]], default="outside")
    assert spaced[1].text == " " and not spaced[1].ent_iob
    groups.set_ents([Span(groups, 0, 1, "ORG")], default="missing")
    groups.spans["people"] = [Span(groups, 2, 3, "PER")]
    first, second, third = DOCBIN.documents(save(tmp_path / "x.spacy", partial, spaced, groups))
    assert (first.layers, first.spans) == (None, ())
    assert second.layers == ("",) and second.spans, "white space is no entity"
    assert third.layers == ("people",) and [span.label for span in third.spans] == ["PER"]
    assert (
        "2 entities of texts in which other tokens are not annotated (ent_iob 0) are not read"
        in capsys.readouterr().err
    )


def test_a_damaged_file_is_said_to_be_damaged_in_one_sentence(tmp_path):
    DOCBIN.save([AnnotatedDocument("1", "ACME paid")], tmp_path / "whole")
    raw = (tmp_path / "whole").read_bytes()
    for content in (raw[: len(raw) // 2], raw[:20] + bytes([raw[20] ^ 0x55]) + raw[21:], b"", b"text"):
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(UserError) as caught:
            list(DOCBIN.documents(tmp_path / "x"))
        assert str(caught.value) == (
            f"{tmp_path}/x: this is not a DocBin of spaCy, or it is damaged. Write it again with DocBin.to_disk."
        )
