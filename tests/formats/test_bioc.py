"""BioC as its producers write it: passages, sentences, fragments, infons, relations, and files that are invalid."""

from __future__ import annotations

import json
import re

import pytest

from electra_ie.common.errors import UserError
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

pytest.importorskip("bioc")
BIOC = FORMATS["bioc"]
CDR = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE collection SYSTEM "BioC.dtd">
<collection><source>CDR</source><date>2015</date><key>cdr.key</key>
<document><id>227508</id><infon key="journal">Lancet</infon>
<passage><infon key="type">title</infon><offset>0</offset><text>Naloxone \U0001f600 reverses clonidine</text>
<annotation id="1"><infon key="type">Chemical</infon><infon key="MESH">D009270</infon>
<location offset="0" length="8"/><text>Naloxone</text></annotation>
<annotation id="2"><infon key="type">Chemical</infon><infon key="identifier">MESH:D003000</infon><infon key="sure">no</infon>
<location offset="20" length="9"/><text>clonidine</text></annotation>
</passage>
<passage><infon key="type">abstract</infon><offset>30</offset><text>Breast and lung cancer \u4e2d\u6587</text>
<annotation id="3"><infon key="type">Disease</infon><infon key="MESH">D001943|D000072716</infon>
<location offset="30" length="6"/><location offset="46" length="6"/><text>Breast cancer</text></annotation>
</passage>
<relation id="R1"><infon key="type">CID</infon><node refid="1" role="Chemical"/><node refid="3" role="Disease"/></relation>
<relation id="R2"><infon key="relation">CID</infon><infon key="Chemical">D003000</infon></relation>
</document></collection>
"""
MINIMAL = """<collection><source/><date/><key/>
<document><id>1</id>
<passage><offset>0</offset><text>ACME paid</text>
<annotation id="1"><infon key="type">P</infon>
<location offset="0" length="4"/><text>ACME</text></annotation></passage></document>
<document><id>2</id><passage><offset>0</offset><text>Other</text></passage></document>
</collection>"""


def read(tmp_path, text, name="x.xml", options=None):
    """Return documents and errors of a file with this text."""
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    errors = []
    return list(BIOC.documents(path, options, errors.append)), [str(error) for error in errors]


def test_passages_are_joined_by_their_offsets_and_everything_else_is_kept(tmp_path, capsys):
    [document], errors = read(tmp_path, CDR)
    assert not errors
    assert document.id == "227508" and document.line == 4
    assert document.text == "Naloxone \U0001f600 reverses clonidine\nBreast and lung cancer \u4e2d\u6587"
    assert [document.passage(span) for span in document.spans] == ["Naloxone", "clonidine", "Breast cancer"]
    assert document.spans[0].references == (Reference("MESH", "D009270"),)
    assert document.spans[1].references == (Reference("MESH", "D003000"),)
    assert document.spans[1].attributes == (Attribute("sure", "no"),)
    assert document.spans[2].fragments == ((30, 36), (46, 52))
    assert document.spans[2].references == (Reference("MESH", "D001943"), Reference("MESH", "D000072716"))
    assert document.relations == (Relation("R1", "CID", (("Chemical", "1"), ("Disease", "3"))),)
    assert document.metadata == {
        "journal": "Lancet",
        "passages": [
            {"start": 0, "end": 29, "infons": {"type": "title"}},
            {"start": 30, "end": len(document.text), "infons": {"type": "abstract"}},
        ],
    }
    assert "1 relations of other things than annotations of the text are not read" in capsys.readouterr().err


def test_relations_of_concepts_of_all_producers_are_kept_and_written_again(tmp_path, capsys):
    """The forms of BC5CDR, BioRED (which has no nodes) and PubTator 3, and nodes that are concepts (bioc's converter)."""
    cdr = '<relation id="R0"><infon key="relation">CID</infon><infon key="Chemical">D003000</infon><infon key="Disease">D001943</infon></relation>'
    nodes = '<relation id="R3"><infon key="type">CID</infon><node refid="D003000" role="Chemical"/><node refid="D001943" role="Disease"/></relation>'
    [document], errors = read(tmp_path, CDR.replace("</document>", cdr + nodes + "</document>"))
    assert not errors and len(document.relations) == 1
    stated = {"label": "CID", "concepts": ["D003000", "D001943"], "roles": ["Chemical", "Disease"]}
    assert document.metadata["relations"] == [stated, stated]
    assert "1 relations of other things than annotations of the text are not read" in capsys.readouterr().err

    def concept(identifier, **further):
        return {"identifier": identifier, "type": "Gene", "valid": True, "normalized": [5594], **further}

    annotation = {
        "id": "0", "infons": {"type": "Gene", "identifier": "5594"}, "text": "MAPK1",
        "locations": [{"offset": 0, "length": 5}],
    }  # fmt: skip
    passage = {
        "offset": 0, "infons": {}, "text": "MAPK1", "sentences": [], "annotations": [annotation], "relations": [],
    }  # fmt: skip
    biored = {"id": "R0", "infons": {"entity1": "D1", "entity2": "D2", "type": "Association", "novel": "No"}}
    pubtator = {
        "id": "R1",
        "infons": {"score": "0.9992", "role1": concept("MESH:D010024"), "role2": concept("5594"), "type": "Association"},
        "nodes": [{"refid": "0", "role": "30,26"}],
    }  # fmt: skip
    item = {"id": "37026113", "infons": {}, "passages": [passage], "relations": [biored, pubtator]}
    [document], errors = read(tmp_path, json.dumps({"PubTator3": [item]}), "x.json")
    assert not errors and not document.relations
    first, second = document.metadata["relations"]
    assert first == {"label": "Association", "concepts": ["D1", "D2"], "values": {"novel": "No"}}
    assert (second["label"], second["concepts"]) == ("Association", ["MESH:D010024", "5594"])
    assert second["values"] == {
        "score": "0.9992", "role1": concept("MESH:D010024"), "role2": concept("5594"), "nodes": pubtator["nodes"],
    }  # fmt: skip

    both = AnnotatedDocument("1", "x", metadata={"relations": [first, stated, second]})
    for name in ("y.xml", "y.json"):
        assert BIOC.save([both], tmp_path / name) == {}
        assert [canonical(result) for result in BIOC.documents(tmp_path / name)] == [both]
    import bioc

    plain, roles, _ = bioc.biocjson.loads((tmp_path / "y.json").read_text()).documents[0].relations
    assert plain.infons == biored["infons"]
    assert roles.infons == {"relation": "CID", "Chemical": "D003000", "Disease": "D001943"}


def test_relations_of_concepts_that_are_none_are_an_error(tmp_path):
    relation = '<relation id="R0"><infon key="_concepts">{"label": 1}</infon></relation></document>'
    _, [error] = read(tmp_path, MINIMAL.replace("</document>", relation, 1))
    assert "x.xml:5: the infon _concepts is" in error and "not a relation of concepts" in error
    infon = '<id>1</id><infon key="relations">x</infon>'
    concepts = '<relation id="R0"><infon key="type">T</infon><infon key="entity1">a</infon><infon key="entity2">b</infon></relation></document>'
    _, [error] = read(tmp_path, MINIMAL.replace("<id>1</id>", infon).replace("</document>", concepts, 1))
    assert 'x.xml:2: the document has relations of concepts, and an infon "relations"' in error


def test_sentences_have_the_text_where_the_passage_has_none(tmp_path):
    sentence = '<sentence><offset>{}</offset><text>{}</text><annotation id="{}"><infon key="type">X</infon><location offset="{}" length="2"/><text>{}</text></annotation></sentence>'
    xml = f"<collection><document><id>s</id><passage><offset>0</offset>{sentence.format(0, 'Ab c.', 1, 0, 'Ab')}{sentence.format(7, 'De f.', 2, 7, 'De')}</passage></document></collection>"
    [document], errors = read(tmp_path, xml)
    assert not errors
    assert document.text == "Ab c.\n De f."
    assert [document.passage(span) for span in document.spans] == ["Ab", "De"]


def test_offsets_in_bytes_or_utf_16_are_converted_by_the_quoted_text(tmp_path, capsys):
    spans = (
        '<annotation id="1"><infon key="type">X</infon><location offset="{}" length="{}"/><text>{}</text></annotation>'
    )
    for start, length in ((3, 5), (5, 6)):  # UTF-16 units, bytes
        quoted = "caf\u00e9s" if length == 6 else "cafes"
        text = f"\U0001f600 {quoted}"
        [document], errors = read(
            tmp_path,
            f"<collection><document><id>1</id><passage><offset>0</offset><text>{text}</text>{spans.format(start, length, quoted)}</passage></document></collection>",
        )
        assert not errors
        assert document.passage(document.spans[0]) == quoted
    err = capsys.readouterr().err
    assert "count UTF-16 code units" in err and "count UTF-8 bytes" in err


def test_events_are_relations_with_a_trigger_as_bioc_converts_those_of_brat(tmp_path):
    relation = '<relation id="E1"><infon key="type">Transfer</infon><infon key="trigger_id">1</infon><node refid="1" role="Transfer"/><node refid="1" role="Theme"/></relation></document>'
    documents, errors = read(tmp_path, MINIMAL.replace("</document>", relation, 1))
    assert not errors
    assert documents[0].events == (Event("E1", "Transfer", trigger="1", arguments=(("Theme", "1"),)),)


@pytest.mark.parametrize("wrap", ["collection", "array", "lines", "pubtator3"])
def test_json_of_all_shapes_is_read(tmp_path, wrap):
    annotation = {
        "id": "2", "infons": {"type": "Gene", "identifier": "7157", "valid": True, "name": None}, "text": "p53",
        "locations": [{"offset": 4, "length": 3}],
    }  # fmt: skip
    passage = {
        "offset": 0,
        "infons": {},
        "text": "The p53 <b> \u57fa\u56e0",
        "sentences": [],
        "annotations": [annotation],
        "relations": [],
    }
    item = {"id": 17, "infons": {}, "passages": [passage], "relations": [], "pmid": 17}
    shapes = {
        "collection": json.dumps({"bioctype": "BioCCollection", "source": "", "documents": [item]}, indent=1),
        "array": json.dumps([{"bioctype": "BioCCollection", "documents": [item]}]),
        "lines": json.dumps(item),
        "pubtator3": json.dumps({"PubTator3": [item]}),
    }
    [document], errors = read(tmp_path, shapes[wrap], "x.json")
    assert not errors
    [span] = document.spans
    assert document.id == "17" and document.passage(span) == "p53"
    assert span.references == (Reference("", "7157"),)
    assert span.attributes == (Attribute("valid", "true"), Attribute("name", None))
    assert BIOC.detect(tmp_path / "x.json")


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ('length="4"', 'length="40"', 4, "is 'ACME paid', not 'ACME'"),
        ("<text>ACME</text>", "<text>EMCA</text>", 4, "is 'ACME', not 'EMCA'"),
        ('offset="0" length="4"/><text>ACME</text>', 'offset="0" length="99"/>', 4, "outside the text of 9 characters"),
        ('offset="0" length="4"/><text>ACME</text>', 'offset="3" length="0"/>', 4, "is empty"),
        ("<offset>0</offset><text>ACME", "<offset>x</offset><text>ACME", 2, "not a document of BioC"),
        ("<offset>0</offset><text>ACME", "<offset>999999999</offset><text>ACME", 2, "must not overlap"),
        ('<infon key="type">P</infon>', '<infon key="kind">P</infon>', 4, 'has no infon "type", but kind'),
        ('<infon key="type">P', "<infon>P", 2, "has no attribute 'key'"),
        ("ACME paid", "ACME <b>paid</b>", 3, "has elements or entities in it"),
        ("ACME paid", "ACME &auml; paid", 0, ""),
    ],
)  # fmt: skip
def test_an_invalid_document_is_an_error_with_its_line_and_the_next_one_is_read(tmp_path, old, new, line, message):
    changed = MINIMAL.replace(old, new, 1)
    assert changed != MINIMAL
    if not line:  # an entity that nothing declares
        with pytest.raises(UserError, match=r"x.xml:3: this is not XML: Entity 'auml' not defined"):
            read(tmp_path, changed)
        return
    documents, [error] = read(tmp_path, changed)
    assert re.search(rf"x.xml:{line}: .*{re.escape(message)}", error)
    assert [document.id for document in documents] == ["2"]


