"""`electra-ie init` for data sets on the hub, and tasks by name that are read from it, with the real client.

The hub is a local server. No row of a published set is here: they are our own, with the published features.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import pytest
import tiny
from command_line import command
from datasets import ClassLabel, List, Value
from hub_server import Hub, running, use_hub
from huggingface_hub import close_session

from electra_ie.common.errors import UserError
from electra_ie.common.yaml_source import Source
from electra_ie.data.fields import Field
from electra_ie.data.in_memory import resolve
from electra_ie.data.init.from_annotations import init_task
from electra_ie.data.readers.dataset import CONVERTED, load_from_hub
from electra_ie.data.task import Task
from electra_ie.data.task_files import list_tasks
from electra_ie.runs.hub_dataset_card import features

ENTITIES = ClassLabel(names=["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "B-MISC", "I-MISC"])
WORDS = ["Arden", "visits", "Corvo", "."]
TRUTHS = ClassLabel(names=["entailment", "neutral", "contradiction"])
INTENTS = ClassLabel(names=list(Task.load("banking77").fields[0].labels))
QUESTIONS = ClassLabel(names=list(Task.load("trec_fine").fields[0].labels))
CHINESE = "\u5317\u4eac\u5f88\u5927"


def table(features: dict[str, Any], *rows: dict[str, Any], times: int = 1) -> bytes:
    """Return a file of Parquet."""
    file = io.BytesIO()
    datasets.Dataset.from_list([*rows] * times, features=datasets.Features(features)).to_parquet(file)
    return file.getvalue()


def tagged(names: ClassLabel, tokens: list[str], tags: list[int]) -> bytes:
    features = {"id": Value("string"), "tokens": List(Value("string")), "ner_tags": List(names)}
    return table(features, {"id": "0", "tokens": tokens, "ner_tags": tags})


def labels_of(*names: str) -> ClassLabel:
    return ClassLabel(names=["O", *(f"{prefix}-{name}" for name in names for prefix in "BI")])


CONLL = table(
    {"id": Value("string"), "tokens": List(Value("string")), "pos_tags": List(ClassLabel(names=["NN", "VB", "."])),
     "chunk_tags": List(ClassLabel(names=["O", "B-NP", "I-NP"])), "ner_tags": List(ENTITIES)},
    {"id": "0", "tokens": WORDS, "pos_tags": [0, 1, 0, 2], "chunk_tags": [1, 0, 1, 0], "ner_tags": [1, 0, 5, 0]},
)  # fmt: skip
POSTS = tagged(labels_of("corporation", "creative-work", "group", "location", "person", "product"), WORDS, [9, 0, 7, 0])
DISEASES = tagged(labels_of("Disease"), ["Arden", "fever", "rises"], [1, 2, 0])
NEWS_ZH = tagged(labels_of("LOC", "ORG", "PER"), list(CHINESE), [1, 2, 0, 0])
PAIRS = table(
    {"id": Value("string"), "sentence_A": Value("string"), "sentence_B": Value("string"), "label": TRUTHS,
     "relatedness_score": Value("float32"), "entailment_AB": Value("string"), "sentence_A_original": Value("string"),
     "sentence_B_original": Value("string")},
    {"id": "1", "sentence_A": "A dog runs", "sentence_B": "No dog runs", "label": 2, "relatedness_score": 3.6,
     "entailment_AB": "A_contradicts_B", "sentence_A_original": "A dog ran", "sentence_B_original": "A dog ran"},
)  # fmt: skip
CLASSES = {"text": Value("string"), "label": ClassLabel(names=["World", "Sports", "Business", "Sci/Tech"])}
SPANS = {
    "text": Value("string"),
    "entities": List(
        {"id": Value("int64"), "entity": Value("string"), "start_offset": Value("int64"), "end_offset": Value("int64"),
         "label": Value("string")}
    ),
}  # fmt: skip
MEDICAL = table(
    SPANS,
    {
        "text": CHINESE,
        "entities": [{"id": 0, "entity": CHINESE[:2], "start_offset": 0, "end_offset": 2, "label": "sym"}],
    },
)
PHRASES = table(
    {"sentence": Value("string"), "label": ClassLabel(names=["negative", "neutral", "positive"])},
    {"sentence": "Profit rose .", "label": 2},
)
BANKING = table({"text": Value("string"), "label": INTENTS}, {"text": "Where is it?", "label": 11})
TREC = table(
    {"text": Value("string"), "coarse_label": ClassLabel(names=["ABBR"]), "fine_label": QUESTIONS},
    {"text": "What is a fox ?", "coarse_label": 0, "fine_label": 2},
)
NEWS = table(CLASSES, {"text": "Arden rises", "label": 2})
PUBLISHED: dict[str, tuple[str, str, list[str], bytes]] = {
    "conll2003": ("eriktks/conll2003", "conll2003", ["train", "validation", "test"], CONLL),
    "wnut17": ("leondz/wnut_17", "wnut_17", ["train", "validation", "test"], POSTS),
    "ncbi_disease": ("ncbi/ncbi_disease", "ncbi_disease", ["train", "validation", "test"], DISEASES),
    "banking77": ("PolyAI/banking77", "default", ["train", "test"], BANKING),
    "trec_fine": ("CogComp/trec", "default", ["train", "test"], TREC),
    "financial_phrasebank": ("takala/financial_phrasebank", "sentences_allagree", ["train"], PHRASES),
    "sick": ("RobZamp/sick", "default", ["train", "validation", "test"], PAIRS),
    "msra_ner": ("PassbyGrocer/msra-ner", "", ["train", "test"], NEWS_ZH),
    "ag_news": ("fancyzhx/ag_news", "", ["train", "test"], NEWS),
    "cmeee": ("xusenlin/cmeee", "", ["train", "validation"], MEDICAL),
}
"""The name on the hub of each task, its configuration if it is read from the converted branch, splits and rows."""
FIRST: dict[str, list[Any]] = {
    "conll2003": ["Arden visits Corvo .", {"entities": [[0, 5, "PER"], [13, 18, "LOC"]]}],
    "wnut17": ["Arden visits Corvo .", {"entities": [[0, 5, "person"], [13, 18, "location"]]}],
    "ncbi_disease": ["Arden fever rises", {"entities": [[0, 11, "Disease"]]}],
    "banking77": ["Where is it?", {"intent": "card_arrival"}],
    "trec_fine": ["What is a fox ?", {"question": "DESC:def"}],
    "financial_phrasebank": ["Profit rose .", {"sentiment": "positive"}],
    "sick": ["sentence_A: A dog runs\nsentence_B: No dog runs", {"entailment": "contradiction"}],
    "msra_ner": [CHINESE, {"entities": [[0, 2, "LOC"]]}],
    "ag_news": ["Arden rises", {"topic": "Business"}],
    "cmeee": [CHINESE, {"entities": [[0, 2, "sym"]]}],
}
SPLITS = ("train", "validation", "test")
DIVIDED = Field("entities", "spans", ("ORG",), scheme="levels", fragments=True)
TOPICS = ClassLabel(names=["trade", "travel"])


def sentences(split: str) -> list[str]:
    return [f"the {name} bank of {city} paid {split}" for name in tiny.NAMES for city in tiny.NAMES[:4]]


def own(split: str) -> dict[str, bytes]:
    """Return the rows of a split of our own data sets by the name of the set."""
    texts = sentences(split)
    names = labels_of("ORG")
    return {
        "tokens": table(
            {"id": Value("string"), "tokens": List(Value("string")), "pos_tags": List(ClassLabel(names=["NN", "VB"])), "ner_tags": List(names)},
            *({"id": str(n), "tokens": text.split(), "pos_tags": [0] * 7, "ner_tags": [0, 1, 2, 0, 0, 0, 0]} for n, text in enumerate(texts)),
        ),
        "classes": table(
            {"sentence": Value("string"), "topic": TOPICS, "risks": List(TOPICS), "idx": Value("int64")},
            *({"sentence": text, "topic": n % 2, "risks": [0] * (n % 3 == 0), "idx": n} for n, text in enumerate(texts)),
        ),
        "pairs": table(
            {"premise": Value("string"), "hypothesis": Value("string"), "label": TOPICS},
            *({"premise": text, "hypothesis": f"no {text}", "label": n % 2 if split != "test" else -1} for n, text in enumerate(texts)),
        ),
        "spans": table(
            SPANS,
            *({"text": text, "entities": [{"id": 0, "entity": text.split(" bank")[0][4:], "start_offset": 4, "end_offset": len(text.split(" bank")[0]), "label": "ORG"}] * (n > 0)}
              for n, text in enumerate(texts)),
        ),
        "divided": table(
            features([DIVIDED], []),
            *({"id": str(n), "text": text, "entities": [{"start": 4, "end": len(text) - len(split) - 1, "label": "ORG", "fragments": [[4, 7], [len(text) - len(split) - 5, len(text) - len(split) - 1]] if n else None}]}
              for n, text in enumerate(texts)),
        ),
    }  # fmt: skip


def files_of(content: dict[str, bytes]) -> dict[str, bytes]:
    return {f"data/{split}-00000-of-00001.parquet": rows for split, rows in content.items()}


def repositories() -> dict[str, dict[str, bytes]]:
    found = {
        f"datasets/acme/{name}": files_of({split: own(split)[name] for split in splits})
        for name, splits in {
            "tokens": SPLITS,
            "classes": SPLITS[:1],
            "pairs": SPLITS,
            "spans": SPLITS,
            "divided": SPLITS,
        }.items()
    }
    for name, configuration, splits, rows in PUBLISHED.values():
        script = {f"{name.partition('/')[2]}.py": b"raise SystemExit"}
        found[f"datasets/{name}"] = script if configuration else files_of(dict.fromkeys(splits, rows))
    card = "configs:\n- {config_name: one, data_files: one.parquet}\n- {config_name: two, data_files: two.parquet}\n"
    numbers = table({"n": Value("int64")}, {"n": 1})
    return found | {
        "datasets/acme/script": {"script.py": b"raise SystemExit"},
        "datasets/acme/private": files_of({"train": NEWS}),
        "datasets/acme/several": {"README.md": f"---\n{card}---\n".encode(), "one.parquet": NEWS, "two.parquet": NEWS},
        "datasets/acme/numbers": files_of({"train": numbers}),
        "datasets/acme/unlabeled": files_of({"train": table({"text": Value("string")}, {"text": "a b"})}),
        "datasets/acme/empty": {"README.md": b"---\nlicense: mit\n---\n"},
    }


class Client:
    """Runs commands in this process against a hub, or with its cache only."""

    def __init__(self, hub: Hub, home: Path, capsys: pytest.CaptureFixture[str], offline: bool = False) -> None:
        self.hub, self.home, self.capsys, self.offline = hub, home, capsys, offline

    def call(self, folder: Path, *command_: str | None) -> tuple[int, str]:
        """Run a command in a folder; return the exit code and all output, that of errors last."""
        with pytest.MonkeyPatch.context() as patch:
            use_hub(patch, self.hub.url, self.home, offline=self.offline)
            patch.chdir(folder)
            load_from_hub.cache_clear()  # as in a new process
            code = command(patch, *command_)
            close_session()
        captured = self.capsys.readouterr()
        return code, captured.out + captured.err

    def first(self, folder: Path, name: str, data: str | None, split: str) -> list[Any]:
        """Return text and gold of the first document of a split, as JSON has them."""
        with pytest.MonkeyPatch.context() as patch:
            use_hub(patch, self.hub.url, self.home, offline=self.offline)
            patch.chdir(folder)
            load_from_hub.cache_clear()
            document = Task.load(name, data).read(split)[0]
            close_session()
        gold = {
            field: value if isinstance(value, str) else [[span.start, span.end, span.label] for span in value]
            for field, value in document.gold.items()
        }
        return [document.text, gold]


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """The folder of the caches, which all tests here share."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def server() -> Iterator[Hub]:
    with running(repositories()) as hub:
        hub.repositories["datasets/acme/private"].private = True
        for name, configuration, splits, rows in PUBLISHED.values():
            if configuration:
                files = {f"{configuration}/{split}/0000.parquet": rows for split in splits}
                if configuration == "sentences_allagree":
                    files["sentences_50agree/train/0000.parquet"] = rows
                hub.repositories[f"datasets/{name}"].commit(CONVERTED, files)
        yield hub


