"""benchmarks/few_labels.py: draws, result files, intervals, tables, and measurements on a tiny task."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))  # the scripts import each other by name

import cell_data  # noqa: E402
import crf  # noqa: E402
import few_labels  # noqa: E402
import intervals  # noqa: E402
import keyword_peer  # noqa: E402
import linear_peers  # noqa: E402
import measurements  # noqa: E402
import package_methods  # noqa: E402
import peers  # noqa: E402
import table  # noqa: E402

from electra_ie.config.train import TrainSettings  # noqa: E402
from electra_ie.data.document import Document, Span  # noqa: E402
from electra_ie.data.fields import lost_by_overlap, with_levels  # noqa: E402
from electra_ie.metrics import score  # noqa: E402

KINDS = {field.name: field.kind for field in tiny.FIELDS}


def cell_of(documents=60, dev=20, budget=12, **settings):
    """Return a cell of the tiny task, whose documents are the same for all seeds."""
    drawn = tiny.documents(documents + dev + 70)
    named = [Document(f"d{index}", document.text, document.gold) for index, document in enumerate(drawn)]
    rest = named[documents + dev :]
    source = cell_data.Source(
        tiny.FIELDS,
        named[:documents],
        named[documents : documents + dev],
        [d.unlabeled() for d in rest[:30]],
        rest[30:],
    )
    defaults = {"name": f"tiny:{budget}", "read": lambda seed: source, "fields": KINDS, "budget": budget, "dev": 10}
    return cell_data.Cell(**{**defaults, "seeds": 2, **settings})


def ids(documents):
    return {document.id for document in documents}


# Draws


def test_splits_of_a_draw_do_not_overlap_and_the_pool_has_no_gold():
    data = cell_data.draw(cell_of(), 0)
    assert data.sizes == {"labels": 12, "dev": 10, "pool": 48 + 30, "test": 40}
    splits = [ids(split) for split in (data.train, data.rest, data.unlabeled, data.dev, data.test)]
    assert len(set().union(*splits)) == sum(map(len, splits))
    assert all(document.gold for document in (*data.train, *data.dev, *data.test))
    assert not any(document.gold for document in data.pool)


def test_draws_are_nested_and_follow_the_seed_and_the_method_of_the_cell():
    few, more = (cell_data.draw(cell_of(budget=budget), 0) for budget in (12, 20))
    assert ids(few.train) < ids(more.train)
    assert few.hash == cell_data.draw(cell_of(), 0).hash != cell_data.draw(cell_of(), 1).hash
    stratified = cell_data.draw(cell_of(draw="stratified"), 0)
    assert ids(stratified.train) != ids(few.train)


@pytest.mark.parametrize("dev", [0, 10, 20])
@pytest.mark.parametrize("budget", [12, None])
def test_held_out_documents_are_labeled_and_neither_in_test_nor_seen(dev, budget):
    cell = cell_data.Cell("tiny:x", cell_of().read, KINDS, budget, dev)
    test, data = cell_data.draw(cell, 0).test, cell_data.draw(cell, 0, held_out=True)
    assert data.test
    assert all(document.gold for document in data.test)
    assert not ids(data.test) & (ids(test) | ids(data.train) | ids(data.pool))
    if dev == 20 and budget is None:  # nothing else is left
        assert ids(data.test) == ids(data.dev)
    else:
        assert not ids(data.test) & ids(data.dev)


def test_folds_of_labels_cover_all_of_them():
    cell = cell_data.Cell("tiny:all", cell_of().read, KINDS, None, 0)
    scored = []
    for seed in range(5):
        data = cell_data.draw(cell, seed, held_out=True)
        assert len(data.train) == 48
        scored += [document.id for document in data.test]
    assert sorted(scored) == sorted(ids(cell_data.draw(cell, 0).train))


def test_training_has_no_access_to_test(tmp_path):
    data = cell_data.draw(cell_of(), 0)
    task = data.task()
    assert set(task.splits) == {"train", "dev", "unlabeled"}
    assert ids(task.read("train")) == ids(data.train) | ids(data.rest)
    assert not task.paths


def test_cells_have_the_seeds_that_were_fixed_beforehand():
    cells = cell_data.CELLS | cell_data.ENCODER_CELLS | cell_data.SCHEME_CELLS
    seeds = {name: cell.seeds for name, cell in cells.items()}
    assert {name for name, count in seeds.items() if count == 5} == {
        "trec_fine:all", "medical_cases_real:8", "medical_cases_real:8/levels",
    }  # fmt: skip
    assert set(seeds.values()) == {3, 5}
    stratified = {name for name, cell in cells.items() if cell.draw == "stratified"}
    assert stratified == {"transaction_risk@844e7c0:60", "transaction_risk@844e7c0:200"}
    for name, cell in cells.items():
        assert name in stratified or cell.dev <= (cell.budget or cell.dev), "dev is larger than the labels"
    assert len({cell.folder for cell in cells.values()}) == len(cells)
    assert not any(set(cell.folder) & set('<>:"/\\|?*') for cell in cells.values())


def test_cross_validation_tests_every_document_once(monkeypatch):
    documents = [Document(f"case_{index:02}", "text", {"names": ()}) for index in range(40)]
    source = cell_data.Source((tiny.NAMED,), documents[:32], [], [], documents[32:])
    monkeypatch.setattr(cell_data, "shipped", lambda name: source)
    folds = [cell_data.folds("medical", seed) for seed in range(5)]
    assert sorted(document.id for fold in folds for document in fold.test) == [document.id for document in documents]
    assert all(len(fold.test) == 8 and len(fold.train) == 32 for fold in folds)
    assert not any(ids(fold.test) & ids(fold.train) for fold in folds)


# Result files


def random_answers(kind, rng, documents):
    """Return gold and predictions of a kind for documents of 20 characters; spans may overlap and repeat."""
    if kind == "classes":
        return [[rng.choice(tiny.TOPIC.labels) for _ in range(documents)] for _ in range(2)]
    if kind == "flags":
        return [[tuple(f for f in tiny.RISKS.labels if rng.random() < 0.4) for _ in range(documents)] for _ in range(2)]

    def span():
        start = rng.randrange(8)
        return Span(start, start + rng.randint(1, 4), rng.choice(tiny.NAMED.labels))

    return [[tuple(span() for _ in range(rng.randrange(4))) for _ in range(documents)] for _ in range(2)]


@pytest.mark.parametrize("field", tiny.FIELDS, ids=lambda field: field.kind)
@pytest.mark.parametrize("seed", range(5))
def test_counts_give_the_main_score_of_the_package(field, seed):
    gold, predicted = random_answers(field.kind, random.Random(seed), 30)
    encoded = json.loads(json.dumps(measurements.encode(field, gold, predicted)))
    counts = measurements.decode(encoded)
    for chosen in (range(30), range(10), [3, 3, 7, 29]):
        scores = score(field, [gold[index] for index in chosen], [predicted[index] for index in chosen])
        expected = 100 * (scores[scores["main"]] or 0)
        assert intervals.main_score(counts[list(chosen)].sum(0)) == pytest.approx(expected)


def test_counts_above_35_and_documents_without_spans():
    many = tuple(Span(index, index + 1, "person") for index in range(50))
    encoded = measurements.encode(tiny.NAMED, [many, ()], [many[:40], ()])
    assert encoded == {"correct": [40, 0], "predicted": [40, 0], "gold": [50, 0]}
    assert measurements.decode(encoded)[:, 0].tolist() == [[40, 40, 50], [0, 0, 0]]
    assert measurements.encode(tiny.NAMED, [many[:35]], [()]) == {"correct": "0", "predicted": "0", "gold": "z"}
    assert intervals.main_score(measurements.decode(measurements.encode(tiny.NAMED, [()], [()])).sum(0)) == 0


def test_hash_ignores_comments_docstrings_and_layout(tmp_path, monkeypatch):
    monkeypatch.setattr(measurements, "ROOT", tmp_path)
    file = tmp_path / "code.py"

    def hash_of(text):
        file.write_text(text, "utf-8")
        return measurements.code_hash([file])

    code = 'SIZE = 1\n"""The size."""\n\ndef read(name):\n    """Read it."""\n    # why\n    return name + "text"\n'
    assert hash_of(code) == hash_of('"""Other."""\nSIZE=1\ndef read( name ):\n  return name+"text"\n')
    assert hash_of('def read():\n    """Read it."""\n') == hash_of("def read():\n    pass\n")
    for changed in ("SIZE = 2", 'name + "other"', "read(names)"):
        old = {"SIZE = 2": "SIZE = 1", 'name + "other"': 'name + "text"', "read(names)": "read(name)"}[changed]
        assert hash_of(code.replace(old, changed)) != hash_of(code)


def test_hashes_cover_the_code_they_name():
    cell, earlier = (cell_data.CELLS[f"transaction_risk{commit}:60"] for commit in ("", "@844e7c0"))
    hashes = {method: few_labels.hash_of(method, cell) for method in (*package_methods.METHODS, *peers.PEERS)}
    assert all(len(digits) == 12 for digits in hashes.values())
    assert hashes["adversarial"] == hashes["supervised"] != hashes["tfidf"]
    assert len({hashes[name] for name in ("tfidf", "keyword_rule", "crf", "setfit")}) == 4
    # The rules for the present phrases do not matter for the earlier data.
    assert few_labels.hash_of("keyword_rule", earlier) != hashes["keyword_rule"]
    assert few_labels.hash_of("tfidf", earlier) == hashes["tfidf"]
    for peer in peers.PEERS.values():
        assert all((ROOT / source).is_file() for source in (*peer.sources, *peer.present_sources))
        assert any(source.endswith(f"{peer.fit.__module__}.py") for source in peer.sources)
    assert all((ROOT / "electra_ie" / name).exists() for name in measurements.HASHED)


# Intervals


def classes(correct):
    """Return the counts of documents whose class is correct (1) or not (0)."""
    return measurements.decode({"correct": correct})


def test_interval_of_two_documents_by_hand():
    """Of the four equally likely samples of two documents the difference is 100, 50, 50 and 0."""
    gain = intervals.difference([classes("10")], [classes("00")], same_test=True)
    assert (gain.mean, gain.low, gain.high) == (50, 0, 100)
    assert not gain.excludes_zero
    draws = intervals.resample([classes("10")], True) - intervals.resample([classes("00")], True)
    assert [np.mean(draws == value) for value in (0, 50, 100)] == pytest.approx([0.25, 0.5, 0.25], abs=0.04)


def test_interval_over_seeds_by_hand():
    """All documents of a seed are equal, so that only the seeds vary: 0, 50, 50 or 100."""
    gain = intervals.difference([classes("11"), classes("00")], [classes("00")] * 2, same_test=False)
    assert (gain.mean, gain.low, gain.high) == (50, 0, 100)
    certain = intervals.difference(
        [classes("111"), classes("1111")], [classes("000"), classes("0000")], same_test=False
    )
    assert (certain.mean, certain.low, certain.high) == (100, 100, 100)
    assert certain.excludes_zero


def test_both_methods_get_the_same_documents_and_seeds():
    """The methods differ by one document in each seed, so no draw of the pairs can favor the second one."""
    first, second = [classes("110010"), classes("010011")], [classes("100010"), classes("010010")]
    gain = intervals.difference(first, second, same_test=True)
    assert gain.mean == pytest.approx(100 / 6)
    assert gain.low >= 0
    # If the samples were not paired, the interval would be that of independent draws.
    assert gain.high - gain.low < 70


@pytest.mark.parametrize("same_test", [True, False])
def test_resampling_is_that_of_a_plain_loop(same_test):
    rng = random.Random(1)
    by_seed = []
    for _ in range(2):
        gold, predicted = random_answers("flags", rng, 7)
        by_seed.append((gold, predicted))
    counts = [measurements.decode(measurements.encode(tiny.RISKS, *pair)) for pair in by_seed]
    drawn = intervals.resample(counts, same_test)
    seeds = np.random.default_rng(0).integers(2, size=(intervals.DRAWS, 2))
    for draw in range(0, intervals.DRAWS, 100):
        scores = []
        for slot, seed in enumerate(seeds[draw]):
            weights = intervals.document_weights(7, 0 if same_test else 1 + slot)[draw]
            assert weights.sum() == 7
            chosen = [index for index in range(7) for _ in range(int(weights[index]))]
            gold, predicted = by_seed[seed]
            result = score(tiny.RISKS, [gold[index] for index in chosen], [predicted[index] for index in chosen])
            scores.append(100 * (result["macro_f1"] or 0))
        assert drawn[draw] == pytest.approx(np.mean(scores))


digits = st.integers(1, 9).flatmap(
    lambda size: st.lists(st.text("01", min_size=size, max_size=size), min_size=4, max_size=4)
)


@given(digits, st.booleans())
def test_interval_of_equal_methods_is_zero_and_swapping_changes_the_sign(columns, same_test):
    first, second = [classes(columns[0]), classes(columns[1])], [classes(columns[2]), classes(columns[3])]
    same = intervals.difference(first, first, same_test)
    assert (same.mean, same.low, same.high) == (0, 0, 0)
    gain, swapped = (intervals.difference(*pair, same_test) for pair in ((first, second), (second, first)))
    assert (gain.mean, gain.low, gain.high) == pytest.approx((-swapped.mean, -swapped.high, -swapped.low))
    assert gain.low <= gain.high


# Tables


def result_of(correct):
    """Return what the table reads of a measurement of the field `topic`."""
    main = 100 * correct.count("1") / len(correct)
    return {"test": {"topic": {"main": main, "counts": {"correct": correct}}}, "processor": "A", "cpu_seconds": 1.0}


def row_of(name, scores):
    """Return a row of a cell of two seeds from the correct answers of each method, by seed."""
    results = {method: dict(enumerate(map(result_of, by_seed))) for method, by_seed in scores.items()}
    return table.Row(cell_of(name=name, fields={"topic": "classes"}), "topic", results)


def test_a_single_seed_has_a_gain_without_an_interval():
    row = row_of("tiny:12", {"supervised": ["1000"], "self_training": ["1100", "1111"]})
    assert table._gain(row, "supervised") == ["+25.0", "-"]
    assert table._gain(row, "adversarial") == table._gain(row, None) == ["-", "-"]


def test_summary_has_complete_rows_and_counts_both_forms_of_a_set_once():
    complete = {"supervised": ["1000", "1000"], "self_training": ["1100", "1100"]}
    rows = [
        row_of("tiny:12", complete),
        row_of("tiny@1d0406b:12", {**complete, "self_training": ["1111", "1111"]}),
        row_of("other:12", {**complete, "self_training": ["1000", "1000"]}),
        row_of("missing:12", {**complete, "self_training": ["1111"]}),
    ]
    (line,) = [line for line in table.summary(rows).splitlines() if line.startswith("| supervised")]
    assert line.split(" | ")[1:4] == ["3", "+33.3", "+25.0"]
    assert table.summary(rows[3:]) == "`self_training` is not measured with all seeds."


# Peers


def test_thresholds_give_each_flag_its_share_on_the_pool():
    data = cell_data.draw(cell_of(), 0)
    shares = [np.mean([flag in document.gold["risks"] for document in data.train]) for flag in tiny.RISKS.labels]
    pool = np.random.default_rng(0).normal(size=(1000, 2)) * [1, 100]
    answers = linear_peers.assign(tiny.RISKS, pool, pool, data)
    for flag, share in zip(tiny.RISKS.labels, shares, strict=True):
        assert np.mean([flag in flags for flags in answers]) == pytest.approx(share, abs=0.002)


@pytest.mark.parametrize("field", [tiny.TOPIC, tiny.RISKS], ids=lambda field: field.kind)
def test_tfidf_learns_classes_and_flags(field):
    data = cell_data.draw(cell_of(budget=40), 0)
    answers = linear_peers.tfidf(field, data)([document.text for document in data.test])
    result = score(field, [document.gold[field.name] for document in data.test], answers)
    assert result[result["main"]] > 0.8


def test_self_training_keeps_rare_flags():
    rng = np.random.default_rng(0)
    centers = np.array([[0.0, 1.0], [1.0, 0.0]])
    gold = np.array([0] * 18 + [1] * 2)
    pool_gold = (rng.random(400) < 0.1).astype(int)
    rows, pool = (centers[labels] + 0.2 * rng.normal(size=(len(labels), 2)) for labels in (gold, pool_gold))
    model = linear_peers._self_trained(rows, gold, 1.0, pool)
    assert np.mean(model.predict(pool) == pool_gold) > 0.97


@given(
    st.text(alphabet="aB1 .\n-é", max_size=40), st.lists(st.tuples(st.integers(0, 39), st.integers(1, 6)), max_size=4)
)
def test_tags_of_a_crf_give_the_spans_of_whole_tokens(text, pairs):
    spans = [Span(start, start + size, "x") for start, size in pairs if start + size <= len(text)]
    spans = [
        span
        for index, span in enumerate(spans)
        if all(span.start >= o.end or o.start >= span.end for o in spans[:index])
    ]
    sentences = list(crf.sentences(text))
    tokens = [token for sentence in sentences for token in sentence]
    assert tokens == [match.span() for match in crf.TOKEN.finditer(text)]
    for sentence in sentences:
        decoded = set(crf.spans_of(sentence, crf.tags_of(sentence, spans)))
        starts, ends = {start for start, _ in sentence}, {end for _, end in sentence}
        inside = {s for s in spans if s.start in starts and s.end in ends and s.end <= sentence[-1][1]}
        alone = {
            s
            for s in inside
            if not any(
                o != s and o.start < e and b < o.end for b, e in sentence for o in spans if b < s.end and s.start < e
            )
        }
        assert alone <= decoded
        assert len(crf.features_of(text, sentence)) == len(sentence)


def test_crf_learns_spans():
    pytest.importorskip("pycrfsuite")
    data = cell_data.draw(cell_of(budget=40), 0)
    answers = crf.crf(tiny.NAMED, data)([document.text for document in data.test])
    assert score(tiny.NAMED, [document.gold["names"] for document in data.test], answers)["f1"] > 0.8


@pytest.mark.parametrize("cell", ["transaction_risk:200", "transaction_risk@844e7c0:200"])
def test_keyword_rule_predicts_flags_and_spans(cell):
    if (
        "@" in cell
        and subprocess.run(["git", "-C", str(ROOT), "cat-file", "-e", cell_data.COMMIT], capture_output=True).returncode
    ):
        pytest.skip("the checkout has no history")
    data = cell_data.draw(cell_data.CELLS[cell], 0)
    documents = data.test[:80]
    for field in data.fields:
        answers = keyword_peer.keyword_rule(field, data)([document.text for document in documents])
        result = score(field, [document.gold[field.name] for document in documents], answers)
        assert result[result["main"]] > 0.1


# Measurements


@pytest.fixture
def bench(monkeypatch, tmp_path, encoder):
    """Return a function that runs few_labels.py with arguments on one tiny cell, and the folder of its results."""
    cell = cell_of(seeds=1)
    settings = [f"{name}={value}" for name, value in tiny.settings(encoder("bert"), "supervised", max_steps=4).items()
                if name not in ("preset", "discriminator", "generator")]  # fmt: skip
    small = {
        name: package_methods.Method(method.preset, (*settings, *method.overrides), min(2, method.supervised_runs))
        for name, method in package_methods.METHODS.items()
    }
    for module in (package_methods, few_labels, table):
        monkeypatch.setattr(module, "METHODS", small)
    for module in (cell_data, few_labels, table):
        monkeypatch.setattr(module, "CELLS", {cell.name: cell})
        monkeypatch.setattr(module, "ENCODER_CELLS", {})
        monkeypatch.setattr(module, "SCHEME_CELLS", {})
    monkeypatch.setattr(measurements, "RESULTS", tmp_path / "results")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["few_labels.py", *arguments])
        few_labels.main()

    return SimpleNamespace(run=run, cell=cell, results=tmp_path / "results")


@pytest.mark.slow
def test_measurements_are_written_skipped_and_redone(bench, monkeypatch, capsys):
    methods = ("supervised", "supervised_best_of_3", "adversarial", "tfidf")
    bench.run("--methods", *methods)
    results = {method: measurements.read(bench.cell, method, 0) for method in methods}
    assert sorted(file.name for file in bench.results.rglob("*.*")) == sorted(f"{method}.0.json" for method in methods)
    for method, result in results.items():
        assert result["cell"] == "tiny:12"
        assert (result["method"], result["seed"]) == (method, 0)
        assert result["sizes"] == {"labels": 12, "dev": 10, "pool": 78, "test": 40}
        assert result["draw"] == "plain"
        assert result["code"] == few_labels.hash_of(method, bench.cell)
        assert result["data"] == results["supervised"]["data"]
        assert {"processor", "precision", "threads", "date", "versions", "commit"} <= result.keys()
        fields = KINDS if method != "tfidf" else {"topic", "risks"}
        assert set(result["test"]) == set(fields)
        for values in result["test"].values():
            counts = measurements.decode(values["counts"])
            assert len(counts) == 40
            assert intervals.main_score(counts.sum(0)) == pytest.approx(values["main"], abs=1e-3)
    seconds = {method: result["cpu_seconds"] for method, result in results.items()}
    assert min(seconds["adversarial"], seconds["supervised_best_of_3"]) > seconds["supervised"] > 0
    assert 0 <= results["supervised"]["dev"] <= results["supervised_best_of_3"]["dev"] <= 100
    assert "| tiny:12 | topic | " in capsys.readouterr().out

    measured = []

    def count(data, method, runs):
        measured.append(method)
        return {**results[method], "code": few_labels.hash_of(method, data.cell)}

    monkeypatch.setattr(few_labels, "measure", count)
    bench.run("--methods", *methods)
    assert not measured
    before = few_labels.hash_of
    monkeypatch.setattr(
        few_labels, "hash_of", lambda method, cell: "changed" if method == "tfidf" else before(method, cell)
    )
    capsys.readouterr()
    bench.run("--methods", *methods)
    assert not measured
    assert "tiny:12 | tfidf | 0: other code; kept without --redo" in capsys.readouterr().out
    bench.run("--methods", *methods, "--redo")
    assert measured == ["tfidf"]
    (bench.results / bench.cell.folder / "adversarial.0.json").unlink()
    bench.run("--methods", *methods, "--limit-hours", "-1")
    assert measured == ["tfidf"]
    assert "time limit reached" in capsys.readouterr().out
    bench.run("--methods", *methods)
    assert measured == ["tfidf", "adversarial"]


@pytest.mark.slow
def test_settings_are_chosen_on_held_out_labels_and_nothing_is_written(bench, capsys):
    bench.run("--split", "dev", "--methods", "tfidf", "supervised", "--set", "max_steps=3")
    out = capsys.readouterr().out
    assert "tiny:12 | supervised | 0: topic " in out
    assert "tiny:12 | risks | tfidf: " in out
    assert not bench.results.exists()
    with pytest.raises(SystemExit):
        bench.run("--set", "max_steps=3")
    assert "--set needs --split dev" in capsys.readouterr().err


def test_without_dev_supervised_training_of_equal_cost_is_one_run_of_three_times_the_steps(monkeypatch, tmp_path):
    cell = cell_data.Cell("tiny:12", cell_of().read, KINDS, 12, 0, 1)
    runs = package_methods.Runs(cell_data.draw(cell, 0), tmp_path)
    trained = []

    def train(name, method, *overrides, teacher=None):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "run.yaml").write_text("max_steps: 40\n", "utf-8")
        trained.append((name, overrides))
        return package_methods.Trained(folder, 1.0, None)

    monkeypatch.setattr(runs, "_train", train)
    assert runs.train("supervised_best_of_3").seconds == 1.0
    assert trained == [("supervised", ()), ("supervised_best_of_3", ("max_steps=120",))]


@pytest.mark.slow
def test_settings_of_the_generator_are_not_those_of_the_supervised_run(tmp_path, encoder):
    settings = tiny.settings(encoder("bert"), "supervised", max_steps=2)
    common = [f"{name}={settings[name]}" for name in ("window", "max_steps", "batch_size")]
    overrides = [*common, "generator.adversarial_masking=0", "mask_ratio=0.4"]
    cell = cell_of(encoder=settings["encoder"])
    runs = package_methods.Runs(cell_data.draw(cell, 0), tmp_path, overrides)
    trained = runs.train("complete_texts")
    student, teacher = (TrainSettings.build(run.path / "run.yaml") for run in (trained, runs.supervised))
    assert (student.generator, student.mask_ratio) == ({"adversarial_masking": 0}, 0), "the method's own come last"
    assert student.encoder == teacher.encoder == cell.encoder


def test_cells_of_another_scheme_have_the_documents_of_their_cell():
    if not (ROOT / "../shared/data/cmeee").is_dir():
        pytest.skip("../shared/data/cmeee is not there")
    for name, cell in cell_data.SCHEME_CELLS.items():
        flat, other = (cell_data.draw(each, 1) for each in (cell_data.CELLS[name.partition("/")[0]], cell))
        assert (flat.hash, flat.cell.seeds) == (other.hash, cell.seeds)
        gold = [(document, field) for document in other.train for field in with_levels(other.fields, other.train)]
        assert not any(lost_by_overlap(field, document.gold.get(field.name, ())) for document, field in gold)
        before = [(document, field) for document in flat.train for field in flat.fields]
        assert any(lost_by_overlap(field, document.gold.get(field.name, ())) for document, field in before)
