"""Distillation of a finished run: cut encoders, static models, what a student's run holds, and bad input."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import processes
import pytest
import tiny
import torch
from command_line import command
from safetensors.torch import load_file, save_file
from training_facts import check_facts
from transformers import AutoConfig, AutoModelForTokenClassification, AutoTokenizer

import electra_ie
from electra_ie import Callback, Extractor, UserError, distill, train, verify
from electra_ie.common.hashing import SHOWN
from electra_ie.config.distill import Target, student_settings, with_steps
from electra_ie.config.train import TrainSettings
from electra_ie.data.batching import collate
from electra_ie.distillation.layers import cut, kept_layers
from electra_ie.distillation.token_vectors import fasttext_vectors, run_vectors
from electra_ie.models.configs import DiscriminatorConfig
from electra_ie.models.discriminator import Discriminator
from electra_ie.models.static_config import StaticConfig
from electra_ie.runs.layout import load_task

TEXT = "invoice goods Arden paid 5.975,74 later than monday."
FAST = ("max_steps=40", "learning_rate=2e-3", "head_learning_rate=1e-2", "precision=no", "num_evaluations=2")


@pytest.fixture(scope="module")
def teacher(finished, tmp_path_factory) -> Path:
    return finished(tmp_path_factory.mktemp("teacher") / "run", "supervised", max_steps=60)


@pytest.fixture(scope="module")
def one_layer(teacher, tmp_path_factory) -> Path:
    return distill(teacher, tmp_path_factory.mktemp("student") / "run", layers=1, overrides=FAST).path


@pytest.fixture(scope="module")
def static(teacher, tmp_path_factory) -> Path:
    return distill(teacher, tmp_path_factory.mktemp("student") / "run", to="static", overrides=FAST).path


@pytest.mark.parametrize(
    ("total", "count", "kept"),
    [(6, 3, [0, 3, 5]), (6, 2, [0, 5]), (6, 1, [0]), (12, 4, [0, 4, 7, 11]), (12, 6, [0, 2, 4, 7, 9, 11]), (2, 1, [0])],
)
def test_layers_are_kept_evenly_with_the_first_and_the_last(total, count, kept):
    assert kept_layers(total, count) == kept


@pytest.mark.parametrize("count", [0, -1, 6, 7])
def test_a_number_of_layers_that_cannot_be_kept_is_an_error(count):
    with pytest.raises(UserError, match=f"--layers is {count}, and the encoder of this run has 6 layers"):
        kept_layers(6, count)


@pytest.mark.parametrize("family", ["bert", "distilbert", "modernbert", "deberta-v2"])
def test_a_cut_encoder_has_the_states_of_the_kept_layers(family, encoder):
    whole = tiny.discriminator_of(encoder(family)).eval()
    batch = collate(tiny.rows(windower := tiny.windower_of(encoder(family)), tiny.documents(3)), windower, tiny.FIELDS)
    student = cut(whole, 1).eval()
    assert student.encoder.config.num_hidden_layers == 1
    with torch.no_grad():
        states = student.encode(batch)
        assert not torch.allclose(states, whole.encode(batch), atol=1e-3), "no layer was removed"
        lists = [module for module in whole.encoder.modules() if isinstance(module, torch.nn.ModuleList)]
        layers = next(module for module in lists if len(module) == 2)
        del layers[1]
        assert torch.allclose(states, whole.encode(batch), atol=1e-5)
    before = {name: value for name, value in whole.state_dict().items() if name.startswith("heads.")}
    after = student.state_dict()
    assert before and all(torch.equal(value, after[name]) for name, value in before.items()), "a head was not copied"


def test_a_student_is_an_ordinary_run(one_layer, teacher):
    files = {path.name for path in one_layer.iterdir() if path.name != ".lock"}
    assert files == {path.name for path in teacher.iterdir() if path.name != ".lock"}
    facts = {"name": "1-layer", "run": teacher.name, "preset": "supervised", "layers": [0], "of": 2, "unlabeled": []}
    facts["settings"] = {"max_steps": 40, "learning_rate": 2e-3, "head_learning_rate": 1e-2}
    audit = json.loads((one_layer / "audit.json").read_text("utf-8"))
    facts["teacher"] = json.loads((teacher / "audit.json").read_text("utf-8"))["model"]
    assert audit["distillation"] == facts
    scores = json.loads((one_layer / "scores.json").read_text("utf-8"))
    assert scores["training"]["distillation"] == facts
    check_facts(one_layer, "distillation", "teacher")
    assert set(scores["dev"]) == {"topic", "risks", "names"}
    assert scores["training"]["unlabeled"] == {"documents": 30, "windows": 30}
    assert verify(one_layer).same
    card = (one_layer / "README.md").read_text("utf-8")
    assert "# three_kinds, distilled to 1 layer" in card
    assert f"`run`, model `{facts['teacher'][:SHOWN]}` (preset supervised), which scores" in card
    assert f"| SHA-256 of the model files of the teacher | `{facts['teacher']}` |\n| `max_steps` | 40 (--set) |" in card
    assert "| `batch_size` | 4 |" in card
    assert "It began with the layers 1 of the 2 layers" in card
    assert "self-training was skipped" not in card and "with the same seed" not in card
    assert Extractor.from_pretrained(one_layer)(TEXT)


@pytest.mark.slow
@pytest.mark.parametrize(("form", "shown"), [({"layers": 1}, 3), ({"to": "static"}, 1)])
def test_the_command_of_the_card_repeats_the_distillation(teacher, tmp_path, monkeypatch, form, shown):
    """With the texts and the settings that were given; the card shows no path of this machine."""
    texts = tmp_path / "more memos.txt"
    texts.write_text("invoice goods Arden paid 5.975,74 later than monday.", encoding="utf-8")
    overrides = ["max_steps=6", "precision=no", "freeze_embeddings=false", "learning_rate=2e-3"]
    run = distill(teacher, tmp_path / "run", **form, unlabeled=texts, overrides=overrides).path
    card = (run / "README.md").read_text("utf-8")
    line = next(line for line in card.splitlines() if line.startswith("electra-ie distill TEACHER "))
    assert str(tmp_path) not in card + (run / "scores.json").read_text("utf-8")
    assert line.count("--set ") == shown, "only what differs from the settings of every such student"
    known = {"TEACHER": teacher, "path/to/more memos.txt": texts, "again": tmp_path / "again"}
    _, *words = shlex.split(line)
    assert command(monkeypatch, *(known.get(word, word) for word in words)) == 0
    for name in ("topic", "risks", "names"):
        weights = [(folder / name / "model.safetensors").read_bytes() for folder in (run, tmp_path / "again")]
        assert weights[0] == weights[1], name


def test_stock_transformers_loads_a_cut_student_and_train_takes_it_as_encoder(one_layer, task, tmp_path):
    folder = one_layer / "names"
    model = AutoModelForTokenClassification.from_pretrained(folder).eval()
    assert type(model).__module__.startswith("transformers.") and model.config.num_hidden_layers == 1
    extractor = Extractor.from_pretrained(one_layer)
    row = tiny.rows(extractor.windower, tiny.documents(1))[:1]
    batch = collate(row, extractor.windower, ())
    with torch.no_grad():
        stock = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits
    assert torch.allclose(stock, extractor.discriminator.predict_logits(batch)["names"], atol=1e-5)
    again = train(str(task), tmp_path / "run", **tiny.settings(str(folder), "supervised", max_steps=2))
    assert AutoConfig.from_pretrained(again.path / "names").num_hidden_layers == 1


def test_a_student_learns_the_answers_of_its_teacher(teacher, one_layer):
    """Its probabilities are nearer to those of the teacher than those of the cut model that it began with."""
    finished = Extractor.from_pretrained(teacher)
    windower = finished.windower
    batch = collate(tiny.rows(windower, tiny.documents(40, seed=9)), windower, ())
    wanted = finished.discriminator.predict(batch)[1]
    began, ended = (
        model.eval().predict(batch)[1]
        for model in (cut(finished.discriminator, 1), Extractor.from_pretrained(one_layer).discriminator)
    )
    for name in ("topic", "names"):
        assert (ended[name] - wanted[name]).abs().mean() < 0.7 * (began[name] - wanted[name]).abs().mean(), name


def test_thresholds_of_flags_are_those_of_the_student(teacher, one_layer):
    """Each flag is given to its label share of the unlabeled texts, by a bias that no training alone would give."""
    task = load_task(one_layer)
    labeled = [*task.read("train"), *task.read("dev")]
    answers = [result.answers["risks"] for result in Extractor.from_pretrained(one_layer).read(task.read("unlabeled"))]
    for flag in tiny.RISKS.labels:
        share = sum(flag in document.gold["risks"] for document in labeled) / len(labeled)
        texts = sum(flag in answer for answer in answers)
        assert abs(texts - share * len(answers)) <= 2, flag
    biases = [
        Extractor.from_pretrained(run).discriminator.head(tiny.RISKS).output_layer.bias for run in (teacher, one_layer)
    ]
    assert not torch.equal(*biases)


class _Stop(Callback):
    def on_step(self, state, step):
        if state.step == 30:
            raise KeyboardInterrupt


@pytest.mark.slow
def test_an_interrupted_distillation_is_resumed_to_the_same_weights(teacher, one_layer, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        distill(teacher, tmp_path / "run", layers=1, overrides=FAST, callbacks=[_Stop()])
    with pytest.raises(UserError, match="the run began as a distillation"):
        train(str(load_task(teacher).folder), tmp_path / "run", settings=tmp_path / "run" / "run.yaml", resume=True)
    with pytest.raises(UserError, match="a distillation of another run or to another size"):
        distill(teacher, tmp_path / "run", to="static", overrides=FAST, resume=True)
    resumed = distill(teacher, tmp_path / "run", layers=1, overrides=FAST, resume=True).path
    for name in ("topic", "risks", "names"):
        weights = [(run / name / "model.safetensors").read_bytes() for run in (one_layer, resumed)]
        assert weights[0] == weights[1], name


def test_a_finished_student_is_resumed_only_with_its_own_settings(teacher, one_layer, capsys):
    distill(teacher, one_layer, layers=1, overrides=FAST, resume=True)
    assert "there is nothing to resume" in capsys.readouterr().err
    with pytest.raises(UserError, match=r"started with other settings: batch_size \(\d+, now 7\)"):
        distill(teacher, one_layer, layers=1, overrides=[*FAST, "batch_size=7"], resume=True)
    with pytest.raises(UserError, match="a distillation of another run or to another size"):
        distill(teacher, one_layer, to="static", overrides=FAST, resume=True)


# Static models


def static_of(encoder: str) -> Discriminator:
    size = len(AutoTokenizer.from_pretrained(encoder))
    torch.manual_seed(4)
    config = StaticConfig(vocab_size=size, embedding_size=24, hidden_size=16, num_hidden_layers=2)
    return Discriminator(DiscriminatorConfig(tiny.FIELDS, config.to_dict())).eval()


def test_a_static_model_reads_a_few_neighbors_and_no_padding(encoder):
    model, windower = static_of(encoder("bert")), tiny.windower_of(encoder("bert"))
    rows = tiny.rows(windower, tiny.documents(12))
    rows.sort(key=lambda row: len(row.window.ids))
    short = len(rows[0].window.ids)
    alone, together = (collate(chosen, windower, ()) for chosen in (rows[:1], rows))
    with torch.no_grad():
        assert torch.allclose(model.encode(alone)[0], model.encode(together)[0, : short + 2], atol=1e-6)
        for name, logits in model.predict_logits(alone).items():
            others = model.predict_logits(together)[name][0]
            assert torch.allclose(logits[0], others[: len(logits[0])], atol=1e-5), name
        changed = alone.input_ids.clone()
        changed[0, 1] += 1
        before, after = model.encoder(alone.input_ids), model.encoder(changed)
        moved = (before.last_hidden_state != after.last_hidden_state).any(-1)[0].tolist()
    assert moved[:4] == [True] * 4 and not any(moved[4:]), "two layers of one neighbor on each side reach two tokens"


@pytest.mark.slow
def test_a_static_run_needs_import_electra_ie_and_nothing_else(static):
    """In a process of its own: transformers alone refuses the folder, and loads it after `import electra_ie`."""
    script = (
        "import sys\n"
        "from transformers import AutoConfig, AutoTokenizer\n"
        "folder = sys.argv[1]\n"
        "try:\n"
        "    AutoConfig.from_pretrained(folder)\n"
        "except ValueError as error:\n"
        "    assert 'electra_ie_static' in str(error), error\n"
        "else:\n"
        "    raise AssertionError('stock transformers has loaded it')\n"
        "import electra_ie\n"
        "from transformers import AutoModel, AutoModelForTokenClassification\n"
        "assert AutoTokenizer.from_pretrained(folder).is_fast\n"
        "print(type(AutoModelForTokenClassification.from_pretrained(folder)).__name__)\n"
        "print(type(AutoModel.from_pretrained(folder)).__name__)\n"
    )
    ended = processes.run(["-c", script, str(static / "names")], again=("electra_ie", "transformers"))
    assert ended.output.split() == ["StaticForTokenClassification", "StaticEncoder"], ended.messages


@pytest.mark.slow
def test_a_static_student_is_an_ordinary_run(static, task, tmp_path):
    audit = json.loads((static / "audit.json").read_text("utf-8"))
    assert audit["distillation"]["name"] == "static" and audit["distillation"]["vectors"] == "run"
    assert AutoConfig.from_pretrained(static / "topic").model_type == "electra_ie_static"
    assert verify(static).same
    card = (static / "README.md").read_text("utf-8")
    assert "library_name: electra_ie" in card
    assert "Stock transformers alone cannot load it: `import electra_ie` registers its classes." in card
    assert "Stock transformers alone cannot load these folders" in card
    code = card.split("```python\n")[2].partition("```")[0].replace('"names"', f'"{static / "names"}"')
    names: dict[str, object] = {}
    exec(code, names)  # noqa: S102
    texts = [document.text for document in tiny.documents(5)]
    expected = Extractor.from_pretrained(static)(texts)
    for text, findings in zip(texts, expected, strict=True):
        found = [(each["label"], each["start"], each["end"]) for each in names["find_names"](text)]
        assert found == [(each.label, each.start, each.end) for each in findings if each.field == "names"]
    assert any(each.field == "names" for findings in expected for each in findings)
    assert electra_ie.evaluate(static, "test").mean is not None
    again = train(str(task), tmp_path / "run", **tiny.settings(str(static / "names"), "supervised", max_steps=2))
    assert AutoConfig.from_pretrained(again.path / "names").model_type == "electra_ie_static"


def test_a_saved_static_model_is_the_trained_one(encoder, tmp_path):
    model = static_of(encoder("bert"))
    model.save_pretrained(tmp_path / "saved")
    loaded = Discriminator.from_pretrained(tmp_path / "saved")
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in model.state_dict().items())
    stock = AutoModelForTokenClassification.from_pretrained(tmp_path / "saved" / "names")
    ids = torch.tensor([[2, 7, 9, 3]])
    output = stock(input_ids=ids, labels=torch.zeros_like(ids))
    assert output.loss > 0 and output.logits.shape == (1, 4, len(tiny.NAMED.names))


def test_vectors_of_a_run_are_the_mean_states_of_the_tokens(encoder):
    """The projection on all 32 components keeps distances; so tokens are as far apart as their mean states."""
    model, windower = tiny.discriminator_of(encoder("bert")).eval(), tiny.windower_of(encoder("bert"))
    rows = tiny.rows(windower, tiny.documents(6))
    vectors = run_vectors(model, windower, rows)
    vocabulary = model.encoder.get_input_embeddings().num_embeddings
    assert vectors.shape == (vocabulary, 32) and abs(float(vectors.std()) - 1) < 1e-3
    chosen = [row.window.ids[0] for row in rows[:4]]
    means = []
    with torch.no_grad():
        for token in chosen:
            alone = torch.tensor([[*windower.before, token, *windower.after]])
            states = [model.encoder(input_ids=alone).last_hidden_state[0, 1]]
            for row in rows:
                ids = torch.tensor([[*windower.before, *row.window.ids, *windower.after]])
                states += list(model.encoder(input_ids=ids).last_hidden_state[0][ids[0] == token])
            means.append(torch.stack(states).mean(0))
    wanted, found = (torch.cdist(table, table) for table in (torch.stack(means), vectors[chosen]))
    scale = found.sum() / wanted.sum()
    assert wanted.sum() > 0 and torch.allclose(found, wanted * scale, atol=1e-3)


def test_vectors_of_fasttext_cover_tokens_that_the_text_lacks(encoder):
    pytest.importorskip("gensim")
    windower = tiny.windower_of(encoder("bert"))
    rows = tiny.rows(windower, tiny.documents(6))
    tokens = windower.tokenizer.convert_ids_to_tokens(list(range(len(windower.tokenizer))))
    vectors = fasttext_vectors(tokens, rows, seed=1, size=8)
    assert torch.equal(vectors, fasttext_vectors(tokens, rows, seed=1, size=8))
    seen = {token for row in rows for token in row.window.ids}
    unseen = [token for token in range(len(tokens)) if token not in seen]
    assert unseen and (vectors[unseen].abs().sum(-1) > 0).all()


@pytest.mark.slow
def test_distilling_with_fasttext_vectors(teacher, tmp_path):
    pytest.importorskip("gensim")
    run = distill(teacher, tmp_path / "run", to="static", vectors="fasttext", overrides=(*FAST, "max_steps=4")).path
    assert json.loads((run / "audit.json").read_text("utf-8"))["distillation"]["vectors"] == "fasttext"
    assert "trained on the text by FastText" in (run / "README.md").read_text("utf-8")


def test_fasttext_without_gensim_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "gensim.models", None)
    with pytest.raises(UserError, match="Gensim.*is not installed") as caught:
        fasttext_vectors(["a"], [], seed=0)
    assert "pip install electra_ie[gensim]" in str(caught.value)


# Settings and bad input


def test_settings_of_a_student_follow_from_its_teacher():
    teacher = TrainSettings(encoder="e", seed=3, preset="thorough", max_steps=9, unlabeled=("a",), window=64)
    settings = student_settings(teacher, Target(3), ["b"], "elsewhere", ["mask_ratio=0.1"])
    assert (settings.seed, settings.encoder, settings.window) == (3, "e", 64)
    assert settings.unlabeled == ("a", "b") and settings.data == "elsewhere"
    assert settings.has_teacher and not settings.trains_generator and not settings.adapts_encoder
    assert not settings.co_training and not settings.label_texts and settings.mask_ratio == 0.1
    assert settings.max_steps is None and with_steps(settings, Target(3), 3200).max_steps == 2000
    with pytest.raises(UserError, match="window follows from the run"):
        student_settings(teacher, Target(3), [], None, ["window=32"])
    settings = student_settings(teacher, Target(3), [], None, ["mask_ratio=0.2"], {"mask_ratio": 0.1, "max_steps": 7})
    assert (settings.mask_ratio, settings.max_steps) == (0.2, 7)
    for given, words in (({"seed": 4}, "seed follows from"), ({"steps": 3}, "unknown setting")):
        with pytest.raises(UserError, match=words):
            student_settings(teacher, Target(3), [], None, [], given)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "neither --layers nor --to is given"),
        ({"layers": 1, "to": "static"}, "both --layers and --to are given"),
        ({"to": "statik"}, 'unknown form of a student "statik"'),
        ({"to": "static", "vectors": "glove"}, 'unknown source of token vectors "glove"'),
        ({"layers": 1, "vectors": "fasttext"}, "a student with layers of the encoder has its token vectors"),
        ({"layers": 0}, "--layers is 0"),
        ({"layers": 2}, "--layers is 2, and the encoder of this run has 2 layers"),
        ({"layers": 1, "unlabeled": "none.txt"}, "none.txt"),
        ({"layers": 1, "unlabeled": "empty"}, "no .txt or .jsonl in this folder"),
        ({"layers": 1, "unlabeled": ["blank.txt"]}, "there is no text in this path"),
        ({"layers": 1, "overrides": ["preset=latent"]}, "preset follows from the run"),
    ],
)  # fmt: skip
def test_bad_options_are_one_line_and_write_nothing(options, message, teacher, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "blank.txt").write_text(" \n", "utf-8")
    with pytest.raises(UserError, match=message):
        distill(teacher, tmp_path / "student", **options)
    assert not (tmp_path / "student").exists()


def test_what_is_no_run_or_is_damaged_is_one_line(teacher, static, finished, tmp_path):
    with pytest.raises(UserError, match="not the folder of a run"):
        distill(tmp_path, tmp_path / "student", layers=1)
    with pytest.raises(UserError, match="is static: no layers can be cut"):
        distill(static, tmp_path / "student", layers=1)
    damaged = finished(tmp_path / "damaged", "supervised", max_steps=60)
    file = damaged / "names" / "model.safetensors"
    weights = load_file(file)
    weights["classifier.weight"][0, 0] = float("nan")
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(UserError, match="NaN or infinite"):
        distill(damaged, tmp_path / "student", layers=1)
    (damaged / "README.md").unlink()
    with pytest.raises(UserError, match="no finished run here"):
        distill(damaged, tmp_path / "student", layers=1)
    with pytest.raises(UserError, match="output folder is not empty"):
        distill(teacher, damaged, layers=1)
    assert not (tmp_path / "student").exists()
