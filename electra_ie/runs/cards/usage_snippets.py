"""Code for model cards that uses a field's folder with transformers alone. The tests execute it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from electra_ie.common.scripts import COMBINING, UNSPACED
from electra_ie.config.distill import STATIC_MODEL
from electra_ie.data.fields import LEVELS, TRACKS, Field
from electra_ie.data.span_boundaries import FIRST, LAST, LINE_END, BoundaryRules, edges_from

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
    encoding = tokenizer_@NAME@(text, return_tensors="pt", return_offsets_mapping=True)
    with torch.no_grad():
        logits = model_@NAME@(
            input_ids=encoding["input_ids"], attention_mask=encoding["attention_mask"]
        ).logits[0]
    offsets, last = [], None  # the characters of each token, made disjoint
    for start, end in encoding["offset_mapping"][0].tolist():
        while start < end and text[start].isspace():
            start += 1
        while start < end and text[end - 1].isspace():
            end -= 1
        while start < end < len(text) and unicodedata.category(text[end]).startswith("M"):
            end += 1  # a combining mark belongs to the letter before it
        if start < end and last is not None:
            if start == offsets[last][0] and end > offsets[last][1]:
                offsets[last], start = (start, end), end  # a token that only marks the start of a word
            else:
                start, end = max(start, offsets[last][1]), max(end, offsets[last][1])
                while start < end and text[start].isspace():
                    start += 1
        offsets.append((start, end))
        if start < end:
            last = len(offsets) - 1
    units = []  # the tagged units, @UNIT@: [word, logits, start, end]
    for word, row, (start, end) in zip(encoding.word_ids(), logits, offsets):
        if word is None or start == end:
            continue
        @TAKE@

@DECODE@    for finding in findings:
        scores = finding.pop("scores")
        @TRIM@finding.update(score=sum(scores) / len(scores), text=text[finding["start"] : finding["end"]])
    return @RESULT@
"""
"""Viterbi decoding over valid tags as in `data.bio.viterbi`; words as in `data.windowing.WindowTokenizer`."""
MAY_FOLLOW = """\
    def may_follow(before, tag, same_line):
        return not tag.startswith("I-") or same_line and before in ("B-" + tag[2:], tag)

"""
ONE_SEQUENCE = """\
    best = {"O": (0.0, [])}  # Viterbi: last tag -> highest sum of logits, and the tag ids of that path
    for position, (_, row, start, _) in enumerate(units):
        same_line = @SAME_LINE@
        extended = {}
        for index, tag in model_@NAME@.config.id2label.items():
            paths = [path for before, path in best.items() if may_follow(before, tag, same_line)]
            if paths:
                total, indices = max(paths)
                extended[tag] = (total + row[index].item(), [*indices, index])
        best = extended
    findings = []
    for (_, row, start, end), index in zip(units, max(best.values())[1]):
        tag, probability = model_@NAME@.config.id2label[index], row.softmax(-1)[index].item()
        if tag.startswith("B-"):
            findings.append({"label": tag[2:], "start": start, "end": end, "scores": [probability]})
        elif tag.startswith("I-"):
            findings[-1]["end"] = end
            findings[-1]["scores"].append(probability)
"""
TRACKED = """\
    findings = []
    names = model_@NAME@.config.id2label
    for first in range(0, len(names), 2):  # two outputs for each label; "O" has the logit 0
        tags = {0: "O", 1: names[first], 2: names[first + 1]}
        rows = [torch.cat([row.new_zeros(1), row[first : first + 2]]) for _, row, _, _ in units]
        best = {"O": (0.0, [])}  # Viterbi: last tag -> highest sum of logits, and the tag ids of that path
        for position, (_, _, start, _) in enumerate(units):
            same_line = @SAME_LINE@
            extended = {}
            for index, tag in tags.items():
                paths = [path for before, path in best.items() if may_follow(before, tag, same_line)]
                if paths:
                    total, indices = max(paths)
                    extended[tag] = (total + rows[position][index].item(), [*indices, index])
            best = extended
        for (_, _, start, end), row, index in zip(units, rows, max(best.values())[1]):
            probability = row.softmax(-1)[index].item()
            if index == 1:
                findings.append({"label": names[first][2:], "start": start, "end": end, "scores": [probability]})
            elif index == 2:
                findings[-1]["end"] = end
                findings[-1]["scores"].append(probability)
"""
"""A sequence of tags for each label (scheme `tracks`)."""
LEVELED = """\
    findings = []
    names = model_@NAME@.config.id2label
    for first in range(0, len(names), @OUTPUTS@):  # the outputs of one sequence of tags; "O" has the logit 0
        rows = [torch.cat([row.new_zeros(1), row[first : first + @OUTPUTS@]]) for _, row, _, _ in units]
        best = {"O": (0.0, [])}  # Viterbi: last state -> highest sum of logits, and the tags of that path
        for position, (_, _, start, _) in enumerate(units):
            same_line = @SAME_LINE@
            extended = {}
            for state, tag, before in STATES_@NAME@:
                paths = [best[other] for other in (before if same_line else "OoBIC") if other in best]
                if paths and (same_line or state in "OB"):
                    total, tags = max(paths)
                    extended[state] = (total + rows[position][tag].item(), [*tags, tag])
            best = extended
        found = []
        for (_, _, start, end), row, tag in zip(units, rows, max(best.values())[1]):
            probability = row.softmax(-1)[tag].item()
            if tag == 1:
                found.append(([[start, end]], [probability]))
            elif tag:
                places, scores = found[-1]
                scores.append(probability)
                if tag == 2:
                    places[-1][1] = end
                else:
                    places.append([start, end])
        label, known = names[first].partition("-")[2], {(each["label"], *each["places"]) for each in findings}
        for places, scores in found:
            places = tuple(@PLACE@ for start, end in places)
            places = tuple((start, end) for start, end in places if start < end)
            if places and (label, *places) not in known:
                hull = {"start": places[0][0], "end": places[-1][1]}
                findings.append({"label": label, **hull, "scores": scores, "places": places})
    for finding in findings:
        places = finding.pop("places")
        if len(places) > 1:
            finding["fragments"] = places
"""
"""Several sequences of tags for a label (scheme `levels`), or fragments. What two levels find is one finding."""
STATES = """\
STATES_@NAME@ = (("O", 0, "OBI"), ("B", 1, "OBI"), ("I", 2, "BI"))  # state, its tag, the states before it
"""
STATES_OF_FRAGMENTS = """\
# state, its tag, the states before it; in "o", outside, a span before it may continue after the gap, with the tag 3
STATES_@NAME@ = (("O", 0, "O"), ("o", 0, "oBIC"), ("B", 1, "OoBIC"), ("I", 2, "BIC"), ("C", 3, "o"))
"""
REGISTERED = "import electra_ie  # registers the classes of static models with the Auto classes\n"
WORDS = """\
UNSPACED_@NAME@ = re.compile(@UNSPACED@)  # scripts without spaces between words


def in_word_@NAME@(text, at):
    while at > 0 and unicodedata.category(text[at]) in @COMBINING@:
        at -= 1
    return text[at].isalnum() and not UNSPACED_@NAME@.match(text[at])
"""
LINES = "LINE_END_@NAME@ = re.compile(@LINE_END@)  # no span continues after one\n"
PICTURES = """\
FIRST_@NAME@ = re.compile(@FIRST@)  # emoji, arrows and bullets: no span begins or ends with one
LAST_@NAME@ = re.compile(@LAST@)
"""
WORD = """\
if units and units[-1][0] == word and start and in_word_@NAME@(text, start - 1) and in_word_@NAME@(text, start):
            units[-1][3] = end
        else:
            units.append([word, row, start, end])"""
