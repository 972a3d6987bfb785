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
import calibration  # noqa: E402
import distillation  # noqa: E402
import extraction  # noqa: E402
import floors  # noqa: E402
import hints  # noqa: E402
import label_replay  # noqa: E402
import out_of_domain  # noqa: E402
import pooling  # noqa: E402
import relations  # noqa: E402
import scratch  # noqa: E402
import serving  # noqa: E402
import steps  # noqa: E402
import stock_reading  # noqa: E402
import table as few_labels_table  # noqa: E402
import training_cost  # noqa: E402
import value_libraries  # noqa: E402

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
    scripts = (
        distillation, extraction, floors, hints, pooling, relations, serving, steps, stock_reading, training_cost,
    )  # fmt: skip
    for script in scripts:
        assert contains_table(RESULTS, script.table()), script.__name__
    assert extraction.sentences() in " ".join(RESULTS.split())


def test_labeling_page_has_the_keys_that_were_counted():
    labeling = (ROOT / "docs" / "labeling.md").read_text("utf-8")
    assert contains_table(labeling, label_replay.table())


def test_values_page_has_what_other_libraries_make_of_traps():
    pytest.importorskip("ucumvert", reason="the extra values is not installed")
    values = (ROOT / "docs" / "values.md").read_text("utf-8")
    for table in value_libraries.table().split("\n\n"):
        assert contains_table(values, table)


def test_confidence_page_has_the_errors_of_calibration_and_the_signals_of_other_domains():
    for script in (calibration, out_of_domain):
        assert contains_table((ROOT / "docs" / "confidence.md").read_text("utf-8"), script.table()), script.__name__


def test_results_hold_exactly_what_few_labels_prints():
    assert few_labels_table.replace_table(RESULTS) == RESULTS, (
        "run: python benchmarks/few_labels.py --table --write docs/results.md"
    )


@pytest.mark.parametrize("text", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_readme_rows_are_those_of_few_labels(text):
    assert few_labels_table.SHORT in text
    assert few_labels_table.replace_table(text) == text, (
        "run: python benchmarks/few_labels.py --table --write README.md, and with README.zh.md"
    )


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


def parts(*spreads: str) -> list[str]:
    """Return `["62.9", "0.5"]` for `62.9 ± 0.5`."""
    return [number for text in spreads for number in text.split(" ± ")]


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


def test_results_on_steps_follow_from_their_rows():
    half, rule, double = (cell.strip() for cell in rows(steps.table())[-1].split("|")[3:6])
    assert numbers_between(RESULTS, "within the differences between seeds:", "the mean of five sets") == [
        half,
        double,
        rule,
    ]


def test_results_on_the_server_follow_from_their_rows():
    added = []
    for kind in ("memos", "pages"):
        result = serving.RESULTS.load()[kind]
        served, offline = (statistics.mean(result[name]["cpu"]) for name in ("served_seconds", "offline_seconds"))
        added.append(f"{1000 * (served - offline) / result['texts']:.1f}")
    assert numbers_between(RESULTS, "A memo costs the server", "for HTTP, JSON and counts") == added


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


def test_benchmarks_text_quotes_the_measurements():
    by_seed = []
    for cell in ("trec_fine:82", "bc5cdr:50", "sec_filings:50", "transaction_risk:60", "medical_cases_real:8"):
        rule, double = (
            [result["score"] for result in steps.RESULTS.matching(f"{cell} | {times} | ").values()] for times in (1, 2)
        )
        by_seed += [
            gain if gain.strip("+-0.") else "0.0"
            for gain in (f"{two - one:+.1f}" for one, two in zip(rule, double, strict=False))
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
