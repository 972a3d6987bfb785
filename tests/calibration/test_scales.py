"""Scores become probabilities: what they are made of, how scales are fitted and judged, and their file."""

from __future__ import annotations

import json
import random
import shutil
import warnings
from dataclasses import replace

import numpy as np
import pytest
import tiny

from electra_ie import ExportedExtractor, Extractor, UserError, train
from electra_ie.calibration.error import calibration_error, reliability
from electra_ie.calibration.fitting import fit
from electra_ie.calibration.found import Found, found_in
from electra_ie.calibration.scales import Scale
from electra_ie.calibration.stored import Calibration, Promise
from electra_ie.data.bio import inside_tags, to_spans, viterbi
from electra_ie.data.document import Document, Finding, Span
from electra_ie.export.exporter import export_run
from electra_ie.inference.engine.evidence import span_evidence


def path_score(logits, tags):
    return logits[np.arange(len(tags)), tags].sum()


def test_evidence_of_spans_is_that_of_their_tags():
    draw = np.random.default_rng(3)
    logits = draw.normal(size=(30, 5)) * 3
    breaks = [9, 20]
    tags = viterbi(tiny.NAMED, logits, breaks)
    spans = [tokens for _, tokens in to_spans(tiny.NAMED, tags.tolist(), [(n, n + 1) for n in range(30)])]
    assert len({len(tokens) for tokens in spans}) > 2
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    for row, tokens in zip(span_evidence(logits, tags, spans, breaks, inside_tags(tiny.NAMED)), spans, strict=True):
        own = log_probabilities[tokens, tags[tokens]]
        others = [np.delete(logits[token], tags[token]).max() for token in tokens]
        margins = list(logits[tokens, tags[tokens]] - others)
        after = tokens[-1] + 1
        if after < len(tags) and after not in breaks:
            inside = {1: 2, 2: 2, 3: 4, 4: 4}[tags[tokens[-1]]]
            margins.append(logits[after, tags[after]] - logits[after, inside])
        assert row == pytest.approx([own.mean(), own.min(), np.log(len(tokens)), min(margins)])
    assert span_evidence(logits, tags, [], breaks, inside_tags(tiny.NAMED)).shape == (0, 4)


def test_a_positive_margin_is_at_most_what_the_best_path_without_the_span_loses():
    """The nearest path may have to change several tags, so that the margin is a lower bound of its distance."""
    draw = np.random.default_rng(4)
    compared = 0
    for _ in range(40):
        logits = draw.normal(size=(5, 3)) * 2
        field = replace(tiny.NAMED, labels=("person",))
        tags = viterbi(field, logits)
        if (tags != logits.argmax(axis=1)).any():
            continue
        offsets = [(n, n + 1) for n in range(5)]
        spans = to_spans(field, tags.tolist(), offsets)
        evidence = span_evidence(logits, tags, [tokens for _, tokens in spans], [], inside_tags(field))
        paths = [np.array(each) for each in np.ndindex(3, 3, 3, 3, 3)]
        valid = [path for path in paths if all(b != 2 or a > 0 for a, b in zip([0, *path], path, strict=False))]
        for (span, _), row in zip(spans, evidence, strict=True):
            without = [path for path in valid if span not in [each for each, _ in to_spans(field, path, offsets)]]
            distance = path_score(logits, tags) - max(path_score(logits, path) for path in without)
            assert 0 <= row[3] <= distance + 1e-9
            compared += 1
    assert compared > 20


def simulated(kind="spans", documents=150, seed=0, sharp=3.0):
    """Findings that are right with a probability that the evidence gives, and scores that are too sure of it."""
    draw = np.random.default_rng(seed)
    of = np.repeat(np.arange(documents), draw.integers(1, 4, documents))
    logits = draw.normal(0.8, 1.2, len(of))
    right = draw.random(len(of)) < 1 / (1 + np.exp(-logits))
    margins = logits * sharp
    if kind == "spans":
        mean = -np.log1p(np.exp(-margins))
        evidence = np.stack([mean, mean * 1.5, np.log(draw.integers(1, 5, len(of))), margins], axis=1)
        field = tiny.NAMED
    elif kind == "classes":
        evidence, field = np.stack([margins, np.zeros_like(margins)], axis=1), tiny.TOPIC
        right = np.where(margins > 0, right, ~right)  # the larger logit is the one that is found
    else:
        chosen = margins > 0
        of, right, margins = of[chosen], right[chosen], margins[chosen]
        evidence, field = margins[:, None], tiny.RISKS
    scores = 1 / (1 + np.exp(-(np.abs(margins) if kind == "classes" else margins)))
    return Found(field, of, ("x",) * len(of), scores, right, ({},) * documents, evidence)


