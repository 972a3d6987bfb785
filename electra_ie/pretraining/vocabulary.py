"""A new vocabulary, learnt from the corpus: WordPiece as BERT's and ELECTRA's, by the tokenizers library."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import BertTokenizer, PreTrainedTokenizerBase

from electra_ie.common.errors import UserError
from electra_ie.common.files import atomic_path
from electra_ie.pretraining.token_blocks import cache_folder

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
VERSION = "1"
"""Of the learning: raised when the same text would give other entries."""
PREFIX = "##"
"""Before an entry that goes on with a word."""


def new_tokenizer(
    lines: Callable[[], Iterable[str]], size: int, lowercase: bool, length: int, content: str
) -> PreTrainedTokenizerBase:
    """A tokenizer of exactly `size` entries, for inputs of at most `length` tokens; the same lines give the same one.

    lines: called for each of two passes over the text. lowercase: ignore case and accents. Chinese characters are
    entries of their own, as in BERT. content: the hash of the lines; a vocabulary is learnt once from them, and kept
    in the cache. Raises UserError where the lines do not support so many entries.
    """
    name = hashlib.sha256(json.dumps([VERSION, content, size, lowercase]).encode()).hexdigest()[:32]
    file = cache_folder() / f"{name}.vocabulary.json"
    try:
        entries = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):  # not there, or damaged
        entries = _entries(lines, size, lowercase)
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(file, shared=True) as part:
            part.write_text(json.dumps(entries), "utf-8")
    return BertTokenizer(vocab=entries, do_lower_case=lowercase, model_max_length=length)


def _entries(lines: Callable[[], Iterable[str]], size: int, lowercase: bool) -> dict[str, int]:
    # The trainer numbers the characters within words in an order that changes from run to run, and breaks ties by
    # number. A first pass, without merges, finds them; the second is told their order.
    alphabet = sorted(entry for entry in _learn(lines(), 0, lowercase, []) if entry.startswith(PREFIX))
    entries = _learn(lines(), size, lowercase, alphabet)
    if len(entries) < size:
        raise UserError(
            f"the corpus supports a vocabulary of {len(entries)} entries, {size} are asked for.",
            remedy=f"Give --vocab {len(entries)} or less, or more text.",
        )
    if len(entries) > size:
        raise UserError(
            f"the characters of the corpus alone need {len(entries)} entries, {size} are asked for.",
            remedy=f"Give --vocab {2 * len(entries)}.",
        )
    return entries


def _learn(lines: Iterable[str], size: int, lowercase: bool, first: Sequence[str]) -> dict[str, int]:
    learner = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    # As BertTokenizer, which is built from the entries.
    learner.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    learner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=[*SPECIAL, *first], continuing_subword_prefix=PREFIX, show_progress=False
    )
    learner.train_from_iterator((line for line in lines if line), trainer)
    return learner.get_vocab()