def test_an_id_that_occurs_twice_and_passages_that_overlap_are_errors(tmp_path):
    twice = MINIMAL.replace(
        "</passage>", MINIMAL[MINIMAL.index("<annotation") : MINIMAL.index("</passage>")] + "</passage>", 1
    )
    assert 'x.xml:5: the annotation id "1" occurs twice' in read(tmp_path, twice)[1][0]
    second = MINIMAL.replace("</passage>", "</passage><passage><offset>5</offset><text>more</text></passage>", 1)
    assert "x.xml:2: the passage at 5 follows 9 characters" in read(tmp_path, second)[1][0]


def test_annotations_without_an_id_are_numbered(tmp_path):
    """The DTD does not require the attribute."""
    twice = '<annotation><infon key="type">Q</infon><location offset="5" length="4"/><text>paid</text></annotation>'
    text = MINIMAL.replace('annotation id="1"', "annotation").replace("</passage>", twice + "</passage>", 1)
    documents, errors = read(tmp_path, text)
    assert not errors and [span.id for span in documents[0].spans] == ["annotation 1", "annotation 2"]
    entry = {"infons": {"type": "P"}, "text": "ACME", "locations": [{"offset": 0, "length": 4}]}
    passage = {"offset": 0, "infons": {}, "text": "ACME", "sentences": [], "annotations": [entry], "relations": []}
    relation = {"infons": {}, "nodes": [{"refid": "annotation 1", "role": ""}] * 2}
    whole = {"id": "1", "infons": {}, "passages": [passage], "annotations": [], "relations": [relation]}
    [document], errors = read(tmp_path, json.dumps({"documents": [whole]}), "x.json")
    assert not errors and [span.id for span in document.spans] == ["annotation 1"] and document.relations