TOKEN = "units.append([word, row, start, end])"
SAME_LINE = "position > 0 and not LINE_END_@NAME@.search(text, units[position - 1][2], start)"
TRIMMED = """\


def trimmed_@NAME@(text, start, end):
    first = FIRST_@NAME@.match(text, start, end)
    start = first.end() if first else start
    last = LAST_@NAME@.search(text, start, end)
    return start, last.start() if last else end
"""
PLACE = "trimmed_@NAME@(text, start, end)"
TRIM = """\
first = FIRST_@NAME@.match(text, finding["start"], finding["end"])
        finding["start"] = first.end() if first else finding["start"]
        last = LAST_@NAME@.search(text, finding["start"], finding["end"])
        finding["end"] = last.start() if last else finding["end"]
        """
NOT_EMPTY = '[finding for finding in findings if finding["start"] < finding["end"]]'
SORTED = 'sorted(findings, key=lambda finding: (finding["start"], finding["end"], finding["label"]))'
SORTED_WITH_FRAGMENTS = SORTED.replace('["label"])', '["label"], finding.get("fragments", ()))')
SEQUENCES = {
    TRACKS: "each label has a sequence of tags of its own, so that spans of different labels may overlap",
    LEVELS: "each label has one or several sequences of tags of its own (`B-x`, then `B2-x`, `B3-x`), so that spans of "
    "one label may overlap, too",
}
"""Why no pipeline fits, by scheme."""
FITS = {
    "first": "it was trained on the first token of each word, and the other strategies also use the other tokens",
    "simple": "it was trained on every token, and the other strategies assign one tag to all tokens of a word",
}


