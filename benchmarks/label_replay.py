"""How many keys a person presses to label a text on the page of `electra-ie label`, with suggestions and without.

    python benchmarks/label_replay.py            # trains on 60 labels, replays, writes results/label_replay.json
    python benchmarks/label_replay.py --table    # prints the table of docs/labeling.md

The gold annotations of 60 texts of transaction_risk, which the run has not seen, are entered in Chromium by keyboard
alone, as a person who makes no mistake would: with suggestions, wrong ones are rejected or get another label, what is
missing is marked, and the rest is accepted with one key. A combination of keys counts as one. The seconds are those of
the page and the server, from a text to the next one: nobody reads or thinks. What is saved is compared with the gold at
the end.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

TASK, TEXTS, LABELS, SEED = "transaction_risk", 60, 60, 0
RESULTS = Path(__file__).parent / "results" / "label_replay.json"
YAML = """\
description: Payments to label.
format: jsonl
files: {{train: train.jsonl, unlabeled: unlabeled.jsonl}}
fields:
  flags: {{kind: flags, labels: [{flags}]}}
  entities: {{kind: spans, labels: [{entities}]}}
"""
WORDS = """async text => {
    const {wordsOf} = await import('/static/words.js'), {CodePoints} = await import('/static/text.js');
    return wordsOf(new CodePoints(text));
}"""
JUMP = 5
"""Words that Ctrl and an arrow key go on."""


class Keyboard:
    """A person at the page who presses keys, counted by what they do."""

    def __init__(self, page: Any, fields: dict[str, Any]) -> None:
        self.page, self.count = page, 0
        letters = iter("qwety")
        self.keys = {label: next(letters) for label in fields["flags"].labels}
        self.keys |= {label: str(number) for number, label in enumerate(fields["entities"].labels, start=1)}

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)
        self.count += 1

    def label(self, gold: dict[str, Any], found: dict[str, Any], words: list[dict[str, int]]) -> None:
        """Enter the gold of a text, in which `found` is suggested, and save."""
        spans = {(each["start"], each["end"]): each["label"] for each in gold["entities"]}
        ticked = set(gold["flags"])
        items = [("span", each) for each in found.get("entities", [])] + [
            ("flag", each) for each in found.get("flags", [])
        ]
        wrong = [not right(kind, each, spans, ticked) for kind, each in items]
        for (kind, each), is_wrong in zip(items[: last(wrong) + 1], wrong, strict=False):
            other = spans.get((each["start"], each["end"])) if kind == "span" else None
            if not is_wrong:
                self.press("Enter")
            elif other:
                self.press(self.keys[other])
                self.press("ArrowDown")
            else:
                self.press("Delete")
        suggested = {(each["start"], each["end"]) for kind, each in items if kind == "span"}
        self.mark([(*span, label) for span, label in sorted(spans.items()) if span not in suggested], words)
        for flag in ticked - {each["label"] for kind, each in items if kind == "flag"}:
            self.press(self.keys[flag])
        self.press("Shift+Enter")

    def mark(self, spans: list[tuple[int, int, str]], words: list[dict[str, int]]) -> None:
        """Mark passages in the order of the text."""
        if spans:
            self.press("Home")
        at = 0
        for start, end, label in spans:
            inside = [place for place, word in enumerate(words) if word["start"] < end and start < word["end"]]
            at = self.go(at, inside[0], "")
            at = self.go(at, inside[-1], "Shift+")
            for _ in range(start - words[inside[0]]["start"]):
                self.press("Alt+ArrowRight")
            for _ in range(words[inside[-1]]["end"] - end):
                self.press("Shift+Alt+ArrowLeft")
            self.press(self.keys[label])

    def go(self, at: int, to: int, extend: str) -> int:
        while to - at >= JUMP:
            self.press(f"{extend}Control+ArrowRight")
            at += JUMP
        for _ in range(to - at):
            self.press(f"{extend}ArrowRight")
        return to


def right(kind: str, each: dict[str, Any], spans: dict[tuple[int, int], str], ticked: set[str]) -> bool:
    return each["label"] in ticked if kind == "flag" else spans.get((each["start"], each["end"])) == each["label"]


def last(wrong: list[bool]) -> int:
    """Return the index of the last suggestion that is wrong, -1 if all are right."""
    return max((index for index, is_wrong in enumerate(wrong) if is_wrong), default=-1)


def replay(records: list[dict[str, Any]], run: Path | None, folder: Path) -> dict[str, Any]:
    """Label the texts on the page, and return the keys and seconds of each."""
    from web_servers import chromium, page_of, serving

    from electra_ie.data.task import Task
    from electra_ie.labeling import text_order
    from electra_ie.labeling.server import build_app
    from electra_ie.labeling.session import Options, Session
    from electra_ie.web.access import Access

    fields = {field.name: field for field in Task.load(TASK).fields}
    folder.mkdir(parents=True)
    listed = {name: ", ".join(field.labels) for name, field in fields.items()}
    (folder / "task.yaml").write_text(YAML.format(**listed), "utf-8")
    texts = [json.dumps({"id": each["id"], "text": each["text"]}) + "\n" for each in records]
    (folder / "unlabeled.jsonl").write_text("".join(texts), "utf-8")
    text_order.FEW = 0  # the order is that of the seed, the same with suggestions and without
    session = Session(Task.load(folder), Options(run=run))
    if session.loading:
        session.loading.result()
    gold = {each["text"]: each for each in records}
    keys, seconds, counts = [], [], {"right": 0, "wrong": 0, "missing": 0}
    with serving(build_app(session, Access())) as address, chromium() as browser, page_of(browser) as page:
        page.goto(address)
        for _ in records:
            page.wait_for_selector("#pane[data-ready]")
            shown = page.request.get(f"{address}/api/next").json()["text"]
            page.wait_for_selector(f"#pane[data-ready='{shown['key']}']")
            found = page.request.get(f"{address}/api/texts/{shown['key']}/suggestions").json()["suggestions"]
            places = {label: place for place, label in enumerate(fields["flags"].labels)}
            found = {
                name: sorted(each, key=lambda item: item.get("start", places.get(item["label"])))
                for name, each in found.items()
            }
            tally(counts, gold[shown["text"]], found)
            words = page.evaluate(WORDS, shown["text"])
            person, began = Keyboard(page, fields), time.perf_counter()
            with page.expect_response(
                lambda answer: answer.request.method == "PUT" and not answer.url.endswith("draft")
            ):
                person.label(gold[shown["text"]], found, words)
            page.wait_for_selector(f"#done:not([hidden]), #id:not(:has-text('{shown['id']}'))")
            keys.append(person.count)
            seconds.append(time.perf_counter() - began)
    saved = [json.loads(line) for line in (folder / "train.jsonl").read_text("utf-8").splitlines()]
    assert len(saved) == len(records)
    for each in saved:
        assert spans_of(each) == spans_of(gold[each["text"]]), each["id"]
        assert set(each["flags"]) == set(gold[each["text"]]["flags"]), each["id"]
    return {"keys": keys, "seconds": [round(each, 3) for each in seconds], "suggestions": counts}


def is_save(answer: Any) -> bool:
    return answer.request.method == "PUT" and not answer.url.endswith("draft")


def spans_of(record: dict[str, Any]) -> list[tuple[int, int, str]]:
    return sorted((each["start"], each["end"], each["label"]) for each in record["entities"])


def tally(counts: dict[str, int], gold: dict[str, Any], found: dict[str, Any]) -> None:
    """Count the spans and flags that are suggested rightly, wrongly, or not."""
    expected = {*spans_of(gold), *gold["flags"]}
    suggested = {
        *spans_of({"entities": found.get("entities", [])}),
        *(each["label"] for each in found.get("flags", [])),
    }
    counts["right"] += len(expected & suggested)
    counts["wrong"] += len(suggested - expected)
    counts["missing"] += len(expected - suggested)


def train(folder: Path) -> None:
    command = ["train", TASK, "--label-budget", str(LABELS), "--seed", str(SEED), "--output", str(folder)]
    subprocess.run([sys.executable, "-m", "electra_ie", *command], check=True)


def measure(run: Path | None) -> dict[str, Any]:
    from electra_ie.common.hashing import package_version
    from electra_ie.data.task import Task
    from electra_ie.runs.layout import read_scores

    file = Task.load(TASK).folder / "test.jsonl"
    records = [json.loads(line) for line in file.read_text("utf-8").splitlines()[:TEXTS]]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if run is None:
            run = folder / "run"
            train(run)
        scores = read_scores(run)
        labels = scores["training"]["labeled"]["documents"]
        dev = {name: score[score["main"]] for name, score in scores["dev"].items()}
        done = {"with": replay(records, run, folder / "with"), "without": replay(records, None, folder / "without")}
    spans, flags = (sum(len(each[name]) for each in records) for name in ("entities", "flags"))
    facts = {"task": TASK, "texts": TEXTS, "labels": labels, "spans": spans, "flags": flags, "dev": dev}
    return {**facts, "version": package_version(), **done}


def table() -> str:
    """Return the table of docs/labeling.md."""
    result = json.loads(RESULTS.read_text("utf-8"))
    head = "| | keys a text, mean | median | most | page, seconds a text, mean |"
    rows = [head, "| --- | ---: | ---: | ---: | ---: |"]
    titles = {"without": "without suggestions", "with": f"with those of a run on {result['labels']} labels"}
    for name, title in titles.items():
        keys, seconds = result[name]["keys"], result[name]["seconds"]
        median = statistics.median(keys)
        rows.append(
            f"| {title} | {statistics.mean(keys):.1f} | {median:g} | {max(keys)} | {statistics.mean(seconds):.2f} |"
        )
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--run", type=Path, help="a run on labels of the split train, instead of training one")
    arguments = parser.parse_args()
    if not arguments.table:
        RESULTS.write_text(json.dumps(measure(arguments.run), indent=1, sort_keys=True) + "\n", "utf-8")
    print(table())


if __name__ == "__main__":
    main()
