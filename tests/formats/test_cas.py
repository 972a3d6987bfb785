"""UIMA CAS as INCEpTION exports it: XMI with a type system, JSON, zipped, and files that are invalid."""

from __future__ import annotations

import re
import zipfile

import pytest

from electra_ie.common.errors import UserError
from electra_ie.formats import FORMATS
from electra_ie.formats.annotations import (
    AnnotatedDocument,
    AnnotatedSpan,
    Attribute,
    Reference,
    Relation,
    canonical,
)

cassis = pytest.importorskip("cassis")
CAS = FORMATS["cas"]
DKPRO = "de.tudarmstadt.ukp.dkpro.core.api."


def feature(name, range_type="uima.cas.String"):
    return f"<featureDescription><name>{name}</name><description/><rangeTypeName>{range_type}</rangeTypeName></featureDescription>"


def type_of(name, supertype, *features):
    inner = f"<features>{''.join(features)}</features>" if features else ""
    return f"<typeDescription><name>{name}</name><description/><supertypeName>{supertype}</supertypeName>{inner}</typeDescription>"


TYPES = [
    type_of(f"{DKPRO}segmentation.type.Token", "uima.tcas.Annotation"),
    type_of(f"{DKPRO}ner.type.NamedEntity", "uima.tcas.Annotation", feature("value"), feature("identifier")),
    type_of(f"{DKPRO}metadata.type.DocumentMetaData", "uima.tcas.DocumentAnnotation", feature("documentTitle"), feature("documentId")),
    type_of("webanno.custom.Amount", "uima.tcas.Annotation", feature("currency"), feature("sure", "uima.cas.Boolean"), feature("of", f"{DKPRO}ner.type.NamedEntity")),
    type_of("webanno.custom.Risk", "uima.cas.AnnotationBase", feature("value")),
    type_of("webanno.custom.Empty", "uima.tcas.Annotation", feature("value")),
    type_of(
        "webanno.custom.Pays", "uima.tcas.Annotation", feature("Governor", f"{DKPRO}ner.type.NamedEntity"),
        feature("Dependent", f"{DKPRO}ner.type.NamedEntity"), feature("value"),
    ),
]  # fmt: skip
TYPE_SYSTEM = f'<?xml version="1.0" encoding="UTF-8"?>\n<typeSystemDescription xmlns="http://uima.apache.org/resourceSpecifier"><name>my project, v. 1</name><types>{"".join(TYPES)}</types></typeSystemDescription>'
XMI = """<?xml version="1.0" encoding="UTF-8"?>
<xmi:XMI xmlns:xmi="http://www.omg.org/XMI" xmlns:cas="http:///uima/cas.ecore" xmlns:tcas="http:///uima/tcas.ecore"
 xmlns:ner="http:///de/tudarmstadt/ukp/dkpro/core/api/ner/type.ecore" xmlns:custom="http:///webanno/custom.ecore"
 xmlns:segmentation="http:///de/tudarmstadt/ukp/dkpro/core/api/segmentation/type.ecore"
 xmlns:md="http:///de/tudarmstadt/ukp/dkpro/core/api/metadata/type.ecore" xmi:version="2.0"><cas:NULL xmi:id="0"/>
<md:DocumentMetaData xmi:id="2" sofa="1" begin="0" end="27" documentTitle="memo.txt" documentId="memo 7"/>
<segmentation:Token xmi:id="3" sofa="1" begin="0" end="2"/>
<ner:NamedEntity xmi:id="4" sofa="1" begin="3" end="7" value="ORG" identifier="http://www.wikidata.org/entity/Q42"/>
<ner:NamedEntity xmi:id="5" sofa="1" begin="13" end="15" value="PER"/>
<custom:Amount xmi:id="6" sofa="1" begin="17" end="26" currency="EUR" sure="true" of="4"/>
<custom:Pays xmi:id="7" sofa="1" begin="13" end="15" Governor="4" Dependent="5" value="pays"/>
<custom:Pays xmi:id="8" sofa="1" begin="13" end="15" Dependent="5" value="pays"/>
<custom:Amount xmi:id="9" sofa="1" begin="7" end="7"/>
<custom:Risk xmi:id="10" sofa="1" value="fraud"/>
<cas:Sofa xmi:id="1" sofaNum="1" sofaID="_InitialView" mimeType="text" sofaString="\U0001f600 ACME paid Jo&#13;&#10;EUR \u4e2d 9,800"/>
<cas:View sofa="1" members="2 3 4 5 6 7 8 9 10"/></xmi:XMI>
"""