def test_ids_that_are_unique_in_their_passage_only_are_distinguished(tmp_path):
    def passage(offset, *relations):
        items = "".join(
            f'<annotation id="{id}"><infon key="type">P</infon><location offset="{offset + start}" length="4"/>'
            f"<text>{text}</text></annotation>"
            for id, start, text in (("1", 0, "ACME"), ("2", 5, "paid"))
        )
        return f"<passage><offset>{offset}</offset><text>ACME paid</text>{items}{''.join(relations)}</passage>"

    relation = (
        '<relation id="R1"><infon key="type">r</infon><node refid="1" role="a"/><node refid="2" role="b"/></relation>'
    )
    event = (
        '<relation id="E1"><infon key="type">P</infon><infon key="trigger_id">2</infon><node refid="2" role="P"/>'
        '<node refid="1" role="a"/></relation>'
    )
    parts = [passage(0, relation, event), passage(10, relation, event)]
    [document], errors = read(
        tmp_path, f"<collection><source/><date/><key/><document><id>1</id>{''.join(parts)}</document></collection>"
    )
    assert not errors
    starts = {span.id: span.start for span in document.spans}
    assert list(starts.values()) == [0, 5, 10, 15]
    ends = [[starts[target] for _, target in item.arguments] for item in document.relations]
    assert ends == [[0, 5], [10, 15]]
    assert [(starts[event.trigger], starts[event.arguments[0][1]]) for event in document.events] == [(5, 0), (15, 10)]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (CDR.encode()[:700], r"x.xml:\d+: this is not XML"),
        (b"", r"x.xml:1: this is not XML"),
        (b"\x00\x01", "binary data"),
        (CDR.encode("latin-1", "replace").replace(b"reverses", b"\xe9"), "is not UTF-8"),
        (CDR.encode("utf-16"), "UTF-16"),
        (b"<html><body/></html>", "'html', not BioC"),
        (
            b'<!DOCTYPE collection [<!ENTITY x SYSTEM "file:///etc/hostname">]><collection>&x;</collection>',
            "declares entities",
        ),
        (
            b'<!DOCTYPE c [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><collection><source>&b;</source></collection>',
            "declares entities",
        ),
    ],
)
def test_a_file_that_is_not_safe_whole_bioc_is_refused(tmp_path, raw, message):
    with pytest.raises(UserError, match=message):
        read(tmp_path, raw)


