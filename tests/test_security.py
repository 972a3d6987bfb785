"""Security: untrusted runs, encoders, tasks and documents are refused in one line, or are only text. See SECURITY.md."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path

import pytest
import tiny
import torch
import yaml
from parsed_page import ParsedPage
from safetensors.torch import load_file, save_file

from electra_ie import Extractor, Task, UserError, evaluate, extract, train
from electra_ie.common.logs import warn
from electra_ie.models.encoders import load_tokenizer
from electra_ie.models.pooling import choose_pooling

TEXT = "invoice goods Arden paid 5.975,74 later than monday."
EVIL = "\x1b]0;title\x07<script>alert(1)</script>\u202e=cmd|' /C calc'!A0"


@pytest.fixture
def run_copy(run, tmp_path) -> Path:
    """Return a copy of the finished run, to be manipulated."""
    return Path(shutil.copytree(run, tmp_path / "copy"))


@pytest.fixture
def encoder_copy(encoder, tmp_path) -> Path:
    """Return a copy of an encoder, to be manipulated."""
    return Path(shutil.copytree(encoder("bert"), tmp_path / "untrusted"))


def change(file: Path, **values) -> None:
    """Set values in a JSON file."""
    known = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    file.write_text(json.dumps({**known, **values}), encoding="utf-8")


def refused(call, *words) -> None:
    """Check that a call raises UserError with a message of one line that contains these words."""
    with pytest.raises(UserError) as caught:
        call()
    line = str(caught.value)
    assert "\n" not in line, line
    assert all(word in line for word in words), line


# Code in a model's folder


def plant(folder: Path) -> Path:
    """Write Python files into a model's folder; return the path of a file that they create if they are executed."""
    trace = folder / "executed"
    code = f"open({str(trace)!r}, 'w').close()\nclass Evil: pass\n"
    for name in ("evil.py", "configuration_evil.py", "__init__.py"):
        (folder / name).write_text(code, encoding="utf-8")
    return trace


MAP = {
    "auto_map": {"AutoConfig": "evil.Evil", "AutoModel": "evil.Evil", "AutoModelForTokenClassification": "evil.Evil"}
}


@pytest.mark.parametrize(("file", "values", "words"), [
    ("config.json", MAP, ["names/config.json", '"auto_map" refers to code']),
    ("config.json", {**MAP, "model_type": "evil"}, ["config.json", "refers to code"]),
    ("config.json", {"inner": [MAP]}, ["config.json", '"auto_map" refers to code']),
    ("config.json", {"quantization_config": {"quant_method": "evil"}}, ['"quantization_config" refers to code']),
    ("config.json", {"_attn_implementation": "evil/kernel"}, ["refers to code to be downloaded: evil/kernel"]),
    ("config.json", {"text_config": {"_attn_implementation": "evil/kernel"}}, ["refers to code to be downloaded: evil/kernel"]),
    ("config.json", {"inner": [{"_experts_implementation": "evil/kernel"}]}, ["refers to code to be downloaded: evil/kernel"]),
    ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["evil.Evil", None]}}, ["tokenizer_config.json", "refers to code"]),
    ("adapter_config.json", {"base_model_name_or_path": "evil/model"}, ["adapter of another model"]),
])  # fmt: skip
def test_run_that_names_code_is_refused_and_executes_nothing(run_copy, file, values, words):
    trace = plant(run_copy / "names")
    change(run_copy / "names" / file, **values)
    refused(lambda: Extractor.from_pretrained(run_copy), *words)
    assert not trace.exists()


@pytest.mark.parametrize(("values", "words"), [
    ({**MAP, "model_type": "evil"}, ["this model cannot be loaded", "untrusted"]),
    ({"_attn_implementation": "evil/kernel"}, ["refers to code to be downloaded"]),
    ({"attn_implementation": {"": "evil/kernel"}}, ["refers to code to be downloaded"]),
    ({"text_config": {"_attn_implementation": "evil/kernel"}}, ["refers to code to be downloaded"]),
    ({"text_config": {"attn_implementation": {"vision": "evil/kernel"}}}, ["refers to code to be downloaded"]),
])  # fmt: skip
def test_encoder_that_needs_code_is_refused(encoder_copy, task, tmp_path, values, words):
    trace = plant(encoder_copy)
    change(encoder_copy / "config.json", **values)
    refused(lambda: train(str(task), tmp_path / "run", **tiny.settings(str(encoder_copy))), *words)
    assert not trace.exists()
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_code_of_a_known_family_is_ignored_and_not_saved(encoder_copy, task, tmp_path):
    """Encoders of a known family may name code from before transformers had the family; the stock class is used."""
    trace = plant(encoder_copy)
    change(encoder_copy / "config.json", **MAP)
    change(
        encoder_copy / "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.Evil", None]}, tokenizer_class="Evil"
    )
    for pooling in ("stock", "mean"):
        run = train(
            str(task),
            tmp_path / pooling,
            **tiny.settings(str(encoder_copy), "supervised", max_steps=2, pooling=pooling),
        ).path
        assert not trace.exists()
        assert not [file for file in run.rglob("*config.json") if "auto_map" in file.read_text("utf-8")]
        assert Extractor.from_pretrained(run)(TEXT)


