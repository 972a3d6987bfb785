"""README.md is short, and README.zh.md mirrors it: commands, outputs, numbers, inline code, links."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from pathlib import Path

from electra_ie.runs.layout import COMPARISON, CURVES, RUN_FILES, TRACKING
from electra_ie.runs.upload import run_path_field

ROOT = Path(__file__).parents[1]
ENGLISH, CHINESE, TRAINING = (
    (ROOT / name).read_text("utf-8") for name in ("README.md", "README.zh.md", "docs/training.md")
)
BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"(^|\s+)#\s.*$", re.MULTILINE)
NUMBER = re.compile(r"\d[\d,.]*\d|\d")


def blocks(text: str) -> list[str]:
    """Return the fenced blocks, with their language and without comments."""
    return [COMMENT.sub("", block) for block in BLOCK.findall(text)]


def tables(text: str) -> list[list[list[str]]]:
    """Return the numbers of each row of each table outside the blocks."""
    matches = re.findall(r"(?:^\|.*\n)+", BLOCK.sub("", text), re.MULTILINE)
    return [[NUMBER.findall(row) for row in table.splitlines()] for table in matches]


def code(text: str) -> Counter[str]:
    """Return the inline code of the running text, white space normalized."""
    return Counter(" ".join(match.split()) for match in re.findall(r"`([^`]+)`", BLOCK.sub("", text)))


def test_the_readme_is_short():
    assert len(ENGLISH.splitlines()) <= 150
    assert len(CHINESE.splitlines()) <= 150


def test_the_blocks_are_the_same_but_for_their_comments():
    assert len(blocks(ENGLISH)) >= 7
    for english, chinese in zip(blocks(ENGLISH), blocks(CHINESE), strict=True):
        assert english == chinese


def test_the_tables_have_the_same_numbers():
    assert any(numbers for table in tables(ENGLISH) for numbers in table)
    assert tables(ENGLISH) == tables(CHINESE)


def test_commands_and_names_in_the_text_are_the_same():
    only = code(ENGLISH) - code(CHINESE), code(CHINESE) - code(ENGLISH)
    assert only == (Counter(), Counter()), "in README.md only, in README.zh.md only"


def test_the_text_sums_up_the_table_of_scores():
    rows = re.findall(r"^\| `.*\| ([+-][\d.]+) \| ([+-][\d.]+) to .*$", ENGLISH, re.MULTILINE)
    gains = [float(gain) for gain, _ in rows]
    sure = sum(float(low) > 0 for _, low in rows)
    expected = f"{statistics.mean(gains):+.1f} points (smallest {min(gains):+.1f}), and {sure} of {len(rows)} intervals"
    assert f"the mean gain over `supervised` is {expected} exclude 0" in " ".join(ENGLISH.split())


def test_sections_and_links_are_alike():
    def headings(text):
        return re.findall(r"^#+(?= )", BLOCK.sub("", text), re.MULTILINE)

    assert headings(ENGLISH) == headings(CHINESE)
    links = [re.findall(r"\]\(([^)]+)\)", text) for text in (ENGLISH, CHINESE)]
    assert [link.replace(".zh", "") for link in links[0]] == [link.replace(".zh", "") for link in links[1]]
    for link in links[0] + links[1]:
        assert (ROOT / link.partition("#")[0]).is_file(), link


def test_the_numbers_of_the_text_are_the_same():
    english, chinese = (Counter(NUMBER.findall(BLOCK.sub("", text))) for text in (ENGLISH, CHINESE))
    assert english - chinese == Counter(), "in README.md only"


def test_the_table_of_a_run_names_what_is_sent_and_in_its_last_line_what_is_not():
    section = TRAINING[TRAINING.index("## Contents of a run") :]
    _, _, *rows = re.search(r"((?:^\|.*\n)+)", section, re.MULTILINE)[1].splitlines()
    *sent, last = [re.findall(r"`([^`]+)`", row.split("|")[1]) for row in rows]
    assert last == [f"{TRACKING}/", f"{COMPARISON}/"]
    assert all(run_path_field(f"{folder}config") is None for folder in last)
    files = {name for names in sent for name in names}
    assert files == {*RUN_FILES, CURVES, "<field>/", "<split>_<field>.png"}
