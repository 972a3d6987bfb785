"""Gold -> tags -> spans gives back the gold, whatever the tokenizer; offsets in other units than code points are refused."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import (
    AlbertTokenizer,
    AutoModel,
    BertTokenizer,
    CamembertTokenizer,
    DebertaV2Tokenizer,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    RobertaTokenizer,
    T5Tokenizer,
    XLMRobertaConfig,
    XLMRobertaTokenizer,
)

from electra_ie import evaluate, train
from electra_ie.common.errors import UserError
from electra_ie.data.bio import to_spans, to_tags
from electra_ie.data.document import Document, Span
from electra_ie.data.fields import Field
from electra_ie.data.readers import READERS
from electra_ie.data.span_boundaries import BoundaryRules, edges_of
from electra_ie.data.windowing import WindowTokenizer
from electra_ie.inference.extractor import Extractor
from electra_ie.runs.cards.usage_snippets import StockFolder

FIELD = Field("who", "spans", ("PAYEE", "SUM"))
STARTED = "paid to in by on the was for Monday Friday EUR USD Malta account closed".split()
BARE = "Kestrel Osprey Halvorsen Ltd 300 700 北京 上海 银行 张伟 在 存款".split()
"""Words that no piece with the mark of a word's start spells, as `sufficient` in the vocabulary of XLM-R."""
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def pieces(special: list[str]) -> list[tuple[str, float]]:
    """A vocabulary of SentencePiece in which bare words are cut into the mark of a word's start and the word."""
    found = [(each, 0.0) for each in special] + [("▁", -2.0)]
    found += [(f"▁{word}", -3.0) for word in STARTED] + [(word, -3.5) for word in BARE]
    return found + [(mark, -6.0) for mark in ".,;:()。，-"] + [(letter, -9.0) for letter in LETTERS]


