"""Where words begin and end, and which scripts put no blank between them."""

from __future__ import annotations

import pytest

from electra_ie.common.scripts import continues_word, is_unspaced


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Kestrel, 300 EUR", "Kestrel| |,| |300| |EUR"),
        ("don't", "don|'|t"),
        ("Müßiggang🏦", "Müßiggang|🏦"),
        ("e\u0301te\u0301", "e\u0301te\u0301"),
        ("co\u00adop", "co\u00adop"),
        ("£300", "£|300"),
        ("a_b", "a|_|b"),
        ("10kg", "10kg"),
        ("在IBM公司", "在|IBM|公|司"),
        ("한국은행", "한국은행"),
        ("ธนาคาร", "ธ|น|า|ค|า|ร"),
    ],
)
def test_a_word_is_a_run_of_letters_and_digits_in_a_spaced_script(text: str, words: str) -> None:
    edges = [at for at in range(1, len(text)) if not continues_word(text, at)]
    cut = [text[start:end] for start, end in zip([0, *edges], [*edges, len(text)], strict=True)]
    assert [each for each in cut if each.strip()] == [each for each in words.split("|") if each.strip()]


def test_scripts_without_blanks():
    assert all(map(is_unspaced, "北にカกကក"))
    assert not any(map(is_unspaced, "aß한Яع9,。🏦"))
