"""Hypothesis strategies for texts that normalization, splitting or counting easily changes."""

from __future__ import annotations

import tiny
from hypothesis import strategies as st

TRICKY = (
    "Cafe\u0301 ", "\u00e9t\u00e9 ", "\u0130stanbul ", "\uff11\uff12\uff13 ", "\ufb01ne ", "x\u200bz ", "\u200d", "\ufeff",
    "\U0001f469\u200d\U0001f467\u200d\U0001f466 ", "\U0001f44d\U0001f3fd", "\r\n", "\n\n", "\t", "\u00a0", "\u3000",
    "\u6771\u4eac\u90fd", "\u3002", "a\u0308\u0323", "\u0301", "\u2168 ", "\u2460", "5.975,74 ", "Mr. Arden. ", "bank ",
    "transfer ", "-", "(", ")", "\u0645\u0631\u062d\u0628\u0627 ", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35", "\x00", "\x7f",
)  # fmt: skip
"""Combining marks, ligatures, full-width digits, joiners, controls, line ends: text that normalization changes."""
SCRIPTS = {
    "English": "The patient reports chest pain. The dose was raised to 100 mg.",
    "Chinese": "病人胸痛三天，伴发热。给予阿司匹林100mg口服！“好转。”家属问：是否出院？",
    "Japanese": "患者は胸の痛みを訴えた。「痛い。」と言った。ｱｽﾋﾟﾘﾝを投与する｡",
    "German": "Der Patient klagt über Brustschmerzen. Die Dosis wurde erhöht.",
    "French": "Le patient se plaint d’une douleur thoracique. « Ça va ? » demande-t-il.",
    "Arabic": "يعاني المريض من ألم في الصدر. هل يشكو من الحمى؟ نعم.",
    "Urdu": "مریض کو سینے میں درد ہے۔ خوراک بڑھائی گئی۔",
    "Hebrew": "המטופל סובל מכאבים בחזה. המינון הועלה.",
    "Hindi": "रोगी को सीने में दर्द है। खुराक बढ़ाई गई।",
    "Thai": "ผู้ป่วยมีอาการเจ็บหน้าอก เพิ่มขนาดยา",
    "Korean": "환자는 흉통을 호소한다. 용량을 늘렸다.",
    "mixed": "患者Müller服用Aspirin １００ｍｇ，وصل إلى Zürich😀👩‍⚕️ 5～6。",
}
"""Sentences in several scripts, some without blanks between words, some from right to left."""
PIECE = st.one_of(
    st.sampled_from(TRICKY), st.text(max_size=6), st.sampled_from(tiny.WORDS).map(lambda word: word + " ")
)
TEXT = st.lists(PIECE, max_size=40).map("".join)
FORM = st.sampled_from(["NFC", "NFD", "NFKC", "NFKD", ""])


def without_halves(text):
    """Return the text without lone surrogates, which the readers refuse."""
    return text.encode("utf-8", "ignore").decode()