@pytest.fixture
def client(server, home, capsys) -> Client:
    return Client(server, home, capsys)


@pytest.fixture
def offline(server, home, capsys) -> Client:
    """A client with the same cache and no network."""
    return Client(server, home, capsys, offline=True)


# init


def made(client: Client, folder: Path, *command: str) -> tuple[dict[str, Any], str]:
    code, output = client.call(folder, "init", *command)
    assert code == 0, output
    name = command[0].partition("/")[2].partition("@")[0]
    mapping, _ = Source.read(folder / f"{name}_task" / "task.yaml")
    for line in output.splitlines():
        if line.startswith("assumed: "):
            assert f"# {line.removeprefix('assumed: ')}\n" in (folder / f"{name}_task" / "task.yaml").read_text("utf-8")
    return mapping, output


def test_tokens_with_tags_become_spans_and_stay_on_the_hub(client, tmp_path):
    mapping, output = made(client, tmp_path, "acme/tokens")
    commit = client.hub.repositories["datasets/acme/tokens"].branches["main"]
    assert mapping["options"] == {"name": "acme/tokens", "revision": commit}
    assert mapping["files"] == {"train": "train", "dev": "validation", "test": "test"}
    assert mapping["fields"] == {"ner_tags": {"kind": "spans", "labels": ["ORG"]}}
    assert "the text is the column tokens, joined" in output
    assert "not read: pos_tags" in output
    assert "the data stay on the hub" in output
    assert [path.name for path in (tmp_path / "tokens_task").iterdir()] == ["task.yaml"]
    assert client.call(tmp_path, "tasks", "tokens_task")[0] == 0


