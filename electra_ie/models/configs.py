"""Configurations of the discriminator and of the generators, which their `config.json` holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from transformers import PreTrainedConfig

from electra_ie.common.errors import UserError
from electra_ie.data.fields import Field, as_saved, from_saved

FieldLike = Field | Mapping[str, Any]


class _FieldsConfig(PreTrainedConfig):
    """A configuration that lists the fields of a task, as dicts with the keys `name`, `kind`, `labels` and `scheme`."""

    def __init__(self, fields: Iterable[FieldLike] = (), **kwargs: Any) -> None:
        """Accept fields or their dicts. `kwargs`: as for every `PreTrainedConfig`."""
        self.fields = [as_saved(field if isinstance(field, Field) else from_saved(field)) for field in fields]
        super().__init__(**kwargs)

    @property
    def typed_fields(self) -> tuple[Field, ...]:
        """The fields as `Field` objects."""
        return tuple(map(from_saved, self.fields))


class DiscriminatorConfig(_FieldsConfig):
    """Configuration of a `Discriminator`.

    Args:
        fields: The fields, one head each.
        encoder: The configuration of the encoder as a dict, with its `model_type`.
        pooling: How heads on whole texts read the encoder, `stock` or `mean` (see `pooling`).
        realness_head: Whether heads of flags have an output for the realness of their input. Only training with a
            latent generator needs it, and it is not saved.
    """

    model_type = "electra_ie_discriminator"

    def __init__(
        self,
        fields: Iterable[FieldLike] = (),
        encoder: Mapping[str, Any] | None = None,
        pooling: str = "stock",
        realness_head: bool = False,
        **kwargs: Any,
    ) -> None:
        """See the class for the arguments."""
        self.encoder = dict(encoder or {})
        self.pooling = pooling
        self.realness_head = realness_head
        super().__init__(fields, **kwargs)


class LatentGeneratorConfig(_FieldsConfig):
    """Configuration of a `LatentGenerator`.

    Args:
        fields: The fields, one `FieldGenerator` each.
        hidden_size: The width H of the encoder states that are generated.
        latent_size: The width Z of the latent space.
        seed: The seed of the noise.
    """

    model_type = "electra_ie_latent_generator"

    def __init__(
        self,
        fields: Iterable[FieldLike] = (),
        hidden_size: int = 384,
        latent_size: int = 64,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        """See the class for the arguments."""
        if latent_size < 1:
            raise UserError(f"latent_size is {latent_size}.", remedy="It must be at least 1.")
        self.hidden_size, self.latent_size, self.seed = hidden_size, latent_size, seed
        super().__init__(fields, **kwargs)


class MaskingGeneratorConfig(PreTrainedConfig):
    """Configuration of a `MaskingGenerator`.

    Args:
        hidden_size: The width H of the teacher's states.
        mask_token_id: The id that replaces a masked token.
        special_token_ids: Ids that are never masked.
        mask_ratio: The share of the other tokens of a text that is masked.
        seed: The seed of the Gumbel noise.
        learned: Whether the tokens are selected by a layer that is trained; otherwise at random.
    """

    model_type = "electra_ie_masking_generator"

    def __init__(
        self,
        hidden_size: int = 384,
        mask_token_id: int = 103,
        special_token_ids: Sequence[int] = (),
        mask_ratio: float = 0.3,
        seed: int = 0,
        learned: bool = True,
        **kwargs: Any,
    ) -> None:
        """See the class for the arguments."""
        if not 0 <= mask_ratio <= 1:
            raise UserError(f"mask_ratio is {mask_ratio}.", remedy="It is a share, from 0 to 1.")
        self.hidden_size, self.mask_token_id = hidden_size, mask_token_id
        self.special_token_ids = sorted(special_token_ids)
        self.mask_ratio, self.seed, self.learned = mask_ratio, seed, learned
        super().__init__(**kwargs)
