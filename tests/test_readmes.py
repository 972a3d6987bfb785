"""README.md and README.zh.md say the same: commands, outputs, numbers of tables, inline code."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from electra_ie.runs.layout import COMPARISON, CURVES, RUN_FILES, TRACKING
from electra_ie.runs.upload import run_path_field

ROOT = Path(__file__).parents[1]
ENGLISH, CHINESE = ((ROOT / name).read_text("utf-8") for name in ("README.md", "README.zh.md"))
BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"(^|\s+)#\s.*$", re.MULTILINE)
NUMBER = re.compile(r"\d[\d,.]*\d|\d")


def blocks(text: str) -> list[str]:
    """The fenced blocks, their language too, without comments."""
    return [COMMENT.sub("", block) for block in BLOCK.findall(text)]


def tables(text: str) -> list[list[list[str]]]:
    """The numbers of each row of each table, outside the blocks."""
    found = re.findall(r"(?:^\|.*\n)+", BLOCK.sub("", text), re.MULTILINE)
    return [[NUMBER.findall(row) for row in table.splitlines()] for table in found]


def code(text: str) -> Counter[str]:
    """What stands between backticks in the running text, white space made equal."""
    return Counter(" ".join(each.split()) for each in re.findall(r"`([^`]+)`", BLOCK.sub("", text)))


def test_the_blocks_are_the_same_but_for_their_comments():
    assert len(blocks(ENGLISH)) >= 9
    for english, chinese in zip(blocks(ENGLISH), blocks(CHINESE), strict=True):
        assert english == chinese


def test_the_tables_have_the_same_numbers():
    assert any(numbers for table in tables(ENGLISH) for numbers in table)
    assert tables(ENGLISH) == tables(CHINESE)


def test_commands_and_names_in_the_text_are_the_same():
    only = code(ENGLISH) - code(CHINESE), code(CHINESE) - code(ENGLISH)
    assert only == (Counter(), Counter()), "in README.md only, in README.zh.md only"


def test_sections_and_links_are_alike():
    def marks(text):
        return re.findall(r"^#+(?= )", BLOCK.sub("", text), re.MULTILINE)

    assert marks(ENGLISH) == marks(CHINESE)
    links = [re.findall(r"\]\(([^)]+)\)", text) for text in (ENGLISH, CHINESE)]
    assert [link.replace(".zh", "") for link in links[0]] == [link.replace(".zh", "") for link in links[1]]
    for link in links[0] + links[1]:
        assert (ROOT / link).is_file(), link


def test_the_numbers_of_the_text_are_the_same():
    numbers = [Counter(NUMBER.findall(BLOCK.sub("", text))) for text in (ENGLISH, CHINESE)]
    assert numbers[0] - numbers[1] == Counter(), "in README.md only"


def test_the_table_of_a_run_names_what_is_sent_and_in_its_last_line_what_is_not():
    _, _, *rows = re.search(r"^### .*\n\n((?:^\|.*\n)+)", ENGLISH[ENGLISH.index("### A run") :], re.MULTILINE)[
        1
    ].splitlines()
    *sent, last = [re.findall(r"`([^`]+)`", row.split("|")[1]) for row in rows]
    assert last == [f"{TRACKING}/", f"{COMPARISON}/"] and not [
        each for each in last if run_path_field(f"{each}config") is not None
    ]
    files = {name for names in sent for name in names}
    assert files == {*RUN_FILES, CURVES, "<field>/", "<split>_<field>.png"}
