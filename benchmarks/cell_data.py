"""The cells of few_labels.py: a data set, a label budget, and the documents of each seed."""

from __future__ import annotations

import hashlib
import random
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path

from electra_ie.data.document import Document, of_documents
from electra_ie.data.fields import LEVELS, TRACKS, Field
from electra_ie.data.label_budget import Draw, ordered, sample
from electra_ie.data.label_texts import label_texts
from electra_ie.data.task import Task

ROOT = Path(__file__).parents[1]
WORDNET = Path("/usr/share/wordnet/data.noun")
"""WordNet 3.0, from the Debian package wordnet-base."""
FOLDS = 5
MAX_HELD_OUT = 500
"""Maximum number of documents that `--split dev` scores."""


@dataclass(frozen=True)
class Source:
    """The documents of a data set. train: those without gold join the pool. descriptions: of labels, by field."""

    fields: tuple[Field, ...]
    train: Sequence[Document]
    dev: Sequence[Document]
    unlabeled: Sequence[Document]
    test: Sequence[Document]
    descriptions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Cell:
    """A data set with a label budget, and how it is measured. The number of seeds is fixed before measuring.

    read: returns the data set of a seed. fields: kinds of the fields by name. budget: number of labels, None for all.
    dev: maximum number of dev documents, 0 for none. seeds: the number of seeds, which count from 0.
    same_test: whether all seeds have the same test documents. real: whether the text is real, not generated.
    encoder: the encoder of the methods of this package, None for the default one.
    """

    name: str
    read: Callable[[int], Source] = field(repr=False)
    fields: Mapping[str, str]
    budget: int | None
    dev: int
    seeds: int = 3
    draw: Draw = "plain"
    same_test: bool = True
    real: bool = True
    encoder: str | None = None

    @property
    def data_set(self) -> str:
        """The name of the data set."""
        return self.name.partition(":")[0]

    @property
    def folder(self) -> str:
        """The name of the folder of its results, without a colon, which Windows does not allow, and a slash."""
        return self.name.replace(":", "-").replace("/", "-")

    @property
    def is_earlier(self) -> bool:
        """Whether its data are those of an earlier commit."""
        return "@" in self.data_set

    @property
    def kinds(self) -> set[str]:
        return set(self.fields.values())


@dataclass(frozen=True)
class CellData:
    """The documents of a cell and seed.

    train: labeled. rest: the other documents of train, without their labels. unlabeled: those of the split of that
    name. dev: may be empty. test: the documents that are scored. descriptions: of labels, by field.
    """

    cell: Cell
    seed: int
    fields: tuple[Field, ...]
    train: list[Document]
    rest: list[Document]
    unlabeled: list[Document]
    dev: list[Document]
    test: list[Document]
    descriptions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def labeled(self, of_field: Field) -> list[Document]:
        """Return the labeled documents of a field: those of train, and those about its labels."""
        about_labels = label_texts([of_field], self.descriptions)
        return [*(document for document in self.train if of_field.name in document.gold), *about_labels]

    @property
    def pool(self) -> list[Document]:
        """The unlabeled documents."""
        return [*self.rest, *self.unlabeled]

    @property
    def sizes(self) -> dict[str, int]:
        """The number of documents."""
        return {
            "labels": len(self.train),
            "dev": len(self.dev),
            "pool": len(self.rest) + len(self.unlabeled),
            "test": len(self.test),
        }

    @property
    def hash(self) -> str:
        """The first 12 digits of the SHA-256 of all documents and their gold, and of the texts about labels."""
        about_labels = label_texts(self.fields, self.descriptions)
        splits = (self.train, self.rest, self.unlabeled, self.dev, self.test, *([about_labels] if about_labels else []))
        return hashlib.sha256("".join(map(of_documents, splits)).encode("ascii")).hexdigest()[:12]

    def task(self) -> Task:
        """Return a task in memory, without the test documents: training cannot read them."""
        splits = {"train": [*self.train, *self.rest], "dev": self.dev, "unlabeled": self.unlabeled}
        memory = {f"{split}.jsonl": documents for split, documents in splits.items() if documents}
        files = {split: (f"{split}.jsonl",) for split, documents in splits.items() if documents}
        name = self.cell.data_set
        file = Path(f"{name}.yaml")
        return Task(name, "", "jsonl", Path(), files, {}, self.fields, file, memory, self.descriptions)


