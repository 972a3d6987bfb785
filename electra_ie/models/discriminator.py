"""The discriminator: one encoder with a stock transformers head for each field, for texts and for generated states.

With K classes and the logit of the class "generated" fixed at 0 (Salimans et al. 2016, "Improved techniques for
training GANs", arXiv 1606.03498, section 5), `realness = logsumexp(logits)` is the logit of "not generated". So the
discriminator is the stock K-class classifier, and nothing has to be removed when it is saved. Flags are the exception:
all logits of a text without a flag are low, and it would count as generated. There, `realness_head=True` adds an output
for the realness, which is trained with the head and is not saved.
"""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Self, cast

import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from electra_ie.common.errors import UserError
from electra_ie.common.files import MODEL_FILES
from electra_ie.common.hub_client import local_folder
from electra_ie.config.train import PRESETS
from electra_ie.data.batching import Batch, batch_of_tensors
from electra_ie.data.declaration.task_yaml import validated_fields
from electra_ie.data.fields import Field
from electra_ie.models.configs import DiscriminatorConfig
from electra_ie.models.encoders import quiet_transformers, translate_load_errors
from electra_ie.models.heads import FieldHead, module_key
from electra_ie.models.loading import model_from_config, model_on_encoder, saved_model
from electra_ie.models.losses import Mean, local_mean, weighted_loss
from electra_ie.models.outputs import (
    DiscriminatorOutput,
    GeneratorOutput,
    LatentGeneratorOutput,
    MaskingGeneratorOutput,
    UnitScores,
)
from electra_ie.models.packing import MIN_ROWS, can_pack, enough_rows, packed_states
from electra_ie.models.parity_checks import check_stock_parity
from electra_ie.models.pooling import AVERAGES, choose_pooling, with_averaging_layer
from electra_ie.models.saved import check_model_type, check_save_directory
from electra_ie.models.tags import field_probabilities, tag_logits
from electra_ie.models.untrusted import CONFIG, inspect_model, strip_code_references

