"""Blocks of tokens -> batches with places to fill. A batch is a pure function of the seed and its number."""

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
"""How a token begins that has a space before it: in byte-level BPE, in SentencePiece, and plainly."""
UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "MYANMAR", "KHMER")
"""How Unicode names the characters of scripts that put no spaces between words."""


@dataclass
class TokenBatch:
    """B blocks of L tokens, in each of which k places are chosen to be filled.

    input_ids: (B, L), as in the text. masked_ids: (B, L), as the generator reads them. mask: (B, L), 0 at padding.
    places: (B, k), indices into L. weight: (B, k), 0 for a place that a block of fewer tokens does not have.
    chance: (B, k), uniform in [0, 1), one number for each token to be sampled.
    """

    input_ids: torch.Tensor
    masked_ids: torch.Tensor
    mask: torch.Tensor
    places: torch.Tensor
    weight: torch.Tensor
    chance: torch.Tensor

    def to(self, device: torch.device) -> TokenBatch:
        return TokenBatch(*(getattr(self, each.name).to(device, non_blocking=True) for each in fields(self)))

    def keys(self) -> list[str]:
        """Return the names of the tensors, for `model(**batch)`."""
        return [field.name for field in fields(self)]

    def __getitem__(self, name: str) -> torch.Tensor:
        """Return a tensor."""
        return getattr(self, name)


class MaskingCollator:
    """Chooses the places to fill: `share` of the maskable tokens of a block, at least one where there is one.

    maskable: "tokens", all that are not special; "words", the same, chosen word by word, all tokens of a word together
    (whole word masking, as in BERT of May 2019; a word that would exceed the share is left out); "single", the tokens
    that are words by themselves.

    Of the chosen, `kept` stay as they are and the rest become the mask token; none becomes a random token
    (google-research electra, `pretrain_helpers.mask`).
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, length: int, share: float, kept: float, maskable: str = "tokens"
    ):
        self.special = torch.tensor(sorted(tokenizer.all_special_ids))
        self.maskable = maskable
        self.continuing = None if maskable == "tokens" else continuing(tokenizer)
        self.pad, self.mask_id, self.kept = tokenizer.pad_token_id, tokenizer.mask_token_id, kept
        self.share, self.most = share, max(1, round(share * length))

    def __call__(self, ids: torch.Tensor, draw: torch.Generator) -> TokenBatch:
        """Ids (B, L) -> a batch; what is drawn for a row depends on its place among the rows, not on their tokens."""
        free = ~torch.isin(ids, self.special)
        within = self._within(ids, free)
        if self.maskable == "single":
            free &= ~within & ~torch.cat([within[:, 1:], torch.zeros_like(within[:, :1])], dim=-1)
        # Of a word all tokens get the score of its first.
        first = torch.where(within, 0, torch.arange(ids.shape[1])).cummax(-1).values
        score = torch.rand(ids.shape, generator=draw).gather(-1, first).masked_fill(~free, -1.0)
        kept = torch.rand(len(ids), self.most, generator=draw) < self.kept
        chance = torch.rand(len(ids), self.most, generator=draw)
        best, order = score.topk(min(self.most + 1, ids.shape[1]), dim=-1)
        best = torch.cat([best, torch.full_like(best[:, :1], -1.0)], dim=-1)
        places = order[:, : self.most]
        wanted = (free.sum(-1, keepdim=True) * self.share).round().clamp(min=1)
        weight = (torch.arange(self.most) < wanted) & free.gather(-1, places)
        # A word that is cut off is left out, unless it is the only one.
        cut = best.gather(-1, wanted.long()) == best[:, : self.most]
        weight &= ~cut | cut[:, :1]
        shown = torch.where(weight & ~kept, self.mask_id, ids.gather(-1, places))
        masked = ids.scatter(-1, places, shown)
        return TokenBatch(ids, masked, (ids != self.pad).long(), places, weight.float(), chance)

    def _within(self, ids: torch.Tensor, free: torch.Tensor) -> torch.Tensor:
        """(B, L), true for a token that goes on with the word before it."""
        if self.continuing is None:
            return torch.zeros_like(free)
        goes_on, breaks = self.continuing
        within = goes_on[ids]
        # Behind a special token or the end of a line a word begins, whatever it looks like.
        within[:, 1:] &= free[:, :-1] & ~breaks[ids[:, :-1]]
        within[:, 0] = False
        return within & free


def continuing(tokenizer: PreTrainedTokenizerBase) -> tuple[torch.Tensor, torch.Tensor]:
    """Two masks (V,): the tokens that go on with the word before them, and those behind which a word begins anew.

    WordPiece marks the first. Byte-level BPE and SentencePiece mark tokens with a space before them; of the others,
    letters, digits and parts of a character go on with a word, but not in a script that is written without spaces.
    Raises UserError for a tokenizer that marks the ends of words.
    """
    backend: Any = tokenizer.backend_tokenizer.model
    if getattr(backend, "end_of_word_suffix", None):
        remedy = "Add --set maskable=tokens."
        raise UserError("which tokens are words cannot be told with this tokenizer.", remedy=remedy)
    prefix = getattr(backend, "continuing_subword_prefix", None)
    tokens = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    if prefix:
        return torch.tensor([token.startswith(prefix) for token in tokens]), torch.zeros(len(tokens), dtype=torch.bool)
    texts = ["" if token[:1] in SPACES else tokenizer.convert_tokens_to_string([token]) for token in tokens]
    return torch.tensor([_goes_on(text) for text in texts]), torch.tensor([text.endswith("\n") for text in texts])


def _goes_on(text: str) -> bool:
    if not text or unicodedata.name(text[0], "").startswith(UNSPACED):
        return False
    return text[0] == "\ufffd" or unicodedata.category(text[0])[0] in "LMN"


class TokenBatches:
    """Batch number n of a run: `size` blocks, each block once an epoch, of which a process gets its own.

    Blocks, masks and chances follow from the seed and n alone, whatever the number of processes: a process takes every
    `processes`-th row of the global batch.
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
    ):
        self.blocks, self.trained, self.masker, self.size, self.seed = blocks, trained, masker, size, seed
        self.process, self.processes = process, processes
        self.epoch = -1

    def __getitem__(self, number: int) -> TokenBatch:
        spots = np.arange(number * self.size, (number + 1) * self.size)
        places = np.array([self._place(*divmod(int(spot), len(self.trained))) for spot in spots])
        draw = torch.Generator().manual_seed(masking_seed(self.seed, number))
        mine = slice(self.process, None, self.processes)
        whole = self.masker(torch.from_numpy(self.blocks.rows(places)), draw)
        return TokenBatch(*(getattr(whole, each.name)[mine] for each in fields(whole)))

    def _place(self, epoch: int, spot: int) -> int:
        if epoch != self.epoch:
            self.order = np.random.default_rng([self.seed, epoch]).permutation(self.trained)
            self.epoch = epoch
        return int(self.order[spot])


def hold_out(blocks: int, share: float, seed: int, most: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """The places of the blocks that are trained on, and of those held out: `share` of them, at least one, at most
    `most`; none where there is but one block or the share is 0."""
    order = np.random.default_rng([seed, blocks]).permutation(blocks)
    kept = min(most, blocks - 1, max(1, round(share * blocks))) if share and blocks > 1 else 0
    return np.sort(order[kept:]), np.sort(order[:kept])
