"""`python -m tasks.generation.keyword_baseline [FOLDER]`: scores of keyword rules on the test splits.

The phrases were chosen by reading the train splits, as an analyst would: phrases that indicate a flag, and phrases that
excuse it. Spans come from regular expressions and from lists of the names labeled in train. The data cards quote the
table.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

Record = dict[str, Any]
Spans = set[tuple[int, int, str]]

# A rule may use knowledge from train only: `supported` drops every pattern without a matching train record.
FLAG_WORDS = {
    "structuring": (
        r"(just|whisker|little) (below|under|short)",
        r"without (paperwork|a form)",
        r"(short of|off) (what|the report)",
        r"\bbag\b",
        r"no single slip",
        r"none of them",
        r"every deposit",
        r"no questions",
        r"nobody asks",
        r"(ATM lodgements|machine deposits)",
        r"all at once",
        r"(broken|cut|split) into",
        r"form (was|only)",
        r"has to be filled",
        r"consecutive",
        r"on purpose",
        r"dodge",
        r"avoid the report",
        r"bit by bit",
        r"comes back with",
        r"from one envelope",
        r"one man's cash",
        r"budget does not",
        r"income on file",
    ),
    "sanctions_exposure": (
        r"list entry",
        r"transponder",
        r"tracker",
        r"designated",
        r"\bfroze",
        r"\bmatch\b",
        r"crude",
        r"forwarder",
        r"field 72",
        r"the message",
        r"(in|to|off|for) (Iran|North Korea|Syria|Russia|Belarus|Cuba)",
        r"barred port",
        r"papers were changed",
        r"was swapped",
        r"forged",
        r"doctored",
        r"must not serve",
        r"listed since",
        r"parts end up",
        r"cargo (came|was)",
        r"onward",
        r"further (leg|carriage)",
    ),
    "shell_company": (
        r"letterbox",
        r"nominee",
        r"registered agent",
        r"formation agent",
        r"advisory",
        r"no website",
        r"incorporated",
        r"set up",
        r"registered",
        r"signs for",
        r"nobody works",
        r"nobody has ever",
        r"has ever worked",
        r"never filed",
        r"no accounts",
        r"shares its address",
        r"mailbox",
        r"no staff",
        r"nobody on the payroll",
        r"straw man",
        r"no service was",
        r"cannot (name|describe)",
        r"off the shelf",
        r"ready-made",
        r"no trade",
        r"no activity",
        r"single employee",
        r"trust without names",
        r"same hands",
    ),
    "mule_account": (
        r"strangers",
        r"recruiter",
        r"somebody met online",
        r"from a chat",
        r"per cent",
        r"cash machine",
        r"ATM",
        r"people in different towns",
        r"persons in different towns",
        r"never met",
        r"same day",
        r"home job",
        r"payment agent",
        r"card and PIN",
        r"sender was",
        r"back to (zero|nil)",
        r"senders",
        r"crypto",
        r"wallet",
        r"unknown to him",
        r"a cut",
        r"third person",
        r"somebody else",
        r"cheated",
        r"tricked",
        r"vouchers",
    ),
    "trade_mispricing": (
        r"a fifth",
        r"a tenth",
        r"a quarter",
        r"a fraction",
        r"a twelfth",
        r"times (as much|their)",
        r"\bgap\b",
        r"going rate",
        r"as new",
        r"price (higher|up)",
        r"(market|exchange) (price|gives|pays)",
        r"multiple of",
        r"billed twice",
        r"was never loaded",
        r"no dealer",
        r"nobody in the trade",
        r"only a (quarter|third)",
        r"out of all proportion",
        r"move money",
    ),
}
EXCUSES = {
    "structuring": (
        r"till rolls",
        r"takings",
        r"cash report",
        r"\blease\b",
        r"tenancy",
        r"rental",
        r"contract",
        r"schedule",
        r"(form|declaration) (signed|completed)",
        r"wages",
        r"payroll",
        r"turnover",
        r"instalment",
        r"declared",
        r"school",
        r"completed it",
        r"filled it in",
        r"disproved",
        r"not true",
        r"contradicted",
        r"not so",
        r"otherwise",
    ),
    "sanctions_exposure": (
        r"\b(released|cleared|discounted)\b",
        r"no hit",
        r"nothing found",
        r"false positive",
        r"usual",
        r"different",
        r"differs",
        r"no link",
        r"fell away",
        r"was dropped",
        r"seminar",
        r"training",
        r"tickets",
        r"lecture",
        r"sold to",
        r"nothing goes",
        r"cancelled",
        r"called off",
        r"disproved",
        r"not true",
        r"contradicted",
        r"not so",
        r"otherwise",
    ),
    "shell_company": (
        r"employees",
        r"people at work",
        r"staff taken",
        r"showed",
        r"demonstrated",
        r"yearly",
        r"annual",
        r"ovens",
        r"audited",
        r"owner on file",
        r"shells",
        r"buttons",
        r"subsidiary",
        r"spin-off",
        r"visited",
        r"visit",
        r"report received",
        r"handed over",
        r"disproved",
        r"not true",
        r"contradicted",
        r"not so",
        r"otherwise",
    ),
    "mule_account": (
        r"landlord",
        r"rent",
        r"kitty",
        r"wedding",
        r"receipt",
        r"returned",
        r"sent back",
        r"carpool",
        r"ride share",
        r"no money moved",
        r"nothing was booked",
        r"refused",
        r"declined",
        r"treasurer",
        r"choir",
        r"list of names",
        r"parents",
        r"lessons",
        r"sold",
        r"selling",
        r"disproved",
        r"not true",
        r"contradicted",
        r"not so",
        r"otherwise",
    ),
    "trade_mispricing": (
        r"agree",
        r"confirm",
        r"support",
        r"cancellation",
        r"credit note",
        r"premium",
        r"surcharge",
        r"\bfull\b",
        r"surveyor",
        r"nearly the same",
        r"two per cent",
        r"about that",
        r"explained by",
        r"no gap worth",
        r"disproved",
        r"not true",
        r"contradicted",
        r"not so",
        r"otherwise",
    ),
}
OUTCOME_WORDS = {
    "died": (
        r"\bdied on",
        r"passed away",
        r"resuscitation (efforts )?(stopped|ended)",
        r"bedside when",
        r"without pulse",
        r"post-mortem",
        r"autopsy",
        r"withdrawn",
        r"switched off",
        r"chaplain",
        r"certificate",
        r"slipped away",
        r"peacefully",
        r"did not (live|reach)",
    ),
    "worsened": (
        r"intensive care, ",
        r"second organ",
        r"other side",
        r"weaker than",
        r"larger centre",
        r"steadily",
        r"less than on",
        r"half the distance",
        r"out of reach",
        r"too much, (and|&|sleep)",
        r"slips further",
        r"less breath",
        r"too drowsy",
        r"hardly answer",
        r"to bed",
        r"to wheelchair",
    ),
    "unchanged": (
        r"neither better nor worse (since|after)",
        r"no different",
        r"same degree",
        r"has not moved",
        r"same as before",
        r"comes (and|&) goes",
        r"complaints s?he came",
        r"is as on",
        r"shook the head",
        r"said no",
        r"same (findings|strength)",
        r"plateau",
        r"standstill",
        r"no more (and|&) no less",
        r"nothing beyond",
    ),
    "improved": (
        r"better than on",
        r"eased",
        r"milder",
        r"some remain",
        r"not all",
        r"pain relief",
        r"of the oxygen",
        r"flight",
        r"the hill not yet",
        r"rehabilitation",
        r"not yet fit",
        r"patience",
        r"more weeks",
        r"to chair",
        r"to frame",
        r"nights are quiet",
        r"sleeps through",
        r"could be cut",
        r"progress",
    ),
    "recovered": (
        r"free of symptoms",
        r"without any complaint",
        r"nothing (was left|remained)",
        r"as if nothing",
        r"missed nothing",
        r"any more (and|&)",
        r"fit as before",
        r"clean, ",
        r"gone by",
        r"settled",
        r"still well",
        r"found none",
        r"shrugged",
        r"as it used",
        r"before all this",
        r"no trace",
        r"unremarkable,",
        r"unremarkable\.",
        r"without a finding",
    ),
}
FORMS = r"(?:Ltd|GmbH|SA|LLC|BV|AB|Oy|SpA|Inc|SRL|Pte\. Ltd|FZE|AG|LLP|SARL|d\.o\.o\.|Sp\. z o\.o\.|Kft)(?!\w)"
MONEY = r"(?:USD|EUR|GBP|CHF|SGD|CAD|AED)"
DIGITS = r"\d{1,3}(?:[., ]\d{3})+(?:[.,]\d\d)?|\d{3,}(?:[.,]\d\d)?|\d+\.?\d*k"
PATTERNS = {
    "transaction_risk": {
        "COUNTERPARTY": rf"(?:[A-Z][\w-]+ ){{1,4}}{FORMS}",
        "ACCOUNT": r"(?:\*{4}|xx|XXXX-|\.{3})\d{4}|\b[A-Z]{2}\d{18}\b|\b\d{3}-\d{6}-\d\b|(?<=account )\d{8}|(?<=a/c )\d{8}",
        "AMOUNT": rf"\b{MONEY} (?:{DIGITS})(?!\w)|\b(?:{DIGITS}) {MONEY}\b|[$€£](?:{DIGITS})(?!\w)|(?<=Sum: )(?:{DIGITS})|"
        rf"(?<=(?:amt|AMT)[:=])(?:{DIGITS})|(?<=amount: )(?:{DIGITS})",
    },
    "medical_case": {
        "AGE": r"\b\d+(?:-year-old| ?y/?o\b| years? old|y\b)|\bage \d+|\b\d\d years\b",
        "LAB_VALUE": r"\d+(?:\.\d+)? (?:mg/L|x10\^9/L|mmol/L|ng/mL|ng/L|pg/mL|[µu]mol/L|g/L|U/L|mIU/L|mmol/mol|mm/h|µg/L)\b",
        "DOSE": r"\b(?:\d+(?:\.\d+)? ?(?:mg|g|mcg|micrograms|µg|units|IU|mL|puffs)|one puff)\b(?!/)",
    },
}


def supported(
    patterns: Mapping[str, Sequence[str]], fits: Callable[[str, Record], bool], train: list[Record]
) -> dict[str, str]:
    """Return for each name one pattern: of its patterns, those that match train records of which at least half fit."""
    kept = {}
    for name, alternatives in patterns.items():
        supporting = []
        for pattern in alternatives:
            correct = [fits(name, record) for record in train if re.search(pattern, record["text"], re.IGNORECASE)]
            if correct and 2 * sum(correct) >= len(correct):
                supporting.append(pattern)
        kept[name] = "|".join(supporting) or r"(?!)"  # the latter matches nothing
    return kept


def gazetteer(train: Iterable[Record], patterned: Mapping[str, str]) -> list[tuple[str, re.Pattern[str]]]:
    """Return labels and patterns that find spans, in order of priority.

    They are `patterned`, then for each label the strings that are labeled in more than half of their occurrences in
    train.
    """
    train = list(train)
    names: dict[str, set[str]] = defaultdict(set)
    for record in train:
        for span in record["entities"]:
            names[span["label"]].add(record["text"][span["start"] : span["end"]].lower())
    finders = [
        (label, re.compile(pattern, re.IGNORECASE if label != "COUNTERPARTY" else 0))
        for label, pattern in patterned.items()
    ]
    labeled: Counter[str] = Counter(record["text"][span["start"] : span["end"]].lower()
                                     for record in train for span in record["entities"])  # fmt: skip
    for label, strings in sorted(names.items()):
        if label in ("AMOUNT", "ACCOUNT", "LAB_VALUE", "DOSE", "AGE"):
            continue
        kept = [name for name in sorted(strings, key=lambda name: (-len(name), name))
                if 2 * labeled[name] > sum(record["text"].lower().count(name) for record in train)]  # fmt: skip
        finders.append((label, re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, kept))})(?!\w)", re.IGNORECASE)))
    return finders


def find(text: str, finders: Iterable[tuple[str, re.Pattern[str]]]) -> Spans:
    """Return the spans of a text. A match that overlaps a span of an earlier finder is dropped."""
    taken = [False] * len(text)
    spans: Spans = set()
    for label, pattern in finders:
        for match in pattern.finditer(text):
            start, end = match.span(match.lastindex or 0)
            if not any(taken[start:end]):
                taken[start:end] = [True] * (end - start)
                spans.add((start, end, label))
    return spans


def f1(gold: Iterable[set[Any]], predicted: Iterable[set[Any]]) -> float:
    """Return the micro F1 over pairs of sets."""
    pairs = list(zip(gold, predicted, strict=True))
    correct = sum(len(one & other) for one, other in pairs)
    return 2 * correct / max(1, sum(len(one) + len(other) for one, other in pairs))


def read_records(folder: Path, split: str) -> list[Record]:
    """Return the records of a split of a task."""
    return [json.loads(line) for line in (folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()]


def answers(task: str, train: list[Record], texts: Sequence[str]) -> list[tuple[set[str], Spans]]:
    """Return the flags and the spans that the rule predicts for each text. task: one that has flags."""
    finders = gazetteer(train, PATTERNS[task])
    return [(flags, find(text, finders)) for flags, text in zip(flag_answers(train, texts), texts, strict=True)]


def scores(folder: Path, task: str) -> dict[str, float]:
    """Return the scores on a task's test split by name."""
    train, test = (read_records(folder / task, split) for split in ("train", "test"))
    table = TEXT_SCORES[task](train, test)
    finders = gazetteer(train, PATTERNS[task])
    gold = [{(span["start"], span["end"], span["label"]) for span in record["entities"]} for record in test]
    predicted = [find(record["text"], finders) for record in test]
    for label in sorted({span[2] for spans in gold for span in spans}):
        table[f"entities {label}"] = f1(
            *([{span for span in spans if span[2] == label} for spans in side] for side in (gold, predicted))
        )
    table["entities micro F1, strict"] = f1(gold, predicted)
    return table


