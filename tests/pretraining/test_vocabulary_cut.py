"""A cut vocabulary keeps the tokens and the states of its texts, and any other text can still be tokenized."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import tiny
import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer
from typer.testing import CliRunner

from electra_ie import train
from electra_ie.cli.app import app
from electra_ie.common.errors import UserError
from electra_ie.pretraining.vocabulary_cut import cut_vocabulary

TEXT = "the bank sent a letter to Arden\nThe bank paid Farrow, later.\n"


@pytest.fixture(scope="module")
def texts(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("texts") / "a.txt"
    file.write_text(TEXT, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def small(texts, encoder, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("cut") / "small"
    sizes = cut_vocabulary(encoder("xlm-roberta"), [str(texts)], output)
    assert sizes.tokens < sizes.tokens_before and sizes.bytes < sizes.bytes_before
    return output


@torch.no_grad()
def read(folder, text):
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    encoded = tokenizer(text, return_tensors="pt")
    return tokenizer.convert_ids_to_tokens(encoded["input_ids"][0]), model(**encoded).last_hidden_state


def test_tokens_and_states_of_the_text_stay_the_same(small, encoder):
    for line in TEXT.splitlines():
        (tokens, states), (before, expected) = read(small, line), read(encoder("xlm-roberta"), line)
        assert tokens == before
        assert torch.equal(states, expected)


def test_other_text_is_cut_into_tokens_that_are_kept(small, encoder):
    tokens, _ = read(small, "report quiet spring 123")
    before, _ = read(encoder("xlm-roberta"), "report quiet spring 123")
    assert "<unk>" not in tokens and "".join(tokens) == "".join(before) and len(tokens) > len(before)


def test_special_tokens_have_their_new_ids(small):
    tokenizer = AutoTokenizer.from_pretrained(small)
    config = json.loads((small / "config.json").read_text("utf-8"))
    assert (
        config["vocab_size"]
        == len(tokenizer)
        == len(load_file(small / "model.safetensors")["embeddings.word_embeddings.weight"])
    )
    names = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    assert tokenizer.convert_ids_to_tokens(tokenizer.convert_tokens_to_ids(names)) == names
    assert config["pad_token_id"] == tokenizer.pad_token_id
    assert tokenizer.convert_ids_to_tokens(tokenizer("a")["input_ids"])[:: len(tokenizer("a")["input_ids"]) - 1] == [
        "<s>",
        "</s>",
    ]


def test_a_special_token_behind_the_pieces_is_renumbered(encoder, texts, tmp_path):
    """As the mask token of XLM-R, which is the last one, and the ids that version 4 of transformers lists."""
    copy = Path(shutil.copytree(encoder("xlm-roberta"), tmp_path / "copy"))
    tokenizer = AutoTokenizer.from_pretrained(copy)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<last>"]})
    model = AutoModel.from_pretrained(copy)
    model.resize_token_embeddings(len(tokenizer))
    model.save_pretrained(copy)
    tokenizer.save_pretrained(copy)
    file = copy / "tokenizer_config.json"
    listed = {str(len(tokenizer) - 1): {"content": "<last>", "special": True}}
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), "added_tokens_decoder": listed}), "utf-8")
    cut_vocabulary(str(copy), [str(texts)], tmp_path / "small")
    small = AutoTokenizer.from_pretrained(tmp_path / "small")
    assert small.convert_tokens_to_ids("<last>") == len(small) - 1 < len(tokenizer) - 1


@pytest.mark.slow
def test_a_run_trains_on_the_smaller_encoder(small, task, tmp_path):
    run = train(str(task), tmp_path / "run", **tiny.settings(str(small), "self_training", max_steps=4)).path
    assert AutoTokenizer.from_pretrained(run / "names").mask_token == "<mask>"


def test_what_cannot_be_cut_is_named(encoder, texts, small, tmp_path):
    with pytest.raises(
        UserError, match=r"tokenizer\.json: the vocabulary of this encoder cannot be cut.*SentencePiece"
    ):
        cut_vocabulary(encoder("bert"), [str(texts)], tmp_path / "a")
    copy = Path(shutil.copytree(encoder("xlm-roberta"), tmp_path / "copy"))
    (copy / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"model\.safetensors: the encoder has no such file"):
        cut_vocabulary(str(copy), [str(texts)], tmp_path / "a")
    with pytest.raises(UserError, match="the folder is not empty"):
        cut_vocabulary(encoder("xlm-roberta"), [str(texts)], small)
    with pytest.raises(UserError, match="there is no such file or folder"):
        cut_vocabulary(encoder("xlm-roberta"), [str(tmp_path / "none.txt")], tmp_path / "a")
    with pytest.raises(UserError, match="inside a folder of input texts"):
        cut_vocabulary(encoder("xlm-roberta"), [str(texts.parent)], texts.parent / "a")
    assert not (tmp_path / "a").exists() and not (texts.parent / "a").exists()


def test_the_command_says_what_is_left(encoder, texts, tmp_path, capfd):
    arguments = ["encoder", encoder("xlm-roberta"), "--vocabulary-of", str(texts), "--output", str(tmp_path / "small")]
    assert CliRunner().invoke(app, arguments, catch_exceptions=False).exit_code == 0
    assert (tmp_path / "small" / "tokenizer.json").is_file()