@dataclass(frozen=True)
class StockFolder:
    """A field and the properties of its saved folder that determine how to use it."""

    field: Field
    config: dict[str, Any]
    word_pieces: bool
    """Whether the tokenizer marks tokens inside a word, as `##` does. Pipelines detect words only by that mark."""

    @classmethod
    def read(cls, run: Path, field: Field) -> StockFolder:
        """Read the folder of a field in a run."""
        config = json.loads((run / field.name / "config.json").read_text("utf-8"))
        vocabulary = json.loads((run / field.name / "tokenizer.json").read_text("utf-8"))["model"]
        return cls(field, config, bool(vocabulary.get("continuing_subword_prefix")))

    @property
    def is_static(self) -> bool:
        """Whether the model is a static one, whose classes `import electra_ie` registers."""
        return self.config.get("model_type") == STATIC_MODEL

    @property
    def task(self) -> str:
        """The name of the transformers pipeline."""
        return PIPELINES[self.field.kind]

    @property
    def whole_words(self) -> bool:
        """Whether the model tags words, by their first token, rather than every token."""
        return bool(self.config["electra_ie"]["whole_words"])

    @property
    def strategy(self) -> str | None:
        """The aggregation strategy of the pipeline that fits this model; None if none fits.

        Measured on 200 records of transaction_risk with models that tag first tokens: F1 67.2 with `first`, 47.2 with
        `simple` (benchmarks/stock_reading.py). If a tokenizer does not mark the tokens inside words, the pipeline
        treats everything between two spaces as one word, including punctuation. None fits several sequences of tags.
        """
        if self.field.has_tracks:
            return None
        if not self.whole_words:
            return "simple"
        return "first" if self.word_pieces else None

    @property
    def pipeline(self) -> str | None:
        """A line of code that creates `read_<field>`, a pipeline; None if no aggregation strategy fits."""
        arguments = {
            "classes": "top_k=None",
            "flags": 'top_k=None, function_to_apply="sigmoid"',
            "spans": f'aggregation_strategy="{self.strategy}"',
        }[self.field.kind]
        name = self.field.name
        if self.field.kind == "spans" and self.strategy is None:
            return None
        return f'read_{name} = pipeline("{self.task}", model="{name}", {arguments})'

    @property
    def edges(self) -> BoundaryRules:
        """The span boundary rules of a field of spans."""
        return edges_from(self.config["electra_ie"]["edges"])

    @property
    def exact(self) -> str:
        """Code that defines `find_<field>`, which returns for a text of one window the findings of `extract`."""
        rules = [
            *([WORDS] if self.whole_words else []),
            *([LINES] if self.edges.lines else []),
            *([PICTURES] if self.edges.pictures else []),
            *([TRIMMED] if self.edges.pictures and self._is_leveled else []),
            *([STATES_OF_FRAGMENTS if self.field.fragments else STATES] if self._is_leveled else []),
        ]
        parts = {
            **self._decoding,
            "RULES": "".join(rules),
            "UNIT": "the first token of each word" if self.whole_words else "each token",
            "TAKE": WORD if self.whole_words else TOKEN,
            "SAME_LINE": SAME_LINE if self.edges.lines else "True",
        }
        values = {
            "UNSPACED": ascii(UNSPACED.pattern), "COMBINING": str(COMBINING), "LINE_END": ascii(LINE_END.pattern),
            "FIRST": ascii(FIRST.pattern), "LAST": ascii(LAST.pattern), "NAME": self.field.name,
        }  # fmt: skip
        code = REGISTERED + EXACT if self.is_static else EXACT
        for name, value in (*parts.items(), *values.items()):
            code = code.replace(f"@{name}@", value)
        return code

    @property
    def _is_leveled(self) -> bool:
        """Whether a label may have several sequences of tags, or a span several fragments."""
        return self.field.scheme == LEVELS or self.field.fragments

    @property
    def _decoding(self) -> dict[str, str]:
        """The parts of the code that decode the tags, by placeholder."""
        result = NOT_EMPTY if self.edges.pictures else "findings"
        trim = TRIM if self.edges.pictures else ""
        if self._is_leveled:
            place = PLACE if self.edges.pictures else "(start, end)"
            outputs = str(len(self.field.tracks[0].names) - 1)
            return {
                "DECODE": LEVELED, "OUTPUTS": outputs, "PLACE": place, "TRIM": "", "RESULT": SORTED_WITH_FRAGMENTS
            }  # fmt: skip
        if self.field.has_tracks:
            return {
                "DECODE": MAY_FOLLOW + TRACKED, "TRIM": trim, "RESULT": SORTED.replace("findings", result, 1)
            }  # fmt: skip
        return {"DECODE": MAY_FOLLOW + ONE_SEQUENCE, "TRIM": trim, "RESULT": result}


