"""How a field's folder is read without this package: the code that a model card gives, which the tests execute."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from electra_ie.data.fields import Field
from electra_ie.data.scripts import COMBINING, UNSPACED
from electra_ie.data.span_boundaries import FIRST, LAST, LINE_END, Edges, edges_from

PIPELINES = {"classes": "text-classification", "flags": "text-classification", "spans": "token-classification"}

EXACT = """\
import re
import unicodedata

import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer

tokenizer_@NAME@ = AutoTokenizer.from_pretrained("@NAME@")
model_@NAME@ = AutoModelForTokenClassification.from_pretrained("@NAME@").eval()
@RULES@

def find_@NAME@(text):
    read = tokenizer_@NAME@(text, return_tensors="pt", return_offsets_mapping=True)
    with torch.no_grad():
        logits = model_@NAME@(input_ids=read["input_ids"], attention_mask=read["attention_mask"]).logits[0]
    places, last = [], None  # the characters of each token, none of them in two tokens
    for start, end in read["offset_mapping"][0].tolist():
        while start < end and text[start].isspace():
            start += 1
        while start < end and text[end - 1].isspace():
            end -= 1
        while start < end < len(text) and unicodedata.category(text[end]).startswith("M"):
            end += 1  # a mark that combines with the letter before it
        if start < end and last is not None:
            if start == places[last][0] and end > places[last][1]:
                places[last], start = (start, end), end  # the mark of a word's start has the word's characters
            else:
                start, end = max(start, places[last][1]), max(end, places[last][1])
                while start < end and text[start].isspace():
                    start += 1
        places.append((start, end))
        if start < end:
            last = len(places) - 1
    units = []  # what is judged, @UNIT@: [word, logits, start, end]
    for word, row, (start, end) in zip(read.word_ids(), logits, places):
        if word is None or start == end:
            continue
        @TAKE@

    def may_follow(before, tag, same_line):
        return not tag.startswith("I-") or same_line and before in ("B-" + tag[2:], tag)

    best = {"O": (0.0, [])}  # for each last tag the highest sum, and the tags that lead there
    for place, (_, row, start, _) in enumerate(units):
        same_line = @SAME_LINE@
        longer = {}
        for number, tag in model_@NAME@.config.id2label.items():
            paths = [path for before, path in best.items() if may_follow(before, tag, same_line)]
            if paths:
                highest, tags = max(paths)
                longer[tag] = (highest + row[number].item(), [*tags, number])
        best = longer
    found = []
    for (_, row, start, end), number in zip(units, max(best.values())[1]):
        tag, chance = model_@NAME@.config.id2label[number], row.softmax(-1)[number].item()
        if tag.startswith("B-"):
            found.append({"label": tag[2:], "start": start, "end": end, "scores": [chance]})
        elif tag.startswith("I-"):
            found[-1]["end"] = end
            found[-1]["scores"].append(chance)
    for each in found:
        scores = each.pop("scores")
        @TRIM@each.update(score=sum(scores) / len(scores), text=text[each["start"] : each["end"]])
    return @FOUND@
"""
"""Viterbi decoding over valid tags, as `labels.viterbi`, and words as `batching.WindowTokenizer` makes them."""
WORDS = """\
UNSPACED_@NAME@ = re.compile(@UNSPACED@)  # scripts without blanks between words


def in_word_@NAME@(text, at):
    while at > 0 and unicodedata.category(text[at]) in @COMBINING@:
        at -= 1
    return text[at].isalnum() and not UNSPACED_@NAME@.match(text[at])
