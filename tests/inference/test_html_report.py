"""The HTML report: it shows the exact text, is safe with any text, and is written completely or not at all."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from parsed_page import ParsedPage

from electra_ie.common.errors import UserError
from electra_ie.inference.html_report import HUES, STYLE, Page
from electra_ie.runs import code

KINDS = {"entities": "spans", "parties": "spans", "flags": "flags"}


def finding(text, start, end, label="AMOUNT", field="entities", score=0.5):
    return {"field": field, "label": label, "start": start, "end": end, "text": text[start:end], "score": score}


def record(text, *findings, file="a.txt", identity="a", windows=1):
    return {"id": identity, "file": file, "characters": len(text), "windows": windows, "findings": list(findings)}


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "page.html"

    def write(*documents, title="Review"):
        with Page(path, title, KINDS) as page:
            for document, text in documents:
                page.add(document, text)
        return path.read_bytes().decode("utf-8")

    return write


CHARACTERS = st.one_of(
    st.sampled_from("\n\r\t <>&\"'];\x01\x1b\x7f\x85\x9b\u2028\u202e\u202c\u2066\ufeff\u200d\u0301e👩İ١"),
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
)


@st.composite
def documents(draw):
    text = draw(st.text(CHARACTERS, max_size=40))
    offsets = st.tuples(st.integers(0, len(text)), st.integers(0, len(text))).filter(lambda pair: pair[0] < pair[1])
    names = st.sampled_from([("entities", "A"), ("entities", "B"), ("parties", "A"), ("flags", "F"), ("flags", "G")])
    chosen = draw(st.lists(st.tuples(offsets, names), max_size=7)) if text else []
    return text, [finding(text, start, end, label, field) for (start, end), (field, label) in chosen]


@given(documents())
@example(("\r\n\ta\rb\n", []))
@example(("\n\nleading", []))
@example(("", []))
@example(("abcdefghij", [finding("abcdefghij", *offsets) for offsets in ((0, 9), (1, 2), (3, 5), (3, 6))]))
@example(("abc", [finding("abc", 0, 3, "A"), finding("abc", 1, 2, "B"), finding("abc", 1, 3, "A", "parties")]))
def test_pane_shows_the_text_and_marks_show_the_findings(written, document):
    text, findings = document
    page = written((record(text, *findings), text))
    parsed = ParsedPage(page)
    assert parsed.panes == [text]
    spans = [span for span in findings if span["field"] != "flags"]
    for field, label in dict.fromkeys((item["field"], item["label"]) for item in findings):
        same_label = [span for span in spans if (span["field"], span["label"]) == (field, label)]
        marked = parsed.where(f"label{_label_indices(page)[field, label]}")
        assert marked == {offset for span in same_label for offset in range(span["start"], span["end"])}
    assert len(parsed.values("data-tag")) == len(spans), "a mark has no name or several"
    for offset, classes in enumerate(parsed.around[0]):
        lanes = [name for name in classes if name.startswith("lane")]
        assert len(lanes) == sum(span["start"] <= offset < span["end"] for span in spans), "marks share a lane"
    flags = [item for item in findings if item["field"] == "flags" and item["text"] != text]
    windows = sorted({(flag["start"], flag["end"]) for flag in flags})
    for index, (start, end) in enumerate(windows, 1):
        assert parsed.where(f"window{index}") == set(range(start, end))
    assert len(set(parsed.values("id"))) == len(parsed.values("id"))


def _label_indices(page):
    """Return the index of each field and label in the legend."""
    indices = {}
    for field, rows in re.findall(r"<fieldset><legend>(\w+).*?</legend>(.*?)</fieldset>", page, re.S):
        for index, label in re.findall(r'value="(\d+)" checked><span class="name label\d+"><span>(\w+)<', rows):
            indices[field, label] = index
    return indices


def test_characters_that_html_cannot_express_are_replaced_in_place(written):
    text = "a\0b\ud800c"
    parsed = ParsedPage(written((record(text, finding(text, 4, 5)), text)))
    assert parsed.panes == ["a␀b\ufffdc"]
    assert parsed.where("lane0") == {4}


EVIL = "</div></span><script>alert('1')</script><img src=x onerror=\"alert(1)\">&lt;&#13;]]><!-- \u202etxt.exe"


def test_no_input_becomes_markup(written):
    document = record(
        EVIL, finding(EVIL, 3, 20, EVIL), finding(EVIL, 0, 9, EVIL, "flags"), file=EVIL, identity=EVIL + "2"
    )
    page = written((document, EVIL), title=EVIL)
    parsed = ParsedPage(page)
    allowed = set("html head meta title style body header h1 p div nav fieldset legend small button label input span "
                  "main article h2 a ul li mark script".split())  # fmt: skip
    assert set(parsed.tags) <= allowed
    assert parsed.tags.count("script") == 1
    assert parsed.panes == [EVIL]
    shown = EVIL.replace("\u202e", "<U+202E>")
    assert parsed.words.count(shown) == 5, "title, heading, file name, chip and legend show it in full"
    assert f"{shown}2" in parsed.words
    assert not any(name.startswith("on") for _, values in parsed.attributes for name in values)
    without_the_text = page.replace('<span class="hidden" data-code="U+202E">\u202e</span>', "")
    assert "\u202e" not in without_the_text


def test_report_fetches_nothing_and_allows_its_own_script_only(written):
    parsed = ParsedPage(written((record("abc", finding("abc", 0, 1)), "abc")))
    policy = next(values["content"] for _, values in parsed.attributes if "http-equiv" in values)
    assert policy.startswith("default-src 'none'; ")
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256("".join(parsed.sources[kind]).encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
        assert not re.search(r"https?:|url\(|@import|fetch|src=", "".join(parsed.sources[kind]))
    assert not {"src", "style", "srcset"} & {name for _, values in parsed.attributes for name in values}
    assert all(link.startswith("#") for link in parsed.values("href"))


def test_overlapping_marks_have_separate_lanes_and_outer_ones_are_lower(written):
    text = "Acme LLP, Limassol, Cyprus; Kestrel"
    inner, outer = finding(text, 0, 8, "A"), finding(text, 0, 26, "O", "parties")
    crossing, alone = finding(text, 20, 30, "X"), finding(text, 30, 35, "B")
    page = written((record(text, outer, inner, crossing, alone), text))
    parsed = ParsedPage(page)
    lanes = {}
    for (_, label), index in _label_indices(page).items():
        classes = re.search(rf'<mark class="label{index} lane(\d)"', page)
        lanes[label] = int(classes[1])
    assert lanes == {"A": 0, "O": 1, "X": 0, "B": 0}
    assert parsed.where("lane1") == set(range(26))
    last_pieces = re.findall(r'data-tag="(\w) 0.50">(?:<mark[^>]*>)?([^<]*)<', page)
    assert last_pieces == [("A", "Acme LLP"), ("O", "Cyprus"), ("X", "; Ke"), ("B", "strel")]
    heights = [int(value) for value in re.findall(r"\.lane\d+\{padding-bottom:(\d+)px", page)]
    assert heights == sorted(set(heights))
    assert len(heights) == 2


def test_flags_are_shown_above_the_text_and_link_to_their_window(written):
    text = "first part. second part."
    whole = finding(text, 0, len(text), "structuring", "flags", 0.931)
    part = finding(text, 12, 24, "sanctions", "flags", 0.5)
    page = written((record(text, whole, part, windows=2), text), (record("x", identity="b", file=""), "x"))
    parsed = ParsedPage(page)
    assert "0.93" in parsed.words
    assert "structuring " in parsed.words
    assert "none" in parsed.words
    links = [values for tag, values in parsed.attributes if tag == "a" and "data-window" in values]
    assert [link["href"] for link in links] == ["#d1w1"], "a flag of the whole text has a link"
    assert "d1w1" in parsed.values("id")
    assert parsed.where("window1") == set(range(12, 24))
    assert "24 characters read in 2 windows" in parsed.words
    assert "1 character read in 1 window" in parsed.words


def test_relations_show_the_fragments_of_their_ends_only(tmp_path):
    text = "Ann sent 7 and 4 goods."
    head, tail = finding(text, 0, 3, "house"), {**finding(text, 9, 22), "fragments": [[9, 10], [17, 22]]}
    link = {"field": "links", "label": "sends", "head": head, "tail": tail, "score": 0.5}
    with Page(tmp_path / "page.html", "Review", {**KINDS, "links": "relations"}) as page:
        page.add({**record(text, head, tail), "relations": [link]}, text)
    html = (tmp_path / "page.html").read_text("utf-8")
    (table,) = re.findall(r'<table class="relations">.*?</table>', html, re.DOTALL)
    assert "<bdi>Ann</bdi> <small>house, characters 0–3</small>" in table
    assert "<bdi>7 goods</bdi> <small>AMOUNT, characters 9–10, 17–22</small>" in table


def test_relations_of_several_fields_name_theirs(tmp_path):
    text = "Ann pays Bob"
    head, tail = finding(text, 0, 3, "A"), finding(text, 9, 12, "A")
    links = [{"field": name, "label": "to", "head": head, "tail": tail, "score": 0.5} for name in ("payments", "loans")]
    with Page(tmp_path / "page.html", "Review", {**KINDS, "payments": "relations", "loans": "relations"}) as page:
        page.add({**record(text, head, tail), "relations": links}, text)
    html = (tmp_path / "page.html").read_text("utf-8")
    assert "<th>field</th><th>from</th>" in html
    assert "<tr><td>payments</td><td>" in html and "<tr><td>loans</td><td>" in html


def test_legend_counts_by_field_and_label_and_articles_list_their_labels(written):
    text = "abcdef"
    one = record(text, finding(text, 0, 1, "A"), finding(text, 2, 3, "A"), finding(text, 1, 2, "A", "parties"))
    two = record(text, finding(text, 0, 1, "A"), finding(text, 3, 4, "B"), identity="b")
    page = written((one, text), (two, text))
    rows = re.findall(r'value="(\d)" checked>.*?<span>(\w)</span></span><span class="number">(\d)<', page)
    assert rows == [("0", "A", "3"), ("2", "B", "1"), ("1", "A", "1")]
    assert re.findall(r'data-labels="([^"]*)"', page) == ["0 1", "0 2"]
    assert "2 documents · 12 characters · 5 findings" in page


def test_failing_report_leaves_the_old_one_and_no_other_file(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")

    def fail() -> None:
        with Page(path, "t", KINDS) as page:
            page.add(record("abc"), "abc")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    with Page(path, "t", KINDS) as page:
        page.add(record("abc"), "abc")
        assert path.read_text() == "old"
    assert "abc" in path.read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_unwritable_report_is_an_error_at_the_start(tmp_path):
    with pytest.raises(UserError, match=r"missing/page\.html: cannot be written: .*Choose a folder"):
        Page(tmp_path / "missing" / "page.html", "t", KINDS).__enter__()
    with pytest.raises(UserError, match="is a folder"):
        Page(tmp_path, "t", KINDS).__enter__()


@pytest.mark.slow
def test_memory_does_not_grow_with_documents(tmp_path):
    text = "Paid EUR 100.00 to Acme. " * 400
    document = record(text, *(finding(text, start, start + 4) for start in range(0, 2000, 25)))
    with Page(tmp_path / "page.html", "t", KINDS) as page:
        page.add(document, text)
        tracemalloc.start()
        for _ in range(200):
            page.add(document, text)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 1_000_000 < (tmp_path / "page.html").stat().st_size


def _luminance(color):
    parts = [value / 255 for value in color]
    red, green, blue = (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one, other):
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _mixed(color, ground, share):
    return [share * above + (1 - share) * below for above, below in zip(color, ground, strict=True)]


def test_every_label_is_readable_in_light_and_dark():
    """WCAG AA: a contrast of 4.5 to 1 on the label's tint, on two tints, and on a highlighted window."""
    papers, lit = (re.findall(rf"--{name}:(#\w{{6}})", STYLE) for name in ("paper", "lit"))
    hues = re.findall(r"--hue(\d+):(#\w{6})", STYLE)
    assert [int(index) for index, _ in hues] == [*range(HUES)] * 2
    assert len(papers) == len(lit) == 2
    for mode, (ground, marked) in enumerate(zip(papers, lit, strict=True)):
        for _, hue in hues[HUES * mode : HUES * (mode + 1)]:
            color, paper, lamp = (bytes.fromhex(code[1:]) for code in (hue, ground, marked))
            once = _mixed(color, paper, 0.11)
            for behind in (once, _mixed(color, once, 0.11), _mixed(color, lamp, 0.11)):
                assert _contrast(color, behind) >= 4.5, (hue, behind)


def test_importing_the_report_loads_no_heavy_package():
    heavy = "{'torch', 'transformers', 'matplotlib', 'rich', 'numpy'} & set(sys.modules)"
    code = f"import sys, electra_ie.inference.html_report, electra_ie.common.progress; print({heavy})"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "set()"


def test_style_sheet_and_script_are_part_of_the_code_hash(tmp_path, monkeypatch):
    monkeypatch.setattr(code, "ROOT", tmp_path)
    sums = set()
    for name in ("a.py", "report.css", "report.js", "py.typed", "tasks/a.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("text", "utf-8")
        sums.add(code.code_now()["modules"])
    assert len(sums) == 3, "py.typed or a file in tasks changed the hash"
