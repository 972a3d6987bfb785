"""A corpus as blocks of tokens: tokenised once, packed to full length, kept in an Arrow file named by its content.

The file is mapped into memory, never read whole: a corpus may be larger than the machine's memory.
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

from electra_ie.common.errors import UserError
from electra_ie.common.files import atomic_path
from electra_ie.pretraining.corpus_reader import END, Counts

CACHE = "ELECTRA_IE_CACHE"
"""The environment variable that names the folder of the cache."""
LINES_AT_ONCE, CHARACTERS_AT_ONCE, BLOCKS_AT_ONCE = 1_000, 1_000_000, 1_000
VERSION = "3"
"""Of the packing: raised when the same text would give other blocks."""


T = TypeVar("T")


@dataclass(frozen=True)
class SpecialTokens:
    """How a tokenizer frames a text: ids before it, after it, and between two documents in one block."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    pad: int

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> SpecialTokens:
        """Raises UserError for a tokenizer without a mask token or without special tokens."""
        for name in ("mask", "pad", "cls", "sep"):
            if getattr(tokenizer, f"{name}_token_id") is None:
                raise UserError(
                    f"the tokenizer has no {name} token.", remedy="Choose an encoder that was trained to fill masks."
                )
        return cls((tokenizer.cls_token_id,), (tokenizer.sep_token_id,), tokenizer.pad_token_id)


def pack(tokens: Iterator[list[int] | None], frame: SpecialTokens, length: int) -> Iterator[list[int]]:
    """Lists of ids, None at the end of a document -> blocks of `length` ids.

    Blocks are filled across the ends of documents, with a separator there (FULL-SENTENCES of Liu et al. 2019, section
    4.2); the last one is padded. Nothing is left out.
    """
    room = length - len(frame.after)
    block = list(frame.before)
    for ids in tokens:
        if ids is None:
            if len(frame.before) < len(block) < room:
                block += frame.after
            ids = []
        start = 0  # not `ids = ids[cut:]`: a line may be a whole book
        while len(block) + len(ids) - start >= room:
            cut = start + room - len(block)
            yield [*block, *ids[start:cut], *frame.after]
            block, start = list(frame.before), cut
        block += ids[start:]
    if len(block) > len(frame.before):
        block = block if tuple(block[-len(frame.after) :]) == frame.after else [*block, *frame.after]
        yield [*block, *[frame.pad] * (length - len(block))]


class Blocks:
    """N blocks of L tokens, mapped from an Arrow file."""

    def __init__(self, file: Path):
        with pa.memory_map(os.fspath(file)) as source:
            self.table = pa.ipc.open_stream(source).read_all()
        facts = self.table.schema.metadata or {}
        self.length = self.table.schema.field("input_ids").type.list_size
        chunks = self.table.column("input_ids").chunks
        self.chunks = [chunk.flatten().to_numpy().reshape(-1, self.length) for chunk in chunks]
        self.starts = np.cumsum([0, *(len(chunk) for chunk in self.chunks)])
        self.hash = facts[b"hash"].decode()

    def __len__(self) -> int:
        return int(self.starts[-1])

    def rows(self, places: np.ndarray) -> np.ndarray:
        """Places (B,) -> ids (B, L), int64."""
        which = np.searchsorted(self.starts, places, side="right") - 1
        found = np.empty((len(places), self.length), dtype=np.int64)
        for row, (chunk, place) in enumerate(zip(which, places, strict=True)):
            found[row] = self.chunks[chunk][place - self.starts[chunk]]
        return found