@pytest.fixture
def folder(tmp_path):
    """Write a folder as INCEpTION's documents lie in it."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "memo.xmi").write_text(XMI, encoding="utf-8")
    (tmp_path / "in" / "TypeSystem.xml").write_text(TYPE_SYSTEM, encoding="utf-8")
    return tmp_path / "in"


def check_memo(document):
    assert document.text == "\U0001f600 ACME paid Jo\r\nEUR \u4e2d 9,800"
    assert [(span.layer, span.label, document.passage(span)) for span in document.spans] == [
        ("NamedEntity", "ORG", "ACME"),
        ("NamedEntity", "PER", "Jo"),
        ("Amount", "Amount", "EUR \u4e2d 9,8"),
    ]
    assert document.spans[0].references == (Reference("", "http://www.wikidata.org/entity/Q42"),)
    assert document.spans[2].attributes == (Attribute("currency", "EUR"), Attribute("sure", "true"))
    assert document.relations == (Relation("7", "pays", (("Governor", "4"), ("Dependent", "5"))),)
    assert document.labels == {"Risk": ("fraud",)}
    assert set(document.layers) == {"NamedEntity", "Amount", "Empty"}
    assert document.id == "memo 7"


def sorted_spans(document):
    """Return a document with spans in the order of their ids: select_all gives those of one type after another."""
    from dataclasses import replace

    return replace(document, spans=tuple(sorted(document.spans, key=lambda span: int(span.id))))


def test_layers_relations_and_labels_of_a_project_are_read(folder, capsys):
    [document] = CAS.documents(folder)
    check_memo(sorted_spans(document))
    err = capsys.readouterr().err
    assert "1 annotations of the type Token (option types) are not read" in err
    assert "1 relations of other annotations than those of layers are not read" in err
    assert "1 annotations without a character are not read" in err
    assert "1 values of the feature of, which refers to others, are not read" in err


def test_a_single_file_json_and_a_zip_hold_the_same(folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        for name in ("memo.xmi", "TypeSystem.xml"):
            archive.write(folder / name, name)
        archive.writestr("source/memo.txt", "x")
    cas = cassis.load_cas_from_xmi(folder / "memo.xmi", cassis.load_typesystem(folder / "TypeSystem.xml"))
    cas.to_json(tmp_path / "memo.json")
    for path in (folder / "memo.xmi", tmp_path / "export.zip", tmp_path / "memo.json"):
        assert CAS.detect(path)
        [document] = CAS.documents(path)
        check_memo(sorted_spans(document))


INCEPTION = TYPE_SYSTEM.replace(
    feature("documentTitle"), feature("documentTitle") + feature("documentUri") + feature("documentBaseUri")
)


def test_documents_of_inception_are_known_by_their_title_and_share_their_layers(folder):
    """INCEpTION writes the annotator as documentId; named entities are a type of every project."""
    (folder / "TypeSystem.xml").write_text(INCEPTION, encoding="utf-8")
    for number, (old, new) in enumerate([("", ""), ('<ner:NamedEntity xmi:id="[45]"[^>]*>', "")]):
        name = f"memo {number}.txt"
        stated = f'documentTitle="{name}" documentId="ann" documentUri="loans/{name}" documentBaseUri="loans"'
        xmi = XMI.replace('documentTitle="memo.txt" documentId="memo 7"', stated)
        xmi = re.sub(r"<custom:(Pays|Amount)[^>]*>\n", "", xmi).replace("2 3 4 5 6 7 8 9 10", "2 3 10")
        xmi = re.sub(old, new, xmi) if old else xmi.replace("2 3 10", "2 3 4 5 10")
        (folder / f"{number}.xmi").write_text(xmi, encoding="utf-8")
    (folder / "memo.xmi").unlink()
    first, second = CAS.documents(folder)
    assert [first.id, second.id] == ["memo 0.txt", "memo 1.txt"]
    assert first.metadata == second.metadata == {"annotator": "ann"}
    assert len(first.spans) == 2 and not second.spans
    assert set(first.layers) == set(second.layers) == {"NamedEntity", "Amount", "Empty"}


def test_the_export_of_a_whole_project_says_what_to_unpack(tmp_path):
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.writestr("exportedproject.json", "{}")
        archive.writestr("annotation/a.txt/ann.zip", b"PK")
    assert CAS.detect(tmp_path / "p.zip")
    with pytest.raises(UserError, match=r"a whole project of INCEpTION.* Unpack it, then annotation/DOCUMENT/USER.zip"):
        list(CAS.documents(tmp_path / "p.zip"))


def test_options_name_the_feature_with_the_label_and_the_types(folder):
    [document] = CAS.documents(folder, {"label": "currency", "types": ["Amount"]})
    [span] = document.spans
    assert (span.label, span.layer, document.layers) == ("EUR", "Amount", ("Amount",))
    [document] = CAS.documents(folder, {"types": ["Token", "NamedEntity"]})
    assert {span.layer for span in document.spans} == {"Token", "NamedEntity"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('begin="3" end="7"', 'begin="3" end="99"', r"memo.xmi:8: the annotation \d+ \(NamedEntity\), 2 to 99, is outside the text of"),
        ('begin="3" end="7"', 'begin="1" end="7"', r"memo.xmi: an annotation begins or ends at 1, not at a character"),
        ('begin="3" end="7"', 'begin="7" end="3"', r"memo.xmi:8: the span 6 to 2 is empty"),
        ('begin="3" end="7"', 'begin="x" end="7"', r"memo.xmi: this is not a valid CAS: ValueError"),
        ('xmi:id="5"', 'xmi:id="4"', r'memo.xmi:9: the xmi:id "4" occurs twice'),
        ("ner:NamedEntity xmi:id", "ner:Other xmi:id", r"this is not a valid CAS: TypeNotFoundError"),
        ('members="2', 'members="77 2', r"this is not a valid CAS: KeyError"),
        ("</xmi:XMI>", "", r"memo.xmi:17: this is not XML"),
        (" sofaString=", " sofaURI=", r"this CAS has no text"),
        ("xmi:XMI", "html", r"this is not XML|not XMI"),
        ("<?xml version=\"1.0\" encoding=\"UTF-8\"?>", '<!DOCTYPE a [<!ENTITY b "c">]>', r"declares entities"),
    ],
)  # fmt: skip
def test_an_invalid_file_is_an_error_and_the_next_one_is_read(folder, old, new, message):
    changed = XMI.replace(old, new)
    assert changed != XMI
    (folder / "memo.xmi").write_text(changed, encoding="utf-8")
    (folder / "next.xmi").write_text(XMI, encoding="utf-8")
    errors = []
    [document] = CAS.documents(folder, None, errors.append)
    check_memo(sorted_spans(document))
    assert len(errors) == 1 and re.search(message, str(errors[0]))
    with pytest.raises(UserError, match=message):
        list(CAS.documents(folder / "memo.xmi"))


def test_a_file_without_its_type_system_is_refused(folder):
    (folder / "TypeSystem.xml").unlink()
    with pytest.raises(UserError, match=r"no TypeSystem\.xml beside"):
        list(CAS.documents(folder / "memo.xmi"))


@pytest.mark.parametrize("name", ["x}{open('was here','w')", "a b", "x=1", ""])
def test_a_name_that_is_none_does_not_reach_the_code_that_cassis_generates(folder, tmp_path, name):
    """Cassis builds classes from the names of features, by generated source."""
    escaped = name.replace("'", "&apos;")
    (folder / "TypeSystem.xml").write_text(TYPE_SYSTEM.replace("currency", escaped), encoding="utf-8")
    with pytest.raises(UserError, match=r"TypeSystem\.xml\):2: the name .* is not that of a type or feature"):
        list(CAS.documents(folder / "memo.xmi"))
    data = '{"%TYPES": {"a.B": {"%NAME": "a.B", "%SUPER_TYPE": "uima.cas.TOP", "NAME": {"%NAME": "x", "%RANGE": "uima.cas.String"}}}, "%FEATURE_STRUCTURES": [], "%VIEWS": {}}'
    (tmp_path / "x.json").write_text(data.replace('"NAME"', f'"{name}"'), encoding="utf-8")
    with pytest.raises(UserError, match="is not that of a type or feature"):
        list(CAS.documents(tmp_path / "x.json"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"x.json:1: this is not JSON"),
        ('{"%TYPES": {},\n"%VIEWS": }', r"x.json:2: this is not JSON"),
        ('{"a": 1}', "has no type system"),
        ('{"%TYPES": {}, "%VIEWS": 3}', "not a valid CAS"),
        ("[" * 9, "this is not XML"),
        ("", "this is not XML"),
        ("\x00", "binary"),
    ],
)
def test_json_that_is_no_cas_is_refused(tmp_path, text, message):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(UserError, match=message):
        list(CAS.documents(tmp_path / "x.json"))


def test_zips_without_documents_and_damaged_ones_are_refused(tmp_path, folder):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.txt", "x")
    with pytest.raises(UserError, match=r"no \.xmi and no \.json"):
        list(CAS.documents(tmp_path / "a.zip"))
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.write(folder / "memo.xmi", "memo.xmi")
    raw = (tmp_path / "b.zip").read_bytes()
    (tmp_path / "b.zip").write_bytes(raw.replace(b"ACME", b"EMCA"))
    with pytest.raises(UserError, match="cannot be unpacked: Bad CRC"):
        list(CAS.documents(tmp_path / "b.zip"))
    (tmp_path / "b.zip").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(UserError, match="binary data"):
        list(CAS.documents(tmp_path / "b.zip"))


@pytest.mark.parametrize("form", ["xmi", "json"])
def test_cassis_reads_what_is_written(tmp_path, form):
    spans = (
        AnnotatedSpan("T1", "ORG", ((2, 6),), layer="names", attributes=(Attribute("sure", "no"), Attribute("a b", "c"), Attribute("class")), references=(Reference("MESH", "D1"),)),
        AnnotatedSpan("T2", "", ((2, 3),), layer="my layer", score=0.5),
    )  # fmt: skip
    relations = (Relation("R1", "r", (("Arg1", "T1"), ("Arg2", "T2")), symmetric=True),)
    text = "\U0001f600 ACME\r\n\u4e2d e\u0301"
    documents = [
        AnnotatedDocument(
            "a/b", text, spans, relations, labels={"q": ()}, layers=("my layer", "names"), metadata={"k": [1]}
        ),
        AnnotatedDocument("", "x", layers=None),
    ]
    path = tmp_path / "out"
    assert CAS.save(documents, path, {"form": form}) == {}
    assert [file.name for file in sorted(path.iterdir())][:2] == [f"1_a%2Fb.{form}", f"2.{form}"]
    if form == "xmi":
        cas = cassis.load_cas_from_xmi(path / "1_a%2Fb.xmi", cassis.load_typesystem(path / "TypeSystem.xml"))
    else:
        cas = cassis.load_cas_from_json((path / "1_a%2Fb.json").read_bytes().decode())
    [named] = cas.select("webanno.custom.names")
    assert named.get_covered_text() == "ACME" and (named.value, named.sure, named.identifier) == (
        "ORG",
        "no",
        "MESH:D1",
    )
    assert cas.sofa_string == text
    results = list(CAS.documents(path))
    assert [canonical(result) for result in results] == [canonical(document) for document in documents]


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    documents = [AnnotatedDocument("1", "a"), AnnotatedDocument("2", "a\x0cb")]
    with pytest.raises(UserError, match=r'character 1 of the text of "2" is U\+000C'):
        CAS.save(documents, tmp_path / "out")
    assert not list(tmp_path.iterdir())
    CAS.save(documents, tmp_path / "out", {"form": "json"})
    assert [document.text for document in CAS.documents(tmp_path / "out")] == ["a", "a\x0cb"]
    with pytest.raises(UserError, match='the option label is "begin"'):
        CAS.save(documents, tmp_path / "other", {"label": "begin"})


def test_detect_never_raises(tmp_path, folder):
    (tmp_path / "x").write_bytes(b"PK\x03\x04")
    assert CAS.detect(folder)
    assert not any(CAS.detect(tmp_path / name) for name in ("x", "none", "."))


@pytest.fixture
def basic(tmp_path):
    """Write a CAS with the types of INCEpTION's template of a basic project, whose feature is `label`, and another."""
    types = cassis.TypeSystem()
    span, other = (types.create_type(name, "uima.tcas.Annotation") for name in ("custom.Span", "webanno.custom.Sum"))
    relation = types.create_type("custom.Relation", "uima.tcas.Annotation")
    plain = types.create_type("webanno.custom.Mark", "uima.tcas.Annotation")
    for name in ("Governor", "Dependent"):
        types.create_feature(relation, name, "uima.tcas.Annotation")
    for type_, name in ((span, "label"), (relation, "label"), (other, "currency"), (other, "kind")):
        types.create_feature(type_, name, "uima.cas.String")
    cas = cassis.Cas(types)
    cas.sofa_string, cas.sofa_mime = "ACME paid Bob", "text/plain"
    ends = [span(begin=0, end=4, label="ORG"), span(begin=10, end=13, label="PER")]
    cas.add_all([*ends, relation(begin=10, end=13, Governor=ends[0], Dependent=ends[1], label="pays")])
    cas.add_all([other(begin=5, end=9, currency="EUR", kind="net"), plain(begin=5, end=9)])
    cas.to_json(tmp_path / "basic.json")
    return tmp_path / "basic.json"