@pytest.mark.slow
def test_a_task_of_init_is_checked_trained_and_evaluated_offline(client, offline, tmp_path, encoder):
    made(client, tmp_path, "acme/tokens")
    code, output = client.call(tmp_path, "check", "tokens_task", "--encoder", encoder("bert"))
    assert code == 1 and "acme/tokens" in output and "error" not in output.splitlines()[-1].replace("0 errors", "")
    settings = [part for key in ("max_steps=5", "batch_size=4", "window=32") for part in ("--set", key)]
    command = ["train", "tokens_task", "--output", "run", "--encoder", encoder("bert"), *settings]
    code, output = client.call(tmp_path, *command)
    assert code == 0, output
    code, output = offline.call(tmp_path, "evaluate", "run")
    assert code == 0, output
    assert "HF_HUB_OFFLINE is set: the copy in the cache is used" in output


def test_classes_without_splits_are_written_with_splits(client, tmp_path):
    mapping, output = made(client, tmp_path, "acme/classes", "--dev", "0.25")
    assert mapping["format"] == "jsonl"
    assert mapping["fields"] == {
        "topic": {"kind": "classes", "labels": ["trade", "travel"]},
        "risks": {"kind": "flags", "labels": ["trade"]},
    }
    assert "the text is the column sentence" in output
    assert "8 for dev and 6 for test are drawn with seed 0" in output
    task = Task.load(tmp_path / "classes_task")
    found = [document.text for split in ("train", "dev", "test") for document in task.read(split)]
    assert sorted(found) == sorted(sentences("train"))


