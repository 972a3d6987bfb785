"""In a notebook: findings show themselves, nothing of a text reaches the notebook, and progress is a few lines."""

from __future__ import annotations

import copy
import html
import io
import pickle
import re

import pytest
from parsed_page import ParsedPage as Parsed

from electra_ie import Extractor
from electra_ie.common import progress as console
from electra_ie.common.logs import notice
from electra_ie.data.document import Document

EVIL = """</iframe>"><script>alert(1)</script>\x1b[31m' onload='x\u202e"""
TEXT = "invoice goods Arden paid 5.975,74 later than monday. "


@pytest.fixture(scope="module")
def extractor(run):
    return Extractor.from_pretrained(run)


def framed(shown: str) -> Parsed:
    """The page inside the one element that a notebook gets."""
    match = re.fullmatch(r'<iframe sandbox="allow-scripts" style="([^"]*)" srcdoc="([^"]*)"></iframe>', shown)
    assert match, shown[:200]
    assert "<" not in match[2]
    assert ">" not in match[2]
    return Parsed(html.unescape(match[2]))


def test_findings_are_displayed_as_highlighted_text(extractor):
    found = extractor(TEXT)
    assert found
    assert found == list(found) == found.result.findings
    page = framed(found._repr_html_())
    assert page.panes == [TEXT]
    for finding in found:
        if finding.field == "names":
            inside = page.where(next(name for name in set().union(*page.around[0]) if re.fullmatch(r"lane\d", name)))
            assert set(range(finding.start, finding.end)) <= inside
    words = " ".join(page.words)
    assert next(each.label for each in found if each.field == "topic") in words
    assert "topic" in words


def test_text_and_ids_are_escaped_in_the_notebook(extractor):
    (reading,) = extractor.read([Document(EVIL, EVIL + TEXT + EVIL, file=EVIL)])
    page = framed(reading._repr_html_())
    assert page.panes == [EVIL + TEXT + EVIL]
    assert page.tags.count("script") == 1
    assert "iframe" not in page.tags
    assert not {name for _, values in page.attributes for name in values if name.startswith("on")}


def test_frames_of_an_empty_and_of_a_long_text(extractor):
    assert framed(extractor("")._repr_html_()).panes == [""]
    heights = [int(re.search(r"height:(\d+)px", extractor(TEXT * times)._repr_html_())[1]) for times in (1, 5, 500)]
    assert heights == sorted(heights)
    assert heights[0] < heights[1]
    assert heights[2] == 700


def test_findings_are_a_list_like_any_other(extractor):
    found = extractor(TEXT)
    assert copy.copy(found) == pickle.loads(pickle.dumps(found)) == found
    assert repr(found) == repr(list(found))


def test_progress_in_a_notebook_is_a_few_lines(monkeypatch):
    """A notebook's standard error is no terminal and cannot be reconfigured."""
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    with console.progress(200, "training") as report:
        for step in range(1, 201):
            report(step, loss=0.5)
    notice("done")
    lines = stream.getvalue().splitlines()
    assert len(lines) == 11
    assert lines[-1] == "done"
    assert not set(stream.getvalue()) & set("\r\x1b")