def test_the_feature_label_counts_where_a_type_has_no_value(basic, capsys):
    (document,) = CAS.documents(basic)
    assert [(span.layer, span.label, span.attributes) for span in document.spans if span.layer == "Span"] == [
        ("Span", "ORG", ()), ("Span", "PER", ()),
    ]  # fmt: skip
    assert [relation.label for relation in document.relations] == ["pays"]
    assert {span.label for span in document.spans} == {"ORG", "PER", "Sum", "Mark"}
    warned = capsys.readouterr().err
    assert 'the type Sum has no feature "value", so that the label of its annotations is "Sum"' in warned
    assert "It has currency, kind (option label)." in warned
    assert warned.count("has no feature") == 1, "a type without features has no other label than its name"


def test_a_feature_that_the_option_names_has_no_substitute(basic, capsys):
    (document,) = CAS.documents(basic, {"label": "kind"})
    assert {span.label for span in document.spans} == {"Span", "net", "Mark"}
    warned = capsys.readouterr().err
    assert 'the type Span has no feature "kind"' in warned and "It has label (option label)." in warned


@pytest.mark.parametrize(("form", "ending", "line"), [("xmi", "xmi", ":2"), ("json", "json", "")])
def test_an_annotation_outside_the_text_is_named_by_its_id_type_and_offsets(tmp_path, form, ending, line):
    span = AnnotatedSpan("T1", "ORG", ((0, 4),))
    CAS.save([AnnotatedDocument("1", "ACME paid", (span,))], tmp_path / "data", {"form": form})
    [path] = (tmp_path / "data").glob(f"*.{ending}")
    path.write_text(path.read_text("utf-8").replace('end="4"', 'end="400"').replace('"end": 4', '"end": 400'), "utf-8")
    with pytest.raises(UserError) as caught:
        list(CAS.documents(tmp_path / "data"))
    assert str(caught.value) == (
        f"{path}{line}: the annotation 4 (Span), 0 to 400, is outside the text of 9 characters. "
        "Offsets of a CAS count UTF-16 code units of its text."
    )
