"""Case reports with entities, fragments and relations, through the formats of biomedical and linguistic tools."""

from __future__ import annotations

from pathlib import Path

import pytest

from electra_ie.formats import FORMATS
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan, Relation, canonical

CASES = Path(__file__).parents[2].parent / "shared" / "data" / "medical_cases" / "test"


def case(file):
    """Return a report as a document, from the lines T and R of brat."""
    spans, relations = [], []
    for line in file.read_text("utf-8").splitlines():
        id, rest = line.split("\t")[:2]
        label, *offsets = rest.replace(";", " ").split()
        if id[0] == "T":
            pairs = zip(map(int, offsets[::2]), map(int, offsets[1::2]), strict=True)
            spans.append(AnnotatedSpan(id, label, tuple(pairs)))
        elif id[0] == "R":
            arguments = tuple(tuple(part.split(":")) for part in offsets)
            relations.append(Relation(id, label, arguments))
    text = file.with_suffix(".txt").read_bytes().decode()
    return AnnotatedDocument(file.stem, text, tuple(spans), tuple(relations))


@pytest.mark.parametrize("name", ["bioc", "cas", "docbin", "pubtator"])
def test_case_reports_come_back_less_the_losses(name, tmp_path):
    if not CASES.is_dir():
        pytest.skip("../shared/data/medical_cases is not there")
    if FORMATS[name].package:
        pytest.importorskip(FORMATS[name].package)
    documents = [case(file) for file in sorted(CASES.glob("*.ann"))[:3]]
    assert sum(len(document.spans) for document in documents) > 100
    losses = FORMATS[name].save(documents, tmp_path / "out")
    results = list(FORMATS[name].documents(tmp_path / "out"))
    expected = [FORMATS[name].reduced(document)[0] for document in documents]
    assert [canonical(result) for result in results] == [canonical(document) for document in expected]
    assert bool(losses) == (name in ("docbin", "pubtator"))
    if name != "pubtator":
        assert [result.text for result in results] == [document.text for document in documents]
