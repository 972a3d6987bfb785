"""The scripts that texts are written in, by the Unicode property of their letters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import regex

from electra_ie.checks.counts import Splits
from electra_ie.checks.issues import Issue, Place, are, counted
from electra_ie.data.document import Document

SCRIPTS = (
    "Latin", "Greek", "Cyrillic", "Armenian", "Hebrew", "Arabic", "Syriac", "Devanagari", "Bengali", "Gurmukhi",
    "Gujarati", "Oriya", "Tamil", "Telugu", "Kannada", "Malayalam", "Sinhala", "Thai", "Lao", "Tibetan", "Myanmar",
    "Georgian", "Hangul", "Ethiopic", "Khmer", "Mongolian", "Hiragana", "Katakana", "Bopomofo", "Han",
)  # fmt: skip
"""The scripts that are counted separately, by their Unicode names. Letters of others are `other`."""
OTHER = "other"
PLACES = 20
"""Places that an issue lists."""
_SCRIPT = regex.compile("|".join(rf"(?P<{name}>\p{{Script={name}}})" for name in SCRIPTS))


@dataclass(frozen=True, slots=True)
class ScriptCount:
    """A script in a split: the share of the letters, and the documents of which it has more letters than others."""

    split: str
    script: str
    letters: int
    share: float
    documents: int


@cache
def script_of(letter: str) -> str:
    """Return the script of a letter."""
    match = _SCRIPT.match(letter)
    return match.lastgroup or OTHER if match else OTHER


def main_script(text: str) -> tuple[str, Counter[str]]:
    """Return the script with most letters in a text ("" without letters), and the count of letters of each script."""
    characters = Counter(text)
    scripts: Counter[str] = Counter()
    for character, count in characters.items():
        if character.isalpha():
            scripts[script_of(character)] += count
    return max(sorted(scripts), key=scripts.__getitem__, default=""), scripts


def count_scripts(splits: Splits) -> tuple[list[ScriptCount], list[Issue]]:
    """Return the scripts of each split, and an issue for each that is the main one of texts elsewhere than in train."""
    rows: list[ScriptCount] = []
    mains: dict[str, list[str]] = {}
    for split, documents in splits.items():
        letters: Counter[str] = Counter()
        mains[split] = []
        for document in documents:
            main, scripts = main_script(document.text)
            mains[split].append(main)
            letters.update(scripts)
        by_main = Counter(mains[split])
        for script, count in sorted(letters.items(), key=lambda item: (-item[1], item[0])):
            rows.append(ScriptCount(split, script, count, count / letters.total(), by_main[script]))
    return rows, list(_new_scripts(splits, mains))


def _new_scripts(splits: Splits, mains: dict[str, list[str]]) -> Iterator[Issue]:
    known = {*mains.get("train", ()), ""}
    for split, documents in splits.items():
        for script in sorted({*mains[split]} - known):
            found = [document for document, main in zip(documents, mains[split], strict=True) if main == script]
            yield _issue(split, script, found, len(documents))


def _issue(split: str, script: str, found: Sequence[Document], total: int) -> Issue:
    message = (
        f"{len(found):,} of {counted(total, 'document')} of {split} {are(len(found))} mostly in the script {script}; "
        "no document of train is."
    )
    severity = "note" if split == "pool" else "warning"
    places = [Place.of(split, document) for document in found[:PLACES]]
    return Issue("new_scripts", severity, message, len(found), total, places, split)
