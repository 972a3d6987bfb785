"""Leakage: duplicates and near-duplicates between splits are counted, without their texts."""

from __future__ import annotations

import json
import random

import pytest

from electra_ie.data import leakage
from electra_ie.data.document import Document
from electra_ie.data.leakage import jaccard, overlaps, shingles

DRAW = random.Random(1)


def words(size: int) -> list[str]:
    return ["".join(DRAW.choices("abcdefghijklmnop", k=6)) for _ in range(size)]


def documents(name: str, texts) -> list[Document]:
    return [Document(f"{name}{index}", text) for index, text in enumerate(texts)]


def pair(result, of: str, within: str):
    return next(counts for counts in result["pairs"] if (counts["of"], counts["in"]) == (of, within))


def changed(text: list[str], count: int) -> str:
    """Return the text with `count` words changed, at least 40 words apart."""
    return " ".join(f"{word}x" if index % 40 == 5 and index // 40 < count else word for index, word in enumerate(text))


def test_duplicates_and_near_duplicates_are_counted_and_listed():
    first, second, third = words(80), words(80), words(80)
    train = documents("train", [" ".join(first), " ".join(second), " ".join(words(80)), "Short note"])
    test = documents("test", [
        " ".join(words(80)), "  ".join(first).replace("  ", " \n\t"), changed(second, 1).upper(), "Short  note", " ".join(third),
        "another short note",
    ])  # fmt: skip
    pool = documents("pool", [" ".join(words(60)) for _ in range(30)] + [changed(third, 2)])
    result = overlaps({"train": train, "pool": pool, "dev": [], "test": test})
    assert {(counts["of"], counts["in"]) for counts in result["pairs"]} == {
        ("test", "train"),
        ("test", "pool"),
        ("train", "pool"),
    }
    counts = pair(result, "test", "train")
    assert (counts["documents"], counts["exact"], counts["near"]) == (6, 2, 1), "white space or case made a difference"
    assert counts["examples"] == [["test1", "train0"], ["test3", "train3"], ["test2", "train1"]]
    assert pair(result, "test", "pool")["near"] == 1 and not pair(result, "train", "pool")["examples"]
    assert result["capped"] == [] and not [word for word in first + second + third if word in json.dumps(result)]


def test_near_duplicates_are_decided_by_exact_similarity():
    """The similarities are well above and well below the threshold; the exact value decides, not the sketch."""
    texts = [words(100) for _ in range(40)]
    near = [changed(text, 3) for text in texts]
    far = [" ".join(text[:70] + words(30)) for text in texts]
    assert all(
        jaccard(shingles(" ".join(text)), shingles(other)) >= leakage.MIN_SIMILARITY
        for text, other in zip(texts, near, strict=True)
    )
    result = overlaps(
        {"train": documents("t", map(" ".join, texts)), "dev": documents("n", near), "test": documents("f", far)}
    )
    assert pair(result, "dev", "train")["near"] == 40 and pair(result, "test", "train")["near"] == 0


def test_form_letters_are_filtered_by_their_sketches(monkeypatch):
    """The index proposes thousands of half-similar pairs, of which few are compared exactly."""
    form = words(50)

    def letter() -> str:
        written = list(form)
        for index in DRAW.sample(range(50), 3):
            written[index] = DRAW.choice("abc") * DRAW.randrange(2, 99)
        return " ".join(written)

    pool = documents("pool", [letter() for _ in range(60)])
    test = documents("test", [letter() for _ in range(20)] + [pool[7].text + " yours"])
    expected = sum(
        any(jaccard(shingles(one.text), shingles(other.text)) >= leakage.MIN_SIMILARITY for other in pool)
        for one in test
    )
    compared = []
    monkeypatch.setattr(leakage, "jaccard", lambda one, other: compared.append(one) or jaccard(one, other))
    counts = pair(overlaps({"test": test, "pool": pool}), "test", "pool")
    assert expected >= 1 and counts["near"] == expected
    assert expected <= len(compared) < 100, "of 1,260 pairs"


def test_document_counts_once_with_several_duplicates():
    text = " ".join(words(50))
    result = overlaps({"train": documents("a", [text] * 5), "dev": documents("b", [text, text + " more"])})
    counts = pair(result, "dev", "train")
    assert (counts["exact"], counts["near"], counts["documents"]) == (1, 1, 2)


def test_large_pool_is_compared_in_part_and_reported(monkeypatch):
    texts = [" ".join(words(30)) for _ in range(50)]
    monkeypatch.setattr(leakage, "MAX_CHARACTERS", sum(map(len, texts)) // 4)
    result = overlaps({"train": documents("t", texts[:5]), "pool": documents("p", texts)})
    assert result["capped"] == ["pool"] and result["compared_for_near"] == {"train": 5, "pool": 10}
    assert pair(result, "train", "pool")["exact"] == 5, "exact duplicates are searched in part only"


@pytest.mark.parametrize("text", ["", " \n", "one", "two words"])
def test_short_texts_have_one_shingle(text):
    assert len(shingles(text)) == 1
    assert jaccard(shingles(text), shingles(text)) == 1


def test_near_duplicates_of_scripts_without_blanks_are_found():
    text = "".join(chr(DRAW.randint(0x4E00, 0x9FA5)) for _ in range(165))
    result = overlaps({"train": documents("train", [text]), "test": documents("test", [text[:-1] + "\u4e00"])})
    assert pair(result, "test", "train")["near"] == 1
    assert len(shingles(text)) > 100 and shingles("one two") == [b"one two"]
