"""The discriminator: stock transformers heads on one shared encoder, judging texts and states alike.

With K classes and the fake class's logit pinned at 0 (Salimans et al. 2016, "Improved techniques for training GANs",
section 5), `realness = logsumexp(logits)` is the logit of "real": the discriminator of the game IS the stock K-class
classifier, and nothing is removed when it is saved. Flags are the exception: a text with no flag has all logits low
and would count as fake, so there an extra realness logit is learnt beside the stock head and left out on saving.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, cast

import torch
from torch import nn
from transformers import (
    PreTrainedModel,
)

from electra_ie.common.errors import UserError
from electra_ie.data.batching import Batch
from electra_ie.data.fields import Field
from electra_ie.models.heads import Head, module_key
from electra_ie.models.loading import _new, _saved
from electra_ie.models.outputs import TEXTS, DiscriminatorOutput, GeneratedStates, MaskedBatch
from electra_ie.models.pooling import averaging


class Discriminator(nn.Module):
    """Stock heads, one a field, on one encoder that runs once for all of them."""

    encoder: Any

    def __init__(self, models: Mapping[str, PreTrainedModel], fields: Sequence[Field], fakes: bool = False):
        super().__init__()
        self.fields = tuple(fields)
        self.encoder = models[fields[0].name].base_model
        self.heads = nn.ModuleDict({module_key(field): Head(field, models[field.name], fakes) for field in fields})
        if getattr(self.encoder, "pooler", None) is not None:
            self.encoder.pooler = None  # it went to its head

    @classmethod
    def load(cls, encoder: str, fields: Sequence[Field], pooling: str, fakes: bool = False) -> Discriminator:
        """New heads on the encoder of that name or directory; `pooling` is `stock` or `mean`. fakes: is it to judge
        states that a generator faked?

        Raises UserError for an encoder that cannot be had, or whose stock head reads more than its states.
        """
        discriminator = cls({field.name: _new(encoder, field, pooling) for field in fields}, fields, fakes)
        discriminator.probe(encoder)
        return discriminator

    @classmethod
    def from_saved(cls, folders: Mapping[str, str], fields: Sequence[Field]) -> Discriminator:
        """The discriminator of a run: for each field the folder of its stock model.

        Raises UserError for weights that are missing or left over, or labels that are not the field's.
        """
        return cls({field.name: _saved(folders[field.name], field) for field in fields}, fields)

    def head(self, field: Field) -> Head:
        return cast(Head, self.heads[module_key(field)])

    @property
    def hidden(self) -> int:
        return int(self.encoder.config.hidden_size)

    def states(self, batch: Batch) -> torch.Tensor:
        """(B, L, H), the encoder's last states."""
        return self._encode(batch.attention_mask, input_ids=batch.input_ids)

    def _encode(self, mask: torch.Tensor, **given: torch.Tensor) -> torch.Tensor:
        if not len(mask):  # a process may have no unlabelled rows; not every family takes an empty batch
            return torch.zeros(*mask.shape, self.hidden, device=mask.device)
        return self.encoder(attention_mask=mask, **given).last_hidden_state

    def forward(
        self, batch: Batch, fakes: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, DiscriminatorOutput], dict[str, DiscriminatorOutput]]:
        """Return the outputs for a batch, and for generated inputs if there are any, by field.

        fakes: `GeneratedStates` by field; or a `MaskedBatch` under `TEXTS`, which replaces the unlabeled rows of the
        batch.
        """
        hidden = fakes.get(TEXTS) if fakes else None
        if isinstance(hidden, MaskedBatch):  # a field may be called so too
            labelled = batch.rows(batch.known())
            return self._read(self.states(labelled), labelled), self.read_hidden(hidden)
        return self._read(self.states(batch), batch), self.judge(fakes) if fakes else {}

    def _read(self, states: torch.Tensor, batch: Batch) -> dict[str, DiscriminatorOutput]:
        """The verdicts on texts, (B, L, H) states of theirs, by field."""
        verdicts = {}
        for field in self.fields:
            judged = batch.owned if field.kind == "spans" else None
            verdicts[field.name] = self._verdict(
                field, states, batch.attention_mask, judged, batch.labels[field.name], batch.window_weight
            )
        return verdicts

    def read_hidden(self, made: MaskedBatch) -> dict[str, DiscriminatorOutput]:
        """The verdicts on texts with hidden tokens, beside what the teacher says of the whole ones."""
        table = self.encoder.get_input_embeddings()
        whole = table(made.texts.input_ids)
        instead = table(torch.tensor(made.token, device=whole.device))
        given = whole + made.hidden[..., None].to(whole.dtype) * (instead - whole)
        verdicts = self._read(self._encode(made.texts.attention_mask, inputs_embeds=given), made.texts)
        for field in self.fields:
            taught = made.taught[field.name]
            verdicts[field.name].taught = taught[made.texts.owned] if field.kind == "spans" else taught
        return verdicts

    def judge(self, fakes: Mapping[str, Any]) -> dict[str, Any]:
        """The verdicts on states that no text produced, by field. Texts with hidden tokens come back as they are: what
        hiding did to the answers they know from the discriminator's turn."""
        if isinstance(fakes.get(TEXTS), MaskedBatch):
            return dict(fakes)
        verdicts = {}
        for field in self.fields:
            made: GeneratedStates = fakes[field.name]
            judged = made.judged if field.kind == "spans" else None
            ones = made.states.new_ones(len(made.states))
            verdicts[field.name] = self._verdict(field, made.states, made.mask, judged, made.labels, ones)
        return verdicts

    def _verdict(
        self,
        field: Field,
        states: torch.Tensor,
        mask: torch.Tensor,
        judged: torch.Tensor | None,
        labels: torch.Tensor,
        share: torch.Tensor,
    ) -> DiscriminatorOutput:
        logits, features, realness = self.head(field)(states, mask)
        if judged is None:
            return DiscriminatorOutput(field, logits, features, realness, labels, share)
        weight = realness.new_ones(int(judged.sum()))
        return DiscriminatorOutput(field, logits[judged], features[judged], realness[judged], labels[judged], weight)

    @torch.no_grad()
    def probabilities(self, states: torch.Tensor, batch: Batch) -> dict[str, torch.Tensor]:
        """The probabilities of the answers to a batch whose states are known, by field: shaped as `answers`."""
        found = {}
        for field in self.fields:
            logits = self.head(field)(states, batch.attention_mask)[0]
            found[field.name] = logits.sigmoid() if field.kind == "flags" else logits.softmax(-1)
        return found

    @torch.no_grad()
    def answers(self, batch: Batch) -> dict[str, torch.Tensor]:
        """The logits of a batch by field, padded rows included: (B, K), or (B, L, K) for spans."""
        states = self.states(batch)
        return {field.name: self.head(field)(states, batch.attention_mask)[0] for field in self.fields}

    @contextmanager
    def stock(self, field: Field) -> Iterator[PreTrainedModel]:
        """The whole stock model of a field, encoder in its place, as it is saved."""
        model = self.head(field).model
        prefix = model.base_model_prefix
        playback = getattr(model, prefix)
        setattr(model, prefix, self.encoder)
        if playback.pooler is not None:
            self.encoder.pooler = playback.pooler
        try:
            with averaging(model) if self.head(field).averages else nullcontext():
                yield model
        finally:
            setattr(model, prefix, playback)
            if playback.pooler is not None:
                self.encoder.pooler = None

    @torch.no_grad()
    def probe(self, name: str) -> None:
        """Refuse, by name, an encoder on whose states the stock head answers otherwise than on its text."""
        ids = torch.arange(5, 13, device=self.encoder.device).view(2, 4) % self.encoder.config.vocab_size
        mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]], device=ids.device)
        training = self.training
        self.eval()
        for field in self.fields:
            try:
                states = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
                played = self.head(field)(states, mask)[0]
                with self.stock(field) as model:
                    expected = model(input_ids=ids, attention_mask=mask).logits
                same = played.shape == expected.shape and torch.allclose(played, expected, atol=1e-5)
            except (TypeError, RuntimeError, AttributeError, ValueError):
                same = False
            if not same:
                family = type(self.head(field).model).__name__
                raise UserError(
                    f'the encoder "{name}" cannot be used for the field "{field.name}" ({field.kind}): '
                    f"{family} reads more than the encoder's states.",
                    remedy="Choose another encoder, such as a BERT, RoBERTa, ELECTRA, DeBERTa or ModernBERT.",
                )
        self.train(training)

    @torch.no_grad()
    def probe_hiding(self, name: str, token: int) -> None:
        """Refuse, by name, an encoder without an embedding for `token`, which is to stand where one is hidden, or one
        that reads its own word embeddings otherwise than its tokens."""
        if token >= self.encoder.get_input_embeddings().num_embeddings:
            raise UserError(
                f'the encoder "{name}" has no embedding for the mask token of its tokenizer: no token can be hidden.',
                remedy="Choose another encoder, or --preset supervised.",
            )
        ids = torch.arange(5, 13, device=self.encoder.device).view(2, 4) % self.encoder.config.vocab_size
        mask = torch.ones_like(ids)
        training = self.training
        self.eval()
        expected = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        try:
            given = self.encoder.get_input_embeddings()(ids)
            found = self.encoder(inputs_embeds=given, attention_mask=mask).last_hidden_state
            same = torch.allclose(found, expected, atol=1e-5)
        except (TypeError, RuntimeError, AttributeError, ValueError):
            same = False
        if not same:
            raise UserError(
                f'no token can be hidden from the encoder "{name}": it does not take word embeddings.',
                remedy="Choose another encoder, or --preset supervised.",
            )
        self.train(training)
