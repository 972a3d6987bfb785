"""A smaller copy of an encoder, whose vocabulary is cut to the tokens of given texts.

In a multilingual encoder most weights are rows of the vocabulary that a language never uses. Of a Unigram vocabulary
(XLM-R, multilingual-e5-small) some pieces can be left out without a change for the texts in which they do not occur:
the best segmentation of a text is still there, with the same score, and has fewer competitors.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from electra_ie.common.errors import UserError
from electra_ie.common.files import CARD, locked, refuse_within
from electra_ie.common.hashing import WEIGHTS
from electra_ie.models.encoders import resolve_encoder, translate_load_errors
from electra_ie.models.pooling import POOLING_FILE
from electra_ie.models.untrusted import CONFIG, TOKENIZER, read_json_object
from electra_ie.pretraining.corpus_reader import END, Counts, read

WORD_START = "▁"
"""The mark of SentencePiece for the blank before a word."""
TOKENIZER_FILE = "tokenizer.json"
LINES_AT_ONCE = 1_000
"""Lines that are tokenized in one call."""


@dataclass(frozen=True)
class Cut:
    """The result of a cut: numbers of tokens and sizes of the weights in bytes, before and after."""

    tokens_before: int
    tokens: int
    bytes_before: int
    bytes: int


def cut_vocabulary(encoder: str, paths: Sequence[str], output: Path) -> Cut:
    """Write a copy of an encoder that keeps the tokens of some texts, single characters and special tokens.

    For these texts the copy gives the token ids of the same tokens and the same states. Other text is cut into more,
    shorter tokens where it needs tokens that were left out.

    Args:
        encoder: A name or folder, as `resolve_encoder` takes it. Its tokenizer must be a Unigram model.
        paths: The texts: files, folders or a task, as `pretrain` reads them.
        output: The folder of the copy, new or empty.

    Raises:
        UserError: the encoder cannot be cut, the texts cannot be read, or the folder is not empty.
    """
    folder = Path(resolve_encoder(encoder))
    if output.is_dir() and any(output.iterdir()):
        raise UserError("the folder is not empty.", file=output, remedy="Give a new folder.")
    refuse_within(output, paths)
    state = read_json_object(folder / TOKENIZER_FILE)
    _check(folder, state)
    with translate_load_errors(str(folder)):
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
    kept = _kept(state, _used(tokenizer, read(paths, "blank", False, Counts())))
    with locked(output):
        before, after = _write_weights(folder, output, kept, tokenizer.get_vocab_size())
        _write_json(output / TOKENIZER_FILE, _cut_tokenizer(state, kept))
        _write_json(output / CONFIG, _renumbered(read_json_object(folder / CONFIG), kept) | {"vocab_size": len(kept)})
        options = read_json_object(folder / TOKENIZER)
        options.pop("added_tokens_decoder", None)  # the old ids; tokenizer.json has the new ones
        _write_json(output / TOKENIZER, options)
        for name in (POOLING_FILE, "special_tokens_map.json", CARD):
            if (folder / name).is_file():
                (output / name).parent.mkdir(exist_ok=True)
                shutil.copyfile(folder / name, output / name)
    return Cut(tokenizer.get_vocab_size(), len(kept), before, after)


def _check(folder: Path, state: Mapping[str, Any]) -> None:
    """Raise UserError if the tokenizer is not a Unigram model, or the weights are not one safetensors file."""
    if state.get("model", {}).get("type") != "Unigram":
        remedy = "Choose an encoder with a SentencePiece vocabulary, such as multilingual-e5-small."
        raise UserError("the vocabulary of this encoder cannot be cut.", file=folder / TOKENIZER_FILE, remedy=remedy)
    if not (folder / WEIGHTS).is_file():
        remedy = "Save it with save_pretrained, in one part."
        raise UserError("the encoder has no such file.", file=folder / WEIGHTS, remedy=remedy)


def _used(tokenizer: Tokenizer, lines: Iterable[str]) -> set[int]:
    """Return the ids of the tokens of all lines."""
    texts = (line.rstrip("\r\n") for line in lines if line != END)
    used: set[int] = set()
    for portion in _portions(texts):
        for encoding in tokenizer.encode_batch_fast(portion, add_special_tokens=False):
            used.update(encoding.ids)
    return used


def _portions(texts: Iterator[str]) -> Iterator[list[str]]:
    while portion := list(islice(texts, LINES_AT_ONCE)):
        yield portion


def _kept(state: Mapping[str, Any], used: set[int]) -> dict[int, int]:
    """Return the old id of each token that is kept -> its new id, in the old order."""
    special = {token["id"] for token in state["added_tokens"]} | {state["model"]["unk_id"]}
    single = {
        index for index, (piece, _) in enumerate(state["model"]["vocab"]) if len(piece.removeprefix(WORD_START)) <= 1
    }
    return {old: new for new, old in enumerate(sorted(used | special | single))}


def _cut_tokenizer(state: Mapping[str, Any], kept: Mapping[int, int]) -> dict[str, Any]:
    """Return the state of the tokenizer with the tokens that are kept, and their new ids."""
    model, vocabulary = state["model"], state["model"]["vocab"]
    pieces = [vocabulary[old] for old in kept if old < len(vocabulary)]
    added = [{**token, "id": kept[token["id"]]} for token in state["added_tokens"]]
    cut = {**model, "vocab": pieces, "unk_id": kept[model["unk_id"]]}
    processor = _renumbered_processor(state.get("post_processor"), kept)
    return {**state, "model": cut, "added_tokens": added, "post_processor": processor}


def _renumbered_processor(value: Any, kept: Mapping[int, int]) -> Any:
    """Return a post-processor, which adds the special tokens, with their new ids."""
    if isinstance(value, dict):
        return {
            key: [kept[old] for old in inner] if key == "ids" else _renumbered_processor(inner, kept)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_renumbered_processor(inner, kept) for inner in value]
    return value


def _renumbered(config: Mapping[str, Any], kept: Mapping[int, int]) -> dict[str, Any]:
    """Return a config with the new ids of its special tokens."""
    return {
        key: kept.get(value, value) if key.endswith("_token_id") and isinstance(value, int) else value
        for key, value in config.items()
    }


def _write_weights(folder: Path, output: Path, kept: Mapping[int, int], tokens: int) -> tuple[int, int]:
    """Write the weights with the rows of the tokens that are kept; return the sizes in bytes, before and after.

    The tensors with a row for each token are the embeddings, and in a masked language model its output layer.
    """
    rows = read_json_object(folder / CONFIG).get("vocab_size", tokens)
    index = torch.tensor(list(kept))
    weights = load_file(folder / WEIGHTS)
    weights = {name: tensor[index] if tensor.shape[:1] == (rows,) else tensor for name, tensor in weights.items()}
    save_file(weights, output / WEIGHTS, {"format": "pt"})
    return (folder / WEIGHTS).stat().st_size, (output / WEIGHTS).stat().st_size


def _write_json(file: Path, values: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(values, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")
