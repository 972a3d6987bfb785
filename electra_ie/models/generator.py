"""The base class of the generators of `train`."""

from __future__ import annotations

import os
from typing import Any, Self, cast

from transformers import PreTrainedConfig, PreTrainedModel

from electra_ie.common.errors import UserError
from electra_ie.common.hub_client import local_folder
from electra_ie.models.encoders import translate_load_errors
from electra_ie.models.saved import check_loaded_weights, check_model_type
from electra_ie.models.untrusted import CONFIG

FILES = (CONFIG, "model*.safetensors")
"""The files of a saved generator that are downloaded from the Hub."""


class Generator(PreTrainedModel):
    """A generator: a `PreTrainedModel` whose weights are saved and loaded as safetensors only."""

    main_input_name = "input_ids"
    config_class: type[PreTrainedConfig]

    def init_weights(self) -> None:
        """Do nothing: the constructors of the modules initialize the weights, from the state of torch's generator."""

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str],
        *,
        revision: str | None = None,
        token: str | None = None,
        local_files_only: bool = False,
    ) -> Self:
        """Load what `save_pretrained` has written.

        Args:
            pretrained_model_name_or_path: A folder, or `ORG/NAME` or `ORG/NAME@REVISION` on the Hub.
            revision: A branch, tag or commit on the Hub.
            token: A token for the Hub in place of the stored one.
            local_files_only: Use the download cache only, without network access.

        Raises:
            UserError: there is no generator of this class, or its weights do not fit its configuration.
        """
        folder, _ = local_folder(
            pretrained_model_name_or_path, FILES, revision=revision, token=token, local_files_only=local_files_only
        )
        check_model_type(folder, cls.config_class.model_type, cls.__name__, "its save_pretrained")
        with translate_load_errors(str(folder)):
            loaded: Any = super().from_pretrained(folder, use_safetensors=True, output_loading_info=True)
        model, loading_info = cast(tuple[Self, dict[str, Any]], loaded)
        check_loaded_weights(loading_info, folder, "Restore the folder.")
        return model

    def push_to_hub(self, *_: Any, **__: Any) -> str:  # type: ignore[override]
        """Raise UserError: a generator is only used in training."""
        remedy = "Save it with save_pretrained; push the trained run with electra_ie.push_to_hub."
        raise UserError("a generator is not pushed by itself.", remedy=remedy)