def test_two_columns_are_one_text_and_a_test_split_without_labels_is_left_out(client, tmp_path):
    mapping, output = made(client, tmp_path, "acme/pairs", "--test", "0")
    assert mapping["options"]["text"] == ["premise", "hypothesis"]
    assert mapping["files"] == {"train": "train", "dev": "validation"}
    assert "test is left out: none of its documents has a label" in output
    text = sentences("train")[0]
    found = client.first(tmp_path, "pairs_task", None, "train")
    assert found == [f"premise: {text}\nhypothesis: no {text}", {"label": "trade"}]


def test_spans_under_other_keys_are_read(client, tmp_path):
    mapping, output = made(client, tmp_path, "acme/spans")
    assert "these columns are neither text nor labels, and not read: entities.id\n" in output
    assert 'the attribute "entity", which' in output and "is not a field: it is the text of the spans" in output
    assert mapping["options"]["start"] == "start_offset"
    assert mapping["fields"] == {"entities": {"kind": "spans", "labels": ["ORG"]}}
    assert client.first(tmp_path, "spans_task", None, "dev") == [sentences("validation")[0], {"entities": []}]


def test_the_fragments_of_a_pushed_data_set_are_kept(client, tmp_path):
    """Its columns are those that `push_data` declares; a span without fragments has null there."""
    mapping, _ = made(client, tmp_path, "acme/divided")
    declared = {"kind": "spans", "labels": ["ORG"], "scheme": "tracks", "fragments": True}
    assert mapping["fields"] == {"entities": declared}