HEAD_FILES = (CONFIG, *(f"*/{name}" for name in MODEL_FILES))
"""The files of a saved discriminator that are downloaded from the Hub."""
HeadScores = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Logits, features and realness of one field, as `FieldHead` returns them."""


class Discriminator(PreTrainedModel):
    """An encoder with one stock transformers head for each field; the encoder runs once for all of them.

    A saved discriminator is a folder with a `config.json` and, for each field, the complete stock model in a subfolder
    with the field's name, which `AutoModelForSequenceClassification` or `AutoModelForTokenClassification` loads.

    Attributes:
        fields: The fields.
        encoder: The stock encoder that all fields share.
        heads: The head of each field.
    """

    config_class = DiscriminatorConfig
    base_model_prefix = "encoder"
    encoder: Any

    def __init__(self, config: DiscriminatorConfig, models: Mapping[str, PreTrainedModel] | None = None) -> None:
        """Combine stock models that have the same encoder.

        Args:
            config: The configuration.
            models: The stock model of each field; the encoder of the first one is used. By default, they are created
                with random weights from `config.encoder`.
        """
        super().__init__(config)
        self.fields = validated_fields(config.typed_fields)
        if models is None:
            models = {field.name: model_from_config(config.encoder, field, config.pooling) for field in self.fields}
        self.encoder = models[self.fields[0].name].base_model
        heads = {module_key(field): FieldHead(field, models[field.name], config.realness_head) for field in self.fields}
        self.heads = nn.ModuleDict(heads)
        if getattr(self.encoder, "pooler", None) is not None:
            self.encoder.pooler = None  # each head has its own
        self.post_init()

    def init_weights(self) -> None:
        """Do nothing: the stock models are initialized or loaded before they are combined."""

    @classmethod
    def from_encoder(
        cls,
        encoder: str,
        fields: Sequence[Field] | Mapping[str, Any],
        *,
        pooling: str | None = None,
        realness_head: bool = False,
    ) -> Self:
        """Return a discriminator with new heads on a pretrained encoder.

        Args:
            encoder: A folder, a name on the Hub, or `all-MiniLM-L6-v2`, which is installed with this package.
            fields: The fields, one head each: `Field`s, or their declarations by name as in task.yaml.
            pooling: `mean` or `stock`; by default what the encoder was trained with (see `choose_pooling`).
            realness_head: Add an output for the realness of texts with flags. `LatentGenerator` needs it.

        Raises:
            UserError: a field is invalid, the encoder cannot be loaded, or its stock head reads more than its states.
        """
        fields = validated_fields(fields)
        pooling = choose_pooling(encoder, pooling)
        models = {field.name: model_on_encoder(encoder, field, pooling) for field in fields}
        encoder_config: Any = models[fields[0].name].base_model.config
        config = DiscriminatorConfig(fields, without_head(encoder_config.to_dict()), pooling, realness_head)
        discriminator = cls(config, models)
        check_stock_parity(discriminator, encoder)
        return discriminator

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str],
        *,
        revision: str | None = None,
        token: str | None = None,
        local_files_only: bool = False,
    ) -> Self:
        """Load what `save_pretrained` has written; the folder of a run is such a folder. The fields share the encoder.

        Args:
            pretrained_model_name_or_path: A folder, or `ORG/NAME` or `ORG/NAME@REVISION` on the Hub.
            revision: A branch, tag or commit on the Hub.
            token: A token for the Hub in place of the stored one.
            local_files_only: Use the download cache only, without network access.

        Raises:
            UserError: a file is missing, damaged or unsafe, or weights do not fit their configuration.
        """
        folder, _ = local_folder(
            pretrained_model_name_or_path, HEAD_FILES, revision=revision, token=token, local_files_only=local_files_only
        )
        config = _read_config(folder)
        for field in config.typed_fields:
            inspect_model(folder / field.name, saved=True)
        models = {field.name: saved_model(folder / field.name, field) for field in config.typed_fields}
        discriminator = cls(config, models)
        discriminator.eval()
        return discriminator

    @classmethod
    def from_stock(cls, folder: Path, field: Field) -> Self:
        """Load a discriminator of one field from the folder of its stock model.

        Raises:
            UserError: a file is missing, damaged or unsafe, or weights or labels do not fit.
        """
        inspect_model(folder, saved=True)
        model = saved_model(folder, field)
        encoder: Any = model.base_model.config
        discriminator = cls(DiscriminatorConfig([field], without_head(encoder.to_dict())), {field.name: model})
        discriminator.eval()
        return discriminator

    def save_pretrained(  # type: ignore[override]
        self,
        save_directory: str | os.PathLike[str],
        *,
        tokenizer: PreTrainedTokenizerBase | None = None,
        **kwargs: Any,
    ) -> None:
        """Save the stock model of each field to the subfolder with its name, and `config.json`.

        The realness outputs of flags, which only training uses, are not saved. An interrupted save leaves the former
        model of a field complete.

        Args:
            save_directory: The folder. The models of an earlier save are replaced.
            tokenizer: A tokenizer to save with each stock model.
            kwargs: `is_main_process`, which is false in processes that must not write, and arguments for
                `save_pretrained` of the stock models, such as `max_shard_size`.

        Raises:
            UserError: the folder is that of a run or of another model, or has other files in place of a model.
        """
        if not kwargs.pop("is_main_process", True):
            return
        for name in ("push_to_hub", "state_dict"):
            if kwargs.pop(name, None):
                raise UserError(f"save_pretrained does not support {name}.", remedy="Leave it out.")
        folder = Path(save_directory)
        check_save_directory(folder, [field.name for field in self.fields])
        self.write(folder, tokenizer, {}, **kwargs)

    def write(
        self,
        folder: Path,
        tokenizer: PreTrainedTokenizerBase | None,
        metadata: Mapping[str, Mapping[str, Any]],
        **kwargs: Any,
    ) -> None:
        """Save the models as `save_pretrained` does, without its checks of the folder.

        metadata: by field, further entries of the block `electra_ie` in the config of the stock model.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for field in self.fields:
            part = folder / f".{field.name}.part"
            shutil.rmtree(part, ignore_errors=True)
            with quiet_transformers(), self.stock_model(field) as model:
                block = {"field": field.name, "kind": field.kind, **metadata.get(field.name, {})}
                model.config.electra_ie = {**block, AVERAGES: self.head(field).averages}
                strip_code_references(vars(model.config))
                model.save_pretrained(part, **kwargs)
            if tokenizer is not None:
                tokenizer.save_pretrained(part)
            shutil.rmtree(folder / field.name, ignore_errors=True)
            os.replace(part, folder / field.name)
        config = copy.deepcopy(self.config)
        config.architectures, config.realness_head = [type(self).__name__], False
        config.save_pretrained(folder)

    def resize_token_embeddings(self, *_: Any, **__: Any) -> Any:
        """Raise UserError: the stock models would not have the vocabulary of their configuration."""
        remedy = "Resize and save the encoder, and call from_encoder with its folder."
        raise UserError("the vocabulary of a discriminator cannot be resized.", remedy=remedy)

    def push_to_hub(self, *_: Any, **__: Any) -> str:  # type: ignore[override]
        """Raise UserError: `Extractor.push_to_hub` checks for secrets and replaces the files of an earlier run."""
        remedy = "Push the run with electra_ie.push_to_hub, or its extractor with Extractor.push_to_hub."
        raise UserError("a discriminator is not pushed by itself.", remedy=remedy)

    def head(self, field: Field) -> FieldHead:
        """Return the head of a field."""
        return cast(FieldHead, self.heads[module_key(field)])

    @property
    def hidden_size(self) -> int:
        """The width H of the encoder's states."""
        return int(self.encoder.config.hidden_size)

    # Forward passes

    def forward(  # noqa: PLR0913, PLR0917 - the tensors of a batch, as in the models of transformers
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        labels: Mapping[str, torch.Tensor] | None = None,
        token_mask: torch.Tensor | None = None,
        window_weight: torch.Tensor | None = None,
        row_indices: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
        teacher_probabilities: dict[str, torch.Tensor] | None = None,
        generated: GeneratorOutput | None = None,
        loss_weights: Mapping[str, float] | None = None,
        mean: Mean = local_mean,
    ) -> DiscriminatorOutput:
        """Return logits and realness of a batch and, with labels, the loss. `forward(**batch)` takes a `Batch`.

        Args:
            input_ids: (B, L).
            attention_mask: (B, L), 0 at padding; by default all ones.
            labels: By field, (B,) class ids, (B, K) zeros and ones for flags, or (B, L) BIO ids for spans; -100 if
                unknown. A field that is left out is unknown.
            token_mask: (B, L) boolean, the tokens that are classified for spans; by default all but padding.
            window_weight: (B,), the weight of each row in losses on whole texts; by default 1.
            row_indices: (B,), the index of each row over all processes; only generators use it.
            token_type_ids: Ignored: a tokenizer returns zeros for single texts, as encoders assume by default.
            teacher_probabilities: Ignored: those of `generated` are used.
            generated: The output of a generator for the same batch, detached from it. Generated states are scored in
                addition to the batch. Masked texts replace its unlabeled rows.
            loss_weights: The weight of each loss term (see `losses.ROW_TERMS`); by default those of the preset
                `latent` for generated states, of `adversarial` for masked texts, otherwise of `supervised`.
            mean: How losses are averaged over rows; by default over those of this process.
        """
        batch = batch_of_tensors(
            input_ids, attention_mask, labels, token_mask, window_weight, row_indices, fields=self.fields
        )
        rows = batch.rows(batch.known()) if isinstance(generated, MaskingGeneratorOutput) else batch
        scores = self._scores(self.encode(rows), rows.attention_mask)
        units = self._units(scores, rows)
        generated_units = self.score_generated(generated) if generated is not None else None
        loss, losses = None, None
        if labels or generated is not None:
            if loss_weights is None:
                loss_weights = PRESETS[_preset_of(generated)]["discriminator"]
            if generated is None and (needing := [name for name in loss_weights if name != "classification"]):
                remedy = "Give generated=, or leave the term out."
                raise UserError(f"the loss term {needing[0]} needs what a generator has produced.", remedy=remedy)
            loss, losses = weighted_loss("discriminator", loss_weights, units, generated_units or {}, mean)
        return DiscriminatorOutput(
            loss=loss,
            logits={name: logits for name, (logits, _, _) in scores.items()},
            realness={name: realness for name, (_, _, realness) in scores.items()},
            losses=losses,
            units=units,
            generated_units=generated_units,
        )

    def generator_loss(
        self,
        generated: GeneratorOutput,
        output: DiscriminatorOutput,
        loss_weights: Mapping[str, float] | None = None,
        mean: Mean = local_mean,
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """Return the loss of the generator and its terms. Call it after the backward pass of the discriminator's loss.

        Generated states are scored again, with a gradient to the generator. The loss on masked texts follows from the
        gradient of the discriminator's loss with respect to the mask. Wrap the call in `loop.frozen(discriminator)` to
        leave the discriminator's gradients as they are.

        Args:
            generated: The output of the generator, not detached.
            output: What `forward` has returned for its detached copy.
            loss_weights: The weight of each loss term; by default those of the generator in the same preset.
            mean: As for `forward`.
        """
        if loss_weights is None:
            loss_weights = PRESETS[_preset_of(generated)]["generator"]
        scored: Mapping[str, Any]
        if isinstance(generated, MaskingGeneratorOutput):
            scored = {"texts": generated}  # one mask for all fields
        else:
            scored = self.score_generated(generated)
        assert output.units is not None
        return weighted_loss("generator", loss_weights, output.units, scored, mean)

    def encode(self, batch: Batch) -> torch.Tensor:
        """Return the last hidden states (B, L, H) of the encoder."""
        return self._encode(batch.attention_mask, input_ids=batch.input_ids)

    def score_generated(self, generated: GeneratorOutput) -> dict[str, UnitScores]:
        """Return the scores of generated states, or of masked texts with the teacher's predictions, by field."""
        if isinstance(generated, MaskingGeneratorOutput):
            return self._score_masked(generated)
        return self._score_states(generated)

    def _score_states(self, generated: LatentGeneratorOutput) -> dict[str, UnitScores]:
        units = {}
        assert generated.states
        assert generated.attention_mask
        assert generated.token_mask
        assert generated.labels
        for field in self.fields:
            if field.name not in generated.states:
                raise UserError(f"the generator lacks the field {field.name}.", remedy="Give both the same fields.")
            if field.kind == "flags" and self.head(field).realness_layer is None:
                message = f"the head of the field {field.name} (flags) has no output for realness."
                raise UserError(message, remedy="Create the discriminator with realness_head=True.")
            states = generated.states[field.name]
            scores = self.head(field)(states, generated.attention_mask[field.name])
            token_mask = generated.token_mask[field.name] if field.kind == "spans" else None
            labels, weight = generated.labels[field.name], states.new_ones(len(states))
            units[field.name] = _unit_scores(field, scores, token_mask, labels, weight)
        return units

    def _score_masked(self, generated: MaskingGeneratorOutput) -> dict[str, UnitScores]:
        texts, mask, probabilities = generated.texts, generated.mask, generated.teacher_probabilities
        assert texts is not None
        assert mask is not None
        assert probabilities is not None
        table = self.encoder.get_input_embeddings()
        embeddings = table(texts.input_ids)
        mask_embedding = table(torch.tensor(generated.mask_token_id, device=embeddings.device))
        # An interpolation instead of a replaced id: it is differentiable with respect to the mask.
        masked = embeddings + mask[..., None].to(embeddings.dtype) * (mask_embedding - embeddings)
        states = self._encode(texts.attention_mask, inputs_embeds=masked)
        units = self._units(self._scores(states, texts.attention_mask), texts)
        for field in self.fields:
            of_units = probabilities[field.name]
            if field.kind == "spans":
                of_units = of_units[texts.token_mask]
            if field.has_tracks:
                of_units = of_units.unflatten(-1, (len(field.tracks), -1)).flatten(0, 1)
            units[field.name].teacher_probabilities = of_units
        return units

    def _encode(self, mask: torch.Tensor, **inputs: torch.Tensor) -> torch.Tensor:
        if not len(mask):  # a process may have no unlabeled rows, and some families fail on an empty batch
            return torch.zeros(*mask.shape, self.hidden_size, device=mask.device)
        states: torch.Tensor = self.encoder(attention_mask=mask, **inputs).last_hidden_state
        return states

    def _scores(self, states: torch.Tensor, mask: torch.Tensor) -> dict[str, HeadScores]:
        return {field.name: self.head(field)(states, mask) for field in self.fields}

    def _units(self, scores: Mapping[str, HeadScores], batch: Batch) -> dict[str, UnitScores]:
        units = {}
        for field in self.fields:
            token_mask = batch.token_mask if field.kind == "spans" else None
            labels = batch.labels[field.name]
            units[field.name] = _unit_scores(field, scores[field.name], token_mask, labels, batch.window_weight)
        return units

    # Inference

    @torch.no_grad()
    def predict_logits(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Return the logits of a batch by field, padding included: (B, K), or (B, L, K) for spans."""
        scores = self._scores(self.encode(batch), batch.attention_mask)
        return {name: logits for name, (logits, _, _) in scores.items()}

    @torch.no_grad()
    def predict_groups(self, groups: Sequence[torch.Tensor]) -> list[dict[str, torch.Tensor]]:
        """Return the logits of each group of windows by field, shaped as in `predict_logits`.

        On a CPU, and in evaluation mode, those of a window do not depend on the others, bit for bit. Where the family
        of the encoder allows it, all groups share a forward pass (see `packing`).

        Args:
            groups: Token ids without padding, (B, L) each: all windows of a group have the same length.
        """
        rows = [len(group) for group in groups]
        groups = [enough_rows(group) if group.numel() < MIN_ROWS else group for group in groups]
        if not can_pack(self.encoder):
            scored = [self._group_logits(self.encode(batch_of_tensors(group)), self.fields) for group in groups]
        else:
            states = packed_states(self.encoder, groups)
            spans = self._group_logits(states, [field for field in self.fields if field.kind == "spans"])
            texts = [field for field in self.fields if field.kind != "spans"]
            scored, start = [], 0
            for group in groups:
                own = slice(start, start + group.numel())
                of_spans = {name: logits[0, own].unflatten(0, group.shape) for name, logits in spans.items()}
                of_texts = self._group_logits(states[0, own].unflatten(0, group.shape), texts) if texts else {}
                scored.append({**of_spans, **of_texts})
                start += group.numel()
        return [
            {name: values[:size] for name, values in logits.items()} for logits, size in zip(scored, rows, strict=True)
        ]

    def _group_logits(self, states: torch.Tensor, fields: Sequence[Field]) -> dict[str, torch.Tensor]:
        """Return the logits of states (B, L, H) without padding, of `MIN_ROWS` or more rows for whole texts."""
        texts = enough_rows(states) if any(field.kind != "spans" for field in fields) else states
        logits = {}
        for field in fields:
            given = states if field.kind == "spans" else texts
            logits[field.name] = self.head(field)(given, given.new_ones(given.shape[:2], dtype=torch.long))[0]
        return logits

    @torch.no_grad()
    def predict(self, batch: Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the states (B, L, H) and, by field, the probabilities of a batch (see `field_probabilities`).

        In evaluation mode, this is what a masking generator calls as its teacher.
        """
        states = self.encode(batch)
        scores = self._scores(states, batch.attention_mask)
        probabilities = {}
        for field in self.fields:
            probabilities[field.name] = field_probabilities(field, scores[field.name][0])
        return states, probabilities

    @contextmanager
    def stock_model(self, field: Field) -> Iterator[PreTrainedModel]:
        """Yield the complete stock model of a field, with its encoder, as it is saved."""
        model = self.head(field).model
        prefix = model.base_model_prefix
        replay = getattr(model, prefix)
        setattr(model, prefix, self.encoder)
        if replay.pooler is not None:
            self.encoder.pooler = replay.pooler
        try:
            with with_averaging_layer(model) if self.head(field).averages else nullcontext():
                yield model
        finally:
            setattr(model, prefix, replay)
            if replay.pooler is not None:
                self.encoder.pooler = None


def without_head(config: dict[str, Any]) -> dict[str, Any]:
    """Return the config of a stock model without the entries about its head, its path, or references to code."""
    left_out = ("id2label", "label2id", "problem_type", "architectures", "electra_ie", "_name_or_path")
    config = {name: value for name, value in config.items() if name not in left_out}
    strip_code_references(config)
    return config


def _preset_of(generated: GeneratorOutput | None) -> str:
    """Return the preset whose loss weights are the default."""
    if generated is None:
        return "supervised"
    return "adversarial" if isinstance(generated, MaskingGeneratorOutput) else "latent"


def _unit_scores(
    field: Field, scores: HeadScores, token_mask: torch.Tensor | None, labels: torch.Tensor, weight: torch.Tensor
) -> UnitScores:
    """Return the units of a field: whole texts, or the tokens in `token_mask`, each with the weight 1."""
    logits, features, realness = scores
    if token_mask is None:
        return UnitScores(field, logits, features, realness, labels, weight)
    logits, features, realness, labels = (values[token_mask] for values in (logits, features, realness, labels))
    if field.has_tracks:  # a unit is a token in one track
        logits, labels, count = tag_logits(field, logits).flatten(0, 1), labels.flatten(), len(field.tracks)
        features, realness = features.repeat_interleave(count, 0), logits.logsumexp(-1)
    return UnitScores(field, logits, features, realness, labels, realness.new_ones(len(realness)))


def _read_config(folder: Path) -> DiscriminatorConfig:
    """Return the configuration of a saved discriminator. Raises UserError if there is none."""
    file = folder / CONFIG
    if not folder.is_dir():
        raise UserError("there is no such folder.", file=folder, remedy="Give a folder, or ORG/NAME on the Hub.")
    check_model_type(folder, DiscriminatorConfig.model_type, "discriminator", "Discriminator.save_pretrained")
    with translate_load_errors(str(folder)):
        config = DiscriminatorConfig.from_pretrained(folder)
        fields = config.typed_fields
    try:
        validated_fields(fields)  # the name of a field is that of a subfolder, and may not lead out of this one
    except UserError as error:
        message = f"config.json has no valid fields: {error.message}"
        raise UserError(message, file=file, remedy="Restore the file, or train again.") from error
    return config