def flag_answers(train: list[Record], texts: Iterable[str]) -> list[set[str]]:
    """Return the flags predicted for each text: those with an indicating phrase and no excusing one."""
    words = supported(FLAG_WORDS, lambda flag, record: flag in record["flags"], train)
    excuses = supported(EXCUSES, lambda flag, record: flag not in record["flags"], train)
    return [
        {flag for flag in words if re.search(words[flag], text, re.IGNORECASE)
         and not re.search(excuses[flag], text, re.IGNORECASE)}
        for text in texts
    ]  # fmt: skip


def flag_scores(train: list[Record], test: list[Record]) -> dict[str, float]:
    """Return the F1 of each flag, and their mean."""
    gold = [set(record["flags"]) for record in test]
    predicted = flag_answers(train, [record["text"] for record in test])
    table = {
        f"flags {flag}": f1([{flag} & flags for flags in gold], [{flag} & flags for flags in predicted])
        for flag in FLAG_WORDS
    }
    return table | {"flags macro F1": sum(table.values()) / len(table)}


def outcome_scores(train: list[Record], test: list[Record]) -> dict[str, float]:
    """Return accuracy, F1 of each outcome, and their mean.

    The last matching phrase decides, since notes are in chronological order; without one, the most common outcome.
    """
    words = supported(OUTCOME_WORDS, lambda name, record: name == record["outcome"], train)
    common = Counter(record["outcome"] for record in train).most_common(1)[0][0]
    gold, predicted = [record["outcome"] for record in test], []
    for record in test:
        last = {
            name: max((match.start() for match in re.finditer(pattern, record["text"], re.IGNORECASE)), default=-1)
            for name, pattern in words.items()
        }
        best = max(last, key=last.__getitem__)
        predicted.append(best if last[best] >= 0 else common)
    table = {
        f"outcome {name}": f1(*([{name} & {outcome} for outcome in outcomes] for outcomes in (gold, predicted)))
        for name in words
    }
    accuracy = sum(one == other for one, other in zip(gold, predicted, strict=True)) / len(gold)
    return {"outcome accuracy": accuracy} | table | {"outcome macro F1": sum(table.values()) / len(table)}


TEXT_SCORES: dict[str, Callable[[list[Record], list[Record]], dict[str, float]]] = {
    "transaction_risk": flag_scores,
    "medical_case": outcome_scores,
}


def show(folder: Path) -> str:
    """Return the scores of both tasks as Markdown tables for the data cards."""
    lines = []
    for task in TEXT_SCORES:
        lines += ["", f"| {task}, test | keyword baseline |", "|---|---|"]
        lines += [f"| {name} | {value:.3f} |" for name, value in scores(folder, task).items()]
    return "\n".join(lines[1:])


if __name__ == "__main__":
    print(show(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parents[1]))
