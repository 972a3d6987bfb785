"""Real encoders of two small layers, with tokenizers trained on the spot, and a task of every kind of field.

Nothing is fetched: each folder is written by `save_pretrained`, as a user's own encoder would be.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AlbertConfig,
    AutoModel,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    ModernBertConfig,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    RobertaConfig,
    XLMRobertaConfig,
)

from electra_ie.data.batching import Batch, Batches
from electra_ie.data.document import Document, Span
from electra_ie.data.fields import Field
from electra_ie.data.windowing import LabeledWindow, WindowTokenizer, label
from electra_ie.models.discriminator import Discriminator
from electra_ie.models.encoders import load_tokenizer

WORDS = """the a of to and in for on with by from at as is was be were will has had not no all any some many more most
bank branch account transfer payment invoice goods city river house report letter sent paid received opened closed
moved asked wrote signed held later before after under over again never often soon today monday march spring winter
small large old new quiet busy early late red green blue north south east west""".split()
NAMES = ("Arden", "Brisk", "Corvo", "Dunmore", "Elsted", "Farrow", "Gilden", "Harwick")
SPLIT_UP = " ".join("abcdefghijklmnopqrstuvwxyz0123456789.,-")
"""Single characters, at the start of a word and within one, so that an unknown ASCII word is cut in pieces."""
WITHIN = " ".join(f"q{character}" for character in SPLIT_UP.split(" ") if character.isalnum())
TEXTS = [" ".join(WORDS), " ".join(NAMES[:4]), SPLIT_UP, SPLIT_UP.upper(), WITHIN] * 4

PLACES = 160
SIZES: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
SPREAD = 0.2
EVEN: dict[str, Any] = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "type_vocab_size": 1}
FAMILIES = ("bert", "roberta", "electra", "deberta-v2", "distilbert", "modernbert", "xlm-roberta")
TOKENIZERS = ("bert", "roberta", "deberta-v2")
"""One family for each way of cutting words: WordPiece, byte-level BPE, Unigram."""


def wordpiece() -> PreTrainedTokenizerFast:
    """As BERT: lower case, no accents, control characters left out."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]

    def bert(model: models.WordPiece) -> Tokenizer:
        made = Tokenizer(model)
        made.normalizer = normalizers.BertNormalizer()
        made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        made.decoder = decoders.WordPiece()
        return made

    learner = bert(models.WordPiece(unk_token="[UNK]"))
    # The trainer breaks ties by the number of an entry; those within words get theirs here, or it would be by chance.
    within = sorted({f"##{character}" for text in TEXTS for character in text.lower() if not character.isspace()})
    trainer = trainers.WordPieceTrainer(vocab_size=600, special_tokens=special + within, show_progress=False)
    learner.train_from_iterator(TEXTS, trainer)
    tokenizer = bert(models.WordPiece(vocab=learner.get_vocab(), unk_token="[UNK]"))
    tokenizer.add_special_tokens(special)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]", model_max_length=PLACES,
    )  # fmt: skip