def load_or_build_blocks(
    lines: Callable[[Counts], Iterator[str]],
    tokenizer: PreTrainedTokenizerBase,
    length: int,
    content: str,
    report: Callable[[int], None] = lambda _: None,
) -> tuple[Blocks, dict[str, Any]]:
    """The blocks of a corpus, from the cache where they are there, and what was counted when they were made.

    lines: reads the corpus. content: the hash of what it reads, and of how. Raises UserError for a corpus without
    tokens.
    """
    frame = SpecialTokens.of(tokenizer)
    name = _name(tokenizer, length, content)
    folder = cache_folder()
    file, facts = folder / f"{name}.arrow", folder / f"{name}.json"
    found = _kept(file, facts)
    if found is None:
        folder.mkdir(parents=True, exist_ok=True)
        counts = Counts()
        with atomic_path(file, shared=True) as part:
            tokens, blocks = _write(lines(counts), tokenizer, frame, length, part, name, report, counts)
            if not blocks:
                raise UserError("the tokenizer finds nothing in the corpus.", remedy="Give files with words in them.")
        with atomic_path(facts, shared=True) as part:
            part.write_text(json.dumps({**dataclasses.asdict(counts), "tokens": tokens, "blocks": blocks}), "utf-8")
        found = Blocks(file), json.loads(facts.read_text("utf-8"))
    return found


def _kept(file: Path, facts: Path) -> tuple[Blocks, dict[str, Any]] | None:
    """What the cache holds; None where it holds nothing, or something damaged, which is then made again."""
    try:
        return Blocks(file), json.loads(facts.read_text("utf-8"))
    except (OSError, ValueError, KeyError, AttributeError):  # pyarrow's errors are of these kinds
        return None


def cache_folder() -> Path:
    """Where tokenised corpora are kept: $ELECTRA_IE_CACHE, else the user's cache folder."""
    given = os.environ.get(CACHE)
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(given) if given else base / "electra_ie" / "corpora"


def _name(tokenizer: PreTrainedTokenizerBase, length: int, content: str) -> str:
    """A hash of all that decides the blocks."""
    backend = tokenizer.backend_tokenizer.to_str()
    ids = (tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id)
    return hashlib.sha256(json.dumps([VERSION, content, backend, ids, length]).encode()).hexdigest()[:32]


def _portions(lines: Iterable[str]) -> Iterator[list[str]]:
    """Lists of lines, short enough to be tokenised at once, however long a line is."""
    some: list[str] = []
    size = 0
    for line in lines:
        some.append(line)
        size += len(line)
        if len(some) >= LINES_AT_ONCE or size >= CHARACTERS_AT_ONCE:
            yield some
            some, size = [], 0
    if some:
        yield some


def _some(each: Iterable[T], most: int) -> Iterator[list[T]]:
    """Lists of up to `most`."""
    source = iter(each)
    while found := list(islice(source, most)):
        yield found


def _write(
    lines: Iterator[str],
    tokenizer: PreTrainedTokenizerBase,
    frame: SpecialTokens,
    length: int,
    file: Path,
    name: str,
    report: Callable[[int], None],
    counts: Counts,
) -> tuple[int, int]:
    """Tokenise and pack into an Arrow stream; returns the number of tokens of text, and of blocks."""
    small = len(tokenizer) <= np.iinfo(np.uint16).max
    kind = pa.list_(pa.uint16() if small else pa.int32(), length)
    schema = pa.schema([("input_ids", kind)], metadata={"hash": name})
    total = tokens = 0

    def ids() -> Iterator[list[int] | None]:
        nonlocal tokens
        for some in _portions(lines):
            texts = [line for line in some if line != END]
            # What looks like a special token in a text is text.
            told = {"add_special_tokens": False, "split_special_tokens": True, "verbose": False}
            read = iter(tokenizer(texts, **told)["input_ids"] if texts else [])
            for line in some:
                found = None if line == END else next(read)
                tokens += len(found or ())
                yield found
            report(counts.lines)

    with pa.OSFile(os.fspath(file), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        for some in _some(pack(ids(), frame, length), BLOCKS_AT_ONCE):
            values = pa.array(list(chain.from_iterable(some)), kind.value_type)
            writer.write_batch(pa.record_batch([pa.FixedSizeListArray.from_arrays(values, length)], schema=schema))
            total += len(some)
    return tokens, total
