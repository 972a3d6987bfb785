"""A corpus as blocks of tokens: tokenized once, packed to full length, cached in an Arrow file named by its content.

The file is memory-mapped, so that a corpus may be larger than the machine's memory. `datasets.map` would do the same,
but would also copy the raw text to its cache.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from transformers import PreTrainedTokenizerBase

from electra_ie.common.cache import cache_folder
from electra_ie.common.errors import UserError
from electra_ie.common.files import atomic_path
from electra_ie.pretraining.corpus_reader import END, Counts

LINES_AT_ONCE, CHARACTERS_AT_ONCE, BLOCKS_AT_ONCE = 1_000, 1_000_000, 1_000
"""Limits of what is tokenized, and written, in one call."""
VERSION = "3"
"""The version of the packing, to be raised when the same text would give other blocks."""


T = TypeVar("T")


@dataclass(frozen=True)
class SpecialTokens:
    """The special tokens of a block: ids before the text, ids after it (also between two documents), and padding."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    pad: int

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> SpecialTokens:
        """Return those of a tokenizer. Raises UserError if it lacks a mask, padding, CLS or SEP token."""
        for name in ("mask", "pad", "cls", "sep"):
            if getattr(tokenizer, f"{name}_token_id") is None:
                raise UserError(
                    f"the tokenizer has no {name} token.",
                    remedy="Choose an encoder that was trained by masked language modeling.",
                )
        return cls((tokenizer.cls_token_id,), (tokenizer.sep_token_id,), tokenizer.pad_token_id)


def pack(tokens: Iterator[list[int] | None], special: SpecialTokens, length: int) -> Iterator[list[int]]:
    """Pack lists of ids, with None at the end of a document, into blocks of `length` ids.

    A block continues across the end of a document, with a separator there (FULL-SENTENCES of Liu et al. 2019, section
    4.2). The last block is padded. No token is dropped.
    """
    limit = length - len(special.after)
    block = list(special.before)
    for line in tokens:
        if line is None and len(special.before) < len(block) < limit:
            block += special.after
        ids = line or []
        start = 0  # an index instead of slices: a line may be a whole book, and copies of its rest are quadratic
        while len(block) + len(ids) - start >= limit:
            end = start + limit - len(block)
            yield [*block, *ids[start:end], *special.after]
            block, start = list(special.before), end
        block += ids[start:]
    if len(block) > len(special.before):
        block = block if tuple(block[-len(special.after) :]) == special.after else [*block, *special.after]
        yield [*block, *[special.pad] * (length - len(block))]


class Blocks:
    """N blocks of L tokens, memory-mapped from an Arrow file.

    length: L. hash: the name of the cache entry, which identifies corpus, tokenizer and length.
    """

    def __init__(self, file: Path) -> None:
        with pa.memory_map(os.fspath(file)) as source:
            self.table = pa.ipc.open_stream(source).read_all()
        metadata = self.table.schema.metadata or {}
        self.length = self.table.schema.field("input_ids").type.list_size
        chunks = self.table.column("input_ids").chunks
        self.chunks = [chunk.flatten().to_numpy().reshape(-1, self.length) for chunk in chunks]
        self.starts = np.cumsum([0, *(len(chunk) for chunk in self.chunks)])
        self.hash = metadata[b"hash"].decode()

    def __len__(self) -> int:
        return int(self.starts[-1])

    def rows(self, indices: np.ndarray) -> np.ndarray:
        """Return the blocks at `indices` (B,) as ids (B, L), int64."""
        chunk_of = np.searchsorted(self.starts, indices, side="right") - 1
        rows = np.empty((len(indices), self.length), dtype=np.int64)
        for row, (chunk, index) in enumerate(zip(chunk_of, indices, strict=True)):
            rows[row] = self.chunks[chunk][index - self.starts[chunk]]
        return rows