def draw(cell: Cell, seed: int, held_out: bool = False) -> CellData:
    """Return the documents of a seed.

    held_out: score labeled documents that train and dev do not use, instead of test: the rest of the dev split; without
    one, half of the rest of train, which leaves the pool; if all of train is labeled, one of five folds of the labels,
    by the seed. Dev itself is scored if nothing else is left.
    """
    source = cell.read(seed)
    labeled = ordered([document for document in source.train if document.gold], source.fields, seed, cell.draw)
    budget = len(labeled) if cell.budget is None else cell.budget
    assert budget <= len(labeled), f"{cell.name}: train has {len(labeled)} labeled documents"
    assert {field.name: field.kind for field in source.fields} == cell.fields, cell.name
    train, rest = labeled[:budget], labeled[budget:]
    dev, scored = sample(source.dev, cell.dev, seed) if cell.dev else [], list(source.test)
    if held_out:
        chosen = {document.id for document in dev}
        others = [document for document in source.dev if document.id not in chosen]
        size = min(MAX_HELD_OUT, len(rest) // 2)
        if cell.dev and others:
            scored = sample(others, MAX_HELD_OUT, seed)
        elif rest:
            scored, rest = rest[:size], rest[size:]
        elif not dev:
            scored, train = fold(train, seed)
        else:
            scored = dev
    bare = [document for document in source.train if not document.gold]
    return CellData(
        cell=cell, seed=seed, fields=source.fields, train=train,
        rest=[*(document.unlabeled() for document in rest), *bare], unlabeled=list(source.unlabeled), dev=dev,
        test=scored, descriptions=source.descriptions,
    )  # fmt: skip


# Data sets


def of_task(task: Task) -> Source:
    """Return the documents of a task; the splits dev and unlabeled may be missing."""
    read = task.read_splits(task.splits)
    others = read.get("dev", []), read.get("unlabeled", [])
    return Source(task.fields, read["train"], *others, read["test"], task.descriptions)


@lru_cache
def shipped(name: str) -> Source:
    """Return the documents of a shipped task."""
    return of_task(Task.load(name))


@lru_cache
def of_commit(name: str, commit: str) -> Source:
    """Return the documents of a shipped task with data in this repository, as they were at a commit."""
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / name
        folder.mkdir()
        for file in ("task.yaml", *(f"{split}.jsonl" for split in ("train", "dev", "test", "unlabeled"))):
            git = ["git", "-C", str(ROOT), "show", f"{commit}:tasks/{name}/{file}"]
            (folder / file).write_bytes(subprocess.run(git, check=True, capture_output=True).stdout)
        return of_task(Task.load(folder))


def folds(name: str, seed: int) -> Source:
    """Return the documents of train and test of a shipped task for five-fold cross-validation; the seed is the fold."""
    source = shipped(name)
    test, train = fold([*source.train, *source.test], seed)
    return Source(source.fields, train, [], [], test)


def fold(documents: Sequence[Document], index: int) -> tuple[list[Document], list[Document]]:
    """Return the documents of one of five folds, which are the same for all seeds, and all others."""
    shuffled = sorted(documents, key=lambda document: document.id)
    random.Random("electra_ie folds").shuffle(shuffled)
    others = [document for position, document in enumerate(shuffled) if position % FOLDS != index % FOLDS]
    return shuffled[index % FOLDS :: FOLDS], others


@lru_cache
def cmeee() -> Source:
    """Return the sentences of dev of CMeEE-V2, the only ones at hand: a fifth is test, a fifth dev."""
    task = replace(Task.load("cmeee"), files={"train": ("dev.json.gz",)})
    test, others = fold(task.read("train"), 0)
    dev, train = others[::4], [document for position, document in enumerate(others) if position % 4]
    return Source(task.fields, train, dev, [], test, task.descriptions)


@lru_cache
def sick() -> Source:
    """Return the pairs of SICK as texts of two lines: 500 of train, drawn by seed 0, are dev; trial is test."""
    task = Task.load("sick")
    pairs, test = task.read("train"), task.read("dev")
    dev = sample(pairs, 500, 0)
    chosen = {document.id for document in dev}
    train = [document for document in pairs if document.id not in chosen]
    return Source(task.fields, train, dev, [], test, task.descriptions)


# WordNet: what kind of thing a definition defines

SYNSETS, MIN_HYPONYMS, MAX_HYPONYMS = 77, 60, 260
DEFINITIONS = {"train": 3, "dev": 3, "test": 20}
"""Definitions of each synset by split. The others are unlabeled."""


def wordnet(seed: int) -> Source:
    """Return definitions of the hyponyms of 77 synsets, drawn by the seed; the synset is the class."""
    rng = random.Random(f"wordnet {seed}")
    by_synset = {name: list(texts) for name, texts in hyponym_definitions(WORDNET).items()}
    drawn = sorted(rng.sample(sorted(by_synset), SYNSETS))
    rows: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name in drawn:
        rng.shuffle(by_synset[name])
        definitions = iter(by_synset[name])
        for split, count in DEFINITIONS.items():
            rows[split] += [(text, name) for text in islice(definitions, count)]
        rows["rest"] += [(text, name) for text in definitions]
    documents = {}
    for split in (*DEFINITIONS, "rest"):
        rng.shuffle(rows[split])
        documents[split] = [
            Document(f"{split} {index}", text, {"kind": name}) for index, (text, name) in enumerate(rows[split])
        ]
    unlabeled = [document.unlabeled() for document in documents["rest"]]
    fields = (Field("kind", "classes", tuple(drawn)),)
    return Source(fields, documents["train"], documents["dev"], unlabeled, documents["test"])


@lru_cache
def hyponym_definitions(file: Path) -> dict[str, list[str]]:
    """Return the definitions of the hyponyms of each synset that has 60 to 260 hyponyms, none of them such a synset.

    Definitions that belong to two synsets are left out.

    file: data.noun, in the format of WordNet's manual page wndb(5).
    """
    names, definitions, children = {}, {}, defaultdict(list)
    for line in file.read_text("utf-8").splitlines():
        if line.startswith(" "):  # the license
            continue
        data, _, gloss = line.partition("|")
        fields = data.split()
        synset = fields[0]
        names[synset] = f"{fields[4]}_{synset}"
        definitions[synset] = gloss.split('; "')[0].strip()
        pointers = 5 + 2 * int(fields[3], 16)
        # A pointer is four fields: symbol, offset of the target, part of speech, source and target words.
        for symbol, target, part in zip(*(fields[pointers + offset :: 4] for offset in range(3)), strict=False):
            if symbol in ("~", "~i") and part == "n":
                children[synset].append(target)

    def hyponyms(synset: str) -> set[str]:
        return set().union(*({child} | hyponyms(child) for child in children[synset]))

    below = {synset: hyponyms(synset) for synset in names if children[synset]}
    fitting = {synset: members for synset, members in below.items() if MIN_HYPONYMS <= len(members) <= MAX_HYPONYMS}
    lowest = {synset: members for synset, members in fitting.items() if not members & fitting.keys()}
    synsets_of = defaultdict(set)
    for synset, members in lowest.items():
        for member in members:
            synsets_of[definitions[member]].add(synset)
    texts: dict[str, list[str]] = defaultdict(list)
    for definition, synsets in sorted(synsets_of.items()):
        if len(synsets) == 1:
            texts[names[min(synsets)]].append(definition)
    return {name: members for name, members in sorted(texts.items()) if len(members) >= MIN_HYPONYMS}


# The cells

ENTITIES = {"entities": "spans"}
RISK = {"flags": "flags", "entities": "spans"}
MEDICAL = dict.fromkeys(("findings", "conditions", "factors", "modifiers"), "spans")
COMMIT = "844e7c0"
"""The commit with the data of transaction_risk on which earlier versions of this package were measured."""


def every_seed(name: str) -> Callable[[int], Source]:
    """Return a reader of a shipped task, which has the same documents for all seeds."""
    return lambda seed: shipped(name)


def earlier_transaction_risk(seed: int) -> Source:
    source = of_commit("transaction_risk", COMMIT)
    # The task of that commit has no descriptions; the flags are the same.
    return replace(source, descriptions=shipped("transaction_risk").descriptions)


def chinese(seed: int) -> Source:
    return cmeee()


def with_scheme(cell: str, scheme: str, seed: int) -> Source:
    """Return the documents of a cell whose fields of spans have another scheme, so that fewer gold spans are lost."""
    source = CELLS[cell].read(seed)
    return replace(source, fields=tuple(replace(each, scheme=scheme, overlaps="error") for each in source.fields))


def pairs_of_sentences(seed: int) -> Source:
    return sick()


MULTILINGUAL = "multilingual-e5-small"
ALL_CELLS = (
    Cell("trec_fine:all", every_seed("trec_fine"), {"question": "classes"}, budget=None, dev=0, seeds=5),
    Cell("transaction_risk:60", every_seed("transaction_risk"), RISK, 60, dev=60, real=False),
    Cell("transaction_risk:200", every_seed("transaction_risk"), RISK, 200, dev=120, real=False),
    *(
        Cell(
            f"transaction_risk@{COMMIT}:{labels}", earlier_transaction_risk, RISK, labels, dev=120, draw="stratified",
            real=False,
        )
        for labels in (60, 200)
    ),
    *(Cell(f"bc5cdr:{labels}", every_seed("bc5cdr"), ENTITIES, labels, dev=labels) for labels in (50, 100, 500)),
    Cell("sec_filings:50", every_seed("sec_filings"), ENTITIES, 50, dev=0),
    Cell(f"wordnet:3x{SYNSETS}", wordnet, {"kind": "classes"}, None, dev=3 * SYNSETS, same_test=False),
    Cell("medical_cases_real:8", partial(folds, "medical_cases_real"), MEDICAL, 8, dev=0, seeds=FOLDS, same_test=False),
    *(
        Cell(f"sick:{labels}", pairs_of_sentences, {"entailment": "classes"}, labels, dev=labels)
        for labels in (100, 500)
    ),
    *(
        Cell(f"cmeee:{labels}", chinese, ENTITIES, labels, dev=labels, encoder=MULTILINGUAL)
        for labels in (100, 500)
    ),
)  # fmt: skip
CELLS = {cell.name: cell for cell in ALL_CELLS}
ENCODER_CELLS = {
    name: replace(CELLS[name.partition("/")[0]], name=name, seeds=3, encoder=MULTILINGUAL)
    for name in (f"{cell}/{MULTILINGUAL}" for cell in ("trec_fine:all", "sec_filings:50", "bc5cdr:50"))
}
"""Some English cells with another encoder, after a slash. They have a table of their own."""
SCHEME_CELLS = {
    f"{cell}/{scheme}": replace(CELLS[cell], name=f"{cell}/{scheme}", read=partial(with_scheme, cell, scheme))
    for cell, scheme in (("cmeee:100", TRACKS), ("cmeee:500", TRACKS), ("medical_cases_real:8", LEVELS))
}
"""Cells whose spans overlap with the scheme that loses none, after a slash; measured if `--cells` names them."""