def byte_pairs() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Vocabulary and merges of a byte-level BPE trained on the words above."""
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    learner.train_from_iterator([" ".join(STARTED), " ".join(BARE[:6])] * 3, trainer)
    model = json.loads(learner.to_str())["model"]
    return model["vocab"], [tuple(each) for each in model["merges"]]


def roberta() -> PreTrainedTokenizerBase:
    vocabulary, merges = byte_pairs()
    return RobertaTokenizer(vocab=vocabulary, merges=merges)


def bert() -> PreTrainedTokenizerBase:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(word.lower() for word in STARTED), "kes", "##trel", "3"]
    words += [f"##{letter}" for letter in LETTERS[:26] + LETTERS[52:]] + list(LETTERS[:26] + ".,;:()-北京")
    return BertTokenizer(vocab={word: number for number, word in enumerate(dict.fromkeys(words))})


def whole_texts() -> PreTrainedTokenizerBase:
    """Unigram on the whole text, not split at blanks: a piece may hold several words."""
    made = Tokenizer(models.Unigram([*pieces(["<unk>"]), ("▁paid▁to", -1.0), ("▁on▁the", -1.0)], 0))
    made.pre_tokenizer = pre_tokenizers.Metaspace(split=False)
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>", model_max_length=128)


ANGLED = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
MAKERS: dict[str, Callable[[], PreTrainedTokenizerBase]] = {
    "xlm-roberta": lambda: XLMRobertaTokenizer(vocab=pieces(ANGLED)),
    "camembert": lambda: CamembertTokenizer(vocab=pieces(ANGLED)),
    "albert": lambda: AlbertTokenizer(vocab=pieces(["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"])),
    "deberta-v2": lambda: DebertaV2Tokenizer(vocab=pieces(["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"])),
    "t5": lambda: T5Tokenizer(vocab=pieces(["<pad>", "</s>", "<unk>"])),
    "roberta": roberta,
    "bert": bert,
    "whole texts": whole_texts,
}
WORD = st.sampled_from(
    [*STARTED, *BARE, "Ltd,", "x", "5.975,74", "Cafe\u0301", "é", "😀", "👩\u200d⚕️", "½", "\u00ad", "ﬁne"]
)
GAP = st.sampled_from([" ", "  ", "", "\n", "\r\n", "\t", "\u3000", ", ", "-"])
TEXT = st.lists(st.tuples(WORD, GAP), min_size=1, max_size=14).map(lambda pairs: "".join(map("".join, pairs)))


@pytest.fixture(scope="module", params=MAKERS)
def tokenizer(request):
    return MAKERS[request.param]()


def there_and_back(spans, offsets):
    return [span for span, _ in to_spans(FIELD, to_tags(FIELD, spans, offsets), offsets)]


@pytest.mark.parametrize("whole", [False, True])
@given(text=TEXT, data=st.data())
def test_gold_at_unit_boundaries_is_recovered_from_tags(tokenizer, whole, text, data):
    offsets = WindowTokenizer(tokenizer, 64, 4, whole).tokens(text)[1]
    units = [(start, end) for start, end in offsets if start < end]
    assert all(one[1] <= other[0] for one, other in zip(units, units[1:], strict=False)), "a character has two tokens"
    assert all(text[start:end] == text[start:end].strip() for start, end in units)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(units)), max_size=8)))
    spans = []
    for first, last in zip(cuts, cuts[1:], strict=False):
        label = data.draw(st.sampled_from(["PAYEE", "SUM", None]))
        if label:
            spans.append(Span(units[first][0], units[last - 1][1], label))
    assert there_and_back(spans, offsets) == spans


@pytest.mark.parametrize("whole", [False, True])
def test_no_visible_character_is_lost(tokenizer, whole):
    text = "paid 300 to Kestrel, on Monday. 张伟 在 北京银行 存款。 Osprey"
    offsets = WindowTokenizer(tokenizer, 64, 4, whole).tokens(text)[1]
    covered = {place for start, end in offsets for place in range(start, end)}
    assert {place for place, each in enumerate(text) if not each.isspace()} <= covered


def units_of(tokenizer: PreTrainedTokenizerBase, text: str, whole: bool) -> list[str]:
    return [text[start:end] for start, end in WindowTokenizer(tokenizer, 64, 4, whole).tokens(text)[1] if start < end]


@pytest.mark.parametrize("name", ["xlm-roberta", "camembert", "deberta-v2", "t5"])
def test_a_word_start_marker_does_not_take_a_character_of_the_word(name):
    text = "paid 300 EUR to Kestrel, Ltd"
    for whole in (False, True):
        assert units_of(MAKERS[name](), text, whole) == ["paid", "300", "EUR", "to", "Kestrel", ",", "Ltd"]


@pytest.mark.parametrize("name", ["xlm-roberta", "albert", "deberta-v2", "bert", "roberta"])
def test_words_are_the_same_with_every_tokenizer(name):
    """A comma or a script without blanks does not decide what a word is."""
    text = "paid to Kestrelx,Ltd (Malta) x"
    assert units_of(MAKERS[name](), text, True) == ["paid", "to", "Kestrelx", ",", "Ltd", "(", "Malta", ")", "x"]
    chinese = units_of(MAKERS[name](), "张伟,在北京银行存款。", True)
    assert "".join(chinese) == "张伟,在北京银行存款。"
    assert max(map(len, chinese)) <= (4 if name == "xlm-roberta" else 2)


# Units of offsets

SMILED = ["😀 Mara Lind called.", "📉📰 Otto Veen called on Monday.", "👩\u200d⚕️ Karl Ruiz called."]
NAMES = ["Mara Lind", "Otto Veen", "Karl Ruiz"]


def utf_16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def utf_8(text: str) -> int:
    return len(text.encode("utf-8"))


def crlf_as_one(text: str) -> int:
    return len(text.replace("\r\n", "\n"))


def write(file, texts, names, count=len, last=0, quote=False):
    """A record a text; its name is the only span, its offsets as `count` counts a prefix, `last` less at the end."""
    lines = []
    for number, (text, name) in enumerate(zip(texts, names, strict=True)):
        start = text.index(name)
        span = {"start": count(text[:start]), "end": count(text[: start + len(name)]) - last, "label": "PAYEE"}
        lines.append({"id": f"r{number}", "text": text, "who": [span | ({"text": name} if quote else {})]})
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return file


def spans(file):
    return [each.gold["who"] for each in READERS["jsonl"].read(file, [FIELD])]


@pytest.mark.parametrize(("count", "texts", "unit"), [
    (utf_16, SMILED, "UTF-16 code units"),
    (utf_8, ["Zürich, an Mara Lind.", "Köln, äh, an Otto Veen heute.", "“Ja”, so Karl Ruiz, heute."], "UTF-8 bytes"),
    (crlf_as_one, ["To\r\nMara Lind.", "A\r\n\r\nOtto Veen.", "B\r\nKarl Ruiz."], r"line end of two (CRLF) as one"),
    (lambda text: len(text.replace("\n", "\r\n")), ["To\nMara Lind.", "A\n\nOtto Veen, B", "B\nKarl Ruiz, C"], "line end of one (LF) as two"),
])  # fmt: skip
def test_offsets_in_another_unit_are_refused_and_the_unit_is_named(tmp_path, count, texts, unit):
    file = write(tmp_path / "a.jsonl", texts, NAMES, count)
    with pytest.raises(UserError) as error:
        spans(file)
    assert (
        f"{file}:1: the offsets seem to count {'characters with a ' if 'CRLF' in unit or 'LF' in unit else ''}{unit}"
        in str(error.value)
    )
    assert "3 spans cut words as code points" in str(error.value)
    assert "(line 1 (" in str(error.value)
    assert [[each.start for each in one] for one in spans(write(file, texts, NAMES))] == [
        [text.index(name)] for text, name in zip(texts, NAMES, strict=True)
    ]


def test_inclusive_ends_are_refused(tmp_path):
    with pytest.raises(UserError, match="seem to count code points with the last one included: 3 spans"):
        spans(write(tmp_path / "a.jsonl", [f"to {name} paid" for name in NAMES], NAMES, last=1))


def test_code_points_are_assumed_if_more_spans_fit_them(tmp_path):
    """A span that cuts a word and by chance cuts none in another unit refuses no file of right ones."""
    texts = ["😀 Mara Lind, Malta", "😀 Otto Veen", "😀 Karl Ruiz"]
    assert len(spans(write(tmp_path / "a.jsonl", texts, ["ara Lind,", *NAMES[1:]]))) == 3
    doses = [*(f"take {number}g now" for number in range(3)), "to Karl Ruiz paid"]
    assert len(spans(write(tmp_path / "b.jsonl", doses, ["0", "1", "2", "Karl Ruiz"]))) == 4


def test_a_quoted_text_proves_the_offsets(tmp_path):
    parts = [name[:-1] for name in NAMES]
    assert len(spans(write(tmp_path / "a.jsonl", [f"to {name} paid" for name in NAMES], parts, quote=True))) == 3


def test_a_span_outside_its_text_is_refused_with_the_unit_that_fits(tmp_path):
    with pytest.raises(UserError, match=r"outside the text of 11 characters.*if its offsets counted UTF-16 code units"):
        spans(write(tmp_path / "a.jsonl", ["😀 Mara Lind"], ["Mara Lind"], utf_16))


@given(
    st.lists(st.tuples(st.text("ab😀é \n", max_size=6), st.sampled_from(["Mara", "Otto Veen"])), min_size=3, max_size=5)
)
def test_correct_offsets_are_never_refused(tmp_path_factory, pairs):
    texts = [f"{before} {name} paid" for before, name in pairs]
    names = [name for _, name in pairs]
    found = spans(write(tmp_path_factory.mktemp("right") / "a.jsonl", texts, names))
    assert [text[one[0].start : one[0].end] for text, one in zip(texts, found, strict=True)] == names


def test_combining_marks_belong_to_the_preceding_letter(tokenizer):
    text = unicodedata.normalize("NFD", "Café Müßiggang")
    found = units_of(tokenizer, text, True)
    assert not any(unicodedata.category(each[0]).startswith("M") for each in found)


# BoundaryRules: line ends and pictures


@pytest.mark.parametrize(("text", "gold", "rules"), [
    ("1 EUR\n2 EUR", [(0, 5), (6, 11)], BoundaryRules()),
    ("Mara\nLind 🏦", [(0, 9)], BoundaryRules(lines=False)),
    ("🏦 Mara\r\nLind", [(0, 6)], BoundaryRules(pictures=False)),
    ("a\u2028b", [(0, 3)], BoundaryRules(lines=False)),
    ("Acme™ 5 °C €3", [(0, 5), (6, 10), (11, 13)], BoundaryRules()),
])  # fmt: skip
def test_a_boundary_rule_applies_if_no_gold_span_breaks_it(text, gold, rules):
    document = Document("d", text, {"who": tuple(Span(start, end, "PAYEE") for start, end in gold)})
    assert edges_of([document], [FIELD]) == {"who": rules}


@pytest.mark.parametrize(("text", "kept"), [
    ("Jürgen Müßiggang 🏦", "Jürgen Müßiggang"), ("🏦🏽 Mara", "Mara"), ("• 1 EUR ✓", "1 EUR"), ("Mara🏦Lind", "Mara🏦Lind"),
    ("👩\u200d⚕️ Karl 👍🏽", "Karl"), ("🏦", None), ("㈱北京", "㈱北京"), ("Acme™", "Acme™"), ("→ Malta ", "Malta "),
])  # fmt: skip
def test_emoji_at_the_edges_are_trimmed(text, kept):
    span = BoundaryRules().trim(text, Span(0, len(text), "PAYEE"))
    assert (text[span.start : span.end] if span else None) == kept
    assert BoundaryRules(pictures=False).trim(text, Span(0, len(text), "PAYEE")) == Span(0, len(text), "PAYEE")


def constant(tokenizer, tag, edges=None):
    """An extractor that gives every token one tag."""

    def predict_groups(groups):
        return [{"who": torch.nn.functional.one_hot(torch.full_like(ids, tag), 5).float() * 5} for ids in groups]

    fake = SimpleNamespace(
        predict_groups=predict_groups, encoder=SimpleNamespace(device=torch.device("cpu")), training=False
    )
    fake.eval = fake.train = lambda *_: fake
    return Extractor(fake, WindowTokenizer(tokenizer, 64, 4), [FIELD], edges=edges)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n", " \n ", "\u2028"])
def test_a_line_end_splits_a_finding_unless_gold_crosses_one(tokenizer, end):
    text = f"300 EUR{end}700 USD{end}300 EUR 🏦"
    inside = FIELD.names.index("I-SUM")
    found = [(each.text, each.label) for each in constant(tokenizer, inside)(text)]
    if tokenizer.backend_tokenizer.pre_tokenizer is not None and "split=False" in str(
        tokenizer.backend_tokenizer.pre_tokenizer
    ):
        assert "".join(each for each, _ in found).count("EUR") == 2  # a piece may hold a line end
    else:
        assert found == [("300 EUR", "SUM"), ("700 USD", "SUM"), ("300 EUR", "SUM")]
    whole = constant(tokenizer, inside, {"who": BoundaryRules(lines=False, pictures=False)})(text)
    assert [(each.start, each.end) for each in whole] == [(0, len(text))]


def test_a_run_saves_boundary_rules_and_evaluate_counts_inexpressible_gold(tmp_path, encoder, capsys):
    texts = ["to Mara\nLind", "to Otto Veen", "to Karl\nRuiz"]
    write(tmp_path / "train.jsonl", texts, [text[3:] for text in texts])
    write(tmp_path / "test.jsonl", ["the bank paid", "to Otto Veen"], ["ban", "Otto Veen"], quote=True)
    (tmp_path / "task.yaml").write_text(
        "format: jsonl\nfiles: {train: train.jsonl, test: test.jsonl}\nfields: {who: {kind: spans, labels: [PAYEE]}}\n"
    )
    run = train(str(tmp_path), tmp_path / "run", encoder=encoder("bert"), max_steps=2).path
    assert Extractor.from_pretrained(run).edges == {"who": BoundaryRules(lines=False, pictures=True)}
    assert "A span of `who` may continue on the next line, and neither begins nor ends with" in (
        run / "README.md"
    ).read_text("utf-8")
    capsys.readouterr()
    evaluate(run, "test")
    assert (
        "1 of 2 gold spans of test begin or end inside a word of this encoder: r0 (line 1, characters 4 to 7)."
        in capsys.readouterr().err
    )


@pytest.mark.slow
def test_an_encoder_with_lone_word_markers_finds_whole_words(tmp_path, monkeypatch):
    """Trained until it is right: before, the mark of a word's start took the first character of each finding."""
    tokenizer = MAKERS["xlm-roberta"]()
    torch.manual_seed(0)
    config = XLMRobertaConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
        max_position_embeddings=130, type_vocab_size=1, initializer_range=0.2,
    )  # fmt: skip
    tokenizer.model_max_length = 128
    AutoModel.from_config(config).save_pretrained(tmp_path / "encoder")
    tokenizer.save_pretrained(tmp_path / "encoder")
    names = ["Kestrel", "Osprey", "Halvorsen", "张伟"]
    texts = [
        f"paid {sum_} EUR to {name}, on {day}" for sum_ in (300, 700) for name in names for day in ("Monday", "Friday")
    ]
    found = [name for _ in (300, 700) for name in names for _ in range(2)]
    write(tmp_path / "train.jsonl", texts, found)
    (tmp_path / "task.yaml").write_text(
        "format: jsonl\nfiles: {train: train.jsonl, test: train.jsonl}\nfields: {who: {kind: spans, labels: [PAYEE, SUM]}}\n"
    )
    settings = {
        "encoder": str(tmp_path / "encoder"),
        "max_steps": 60,
        "learning_rate": 2e-3,
        "head_learning_rate": 1e-2,
        "window": 64,
    }
    run = train(str(tmp_path), tmp_path / "run", **settings).path
    assert evaluate(run, "test")["who"].value > 0.95
    extractor = Extractor.from_pretrained(run)
    two = "paid 300 EUR to Kestrel, on Monday\npaid 700 EUR to Halvorsen, on Friday"
    assert [each.text for each in extractor(two) if each.label == "PAYEE"] == ["Kestrel", "Halvorsen"]
    monkeypatch.chdir(run)
    names: dict[str, Any] = {}
    exec(StockFolder.read(run, extractor.fields[0]).exact, names)  # what the card says
    for text in [*texts, two, "张伟 在 北京银行 存款。", "to Kestrel🏦 Osprey,Ltd", "x\r\nKestrel\u2028Osprey 🏦"]:
        found = [(each.label, each.start, each.end) for each in extractor(text)]
        assert [(each["label"], each["start"], each["end"]) for each in names["find_who"](text)] == found
