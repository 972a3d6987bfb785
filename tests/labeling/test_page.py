"""The page of `electra-ie label` in a browser: by mouse and by keyboard alone, in all scripts, and what is never lost."""

from __future__ import annotations

import errno
import json
import os
import time
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest
from test_api import unordered  # noqa: F401 (a fixture of all tests)
from test_store import answer, lines, new_task
from web_servers import page_of, serving

from electra_ie.data.task import Task
from electra_ie.labeling.record_files import key_of
from electra_ie.labeling.server import build_app
from electra_ie.labeling.session import Options, Session
from electra_ie.web.access import Access

YAML = """\
description: Payments.
format: jsonl
files: {train: train.jsonl, unlabeled: pool.jsonl}
fields:
  names: {kind: spans, labels: [PAYER, AMOUNT]}
  risks: {kind: flags, labels: [late, cash]}
  topic: {kind: classes, labels: [trade, travel]}
  links: {kind: relations, labels: [pays, gets], between: [[PAYER, AMOUNT]]}
"""
ENGLISH = "ACME Ltd paid EUR 9,800.00 for steel."
EMOJI = "👩‍👩‍👧👍🏽 Zoë paid 𠀀 5"
ARABIC = "دفع أحمد 500 ريال"
CHINESE = "张三付款9,800元。"


class Suggests:
    """A suggester in place of a model."""

    def __init__(self, found):
        self.found = found

    def __call__(self, key, seconds):
        return self.found.get(key, {})


@contextmanager
def labeling(folder: Path, texts, suggestions=None, **options):
    """Serve the page of a task with these texts, in this order, and yield its address and session."""
    if not folder.exists():
        new_task(folder, YAML, train=None)
        (folder / "pool.jsonl").write_text(
            "".join(json.dumps({"id": str(n), "text": t}) + "\n" for n, t in enumerate(texts)), "utf-8"
        )
    session = Session(Task.load(folder), Options(**options))
    order = {key_of(text): place for place, text in enumerate(texts)}
    session.order.place = lambda key: order[key]
    if suggestions is not None:
        session.suggest = Suggests({key_of(text): found for text, found in suggestions.items()})
    with serving(build_app(session, Access())) as address:
        yield address, session


@contextmanager
def opened(browser, address, expected=None, **settings):
    with page_of(browser, expected, **settings) as page:
        page.goto(address)
        page.wait_for_selector("#pane:not(:empty), #done:not([hidden])")
        page.wait_for_selector("#pane[data-ready], #done:not([hidden])")
        yield page


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def until(page, selector, text):
    """Wait for a text in an element."""
    page.wait_for_selector(f"{selector}:has-text({json.dumps(text)})", state="attached")


def is_save(request):
    return request.method == "PUT" and not request.url.endswith("/draft")


def save(page, key="Enter"):
    from playwright.sync_api import TimeoutError as NoRequest

    for seconds in (1, 3, 30):  # a key is ignored while the page still loads what it shows
        try:
            with page.expect_request(is_save, timeout=1000 * seconds) as asked:
                page.keyboard.press(key)
            break
        except NoRequest:
            assert seconds < 30, "the key did not save"
    answer = asked.value.response()
    assert answer.status == 200, answer.text()
    until(page, "#status", "Saved")


def saved(folder, text):
    (record,) = [each for each in lines(folder) if each["text"] == text]
    spans = [(each["label"], text[each["start"] : each["end"]]) for each in record["names"]]
    assert all(each["text"] == text[each["start"] : each["end"]] for each in record["names"]), "code points"
    return {**record, "names": spans}


