"""benchmarks/suggest.py: rounds of chosen and random texts on a tiny task, result files and the table."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import tiny

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))  # the scripts import each other by name

import cell_data  # noqa: E402
import measurements  # noqa: E402
import suggest  # noqa: E402

from electra_ie.data.document import Document  # noqa: E402

FIELDS = (tiny.RISKS, tiny.NAMED)


@pytest.fixture
def bench(monkeypatch, tmp_path, encoder):
    """Return a function that runs suggest.py with arguments on a tiny case, and the folder of its results."""
    named = [Document(f"d{n}", each.text, each.gold) for n, each in enumerate(tiny.documents(60))]
    source = cell_data.Source(FIELDS, named[:40], [], [], named[40:])
    case = suggest.Case("tiny", lambda seed: (source, named[:40], named[40:]))
    settings = tiny.settings(encoder("bert"), "supervised", max_steps=2)
    monkeypatch.setattr(
        suggest,
        "STEPS",
        [f"{name}={value}" for name, value in settings.items() if name not in ("preset", "discriminator")],
    )
    monkeypatch.setattr(suggest, "CASES", {"tiny": case})
    monkeypatch.setattr(suggest, "LABELS", (4, 8))
    monkeypatch.setattr(suggest, "SEEDS", 1)
    monkeypatch.setattr(suggest, "RESULTS", tmp_path / "results")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["suggest.py", *arguments])
        suggest.main()

    return SimpleNamespace(run=run, results=tmp_path / "results", pool={document.id for document in named[:40]})


@pytest.mark.slow
def test_cells_are_written_skipped_and_redone(bench, monkeypatch, capsys):
    bench.run()
    files = sorted(file.name for file in bench.results.rglob("*.*"))
    assert files == ["random.0.json", "suggest.0.json"]
    chosen, drawn = (suggest.read("tiny", method, 0) for method in ("suggest", "random"))
    for result in (chosen, drawn):
        assert [each["labels"] for each in result["rounds"]] == [4, 8]
        assert result["sizes"] == {"pool": 40, "scored": 20}
        assert result["code"] == suggest.hash_of() != measurements.package_hash()
        assert {"processor", "threads", "date", "versions", "commit"} <= result.keys()
        for each in result["rounds"]:
            assert set(each["test"]) == {"risks", "names"}
            assert each["seen"]["names"] <= 2
    assert chosen["chosen"] == {"typical": 3, "random": 2, "uncertain": 3}
    assert drawn["chosen"] == {}
    printed = capsys.readouterr().out
    assert "| tiny | names | 8 | " in printed
    assert "- `tiny`, names, 1 seed: labels that `suggest` needs for the score of random choice with 8: " in printed

    measured = []
    monkeypatch.setattr(suggest, "measure", lambda case, method, seed, labels: measured.append(method) or chosen)
    bench.run()
    assert not measured
    monkeypatch.setattr(suggest, "hash_of", lambda: "changed")
    bench.run()
    assert not measured
    assert "tiny | random | 0: other code; kept without --redo" in capsys.readouterr().out
    bench.run("--redo", "--methods", "random")
    assert measured == ["random"]
    bench.run("--table")
    assert measured == ["random"]


def test_a_trial_writes_nothing(bench, capsys):
    bench.run("--steps", "1", "--methods", "random", "--labels", "4")
    assert "4 labels: risks " in capsys.readouterr().out
    assert not bench.results.exists()


def test_each_round_keeps_its_labels_and_scored_texts_are_never_chosen(bench, monkeypatch):
    seen = []

    def train(case, source, labeled, pool, scored, seed):
        seen.append([document.id for document in labeled])
        assert all(document.gold for document in labeled)
        return {"risks": {"main": 1.0}}, None

    monkeypatch.setattr(suggest, "train", train)
    for method in suggest.METHODS:
        seen.clear()
        suggest.measure(suggest.CASES["tiny"], method, 0, (4, 8, 12))
        assert [len(set(labeled)) for labeled in seen] == [4, 8, 12]
        assert seen[0] == seen[2][:4] and seen[1] == seen[2][:8]
        assert set(seen[2]) <= bench.pool


def test_labels_that_are_needed_for_a_score():
    curve = {20: 50.0, 40: 60.0, 60: 58.0, 80: 70.0}
    assert suggest.labels_needed(curve, 40) == 20
    assert suggest.labels_needed(curve, 55) == 30
    assert suggest.labels_needed(curve, 64) == 70
    assert suggest.labels_needed(curve, 71) is None


@pytest.mark.slow
@pytest.mark.parametrize("name", ["trec_fine", "bc5cdr", "transaction_risk"])
def test_cases_have_gold_and_score_no_text_of_the_pool(name):
    if name != "transaction_risk" and not cell_data.Task.load(name).folder.is_dir():
        pytest.skip("the data set is not here")
    source, pool, scored = suggest.CASES[name].read(1)
    assert len(pool) >= 3 * suggest.LABELS[-1]
    assert all(field.name in document.gold for document in (*pool, *scored) for field in source.fields)
    assert not {document.id for document in pool} & {document.id for document in scored}


def test_the_page_has_the_table_of_the_results():
    page = (ROOT / "docs" / "suggest.md").read_text("utf-8")
    measured = [name for name in suggest.CASES if suggest.paired_seeds(name)]
    printed = suggest.table(measured) if measured else "Not measured yet."
    assert printed in page, "run: python benchmarks/suggest.py --table"
