"""Where encoders come from, and one clear line for one that cannot be had."""

from __future__ import annotations

import hashlib
import json
import shutil
from importlib.machinery import ModuleSpec
from types import SimpleNamespace

import pytest
import tiny
from transformers import AutoConfig

from electra_ie.common.errors import UserError
from electra_ie.config.train import EMBEDDED
from electra_ie.models import encoders, installed
from electra_ie.models.encoders import load_tokenizer, max_length, resolve_encoder


@pytest.mark.parametrize(("name", "words"), [
    ("no-such-encoder-anywhere", ["is not a folder and cannot be downloaded from the Hub", "needs no network"]),
    ("./nowhere", ["./nowhere: there is no such encoder folder"]),
    ("/not/a/folder", ["no such encoder folder"]),
    ("a/b/c", ["no such encoder folder"]),
    ("no such encoder", ["no such encoder folder"]),
])  # fmt: skip
def test_a_missing_encoder_is_named(name, words):
    with pytest.raises(UserError) as caught:
        load_tokenizer(name)
    assert all(word in str(caught.value) for word in words), caught.value
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("is_offline", [True, False])
def test_attempts_are_to_be_avoided_only_if_they_are_made(monkeypatch, is_offline):
    monkeypatch.setattr(encoders.constants, "HF_HUB_OFFLINE", is_offline)
    said = str(encoders._not_found("nosuch", "not in the cache"))
    assert ("HF_HUB_OFFLINE=1 avoids the attempts." in said) is not is_offline


def test_a_folder_without_an_encoder_is_named(tmp_path, encoder):
    with pytest.raises(UserError, match="has no config.json"):
        resolve_encoder(str(tmp_path))
    copy = shutil.copytree(encoder("bert"), tmp_path / "copy")
    (copy / "config.json").write_text("{ not JSON", encoding="utf-8")
    with pytest.raises(UserError, match="copy/config.json: this model cannot be loaded"):
        tiny.discriminator_of(str(copy))


@pytest.mark.parametrize("damage", ["model.safetensors", "model_type"])
def test_an_incomplete_encoder_is_named(tmp_path, encoder, damage):
    copy = shutil.copytree(encoder("bert"), tmp_path / "copy")
    if damage == "model_type":
        config = json.loads((copy / "config.json").read_text("utf-8"))
        (copy / "config.json").write_text(json.dumps({**config, "model_type": "unheard_of"}), encoding="utf-8")
    else:
        (copy / damage).unlink()
        (copy / "pytorch_model.bin").write_bytes(b"a pickle, which is never opened")
    with pytest.raises(UserError, match="copy: this model cannot be loaded"):
        tiny.discriminator_of(str(copy))


def embedded_at(monkeypatch, folder) -> None:
    spec = ModuleSpec(encoders.PACKAGE, None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    monkeypatch.setattr(installed.importlib.util, "find_spec", lambda name: spec if folder else None)


def test_the_default_encoder_is_verified_by_its_hash(tmp_path, monkeypatch):
    embedded_at(monkeypatch, tmp_path)
    with pytest.raises(UserError, match="this file is missing.*--force-reinstall"):
        resolve_encoder(EMBEDDED)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(UserError, match="SHA-256 differs.*--force-reinstall"):
        resolve_encoder(EMBEDDED)
    monkeypatch.setattr(encoders, "SHA256", hashlib.sha256(b"other weights").hexdigest())
    assert resolve_encoder(EMBEDDED) == str(tmp_path / "model")


def test_a_missing_default_encoder_is_an_error_with_the_install_command(monkeypatch):
    monkeypatch.setattr(installed.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="not installed. Run: pip install"):
        resolve_encoder(EMBEDDED)


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_the_maximum_length_is_accepted_by_the_encoder(encoder, family):
    """The longest window runs, for the families too that count positions from behind the padding."""
    folder = encoder(family)
    most = max_length(load_tokenizer(folder), AutoConfig.from_pretrained(folder))
    assert most == tiny.PLACES
    from electra_ie.data.batching import collate
    from electra_ie.data.document import Document

    windower = tiny.windower_of(folder, most)
    rows = tiny.rows(windower, [Document("d", "bank, " * 300)])
    batch = collate(rows, windower, ())
    assert batch.input_ids.shape[1] > most - 10
    tiny.discriminator_of(folder, [tiny.NAMED]).eval().predict_logits(batch)


def test_the_maximum_length_follows_from_positions_without_a_tokenizer_limit():
    endless = SimpleNamespace(model_max_length=10**30)
    config = SimpleNamespace(max_position_embeddings=514, model_type="roberta", pad_token_id=1)
    assert max_length(endless, config) == 512
    assert max_length(endless, SimpleNamespace(max_position_embeddings=512, model_type="bert", pad_token_id=0)) == 512


def test_a_tokenizer_without_offsets_is_refused(monkeypatch, encoder):
    slow = SimpleNamespace(is_fast=False)
    monkeypatch.setattr(encoders.AutoTokenizer, "from_pretrained", lambda *_, **__: slow)
    with pytest.raises(UserError, match="gives no character offsets"):
        load_tokenizer(encoder("bert"))


def test_a_saved_tokenizer_does_not_depend_on_how_it_was_loaded(encoder, tmp_path):
    """Otherwise transformers saves whether the Hub was offline, which would change the hash of a run's model."""
    load_tokenizer(encoder("bert")).save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "tokenizer_config.json").read_text("utf-8"))
    assert saved["mask_token"] == "[MASK]"
    assert not {"is_local", "local_files_only"} & set(saved)