def test_a_dtd_beside_the_file_is_not_loaded(tmp_path):
    (tmp_path / "BioC.dtd").write_text('<!ENTITY secret "read from the DTD">')
    documents, [error] = read(tmp_path, CDR.replace("Breast and", "Breast &secret; and"))
    assert "this <text> has elements or entities in it" in error and not documents


def test_truncated_json_and_missing_keys_name_the_line(tmp_path):
    text = json.dumps({"documents": [{"id": "1", "infons": {}}, {"id": "2"}]}, indent=1)
    _, errors = read(tmp_path, text, "x.json")
    assert [re.search(r"x.json:(\d+): .* no key '(\w+)'", error).groups() for error in errors] == [
        ("3", "passages"),
        ("7", "infons"),
    ]
    with pytest.raises(UserError, match=r"x.json:\d+: this is not JSON"):
        read(tmp_path, text[:40], "x.json")


def test_a_missing_file_and_a_folder_are_errors(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        list(BIOC.documents(tmp_path / "none.xml"))
    with pytest.raises(UserError, match="not a file"):
        list(BIOC.documents(tmp_path))


def test_other_programs_read_what_is_written(tmp_path):
    """Labels, attributes and identifiers are plain infons, and the text of fragments is theirs."""
    import bioc

    span = AnnotatedSpan(
        "T1", "Chemical", ((0, 2), (6, 8)), attributes=(Attribute("sure", "no"), Attribute("type", "x"), Attribute("on")),
        references=(Reference("MESH", "D1"),),
    )  # fmt: skip
    document = AnnotatedDocument("a", "Na\r\n. Cl\t\U0001f600", (span,), metadata={"source": "web", "page": 3})
    for name in ("x.xml", "x.json"):
        BIOC.save([document], tmp_path / name)
        load = bioc.biocxml.loads if name == "x.xml" else bioc.biocjson.loads
        [written] = load((tmp_path / name).read_bytes().decode()).documents
        [annotation] = written.passages[0].annotations
        assert written.passages[0].text == document.text
        assert annotation.infons["identifier"] == "MESH:D1" and annotation.infons["sure"] == "no"
        assert annotation.text == "Na Cl" and written.infons["source"] == "web"
        [result] = BIOC.documents(tmp_path / name)
        assert canonical(result) == canonical(document)
        assert BIOC.detect(tmp_path / name)


def test_a_character_that_xml_cannot_hold_is_refused_by_name_and_json_holds_it(tmp_path):
    document = AnnotatedDocument("7", "a\x0cb")
    with pytest.raises(UserError, match=r'character 1 of the text of "7" is U\+000C'):
        BIOC.save([document], tmp_path / "x.xml")
    assert not (tmp_path / "x.xml").exists()
    BIOC.save([document], tmp_path / "x.json")
    assert list(BIOC.documents(tmp_path / "x.json")) == [document]


def test_detect_never_raises(tmp_path):
    (tmp_path / "bytes").write_bytes(b"\xff\x00")
    (tmp_path / "lines.jsonl").write_text('{"text": "a"}\n')
    assert not any(BIOC.detect(tmp_path / name) for name in ("bytes", "lines.jsonl", "none", "."))


def test_quotations_with_other_dashes_and_greek_letters_are_accepted_and_counted(tmp_path, capsys):
    [document, _], errors = read(
        tmp_path,
        MINIMAL.replace("ACME paid", "TNF-\u03b1 ok").replace(">ACME<", ">TNF-a<").replace('length="4"', 'length="5"'),
    )
    assert not errors and document.passage(document.spans[0]) == "TNF-\u03b1"
    assert "the quoted texts of 1 spans have other dashes or Greek letters" in capsys.readouterr().err