@pytest.mark.parametrize("kind", ["spans", "classes", "flags"])
def test_scales_halve_the_error_of_scores_that_are_too_sure(kind):
    found = simulated(kind)
    fitted = fit(found)
    assert fitted.scale is not None and fitted.scale.kind == kind
    before, after = fitted.summary["error_before"], fitted.summary["error_after"]
    assert after[0] < before[0] / 2 and after[1] <= after[0] <= after[2]
    new = simulated(kind, documents=1500, seed=1)
    scores = fitted.scale(new.evidence)
    measured = calibration_error(new.documents, scores, new.right).value
    assert measured < calibration_error(new.documents, new.scores, new.right).value / 2
    again = Scale.from_dict(json.loads(json.dumps(fitted.scale.as_dict())))
    assert (again(new.evidence) == scores).all(), "the file gives the same scores, bit for bit"


def test_an_isotonic_function_follows_where_it_is_better_on_other_documents():
    few, many = simulated(documents=70), simulated(documents=600)
    steps = {number: fit(stepped(found)).summary["isotonic"] for number, found in ((70, few), (600, many))}
    assert steps == {70: False, 600: True}
    scale = fit(stepped(many)).scale
    assert scale and np.all(np.diff([value for _, value in scale.steps]) >= 0)


def stepped(found):
    """Make right a step of the margin, which no logistic curve follows."""
    draw = np.random.default_rng(5)
    chance = np.where(found.evidence[:, 3] > 6, 0.97, 0.35)
    return replace(found, right=draw.random(len(chance)) < chance)


def test_too_few_findings_and_scores_that_are_right_stay_as_they_are():
    few = fit(simulated(documents=6))
    assert few.scale is None and not few.before
    assert few.summary["reason"].endswith("documents of dev are too few: at least 20 in 10 are needed")
    assert str(few.summary["findings"]) in few.summary["reason"]
    known = simulated(documents=40, sharp=1.0)
    fitted = fit(replace(known, evidence=np.random.default_rng(0).normal(size=known.evidence.shape)))
    assert fitted.scale is None and "no scale that was fitted on other documents" in fitted.summary["reason"]


@pytest.mark.parametrize("all_right", [True, False])
def test_findings_that_are_all_right_or_all_wrong_give_no_certainty(all_right):
    found = simulated(documents=30)
    found = replace(found, right=np.full(len(found.right), all_right))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = fit(found)
    scale = fitted.scale
    assert scale
    scores = scale(found.evidence)
    assert (scores > 0.8 if all_right else scores < 0.2).all() and 0.001 < scores.min() <= scores.max() < 0.999


def test_the_interval_of_the_error_resamples_documents():
    """Ten findings of a document that are right together are as much evidence as one."""
    draw = np.random.default_rng(0)
    right = draw.random(60) < 0.7
    once = calibration_error(np.arange(60), np.full(60, 0.8), right)
    tenfold = calibration_error(np.repeat(np.arange(60), 10), np.full(600, 0.8), np.repeat(right, 10))
    apart = calibration_error(np.arange(600), np.full(600, 0.8), draw.random(600) < 0.7)
    assert tenfold.high - tenfold.low == pytest.approx(once.high - once.low, rel=0.15)
    assert apart.high - apart.low < (once.high - once.low) / 2
    assert once.value == pytest.approx(abs(right.mean() - 0.8)) and once.low <= once.value <= once.high


def test_bins_have_equally_many_findings():
    draw = np.random.default_rng(0)
    bins = reliability(draw.random(1000), draw.random(1000) < 0.5)
    assert [each.findings for each in bins] == [100] * 10
    assert [each.score for each in bins] == sorted(each.score for each in bins)
    assert len(reliability(np.full(50, 0.9), np.ones(50, bool))) == 1


def test_findings_are_right_by_label_and_both_ends_and_missed_gold_is_counted():
    spans = (Span(0, 4, "person"), Span(5, 9, "amount"))
    documents = [
        Document("a", "Arden 1.50 more", {"names": spans, "topic": "trade"}),
        Document("b", "no gold for names", {"topic": "other"}),
        Document("c", "later", {"names": (), "topic": "trade"}),
    ]
    findings = [
        [
            Finding("names", "person", 0, 4, "Arde", 0.9),
            Finding("names", "amount", 5, 8, "1.5", 0.8),
            Finding("topic", "trade", 0, 15, None, 0.7, 1),
        ],
        [Finding("names", "person", 0, 2, "no", 0.5), Finding("topic", "trade", 0, 17, None, 0.6, 1)],
        [Finding("names", "person", 0, 5, "later", 0.4)],
    ]
    names = found_in(tiny.NAMED, documents, findings)
    assert names.right.tolist() == [True, False, False]
    assert (names.documents.tolist(), names.gold) == ([0, 0, 1], ({"person": 1, "amount": 1}, {}))
    topic = found_in(tiny.TOPIC, documents, findings)
    assert (topic.right.tolist(), topic.documents.tolist()) == ([True, False], [0, 1])
    assert len(topic.gold) == 3


