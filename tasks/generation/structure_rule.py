"""A rule that reads the facts of a payment record from its text: what a careful reader can know of the flags.

It knows the templates, and nothing of the generator's random state or of the labels. Each sentence is recognized by the
template whose fixed words cover most of it. A sentence of `yes` or `whole_yes` is evidence; so is a claim that proved
true or an excuse that proved untrue; the sentences of `facts` are evidence by what they state: who does what, negations,
and numbers compared with each other. A record has the flags for which it contains evidence.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tasks.generation import transaction_names as names
from tasks.generation.grammar import alternatives, closing, is_statement, unmarked
from tasks.generation.transaction_phrases import STORIES
from tasks.generation.transaction_phrases.shared import FILLERS, OPENINGS, VERDICTS

ANYTHING, NAME, LIST = r"[^\n]{1,45}?", r"[^\n]{5,60}?", r"[^\n]{1,110}?"
ONE_SUM = r"(?:(?!, | and | & )[^\n]){1,45}?"
SLOTS = {
    **dict.fromkeys(("limit", "credit", "passed", "unit", "market", "quantity", "loaded"), ONE_SUM),
    **dict.fromkeys(("sharea", "shareb", "billed", "worked"), r"\d+"),
    **dict.fromkeys(("this", "that", "again", "party", "holder", "ownera", "ownerb", "listed"), NAME),
    "parts": LIST,
}
"""Patterns of the content of slots, where it is not `ANYTHING`: one number in which no list is read, or a whole name."""
SENTENCE_START = re.compile(r"(?:^|(?<=[.!?])\s+|\n)(?=\S)")
SENTENCE_END = r"(?:(?=[.!?](?:\s|$))|(?<=\.)(?=\s|$))"
NUMBER = re.compile(r"\d{1,3}(?:[., ]\d{3})+(?:[.,]\d\d)?(?!\d)|\d+(?:[.,]\d+)?")
SMALL = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
         "seventeen eighteen nineteen").split()  # fmt: skip
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
WORD_VALUES = {word: value for value, word in enumerate(SMALL)} | {word: 10 * (n + 2) for n, word in enumerate(TENS)}
FAR = 3
"""A price or a quantity is far from another one if it exceeds this multiple of it."""


@dataclass(frozen=True)
class Template:
    """A template as a pattern. kind: the list that contains it. flag: that of its story, or empty."""

    kind: str
    flag: str
    pattern: re.Pattern[str]


@dataclass(frozen=True)
class Sentence:
    """A recognized sentence. groups: the text of each slot and of each alternative that has a name, by name."""

    template: Template
    start: int
    end: int
    groups: dict[str, str]

    def fixed(self) -> int:
        """Return the number of characters that no slot contains."""
        slots = (text for name, text in self.groups.items() if not name.endswith(("_A", "_B")))
        return self.end - self.start - sum(map(len, slots))


def predict(text: str) -> set[str]:
    """Return the flags of a record, of which only the text is known."""
    body = corrected(text.partition("\n")[2].lower())
    return {sentence.template.flag for sentence in recognize(body) if is_evidence(sentence, body)}


def recognize(body: str) -> list[Sentence]:
    """Return the sentences of a text in lower case that are recognized. They do not overlap."""
    candidates = []
    for start in (match.end() for match in SENTENCE_START.finditer(body)):
        for template in all_templates():
            if match := template.pattern.match(body, start):
                groups = {name: value for name, value in match.groupdict().items() if value is not None}
                candidates.append(Sentence(template, start, match.end(), groups))
    chosen: list[Sentence] = []
    for sentence in sorted(candidates, key=lambda sentence: (-sentence.fixed(), sentence.end - sentence.start)):
        if all(sentence.end <= other.start or other.end <= sentence.start for other in chosen):
            chosen.append(sentence)
    return chosen


def is_evidence(sentence: Sentence, body: str) -> bool:
    """Return whether a sentence is evidence for the flag of its template."""
    kind, groups = sentence.template.kind, sentence.groups
    if kind == "facts":
        return facts_hold(groups, body[: sentence.start] + body[sentence.end :])
    return kind in ("yes", "whole_yes")


def facts_hold(groups: Mapping[str, str], rest: str) -> bool:
    """Return whether what a sentence of `facts` states is evidence. rest: the other sentences of the record."""
    second = [name.split("_")[0] for name in groups if name.endswith("_B")]
    if second.count("flip") % 2 or "all" in second or "if" in second:
        return False
    if "this_0" in groups:
        return occurrence(groups["this_0"], rest) > occurrence(groups["that_0"], rest)
    return all(test(groups) for slot, test in COMPARISONS.items() if f"{slot}_0" in groups)


def parts_stay_below(groups: Mapping[str, str]) -> bool:
    """Return whether each part is below the limit and their total is not."""
    limit = number(groups["limit_0"])
    parts = [number(part) for part in re.split(r", | and | & ", groups["parts_0"])]
    return max(parts) < limit <= sum(parts)


def births_agree(groups: Mapping[str, str]) -> bool:
    """Return whether two dates, in any spelling, are the same."""
    return date(groups["born_0"]) == date(groups["bornagain_0"])


def majority_is_listed(groups: Mapping[str, str]) -> bool:
    """Return whether the owner of the larger share is the one on the list."""
    is_majority = number(groups["sharea_0"]) > number(groups["shareb_0"])
    first, second = (similarity(groups["listed_0"], groups[owner]) for owner in ("ownera_0", "ownerb_0"))
    return (first > second) == is_majority


def most_hours_are_missing(groups: Mapping[str, str]) -> bool:
    """Return whether fewer than half of the hours that were billed were worked."""
    return number(groups["worked_0"]) < number(groups["billed_0"]) / 2


def most_is_passed_on(groups: Mapping[str, str]) -> bool:
    """Return whether more than half of what came in went out."""
    return number(groups["passed_0"]) > (number(groups["credit_0"]) + number(groups["credit_1"])) / 2


def prices_differ(groups: Mapping[str, str]) -> bool:
    """Return whether one price is a multiple of the other."""
    return are_far(number(groups["unit_0"]), number(groups["market_0"]))


def quantities_differ(groups: Mapping[str, str]) -> bool:
    """Return whether one quantity is a multiple of the other."""
    return are_far(number(groups["quantity_0"]), number(groups["loaded_0"]))


COMPARISONS = {
    "parts": parts_stay_below,
    "bornagain": births_agree,
    "listed": majority_is_listed,
    "worked": most_hours_are_missing,
    "passed": most_is_passed_on,
    "market": prices_differ,
    "loaded": quantities_differ,
}
"""What a sentence with the slot is evidence of."""


def are_far(one: float, other: float) -> bool:
    """Return whether one of two numbers is a multiple of the other."""
    return max(one, other) > FAR * min(one, other)


def number(text: str) -> float:
    """Return the first number in a text, in digits with any separators, as `9.8k` or in words; 0 if there is none."""
    if match := NUMBER.search(text):
        digits, cents = match[0], ""
        if len(digits) > 2 and digits[-3] in ".,":
            digits, cents = digits[:-3], digits[-2:]
        elif text[match.end() :].startswith("k"):
            return 1000 * float(digits)
        return float(f"{re.sub(r'[., ]', '', digits)}.{cents or 0}")
    total = value = 0
    for word in re.findall(r"[a-z]+", text):
        if word == "hundred":
            value *= 100
        elif word == "thousand":
            total, value = 1000 * value, 0
        else:
            value += WORD_VALUES.get(word, 0)
    return total + value


def date(text: str) -> tuple[int, ...]:
    """Return year, month and day of `1964-03-12`, `12.03.1964` or `12 march 1964`, of whose month three letters count."""
    if months := re.findall(r"[a-z]{3,}", text):
        month = next((n for n, name in enumerate(names.MONTHS, 1) if name.lower().startswith(months[0][:3])), 0)
        text = text.replace(months[0], f".{month}.")
    parts = [int(part) for part in re.findall(r"\d+", text)]
    return tuple(parts if parts[0] > 31 else parts[::-1])


def similarity(one: str, other: str) -> float:
    """Return how similar two names are, 1 for equal ones; they may contain typing errors."""
    return difflib.SequenceMatcher(None, one, other).ratio()


def occurrence(name: str, text: str) -> float:
    """Return the share of the words of a name that occur in the text, perhaps with a typing error."""
    words, known = re.findall(r"[\w-]{3,}", name), re.findall(r"[\w-]{3,}", text)
    return sum(bool(difflib.get_close_matches(word, known, 1, 0.8)) for word in words) / max(1, len(words))


@functools.cache
def all_templates() -> tuple[Template, ...]:
    """Return a pattern for each template of each list, and one for each verdict on each list of clauses."""
    templates = [Template("filler", "", compiled(template)) for template in FILLERS]
    templates += [Template("opening", "", compiled(template)) for of_kind in OPENINGS.values() for template in of_kind]
    for flag, story in STORIES.items():
        for kind in ("facts", "setup", "yes", "no", "whole_yes", "whole_no"):
            templates += [Template(kind, flag, compiled(template)) for template in getattr(story, kind)]
        for clauses, truth_of_evidence in ((story.claims, 0), (story.excuses, 1)):
            for verdict in VERDICTS:
                for truth in (0, 1):
                    kind = "yes" if truth == truth_of_evidence else "no"
                    templates += [Template(kind, flag, compiled(filled(verdict, truth, clause))) for clause in clauses]
    return tuple(templates)


def filled(verdict: str, truth: int, clause: str) -> str:
    """Return a verdict with its clause, and with the alternative that says that the clause is true (0) or untrue (1)."""
    start = verdict.index("{truth:")
    end = closing(verdict, start)
    decision = alternatives(verdict[start + len("{truth:") : end - 1])[truth]
    return (verdict[:start] + decision + verdict[end:]).replace("{clause}", unmarked(clause))


def compiled(template: str) -> re.Pattern[str]:
    """Return a pattern that matches a sentence of a template in lower case."""
    return re.compile(_pattern(unmarked(template), {}) + SENTENCE_END)


def _pattern(template: str, counts: dict[str, int]) -> str:
    """Return the pattern of a part of a template. counts: how many groups of each name exist."""
    parts, start = "", 0
    while start < len(template):
        if template[start] in "[{":
            end = closing(template, start)
            inner = template[start + 1 : end - 1]
            parts += _choice(alternatives(inner), counts) if template[start] == "[" else _slot(inner, counts)
        else:
            end = min(
                (index for index in map(template.find, "[{", (start, start)) if index >= 0), default=len(template)
            )
            parts += _fixed(template[start:end].lower())
        start = end
    return parts


def _choice(options: list[str], counts: dict[str, int]) -> str:
    return f"(?:{'|'.join(_pattern(unmarked(option), counts) for option in options)})"


def _slot(inner: str, counts: dict[str, int]) -> str:
    name, _, argument = inner.partition(":")
    if is_statement(name):
        return ""
    index = counts[name] = counts.get(name, -1) + 1
    if not argument:
        return f"(?P<{name}_{index}>{SLOTS.get(name, ANYTHING)})"
    first, second = (_pattern(option, counts) for option in alternatives(argument))
    return f"(?:(?P<{name}_{index}_A>{first})|(?P<{name}_{index}_B>{second}))"


def _fixed(text: str) -> str:
    """Return a pattern of fixed text: spaces are optional, words may be abbreviated."""
    pattern = ""
    for token in re.findall(r"[a-z]+|\s+|[^a-z\s]", text):
        short = names.SHORTENINGS.get(token)
        pattern += r"\s*" if token.isspace() else f"(?:{token}|{re.escape(short)})" if short else re.escape(token)
    return pattern


def corrected(body: str) -> str:
    """Return a text in lower case in which typing errors in the words of templates are undone."""
    known, errors = vocabulary()

    def correct(match: re.Match[str]) -> str:
        return match[0] if match[0] in known else errors.get(match[0], match[0])

    return re.sub(r"[a-z]{4,}", correct, body)


@functools.cache
def vocabulary() -> tuple[set[str], dict[str, str]]:
    """Return the words of the templates, and the word that each typing error stands for (see `roughen`)."""
    story_lists = [getattr(story, kind) for story in STORIES.values() for kind in vars(story) if kind != "opening"]
    lists = [FILLERS, VERDICTS, *OPENINGS.values(), *story_lists, names.MONTHS, names.WEEKDAYS]
    known = {word for templates in lists for template in templates for word in re.findall(r"[a-z]+", template.lower())}
    return known, {error: word for word in sorted(known) for error in typing_errors(word)}


def typing_errors(word: str) -> Iterator[str]:
    """Yield the word with two letters exchanged, one left out or one doubled."""
    for index in range(1, len(word) - 2 if len(word) > 4 else 0):
        yield word[:index] + word[index + 1] + word[index] + word[index + 2 :]
        yield word[:index] + word[index + 1 :]
        yield word[: index + 1] + word[index] + word[index + 1 :]
