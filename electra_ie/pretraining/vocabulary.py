"""Training of a new vocabulary on the corpus: WordPiece, as in BERT and ELECTRA, by the tokenizers library."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import BertTokenizer, PreTrainedTokenizerBase

from electra_ie.common.cache import cache_folder
from electra_ie.common.errors import UserError
from electra_ie.common.files import atomic_path

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
VERSION = "1"
"""The version of the training, to be raised when the same text would give other entries."""
PREFIX = "##"
"""The prefix of entries that continue a word."""


def new_tokenizer(
    lines: Callable[[], Iterable[str]], size: int, lowercase: bool, length: int, content: str
) -> PreTrainedTokenizerBase:
    """Return a tokenizer with exactly `size` entries, for inputs of at most `length` tokens. It is deterministic.

    lines: called for each of two passes over the text. lowercase: ignore case and accents. content: the hash of the
    lines; a vocabulary is trained once for each hash, and kept in the cache. Chinese characters are entries of their
    own, as in BERT.

    Raises UserError if the text cannot give exactly so many entries.
    """
    name = hashlib.sha256(json.dumps([VERSION, content, size, lowercase]).encode()).hexdigest()[:32]
    file = cache_folder() / f"{name}.vocabulary.json"
    try:
        entries = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):  # missing or damaged
        entries = _entries(lines, size, lowercase)
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(file, shared=True) as part:
            part.write_text(json.dumps(entries), "utf-8")
    return BertTokenizer(vocab=entries, do_lower_case=lowercase, model_max_length=length)


def _entries(lines: Callable[[], Iterable[str]], size: int, lowercase: bool) -> dict[str, int]:
    # The trainer assigns ids to the characters within words in an order that changes from run to run, and breaks ties
    # between merges by id. A first pass, without merges, collects these characters; the second gets them in a fixed
    # order, as special tokens.
    alphabet = sorted(entry for entry in _train(lines(), 0, lowercase, []) if entry.startswith(PREFIX))
    entries = _train(lines(), size, lowercase, alphabet)
    if len(entries) < size:
        raise UserError(
            f"the corpus supports a vocabulary of {len(entries)} entries; vocab_size is {size}.",
            remedy=f"Give --vocab-size {len(entries)} or less, or more text.",
        )
    if len(entries) > size:
        raise UserError(
            f"the characters of the corpus alone need {len(entries)} entries; vocab_size is {size}.",
            remedy=f"Give --vocab-size {2 * len(entries)}.",
        )
    return entries


def _train(lines: Iterable[str], size: int, lowercase: bool, first: Sequence[str]) -> dict[str, int]:
    """Return the id of each entry. first: entries that get the first ids after the special tokens."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    # As in BertTokenizer, which is built from the entries.
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=[*SPECIAL, *first], continuing_subword_prefix=PREFIX, show_progress=False
    )
    tokenizer.train_from_iterator((line for line in lines if line), trainer)
    return tokenizer.get_vocab()
