"""Few labels: the methods of this package and others on the same labels, dev, pool and test.

    python benchmarks/few_labels.py                                   # all that is missing: a day of one core
    python benchmarks/few_labels.py --cells trec_fine:all --methods supervised adversarial --seeds 0 1
    python benchmarks/few_labels.py --split dev --cells bc5cdr:100 --methods adversarial --set mask_ratio=0.3
    python benchmarks/few_labels.py --table --write docs/results.md   # the table, from benchmarks/results/few_labels

A measurement is a method on a cell with a seed, and one file, results/few_labels/<cell>/<method>.<seed>.json, which is
written as soon as it is finished. A measurement with a file is skipped; if the code or the data have changed since, it
is listed, and measured again with `--redo`. The cells are in cell_data.py, with the number of their seeds, which is
fixed before measuring; the methods are in package_methods.py and peers.py. Test is scored once for each measurement
and chooses nothing.

`--split dev` is for choosing settings: it scores labeled documents that are neither in test nor in the labels (see
`cell_data.draw`), takes `--set`, and writes nothing.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import measurements
from cell_data import CELLS, ENCODER_CELLS, ROOT, SCHEME_CELLS, Cell, CellData, draw
from cells import spread
from measurements import Result, cpu_seconds
from package_methods import METHODS, Runs
from peers import PEERS
from table import replace_table, table


def applies(method: str, cell: Cell) -> bool:
    """Return whether a method predicts any field of a cell. Those of another encoder or scheme are for our methods."""
    return method in METHODS or ("/" not in cell.name and PEERS[method].applies(cell))


@lru_cache
def hash_of(method: str, cell: Cell) -> str:
    """Return the hash of the code of a method: of this package, or of a peer."""
    if method in METHODS:
        return measurements.package_hash()
    peer = PEERS[method]
    files = peer.sources if cell.is_earlier else (*peer.sources, *peer.present_sources)
    return measurements.code_hash(ROOT / file for file in files)


def measure(data: CellData, method: str, runs: Runs) -> Result:
    """Return scores, counts, costs and conditions of one measurement."""
    result: Result = {"cell": data.cell.name, "method": method, "seed": data.seed, "code": hash_of(method, data.cell)}
    result |= {"data": data.hash, "draw": data.cell.draw, "sizes": data.sizes}
    if method in METHODS:
        trained = runs.train(method)
        answers, seconds = runs.predict(trained), trained.seconds
        result["settings"] = list(METHODS[method].overrides)
        if trained.best_on_dev is not None:
            result["dev"] = round(100 * trained.best_on_dev, 4)
        packages: Sequence[str] = ("torch", "transformers")
    else:
        answers, seconds = _answers_of_peer(data, method)
        packages = PEERS[method].packages
    result["cpu_seconds"] = round(seconds, 1)
    result["test"] = measurements.scored(data.fields, data.test, answers)
    return result | measurements.environment(packages)


def _answers_of_peer(data: CellData, method: str) -> tuple[list[dict[str, Any]], float]:
    """Return the answers of a peer to the documents that are scored, and its CPU seconds, predictions included."""
    import torch

    torch.manual_seed(data.seed)
    peer, began = PEERS[method], cpu_seconds()
    texts = [document.text for document in data.test]
    columns = {field.name: peer.fit(field, data)(texts) for field in data.fields if field.kind in peer.kinds}
    answers = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return answers, cpu_seconds() - began


def fill(arguments: argparse.Namespace) -> None:
    """Measure what is missing, cell by cell, and write each measurement at once."""
    deadline = time.monotonic() + 3600 * arguments.limit_hours
    for cell, seed in _cells_and_seeds(arguments):
        methods = [method for method in arguments.methods if applies(method, cell)]
        data = draw(cell, seed)
        with tempfile.TemporaryDirectory() as folder:
            runs = Runs(data, Path(folder))
            for method in methods:
                if not _is_due(measurements.read(cell, method, seed), data, method, arguments.redo):
                    continue
                if time.monotonic() > deadline:
                    print("-- time limit reached", flush=True)
                    return
                print(f"-- {cell.name} | {method} | {seed}", flush=True)
                result = measure(data, method, runs)
                measurements.write(cell, method, seed, result)
                print(f"   {_line(result)}", flush=True)


def _is_due(existing: Result | None, data: CellData, method: str, redo: bool) -> bool:
    """Return whether to measure: if there is no result, or with `redo` one of other code or data."""
    if existing is None:
        return True
    changed = [
        name for name, value in (("code", hash_of(method, data.cell)), ("data", data.hash)) if existing[name] != value
    ]
    if changed and not redo:
        print(f"-- {data.cell.name} | {method} | {data.seed}: other {' and '.join(changed)}; kept without --redo")
    return bool(changed) and redo


def choose(arguments: argparse.Namespace) -> None:
    """Print the scores on held-out labeled documents; write nothing."""
    scores: dict[tuple[str, str, str], list[float]] = {}
    for cell, seed in _cells_and_seeds(arguments):
        data = draw(cell, seed, held_out=True)
        with tempfile.TemporaryDirectory() as folder:
            runs = Runs(data, Path(folder), arguments.set)
            for method in arguments.methods:
                if applies(method, cell):
                    result = measure(data, method, runs)
                    dev = f"; dev {result['dev']:.1f}" if "dev" in result else ""
                    print(f"-- {cell.name} | {method} | {seed}: {_line(result)}{dev}; sizes {data.sizes}", flush=True)
                    for field, values in result["test"].items():
                        scores.setdefault((cell.name, field, method), []).append(values["main"])
    for key, values in scores.items():
        print(f"{' | '.join(key)}: {spread(values)}, mean of {len(values)}: {statistics.mean(values):.2f}")


def _line(result: Result) -> str:
    fields = ", ".join(f"{field} {values['main']:.1f}" for field, values in result["test"].items())
    return f"{fields}; {result['cpu_seconds']:.0f} CPU s"


def _cells_and_seeds(arguments: argparse.Namespace) -> list[tuple[Cell, int]]:
    """Return the cells and seeds in the order of measuring: the first seed of all cells, then the next."""
    cells = CELLS | ENCODER_CELLS | SCHEME_CELLS
    pairs = product(range(max(cell.seeds for cell in cells.values())), arguments.cells)
    chosen = [(cells[name], seed) for seed, name in pairs if seed < cells[name].seeds]
    return [(cell, seed) for cell, seed in chosen if arguments.seeds is None or seed in arguments.seeds]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    cells = [*CELLS, *ENCODER_CELLS]
    choices = [*cells, *SCHEME_CELLS]
    parser.add_argument("--cells", nargs="+", default=cells, choices=choices, metavar="CELL", help=", ".join(choices))
    methods = [*METHODS, *PEERS]
    parser.add_argument("--methods", nargs="+", choices=methods, metavar="METHOD", help=", ".join(methods))
    parser.add_argument("--seeds", nargs="+", type=int, help="some of the seeds of each cell (default: all)")
    parser.add_argument("--split", default="test", choices=("dev", "test"), help="dev: choose settings, write nothing")
    parser.add_argument("--set", nargs="+", default=[], help="settings of train, key=value; only with --split dev")
    parser.add_argument("--redo", action="store_true", help="measure again what was measured with other code or data")
    parser.add_argument("--limit-hours", type=float, default=float("inf"), help="start no measurement after this time")
    parser.add_argument("--table", action="store_true", help="only print the table")
    parser.add_argument("--write", type=Path, metavar="FILE", help="also replace the table in this document")
    arguments = parser.parse_args()
    if arguments.set and arguments.split != "dev":
        parser.error("--set needs --split dev: for a result, give the settings a name in package_methods.METHODS")
    if arguments.methods is None:
        arguments.methods = [name for name in methods if name not in PEERS or PEERS[name].is_installed]
        if missing := [name for name in PEERS if name not in arguments.methods]:
            print(f'-- not installed: {", ".join(missing)} (pip install --editable ".[benchmarks]")')
    if arguments.split == "dev":
        choose(arguments)
        return
    if not arguments.table:
        fill(arguments)
    print(table())
    if arguments.write:
        arguments.write.write_text(replace_table(arguments.write.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
