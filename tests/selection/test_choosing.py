"""Which texts are chosen to be labeled: typical ones, uncertain ones, random ones, and no near-copies."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import tiny

from electra_ie import Extractor
from electra_ie.common.errors import UserError
from electra_ie.data.bio import viterbi
from electra_ie.data.document import Document
from electra_ie.selection import choosing
from electra_ie.selection.choosing import by_uncertainty, choose
from electra_ie.selection.copies import Taken
from electra_ie.selection.typical import clusters, most_typical, typicality
from electra_ie.selection.uncertain import mean_rank


@pytest.fixture(scope="module")
def bert(encoder):
    return encoder("bert")


@pytest.fixture(scope="module")
def extractor(run):
    return Extractor.from_pretrained(run)


def named(count, seed=9):
    """Return labeled documents of the tiny task with ids of their own."""
    return [Document(f"d{number}", each.text, each.gold) for number, each in enumerate(tiny.documents(count, seed))]


def ids(choices):
    return [choice.document.id for choice in choices]


def test_a_choice_is_the_same_again_without_gold_and_a_share_is_random(bert):
    pool = named(60)
    first, again, other = (choose(pool, 10, labeled=[], encoder=bert, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert ids(first) != ids(other)
    assert len(set(ids(first))) == 10
    assert [choice.chosen for choice in first].count("random") == 2
    assert {choice.chosen for choice in first} == {"typical", "random"}
    assert all(0 <= choice.score <= 1 and not choice.document.gold for choice in first)
    # The first half has its share too: a person may stop there.
    assert [choice.chosen for choice in first[:5]].count("random") == 1
    assert {choice.chosen for choice in choose(pool, 5, labeled=[], encoder=bert, random_share=1)} == {"random"}


def test_labeled_blank_and_equal_texts_are_not_chosen(bert):
    pool = named(12)
    same = Document("same", pool[3].text.replace(" ", "  "))
    chosen = choose([*pool, same, Document("blank", " \n")], 50, labeled=pool[:3], encoder=bert)
    assert set(ids(chosen)) == {document.id for document in pool[3:]}
    assert choose(pool, 3, labeled=pool, encoder=bert) == []
    assert choose([], 3, labeled=[], encoder=bert) == []


@pytest.mark.parametrize("arguments", [{"count": 0}, {"count": 3, "random_share": 1.5}])
def test_impossible_numbers_are_refused(bert, arguments):
    with pytest.raises(UserError, match="count of at least 1, and a share from 0 to 1"):
        choose(named(4), labeled=[], encoder=bert, **arguments)


@pytest.mark.parametrize("with_run", [False, True], ids=["typical", "uncertain"])
def test_near_copies_are_chosen_only_when_nothing_else_is_left(bert, extractor, with_run):
    words = "the account of the bank in the city was closed later in winter and no letter was sent to the old house"
    copies = [Document(f"copy{number}", f"{words} {number}") for number in range(30)]
    others = named(6)
    model = extractor if with_run else None
    chosen = choose([*copies, *others], 6, labeled=[], extractor=model, encoder=bert, random_share=0)
    assert sum(name.startswith("copy") for name in ids(chosen)) <= 1
    everything = choose([*copies, *others], 36, labeled=[], extractor=model, encoder=bert, random_share=0)
    assert sorted(ids(everything)) == sorted(document.id for document in (*copies, *others))
    assert {name for name in ids(everything)[:7] if not name.startswith("copy")} == {each.id for each in others}
    known = [Document("known", words)]
    chosen = choose([*copies, *others], 6, labeled=known, extractor=model, encoder=bert, random_share=0)
    assert set(ids(chosen)) == {document.id for document in others}


def test_a_large_pool_is_sampled_with_a_notice(bert, monkeypatch, capsys):
    monkeypatch.setattr(choosing, "MAX_TEXTS", 20)
    assert len(choose(named(50), 30, labeled=[], encoder=bert)) == 20
    assert "among 20 of " in capsys.readouterr().err


def test_uncertainty_does_not_depend_on_the_other_texts_and_is_there_without_a_finding(extractor):
    documents = [*named(8), Document("nothing", "the quiet"), Document("blank", "")]
    together = list(extractor.pipeline().uncertainties(documents))
    assert [list(extractor.pipeline().uncertainties([document]))[0] for document in documents] == together
    assert list(extractor.pipeline().uncertainties(documents[::-1])) == together[::-1]
    assert all(set(each) == {"topic", "risks", "names"} for each in together)
    assert all(0 <= value <= 1 for each in together for value in each.values())
    assert not extractor("the quiet").result.answers["names"]
    assert together[8]["names"] > 0
    assert together[9]["names"] == 0


def test_uncertainty_is_that_of_the_formulas(extractor):
    """The tiny run scores each text in one window, whose probabilities give all three numbers."""
    document = named(1)[0]
    reader = extractor.pipeline()
    seen = {}

    def score(groups):
        logits = reader.score(groups)
        seen.update({name: values[0].astype(float) for name, values in logits[0].items()})
        return logits

    (found,) = replace(reader, score=score).uncertainties([document])
    topic = np.exp(seen["topic"]) / np.exp(seen["topic"]).sum()
    first, second = sorted(topic, reverse=True)[:2]
    assert found["topic"] == pytest.approx(1 - (first - second))
    risks = 1 / (1 + np.exp(-seen["risks"]))
    assert found["risks"] == pytest.approx(np.mean([1 - abs(2 * each - 1) for each in risks]))
    (window,) = extractor.windower(document.text)
    rows = [1 + index for index, (start, end) in enumerate(window.offsets) if start < end]
    tags = np.exp(seen["names"][rows]) / np.exp(seen["names"][rows]).sum(axis=1, keepdims=True)
    best = tags[np.arange(len(rows)), viterbi(tiny.NAMED, seen["names"][rows])]
    assert best.min() < tags.max(axis=1).min(), "the most probable tags are not a valid sequence here"
    assert found["names"] == pytest.approx(1 - math.exp(np.log(best).mean()))


def test_all_texts_are_ordered_by_uncertainty(extractor):
    documents = named(10)
    ordered = by_uncertainty(documents, extractor)
    scores = [choice.score for choice in ordered]
    assert scores == sorted(scores, reverse=True)
    assert sorted(ids(ordered)) == sorted(document.id for document in documents)


def test_ranks_give_each_field_the_same_weight():
    uncertainties = [{"a": 0.001, "b": 0.9}, {"a": 0.002, "b": 0.1}, {"a": 0.003, "b": 0.5}, {"a": 0.0, "b": 0.5}]
    ranks = mean_rank(uncertainties)
    assert ranks == pytest.approx([(1.5 + 3.5) / 8, (2.5 + 0.5) / 8, (3.5 + 2) / 8, (0.5 + 2) / 8])
    assert mean_rank([]).size == 0


def blobs(sizes, spread=0.05):
    rng = np.random.default_rng(0)
    centers = 10 * np.eye(len(sizes), 8)
    return np.concatenate(
        [center + spread * rng.normal(size=(size, 8)) for center, size in zip(centers, sizes, strict=True)]
    )


def test_the_largest_cluster_without_a_label_comes_first():
    states = blobs((30, 20, 10, 2))
    labels = clusters(states, 4, 0)
    assert len(set(labels)) == 4
    typical = typicality(states, labels)
    taken = []
    chosen = most_typical(labels, typical, np.zeros(len(states), bool), 5, lambda row: not taken.append(row))
    groups = [next(k for k, end in enumerate((30, 50, 60, 62)) if row < end) for row in chosen]
    assert groups == [0, 1, 2, 3, 0], "each cluster once, the small one last, then the largest again"
    distances = np.linalg.norm(states[:30, None] - states[None, :30], axis=2)
    nearest = np.sort(distances, axis=1)[:, 1:21].mean(axis=1)
    assert chosen[0] == nearest.argmin()
    is_labeled = np.zeros(len(states), bool)
    is_labeled[5] = True
    assert most_typical(labels, typical, is_labeled, 1, lambda row: True)[0] >= 30, "that cluster has a label"


def test_equal_rows_are_one_cluster_and_a_row_alone_is_not_typical():
    states = np.concatenate([np.zeros((5, 3)), np.ones((1, 3))])
    labels = clusters(states, 4, 0)
    assert len(set(labels)) == 2
    assert typicality(states, labels).tolist() == [1, 1, 1, 1, 1, 0]


def test_uncertain_texts_are_the_typical_ones_of_clusters_of_the_uncertain_half(bert, extractor, monkeypatch):
    pool = named(40)
    scores = np.linspace(1, 0, len(pool))
    monkeypatch.setattr(choosing, "mean_rank", lambda _: scores)
    chosen = choose(pool, 6, labeled=[], extractor=extractor, encoder=bert, random_share=0)
    places = [[document.id for document in pool].index(name) for name in ids(chosen)]
    assert all(place < 20 for place in places), "the uncertain half"
    assert sorted(places) != list(range(6)), "the most uncertain ones alone are alike"
    states = choosing.Encoded(bert).states([document.text for document in pool[:20]])
    labels = clusters(states, 6, 0)
    assert len({labels[place] for place in places}) == 6, "one of each cluster"
    most = choose(pool, 30, labeled=[], extractor=extractor, encoder=bert, random_share=0)
    assert len(most) == 30, "the other half if the first is not enough"


def test_near_copies_are_found():
    taken = Taken([Document("a", "one two three four five six seven eight nine ten eleven twelve thirteen fourteen")])
    assert taken.has_copy_of(Document("b", "one two three four five six seven eight nine ten eleven twelve thirteen"))
    assert not taken.has_copy_of(Document("c", "one two three four five six seven of the eight"))
