"""Hypothesis strategies for annotated documents: every feature, over texts of many scripts."""

from __future__ import annotations

from hypothesis import strategies as st

from electra_ie.formats.annotations import (
    ORIGINS,
    AnnotatedDocument,
    AnnotatedSpan,
    Attribute,
    Event,
    Reference,
    Relation,
)
from electra_ie.formats.concepts import RELATIONS, relation_of

CONCEPTS = (
    relation_of("CID", ["D1", "MESH:D2"]),
    relation_of("Bind", ["7157", "9606"], (), {"novel": "Novel"}),
    relation_of("CID", ["D1", "D2"], ["Chemical", "Disease"]),
    relation_of("Bind", ["a b", "Novel", "c"], ["x", "x", "type"], {"score": 0.5, "entity1": "y"}),
    relation_of("9 bind", ["", "D\t2"]),
)
PIECES = (
    "ACME Ltd", "paid", "EUR 9,800", "\N{GRINNING FACE}", "e\u0301", "\u4e2d\u6587", "\u0634\u0631\u0643\u0629", "  ", "\t",
    "\n", "\r\n", "a_b-c", '"q"', "<&>", "\u00a0", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "x",
)  # fmt: skip
WORDS = st.text("abcXYZ", min_size=1, max_size=6)
NOTES = st.lists(
    st.sampled_from(("unsure", "see page 2", "\u4e2d\u6587 \N{GRINNING FACE}")), max_size=2, unique=True
).map(tuple)
"""Texts of notes, in one line."""


def texts(pieces: tuple[str, ...] = PIECES) -> st.SearchStrategy[str]:
    """Texts with emoji, combining marks, line ends, tabs, right-to-left and Chinese letters."""
    return st.lists(st.sampled_from(pieces), min_size=1, max_size=8).map(" ".join)


@st.composite
def _details(draw: st.DrawFn) -> dict[str, object]:
    names = draw(st.lists(WORDS, max_size=2, unique=True))
    values = [draw(st.none() | st.sampled_from(("high", "two words"))) for _ in names]
    references = [
        Reference(draw(WORDS), draw(WORDS), draw(st.sampled_from(("", "a name"))))
        for _ in range(draw(st.integers(0, 1)))
    ]
    return {
        "attributes": tuple(map(Attribute, names, values)),
        "references": tuple(references),
        "notes": draw(NOTES),
        "origin": draw(st.sampled_from(ORIGINS)),
    }  # fmt: skip


@st.composite
def documents(draw: st.DrawFn, pieces: tuple[str, ...] = PIECES) -> AnnotatedDocument:
    """Documents with any features."""
    text = draw(texts(pieces))
    layers = draw(st.sampled_from((None, ("",), ("names",), ("names", "amounts"))))
    offsets = st.integers(0, len(text))
    spans = []
    for number in range(draw(st.integers(0, 4)) if layers else 0):
        cuts = sorted(draw(st.sets(offsets, min_size=2, max_size=4)))
        fragments = tuple(zip(cuts[::2], cuts[1::2], strict=False))
        spans.append(AnnotatedSpan(
            f"T{number + 1}", draw(WORDS), fragments, layer=draw(st.sampled_from(layers)), score=draw(_scores()), **draw(_details()),
        ))  # fmt: skip
    events, relations = [], []
    relation_layers = draw(st.sampled_from((("",), ("",), ("ties",), ("", "ties"), ()))) if layers else ("",)
    if spans:
        targets = [span.id for span in spans]
        for number in range(draw(st.integers(0, 2))):
            arguments = draw(st.lists(st.tuples(WORDS, st.sampled_from(targets)), max_size=2, unique=True))
            events.append(Event(f"E{number + 1}", draw(WORDS), spans[0].id, tuple(arguments), **draw(_details())))
            targets.append(f"E{number + 1}")
        for number in range(draw(st.integers(0, 2)) if relation_layers else 0):
            size = draw(st.sampled_from((2, 2, 2, 3)))
            arguments = [(f"Arg{index + 1}", draw(st.sampled_from(targets))) for index in range(size)]
            relations.append(
                Relation(
                    f"R{number + 1}",
                    draw(WORDS),
                    tuple(arguments),
                    symmetric=draw(st.booleans()),
                    layer=draw(st.sampled_from(relation_layers)),
                    **draw(_details()),
                )
            )
    labels = draw(st.dictionaries(
        st.sampled_from(("topic", "risk")), st.lists(WORDS, max_size=2, unique=True).map(tuple), max_size=2
    ))  # fmt: skip
    scores = {name: tuple(0.5 for _ in values) for name, values in labels.items() if values and draw(st.booleans())}
    metadata = draw(
        st.dictionaries(
            st.sampled_from(("source", "page")), st.sampled_from((1, "a b", [1, None], {"k": True})), max_size=1
        )
    )
    concepts = draw(st.lists(st.sampled_from(CONCEPTS), max_size=2))
    metadata |= {RELATIONS: concepts} if concepts else {}
    return AnnotatedDocument(
        draw(st.sampled_from(("", "1", "memo 2", "a/b"))), text, tuple(spans), tuple(relations), tuple(events), labels,
        scores, layers, draw(NOTES), metadata, draw(st.booleans()),
        label_origins={name: draw(st.sampled_from(ORIGINS[1:])) for name in labels if draw(st.booleans())},
        relation_layers=relation_layers,
    )  # fmt: skip


def _scores() -> st.SearchStrategy[float | None]:
    return st.sampled_from((None, None, 0.25, 1.0))
