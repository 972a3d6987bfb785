"""Numbers in words: Chinese numerals by cn2an, the words of eight languages by text2num."""

from __future__ import annotations

import re
from decimal import Decimal
from importlib.util import find_spec

from electra_ie.values.value import Refused

DIGITS = {digit: str(number) for number, digit in enumerate("零一二三四五六七八九")} | {"〇": "0", "两": "2"}
SIMPLIFIED = str.maketrans("兩萬億貳陸參叁點圓壹贰叄肆伍陆柒捌玖拾佰仟", "两万亿二六三三点圆一二三四五六七八九十百千")
CHINESE = re.compile("[零〇一二两三四五六七八九十百千万亿]+")
WITH_POINT = re.compile("([零〇一二两三四五六七八九十百千]+)点([零〇一二两三四五六七八九]+)([百千]?[万亿]?)")
YUAN = re.compile(
    "(?P<whole>[0-9零〇一二两三四五六七八九十百千万亿]+)[元圆](?:(?P<tenths>[0-9一二三四五六七八九])角)?"
    "零?(?:(?P<hundredths>[0-9一二三四五六七八九])分)?"
)
UNITS = {"": 0, "百": 2, "千": 3, "万": 4, "亿": 8, "百万": 6, "千万": 7, "百亿": 10, "千亿": 11}
MYRIADS = re.compile(
    r"(?<![\d.,])(?:(?P<hundred_millions>\d{1,4})[亿億억] ?)?(?:(?P<ten_thousands>\d{1,4}|\d,\d{3})[万萬만] ?)?"
    r"(?P<ones>\d{3,4}|\d,\d{3})?(?![\d.,亿億억万萬만])"
)
"""A number in groups of four digits: 1億2000万, 3万5000. Few digits behind 万 may be short for thousands: 3万5."""
HALVES = re.compile(r"(?i)\b(?:half an? |(?P<whole>\w+) and an? half )(?=(?:thousand|million|billion)\b)")
LANGUAGES = ("de", "en", "es", "fr", "it", "nl", "pt")
LETTERS = re.compile(r"[^\W\d_]+(?:[ -][^\W\d_]+)*")
MAX_LENGTH = 100
DIGIT_BY_DIGIT = 4
"""The shortest number that may be written digit by digit: 三四 is 34, or three to four."""


def read_words(text: str, language: str) -> tuple[Decimal, str]:
    """Return a number in words, and the package that reads it.

    Raises:
        Refused: the text is no number in words, or the package is not installed.
    """
    text = text.strip()
    chinese = text.translate(SIMPLIFIED)
    if CHINESE.fullmatch(chinese) or WITH_POINT.fullmatch(chinese):
        return _chinese(chinese), "cn2an"
    if not LETTERS.fullmatch(text) or not 1 < len(text) <= MAX_LENGTH or language not in LANGUAGES:  # o is no zero
        raise Refused("no_number", f'there is no number in "{text}"' if text else "there is no number")
    _require("text_to_num", "text2num")
    from text_to_num import text2num

    try:
        return Decimal(
            text2num(text.casefold().replace("-", " ") if language == "en" else text.casefold(), language)
        ), ("text2num")
    except Exception:  # it raises several kinds of error for texts that are no numbers
        raise Refused("no_number", f'there is no number in "{text}"') from None


def chinese_integer(text: str) -> int | None:
    """Return a number in digits or Chinese numerals, such as a month; None if it is none."""
    if text.isdecimal():
        return int(text)
    try:
        return int(_chinese(text.translate(SIMPLIFIED)))
    except Refused:
        return None


def with_fraction(text: str) -> str:
    """Return a Chinese amount with its tenths and hundredths, 角 and 分, as digits: 12.34元; others as they are."""
    match = YUAN.search(text.translate(SIMPLIFIED))
    if not match or not (match["tenths"] or match["hundredths"]):
        return text
    whole = chinese_integer(match["whole"])
    digits = [
        part if part.isdecimal() else DIGITS[part] for part in (match["tenths"] or "0", match["hundredths"] or "0")
    ]
    return text if whole is None else f"{text[: match.start()]}{whole}.{''.join(digits)}元{text[match.end() :]}"


def with_digits(text: str, language: str) -> str:
    """Return a text whose number is in groups of four digits, or has a half in English words, with its digits.

    1億2000万円 becomes 120000000円, and "two and a half million" 2.5 million. Other texts are as they are.
    """
    if language == "en" and (half := HALVES.search(text)):
        whole = "0"
        if half["whole"]:
            try:
                whole = str(read_words(half["whole"], language)[0])
            except Refused:
                return text
        return f"{text[: half.start()]}{whole}.5 {text[half.end() :]}"
    for match in MYRIADS.finditer(text):
        parts = [int((part or "0").replace(",", "")) for part in match.groups()]
        if sum(part is not None for part in match.groups()) > 1:
            number = parts[0] * 10**8 + parts[1] * 10**4 + parts[2]
            return f"{text[: match.start()]}{number}{text[match.end() :]}"
    return text


def _chinese(text: str) -> Decimal:
    if match := WITH_POINT.fullmatch(text):
        whole, digits, unit = match.groups()
        if unit not in UNITS:
            raise Refused("no_number", f'"{text}" is not a number')
        fraction = "".join(DIGITS[digit] for digit in digits)
        return Decimal(f"{_chinese(whole)}.{fraction}").scaleb(UNITS[unit])
    if all(character in DIGITS for character in text):
        if 1 < len(text) < DIGIT_BY_DIGIT:
            raise Refused("range", "digits one by one, or a range")
        return Decimal("".join(DIGITS[digit] for digit in text))
    if re.search("[一二两三四五六七八九]{2}", text):
        raise Refused("range", "two digits in succession are a range")
    _require("cn2an", "cn2an")
    import cn2an

    try:
        return Decimal(cn2an.cn2an(text, "normal"))
    except Exception:  # as for text2num
        raise Refused("no_number", f'"{text}" is not a number') from None


def _require(module: str, package: str) -> None:
    if find_spec(module) is None:
        raise Refused("package", f"numbers in words need {package}: pip install 'electra_ie[values]'")