@pytest.mark.parametrize("architecture", ["os.system", "EvilForTokenClassification"])
def test_class_named_by_a_config_is_ignored(run_copy, architecture):
    change(run_copy / "names" / "config.json", architectures=[architecture])
    (run_copy / "calibration.json").unlink()  # it belongs to the model with its config, and refuses another one
    assert Extractor.from_pretrained(run_copy)(TEXT)


class Pickled:
    """An object that creates a file if it is unpickled."""

    def __init__(self, trace: Path):
        self.trace = trace

    def __reduce__(self):
        return open, (str(self.trace), "w")


def test_nothing_is_unpickled(encoder_copy, run_copy, tmp_path):
    trace = tmp_path / "unpickled"
    for folder in (encoder_copy, run_copy / "names"):
        (folder / "model.safetensors").unlink()
        with (folder / "pytorch_model.bin").open("wb") as file:
            pickle.dump(Pickled(trace), file)
    refused(lambda: tiny.discriminator_of(str(encoder_copy)), "this model cannot be loaded")
    refused(lambda: Extractor.from_pretrained(run_copy), "no model.safetensors")
    index = {"metadata": {}, "weight_map": {"x": "pytorch_model.bin"}}
    change(encoder_copy / "model.safetensors.index.json", **index)
    refused(
        lambda: tiny.discriminator_of(str(encoder_copy)), "refers to 'pytorch_model.bin'", "not a .safetensors file"
    )
    assert not trace.exists()


@pytest.mark.parametrize("content", [b"{", b"[true]", b"\xff\xfe"])
def test_damaged_pooling_config_is_refused(encoder_copy, content):
    (encoder_copy / "1_Pooling").mkdir()
    (encoder_copy / "1_Pooling" / "config.json").write_bytes(content)
    refused(lambda: choose_pooling(str(encoder_copy)), "1_Pooling/config.json: this model cannot be loaded")


# Paths and links in a model's folder


@pytest.mark.parametrize("name", ["../tokenizer.4.0.json", "/tmp/tokenizer.4.0.json", "a\\tokenizer.4.0.json"])
def test_tokenizer_outside_the_folder_is_refused(encoder_copy, name):
    change(encoder_copy / "tokenizer_config.json", fast_tokenizer_files=[name])
    refused(lambda: load_tokenizer(str(encoder_copy)), "tokenizer_config.json", "not a .json file of this folder")