def test_one_configuration_of_a_converted_data_set_is_read_and_then_offline(client, offline, tmp_path):
    name = f"takala/financial_phrasebank@{CONVERTED}"
    code, output = client.call(tmp_path, "init", name)
    assert code == 2
    assert "several configurations: sentences_50agree, sentences_allagree" in output
    code, output = client.call(
        tmp_path, "init", name, "--configuration", "sentences_allagree", "--dev", "0", "--test", "0"
    )
    assert code == 2
    assert 'all 1 documents have the same label, "positive"' in output
    found = offline.first(tmp_path, "financial_phrasebank", "hub:takala/financial_phrasebank", "train")
    assert found == FIRST["financial_phrasebank"]


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["acme/none"], "acme/none: the repository does not exist on the Hub, or it is private"),
        (["acme/private"], "acme/private: the repository does not exist on the Hub, or it is private"),
        (["acme/tokens@none"], 'the repository has no revision "none"'),
        (["acme/script"], f"needs code of its own to be read, which is not run. If the hub has converted it: set the option revision: {CONVERTED}"),
        (["acme/several"], "the data set has several configurations: one, two. Name one of them"),
        (["acme/several", "--configuration", "three"], 'no configuration "three", only: one, two'),
        ([f"CogComp/trec@{CONVERTED}", "--configuration", "three"], 'no configuration "three". Valid: default'),
        (["acme/numbers"], "no column looks like a text: n."),
        (["acme/unlabeled"], "there are no labels that a model could learn"),
        (["acme/empty"], "no files that can be read"),
        (["acme/tokens", "--format", "csv"], "--format is csv, and acme/tokens is a data set on the hub"),
    ],
)  # fmt: skip
def test_a_data_set_that_cannot_be_read_is_one_line_and_nothing_is_written(client, tmp_path, command, says):
    code, output = client.call(tmp_path, "init", *command)
    assert code == 2
    assert says in output
    assert [line for line in output.splitlines() if line][-1].startswith("error: ")
    assert "Traceback" not in output
    assert not list(tmp_path.iterdir())


def test_offline_only_the_cache_is_read(offline, tmp_path):
    before = list(offline.hub.requests)
    code, output = offline.call(tmp_path, "init", "acme/unheard")
    assert code == 2
    assert "acme/unheard: the hub cannot be reached, and the data set is not in the cache" in output
    assert offline.hub.requests == before
    assert not list(tmp_path.iterdir())


def test_a_path_is_never_a_name_on_the_hub(client, tmp_path):
    (tmp_path / "acme").mkdir()
    record = '{"text": "a b", "topic": "x"}\n{"text": "c d", "topic": "y"}\n'
    (tmp_path / "acme" / "tokens").write_text(record, encoding="utf-8")
    before = list(client.hub.requests)
    code, output = client.call(tmp_path, "init", "acme/tokens", "--dev", "0", "--test", "0")
    assert code == 0, output
    assert "the format is jsonl" in output
    for path, says in (
        ("acme/other", 'there is no such folder in "acme"'),
        ("memos/day.jsonl", "there is no such file"),
    ):
        code, output = client.call(tmp_path, "init", path)
        assert code == 2
        assert says in output
    code, output = client.call(tmp_path, "init", "acme/tokens", "--configuration", "one", "--output", "x")
    assert code == 2
    assert "--configuration is one, and this is no data set on the hub" in output
    assert client.hub.requests == before


# Tasks by name


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_task_by_name_is_read_from_the_hub(client, tmp_path, name):
    hub_name, _, splits, _ = PUBLISHED[name]
    task = Task.load(name, f"hub:{hub_name}")
    assert [file for files in task.files.values() for file in files] == splits
    for split in task.splits:
        assert client.first(tmp_path, name, f"hub:{hub_name}", split) == FIRST[name]
    assert task.card
    assert f"`{hub_name}`" in task.card.read_text("utf-8")