"""
LINES = "LINE_END_@NAME@ = re.compile(@LINE_END@)  # no span goes on behind one\n"
PICTURES = """\
FIRST_@NAME@ = re.compile(@FIRST@)  # emoji and bullets, which no span begins or ends with
LAST_@NAME@ = re.compile(@LAST@)
"""
WORD = """\
if units and units[-1][0] == word and start and in_word_@NAME@(text, start - 1) and in_word_@NAME@(text, start):
            units[-1][3] = end
        else:
            units.append([word, row, start, end])"""
TOKEN = "units.append([word, row, start, end])"
SAME_LINE = "place > 0 and not LINE_END_@NAME@.search(text, units[place - 1][2], start)"
TRIM = """\
first = FIRST_@NAME@.match(text, each["start"], each["end"])
        each["start"] = first.end() if first else each["start"]
        last = LAST_@NAME@.search(text, each["start"], each["end"])
        each["end"] = last.start() if last else each["end"]
        """
KEPT = '[each for each in found if each["start"] < each["end"]]'
FITS = {
    "first": "it judges the first token of each word, and the other strategies count what it says of the rest too",
    "simple": "it judges every token, and the other strategies give all tokens of a word one tag",
}


@dataclass(frozen=True)
class StockFolder:
    """A field and what its saved folder says of how it must be read."""

    field: Field
    config: dict[str, Any]
    word_pieces: bool
    """Does the tokenizer mark the tokens within a word? The pipelines tell words by that alone."""

    @classmethod
    def read(cls, run: Path, field: Field) -> StockFolder:
        config = json.loads((run / field.name / "config.json").read_text("utf-8"))
        vocabulary = json.loads((run / field.name / "tokenizer.json").read_text("utf-8"))["model"]
        return cls(field, config, bool(vocabulary.get("continuing_subword_prefix")))

    @property
    def task(self) -> str:
        return PIPELINES[self.field.kind]

    @property
    def whole_words(self) -> bool:
        return bool(self.config["electra_ie"]["whole_words"])

    @property
    def strategy(self) -> str | None:
        """The aggregation of the pipeline that joins what this model judges; None where there is none.

        Measured on 200 records of transaction_risk with models that judge first tokens: F1 67.2 with `first`, 47.2 with
        `simple` (benchmarks/stock_reading.py). Where a tokenizer does not mark the tokens within words, the pipeline
        takes all between two blanks for a word, punctuation too.
        """
        if not self.whole_words:
            return "simple"
        return "first" if self.word_pieces else None

    @property
    def pipeline(self) -> str | None:
        """A line of code that makes `read_<field>`, a pipeline."""
        told = {
            "classes": "top_k=None",
            "flags": 'top_k=None, function_to_apply="sigmoid"',
            "spans": f'aggregation_strategy="{self.strategy}"',
        }[self.field.kind]
        name = self.field.name
        if self.field.kind == "spans" and self.strategy is None:
            return None
        return f'read_{name} = pipeline("{self.task}", model="{name}", {told})'

    @property
    def edges(self) -> Edges:
        return edges_from(self.config["electra_ie"]["edges"])

    @property
    def exact(self) -> str:
        """Code that makes `find_<field>`, which finds in a text of one window what `extract` finds."""
        rules = [
            *([WORDS] if self.whole_words else []),
            *([LINES] if self.edges.lines else []),
            *([PICTURES] if self.edges.pictures else []),
        ]
        parts = {
            "RULES": "".join(rules),
            "UNIT": "the first token of each word" if self.whole_words else "each token",
            "TAKE": WORD if self.whole_words else TOKEN,
            "SAME_LINE": SAME_LINE if self.edges.lines else "True",
            "TRIM": TRIM if self.edges.pictures else "",
            "FOUND": KEPT if self.edges.pictures else "found",
        }
        values = {
            "UNSPACED": ascii(UNSPACED.pattern), "COMBINING": str(COMBINING), "LINE_END": ascii(LINE_END.pattern),
            "FIRST": ascii(FIRST.pattern), "LAST": ascii(LAST.pattern), "NAME": self.field.name,
        }  # fmt: skip
        code = EXACT
        for name, value in (*parts.items(), *values.items()):
            code = code.replace(f"@{name}@", value)
        return code


def loading(folders: Sequence[StockFolder], window: int) -> Iterator[str]:
    """Lines of Markdown: how the fields of a run, cut into windows of so many tokens, are loaded and read."""
    yield (
        "Each field is a folder of its own. In the folder of the run (of one on the hub, the folder that "
        '`huggingface_hub.snapshot_download("ORG/NAME")` returns):'
    )
    yield ""
    yield "```python"
    yield "from transformers import pipeline"
    yield ""
    yield from (each.pipeline for each in folders if each.pipeline)
    yield "```"
    yield ""
    yield f"- Texts of more than {window - 2} tokens: `electra-ie extract` reads them in windows, the pipelines do not."
    for each in folders:
        name = each.field.name
        if each.field.kind == "flags":
            yield f"- `read_{name}(text)[0]` are all flags; one holds where its score is above 0.5."
        elif each.field.kind == "classes":
            yield f"- `read_{name}(text)[0]` are all classes, the one that holds first."
    for folder in folders:
        if folder.field.kind == "spans":
            yield from _loading_spans(folder)


def _loading_spans(folder: StockFolder) -> Iterator[str]:
    name = folder.field.name
    if folder.strategy is None:
        yield (
            f"- No pipeline reads `{name}` rightly: the model judges the first token of each word, and the pipelines "
            "do not know the words of this tokenizer."
        )
    else:
        yield (
            f'- `aggregation_strategy="{folder.strategy}"` is the one for `{name}`: {FITS[folder.strategy]}. Where the '
            "best tags of neighbours do not fit together (`I-x` without `B-x` before it) the pipeline divides them, "
            "while `extract` takes the best sequence that fits (Viterbi). The pipeline knows no line ends either: it "
            "joins values of neighbouring lines that `extract` keeps apart. With few labels that costs points: once "
            "measured, F1 67.2 against 73.1."
        )
    yield ""
    yield f"In stock transformers, this finds in a text what `extract` finds, with the same scores (`{name}`):"
    yield ""
    yield "```python"
    yield folder.exact.rstrip()
    yield "```"
