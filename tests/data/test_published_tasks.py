"""The tasks on public data sets that are not shipped read files in the published format.

The rows are our own: no row of a set is in this repository. Where the set itself is in ELECTRA_IE_DATA, its card is
compared with it.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Sequence

import pytest
from test_task import DATA, labels, real

from electra_ie.data.document import Span
from electra_ie.data.fields import count_labels, drop_overlapping
from electra_ie.data.task import Task

ROWS = 20


def columns(sentence: Sequence[tuple[str, ...]], delimiter: str) -> str:
    """Return a file of `ROWS` sentences, a word with its columns a line."""
    return "".join("".join(delimiter.join(cells) + "\n" for cells in sentence) + "\n" for _ in range(ROWS))


def rows(template: str, header: str = "") -> str:
    """Return a file of `ROWS` rows; `#` is the number of the row."""
    return header + "".join(template.replace("#", str(number)) + "\n" for number in range(ROWS))


REUTERS = [
    ("Arden", "NNP", "I-NP", "B-PER"),
    ("visits", "VBZ", "I-VP", "O"),
    ("Corvo", "NNP", "I-NP", "B-LOC"),
    (".", ".", "O", "O"),
]
CONLL_2003 = "-DOCSTART- -X- -X- O\n\n" + columns(REUTERS, " ")
IOB1 = CONLL_2003.replace("B-", "I-")
EMERGING = columns([("@brisk", "O"), ("Harwick", "B-creative-work"), ("Two", "I-creative-work"), ("rocks", "O")], "\t")
DISEASES = columns([("Arden", "B-Disease"), ("fever", "I-Disease"), ("rises", "O")], "\t")
CHINESE = columns([("\u5317", "B-LOC"), ("\u4eac", "I-LOC"), ("\u5f88", "O"), ("\u5927", "O")], "\t")
BANKING = (
    "text,category\r\n"
    + '"\nWhere is it, please?",card_arrival\r\n'
    + "Who took # euros?,reverted_card_payment?\r\n" * (ROWS - 1)
)
NEWS = rows('"3","Arden # rises","Shares of ""Arden"", a bank, rise."')
PHRASES = rows('Profit of Arden "rose" to EUR # mn , from EUR 1,000 .@positive')
DRUG = '{"id": "#-0", "text": "Ardenol caused a rash.", "spans": [{"start": 0, "end": 7, "label": "Drug"}, {"start": 15, "end": 21, "label": "Effect"}], "relations": [{"head": 0, "tail": 1, "label": "causes"}]}'
PAIRS = rows(
    '#\tA dog "runs"\tNo dog runs\t3.6\tCONTRADICTION',
    "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment\n",
)

MEDICAL = json.dumps([
    {"text": f"{number} \u53d1\u70ed\u4e09\u5929", "entities": [
        {"start_idx": start, "end_idx": start + 1, "type": "sym", "entity": "\u53d1\u70ed"}]}
    for number in range(ROWS) for start in [len(str(number)) + 1]
])  # fmt: skip

FILES: dict[str, dict[str, str]] = {
    "ade": {"train.jsonl": rows(DRUG), "dev.jsonl": rows(DRUG), "test.jsonl": rows(DRUG), "pool.jsonl": rows('{"id": "neg-#", "text": "Nothing # happened."}')},
    "ag_news": {"train.csv": NEWS, "test.csv": NEWS},
    "banking77": {"train.csv": BANKING, "test.csv": BANKING},
    "cmeee": {"CMeEE-V2_train.json": MEDICAL, "CMeEE-V2_dev.json": MEDICAL},
    "conll2003": {"eng.train": CONLL_2003, "eng.testa": IOB1, "eng.testb": CONLL_2003},
    "financial_phrasebank": {"Sentences_AllAgree.txt": PHRASES},
    "msra_ner": {"msra_train_bio.txt": CHINESE, "msra_test_bio.txt": CHINESE},
    "ncbi_disease": {"train.tsv": DISEASES, "devel.tsv": DISEASES, "test.tsv": DISEASES},
    "sick": {"train.tsv": PAIRS, "trial.tsv": PAIRS},
    "wnut17": {"wnut17train.conll": EMERGING, "emerging.dev.conll": EMERGING, "emerging.test.annotated": EMERGING},
}  # fmt: skip
"""The files of each set, as its card names them."""
FIRST: dict[str, tuple[str, object]] = {
    "ade": ("Ardenol caused a rash.", (Span(0, 7, "Drug"), Span(15, 21, "Effect"))),
    "ag_news": ('title: Arden 0 rises\ndescription: Shares of "Arden", a bank, rise.', "3"),
    "banking77": ("\nWhere is it, please?", "card_arrival"),
    "cmeee": ("0 \u53d1\u70ed\u4e09\u5929", (Span(2, 4, "sym"),)),
    "conll2003": ("Arden visits Corvo .", (Span(0, 5, "PER"), Span(13, 18, "LOC"))),
    "financial_phrasebank": ('Profit of Arden "rose" to EUR 0 mn , from EUR 1,000 .', "positive"),
    "msra_ner": ("\u5317\u4eac\u5f88\u5927", (Span(0, 2, "LOC"),)),
    "ncbi_disease": ("Arden fever rises", (Span(0, 11, "Disease"),)),
    "sick": ('sentence_A: A dog "runs"\nsentence_B: No dog runs', "CONTRADICTION"),
    "wnut17": ("@brisk Harwick Two rocks", (Span(7, 18, "creative-work"),)),
}
"""The text and the gold of the first document of train."""


@pytest.mark.parametrize("name", FILES)
def test_a_task_reads_files_in_the_published_format(name, tmp_path):
    for file, content in FILES[name].items():
        (tmp_path / file).write_text(content, encoding="utf-8", newline="")
    task = Task.load(name, data=tmp_path)
    assert {file for files in task.files.values() for file in files} == set(FILES[name])
    splits = task.read_splits(task.splits)
    assert {split: len(documents) for split, documents in splits.items()} == dict.fromkeys(task.splits, ROWS)
    (field,) = task.fields
    first = splits["train"][0]
    assert (first.text, first.gold[field.name]) == FIRST[name]
    for relations in task.relations:  # of the two spans of the record
        (relation,) = first.gold[relations.name]
        assert (relation.head, relation.tail) == FIRST[name][1]
    for split in set(splits) - {"unlabeled"}:
        assert all(field.name in document.gold for document in splits[split])
        assert splits[split][0].gold == first.gold


@pytest.mark.parametrize("name", FILES)
def test_the_card_names_every_file_and_what_was_not_verified(name):
    task = Task.load(name)
    assert task.card
    card = task.card.read_text("utf-8")
    for file in FILES[name]:
        assert f"`{file}`" in card
    rows = dict(re.findall(r"^\| (\w+) \| (.+) \|$", card, re.MULTILINE))
    assert {"Source", "Hub", "License", "Shipped"} <= set(rows)
    assert "not verified" in card
    assert ("**Not loaded here**" in card) == (name not in ("ade", "cmeee", "sick"))


@pytest.mark.slow
def test_ade_reads_as_its_card_says():
    task = real("ade")
    splits = {split: task.read(split) for split in task.splits}
    assert [len(documents) for documents in splits.values()] == [2091, 466, 667, 6000]
    assert labels(splits["train"]) == {"Effect": 2853, "Drug": 2471, "Dose": 119}
    assert labels(splits["test"]) == {"Effect": 883, "Drug": 763, "Dose": 30}
    (effects,) = task.relations
    counts = count_labels(effects, (document.gold["effects"] for document in task.read("train")))
    assert counts == {"causes": 3361, "dose_of": 143}


def test_sick_reads_as_its_card_says():
    task = real("sick")
    assert labels(task.read("train")) == {"NEUTRAL": 2536, "ENTAILMENT": 1299, "CONTRADICTION": 665}
    assert labels(task.read("dev")) == {"NEUTRAL": 282, "ENTAILMENT": 144, "CONTRADICTION": 74}


@pytest.mark.slow
def test_dev_of_cmeee_reads_as_its_card_says(tmp_path):
    if not (CHINESE_DATA := DATA / "cmeee" / "dev.json.gz").is_file():
        pytest.skip("the real data sets are not here")
    (tmp_path / "CMeEE-V2_dev.json").write_bytes(gzip.decompress(CHINESE_DATA.read_bytes()))
    task = Task.load("cmeee", data=tmp_path)
    documents = task.read("dev")
    assert len(documents) == 5000
    counts = Counter(span.label for document in documents for span in document.gold["entities"])
    assert counts["bod"] == 7361
    assert counts.total() > 26_000
    kept = sum(len(drop_overlapping(document.gold["entities"])[0]) for document in documents)
    assert 0.16 < 1 - kept / counts.total() < 0.18


def test_banking77_has_as_many_classes_as_its_name_says():
    (field,) = Task.load("banking77").fields
    assert len(set(field.labels)) == 77