def test_files_named_by_a_tokenizer_config_are_not_read(encoder_copy, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("password-of-the-bank\n", encoding="utf-8")
    before = load_tokenizer(str(encoder_copy)).get_vocab()
    names = ("vocab_file", "tokenizer_file", "merges_file", "special_tokens_map_file", "added_tokens_file")
    change(encoder_copy / "tokenizer_config.json", **dict.fromkeys(names, str(secret)))
    assert load_tokenizer(str(encoder_copy)).get_vocab() == before


def test_weights_outside_the_folder_are_refused(encoder_copy):
    (encoder_copy / "model.safetensors").rename(encoder_copy.parent / "other.safetensors")
    index = {"metadata": {}, "weight_map": {"x": "../other.safetensors"}}
    change(encoder_copy / "model.safetensors.index.json", **index)
    refused(lambda: tiny.discriminator_of(str(encoder_copy)), "index.json", "../other.safetensors")


@pytest.mark.parametrize("name", ["names", "names/model.safetensors", "task.yaml", ".scores.json.part"])
def test_link_out_of_a_run_is_refused(run_copy, tmp_path, name):
    outside = tmp_path / "outside"
    link = run_copy / name
    link.rename(outside) if link.exists() else outside.write_text("precious", encoding="utf-8")
    link.symlink_to(outside)
    before = outside.read_bytes() if outside.is_file() else b""
    for use in (lambda: Extractor.from_pretrained(run_copy), lambda: evaluate(run_copy)):
        refused(use, str(link), "a link that leads out of the run's folder")
    assert not outside.is_file() or outside.read_bytes() == before


@pytest.mark.parametrize("name", ["names/vocab.txt", "loop"])
def test_broken_link_is_refused(run_copy, task, name):
    for link in (run_copy / name, task.parent / "loop.jsonl"):
        link.symlink_to(link.name)
    refused(lambda: Extractor.from_pretrained(run_copy), name, "leads out of the run's folder, or nowhere")
    task.write_text(task.read_text("utf-8").replace("dev.jsonl", "loop.jsonl"), encoding="utf-8")
    refused(lambda: Task.load(task).read("dev"), "loop.jsonl", "this link leads out of the folder of the data")


def test_run_with_a_link_out_of_it_is_not_resumed(run_copy, task, encoder):
    (run_copy / ".log.jsonl.part").symlink_to(run_copy.parent / "outside")
    refused(
        lambda: train(str(task), run_copy, resume=True, **tiny.settings(encoder("bert"))),
        "leads out of the run's folder",
    )


def test_links_of_a_tracker_are_ignored(run_copy, tmp_path):
    """Wandb adds a link to a log in the user's cache."""
    (run_copy / "tracking").mkdir()
    (run_copy / "tracking" / "debug.log").symlink_to(tmp_path / "cache.log")
    assert Extractor.from_pretrained(run_copy)(TEXT)


def test_run_in_the_hub_cache_consists_of_links_and_is_read(run, tmp_path):
    repository = tmp_path / "models--bank--risks"
    snapshot = repository / "snapshots" / "0f3a"
    shutil.copytree(run, snapshot)
    (repository / "blobs").mkdir()
    for index, file in enumerate(path for path in list(snapshot.rglob("*")) if path.is_file()):
        blob = repository / "blobs" / str(index)
        file.rename(blob)
        file.symlink_to(os.path.relpath(blob, file.parent))
    assert Extractor.from_pretrained(snapshot)(TEXT) == Extractor.from_pretrained(run)(TEXT)
    refused(lambda: evaluate(snapshot), "a run from the Hub may not choose local files to read", "--data")
    (snapshot / "names" / "more.json").symlink_to(tmp_path / "elsewhere")
    refused(lambda: Extractor.from_pretrained(snapshot), "leads out of the run's folder")


# Weights


def change_weights(run: Path, change) -> None:
    """Apply a function to the tensors of a field."""
    file = run / "names" / "model.safetensors"
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file, {"format": "pt"})


def reshape(tensors) -> None:
    tensors["classifier.weight"] = tensors["classifier.weight"][:, :-1].contiguous()


def rename(tensors) -> None:
    tensors["classifier.weight_"] = tensors.pop("classifier.weight")


def add(tensors) -> None:
    tensors["more.weight"] = torch.zeros(2)


def poison(tensors) -> None:
    tensors["classifier.bias"][0] = torch.nan


@pytest.mark.parametrize(("manipulate", "words"), [
    (reshape, ["names", "classifier.weight"]),
    (rename, ["names", "classifier.weight"]),
    (add, ["names", "more.weight"]),
    (poison, ["names", "contain NaN or infinite values"]),
])  # fmt: skip
def test_weights_of_another_model_are_refused(run_copy, manipulate, words):
    change_weights(run_copy, manipulate)
    refused(lambda: Extractor.from_pretrained(run_copy), *words)


HUGE = (2**62).to_bytes(8, "little") + b"{}"
OVERLAPPING = (
    b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
)
BEYOND = b'{"a":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4000000000000]}}'


@pytest.mark.parametrize("content", [
    b"", b"\x00" * 7, HUGE, b"\x80\x02}q\x00.", len(OVERLAPPING).to_bytes(8, "little") + OVERLAPPING + b"\x00" * 8,
    len(BEYOND).to_bytes(8, "little") + BEYOND,
])  # fmt: skip
def test_damaged_weights_are_refused(run_copy, encoder_copy, content):
    for folder in (run_copy / "names", encoder_copy):
        (folder / "model.safetensors").write_bytes(content)
    refused(lambda: Extractor.from_pretrained(run_copy), "names: this model cannot be loaded")
    refused(lambda: tiny.discriminator_of(str(encoder_copy)), "untrusted: this model cannot be loaded")


@pytest.mark.parametrize(
    "values", [{"vocab_size": 10**12}, {"hidden_size": 2**40}, {"hidden_size": -1}, {"num_attention_heads": 0}]
)
def test_config_of_another_size_than_the_weights_is_refused(run_copy, values):
    change(run_copy / "names" / "config.json", **values)
    refused(lambda: Extractor.from_pretrained(run_copy), "names")