def test_everything_by_keyboard_alone(browser, tmp_path):
    folder = tmp_path / "t"
    with labeling(folder, [ENGLISH, "next"]) as (address, _), opened(browser, address) as page:
        assert page.evaluate("document.activeElement.id") == "pane"
        press(page, "Shift+ArrowRight", "1")  # ACME Ltd
        press(page, "ArrowRight", "ArrowRight", "Shift+ArrowRight", "2")  # EUR 9,800.00
        # From "ACME" to "for" in one step; "te" of "steel" by characters.
        press(
            page,
            "Home",
            "Control+ArrowRight",
            "ArrowRight",
            "Alt+ArrowRight",
            "Shift+Alt+ArrowLeft",
            "Shift+Alt+ArrowLeft",
            "1",
        )
        press(page, "q", "t")  # the flag late, the class travel: letters in the order of the fields
        press(page, "e")  # the class trade in its place
        press(page, "Escape", "r", "Enter", "Enter", "1")
        press(page, "?")
        assert page.locator("#help").is_visible()
        press(page, "Escape")
        save(page)
        assert page.locator("#pane").text_content() == "next"
    found = saved(folder, ENGLISH)
    assert found["names"] == [("PAYER", "ACME Ltd"), ("AMOUNT", "EUR 9,800.00"), ("PAYER", "te")]
    assert (found["risks"], found["topic"]) == (["late"], "trade")
    assert [(each["head"]["label"], each["label"], each["tail"]["label"]) for each in found["links"]] == [
        ("PAYER", "pays", "AMOUNT")
    ]


@pytest.mark.slow
def test_everything_by_mouse(browser, tmp_path):
    folder = tmp_path / "t"
    with labeling(folder, [ENGLISH, "next"]) as (address, _), opened(browser, address) as page:
        drag(page, 6, 14)  # from "td" of Ltd to "p" of paid
        page.get_by_role("button", name="PAYER").first.click()
        drag(page, 18, 21, modifiers=["Alt"])
        page.locator(".label", has_text="AMOUNT").click()
        page.locator(".label", has_text="cash").click()
        page.locator(".label", has_text="travel").click()
        assert page.locator(".label[aria-pressed=true]").all_text_contents() == ["cashw", "travelt"]
        page.locator(".mark", has_text="Ltd").click()
        page.keyboard.press("Delete")
        page.locator("#undo").click()
        page.locator("#save").click()
        until(page, "#pane", "next")
    found = saved(folder, ENGLISH)
    assert found["names"] == [("PAYER", "Ltd paid"), ("AMOUNT", ENGLISH[18:21])]
    assert (found["risks"], found["topic"]) == (["cash"], "travel")


def drag(page, start, end, modifiers=()):
    """Select characters (UTF-16 units) of the text with the mouse."""
    box = page.evaluate(
        """([start, end]) => {
            const walker = document.createTreeWalker(document.getElementById('pane'), NodeFilter.SHOW_TEXT);
            const at = unit => { walker.currentNode = document.getElementById('pane'); let rest = unit;
                for (let node; (node = walker.nextNode()); rest -= node.length) if (rest <= node.length) return [node, rest]; };
            const range = document.createRange();
            range.setStart(...at(start)); range.setEnd(...at(end));
            const {left, right, top, bottom} = range.getBoundingClientRect();
            return [left, right, (top + bottom) / 2];
        }""",
        [start, end],
    )
    for key in modifiers:
        page.keyboard.down(key)
    page.mouse.move(box[0] + 1, box[2])
    page.mouse.down()
    page.mouse.move(box[1] - 1, box[2], steps=4)
    page.mouse.up()
    for key in modifiers:
        page.keyboard.up(key)


@pytest.mark.parametrize(
    ("text", "keys", "names"),
    [
        (
            EMOJI,
            ["ArrowRight", "ArrowRight", "1", "End", "Shift+ArrowLeft", "2"],
            [("PAYER", "Zoë"), ("AMOUNT", "𠀀 5")],
        ),
        # The text runs from right to left, and so do the keys.
        (ARABIC, ["ArrowLeft", "1", "ArrowLeft", "Shift+ArrowLeft", "2"], [("PAYER", "أحمد"), ("AMOUNT", "500 ريال")]),
        (
            CHINESE,
            ["Shift+ArrowRight", "1", *["ArrowRight"] * 3, "Shift+ArrowRight", "2"],
            [("PAYER", "张三"), ("AMOUNT", "9,800元")],
        ),
    ],
    ids=["emoji", "arabic", "chinese"],
)
def test_offsets_are_code_points_in_every_script(browser, tmp_path, text, keys, names):
    folder = tmp_path / "t"
    with labeling(folder, [text, "next"]) as (address, _), opened(browser, address) as page:
        press(page, *keys)
        save(page)
    assert saved(folder, text)["names"] == names


