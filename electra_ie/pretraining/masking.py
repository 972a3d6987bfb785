"""Blocks of tokens -> batches of masked tokens. A batch is a pure function of the seed and its index."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from electra_ie.common.errors import UserError
from electra_ie.common.randomness import masking_seed
from electra_ie.pretraining.token_blocks import Blocks

SPACES = ("\u0120", "\u2581", " ")
"""First characters of tokens that follow a space: in byte-level BPE, in SentencePiece, and as plain text."""
UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "MYANMAR", "KHMER")
"""Prefixes of the Unicode names of characters in scripts that put no spaces between words."""


@dataclass
class TokenBatch:
    """B blocks of L tokens, with k masked positions each.

    input_ids: (B, L), the original tokens. masked_ids: (B, L), the generator's input. mask: (B, L), the attention mask,
    0 at padding. positions: (B, k), the masked positions as indices into L. weight: (B, k), 0 for a position that does
    not count, since the block has fewer maskable tokens. uniform: (B, k), random numbers in [0, 1), one for each token
    that the generator samples.
    """

    input_ids: torch.Tensor
    masked_ids: torch.Tensor
    mask: torch.Tensor
    positions: torch.Tensor
    weight: torch.Tensor
    uniform: torch.Tensor

    def to(self, device: torch.device) -> TokenBatch:
        """Return the batch on a device."""
        return TokenBatch(*(getattr(self, field.name).to(device, non_blocking=True) for field in fields(self)))

    def keys(self) -> list[str]:
        """Return the names of the tensors, for `model(**batch)`."""
        return [field.name for field in fields(self)]

    def __getitem__(self, name: str) -> torch.Tensor:
        """Return a tensor."""
        tensor: torch.Tensor = getattr(self, name)
        return tensor


class MaskingCollator:
    """Collator that masks `mask_ratio` of the maskable tokens of each block, at least one if there is any.

    maskable: "tokens", all that are not special; "words", the same, selected word by word with all tokens of a word
    (whole word masking, as in BERT of May 2019; a word that would exceed the ratio is not masked); "single", the tokens
    that are whole words.

    Of the selected tokens `keep_ratio` stay unchanged and the others become the mask token; none becomes a random token
    (google-research electra, `pretrain_helpers.mask`).
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        length: int,
        mask_ratio: float,
        keep_ratio: float,
        maskable: str = "tokens",
    ) -> None:
        self.special = torch.tensor(sorted(tokenizer.all_special_ids))
        self.maskable = maskable
        self.continuations = None if maskable == "tokens" else continuation_masks(tokenizer)
        self.pad, self.mask_id = tokenizer.pad_token_id, tokenizer.mask_token_id
        self.mask_ratio, self.keep_ratio = mask_ratio, keep_ratio
        self.max_positions = max(1, round(mask_ratio * length))

    def __call__(self, ids: torch.Tensor, generator: torch.Generator) -> TokenBatch:
        """Mask ids (B, L). The random numbers of a row depend on the index of the row, not on its tokens."""
        maskable = ~torch.isin(ids, self.special)
        continues = self._continues_word(ids, maskable)
        if self.maskable == "single":
            maskable &= ~continues & ~torch.cat([continues[:, 1:], torch.zeros_like(continues[:, :1])], dim=-1)
        # The k tokens of highest random score are masked. All tokens of a word share the score of its first token, so
        # that the word is masked as a whole; tokens that may not be masked score -1.
        first = torch.where(continues, 0, torch.arange(ids.shape[1])).cummax(-1).values
        score = torch.rand(ids.shape, generator=generator).gather(-1, first).masked_fill(~maskable, -1.0)
        kept = torch.rand(len(ids), self.max_positions, generator=generator) < self.keep_ratio
        uniform = torch.rand(len(ids), self.max_positions, generator=generator)
        # One score more than positions, to see whether the word at the limit goes on beyond it.
        top, order = score.topk(min(self.max_positions + 1, ids.shape[1]), dim=-1)
        top = torch.cat([top, torch.full_like(top[:, :1], -1.0)], dim=-1)
        positions = order[:, : self.max_positions]
        wanted = (maskable.sum(-1, keepdim=True) * self.mask_ratio).round().clamp(min=1)
        weight = (torch.arange(self.max_positions) < wanted) & maskable.gather(-1, positions)
        # A word whose last tokens exceed the limit is not masked at all, unless it is the only one.
        cut = top.gather(-1, wanted.long()) == top[:, : self.max_positions]
        weight &= ~cut | cut[:, :1]
        shown = torch.where(weight & ~kept, self.mask_id, ids.gather(-1, positions))
        masked = ids.scatter(-1, positions, shown)
        return TokenBatch(ids, masked, (ids != self.pad).long(), positions, weight.float(), uniform)

    def _continues_word(self, ids: torch.Tensor, maskable: torch.Tensor) -> torch.Tensor:
        """Return (B, L), true for a token that continues the word of the token before it."""
        if self.continuations is None:
            return torch.zeros_like(maskable)
        is_continuation, ends_word = self.continuations
        continues = is_continuation[ids]
        # A token after a special token or a line break starts a word, whatever its form.
        continues[:, 1:] &= maskable[:, :-1] & ~ends_word[ids[:, :-1]]
        continues[:, 0] = False
        return continues & maskable


