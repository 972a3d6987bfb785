"""Documents of one split in another: counted rightly, on any pair of splits, without their texts."""

from __future__ import annotations

import json
import random

import pytest

from electra_ie.data import leakage as overlap
from electra_ie.data.document import Document
from electra_ie.data.leakage import jaccard, overlaps, shingles

DRAW = random.Random(1)


def words(size: int) -> list[str]:
    return ["".join(DRAW.choices("abcdefghijklmnop", k=6)) for _ in range(size)]


def documents(name: str, texts) -> list[Document]:
    return [Document(f"{name}{number}", text) for number, text in enumerate(texts)]


def pair(found, of: str, within: str):
    return next(each for each in found["pairs"] if (each["of"], each["in"]) == (of, within))


def changed(text: list[str], places: int) -> str:
    """Another word at some places, far from one another."""
    return " ".join(f"{word}x" if place % 40 == 5 and place // 40 < places else word for place, word in enumerate(text))


def test_copies_and_near_copies_are_counted_and_named():
    first, second, third = words(80), words(80), words(80)
    train = documents("train", [" ".join(first), " ".join(second), " ".join(words(80)), "Short note"])
    test = documents("test", [
        " ".join(words(80)), "  ".join(first).replace("  ", " \n\t"), changed(second, 1).upper(), "Short  note", " ".join(third),
        "another short note",
    ])  # fmt: skip
    pool = documents("pool", [" ".join(words(60)) for _ in range(30)] + [changed(third, 2)])
    found = overlaps({"train": train, "pool": pool, "dev": [], "test": test})
    assert {(each["of"], each["in"]) for each in found["pairs"]} == {
        ("test", "train"),
        ("test", "pool"),
        ("train", "pool"),
    }
    inside = pair(found, "test", "train")
    assert (inside["documents"], inside["exact"], inside["near"]) == (6, 2, 1), "white space and case do not part texts"
    assert inside["examples"] == [["test1", "train0"], ["test3", "train3"], ["test2", "train1"]]
    assert pair(found, "test", "pool")["near"] == 1
    assert not pair(found, "train", "pool")["examples"]
    assert found["capped"] == []
    assert not [word for word in first + second + third if word in json.dumps(found)]


def test_near_means_the_measured_likeness():
    """Texts whose likeness lies well on either side of the threshold are told apart, by counting and not by sketch."""
    texts = [words(100) for _ in range(40)]
    near = [changed(text, 3) for text in texts]
    far = [" ".join(text[:70] + words(30)) for text in texts]
    assert all(
        jaccard(shingles(" ".join(text)), shingles(other)) >= overlap.MIN_SIMILARITY
        for text, other in zip(texts, near, strict=True)
    )
    found = overlaps(
        {"train": documents("t", map(" ".join, texts)), "dev": documents("n", near), "test": documents("f", far)}
    )
    assert pair(found, "dev", "train")["near"] == 40
    assert pair(found, "test", "train")["near"] == 0


def test_form_letters_are_told_apart_by_their_sketches(monkeypatch):
    """The index proposes pairs by the thousand that are half alike; few of them are compared shingle by shingle."""
    form = words(50)

    def letter() -> str:
        written = list(form)
        for place in DRAW.sample(range(50), 3):
            written[place] = DRAW.choice("abc") * DRAW.randrange(2, 99)
        return " ".join(written)

    pool = documents("pool", [letter() for _ in range(60)])
    test = documents("test", [letter() for _ in range(20)] + [pool[7].text + " yours"])
    expected = sum(
        any(jaccard(shingles(one.text), shingles(other.text)) >= overlap.MIN_SIMILARITY for other in pool)
        for one in test
    )
    compared = []
    monkeypatch.setattr(overlap, "jaccard", lambda one, other: compared.append(one) or jaccard(one, other))
    found = pair(overlaps({"test": test, "pool": pool}), "test", "pool")
    assert expected >= 1
    assert found["near"] == expected
    assert expected <= len(compared) < 100, "of 1,260 pairs"


def test_a_document_counts_once_however_often_it_stands_there():
    text = " ".join(words(50))
    found = overlaps({"train": documents("a", [text] * 5), "dev": documents("b", [text, text + " more"])})
    told = pair(found, "dev", "train")
    assert (told["exact"], told["near"], told["documents"]) == (1, 1, 2)


def test_a_large_pool_is_compared_in_part_and_that_is_told(monkeypatch):
    texts = [" ".join(words(30)) for _ in range(50)]
    monkeypatch.setattr(overlap, "MAX_CHARACTERS", sum(map(len, texts)) // 4)
    found = overlaps({"train": documents("t", texts[:5]), "pool": documents("p", texts)})
    assert found["capped"] == ["pool"]
    assert found["compared_for_near"] == {"train": 5, "pool": 10}
    assert pair(found, "train", "pool")["exact"] == 5, "word for word, all are compared"


@pytest.mark.parametrize("text", ["", " \n", "one", "two words"])
def test_short_texts_have_one_shingle(text):
    assert len(shingles(text)) == 1
    assert jaccard(shingles(text), shingles(text)) == 1