def test_a_run_ships_its_calibration_and_extraction_uses_it(calibrated):
    run = calibrated
    summary = json.loads((run / "scores.json").read_text("utf-8"))["training"]["calibration"]
    extractor = Extractor.from_pretrained(run)
    assert extractor.calibration is not None
    fitted = {name for name, each in summary.items() if "method" in each}
    assert set(extractor.calibration.scales) == fitted and "names" in fitted
    text = "invoice goods Arden paid 5.975,74 later than monday."
    fitted_scores = extractor(text)
    extractor.calibration = None
    plain = extractor(text)
    for one, other in zip(fitted_scores, plain, strict=True):
        assert replace(one, score=other.score) == other, "only scores change"
    assert [one.score for one in fitted_scores] != [one.score for one in plain]
    content = (run / "calibration.json").read_text("utf-8")
    assert not any(name in content for name in tiny.NAMES), "it holds no text"
    card = (run / "README.md").read_text("utf-8")
    assert "## Scores as probabilities" in card and "| names | " in card.partition("## Scores as probabilities")[2]
    assert (run / "reliability_names.png").is_file()


def texts(number=40):
    draw = random.Random(3)
    return [Document(str(index), tiny.record(index, draw)["text"]) for index in range(number)]


def test_the_same_scores_alone_and_in_batches(calibrated):
    extractor = Extractor.from_pretrained(calibrated)
    together = [result.findings for result in extractor.read(texts())]
    assert [next(extractor.read([text])).findings for text in texts()] == together


@pytest.mark.slow
def test_the_same_scores_exported(calibrated, tmp_path):
    extractor = Extractor.from_pretrained(calibrated)
    together = [result.findings for result in extractor.read(texts())]
    pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
    exported = ExportedExtractor.from_pretrained(export_run(calibrated, tmp_path / "exported").path)
    assert exported.calibration and exported.calibration.scales == extractor.calibration.scales
    pairs = zip(together, (result.findings for result in exported.read(texts())), strict=True)
    for one, other in ((one, other) for left, right in pairs for one, other in zip(left, right, strict=True)):
        assert replace(one, score=0.0) == replace(other, score=0.0)
        assert one.score == pytest.approx(other.score, abs=1.01e-4)
    assert "## Scores as probabilities" in (tmp_path / "exported" / "README.md").read_text("utf-8")


def test_a_run_without_the_file_gives_the_scores_of_its_model(calibrated, tmp_path):
    copy = shutil.copytree(calibrated, tmp_path / "old")
    (copy / "calibration.json").unlink()
    old, new = Extractor.from_pretrained(copy), Extractor.from_pretrained(calibrated)
    assert old.calibration is None
    new.calibration = None
    assert old("Arden paid 5.975,74") == new("Arden paid 5.975,74")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "f" * 64}, "the calibration belongs to the weights ffffffffffffffff, and these are "),
        ({"version": 9}, r"the calibration is of another version \(9, not 1\)"),
        ({"scales": {"names": {"kind": "spans", "weights": [1], "intercept": 0}}}, "the calibration is damaged"),
        ({"promises": [{"measure": "precision"}]}, "the calibration is damaged"),
        ({"reference": [1]}, "the calibration is damaged"),
    ],
)
def test_a_file_of_other_weights_or_a_damaged_one_is_refused_in_one_line(run, tmp_path, change, message):
    copy = shutil.copytree(run, tmp_path / "copy")
    file = copy / "calibration.json"
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), **change}), "utf-8")
    with pytest.raises(UserError, match=rf"calibration\.json: {message}") as raised:
        Extractor.from_pretrained(copy)
    assert "\n" not in str(raised.value) and "delete the file" in str(raised.value)


def test_the_file_is_read_as_it_was_written(tmp_path):
    promise = Promise("precision", 0.9, "names", "person", 0.75, 0.9, 40, 0.97, "dev", ("one", "two"))
    scale = Scale("flags", (0.5,), 0.1, ((0.2, 0.1), (0.8, 0.9)))
    written = Calibration("m" * 64, {"risks": scale}, {"names": [[("person", 0.5)], []]}, (promise,))
    written.save(tmp_path)
    assert Calibration.read(tmp_path, "m" * 64) == written
    assert Calibration.read(tmp_path / "elsewhere", "m" * 64) is None


def test_without_dev_the_scores_stay_and_the_run_says_so(tmp_path, encoder):
    task = tiny.without(tiny.write_task(tmp_path / "task"), "risks", "topic")
    task.write_text(task.read_text("utf-8").replace("dev: dev.jsonl, ", ""), "utf-8")
    folder = train(task, tmp_path / "run", **tiny.settings(encoder("bert"), "supervised", max_steps=2)).path
    summary = json.loads((folder / "scores.json").read_text("utf-8"))["training"]["calibration"]
    assert summary == {"names": {"reason": "there was no labeled document of dev"}}
    card = (folder / "README.md").read_text("utf-8")
    assert "The scores of `names` are the model's own: there was no labeled document of dev." in card
    assert "not calibrated. They rank findings" in card
