"""`python -m tasks.generation.keyword_baseline [FOLDER]`: scores of keyword rules on the test splits.

The phrases were chosen by reading the train splits alone, as an analyst would: phrases that indicate a flag, and phrases
that excuse it. Spans come from regular expressions and from lists of the names labeled in train. The data cards quote the
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
        r"in one bag",
        r"back into the bag",
        r"(say any more that|not so:|disproved:|first guess was) (wages|these are takings|the whole sum|the pieces)",
        r"(wages|takings|whole sum|pieces) .*(not true|disproved|not so|contradicted|disagree)",
        r"declined the (cashier|teller)'s offer to book the total",
        r"(each|none) of the .*(slips|deposits) is",
        r"on purpose",
        r"bit by bit",
        r"whisker|a little (below|under)|just (below|under)",
        r"why not (one sum|all at once), s?he (said|replied)",
        r"so that no",
        r"the customer wanted the sum in parts",
        r"wanted the sum taken in parts",
        r"a form is due from",
        r"(forms|reports) begin",
        r"slips|on (one|the following) (day|morning)",
        r"(at|over) the counter",
        r"lodgement|deposit|deps",
        r"the (following|next) day|two days later",
        r"on (one|the same) (day|morning)",
        r"brought in",
    ),
    "sanctions_exposure": (
        r"not want us to state",
        r"(designated|listed) man",
        r"put on the list",
        r"of the listed person",
        r"never came near",
        r"(hit is a mere namesake|goods stay|never came near|licence office) .*(not true|disproved|not so|contradicted|disagree)",
        r"frozen last",
        r"doctored|forged",
        r"freight bill|must not serve",
        r"agree with the list|fit with the list",
        r"trucks them on|crates are marked",
        r"the EU froze|listed since",
        r"behind a (cover|second)",
        r"list entry (is for|names)",
        r"match",
        r"list entry",
        r"listed",
        r"holds \d+ per cent",
        r"goods (ship|travel|leave)",
        r"vessel|carrier",
        r"silent|frozen",
        r"alert",
    ),
    "shell_company": (
        r"letterbox",
        r"nominee",
        r"formation agent",
        r"bearer shares",
        r"trust without names",
        r"ownership ends|owner chain ends",
        r"a single employee",
        r"cannot (name|describe)",
        r"(say any more that|not so:|disproved:|first guess was|it looked as if) (it runs|it took|the owner is|auditors)",
        r"false that .* has people at work",
        r"true that .* has no people",
        r"refutes the note that .* does a trade",
        r"supports the note that .* does no trade",
        r"(nobody|no one) at",
        r"(sole|new) director",
        r"work(s|ed)? (at|there)",
        r"no trade|no service|a trade",
    ),
    "mule_account": (
        r"cash machine",
        r"crypto|exchange wallet",
        r"back to (zero|nil)",
        r"cannot say who",
        r"(gets|receives) (transfers|money) from strangers",
        r"home job|(payment|pmt) agent",
        r"third person uses",
        r"known only from a chat",
        r"(say any more that|not so:|disproved:|first guess was|it looked as if) (the senders|s?he sold|the money is meant|cousins)",
        r"agreed to pass on",
        r"untrue that s?he refused",
        r"(?<!un)true that s?he passed",
        r"people unknown",
        r"forwards for a gang",
        r"took in (strangers' money|the money of strangers)",
        r"unknown to|never met",
        r"pass(es|ed)? (it |the money )?on",
        r"busy|active",
        r"gang",
        r"\bcut\b",
    ),
    "trade_mispricing": (
        r"times as much",
        r"a fraction of that|a twelfth",
        r"only a (quarter|third)",
        r"price (higher|up)",
        r"(confirmed|no doubt|clear that|certain that|so it is):? (the price is|the same container|the (quantity|qty|weight) on|the price was)",
        r"(multiple of what others pay|billed twice|never loaded|to move money) (was confirmed|is now|is borne)",
        r"every dealer (asks|quotes) a fraction",
        r"packing list (shows|has)|scale (shows|has)",
        r"(others paid|the trade pays)",
        r"packing list|scale",
        r"price (check|comparison)",
        r"documents team|trade desk",
    ),
}
EXCUSES = {
    "structuring": (
        r"till rolls",
        r"cash report|report sent",
        r"instalment",
        r"school fees in",
        r"payroll|wages split",
        r"about the form",
        r"the cashier wanted the sum in parts",
        r"accepted the (cashier|teller)'s offer to book the total",
        r"no (slip|lodgement) of the row stays",
        r"did not want the sum taken in parts",
        r"disproved: (the (sums|money)|several|s?he comes)",
    ),
    "sanctions_exposure": (
        r"differs",
        r"fell away|was dropped",
        r"not want us to leave out",
        r"refuses to have the (ship|port) kept",
        r"(ship|port) named in",
        r"compliance wants the port left out",
        r"untrue that the (goods|crates) end",
        r"(?<!un)true that the (goods|crates) keep",
        r"(confirmed|no doubt|clear that|certain that):? (the hit|the goods stay|the ship|the licence)",
        r"training|seminar",
        r"check (passed|clear)|screening (passed|clear)",
        r"was born in",
    ),
    "shell_company": (
        r"special purpose|project company",
        r"founders",
        r"for post only|mail only",
        r"yearly|annual",
        r"newly",
        r"address change|moved:",
        r"false that .* has no people",
        r"saw only rooms that were in use",
        r"saw no rooms that were empty",
        r"refutes the note that .* no trade",
        r"disproved: (nobody|the firm|no service|the same)",
        r"(nobody works there|letterbox|for the fee|sides' letters) .*(not true|disproved|not so|contradicted|disagree)",
    ),
    "mule_account": (
        r"sold|selling",
        r"senders are (cousins|neighbours)",
        r"kitty",
        r"(school fair|charity run)",
        r"warned",
        r"carpool|ride share",
        r"refused to pass",
        r"(agreed to leave|agreed to hold)",
        r"untrue that s?he passed",
        r"turned down the job",
        r"took the advice",
        r"disproved: (s?he passes|a third|s?he keeps|the account)",
        r"any more that (s?he passes|a third|s?he keeps|the account)",
    ),
    "trade_mispricing": (
        r"doubled|tripled",
        r"covers the full",
        r"(second|corrected) (invoice|inv)",
        r"rejects that the price is many",
        r"confirms that the price is usual",
        r"(?<!un)true that the price is near",
        r"disproved: (the price|the same container|the quantity|the weight)",
        r"(others pay|billed twice|never loaded|move money) .*(not true|disproved|not so|contradicted|disagree)",
        r"any more that the (price|same container|quantity|qty|weight)",
        r"(confirmed|no doubt|clear that|certain that):? (the grade|the discount|the exchange|freight)",
    ),
}
OUTCOME_WORDS = {
    "died": (
        r"\bdied on",
        r"passed away",
        r"resuscitation (efforts )?(stopped|ended)",
        r"found without pulse",
        r"could not be revived",
        r"post-mortem|autopsy",
        r"switched off",
        r"(room cleared|bed was empty)",
    ),
    "worsened": (
        r"(moved|transferred) to intensive care, ",
        r"second organ is",
        r"other side",
        r"against advice|at own wish",
        r"manages less than",
        r"is now out of reach|is now too much",
        r"and the nights are worse|& the nights are worse",
        r"had to be raised",
        r"slips further",
        r"less breath",
    ),
    "unchanged": (
        r"neither better nor worse (since|after)",
        r"no different from",
        r"as on (the day|admission)",
        r"has not moved",
        r"same as before",
        r"(complaints|c/o) s?he came",
        r"same (findings|strength)",
        r"no more (and|&) no less",
        r"nothing beyond",
    ),
    "improved": (
        r"better than on",
        r"eased but|milder but",
        r"pain relief",
        r"of the oxygen",
        r"flight again",
        r"the hill not yet|still too much",
        r"to chair",
        r"to frame",
        r"nights are quiet",
        r"sleeps through",
        r"mornings stay hard",
    ),
    "recovered": (
        r"(went home|left us|discharged) (free of symptoms|without any complaint|w/o any complaint)",
        r"as if nothing",
        r"missed nothing",
        r"takes no|needs no",
        r"fit as before",
        r"clean, ",
        r"before all this",
        r"as it used",
        r"(ran ten|carried crates|took up night)",
        r"unremarkable\.",
        r"(without|w/o) a finding",
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
    "medical_assertions": {},
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
    "medical_assertions": lambda _train, _test: {},
}
"""The scores of what a task says of whole texts."""


def show(folder: Path) -> str:
    """Return the scores of all tasks as Markdown tables for the data cards."""
    lines = []
    for task in TEXT_SCORES:
        lines += ["", f"| {task}, test | keyword baseline |", "|---|---|"]
        lines += [f"| {name} | {value:.3f} |" for name, value in scores(folder, task).items()]
    return "\n".join(lines[1:])


if __name__ == "__main__":
    print(show(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parents[1]))