@pytest.mark.parametrize("block", [
    {"window": 10**9}, {"window": -1}, {"window": "48"}, {"context_overlap": -4}, {"whole_words": "no"}, {"window": None},
])  # fmt: skip
def test_invalid_window_settings_are_refused(run_copy, block):
    file = run_copy / "topic" / "config.json"
    settings = json.loads(file.read_text("utf-8"))["electra_ie"]
    change(file, electra_ie={**settings, **block})
    refused(lambda: Extractor.from_pretrained(run_copy), "topic", "lacks valid window settings")


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
@pytest.mark.parametrize("content", [b"[" * 100_000, b"[]", b"\xff\xfe", b'{"a": ' + b"9" * 5000 + b"}"])
def test_damaged_config_is_refused(run_copy, file, content):
    (run_copy / "names" / file).write_bytes(content)
    refused(lambda: Extractor.from_pretrained(run_copy), file)


# Tasks


def levels(count: int) -> str:
    """Return YAML with aliases of aliases, ten times as many values with each level."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, count)]
    return "\n".join(lines)


@pytest.mark.parametrize(("text", "words"), [
    (levels(10), ["aliases expand to more than 200,000 values"]),
    ("fields: &a {topic: *a}", ["task.yaml:1", "refers to a value that contains it"]),
    ("fields: &a [*a]", ["refers to a value that contains it"]),
    ("[" * 5000, ["not valid YAML"]),
    ("description: " + "x" * 2**20, ["1,048,589 bytes of YAML"]),
    ("description: !!python/object/apply:os.system [id]", ["task.yaml:1", "not valid YAML"]),
    ("description: !!python/name:os.system", ["not valid YAML"]),
    ("description: 2001-99-99", ["task.yaml:1: this is not valid YAML: 2001-99-99 is no date and no number."]),
    ("description: " + "9" * 5000, ["task.yaml:1: this is not valid YAML", "is no date and no number."]),
    ("<<: &a {format: jsonl}\nfields: {}", ["does not read the key << as text"]),
    ("format: jsonl\nfiles: {train: /etc/passwd}\nfields: {a: {kind: spans, labels: [x]}}", ["task.yaml:2", "/etc/passwd", "may leave the folder"]),
    ("format: jsonl\nfiles: {train: ../../x.jsonl}\nfields: {a: {kind: spans, labels: [x]}}", ["may leave the folder"]),
    ("format: jsonl\nfiles: {train: 'C:\\x.jsonl'}\nfields: {a: {kind: spans, labels: [x]}}", ["may leave the folder"]),
])  # fmt: skip
def test_task_that_expands_executes_or_leaves_its_folder_is_refused(tmp_path, text, words):
    file = tmp_path / "task.yaml"
    file.write_text(text, encoding="utf-8")
    refused(lambda: Task.load(file), *words)


def test_small_aliases_are_accepted(task):
    text = task.read_text("utf-8").replace("labels: [late, cash]", "labels: &flags [late, cash]")
    task.write_text(text + "  more: {kind: flags, labels: *flags, from: risks}\n", encoding="utf-8")
    assert Task.load(task).fields[-1].labels == ("late", "cash")


@pytest.mark.parametrize(("name", "words"), [
    ("../x", "cannot be the name"), ("a/b", "cannot be the name"), ("", "cannot be the name"), (".", "cannot be the name"),
    ("a\\b", "cannot be the name"), ("x" * 300, "cannot be the name"), ("con", "Windows"), ("LPT1", "Windows"),
    ("Checkpoint", "a run uses that name itself"), ("mean", "a run uses that name itself"),
    ("Topic", "would share a folder"), ("na\u00efve", "cannot be the name"),
])  # fmt: skip
def test_field_name_that_cannot_be_a_folder_is_refused(task, name, words):
    values = yaml.safe_load(task.read_text("utf-8"))
    values["fields"][name] = values["fields"]["names"]
    task.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    refused(lambda: Task.load(task), "task.yaml:", words)


def test_link_out_of_the_data_folder_is_refused(task, tmp_path):
    file = task.parent / "train.jsonl"
    file.rename(tmp_path / "elsewhere.jsonl")
    file.symlink_to(tmp_path / "elsewhere.jsonl")
    refused(lambda: Task.load(task).read("train"), "train.jsonl: this link leads out", "by data or --data")
    file.unlink()
    file.symlink_to("dev.jsonl")
    assert Task.load(task).read("train"), "a link within the folder was refused"


def test_link_out_of_a_folder_of_texts_is_refused(task, tmp_path):
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    texts = task.parent / "texts"
    texts.mkdir()
    (texts / "a.txt").write_text("harmless", encoding="utf-8")
    task.write_text(task.read_text("utf-8").replace("pool.jsonl", "texts"), encoding="utf-8")
    assert len(Task.load(task).read("unlabeled")) == 1
    (texts / "b.txt").symlink_to(tmp_path / "secret.txt")
    refused(lambda: Task.load(task).read("unlabeled"), "b.txt: this link leads out")


def test_task_name_is_not_used_as_a_path(run_copy):
    values = yaml.safe_load((run_copy / "task.yaml").read_text("utf-8"))
    assert Task.from_dict({**values, "name": "bc5cdr"}, "task.yaml").card
    assert Task.from_dict({**values, "name": "../README"}, "task.yaml").card is None


@pytest.mark.unix("named pipes")
def test_pipe_instead_of_data_is_refused(task):
    (task.parent / "dev.jsonl").unlink()
    os.mkfifo(task.parent / "dev.jsonl")
    refused(lambda: Task.load(task).read("dev"), "this is a device or a pipe")


def test_data_folder_named_by_a_run_is_announced_before_it_is_read(run_copy, tmp_path, capsys):
    file = run_copy / "task.yaml"
    values = yaml.safe_load(file.read_text("utf-8"))
    folder = values["data"]
    values["data"] = str(tmp_path / "private")
    file.write_text(yaml.safe_dump(values), encoding="utf-8")
    refused(lambda: evaluate(run_copy), "private: the data of the task")
    assert f"data: {tmp_path / 'private'}, as the run's task.yaml says" in capsys.readouterr().err
    assert evaluate(run_copy, data=folder).fields
    assert "as the run's task.yaml says" not in capsys.readouterr().err


# Documents, labels, ids and file names


def test_labels_and_ids_are_not_used_as_paths(task, tmp_path, encoder):
    labels = ["../x", "a/b", "con", "=1+1", EVIL]
    values = yaml.safe_load(task.read_text("utf-8"))
    values["fields"] = {"topic": {"kind": "classes", "labels": labels}, "risks": {"kind": "flags", "labels": labels}}
    task.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    for split in ("train", "dev", "test"):
        rows = [{"id": f"../../{split}{index}{label}", "text": TEXT, "topic": label, "risks": [label]}
                for index, label in enumerate(labels * 2)]  # fmt: skip
        tiny.write_records(task.parent / f"{split}.jsonl", rows)
    before = set(tmp_path.rglob("*"))
    run = train(str(task), tmp_path / "run", **tiny.settings(encoder("bert"), "supervised", max_steps=2)).path
    evaluate(run)
    assert all(path.is_relative_to(run) for path in set(tmp_path.rglob("*")) - before)
    assert Extractor.from_pretrained(run).fields[0].labels == tuple(labels)


def test_empty_label_is_refused(task):
    task.write_text(task.read_text("utf-8").replace("[late, cash]", "[late, '']"), encoding="utf-8")
    refused(lambda: Task.load(task), "task.yaml:6", "an empty text")


def test_report_of_malicious_documents_is_only_text(run_copy, tmp_path, capsys):
    """Text, id and file name of a document and the name of the run never become elements or control characters."""
    evil = run_copy.rename(tmp_path / "<img src=x onerror=alert(1)>\x1b[31m")
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "<script>alert(2)<\x07script>.txt").write_text(EVIL + TEXT, encoding="utf-8")
    tiny.write_records(inbox / "b.jsonl", [{"id": EVIL, "text": TEXT + EVIL}])
    out, html = tmp_path / "out.jsonl", tmp_path / "page.html"
    extract(evil, [inbox], out, html)
    page = html.read_text("utf-8")
    parsed = ParsedPage(page)
    assert parsed.tags.count("script") == 1
    assert "img" not in parsed.tags
    assert not {name for _, values in parsed.attributes for name in values if name.startswith("on")}
    assert parsed.panes == [EVIL + TEXT, TEXT + EVIL], "the report changed a character of a text"
    raw = out.read_text("utf-8")
    assert not set(raw) & set("\x1b\x07\u202e")
    assert json.loads(raw.splitlines()[1])["id"] == EVIL
    assert raw.count("\n") == 2
    assert not set(capsys.readouterr().err) & set("\x1b\x07\u202e")


def test_messages_contain_no_control_characters(capsys):
    assert str(UserError(EVIL, file=f"{EVIL}.txt", line=1)).isprintable()
    warn(EVIL)
    assert not set(capsys.readouterr().err) & set("\x1b\x07\u202e")
