"""Tables and numbers in the documents against the files in benchmarks/results."""

from __future__ import annotations

import re
import statistics
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))  # the scripts import each other by name

import adaptation  # noqa: E402
import bag_of_words  # noqa: E402
import few_labels  # noqa: E402
import floors  # noqa: E402
import peers  # noqa: E402
import pooling  # noqa: E402
import scratch  # noqa: E402
import steps  # noqa: E402
import stock_reading  # noqa: E402
import wordnet  # noqa: E402
from cells import spread  # noqa: E402

ENGLISH, CHINESE, BENCHMARKS, TRIALS, RESULTS, PRETRAINING, DESIGN = (
    (ROOT / name).read_text("utf-8")
    for name in (
        "README.md",
        "README.zh.md",
        "benchmarks/README.md",
        "benchmarks/trials.md",
        "docs/results.md",
        "docs/pretraining.md",
        "docs/design.md",
    )
)
ROWS = few_labels.rows()
SHOWN = [row for row in ROWS if len(row.supervised) > 1]
SUMMARY = {
    "trec_fine:all": ["question"],
    "bc5cdr:50": ["entities"],
    "sec_filings:50": ["entities"],
    "medical_cases_real:8": ["conditions", "factors", "findings", "modifiers"],
    "transaction_risk:60": ["entities"],
    "transaction_risk:60 ": ["flags"],
}
"""The rows of the table in the READMEs: a cell of few_labels.py, and the fields whose mean is shown."""


def rows(table: str) -> list[str]:
    """Return the rows of a Markdown table, without its head."""
    return [line for line in table.splitlines() if line.startswith("|")][2:]


def flat(text: str) -> str:
    """Return the text with every run of white space replaced by one blank."""
    return " ".join(text.split())


def contains_table(text: str, table: str) -> bool:
    """Return whether a text contains a Markdown table with exactly these lines."""
    lines = "\n".join(line for line in table.splitlines() if line.startswith("|"))
    return f"\n{lines}\n\n" in f"\n{text}\n\n"


def test_results_tables_are_printed_by_the_scripts():
    head = few_labels.table().splitlines()[:2]
    assert contains_table(RESULTS, "\n".join([*head, *(row.line for row in SHOWN)]))
    for script in (bag_of_words, floors, peers, pooling, steps, stock_reading, wordnet):
        assert contains_table(RESULTS, script.table()), script.__name__


def test_benchmarks_tables_are_printed_by_the_scripts():
    assert contains_table(BENCHMARKS, scratch.table())
    lines = BENCHMARKS.splitlines()
    for split in ("dev", "test"):
        table = [row for row in rows(adaptation.table(split)) if "=" not in row]
        start = lines.index(f"| encoder, {split} | tokens seen | 50 labels | 100 labels | 500 labels |") + 2
        assert lines[start : start + len(table)] == table
        assert not lines[start + len(table)]
    for objective in ("mlm", "electra"):  # only these trials are in results/
        results = adaptation.RESULTS.matching(f"dev | {objective} 1130 precision=bf16 learning_rate=2e-4 | 100 | ")
        assert len(results) == 3
        assert " | ".join(f"{result['f1']:.1f}" for result in results.values()) in TRIALS


# Numbers in the text


def numbers_between(text: str, opening: str, end: str) -> list[str]:
    """Return the numbers with a decimal, and their signs, between two passages of a text."""
    line = flat(text)
    assert line.count(opening) == 1, opening
    start = line.index(opening) + len(opening)
    return re.findall(r"[+-]?\d+\.\d", line[start : line.index(end, start)])


def points(*values: float) -> list[str]:
    return [f"{value:.1f}" for value in values]


def gains(*values: float) -> list[str]:
    return [f"{value:+.1f}" for value in values]


def parts(*spreads: str) -> list[str]:
    """Return `["62.9", "0.5"]` for `62.9 ± 0.5`."""
    return [number for text in spreads for number in text.split(" ± ")]


def row_of(encoder: str, cell: str, field: str = "entities") -> few_labels.Row:
    (row,) = (row for row in ROWS if (row.encoder, row.cell, row.field) == (encoder, cell, field))
    return row


def of_wordnet(variant: str) -> list[float]:
    return [result["test"] for result in wordnet.RESULTS.matching(f"{variant} | ").values()]


def less(scores: list[float], subtracted: list[float]) -> list[float]:
    return [score - other for score, other in zip(scores, subtracted, strict=True)]


def of_adaptation(split: str, encoder: str, labels: int) -> str:
    table = dict(
        row.strip("| ").split(" | ", 1) for row in rows(adaptation.table(split)) if "0.6 M" in row or "0.0 M" in row
    )
    table |= {
        f"{row.split(' | ')[0].strip('| ')} later": row.split(" | ", 1)[1].strip("| ")
        for row in rows(adaptation.table(split))
        if "2.3 M" in row
    }
    return [cell.strip() for cell in table[encoder].split("|")][1 + [50, 100, 500].index(labels)]