SUGGESTED = {
    "names": [{"start": 0, "end": 8, "label": "PAYER", "score": 0.97}, {"start": 14, "end": 17, "label": "AMOUNT", "score": 0.51}],
    "risks": [{"label": "late", "score": 0.8}],
    "topic": {"label": "travel", "score": 0.6},
    "links": [{"head": {"start": 0, "end": 8, "label": "PAYER"}, "tail": {"start": 14, "end": 17, "label": "AMOUNT"}, "label": "pays", "score": 0.4}],
}  # fmt: skip


def test_suggestions_are_accepted_rejected_or_corrected(browser, tmp_path):
    folder = tmp_path / "t"
    with labeling(folder, [ENGLISH, "next"], {ENGLISH: SUGGESTED}) as (address, _), opened(browser, address) as page:
        assert page.locator("#pane mark.suggested").count() == 2
        assert page.locator(".label[aria-pressed=mixed]").all_text_contents() == [
            "PAYER0.97?1",
            "late0.80?q",
            "travel0.60?t",
        ]
        press(page, "Enter")  # ACME Ltd
        assert page.locator("#pane mark.suggested").count() == 1
        press(page, "Delete")  # EUR, and the relation with it
        assert page.locator("#pane mark").count() == 1 and page.locator(".mark", has_text="pays").count() == 0
        press(page, "Delete", "Enter", "z", "e")  # late rejected, travel accepted and taken back, trade instead
        assert page.locator(".label[aria-pressed=true]").all_text_contents() == ["tradee"]
        save(page)
    found = saved(folder, ENGLISH)
    assert (found["names"], found["risks"], found["topic"], found["links"]) == (
        [("PAYER", "ACME Ltd")],
        [],
        "trade",
        [],
    )


def test_accepting_all_is_one_key(browser, tmp_path):
    folder = tmp_path / "t"
    with labeling(folder, [ENGLISH, "next"], {ENGLISH: SUGGESTED}) as (address, _), opened(browser, address) as page:
        save(page, "Shift+Enter")
        press(page, "z")  # of the save
        until(page, "#pane", "ACME")
        assert page.locator("#pane mark.suggested").count() == 0 and page.locator("#pane mark").count() == 2
        assert lines(folder) == []
        save(page)
    found = saved(folder, ENGLISH)
    assert (found["risks"], found["topic"], len(found["names"]), len(found["links"])) == (["late"], "travel", 2, 1)


@pytest.mark.slow
def test_what_is_marked_survives_a_reload_and_a_restart(browser, tmp_path):
    folder = tmp_path / "t"
    with labeling(folder, [ENGLISH, "next"], {ENGLISH: SUGGESTED}) as (address, _), opened(browser, address) as page:
        with page.expect_response("**/draft"):
            press(page, "Delete", "w")  # ACME Ltd rejected, cash ticked
        page.reload()
        page.wait_for_selector("#pane mark.suggested")
        assert page.locator(".label[aria-pressed=true]").all_text_contents() == ["cashw"]
        assert page.locator("#pane mark").all_text_contents() == ["EUR"], "what was rejected does not come back"
        with page.expect_response("**/draft"):
            press(page, "q")
    with labeling(folder, [ENGLISH, "next"], {}) as (address, _), opened(browser, address) as page:
        assert page.locator(".label[aria-pressed=true]").all_text_contents() == ["lateq", "cashw"]


