"""The base class of the generators of `train`."""

from __future__ import annotations

import os
from typing import Any, Self

from transformers import PreTrainedModel

from electra_ie.models.encoders import quiet_transformers, translate_load_errors


class Generator(PreTrainedModel):
    """A generator: a stock `PreTrainedModel` whose weights are saved and loaded as safetensors only."""

    main_input_name = "input_ids"

    def init_weights(self) -> None:
        """Do nothing: the constructors of the modules initialize the weights, from the state of torch's generator.

        `_init_weights` initializes weights that a saved model lacks.
        """

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | os.PathLike[str], **kwargs: Any) -> Self:  # type: ignore[override]
        """Load a saved generator, with the arguments of `PreTrainedModel.from_pretrained`.

        Raises:
            UserError: the model cannot be loaded.
        """
        with translate_load_errors(os.fspath(pretrained_model_name_or_path)), quiet_transformers():
            return super().from_pretrained(pretrained_model_name_or_path, **{**kwargs, "use_safetensors": True})
