"""Slot features and chains of UIMA CAS, as WebAnno and INCEpTION export them, and written again."""

from __future__ import annotations

import pytest

from electra_ie.common.errors import UserError
from electra_ie.formats import FORMATS
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan, Attribute, Event, Relation, canonical

cassis = pytest.importorskip("cassis")
CAS = FORMATS["cas"]
DKPRO = "de.tudarmstadt.ukp.dkpro.core.api."
COREF = f"{DKPRO}coref.type.CoreferenceLink"


def feature(name, range_type="uima.cas.String", element=""):
    inner = f"<elementType>{element}</elementType>" if element else ""
    return f"<featureDescription><name>{name}</name><description/><rangeTypeName>{range_type}</rangeTypeName>{inner}</featureDescription>"


def type_of(name, supertype, *features):
    return f"<typeDescription><name>{name}</name><description/><supertypeName>{supertype}</supertypeName><features>{''.join(features)}</features></typeDescription>"


TYPES = [
    type_of("webanno.custom.LinkType", "uima.cas.TOP", feature("role"), feature("target", "webanno.custom.SimpleSpan")),
    type_of("webanno.custom.SimpleLinkHost", "uima.tcas.Annotation", feature("links", "uima.cas.FSArray", "webanno.custom.LinkType")),
    type_of("webanno.custom.SimpleSpan", "uima.tcas.Annotation", feature("value")),
    type_of(
        "webanno.custom.Pays", "uima.tcas.Annotation", feature("value"),
        feature("who", "uima.cas.FSArray", "webanno.custom.LinkType"), feature("what", "uima.cas.FSArray", "webanno.custom.LinkType"),
    ),
    type_of(COREF, "uima.tcas.Annotation", feature("next", COREF), feature("referenceType"), feature("referenceRelation")),
    type_of(f"{DKPRO}coref.type.CoreferenceChain", "uima.cas.AnnotationBase", feature("first", COREF)),
]  # fmt: skip
TYPE_SYSTEM = f'<?xml version="1.0" encoding="UTF-8"?>\n<typeSystemDescription xmlns="http://uima.apache.org/resourceSpecifier"><types>{"".join(TYPES)}</types></typeSystemDescription>'
XMI = """<?xml version="1.0" encoding="UTF-8"?>
<xmi:XMI xmlns:xmi="http://www.omg.org/XMI" xmlns:cas="http:///uima/cas.ecore" xmlns:custom="http:///webanno/custom.ecore"
 xmlns:coref="http:///de/tudarmstadt/ukp/dkpro/core/api/coref/type.ecore" xmi:version="2.0"><cas:NULL xmi:id="0"/>
<custom:SimpleSpan xmi:id="11" sofa="3" begin="5" end="7" value="A"/>
<custom:SimpleSpan xmi:id="12" sofa="3" begin="8" end="9"/>
<custom:LinkType xmi:id="2" role="p1" target="11"/>
<custom:LinkType xmi:id="1" role="p2" target="12"/>
<custom:LinkType xmi:id="4" target="11"/>
<custom:LinkType xmi:id="5" role="lost"/>
<custom:SimpleLinkHost xmi:id="13" sofa="3" begin="0" end="4" links="2 1"/>
<custom:Pays xmi:id="14" sofa="3" begin="10" end="14" value="pay" who="4" what="5"/>
<custom:SimpleLinkHost xmi:id="15" sofa="3" begin="15" end="16"/>
<coref:CoreferenceLink xmi:id="20" sofa="3" begin="0" end="4" next="21" referenceType="nam" referenceRelation="anaphoric"/>
<coref:CoreferenceLink xmi:id="21" sofa="3" begin="8" end="9" next="22"/>
<coref:CoreferenceLink xmi:id="22" sofa="3" begin="15" end="16" referenceRelation="kept"/>
<coref:CoreferenceChain xmi:id="23" sofa="3" first="20"/>
<cas:Sofa xmi:id="3" sofaNum="1" sofaID="_InitialView" mimeType="text" sofaString="This is a test ."/>
<cas:View sofa="3" members="11 12 2 1 4 5 13 14 15 20 21 22 23"/></xmi:XMI>
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "memo.xmi").write_text(XMI, encoding="utf-8")
    (tmp_path / "in" / "TypeSystem.xml").write_text(TYPE_SYSTEM, encoding="utf-8")
    return tmp_path / "in"


def test_filled_slots_are_events_and_chains_are_relations(folder, capsys):
    [document] = CAS.documents(folder)
    spans = {span.id: (span.layer, span.label, document.passage(span)) for span in document.spans}
    assert spans["13"] == ("SimpleLinkHost", "SimpleLinkHost", "This")
    assert spans["14"] == ("Pays", "pay", "test")
    assert document.events == (
        Event("13 event 1", "SimpleLinkHost", "13", (("p1", "11"), ("p2", "12"))),
        Event("14 event 1", "pay", "14", (("who", "11"),), attributes=(Attribute("feature", "who"),)),
    )
    assert [spans[id] for id in ("20", "21", "22")] == [
        ("Coreference", "nam", "This"), ("Coreference", "Coreference", "a"), ("Coreference", "Coreference", "."),
    ]  # fmt: skip
    assert document.relations == (
        Relation("20 next", "anaphoric", (("Link", "20"), ("Next", "21"))),
        Relation("21 next", "Coreference", (("Link", "21"), ("Next", "22"))),
    )
    [last] = [span for span in document.spans if span.id == "22"]
    assert last.attributes == (Attribute("referenceRelation", "kept"),)
    err = capsys.readouterr().err
    assert "1 links of slots to other annotations than those of layers are not read" in err
    assert err.count("are not read") == 1


def test_the_option_types_names_a_layer_of_chains(folder):
    [document] = CAS.documents(folder, {"types": ["Coreference"]})
    assert {span.layer for span in document.spans} == {"Coreference"}
    assert len(document.relations) == 2 and not document.events


@pytest.mark.parametrize("form", ["xmi", "json"])
def test_what_is_read_is_written_as_slots_and_chains_again(folder, tmp_path, form):
    [document] = CAS.documents(folder)
    assert CAS.save([document], tmp_path / "out", {"form": form}) == {}
    [again] = CAS.documents(tmp_path / "out")
    assert canonical(again) == canonical(document)
    [file] = (tmp_path / "out").glob(f"*.{form}")
    if form == "xmi":
        cas = cassis.load_cas_from_xmi(file, cassis.load_typesystem(tmp_path / "out" / "TypeSystem.xml"))
    else:
        cas = cassis.load_cas_from_json(file.read_text())
    [host] = [host for host in cas.select("webanno.custom.SimpleLinkHost") if host.arguments]
    assert [(link.role, link.target.get_covered_text()) for link in host.arguments.elements] == [
        ("p1", "is"),
        ("p2", "a"),
    ]
    [chain] = cas.select("webanno.custom.CoreferenceChain")
    links = [chain.first, chain.first.next, chain.first.next.next]
    assert [(link.get_covered_text(), link.referenceType) for link in links] == [
        ("This", "nam"), ("a", "Coreference"), (".", "Coreference"),
    ]  # fmt: skip
    assert links[0].referenceRelation == "anaphoric" and links[2].next is None


def test_relations_that_make_no_chain_are_written_as_relations(tmp_path):
    def link(id, first, second, **further):
        return Relation(id, "same", (("Link", first), ("Next", second)), **further)

    spans = tuple(AnnotatedSpan(f"T{number}", "x", ((number, number + 1),), layer="a") for number in range(5))
    spans += (AnnotatedSpan("T5", "x", ((5, 6),), layer="aLink"), AnnotatedSpan("T6", "", ((6, 7),), layer="a"))
    relations = (
        link("R1", "T0", "T1"), link("R2", "T1", "T2"), link("R3", "T2", "T0"), link("R4", "T0", "T3"),
        link("R5", "T4", "T5"), link("R6", "T3", "T4", notes=("sure",)), link("R7", "T3", "T3"), link("R8", "T3", "T6"),
    )  # fmt: skip
    document = AnnotatedDocument("1", "abcdefgh", spans, relations, layers=("a", "aLink"))
    assert CAS.save([document], tmp_path / "out") == {}
    [again] = CAS.documents(tmp_path / "out")
    assert canonical(again) == canonical(document)
    cas = cassis.load_cas_from_xmi(
        next((tmp_path / "out").glob("*.xmi")), cassis.load_typesystem(tmp_path / "out" / "TypeSystem.xml")
    )
    assert len(cas.select("webanno.custom.Relation")) == 5
    assert len(cas.select("webanno.custom.aChain")) == 3, "T0 to T2, T3 with T6, and T4 alone"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('next="21"', 'next="99"', "memo.xmi: this is not a valid CAS: KeyError"),
        ('links="2 1"', 'links="2 99"', "memo.xmi: this is not a valid CAS: KeyError"),
    ],
)
def test_references_to_nothing_are_one_error(folder, old, new, message):
    (folder / "memo.xmi").write_text(XMI.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError, match=message):
        list(CAS.documents(folder))