def test_only_the_tasks_here_name_a_data_set_on_the_hub():
    assert {name for name in list_tasks() if Task.load(name).hub} == set(PUBLISHED)


def test_without_data_a_line_names_both_ways_and_makes_no_request(client, tmp_path):
    before = list(client.hub.requests)
    code, output = client.call(tmp_path, "train", "conll2003", "--output", "run")
    assert code == 2
    assert (
        "Give their folder with --data, or read them from the hub: --data hub:eriktks/conll2003; its data card"
        in output
    )
    assert client.hub.requests == before


@pytest.mark.slow
def test_a_task_by_name_trains_from_the_hub(client, offline, tmp_path, encoder):
    settings = [part for key in ("max_steps=5", "batch_size=2", "window=32") for part in ("--set", key)]
    command = [
        "train",
        "sick",
        "--data",
        "hub:RobZamp/sick",
        "--output",
        "run",
        "--encoder",
        encoder("bert"),
        *settings,
    ]
    code, output = client.call(tmp_path, *command)
    assert code == 0, output
    code, output = offline.call(tmp_path, "evaluate", "run", "--split", "test")
    assert code == 0, output
    run, _ = Source.read(tmp_path / "run" / "run.yaml")
    assert run["data"] == "hub:RobZamp/sick"


def test_names_of_labels_and_their_descriptions_are_those_of_the_hub():
    task = Task.load("ag_news", "hub:fancyzhx/ag_news@abc")
    assert task.fields[0].labels == ("World", "Sports", "Business", "Sci/Tech")
    assert task.descriptions["topic"]["Sports"] == "news of sports"
    assert task.options == {"name": "fancyzhx/ag_news", "revision": "abc"}
    assert Task.load("ag_news").fields[0].labels == ("1", "2", "3", "4")
    assert resolve(task)[1].data == "hub:fancyzhx/ag_news@abc"
    again = Task.from_dict(task.as_dict(), "task.yaml")
    assert (again.fields, again.options, again.files) == (task.fields, task.options, task.files)


YAML = """\
format: jsonl
files: {train: train.jsonl}
fields:
  topic: {kind: classes, labels: [a, b]}
hub:
  options: {name: acme/set}
  files: {train: train}
  fields: {topic: {from: label}}
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("  files: {train: train}", "  file: {train: train}", 7, 'unknown key "file" in hub'),
        ("  files: {train: train}", "  files: {trian: train}", 7, 'unknown key "trian" in files'),
        ("{name: acme/set}", "{configuration: x}", 5, "hub lacks files, or options.name"),
        ("{name: acme/set}", "{name: acme/set, nam: x}", 6, 'has no option "nam"'),
        ("{name: acme/set}", "{name: set}", 0, '"set" names no data set on the Hub'),
        ("{topic: {from", "{topics: {from", 8, 'unknown key "topics" in hub.fields'),
        ("{from: label}", "{form: label}", 8, 'unknown key "form" in hub.fields.topic'),
        ("{from: label}", "{labels: [x]}", 8, "Give a list of 2, in the order of the field's"),
        ("format: jsonl", "format: datasets", 5, "the task has the format datasets and the key hub"),
    ],
)  # fmt: skip
def test_an_error_in_the_key_hub_names_its_line(tmp_path, old, new, line, says):
    assert old in YAML
    (tmp_path / "task.yaml").write_text(YAML.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError) as caught:
        Task.load(tmp_path)
    assert says in str(caught.value)
    assert f"task.yaml:{line}: " in str(caught.value) or not line


@pytest.mark.parametrize(
    ("task", "data", "says"),
    [
        ("ag_news", "hub:acme/other", "the task reads fancyzhx/ag_news from the hub, not acme/other"),
        ("bc5cdr", "hub:acme/other", "the task names no data set on the hub"),
        ("ag_news", "hub:", '"hub:" names no data set on the Hub'),
        ("ag_news", "hub:../x", "names no data set on the Hub"),
    ],
)
def test_another_data_set_than_that_of_the_task_is_refused(task, data, says):
    with pytest.raises(UserError) as caught:
        Task.load(task, data)
    assert says in str(caught.value)


def test_init_refuses_before_it_reads(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set_task").mkdir()
    (tmp_path / "set_task" / "task.yaml").write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match="exists and is not overwritten"):
        init_task("acme/set")
