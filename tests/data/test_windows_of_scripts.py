"""Scripts without blanks between words, from right to left, and mixed: windows, offsets, scores and the report."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parsed_page import ParsedPage
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from unicode_texts import SCRIPTS

from electra_ie.data.bio import to_spans, to_tags
from electra_ie.data.document import Document, Span
from electra_ie.data.fields import Field
from electra_ie.data.windowing import WindowTokenizer, label, sentences
from electra_ie.inference.html_report import Page
from electra_ie.metrics import score

FIELD = Field("who", "spans", ("DRUG",))


@pytest.fixture(scope="module")
def tokenizer():
    """Unigram as in XLM-R, with a piece for each character and some for pairs across marks."""
    characters = sorted({each for text in SCRIPTS.values() for each in text if not each.isspace()})
    pieces = [("<unk>", 0.0), ("▁", -1.0), ("。“", -1.5), ("），", -1.5), *((each, -3.0) for each in characters)]
    made = Tokenizer(models.Unigram(pieces, unk_id=0))
    made.normalizer = normalizers.Replace("\n", " ")
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>", pad_token="<unk>", model_max_length=512)


@pytest.mark.parametrize(("text", "expected"), [
    (SCRIPTS["Chinese"], ["病人胸痛三天，伴发热。", "给予阿司匹林100mg口服！", "“好转。”", "家属问：是否出院？"]),
    (SCRIPTS["Japanese"], ["患者は胸の痛みを訴えた。", "「痛い。」", "と言った。", "ｱｽﾋﾟﾘﾝを投与する｡"]),
    (SCRIPTS["Arabic"], ["يعاني المريض من ألم في الصدر.", "هل يشكو من الحمى؟", "نعم."]),
    (SCRIPTS["Urdu"], ["مریض کو سینے میں درد ہے۔", "خوراک بڑھائی گئی۔"]),
    (SCRIPTS["Hindi"], ["रोगी को सीने में दर्द है।", "खुराक बढ़ाई गई।"]),
    (SCRIPTS["Thai"], [SCRIPTS["Thai"]]),
    ("He said “go.” He went.", ["He said “go.” He went."]),
])  # fmt: skip
def test_sentences_end_at_the_marks_of_the_script(text, expected):
    assert sentences(text) == expected


@pytest.mark.parametrize("name", ["Chinese", "Japanese", "Arabic", "Urdu", "Hindi"])
def test_windows_end_at_sentences_of_every_script(tokenizer, name):
    text = (SCRIPTS[name] + " ") * 8
    windows = WindowTokenizer(tokenizer, 64, 8)(text)
    assert len(windows) > 3
    for window in windows:
        assert window.first == 0 and window.last == len(window.ids), "a window that ends with a sentence has context"
    for window in windows[:-1]:
        end = max(end for _, end in window.owned)
        assert text[end - 1] in "。！？”」｡؟۔।." and text[end] not in "”」", text[end - 5 : end + 5]


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("whole", [False, True])
def test_every_visible_character_is_owned_by_one_window(tokenizer, name, whole):
    text = SCRIPTS[name] * 6
    windows = WindowTokenizer(tokenizer, 40, 6, whole)(text)
    places = [place for window in windows for start, end in window.owned for place in range(start, end)]
    assert len(places) == len(set(places)), "a character has two tokens"
    assert {place for place, each in enumerate(text) if each.isalnum()} <= set(places)


@given(name=st.sampled_from(sorted(SCRIPTS)), data=st.data())
def test_gold_of_any_script_survives_windows_and_scores_1(tokenizer, name, data):
    text = SCRIPTS[name] * 3
    windower = WindowTokenizer(tokenizer, 40, 6, True)
    units = [unit for unit in windower.tokens(text)[1] if unit[0] < unit[1]]
    first = data.draw(st.integers(0, len(units) - 1))
    last = data.draw(st.integers(first, min(first + 6, len(units) - 1)))
    gold = Span(units[first][0], units[last][1], "DRUG")
    windows = windower(text)
    rows = label(Document("d", text, {"who": (gold,)}), windows, [FIELD])
    tags = [tag for row in rows for tag in row.gold["who"][row.window.first : row.window.last]]
    offsets = [offset for window in windows for offset in window.owned]
    found = [span for span, _ in to_spans(FIELD, tags, offsets)]
    assert found == [gold] == [span for span, _ in to_spans(FIELD, to_tags(FIELD, [gold], offsets), offsets)]
    assert score(FIELD, [{gold}], [set(found)])["f1"] == 1


@pytest.mark.parametrize("name", ["Arabic", "Hebrew", "mixed", "Thai"])
def test_the_report_marks_text_in_its_own_direction(tmp_path, name):
    text, at = SCRIPTS[name], 6
    finding = {"field": "who", "label": "الدواء", "start": at, "end": at + 5, "text": text[at : at + 5], "score": 0.5}
    record = {"id": "1", "file": "ملف.txt", "characters": len(text), "windows": 1, "findings": [finding]}
    with Page(tmp_path / "page.html", "Review", {"who": "spans"}) as page:
        page.add(record, text)
    written = (tmp_path / "page.html").read_text("utf-8")
    parsed = ParsedPage(written)
    assert parsed.panes[0] == text
    assert parsed.where("label0") == set(range(at, at + 5))
    assert parsed.values("dir") == ["auto", "auto"], "name and text"
    assert "unicode-bidi:plaintext" in written, "each paragraph has a direction of its own"