def of_means(name: str) -> list[str]:
    """Return the means over rows and over data sets, each followed by the smallest: four numbers."""
    (line,) = (line for line in few_labels.means(ROWS) if line.startswith(f"{name} "))
    return re.findall(r"[+-]\d+\.\d", line)


def test_results_summary_follows_from_the_rows():
    plain, without_flags = of_means("default: gain"), of_means("default, without flags: gain")
    default = [*plain, without_flags[0], without_flags[2]]
    assert (
        numbers_between(RESULTS, "On the default encoder the interval", "On the adapted encoder the interval")
        == default
    )
    gain, without_flags = of_means("adapted: gain"), of_means("adapted, without flags: gain")
    whole, best = of_means("adapted: total"), of_means("adapted if measured, else default: total")
    adapted = [gain[0], gain[2], without_flags[0], without_flags[2], *whole[:3], best[0], best[2]]
    assert numbers_between(RESULTS, "On the adapted encoder the interval", "The gain is somewhat smaller") == adapted
    paired = of_means("default, rows that are also adapted: gain")
    assert numbers_between(RESULTS, "The gain is somewhat smaller", "Adaptation gives") == [gain[0], paired[0]]
    for encoder in ("default", "adapted"):
        same = [row for row in SHOWN if row.encoder == encoder]
        significant = sum(row.difference.low > 0 or row.difference.high < 0 for row in same)
        assert f"On the {encoder} encoder the interval excludes 0 in {significant} of {len(same)} rows" in RESULTS


def test_results_on_adaptation_and_rounds_follow_from_the_rows():
    cells = (
        ("sec_filings:50", "entities"),
        ("trec_fine:all", "question"),
        ("bc5cdr:50", "entities"),
        ("transaction_risk:60", "flags"),
    )
    adapting = [
        statistics.mean(row_of("adapted", *cell).supervised) - statistics.mean(row_of("default", *cell).supervised)
        for cell in cells
    ]
    assert numbers_between(RESULTS, "`supervised` most where it has least:", "half a point or less") == points(
        *adapting
    )
    for cell in ("bc5cdr:100", "bc5cdr:500"):
        adapted, default = (statistics.mean(row_of(encoder, cell).supervised) for encoder in ("adapted", "default"))
        assert adapted - default < 0.55
    twice, once = row_of("rounds2", "bc5cdr:50"), row_of("default", "bc5cdr:50")
    again = less(twice.adversarial, once.adversarial)
    expected = [*points(statistics.mean(again)), *gains(*again), twice.cost]
    assert numbers_between(RESULTS, "(`--set self_training_rounds=2`; row `rounds2`)", "times the cost of") == expected


def test_results_on_single_sets_follow_from_their_rows():
    medical = [row.difference.mean for row in SHOWN if row.cell == "medical_cases_real:8"]
    quoted = numbers_between(RESULTS, "The smallest gain is that on medical_cases_real:", "points over its four fields")
    assert quoted == points(statistics.mean(medical))
    supervised, adversarial, alone = map(of_wordnet, ("supervised", "adversarial", "adversarial co_training=false"))
    expected = [*parts(spread(supervised), spread(adversarial)), *gains(*less(adversarial, supervised))]
    expected += [*points(statistics.mean(less(adversarial, alone))), *parts(spread(of_wordnet("regression")))]
    assert numbers_between(RESULTS, "On these definitions", "## Other tools") == expected
    half, rule, double = (cell.strip() for cell in rows(steps.table())[-1].split("|")[3:6])
    assert numbers_between(RESULTS, "within the differences between seeds:", "the mean of five sets") == [
        half,
        double,
        rule,
    ]


def test_pretraining_and_design_pages_quote_the_measurements():
    electra, mlm = (row.split(" | ")[3] for row in rows(scratch.table()))
    assert numbers_between(PRETRAINING, "bc5cdr with 500 labels has", "(`python benchmarks/scratch.py`)") == parts(
        electra, mlm
    )
    adversarial, electra = (of_adaptation("dev", name, 100) for name in ("adversarial", "electra"))
    assert numbers_between(PRETRAINING, "as it did in the paper:", "(bc5cdr, dev") == parts(adversarial, electra)
    numbers = numbers_between(PRETRAINING, "on dev, with 100 labels, `mlm` has", "The small unlabeled text")
    assert [number for number in numbers if number not in ("0.6", "2.3")] == [
        of_adaptation("dev", name, 100).split(" ± ")[0] for name in ("mlm", "mlm later", "none")
    ]
    for name, row in zip(("nothing", "electra", "mlm"), rows(adaptation.table("test")), strict=True):
        assert f"| {name} | {row.split(' M | ')[1]}\n" in PRETRAINING
    mean, stock = (row.split(" | ")[1] for row in rows(pooling.table()))
    assert numbers_between(DESIGN, "Mean pooling has", "for the first token on trec_fine") == [mean, stock]