def continuation_masks(tokenizer: PreTrainedTokenizerBase) -> tuple[torch.Tensor, torch.Tensor]:
    """Return two masks (V,): the tokens that continue the word before them, and those after which a word starts.

    WordPiece marks continuations. Byte-level BPE and SentencePiece mark tokens with a space before them; of the others,
    letters, digits and parts of a character continue a word, except in scripts that are written without spaces.

    Raises UserError for a tokenizer that marks the ends of words.
    """
    backend: Any = tokenizer.backend_tokenizer.model
    if getattr(backend, "end_of_word_suffix", None):
        remedy = "Add --set maskable=tokens."
        raise UserError("this tokenizer does not show which tokens are words.", remedy=remedy)
    prefix = getattr(backend, "continuing_subword_prefix", None)
    tokens = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    if prefix:
        return torch.tensor([token.startswith(prefix) for token in tokens]), torch.zeros(len(tokens), dtype=torch.bool)
    texts = ["" if token[:1] in SPACES else tokenizer.convert_tokens_to_string([token]) for token in tokens]
    is_continuation = torch.tensor([_continues_word(text) for text in texts])
    return is_continuation, torch.tensor([text.endswith("\n") for text in texts])


def _continues_word(text: str) -> bool:
    """Return whether a token with this text and no space before it continues a word."""
    if not text or unicodedata.name(text[0], "").startswith(UNSPACED):
        return False
    return text[0] == "\ufffd" or unicodedata.category(text[0])[0] in "LMN"


class TokenBatches:
    """The batches of a run: `batches[n]` is this process's share of batch n, `size` blocks over all processes.

    Every block occurs once in an epoch. Blocks, masks and random numbers follow from the seed and n alone, whatever the
    number of processes: a process takes every `processes`-th row of the global batch.
    """

    def __init__(
        self,
        blocks: Blocks,
        trained: np.ndarray,
        masker: MaskingCollator,
        size: int,
        seed: int,
        process: int = 0,
        processes: int = 1,
    ) -> None:
        """trained: the indices of the blocks to train on."""
        self.blocks, self.trained, self.masker, self.size, self.seed = blocks, trained, masker, size, seed
        self.process, self.processes = process, processes
        self.epoch = -1

    def __getitem__(self, index: int) -> TokenBatch:
        positions = range(index * self.size, (index + 1) * self.size)
        indices = np.array([self._block_index(*divmod(position, len(self.trained))) for position in positions])
        generator = torch.Generator().manual_seed(masking_seed(self.seed, index))
        # The whole batch is masked in every process, so that a row's random numbers do not depend on their number.
        batch = self.masker(torch.from_numpy(self.blocks.rows(indices)), generator)
        rows = slice(self.process, None, self.processes)
        return TokenBatch(*(getattr(batch, field.name)[rows] for field in fields(batch)))

    def _block_index(self, epoch: int, position: int) -> int:
        """Return the index of the block at a position in the shuffled order of an epoch."""
        if epoch != self.epoch:
            self.order = np.random.default_rng([self.seed, epoch]).permutation(self.trained)
            self.epoch = epoch
        return int(self.order[position])


def hold_out(blocks: int, share: float, seed: int, maximum: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """Split block indices at random into those to train on and those held out, both sorted.

    `share` of the blocks is held out, at least one and at most `maximum`; none if the share is 0 or there is only one
    block.
    """
    order = np.random.default_rng([seed, blocks]).permutation(blocks)
    count = min(maximum, blocks - 1, max(1, round(share * blocks))) if share and blocks > 1 else 0
    return np.sort(order[count:]), np.sort(order[:count])
