"""Hints: lexicons and patterns that people already have for a label. They are weak evidence and are never trusted."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import regex

from electra_ie.common.errors import OnError, UserError
from electra_ie.common.scripts import UNSPACED, continues_word
from electra_ie.common.text_files import lines

PART = re.compile(rf"\s+|(?:(?!{UNSPACED.pattern})[^\W_])+|.", re.DOTALL)
"""A run of white space, a run of letters and digits of a script with blanks, or any other character."""
MAX_SECONDS = 2.0
"""The time limit for the search of a pattern in one text. Nested repetitions may take exponential time."""


@dataclass(frozen=True)
class Hint:
    r"""A lexicon or a regular expression whose matches in a text suggest a label.

    A hint has either `terms` or a `pattern`. A term matches whole words, ignoring case; white space in it matches any
    run of white space. A pattern has the syntax of `re`, and its matches, without empty ones, are those of
    `regex.finditer`, which has a time limit. They differ from those of `re` in that `\w` includes combining marks.

    Attributes:
        field: The name of the field.
        label: The label of that field.
        name: A name for reports, unique within a task: `COUNTRY: countries.txt`, `ACCOUNT: pattern`.
        terms: The terms of a lexicon.
        pattern: A regular expression of `re`.
        file: The file of the terms, relative to the folder of the data. Its hint in `Task.hints` has no terms;
            `Task.read_hints` returns it with them.
        task_file: The task.yaml that declares the hint, for error messages.
    """

    field: str
    label: str
    name: str
    terms: tuple[str, ...] = ()
    pattern: str = ""
    file: str = ""
    task_file: str = dataclasses.field(default="", compare=False)

    def find(self, text: str) -> list[tuple[int, int]]:
        """Return the matches in a text as character offsets (start, end), sorted and without overlaps.

        Of the terms that match from the same character on, the longest is returned, and the search continues after it.

        Raises:
            ValueError: The terms are in a file that has not been read.
            UserError: The search of the pattern takes longer than `MAX_SECONDS`.
        """
        if self.pattern:
            try:
                matches = [match.span() for match in self._regex.finditer(text, timeout=MAX_SECONDS)]
            except TimeoutError:
                message = (
                    f'the hint "{self.name}" takes more than {MAX_SECONDS:g} s on a text of {len(text):,} characters.'
                )
                remedy = "Remove nested repetitions such as (a+)+ from its pattern, or remove the hint."
                raise UserError(message, file=self.task_file or None, remedy=remedy) from None
            return [(start, end) for start, end in matches if end > start]
        if not self.terms:
            raise ValueError(f"the terms of the hint {self.name!r} have not been read; Task.read_hints() reads them")
        return self._lexicon.find(text)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of field, label, and terms or pattern; not of the name and the file."""
        content = json.dumps([self.field, self.label, self.terms, self.pattern])
        return hashlib.sha256(content.encode("ascii")).hexdigest()

    @cached_property
    def _regex(self) -> regex.Pattern[str]:
        return regex.compile(self.pattern)

    @cached_property
    def _lexicon(self) -> _Lexicon:
        return _Lexicon(self.terms)


def read_terms(path: Path, on_error: OnError) -> tuple[str, ...]:
    """Return the terms in a file, one a line, without white space at their edges and without repetitions.

    Lines that begin with `# ` are comments, as in files of the format conll.

    Args:
        path: The file.
        on_error: Called for each line that is blank or not UTF-8.

    Raises:
        UserError: The file cannot be read, or contains no term.
    """
    terms: dict[str, None] = {}
    count = 0
    for count, line in lines(path, on_error):
        if not (term := line.strip()):
            on_error(UserError("this line is blank.", file=path, line=count, remedy="Remove it, or write a term."))
        elif not line.startswith("# "):
            terms[term] = None
    if not terms:
        raise UserError("the file contains no term.", file=path, line=count or None, remedy="Write one term a line.")
    return tuple(terms)


class _Lexicon:
    """A set of terms as a trie over words, so that the time of a search does not depend on the number of terms."""

    def __init__(self, terms: Iterable[str]) -> None:
        # One flat dictionary of edges: nested ones would exceed the recursion limit of pickle for a long term.
        self.edges: dict[tuple[int, str], int] = {}
        self.ends: set[int] = set()
        for term in terms:
            node = 0
            for _, _, word in _words(term.strip()):
                node = self.edges.setdefault((node, word), len(self.edges) + 1)
            self.ends.add(node)

    def find(self, text: str) -> list[tuple[int, int]]:
        """Return the offsets of the terms in a text, the longest at each position, sorted and without overlaps."""
        words, edges, ends = list(_words(text)), self.edges, self.ends
        matches, index = [], 0
        while index < len(words):
            node, after, match_end = 0, index, index
            while after < len(words) and (child := edges.get((node, words[after][2]))) is not None:
                node, after = child, after + 1
                if node in ends:
                    match_end = after
            if match_end > index:
                matches.append((words[index][0], words[match_end - 1][1]))
            index = max(match_end, index + 1)
        return matches


def _words(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield the words of a text with start and end, case-folded; a run of white space is a word, written " ".

    Words are those of `scripts.continues_word`: other characters, such as punctuation, are words of their own.
    """
    start = end = 0
    for part in PART.finditer(text):
        # PART ends a word before a combining mark or a joiner, which belong to it: the boundary is checked here.
        if end and not continues_word(text, end):
            yield start, end, _key(text[start:end])
            start = end
        end = part.end()
    if end:
        yield start, end, _key(text[start:end])


def _key(word: str) -> str:
    return " " if word.isspace() else word.casefold()
