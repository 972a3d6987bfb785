"""The tables of few_labels.py in Markdown, from its result files."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import measurements
from cell_data import CELLS, ENCODER_CELLS, SCHEME_CELLS, Cell
from cells import spread
from intervals import Difference, difference
from measurements import Result
from package_methods import METHODS, SUPERVISED
from peers import PEERS

MAIN = "self_training"
"""The method whose gains the tables show."""
BEGIN, SHORT, END = (
    "<!-- few_labels.py: begin -->",
    "<!-- few_labels.py, short: begin -->",
    "<!-- few_labels.py: end -->",
)
"""The comments around the tables in a document; SHORT begins those of the READMEs."""
MAX_MEAN_LOSS, MAX_LOSS = 0.3, 1.0
"""Points. "Equal" and "not below": the mean difference over the cells is above -0.3, and no interval ends below -1."""
BEST_PEER = "the best other method"


@dataclass(frozen=True, eq=False)
class Row:
    """A cell and field, with its results by method and seed. Results on other data than the others are left out."""

    cell: Cell
    field: str
    results: Mapping[str, Mapping[int, Result]] = field(repr=False)

    def scores(self, method: str) -> dict[int, float]:
        """Return the main scores (%) by seed."""
        return {
            seed: result["test"][self.field]["main"]
            for seed, result in self.results.get(method, {}).items()
            if self.field in result["test"]
        }

    def is_complete(self, method: str) -> bool:
        """Whether all seeds are measured."""
        return len(self.scores(method)) == self.cell.seeds

    def shown(self, method: str) -> str:
        """Return mean and deviation, and the number of seeds if some are missing."""
        scores = self.scores(method)
        return spread(scores.values()) + ("" if self.is_complete(method) or not scores else f" ({len(scores)})")

    @cached_property
    def best_peer(self) -> str | None:
        """The peer with the highest mean on test, which favors the peers; of those with all seeds, if there are any."""
        measured = [peer for peer in PEERS if self.scores(peer)]
        candidates = [peer for peer in measured if self.is_complete(peer)] or measured
        return max(candidates, key=lambda peer: statistics.mean(self.scores(peer).values()), default=None)

    def is_measured(self, over: str | None) -> bool:
        """Whether all seeds of the main method and of another one are measured."""
        return over is not None and self.is_complete(MAIN) and self.is_complete(over)

    def gain(self, over: str | None) -> Difference | None:
        """Return the gain of the main method over another one, on the seeds that both have."""
        seeds = sorted(self.scores(MAIN).keys() & self.scores(over).keys()) if over else []
        if not seeds or not over:
            return None
        if over not in self._gains:
            first, second = (
                [measurements.decode(self.results[method][seed]["test"][self.field]["counts"]) for seed in seeds]
                for method in (MAIN, over)
            )
            self._gains[over] = difference(first, second, self.cell.same_test)
        return self._gains[over]

    @cached_property
    def _gains(self) -> dict[str, Difference]:
        return {}


def rows(cells: Iterable[Cell] | None = None) -> list[Row]:
    """Return a row for each cell and field. cells: those of `CELLS` by default."""
    table_rows = []
    for cell in CELLS.values() if cells is None else cells:
        results = {
            method: {seed: result for seed in range(cell.seeds) if (result := measurements.read(cell, method, seed))}
            for method in (*METHODS, *PEERS)
        }
        data = {seed: _data_of(results, seed) for seed in range(cell.seeds)}
        same = {
            method: {seed: result for seed, result in by_seed.items() if result["data"] == data[seed]}
            for method, by_seed in results.items()
        }
        table_rows += [Row(cell, name, same) for name in cell.fields]
    return table_rows


def _data_of(results: Mapping[str, Mapping[int, Result]], seed: int) -> str | None:
    """Return the hash of the data of a seed: that of the first method that is measured, those of this package first."""
    return next((by_seed[seed]["data"] for by_seed in results.values() if seed in by_seed), None)


def table() -> str:
    """Return all tables, the summary, and what is missing."""
    table_rows = rows()
    processors: dict[str, str] = {}
    parts = [
        "### Sizes", sizes(table_rows),
        "### Methods of this package", methods(table_rows, processors),
        "### Other methods", peers(table_rows, processors),
        f"### `{MAIN}` against each method", summary(table_rows),
        "### Encoders", encoders(table_rows, processors),
        "### Schemes of nested spans", schemes(table_rows, processors),
        *(f"Processor {letter}: {name}." for name, letter in processors.items()), missing(table_rows),
    ]  # fmt: skip
    return "\n\n".join(parts)


METRICS = {"classes": "accuracy", "flags": "macro F1", "spans": "F1"}
"""The main score of each kind of field, as the short table names it."""


def short_table() -> str:
    """Return the table of the READMEs: the main method, `supervised` and the best peer, of rows measured in full.

    It has the present data only.
    """
    lines = []
    for row in rows():
        best = row.best_peer
        if row.is_measured(SUPERVISED) and best and not row.cell.is_earlier:
            kind = row.cell.fields[row.field]
            alone = list(row.cell.fields.values()).count(kind) == 1
            name = kind if alone else f"{kind} `{row.field}`"
            (labels,) = {result["sizes"]["labels"] for result in row.results[MAIN].values()}
            scores = [row.shown(SUPERVISED), row.shown(MAIN), *_gain(row, SUPERVISED), f"{row.shown(best)} ({best})"]
            lines.append([f"`{row.cell.data_set}`", f"{name}, {METRICS[kind]}", str(labels), *scores])
    head = f"data set | field | labels | {SUPERVISED} | {MAIN} | gain | interval | {BEST_PEER}"
    return _markdown(head, "llrrrrrr", lines)


def replace_table(text: str) -> str:
    """Return a document with the current tables between its comments; of a short one, the head is kept (translated).

    Raises ValueError for a document without these comments.
    """
    begin = SHORT if SHORT in text else BEGIN
    if not (text.count(begin) == text.count(END) == 1):
        raise ValueError(f"the document needs one line {begin} and one line {END}")
    before, _, rest = text.partition(begin)
    old, _, after = rest.partition(END)
    shown = table() if begin == BEGIN else short_table()
    head = [line for line in old.splitlines() if line.startswith("|")][:2]
    if begin == SHORT and head:
        shown = "\n".join([*head, *shown.splitlines()[2:]])
    return f"{before}{begin}\n\n{shown}\n\n{END}{after}"


def sizes(table_rows: Sequence[Row]) -> str:
    """Return the table of the cells: what is measured, on how many documents."""
    lines = []
    for cell in CELLS.values():
        of_cell = next(row for row in table_rows if row.cell is cell)
        by_seed = {seed: result["sizes"] for results in of_cell.results.values() for seed, result in results.items()}
        counts = [
            _range(size[name] for size in by_seed.values()) if by_seed else "-"
            for name in ("labels", "dev", "pool", "test")
        ]
        kind = "real" if cell.real else "synthetic"
        lines.append(
            [cell.name, *counts, cell.draw, str(cell.seeds), "the same" if cell.same_test else "by seed", kind]
        )
    return _markdown("set | labels | dev | pool | test | draw | seeds | test documents | text", "lrrrrlrll", lines)


def methods(table_rows: Sequence[Row], processors: dict[str, str]) -> str:
    """Return the table of the methods of this package. processors: a letter for each, extended."""
    lines, columns = [], _measured(table_rows, METHODS)
    for row in table_rows:
        shown = [row.shown(method) for method in columns]
        costs = [_seconds(row, SUPERVISED), _cost(row)]
        lines.append(
            [row.cell.name, row.field, *shown, *_gain(row, SUPERVISED), *costs, *_origin(row, METHODS, processors)]
        )
    head = f"set | field | {' | '.join(columns)} | gain | interval | CPU s, {SUPERVISED} | cost | code | processor"
    return _markdown(head, "ll" + "r" * (len(columns) + 4) + "ll", lines)


def peers(table_rows: Sequence[Row], processors: dict[str, str]) -> str:
    """Return the table of the other methods. processors: a letter for each, extended."""
    lines, columns = [], _measured(table_rows, PEERS)
    for row in table_rows:
        best = row.best_peer
        shown = [row.shown(peer) for peer in columns]
        origin = _origin(row, PEERS, processors)
        lines.append([row.cell.name, row.field, *shown, best or "-", _seconds(row, best), *_gain(row, best), *origin])
    head = f"set | field | {' | '.join(columns)} | best | CPU s | gain over it | interval | code | processor"
    return _markdown(head, "ll" + "r" * len(columns) + "lrrrll", lines)


def _measured(table_rows: Sequence[Row], methods: Iterable[str]) -> list[str]:
    """Return the methods with a result in some row, which are the columns of a table; `missing` lists the others."""
    return [method for method in methods if any(row.scores(method) for row in table_rows)]


def encoders(table_rows: Sequence[Row], processors: dict[str, str]) -> str:
    """Return the table of cells with two encoders. processors: a letter for each, extended."""
    lines = _variants(table_rows, ENCODER_CELLS, processors)
    head = (
        "set | field | encoder | method | seeds | default encoder | this encoder | gain | interval "
        "| CPU s, default | CPU s | code | processor"
    )
    return _markdown(head, "llll" + "r" * 7 + "ll", lines)


def schemes(table_rows: Sequence[Row], processors: dict[str, str]) -> str:
    """Return the table of cells with two schemes of nested spans. processors: a letter for each, extended."""
    lines = [line for line in _variants(table_rows, SCHEME_CELLS, processors) if line[4] != "0"]
    head = (
        "set | field | scheme | method | seeds | bio | this scheme | gain | interval "
        "| CPU s, bio | CPU s | code | processor"
    )
    return _markdown(head, "llll" + "r" * 7 + "ll", lines)


def _variants(table_rows: Sequence[Row], cells: Mapping[str, Cell], processors: dict[str, str]) -> Iterator[list[str]]:
    """Yield a line for each field and method of cells that differ in one thing, on the seeds that both have."""
    for other in rows(cells.values()):
        name, _, variant = other.cell.name.partition("/")
        default = next(row for row in table_rows if row.cell.name == name and row.field == other.field)
        for method in (SUPERVISED, MAIN):
            seeds = sorted(default.scores(method).keys() & other.scores(method).keys())
            counts = [
                [measurements.decode(row.results[method][seed]["test"][row.field]["counts"]) for seed in seeds]
                for row in (other, default)
            ]
            scores = [spread(row.scores(method)[seed] for seed in seeds) for row in (default, other)]
            gain = difference(*counts, other.cell.same_test) if seeds else None
            origin = _origin(other, [method], processors)
            yield [
                name, other.field, variant, method, str(len(seeds)), *scores, *_shown_gain(gain, len(seeds)),
                _seconds(default, method), _seconds(other, method), *origin
            ]  # fmt: skip


def summary(table_rows: Sequence[Row]) -> str:
    """Return the comparison of the main method with each other one, by the rule of benchmarks/README.md.

    It has the rows of which all seeds of both methods are measured.
    """
    lines = []
    for name in [*(method for method in METHODS if method != MAIN), BEST_PEER]:
        others = {row: row.best_peer if name == BEST_PEER else name for row in table_rows}
        gains = {row: gain for row, other in others.items() if row.is_measured(other) and (gain := row.gain(other))}
        if not gains:
            continue
        of_cells = {
            cell: statistics.mean(gain.mean for row, gain in gains.items() if row.cell is cell)
            for cell in dict.fromkeys(row.cell for row in gains)
        }
        mean = statistics.mean(of_cells.values())
        above, below = sum(gain.low > 0 for gain in gains.values()), sum(gain.high < 0 for gain in gains.values())
        worst = min(gain.high for gain in gains.values())
        not_below = mean > -MAX_MEAN_LOSS and worst >= -MAX_LOSS
        means = [_points(mean), *(_points(_mean_over_sets(of_cells, fits)) for fits in KINDS_OF_TEXT)]
        lines.append(
            [name, str(len(gains)), *means, str(above), str(below), _points(worst), "yes" if not_below else "no"]
        )
    if not lines:
        return f"`{MAIN}` is not measured with all seeds."
    head = (
        "compared with | rows | mean over cells | mean over data sets | real sets | synthetic sets "
        "| rows with an interval above 0 | below 0 | lowest upper end of an interval | not below"
    )
    return _markdown(head, "l" + "r" * 8 + "l", lines)


KINDS_OF_TEXT: tuple[Callable[[Cell], bool], ...] = (
    lambda cell: True,
    lambda cell: cell.real,
    lambda cell: not cell.real,
)


def _mean_over_sets(of_cells: Mapping[Cell, float], fits: Callable[[Cell], bool]) -> float | None:
    """Return the mean over the data sets that fit, of the mean over the cells of each; None without any.

    The data of an earlier commit belong to the same set.
    """
    sets: dict[str, list[float]] = {}
    for cell, gain in of_cells.items():
        if fits(cell):
            sets.setdefault(cell.data_set.partition("@")[0], []).append(gain)
    return statistics.mean(map(statistics.mean, sets.values())) if sets else None


def missing(table_rows: Sequence[Row]) -> str:
    """Return a sentence on the measurements that are missing or were made on other data."""
    gaps: dict[str, list[str]] = {}
    for row in table_rows:
        if row.field != next(iter(row.cell.fields)):
            continue
        for method in (*METHODS, *PEERS):
            if method in PEERS and not PEERS[method].applies(row.cell):
                continue
            absent = [str(seed) for seed in range(row.cell.seeds) if seed not in row.results[method]]
            if absent:
                seeds = "" if len(absent) == row.cell.seeds else f" (seeds {', '.join(absent)})"
                gaps.setdefault(method, []).append(row.cell.name + seeds)
    if not gaps:
        return "No measurement is missing."
    return "Not measured:\n\n" + "\n".join(f"- {method}: {', '.join(cells)}" for method, cells in gaps.items())


def _origin(row: Row, names: Iterable[str], processors: dict[str, str]) -> list[str]:
    """Return the code hashes and the letters of the processors of the results of some methods."""
    results = [result for name in names if row.scores(name) for result in row.results[name].values()]
    codes = dict.fromkeys(result["code"] for result in results)
    letters = [processors.setdefault(_processor(result), chr(ord("A") + len(processors))) for result in results]
    return [", ".join(codes) or "-", ", ".join(sorted(set(letters))) or "-"]


def _processor(result: Result) -> str:
    """Return the processor of a measurement, and the precision that `auto` is there."""
    return f"{result['processor']}, {result.get('precision', 'precision not recorded')}"


def _seconds(row: Row, method: str | None) -> str:
    """Return the mean CPU seconds of a method, for all fields of the cell together."""
    seconds = [result["cpu_seconds"] for result in row.results[method].values()] if method else []
    mean = statistics.mean(seconds) if seconds else None
    return "-" if mean is None else f"{mean:.1f}" if mean < 10 else f"{mean:,.0f}"


def _cost(row: Row) -> str:
    """Return the CPU seconds of the main method relative to `supervised`, over the seeds with the same processor."""
    pairs = [
        (one["cpu_seconds"], two["cpu_seconds"])
        for seed, one in row.results[SUPERVISED].items()
        if (two := row.results[MAIN].get(seed)) and _processor(one) == _processor(two)
    ]
    return f"{sum(two for _, two in pairs) / sum(one for one, _ in pairs):.1f}" if pairs else "-"


def _gain(row: Row, over: str | None) -> list[str]:
    seeds = row.scores(MAIN).keys() & row.scores(over).keys() if over else ()
    return _shown_gain(row.gain(over), len(seeds))


def _shown_gain(gain: Difference | None, seeds: int) -> list[str]:
    """Return a gain and its interval. A single seed has no interval: it would be that of the test documents only."""
    if gain is None:
        return ["-", "-"]
    return [_points(gain.mean), f"{_points(gain.low)} to {_points(gain.high)}" if seeds > 1 else "-"]


def _points(value: float | None) -> str:
    return "-" if value is None else f"{round(value, 1) + 0:+.1f}"  # + 0: not -0.0


def _range(values: Iterable[int]) -> str:
    different = sorted(set(values))
    return f"{different[0]:,}" if len(different) == 1 else f"{different[0]:,} to {different[-1]:,}"


def _markdown(head: str, alignment: str, lines: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table. alignment: `l` or `r` for each column."""
    rule = " | ".join("---" if side == "l" else "---:" for side in alignment)
    return "\n".join([f"| {head} |", f"| {rule} |", *(f"| {' | '.join(line)} |" for line in lines)])
