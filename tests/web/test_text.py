"""Texts with findings in a browser: code points, overlaps, writing directions, and nothing of a text as markup."""

from __future__ import annotations

import json

import pytest
from fastapi.responses import HTMLResponse
from web_servers import page_of, serving, tab_of, without_errors

from electra_ie.web.access import Access
from electra_ie.web.app import create_app

PAGE = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Test</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="/static/base.css"><link rel="stylesheet" href="/static/page.css"></head>
<body><main class="page"><section class="panel" id="pane"></section><p id="status" role="status"></p></main></body></html>"""
TEXTS = (
    "plain text, with spaces  and\ttabs\nand lines",
    "𠀀𠀁 is CJK extension B, 👩‍👩‍👧 a family, e\u0301 two points",
    "<b>not bold</b> & <script>alert(1)</script>",
    "سداد 500 ريال إلى شركة ABC",
    "张三于5月3日付款9,800元",
    "hidden \u202e reversed \u0007 bell \r\n end \x00",
)


@pytest.fixture(scope="module")
def site():
    app = create_app("Test", Access())

    @app.get("/")
    async def page() -> HTMLResponse:
        return HTMLResponse(PAGE)

    with serving(app) as address:
        yield address


@pytest.fixture(scope="module")
def tab(browser):
    with tab_of(browser) as found:
        yield found


@pytest.fixture
def page(tab, site):
    with without_errors(tab):
        tab.goto(site)
        yield tab


def show(page, text, spans):
    """Show a text, and return the text of its pane and that of each span."""
    return page.evaluate(
        """async ([text, spans]) => {
            const {showText} = await import('/static/text.js'), pane = document.getElementById('pane');
            const parts = showText(pane, text, spans);
            return [pane.textContent, parts.map(elements => elements.map(element => element.textContent).join(''))];
        }""",
        [text, spans],
    )


@pytest.mark.parametrize("text", TEXTS)
def test_the_pane_is_the_text_and_spans_are_code_points(page, text):
    spans = [{"start": start, "end": end} for start in range(len(text)) for end in (start + 1, len(text))]
    whole, parts = show(page, text, spans)
    assert whole == text
    assert parts == [text[span["start"] : span["end"]] for span in spans]


def test_spans_that_overlap_are_in_different_lanes(page):
    spans = [
        {"start": 0, "end": 9, "tag": "outer"},
        {"start": 2, "end": 5},
        {"start": 4, "end": 12},
        {"start": 20, "end": 22},
    ]
    lanes = page.evaluate("async spans => (await import('/static/text.js')).lanes(spans)", spans)
    assert lanes == [2, 0, 1, 0]
    show(page, "abcdefghijklmnopqrstuvwxyz", spans)
    paddings = page.eval_on_selector_all(
        "#pane mark", "marks => marks.map(m => [m.dataset.span, m.style.paddingBottom])"
    )
    assert {tuple(padding) for padding in paddings} == {("0", "11px"), ("1", "1px"), ("2", "6px"), ("3", "1px")}
    assert page.locator("mark[data-tag=outer]").text_content() == "fghi"


def test_only_the_fragments_of_a_span_are_marked(page):
    divided = {"start": 0, "end": 21, "fragments": [[0, 4], [15, 21]], "tag": "part"}
    whole, parts = show(page, "left and right atrium", [divided, {"start": 9, "end": 21}])
    assert whole == "left and right atrium"
    assert parts == ["leftatrium", "right atrium"]
    assert page.eval_on_selector_all("#pane mark", "marks => marks.map(m => m.dataset.tag ?? '')").count("part") == 1


def test_a_span_that_is_not_in_the_text_is_left_out(page):
    whole, parts = show(
        page, "𠀀b", [{"start": 0, "end": 3}, {"start": -1, "end": 1}, {"start": 1, "end": 1}, {"start": 1, "end": 2}]
    )
    assert (whole, parts) == ("𠀀b", ["", "", "", "b"])


def test_nothing_of_a_text_is_markup(page):
    text, label = "<img src=x onerror=alert(1)> <b>x</b>", '"><i>\u202elabel'
    show(page, text, [{"start": 0, "end": 4, "tag": label}])
    assert page.locator("#pane img, #pane b, #pane i").count() == 0
    assert page.locator("mark").get_attribute("data-tag") == '"><i><U+202E>label'


def test_a_script_that_writes_markup_fails(browser, site):
    with page_of(browser, expected="TrustedHTML") as page:
        page.goto(site)
        script = "() => { try { document.body.innerHTML = '<b>'; } catch (error) { return error.message; } }"
        assert "TrustedHTML" in page.evaluate(script)
        assert page.locator("b").count() == 0


@pytest.mark.parametrize("text", TEXTS)
def test_a_selection_is_read_and_set_in_code_points(page, text):
    script = """async ([text, ranges]) => {
        const {showText, selectedRange, selectRange, CodePoints} = await import('/static/text.js');
        const pane = document.getElementById('pane'), points = new CodePoints(text);
        showText(pane, points, [{start: 1, end: 3}, {start: 2, end: text.length}]);
        return ranges.map(([start, end]) => {
            selectRange(pane, points, start, end);
            const found = selectedRange(pane, points);
            return [found.start, found.end];
        });
    }"""
    ranges = [[0, 1], [0, len(text)], [2, 3], [1, 4], [len(text) - 1, len(text)]]
    assert page.evaluate(script, [text, ranges]) == ranges


def test_a_selection_outside_of_the_text_is_none(page):
    script = """async () => {
        const {showText, selectedRange} = await import('/static/text.js'), pane = document.getElementById('pane');
        showText(pane, 'text', []);
        document.getElementById('status').textContent = 'outside';
        const none = selectedRange(pane, 'text');
        document.getSelection().selectAllChildren(document.getElementById('status'));
        const outside = selectedRange(pane, 'text');
        document.getSelection().selectAllChildren(document.body);
        return [none, outside, selectedRange(pane, 'text')];
    }"""
    assert page.evaluate(script) == [None, None, {"start": 0, "end": 4}]


@pytest.mark.parametrize(("text", "direction"), [(TEXTS[3], "rtl"), (TEXTS[4], "ltr"), ("123", "ltr")])
def test_a_text_has_its_own_writing_direction(page, text, direction):
    show(page, text, [])
    assert page.eval_on_selector("#pane", "pane => getComputedStyle(pane).direction") == direction
    assert page.eval_on_selector("#pane", "pane => getComputedStyle(pane).unicodeBidi") == "plaintext"


def test_labels_have_colors_and_lines_that_differ(page):
    spans = [{"start": index, "end": index + 1, "color": index} for index in range(32)]
    show(page, "a" * 32, spans)
    looks = page.eval_on_selector_all(
        "mark", "marks => marks.map(m => getComputedStyle(m).borderBottomColor + getComputedStyle(m).borderBottomStyle)"
    )
    assert len(set(looks)) == 32


def test_a_page_follows_the_color_scheme(browser, site):
    with page_of(browser) as page:
        for scheme, expected in (("light", "rgb(243, 245, 248)"), ("dark", "rgb(17, 21, 27)")):
            page.emulate_media(color_scheme=scheme)
            page.goto(site)
            assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == expected


def test_a_narrow_page_does_not_scroll_sideways(browser, site):
    with page_of(browser, viewport={"width": 320, "height": 600}) as page:
        page.goto(site)
        show(page, "a" * 500 + " " + "𠀀" * 300, [{"start": 0, "end": 700, "tag": "LABEL " * 3}])
        assert page.evaluate("() => document.documentElement.scrollWidth") == 320


def test_errors_of_the_server_are_errors_of_the_script(browser, site):
    script = """async path => {
        const {request} = await import('/static/text.js');
        return request(path, {method: 'POST', body: {a: 1}}).catch(error => [error.status, error.message]);
    }"""
    fault = {"where": "body.a", "message": "too small"}
    body = json.dumps({"error": {"message": "it is wrong.", "remedy": "Mend it.", "faults": [fault]}})
    with page_of(browser, expected="Failed to load") as page:
        page.goto(site)
        page.route("**/refused", lambda route: route.fulfill(status=422, body=body))
        page.route("**/broken", lambda route: route.fulfill(status=200, body="<p>"))
        page.route("**/gone", lambda route: route.abort())
        assert page.evaluate(script, "/refused") == [422, "it is wrong. body.a: too small. Mend it."]
        assert page.evaluate(script, "/broken") == [200, "the server answered with status 200."]
        assert page.evaluate(script, "/gone")[0] == 0