def bytes_pairs() -> PreTrainedTokenizerFast:
    """As RoBERTa: bytes, every character covered, several tokens for one of them."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return _angled(tokenizer, 0, 2)


def unigram() -> PreTrainedTokenizerFast:
    """As SentencePiece: NFKC, white space as a mark before the word, unknown characters together."""

    def sentence_pieces(model: models.Unigram) -> Tokenizer:
        made = Tokenizer(model)
        made.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " ")])
        made.pre_tokenizer = pre_tokenizers.Metaspace()
        made.decoder = decoders.Metaspace()
        return made

    learner = sentence_pieces(models.Unigram())
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = trainers.UnigramTrainer(vocab_size=300, special_tokens=special, unk_token="<unk>", show_progress=False)
    learner.train_from_iterator(TEXTS, trainer)
    # The trainer's sums, and with them the order of the pieces, differ in the last digits from run to run.
    learned = [(piece, round(score, 3)) for piece, score in json.loads(learner.to_str())["model"]["vocab"]]
    rest = sorted(learned[len(special) :], key=lambda each: (-each[1], each[0]))
    tokenizer = sentence_pieces(models.Unigram(learned[: len(special)] + rest, special.index("<unk>")))
    tokenizer.add_special_tokens(special)
    return _angled(tokenizer, 0, 2)


def _angled(tokenizer: Tokenizer, first: int, last: int) -> PreTrainedTokenizerFast:
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", first), ("</s>", last)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>",
        cls_token="<s>", sep_token="</s>", mask_token="<mask>", model_max_length=PLACES,
    )  # fmt: skip


def tokenizer_of(family: str) -> PreTrainedTokenizerFast:
    if family in ("bert", "electra", "distilbert", "albert"):
        return wordpiece()
    return bytes_pairs() if family in ("roberta", "modernbert") else unigram()


def config_of(family: str, vocabulary: int, dropout: float = 0.0) -> PreTrainedConfig:
    rates = {**EVEN, "hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    # Weights wide enough that states differ from token to token, as those of a trained encoder do.
    common = {"vocab_size": vocabulary, "max_position_embeddings": PLACES, "initializer_range": SPREAD, **SIZES}
    match family:
        case "bert":
            return BertConfig(**common, **rates, pad_token_id=0)
        case "electra":
            return ElectraConfig(**common, **rates, embedding_size=16, pad_token_id=0)
        case "albert":
            return AlbertConfig(**common, **rates, embedding_size=16, pad_token_id=0)
        case "roberta":
            return RobertaConfig(**{**common, "max_position_embeddings": PLACES + 2}, **rates)
        case "xlm-roberta":
            return XLMRobertaConfig(**{**common, "max_position_embeddings": PLACES + 2}, **rates)
        case "deberta-v2":
            return DebertaV2Config(
                **common, **{**rates, "type_vocab_size": 0}, pad_token_id=1, relative_attention=True,
                position_buckets=8, pos_att_type=["p2c", "c2p"], position_biased_input=False, share_att_key=True, norm_rel_ebd="layer_norm",
                pooler_hidden_size=32, pooler_dropout=0.0,
            )  # fmt: skip
        case "distilbert":
            return DistilBertConfig(
                vocab_size=vocabulary, max_position_embeddings=PLACES, dim=32, n_layers=2, n_heads=2, hidden_dim=48,
                initializer_range=SPREAD, dropout=dropout, attention_dropout=dropout, seq_classif_dropout=dropout, pad_token_id=0,
            )  # fmt: skip
        case "modernbert":
            return ModernBertConfig(
                **common, local_attention=8, global_attn_every_n_layers=2, pad_token_id=1, bos_token_id=0,
                eos_token_id=2, cls_token_id=0, sep_token_id=2,
            )  # fmt: skip
    raise ValueError(family)


def build(family: str, folder: Path, dropout: float = 0.0) -> str:
    """The folder of an encoder of that family, weights drawn from a fixed seed."""
    tokenizer = tokenizer_of(family)
    torch.manual_seed(7)
    AutoModel.from_config(config_of(family, len(tokenizer), dropout)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


TOPIC = Field("topic", "classes", ("trade", "travel", "other"))
RISKS = Field("risks", "flags", ("late", "cash"))
NAMED = Field("names", "spans", ("person", "amount"))
FIELDS = (TOPIC, RISKS, NAMED)
LABELS = {"topic": TOPIC.labels, "risks": RISKS.labels, "names": NAMED.labels}

YAML = """\
description: A task of three kinds for the tests.
format: jsonl
files: {train: train.jsonl, dev: dev.jsonl, test: test.jsonl, unlabeled: pool.jsonl}
fields:
  topic: {kind: classes, labels: [trade, travel, other]}
  risks: {kind: flags, labels: [late, cash]}
  names: {kind: spans, labels: [person, amount]}
"""
CUES = {"trade": "invoice goods", "travel": "river winter", "other": "quiet house"}


def record(number: int, draw: random.Random) -> dict[str, Any]:
    """A text that a small model can learn: cue words for the class and the flags, names and amounts to find.

    In every fourth text the name stands before the gold span as well, where it is none: `moved to Arden ... Arden paid`.
    """
    topic = draw.choice(TOPIC.labels)
    risks = [flag for flag in RISKS.labels if draw.random() < 0.4]
    name = draw.choice(NAMES)
    pieces: list[tuple[str, str]] = [(f"moved to {name}", "")] if number % 4 == 3 else []
    pieces += [(CUES[topic], ""), (name, "person"), ("paid", "")]
    pieces += [(f"{draw.randint(1, 9)}.{draw.randint(100, 999)},{draw.randint(10, 99)}", "amount")]
    pieces += [({"late": "later than monday", "cash": "all in green"}[flag], "") for flag in risks]
    pieces += [(" ".join(draw.choices(WORDS, k=draw.randint(1, 6))), "")]
    text, spans = "", []
    for piece, name in pieces:
        text += " " if text else ""
        if name:
            spans.append({"start": len(text), "end": len(text) + len(piece), "label": name, "text": piece})
        text += piece
    return {"id": f"r{number}", "text": text + ".", "topic": topic, "risks": risks, "names": spans}


def write_records(file: Path, records: Sequence[dict[str, Any]]) -> None:
    file.write_text("".join(json.dumps(each) + "\n" for each in records), encoding="utf-8")


def write_task(folder: Path, yaml: str = YAML) -> Path:
    """A folder with a task.yaml and its files: 40 labelled texts, 30 without labels, 20 of dev and 20 of test."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(3)
    for name, size in (("train", 40), ("dev", 20), ("test", 20)):
        write_records(folder / f"{name}.jsonl", [record(number, draw) for number in range(size)])
    pool = [record(number, draw) for number in range(30)]
    write_records(folder / "pool.jsonl", [{"id": each["id"], "text": each["text"]} for each in pool])
    (folder / "task.yaml").write_text(yaml, encoding="utf-8")
    return folder / "task.yaml"