@pytest.mark.slow
def test_a_draft_that_is_being_kept_does_not_outlive_its_save(browser, tmp_path):
    with labeling(tmp_path / "t", [ENGLISH, "next"]) as (address, session), opened(browser, address) as page:
        keep, kept = session.keep_draft, Event()

        def slow(*values):
            time.sleep(0.5)
            keep(*values)
            kept.set()

        session.keep_draft = slow
        with page.expect_request("**/draft"):
            press(page, "1")
        save(page)
        assert kept.wait(30) and session.drafts.get(key_of(ENGLISH)) is None


@pytest.mark.slow
def test_two_browsers_on_one_task(browser, tmp_path):
    folder = tmp_path / "t"
    with (
        labeling(folder, [ENGLISH, "next"]) as (address, _),
        opened(browser, address) as one,
        opened(browser, address, expected="409") as two,
    ):
        press(one, "1")
        save(one)
        press(two, "2", "Enter")
        two.wait_for_selector("#ways:not([hidden])")
        assert "was saved in another window" in two.locator("#alert").text_content()
        assert saved(folder, ENGLISH)["names"] == [("PAYER", "ACME")]
        assert two.locator("#pane mark").all_text_contents() == ["ACME"], "what was marked is still there"
        two.get_by_role("button", name="Keep mine").click()
        two.wait_for_selector("#ways", state="hidden")
        two.locator("#pane").focus()
        save(two)
    assert saved(folder, ENGLISH)["names"] == [("AMOUNT", "ACME")]


@pytest.mark.slow
def test_a_task_that_changes_and_a_full_disk(browser, tmp_path, monkeypatch):
    folder = tmp_path / "t"
    with (
        labeling(folder, [ENGLISH, "next"]) as (address, _),
        opened(browser, address, expected="the server responded") as page,
    ):
        with monkeypatch.context() as patch:

            def full(*_):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

            patch.setattr(os, "fsync", full)
            press(page, "1")
            until(page, "#alert", "disk is full")
            press(page, "Enter")
            page.wait_for_timeout(300)
            assert page.locator("#pane mark").all_text_contents() == ["ACME"] and lines(folder) == []
        (folder / "task.yaml").write_text(YAML.replace("[late, cash]", "[late, cash, new]"), "utf-8")
        press(page, "Enter")
        page.get_by_role("button", name="Reload the page").click()
        page.wait_for_selector(".label:has-text('new')")
        assert page.locator("#pane mark").all_text_contents() == ["ACME"]
        press(page, "e")
        save(page)
    assert saved(folder, ENGLISH)["risks"] == ["new"]


@pytest.mark.slow
def test_the_end_the_lists_and_settling(browser, tmp_path):
    folder = tmp_path / "t"
    with labeling(folder, [ENGLISH, "next"], annotator="ann") as (address, _), opened(browser, address) as page:
        press(page, "1")
        save(page)
        with page.expect_response("**/skip"):
            press(page, "x")
        page.wait_for_selector("#done:not([hidden])")
        page.locator("#again").click()
        until(page, "#pane", "next")
        save(page)
        page.locator("#recent summary").click()
        page.locator("#recent-list button").nth(1).click()
        until(page, "#pane", "ACME")
        assert "saved before" in page.locator("#facts").text_content()
    with labeling(folder, [ENGLISH, "next"], annotator="bob") as (address, _), opened(browser, address) as page:
        assert page.locator("#pane mark").count() == 0, "one annotator does not see what another has marked"
        press(page, "2")
        save(page)
        page.locator("#agreement summary").click()
        page.locator("#agreement-body button").click()
        page.wait_for_selector("#others:not([hidden])")
        page.get_by_role("button", name="Take that of ann").click()
        page.locator("#pane").focus()
        save(page)
    assert saved(folder, ENGLISH)["names"] == [("PAYER", "ACME")]