def load_or_build_blocks(
    lines: Callable[[Counts], Iterator[str]],
    tokenizer: PreTrainedTokenizerBase,
    length: int,
    content: str,
    report: Callable[[int], None] = lambda _: None,
) -> tuple[Blocks, dict[str, Any]]:
    """Return the blocks of a corpus, from the cache or built now, and the counts of what it contains.

    lines: reads the corpus and updates the counts. content: a hash of the text, and of how it is read. report: called
    with the number of lines read so far.

    Raises UserError for a corpus without tokens.
    """
    special = SpecialTokens.of(tokenizer)
    name = _name(tokenizer, length, content)
    folder = cache_folder()
    file, counts_file = folder / f"{name}.arrow", folder / f"{name}.json"
    cached = _load(file, counts_file)
    if cached is not None:
        return cached
    folder.mkdir(parents=True, exist_ok=True)
    counts = Counts()
    with atomic_path(file, shared=True) as part:
        tokens, blocks = _write(lines(counts), tokenizer, special, length, part, name, report, counts)
        if not blocks:
            raise UserError("the tokenizer finds no token in the corpus.", remedy="Give files with words in them.")
    with atomic_path(counts_file, shared=True) as part:
        part.write_text(json.dumps({**dataclasses.asdict(counts), "tokens": tokens, "blocks": blocks}), "utf-8")
    return Blocks(file), json.loads(counts_file.read_text("utf-8"))


def _load(file: Path, counts_file: Path) -> tuple[Blocks, dict[str, Any]] | None:
    """Return blocks and counts from the cache; None if they are missing or damaged, to be built again."""
    try:
        return Blocks(file), json.loads(counts_file.read_text("utf-8"))
    except (OSError, ValueError, KeyError, AttributeError):  # pyarrow's errors are subclasses of these
        return None


def _name(tokenizer: PreTrainedTokenizerBase, length: int, content: str) -> str:
    """Return a hash of everything that the blocks depend on."""
    backend = tokenizer.backend_tokenizer.to_str()
    ids = (tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id)
    return hashlib.sha256(json.dumps([VERSION, content, backend, ids, length]).encode()).hexdigest()[:32]


def _portions(lines: Iterable[str]) -> Iterator[list[str]]:
    """Yield lists of lines, short enough to be tokenized at once, however long a line is."""
    portion: list[str] = []
    size = 0
    for line in lines:
        portion.append(line)
        size += len(line)
        if len(portion) >= LINES_AT_ONCE or size >= CHARACTERS_AT_ONCE:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of up to `size` items."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _write(
    lines: Iterator[str],
    tokenizer: PreTrainedTokenizerBase,
    special: SpecialTokens,
    length: int,
    file: Path,
    name: str,
    report: Callable[[int], None],
    counts: Counts,
) -> tuple[int, int]:
    """Tokenize and pack into an Arrow stream; return the number of tokens of text, and of blocks."""
    fits_uint16 = len(tokenizer) <= np.iinfo(np.uint16).max
    block_type = pa.list_(pa.uint16() if fits_uint16 else pa.int32(), length)
    schema = pa.schema([("input_ids", block_type)], metadata={"hash": name})
    blocks = tokens = 0

    def tokenized() -> Iterator[list[int] | None]:
        """Yield the ids of each line, and None for the end of a document."""
        nonlocal tokens
        for portion in _portions(lines):
            texts = [line for line in portion if line != END]
            # Text that looks like a special token is tokenized as text.
            kwargs = {"add_special_tokens": False, "split_special_tokens": True, "verbose": False}
            ids_of_texts = iter(tokenizer(texts, **kwargs)["input_ids"] if texts else [])
            for line in portion:
                ids = None if line == END else next(ids_of_texts)
                tokens += len(ids or ())
                yield ids
            report(counts.lines)

    with pa.OSFile(os.fspath(file), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        for chunk in _chunks(pack(tokenized(), special, length), BLOCKS_AT_ONCE):
            values = pa.array(list(chain.from_iterable(chunk)), block_type.value_type)
            writer.write_batch(pa.record_batch([pa.FixedSizeListArray.from_arrays(values, length)], schema=schema))
            blocks += len(chunk)
    return tokens, blocks