def summary() -> list[list[str]]:
    """Return the numbers of the table in the READMEs: scores of both presets, gain and interval by row."""
    lines = []
    for cell, fields in SUMMARY.items():
        selected = [row_of("default", cell.strip(), field) for field in fields]
        supervised, adversarial = (
            [statistics.mean(scores) for scores in zip(*(getattr(row, preset) for row in selected), strict=True)]
            for preset in ("supervised", "adversarial")
        )
        gain = few_labels._difference(supervised, adversarial)
        means = points(statistics.mean(supervised), statistics.mean(adversarial))
        lines.append([*means, *gains(gain.mean), f"{gain.low:.1f} to {gain.high:.1f}"])
    return lines


@pytest.mark.parametrize("text", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_readme_numbers_are_those_of_the_results(text):
    lines = [re.split(r" *\| *", line.strip("| ")) for line in re.findall(r"^\| `\w+` .*", text, re.MULTILINE)]
    assert [line[-4:] for line in lines] == summary()
    assert [line[0].strip("`") for line in lines] == [cell.partition(":")[0] for cell in SUMMARY]
    gain, without_flags = of_means("default: gain"), of_means("default, without flags: gain")
    significant = sum(row.difference.low > 0 for row in SHOWN if row.encoder == "default")
    (bag,) = (row.split(" | ")[1].split(" ± ")[0] for row in rows(bag_of_words.table()) if ":60" in row)
    flags = [statistics.mean(scores) for scores in (row_of("default", "transaction_risk:60", "flags").adversarial,)]
    for number in (gain[0], gain[1], without_flags[0], bag, *points(*flags)):
        assert number in text, number
    costs = [row.cost for row in SHOWN if row.encoder == "default"]
    assert f"{min(costs)}" in text
    assert f"{max(costs)}" in text
    assert str(significant) in text


def test_benchmarks_text_quotes_the_measurements():
    supervised, adversarial, alone = map(of_wordnet, ("supervised", "adversarial", "adversarial co_training=false"))
    assert numbers_between(BENCHMARKS, "By seed `adversarial` gains", "points over") == points(
        *less(adversarial, supervised)
    )
    seconds = {
        preset: sum(result["cpu_seconds"] for result in wordnet.RESULTS.matching(f"{preset} | ").values())
        for preset in few_labels.PRESETS
    }
    cost = seconds["adversarial"] / seconds["supervised"]
    quoted = numbers_between(BENCHMARKS, "points over `supervised`,", "times the cost. The regression")
    assert quoted == points(*less(adversarial, alone), cost)
    by_seed = []
    for cell in ("trec_fine:82", "bc5cdr:50", "sec_filings:50", "transaction_risk:60", "medical_cases_real:8"):
        rule, double = (
            [result["score"] for result in steps.RESULTS.matching(f"{cell} | {times} | ").values()] for times in (1, 2)
        )
        by_seed += [
            gain if gain.strip("+-0.") else "0.0"
            for gain in gains(*(two - one for one, two in zip(rule, double, strict=False)))
        ]
    assert (
        numbers_between(BENCHMARKS, "twice as many steps minus the rule:", "medical_cases_real, where half") == by_seed
    )
    assert "had 1.9 and 13.9 on 1,000 labeled sentences" in flat(BENCHMARKS)
    first = [
        [result["f1"] for result in scratch.RESULTS.matching(f"tiny 8000 550 | {name} | 1000 | ").values()]
        for name in ("electra", "mlm")
    ]
    assert [statistics.mean(scores) for scores in first] == pytest.approx([1.9, 13.9], abs=0.051)
    fields = ("conditions", "factors", "findings", "modifiers")
    expected = []
    for preset in few_labels.PRESETS:
        scores = few_labels.RESULTS.load()[few_labels.result_key("adapted", "medical_cases_real:8", preset, 0)]["test"]
        expected += points(statistics.mean(scores.values()), *(scores[name] for name in fields))
    opening, end = "encoder gives the mean of the four fields", "; the default encoder has"
    assert numbers_between(BENCHMARKS, opening, end) == expected


def test_trials_quote_the_current_scores():
    filings = row_of("default", "sec_filings:50")
    assert f"sec_filings:50 has {spread(filings.supervised)} for `supervised`" in flat(TRIALS)
    assert f"to {spread(filings.adversarial)}." in flat(TRIALS)
    flags = row_of("default", "transaction_risk:60", "flags")
    quoted = numbers_between(TRIALS, "the flags of transaction_risk:60 went from", "(the former in bf16)")
    assert quoted[2:4] == parts(spread(flags.adversarial))
    assert quoted[-1] == points(flags.difference.mean)[0]


def test_rows_of_texts_with_line_ends_name_their_commit():
    commits = {commit for (_, cell), commit in few_labels.LINE_ENDS.items() if f"{cell}{few_labels.MARK}" in RESULTS}
    assert commits == set(few_labels.LINE_ENDS.values())
    (note,) = (paragraph for paragraph in RESULTS.split("\n\n") if paragraph.startswith("† "))
    assert set(re.findall(r"`([0-9a-f]{7})`", note)) == commits