def test_training_and_the_curve_on_the_page(browser, tmp_path):
    with labeling(tmp_path / "t", [ENGLISH]) as (address, session):
        from electra_ie.labeling.retraining import Point, Progress

        session.training.curve = lambda: [
            Point("001", 20, 8, 0.5, {"names": 0.5}), Point("002", 40, 12, 0.75, {"names": 0.75}),
        ]  # fmt: skip
        session.training.progress = lambda: Progress("running", "003", 30, 100, 0.7)
        with opened(browser, address) as page:
            page.wait_for_selector("svg.curve")
            assert "20 labels: 50.0\N{NO-BREAK SPACE}%; 40 labels: 75.0\N{NO-BREAK SPACE}%" in page.locator(
                "svg.curve"
            ).get_attribute("aria-label")
            assert page.locator("#training").get_attribute("value") == "0.3" and page.locator("#stop").is_visible()
            assert (
                page.locator("#training-text").text_content()
                == "training run 003: step 30 of 100, dev 70.0\N{NO-BREAK SPACE}%"
            )
            session.training.progress = lambda: Progress("failed", "003", message="no memory <b>")
            until(page, "#training-text", "no memory <b>")
            assert page.locator("#train").is_visible()


def test_nothing_of_a_text_is_markup_and_everything_has_a_name(browser, tmp_path):
    text = "<img src=x onerror=alert(1)> & \u202e </mark> end"
    with labeling(tmp_path / "t", [text]) as (address, _), opened(browser, address) as page:
        press(page, "Shift+End", "1")
        assert page.locator("#pane").text_content() == text
        assert page.locator("#pane img").count() == 0
        nameless = page.evaluate(
            """() => [...document.querySelectorAll('button, input, progress, [role=application], dialog')].filter(
                each => !(each.textContent.trim() || each.getAttribute('aria-label') || each.labels?.length
                    || each.getAttribute('aria-labelledby'))).map(each => each.outerHTML)"""
        )
        assert nameless == []
        assert page.locator("#status[role=status]").count() == 1
        for width in (360, 700, 1400):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"wider than {width}"


def test_the_link_to_the_text_is_seen_when_it_is_focused(browser, tmp_path):
    with labeling(tmp_path / "task", [ENGLISH]) as (address, _), opened(browser, address) as page:
        link = page.locator(".skip")
        assert link.bounding_box()["width"] <= 1
        link.focus()
        assert link.bounding_box()["width"] > 50
        press(page, "Enter")
        assert page.evaluate("location.hash") == "#pane"


def test_many_labels_are_found_by_name(browser, tmp_path):
    folder = tmp_path / "t"
    names = ", ".join(f"label{number}" for number in range(60))
    new_task(
        folder,
        f"format: jsonl\nfiles: {{train: train.jsonl, unlabeled: pool.jsonl}}\nfields:\n  kind: {{kind: classes, labels: [{names}]}}\n",
        None,
    )
    texts = [json.loads(line)["text"] for line in (folder / "pool.jsonl").read_text("utf-8").splitlines()]
    with labeling(folder, texts) as (address, _), opened(browser, address) as page:
        press(page, "/")
        page.keyboard.type("label57")
        press(page, "Enter")
        save(page)
    assert lines(folder)[0]["kind"] == "label57"
    assert answer()


def test_suggested_relations_of_spans_that_were_left_out_do_not_stop_the_save(browser, tmp_path):
    payer, amount = {"start": 0, "end": 8, "label": "PAYER"}, {"start": 5, "end": 13, "label": "AMOUNT"}
    found = {"names": [payer, amount], "links": [{"head": payer, "tail": amount, "label": "pays"}]}
    folder = tmp_path / "t"
    with labeling(folder, [ENGLISH], {ENGLISH: found}) as (address, _), opened(browser, address) as page:
        page.wait_for_selector("#pane mark.suggested")
        save(page, "Shift+Enter")
    record = saved(folder, ENGLISH)
    assert (len(record["names"]), record["links"]) == (1, [])
