"""The page of a server in a browser: texts and files in, findings shown, reviewed by keyboard, and downloaded."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import asserted
import leveled
import linked
import pytest
import tiny
import web_servers
from served import held, served

import electra_ie
from electra_ie.calibration.stored import Calibration, Promise
from electra_ie.inference.review.reading import read_queue
from electra_ie.serving.model import ServedModel

TEXT = "invoice goods Arden paid 1.234,56 later than monday 😀𠀀 Brisk paid 9.999,10."
ARABIC = "سداد إلى Arden مبلغ 1.234,56 في الموعد"
CHINESE = "张三于5月3日向 Brisk 付款 9.999,10，𠀀𠀁。"


@pytest.fixture
def site(client):
    return str(client.base_url)


@pytest.fixture(scope="module")
def tab(browser):
    with web_servers.tab_of(browser) as found:
        yield found


@pytest.fixture
def page(tab, site):
    with web_servers.without_errors(tab):
        yield opened(tab, site)


def opened(page, site):
    page.goto(site)
    page.locator("#facts:not(:empty)").wait_for()
    return page


def extract(page, text, texts=1):
    """Send a text by keyboard, and wait for its findings."""
    page.fill("#text", text)
    page.press("#text", "Control+Enter")
    page.locator("article").nth(texts - 1).wait_for()
    page.locator("#extract:enabled").wait_for()


def marked(article):
    """Return the text of each finding in an article, put together of its pieces."""
    script = """article => {
        const found = {};
        for (const mark of article.querySelectorAll('mark.span'))
            found[mark.dataset.span] = (found[mark.dataset.span] ?? '') + mark.textContent;
        return Object.values(found);
    }"""
    return article.evaluate(script)


@pytest.mark.parametrize("text", [TEXT, ARABIC, CHINESE])
def test_findings_are_marked_where_they_are(page, client, text):
    record = client.post("/extract", json={"text": text}).json()
    spans = [finding["text"] for finding in record["findings"] if "text" in finding]
    extract(page, text)
    article = page.locator("article").first
    assert article.locator(".text").evaluate("pane => pane.textContent") == text
    assert marked(article) == spans
    others = [finding["label"] for finding in record["findings"] if "window" in finding]
    chips = article.locator(".answers .chip").all_inner_texts()
    assert sorted(chip.split()[0] for chip in chips) == sorted(others)


def test_scores_and_records_are_shown(page, client):
    extract(page, TEXT)
    record = client.post("/extract", json={"text": TEXT}, params={"records": True}).json()
    first = next(finding for finding in record["findings"] if "text" in finding)
    assert page.locator(f"mark[data-tag='{first['label']} {first['score']:.2f}']").count() >= 1
    entries = [entry for found in record["records"][0]["fields"].values() for entry in found]
    table = page.locator("table.record").first.inner_text()
    assert entries and all(
        (entry["text"] or "the whole text") in table and str(entry["value"] or "") in table for entry in entries
    )


def test_the_queue_is_reviewed_by_keyboard_alone_and_downloaded(page):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "text"
    page.keyboard.insert_text(TEXT)
    page.keyboard.press("Control+Enter")
    page.locator("article").wait_for()
    page.locator("#review:focus").wait_for()
    rows = page.locator("#queue button")
    scores = [float(row.split()[-1]) for row in rows.all_inner_texts()]
    assert scores == sorted(scores) and len(scores) > 2
    page.keyboard.press("a")
    page.keyboard.press("r")
    assert page.locator("#progress").inner_text() == f"2 of {len(scores)} reviewed"
    assert "rejected" in page.locator("#status").inner_text()
    page.keyboard.press("u")
    assert page.locator("#progress").inner_text() == f"1 of {len(scores)} reviewed"
    page.keyboard.press("r")
    page.keyboard.press("ArrowDown")
    assert rows.nth(3).get_attribute("aria-current") == "true"
    while page.evaluate("document.activeElement.id") != "download":
        page.keyboard.press("Tab")
    with page.expect_download() as waited:
        page.keyboard.press("Enter")
    (line,) = waited.value.path().read_text("utf-8").splitlines()
    record = json.loads(line)
    assert [*record] == ["id", "file", "text", "drawn", "model", "findings"] and record["text"] == TEXT
    assert record["drawn"] == "all" and {finding["decision"] for finding in record["findings"]} == {"review"}
    by_score = sorted(record["findings"], key=lambda finding: finding["score"])
    assert [finding["correct"] for finding in by_score[:3]] == [True, False, None]


def test_a_reviewed_queue_is_read_back_as_gold(page, model):
    extract(page, TEXT)
    found = model.extractor(TEXT)
    page.locator("#review:focus").wait_for()
    for _ in found:
        page.keyboard.press("a")
    with page.expect_download() as waited:
        page.click("#download")
    (document,) = read_queue(waited.value.path(), tiny.FIELDS, model.extractor.model)
    with pytest.raises(electra_ie.UserError, match=f"these are findings of the model {model.extractor.model}, and"):
        read_queue(waited.value.path(), tiny.FIELDS, "0123")
    assert document.text == TEXT and document.id == "text 1"
    assert document.gold["names"] == tuple(sorted({finding.span for finding in found if finding.text}))


def test_a_finding_is_chosen_by_a_click_in_the_text(page):
    extract(page, TEXT)
    mark = page.locator("article mark.span").last
    mark.click()
    assert "current" in mark.get_attribute("class")
    label = mark.get_attribute("data-tag").split()[0]
    assert page.locator("#queue button[aria-current=true] .label").inner_text() == label
    page.locator("#reject").click()
    assert "✗" in mark.get_attribute("data-tag") and "rejected" in mark.get_attribute("class")


def test_files_are_read_in_the_browser_and_those_that_are_no_text_are_named(page):
    def file(name, content):
        return {"name": name, "mimeType": "application/octet-stream", "buffer": content}

    lines = b'{"id": "first", "text": "Arden paid 1.234,56"}\n\n{"text": "Brisk paid"}\n'
    page.set_input_files(
        "#files",
        [
            file("a.txt", "\ufeffArden paid".encode()),
            file("b.jsonl", lines),
            file("latin.txt", "Müller".encode("latin-1")),
            file("scan.pdf", b"%PDF"),
            file("broken.jsonl", b'{"id": 1}\n'),
            file("long.txt", b"a" * 100_001),
            file("longer.txt", b"a" * 400_001),
        ],
    )
    page.locator("#problems li").nth(4).wait_for()
    assert page.locator("article h2").all_inner_texts() == ["a.txt", "first", "b.jsonl:3"]
    assert page.locator("article .text").first.evaluate("pane => pane.textContent") == "Arden paid"
    problems = page.locator("#problems li").all_inner_texts()
    for name, reason in (
        ("latin.txt", "not UTF-8"), ("scan.pdf", "not a text file"), ("broken.jsonl", "line 1"),
        ("long.txt", "100,001 characters"), ("longer.txt", "400,001 bytes"),
    ):  # fmt: skip
        assert any(problem.startswith(name) and reason in problem for problem in problems), name


def test_files_are_dropped_on_the_page(page):
    script = """name => {
        const data = new DataTransfer();
        data.items.add(new File(['Arden paid 1.234,56'], name));
        for (const kind of ['dragenter', 'drop'])
            document.dispatchEvent(new DragEvent(kind, {dataTransfer: data, bubbles: true, cancelable: true}));
    }"""
    page.evaluate(script, "dropped <b>.txt")
    page.locator("article").wait_for()
    assert page.locator("article h2").inner_text() == "dropped <b>.txt"


def test_nothing_of_a_text_is_markup_and_nothing_is_loaded_from_elsewhere(browser, site):
    with web_servers.page_of(browser) as page:
        addresses = []
        page.on("request", lambda request: addresses.append(request.url))
        opened(page, site)
        extract(page, "<img src=x onerror=alert(1)> Arden paid \u202e1.234,56")
        assert page.locator("article img").count() == 0
        assert page.locator("article .hidden[data-code='U+202E']").count() == 1
    assert addresses and all(address.startswith((site, "data:,")) for address in addresses)


def test_a_text_without_findings_and_a_blank_one(page):
    page.press("#text", "Control+Enter")
    assert "Enter a text" in page.locator("#status").inner_text()
    assert page.locator("#empty").is_visible() and not page.locator("#current").is_visible()


def test_colors_have_contrast(browser, site):
    """The contrast of all texts in panels is at least 4.5, as WCAG AA asks for."""
    script = """() => {
        const channel = value => (value /= 255) <= .03928 ? value / 12.92 : ((value + .055) / 1.055) ** 2.4;
        const bright = ([r, g, b]) => .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b);
        const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
        const over = (colors) => {  // from the back to the front
            canvas.clearRect(0, 0, 1, 1);
            for (const color of colors) { canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); }
            return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
        };
        const worst = [];
        for (const element of document.querySelectorAll('h1,h2,p,label,button:enabled,a,mark,.chip,small,bdi,kbd,td,th')) {
            if (!element.checkVisibility() || !element.textContent.trim()) continue;
            const backs = [];
            for (let up = element; up; up = up.parentElement) backs.unshift(getComputedStyle(up).backgroundColor);
            const back = over(['white', ...backs]), front = over(['white', ...backs, getComputedStyle(element).color]);
            const [low, high] = [bright(back), bright(front)].sort((a, b) => a - b);
            worst.push([(high + .05) / (low + .05), element.tagName + '.' + element.className]);
        }
        return worst.sort((a, b) => a[0] - b[0])[0];
    }"""
    with web_servers.page_of(browser) as page:
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            opened(page, site)
            extract(page, TEXT)
            ratio, element = page.evaluate(script)
            assert ratio >= 4.5, (scheme, element)


def test_a_narrow_page_does_not_scroll_sideways(browser, site):
    with web_servers.page_of(browser, viewport={"width": 320, "height": 640}) as page:
        opened(page, site)
        extract(page, f"{TEXT} {'x' * 400} {CHINESE} {ARABIC}")
        assert page.evaluate("document.documentElement.scrollWidth") == 320


def test_everything_that_acts_has_a_name(page):
    extract(page, TEXT)
    script = """() => [...document.querySelectorAll('button,a,input,textarea')].filter(element => element.checkVisibility()
        && !(element.textContent.trim() || element.ariaLabel || element.labels?.length)).map(element => element.id)"""
    assert page.evaluate(script) == []
    tree = page.locator("main").aria_snapshot()
    assert 'textbox "Text"' in tree and 'complementary "Review"' in tree and 'button "Accept A"' in tree


def test_what_the_server_refuses_is_shown(browser, model):
    stuck = held(model)
    with served(stuck, timeout=0.2) as client, web_servers.page_of(browser, expected="504") as page:
        opened(page, str(client.base_url))
        page.fill("#text", TEXT)
        page.click("#extract")
        page.locator("#problems li").wait_for()
        assert "took more than 0.2 seconds" in page.locator("#problems li").inner_text()
        stuck.extractor.let.set()


def test_a_model_that_was_replaced_is_announced(browser, model):
    with served(replace(model, replacement="0" * 16)) as client, web_servers.page_of(browser) as page:
        opened(page, str(client.base_url))
        page.locator("#replaced:not(:empty)").wait_for()
        assert "have changed" in page.locator("#replaced").inner_text()


@pytest.mark.slow
def test_a_page_with_a_token_is_reached_by_signing_in(browser, model):
    with served(model, token="correct-horse-battery") as client, web_servers.page_of(browser, expected="401") as page:
        page.goto(str(client.base_url))
        page.fill("#token", "wrong")
        page.keyboard.press("Enter")
        page.locator("[role=alert]", has_text="not the token").wait_for()  # the form is sent, and the page loads again
        page.fill("#token", "correct-horse-battery")
        page.keyboard.press("Enter")
        page.locator("#facts:not(:empty)").wait_for()
        extract(page, TEXT)


def test_the_queue_has_what_the_thresholds_leave(browser, model):
    found = model.extractor(TEXT)
    person = next(finding for finding in found if finding.label == "person")
    amount = next(finding for finding in found if finding.label == "amount")
    extractor = copy.copy(model.extractor)
    extractor.calibration = Calibration(
        "",
        promises=(_promise("precision", "person", person.score), _promise("recall", "amount", amount.score + 0.0001)),
    )
    expected = [extractor.calibration.decide(each.field, each.label, each.score) for each in found]
    assert set(expected) == {"accepted", "review", "dropped"}
    with served(replace(model, extractor=extractor)) as client, web_servers.page_of(browser) as page:
        opened(page, str(client.base_url))
        extract(page, TEXT)
        rows = page.locator("#queue button")
        assert rows.count() == expected.count("review")
        counts = (expected.count("accepted"), expected.count("dropped"))
        noun = "finding" if counts[0] == 1 else "findings"
        assert f"{counts[0]} {noun} accepted, {counts[1]} dropped" in page.locator("#others").inner_text()
        assert page.locator("article mark.dropped").count() >= 1
        assert page.locator("article .current").count() >= 1
        page.check("#all")
        assert rows.count() == len(found)
        with page.expect_download() as waited:
            page.click("#download")
        record = json.loads(waited.value.path().read_text("utf-8"))
    assert record["drawn"] == "to_review"
    assert [finding["decision"] for finding in record["findings"]] == expected


def _promise(measure, label, threshold):
    return Promise(measure, 0.9, "names", label, threshold, 0.9, 10, 1.0, "dev")


@pytest.mark.slow
def test_attributes_are_shown(browser, encoder, tmp_path):
    settings = tiny.settings(encoder("bert"), "supervised", max_steps=40)
    electra_ie.train(asserted.data(), tmp_path / "run", fields=asserted.FIELDS, **settings)
    model = ServedModel.load(tmp_path / "run")
    documents = [electra_ie.Document("", each["text"]) for each in asserted.records(12, 9)]
    result = next(
        result for result in model.extractor.read(documents) if any(finding.attributes for finding in result.findings)
    )
    said = next(finding for finding in result.findings if finding.attributes)
    with served(model) as client, web_servers.page_of(browser) as page:
        answer = client.post("/extract", json={"text": result.document.text}).json()
        assert answer == json.loads(json.dumps(result.record()))
        opened(page, str(client.base_url))
        extract(page, result.document.text)
        tag = f"{said.label} {said.score:.2f} · {said.attributes[0].label} {said.attributes[0].score:.2f}"
        assert page.locator(f"article mark[data-tag='{tag}']").count() >= 1


def test_only_the_fragments_of_a_finding_are_marked(browser, encoder, made_once):
    model, text = ServedModel.load(leveled.trained(encoder, made_once)), leveled.records(1, 9)[0]["text"]
    (divided,) = (index for index, finding in enumerate(model.extractor(text)) if finding.fragments)
    with served(model) as client, web_servers.page_of(browser) as page:
        opened(page, str(client.base_url))
        extract(page, text)
        marks = page.eval_on_selector_all(
            f"article mark[data-span='{divided}']", "marks => marks.map(mark => mark.textContent)"
        )
    assert marks == [text[start:end] for start, end in model.extractor(text)[divided].fragments]


def test_relations_are_shown(browser, linked_run):
    model = ServedModel.load(linked_run)
    texts = [each["text"] for each in linked.records(12, 9)]
    text, relations = next(
        (text, result.relations)
        for text, result in zip(
            texts, model.extractor.read(electra_ie.Document("", text) for text in texts), strict=True
        )
        if result.relations
    )
    with served(model) as client, web_servers.page_of(browser) as page:
        opened(page, str(client.base_url))
        extract(page, text)
        rows = page.locator("table.relations tbody tr")
        assert rows.count() == len(relations)
        assert relations[0].head.text in rows.first.inner_text()

        def divide(route):
            """Answer with a head of two fragments: its first character and its last."""
            response = route.fetch()
            answer = response.json()
            head = answer["relations"][0]["head"]
            start, end = head["start"], head["end"]
            answer["relations"][0]["head"] = {**head, "fragments": [[start, start + 1], [end - 1, end]]}
            route.fulfill(response=response, json=answer)

        page.route("**/extract", divide)
        opened(page, str(client.base_url))
        extract(page, text)
        head = relations[0].head
        shown = f"{head.text[0]} {head.text[-1]} {head.label}, {head.start}–{head.start + 1}, {head.end - 1}–{head.end}"
        assert rows.first.locator("td").first.inner_text() == shown

        def add_field(route):
            """Answer with another field of relations."""
            response = route.fetch()
            info = response.json()
            other = next(field for field in info["fields"] if field["kind"] == "relations") | {"name": "other"}
            route.fulfill(response=response, json={**info, "fields": [*info["fields"], other]})

        page.route("**/info", add_field)
        opened(page, str(client.base_url))
        extract(page, text)
        assert rows.first.locator("td").first.inner_text() == relations[0].field


@pytest.mark.slow
def test_decisions_about_findings_that_need_none_are_downloaded(browser, model):
    found = model.extractor(TEXT)
    extractor = copy.copy(model.extractor)
    labels = {(each.field, each.label) for each in found}
    promises = tuple(replace(_promise("precision", label, 0.0), field=field) for field, label in labels)
    extractor.calibration = Calibration("", promises=promises)
    with served(replace(model, extractor=extractor)) as client, web_servers.page_of(browser) as page:
        opened(page, str(client.base_url))
        extract(page, TEXT)
        page.check("#all")
        page.locator("#queue button").first.click()
        page.click("#reject")
        with page.expect_download() as waited:
            page.click("#download")
        record = json.loads(waited.value.path().read_text("utf-8"))
        asked = []
        page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
        page.click("#undo")
        page.click("#clear")
    assert {each["decision"] for each in record["findings"]} == {"accepted"}
    assert [each["correct"] for each in record["findings"]].count(False) == 1
    assert len(asked) == 1, "what was undone is not in the file"
