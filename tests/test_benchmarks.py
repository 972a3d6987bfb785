"""The numbers in the READMEs are those that benchmarks/results holds: each table, and what the text says of them."""

from __future__ import annotations

import re
import statistics
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))  # the scripts import each other by name

import adaptation  # noqa: E402
import few_labels  # noqa: E402
import floors  # noqa: E402
import peers  # noqa: E402
import pooling  # noqa: E402
import scratch  # noqa: E402
import steps  # noqa: E402
import stock_reading  # noqa: E402
import wordnet  # noqa: E402
from cells import spread  # noqa: E402

ENGLISH, CHINESE, BENCHMARKS = (
    (ROOT / name).read_text("utf-8") for name in ("README.md", "README.zh.md", "benchmarks/README.md")
)
ROWS = few_labels.rows()
SHOWN = [row for row in ROWS if len(row.control) > 1]


def rows(table: str) -> list[str]:
    """The rows of a table, without its head."""
    return [line for line in table.splitlines() if line.startswith("|")][2:]


def flat(text: str) -> str:
    """With single blanks for line ends."""
    return " ".join(text.split())


@pytest.mark.parametrize("text", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_the_table_of_few_labels_is_that_of_its_results(text):
    shown = re.findall(r"^\| (?:default|adapted|generations2) \|.*", text, re.MULTILINE)
    assert shown == [row.line for row in SHOWN]
    pattern = r"^\| (?:bc5cdr|trec_fine):\w+ \| (?:f1|accuracy) \|.*"
    assert re.findall(pattern, text, re.MULTILINE) == rows(floors.table())


def test_the_other_tables_are_those_of_their_results():
    lines = BENCHMARKS.splitlines()
    for table in (steps.table(), wordnet.table(), peers.table(), scratch.table()):
        place = lines.index(rows(table)[0])
        assert lines[place : place + len(rows(table))] == rows(table)
    for split in ("dev", "test"):
        table = [row for row in rows(adaptation.table(split)) if "=" not in row]
        place = lines.index(f"| encoder, {split} | tokens seen | 50 labels | 100 labels | 500 labels |") + 2
        assert lines[place : place + len(table)] == table and not lines[place + len(table)]
    for objective in ("mlm", "electra"):  # of the trials, those whose scores are kept
        found = adaptation.RESULTS.matching(f"dev | {objective} 1130 precision=bf16 learning_rate=2e-4 | 100 | ")
        assert " | ".join(f"{each['f1']:.1f}" for each in found.values()) in BENCHMARKS


# What the text says


def between(text: str, opening: str, end: str) -> list[str]:
    """The numbers with a decimal, and their signs, between two passages of a text."""
    found = flat(text)
    assert found.count(opening) == 1, opening
    start = found.index(opening) + len(opening)
    return re.findall(r"[+-]?\d+\.\d", found[start : found.index(end, start)])


def points(*values: float) -> list[str]:
    return [f"{value:.1f}" for value in values]


def gains(*values: float) -> list[str]:
    return [f"{value:+.1f}" for value in values]


def parts(*spreads: str) -> list[str]:
    """`62.9 ± 0.5` -> 62.9, 0.5."""
    return [each for one in spreads for each in one.split(" ± ")]


def row_of(encoder: str, cell: str, field: str = "entities") -> few_labels.Row:
    (found,) = (row for row in ROWS if (row.encoder, row.cell, row.field) == (encoder, cell, field))
    return found


def of_wordnet(variant: str) -> list[float]:
    return [each["test"] for each in wordnet.RESULTS.matching(f"{variant} | ").values()]


def less(one: list[float], other: list[float]) -> list[float]:
    return [mine - its for mine, its in zip(one, other, strict=True)]


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


def adapting() -> list[float]:
    """What adapting the encoder gives control: sec_filings, trec_fine, bc5cdr:50, the flags of transaction_risk:60."""
    cells = (
        ("sec_filings:50", "entities"),
        ("trec_fine:all", "question"),
        ("bc5cdr:50", "entities"),
        ("transaction_risk:60", "flags"),
    )
    return [
        statistics.mean(row_of("adapted", *each).control) - statistics.mean(row_of("default", *each).control)
        for each in cells
    ]


def of_means(name: str) -> list[str]:
    """The means over rows and over data sets, each with the least: four numbers."""
    (line,) = (each for each in few_labels.means(ROWS) if each.startswith(f"{name} "))
    return re.findall(r"[+-]\d+\.\d", line)


LANGUAGES = pytest.mark.parametrize("text, place", [(ENGLISH, 0), (CHINESE, 1)], ids=["en", "zh"])
"""A README, and which of two openings is its own."""


@LANGUAGES
def test_what_is_said_of_all_rows_follows_from_them(text, place):
    opening, end = (
        ("On the encoder as it is", "For sec_filings and"),
        ("在原编码器上，", "sec_filings 和 transaction_risk 用的"),
    )[place]
    plain, bare = of_means("default: gain"), of_means("default, without flags: gain")
    later, later_bare = of_means("adapted: gain"), of_means("adapted, without flags: gain")
    whole, best = of_means("adapted: in all"), of_means("adapted, where it was measured, else default: in all")
    expected = [
        *plain,
        bare[0],
        bare[2],
        later[0],
        later[2],
        later_bare[0],
        later_bare[2],
        *whole[:3],
        best[0],
        best[2],
    ]
    assert between(text, opening, end) == expected
    for encoder in ("default", "adapted"):
        mine = [row for row in SHOWN if row.encoder == encoder]
        sure = sum(row.difference.low > 0 or row.difference.high < 0 for row in mine)
        said = f"in {sure} of {len(mine)} rows" if place == 0 else rf"{len(mine)} 行中?有 {sure} 行"
        assert re.search(said, flat(text)), said


@LANGUAGES
def test_what_is_said_of_single_sets_follows_from_their_rows(text, place):
    opening, end = (
        ("definitions of WordNet (", "; one generation in bf16"),
        ("（WordNet 的释义，", "；一代的那一行是 bf16"),
    )[place]
    control, game, view = map(of_wordnet, ("supervised", "adversarial", "adversarial co_training=false"))
    twice, once = row_of("generations2", "bc5cdr:50"), row_of("default", "bc5cdr:50")
    again = less(twice.adversarial, once.adversarial)
    expected = [
        *parts(spread(control), spread(game)),
        *gains(*less(game, control)),
        *points(statistics.mean(less(game, view))),
    ]
    expected += [*parts(spread(of_wordnet("regression"))), *points(*adapting())]
    expected += [of_means("adapted: gain")[0], of_means("default, over the rows that are adapted too: gain")[0]]
    expected += [*points(statistics.mean(again)), *gains(*again)]
    assert between(text, opening, end) == expected
    assert f"{twice.cost} times the cost" in flat(text) if place == 0 else f"成本为 control 的 {twice.cost} 倍" in text
    for cell in ("bc5cdr:100", "bc5cdr:500"):
        assert (
            statistics.mean(row_of("adapted", cell).control) - statistics.mean(row_of("default", cell).control) < 0.55
        )


@LANGUAGES
def test_what_peers_score_is_said_as_it_was_measured(text, place):
    opening, end = (("Others on the same labels", "Least is gained"), ("别的工具用各自的默认设置", "增益最小的是"))[
        place
    ]
    keys = ["setfit | trec_fine:all", "regression | trec_fine:all"]
    keys += [
        f"spacy | {cell}"
        for cell in ("bc5cdr:50", "bc5cdr:100", "sec_filings:50", "transaction_risk:60", "transaction_risk:200")
    ]
    scores = [spread(each["test"] for each in peers.RESULTS.matching(f"{key} | ").values()) for key in keys]
    assert between(text, opening, end) == parts(*scores)
    medical = [row for row in SHOWN if row.cell == "medical_cases_real:8"]
    opening, end = (
        ("Least is gained on medical_cases_real,", "points"),
        ("增益最小的是 medical_cases_real：", "分，"),
    )[place]
    assert between(text, opening, end) == points(statistics.mean(row.difference.mean for row in medical))


@LANGUAGES
def test_other_numbers_of_the_readme_are_those_of_their_results(text, place):
    reading = {row.split(" | ")[0].strip("| "): row.split(" | ")[1] for row in rows(stock_reading.table())}
    assert reading["extract"] == reading["exact"]
    opening, end = (
        ("three seeds, give F1", "the wrong strategy"),
        ("三个种子，在 transaction_risk 的 200 条记录上", "因为对只判断"),
    )[place]
    assert between(text, opening, end) == parts(reading["extract"], reading["first"], reading["simple"])
    mean, stock = (row.split(" | ")[1] for row in rows(pooling.table()))
    opening, end = (
        ("5-fold cross-validation,", "from the first token, means"),
        ("5 折交叉验证，三个种子的平均：", "；`python benchmarks/pooling.py`"),
    )[place]
    assert between(text, opening, end) == [mean, stock]
    made = [row.split(" | ")[3] for row in rows(scratch.table())]
    opening, end = (
        ("with 500 labels has", "(`python benchmarks/scratch.py`)"),
        ("bc5cdr 用 500 条标注，在 dev 上", "（`python benchmarks/scratch.py`）"),
    )[place]
    assert between(text, opening, end) == parts(*made)
    half, rule, twice = (each.strip() for each in rows(steps.table())[-1].split("|")[3:6])
    opening, end = (
        ("but for what seeds differ by:", "the mean of five sets"),
        ("种子间的差异外相同：", "（`python benchmarks/steps.py`）"),
    )[place]
    assert between(text, opening, end) == [half, twice, rule]
    opening, end = (
        ("and is worse here as it was there:", "(bc5cdr, dev"),
        ("和论文中一样，它在这里更差：", "（bc5cdr，dev"),
    )[place]
    assert between(text, opening, end) == parts(
        *(of_adaptation("dev", each, 100) for each in ("adversarial", "electra"))
    )
    opening, end = (
        ("with 100 labels `mlm` has", "The little text"),
        ("用 100 条标注，`mlm` 在", "数据集自己不多的文本"),
    )[place]
    found = [each for each in between(text, opening, end) if each not in ("0.6", "2.3")]
    assert found == [of_adaptation("dev", each, 100).split(" ± ")[0] for each in ("mlm", "mlm later", "none")]
    for name, row in zip(("none", "electra", "mlm"), rows(adaptation.table("test")), strict=True):
        told = {"none": ("nothing", "无")[place]}.get(name, name)
        assert f"| {told} | {row.split(' M | ')[1]}\n" in text


def test_numbers_in_the_text_of_the_benchmarks_are_those_of_their_results():
    control, game, view = map(of_wordnet, ("supervised", "adversarial", "adversarial co_training=false"))
    assert between(BENCHMARKS, "By seed `adversarial` gains", "points over") == points(*less(game, control))
    cost = sum(each["cpu_seconds"] for each in wordnet.RESULTS.matching("adversarial | ").values())
    cost /= sum(each["cpu_seconds"] for each in wordnet.RESULTS.matching("supervised | ").values())
    said = between(BENCHMARKS, "points over `supervised`,", "times the cost; the regression")
    assert said == points(*less(game, view), cost)
    by_seed = []
    for cell in ("trec_fine:82", "bc5cdr:50", "sec_filings:50", "transaction_risk:60", "medical_cases_real:8"):
        rule, twice = (
            [each["score"] for each in steps.RESULTS.matching(f"{cell} | {times} | ").values()] for times in (1, 2)
        )
        by_seed += [
            each if each.strip("+-0.") else "0.0"
            for each in gains(*(two - one for one, two in zip(rule, twice, strict=False)))
        ]
    assert between(BENCHMARKS, "By seed, twice less the rule:", "medical_cases_real, where half") == by_seed
    filings = row_of("default", "sec_filings:50")
    assert f"sec_filings:50 has {spread(filings.control)} for `supervised`" in flat(BENCHMARKS)
    assert f"to {spread(filings.adversarial)}." in flat(BENCHMARKS)
    flags = row_of("default", "transaction_risk:60", "flags")
    said = between(BENCHMARKS, "the flags of transaction_risk:60 went from", "(the former in bf16)")
    assert said[2:4] == parts(spread(flags.adversarial)) and said[-1] == points(flags.difference.mean)[0]
    assert "had 1.9 and 13.9 on 1,000 labelled sentences" in flat(BENCHMARKS)
    first = [
        [each["f1"] for each in scratch.RESULTS.matching(f"tiny 8000 550 | {name} | 1000 | ").values()]
        for name in ("electra", "mlm")
    ]
    assert [statistics.mean(each) for each in first] == pytest.approx([1.9, 13.9], abs=0.051)
    fields = ("conditions", "factors", "findings", "modifiers")
    told = []
    for preset in few_labels.PRESETS:
        scores = few_labels.RESULTS.load()[few_labels.module_key("adapted", "medical_cases_real:8", preset, 0)]["test"]
        told += points(statistics.mean(scores.values()), *(scores[name] for name in fields))
    assert (
        between(BENCHMARKS, "the biomedical encoder gives the mean of the four fields", "; the encoder as it is has")
        == told
    )


def test_rows_of_texts_with_line_ends_name_their_commit():
    named = {
        commit for (encoder, cell), commit in few_labels.LINE_ENDS.items() if f"{cell}{few_labels.MARK}" in ENGLISH
    }
    assert named == set(few_labels.LINE_ENDS.values())
    for text in (ENGLISH, CHINESE):
        marked = next(line for line in re.split(r"\n\n", text) if line.startswith("† "))
        assert set(re.findall(r"`([0-9a-f]{7})`", marked)) == named