def documents(size: int, seed: int = 5) -> list[Document]:
    """Labelled documents of the task, without a file."""
    draw = random.Random(seed)
    found = []
    for number in range(size):
        made = record(number, draw)
        spans = tuple(Span(each["start"], each["end"], each["label"]) for each in made["names"])
        gold = {"topic": made["topic"], "risks": tuple(made["risks"]), "names": spans}
        found.append(Document(made["id"], made["text"], gold))
    return found


def rows(windower: WindowTokenizer, found: Sequence[Document], fields: Sequence[Field] = FIELDS) -> list[LabeledWindow]:
    return [row for each in found for row in label(each, windower(each.text), fields)]


def windower_of(folder: str, size: int = 64, context_overlap: int = 4) -> WindowTokenizer:
    return WindowTokenizer(load_tokenizer(folder), size, context_overlap)


def discriminator_of(
    folder: str,
    fields: Sequence[Field] = FIELDS,
    pooling: str = "stock",
    realness_head: bool = False,
    sharp: float = 1.0,
) -> Discriminator:
    """A discriminator with new heads from a fixed seed; `sharp` multiplies their weights, so that answers differ."""
    torch.manual_seed(11)
    made = Discriminator.from_encoder(folder, fields, pooling=pooling, realness_head=realness_head)
    for module in made.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    with torch.no_grad():
        for head in made.heads.values():
            head.output_layer.weight.mul_(sharp)
    return made


def batches_of(
    windower: WindowTokenizer, sizes: tuple[int, int] = (6, 4), process: int = 0, processes: int = 1
) -> Batches:
    labelled = rows(windower, documents(12))
    pool = rows(windower, [each.unlabeled() for each in documents(9, seed=8)])
    return Batches(labelled, pool, sizes, windower, FIELDS, 0, process, processes)


def batch_of(windower: WindowTokenizer) -> Batch:
    """Six labelled windows and four without labels."""
    return batches_of(windower)[0]


LATENT = {
    "discriminator": {"classification": 1.0, "adversarial": 0.1},
    "generator": {"generator_adversarial": 1.0, "feature_matching": 1.0, "class_consistency": 1.0},
}
MASKING = {
    "discriminator": {"classification": 1.0, "distillation": 0.5},
    "generator": {"adversarial_masking": 1.0},
}
TERMS = {
    "supervised": {"discriminator": {"classification": 1.0}},
    "self_training": {"discriminator": MASKING["discriminator"]},
    "latent": LATENT,
    "adversarial": MASKING,
    "thorough": MASKING,
}


def without(task: Path, *fields: str) -> Path:
    """Remove fields from a task.yaml."""
    lines = task.read_text("utf-8").splitlines()
    kept = [line for line in lines if not line.strip().startswith(tuple(f"{name}:" for name in fields))]
    task.write_text("\n".join(kept) + "\n", encoding="utf-8")
    return task


def settings(encoder: str, preset: str = "latent", **more: Any) -> dict[str, Any]:
    """What `train` is given so that a run takes a second; the weights of the terms are not those of the presets."""
    common = {
        "max_steps": 12,
        "batch_size": 6,
        "learning_rate": 2e-3,
        "head_learning_rate": 1e-2,
        "generator_learning_rate": 1e-2,
        "latent_size": 8,
        "precision": "no",  # on every processor
    }
    cut = {"window": 48, "context_overlap": 4}
    return {"encoder": encoder, "preset": preset, "num_evaluations": 2, **cut, **common, **TERMS[preset], **more}