def loading(folders: Sequence[StockFolder], window: int) -> Iterator[str]:
    """Yield lines of Markdown on loading and using the fields of a run. window: its window size in tokens."""
    yield (
        "Each field has its own folder. Run this in the folder of the run (for a run on the Hub, the folder that "
        '`huggingface_hub.snapshot_download("ORG/NAME")` returns):'
    )
    yield ""
    yield "```python"
    static = any(folder.is_static for folder in folders)
    yield from [REGISTERED.rstrip()] if static else []
    yield "from transformers import pipeline"
    yield ""
    yield from (folder.pipeline for folder in folders if folder.pipeline)
    yield "```"
    yield ""
    if static:
        yield (
            "- Stock transformers alone cannot load these folders: their classes are those of electra_ie, and "
            "`import electra_ie` registers them with the Auto classes."
        )
    yield f"- `electra-ie extract` splits texts of more than {window - 2} tokens into windows, the pipelines do not."
    for folder in folders:
        name = folder.field.name
        if folder.field.kind == "flags":
            yield f"- `read_{name}(text)[0]` lists all flags. A flag is predicted if its score is above 0.5."
        elif folder.field.kind == "classes":
            yield f"- `read_{name}(text)[0]` lists all classes, the predicted one first."
    for folder in folders:
        if folder.field.kind == "spans":
            yield from _loading_spans(folder)


def _loading_spans(folder: StockFolder) -> Iterator[str]:
    name = folder.field.name
    if folder.field.has_tracks:
        yield f"- No pipeline fits `{name}`: {SEQUENCES[folder.field.scheme]}, and the pipelines know one sequence."
        if folder.field.fragments:
            yield (
                "- `C-x` begins a further fragment of the span of `x` before it in the same sequence, after a gap. "
                "`fragments` are the offsets of the fragments of a finding; its `text` is that from the first to the "
                "last."
            )
    elif folder.strategy is None:
        yield (
            f"- No pipeline fits `{name}`: the model tags the first token of each word, and the pipelines cannot "
            "detect the words of this tokenizer."
        )
    else:
        yield (
            f'- `aggregation_strategy="{folder.strategy}"` is the strategy for `{name}`: {FITS[folder.strategy]}. The '
            "pipeline takes the best tag of each token and splits invalid sequences (`I-x` without `B-x` before it), "
            "while `extract` decodes the best valid sequence (Viterbi). The pipeline also ignores line ends and joins "
            "values of adjacent lines that `extract` separates. With few labels this lowers F1: in one measurement, "
            "67.2 instead of 73.1."
        )
    yield ""
    needs = "transformers and electra_ie" if folder.is_static else "only transformers"
    yield f"This code needs {needs} and returns the findings of `extract`, with the model's own scores (`{name}`):"
    yield ""
    yield "```python"
    yield folder.exact.rstrip()
    yield "```"
