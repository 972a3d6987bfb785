"""Files with wrong bytes: documents or errors of the user, never another exception."""

from __future__ import annotations

import tempfile
import zlib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from electra_ie.common.errors import UserError
from electra_ie.formats import FORMATS
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan, Attribute, Reference, Relation

SPANS = (
    AnnotatedSpan("T1", "ORG", ((0, 4),), attributes=(Attribute("sure", "no"),), references=(Reference("MESH", "D1"),)),
    AnnotatedSpan("T2", "ACT", ((5, 9),)),
)
DOCUMENT = AnnotatedDocument(
    "1", "ACME paid \U0001f600", SPANS, (Relation("R1", "r", (("a", "T1"), ("b", "T2"))),), metadata={"k": [1]}
)
DAMAGES = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=2), st.integers(0, 3)), min_size=1, max_size=3
)


def damaged(raw, damages):
    """Return bytes in which some are replaced by others; a length of 3 truncates."""
    for place, new, length in damages:
        start = int(place * len(raw))
        raw = raw[:start] if length == 3 else raw[:start] + new + raw[start + length :]
    return raw


@pytest.mark.parametrize(
    ("name", "file", "options"),
    [
        ("bioc", "x.xml", {}),
        ("bioc", "x.json", {}),
        ("docbin", "x.spacy", {}),
        ("pubtator", "x.txt", {}),
        ("cas", "x/1_1.xmi", {}),
        ("cas", "x/TypeSystem.xml", {}),
        ("cas", "x/1_1.json", {"form": "json"}),
    ],
)
@given(damages=DAMAGES)
def test_a_damaged_file_is_read_or_refused(name, file, options, damages):
    if FORMATS[name].package:
        pytest.importorskip(FORMATS[name].package)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / file.split("/")[0]
        FORMATS[name].save([DOCUMENT], path, options)
        raw = (Path(folder) / file).read_bytes()
        inner = zlib.compress(damaged(zlib.decompress(raw), damages)) if name == "docbin" else damaged(raw, damages)
        (Path(folder) / file).write_bytes(inner)
        with suppress(UserError):
            list(FORMATS[name].documents(path))
        FORMATS[name].detect(path)
