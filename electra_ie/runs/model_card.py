"""The model card of a run, made from the run's own files. It holds no text of any document, unless asked to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from electra_ie.common.errors import UserError
from electra_ie.common.files import CARD, parse, write
from electra_ie.common.hashing import SHOWN, WEIGHTS
from electra_ie.common.logs import warn
from electra_ie.config.train import TrainSettings
from electra_ie.data.dataset_card import DataCard
from electra_ie.data.fields import Field
from electra_ie.data.task import Task
from electra_ie.metrics import COUNTS, INTERVAL, MAIN, NAMES
from electra_ie.models.encoders import EMBEDDED_NAMES, INSTALL
from electra_ie.runs.layout import AUDIT, COMPARED, COMPARISON, SCORES, SETTINGS, load_task
from electra_ie.runs.model_card_metadata import SCORED, front_matter
from electra_ie.runs.provenance import read_audit
from electra_ie.runs.usage_snippets import StockFolder, loading

SHOWN_EXAMPLES = 3
DASH = "–"
"""A card shows this for a number that is not defined."""

LIMITS = {
    "Who decides?": "A person who reads the passage. A finding points at characters of a text, so that it can be "
    "checked there; it is no decision.",
    "What must it not decide?": "Alone: anything that touches a person or an account, such as refusing or closing an "
    "account, a payment, a credit or a claim; reporting somebody; choosing or withholding a treatment; a diagnosis.",
    "Does no finding mean that there is nothing?": "No. The recall above says how much was found on that split; on "
    "other texts it may be less.",
    "Which texts?": "Such as it was trained on. Another language, source, form or time: label a hundred texts and "
    "score them first (`electra-ie evaluate`).",
    "What if the texts change?": "Scores fall unseen. Score newly labelled texts at set times, and train again when "
    "they are below what you accept.",
    "Is a score of 0.9 right nine times in ten?": "Not measured: scores are the model's own probabilities, not "
    "calibrated. They order findings; choose a threshold on labelled texts of your own.",
    "Is it fair to groups of people?": "Not measured. Names, places and spellings that are rare in training are found "
    "less well; score them apart where that matters.",
    "Does it hold personal data?": "This card, the configs and the tokenizers hold no text of the corpus{examples}. "
    "Weights can keep traces of what they were trained on: protect them as you protect the texts. `run.yaml` and "
    "`task.yaml` hold paths, `audit.json` paths and some ids of documents.",
    "Where did a value come from?": "Every line of `electra-ie extract` bears the hash of the model (`{model}`) and "
    "the version of the package. `audit.json` ties that hash to data, settings and code; `electra-ie verify` checks "
    "it.",
}
"""What a bank or a hospital asks before it lets a model read."""


@dataclass(frozen=True)
class RunSummary:
    """What the files of a run say."""

    run: Path
    task: Task
    settings: TrainSettings
    scores: Mapping[str, Any]
    audit: Mapping[str, Any]
    data_card: DataCard | None
    comparison: Mapping[str, Any] | None
    folders: Sequence[StockFolder]

    @classmethod
    def read(cls, run: Path, scores: Mapping[str, Any] | None = None) -> RunSummary:
        task = load_task(run)
        scores = parse((run / SCORES).read_bytes(), run / SCORES) if scores is None else scores
        folders = [StockFolder.read(run, field) for field in task.fields]
        return cls(
            run,
            task,
            TrainSettings.build(run / SETTINGS),
            scores,
            read_audit(run),
            DataCard.of(task),
            _comparison(run),
            folders,
        )

    @property
    def training(self) -> Mapping[str, Any]:
        return self.scores["training"]


def model_card(run: Path, scores: Mapping[str, Any] | None = None) -> str:
    """Markdown with the hub's metadata in front, made from what lies in the folder of a finished run: settings, scores,
    audit, and the comparison that it stands in. scores: in place of those in scores.json."""
    facts = RunSummary.read(run, scores)
    parts = (_what, _fields, _scores, _compared, _limits, _data, _examples, _loading, _repeating)
    sections = ("\n".join(part(facts)) for part in parts)
    front = front_matter(facts.task, facts.settings, facts.scores, facts.data_card)
    return front + "\n\n".join(section for section in sections if section) + "\n"


def update_model_card(run: Path, before: Mapping[str, Any]) -> None:
    """Make the card anew after new scores; `before`: those that it was made from. A card that is not as it was made,
    such as one that somebody has edited, is left as it is, with a warning. Nothing where no audit or no card is.

    Raises UserError where the run's files are not as training writes them.
    """
    card = run / CARD
    if not (run / AUDIT).is_file() or not card.is_file():
        return
    try:
        ours, new = model_card(run, before), model_card(run)
    except UserError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        remedy = "The scores are saved; restore the other files, and score again."
        raise UserError(f"the card cannot be made anew from {SCORES} and {AUDIT}.", file=run, remedy=remedy) from error
    if card.read_text("utf-8", "replace") == ours:
        write(card, new)
    else:
        warn(f"{card}: left as it is, since it is not as it was made. The new scores are in {SCORES} alone.")


def _comparison(run: Path) -> Mapping[str, Any] | None:
    """What compare.json says, where the run won a comparison."""
    file = run / COMPARISON / COMPARED
    return parse(file.read_bytes(), file) if file.is_file() else None


def _what(facts: RunSummary) -> Iterator[str]:
    settings, training = facts.settings, facts.training
    yield f"# {_plain(facts.task.name)}, {settings.preset}"
    yield ""
    if facts.task.description:
        yield _plain(facts.task.description)
        yield ""
    played = not settings.has_teacher or training["unlabelled"]["windows"]
    kept = f"those of step {training['best_step']}" if training["best_step"] else "the teacher's, ahead of the game"
    best = "" if training["best_step"] is None or not played else f" (the best on dev: {kept})"
    yield (
        f"Trained by electra_ie {facts.audit['code']['electra_ie']} on the encoder {_encoder(facts)} from "
        f"{training['labelled']['documents']:,} labelled and {training['unlabelled']['documents']:,} unlabelled "
        f"documents, seed {settings.seed}, {training['steps']:,} steps{best}. Model `{facts.audit['model'][:SHOWN]}`."
    )
    if not played:
        yield (
            "There was no unlabelled document to learn from, so the game was not played: these are the weights of its "
            "teacher, the supervised run with the same seed."
        )
    elif settings.has_teacher:
        taught, lost = (training["teacher"].get(what) for what in ("dev", "collapsed"))
        control, before = "the supervised run with the same seed", settings.self_training_rounds - 1
        yield (
            f"On the unlabelled documents it learned to answer as a teacher, with {settings.mask_ratio:.0%} of tokens "
            f"hidden: {f'generation {before} of this game' if before else control}"
            + (f", which scores {taught['mean']:.3f} on dev" if taught else "")
            + (f", and collapsed at its step {lost['step']}." if lost else ".")
            + (f" The teacher of generation 1 was {control}." if before else "")
            + _at_shares(facts)
            + _second_view(facts)
        )
    if fallen := training.get("collapsed"):
        yield (
            f"The training collapsed at step {fallen['step']} ({fallen['what']}) and ended there, with "
            + (f"the weights of step {fallen['kept']}." if fallen["kept"] else "the teacher's weights.")
        )
    if alike := [f"`{_plain(name)}`" for name in training.get("answered_alike", ())]:
        read = "of dev" if "dev" in facts.scores else "that was looked at"
        yield f"Do not rely on it for {' and '.join(alike)}: every document {read} gets the same answer there."


def _at_shares(facts: RunSummary) -> str:
    names = [f"`{_plain(field.name)}`" for field in facts.task.fields if field.kind == "flags"]
    if not names:
        return ""
    return (
        f" Before it learnt from them, that teacher's answers for {' and '.join(names)} were moved until it gave each "
        "flag, on average, as often as the labels do."
    )


def _second_view(facts: RunSummary) -> str:
    names = [f"`{_plain(name)}`" for name in facts.training.get("second_view", ())]
    if not names:
        return ""
    return (
        f" What it learnt for {' and '.join(names)} is the geometric mean of that teacher's answers and those of "
        "logistic regression on the encoder as it came."
    )


def _encoder(facts: RunSummary) -> str:
    """Name and revision; of a folder the last part of its path, which whole says more than a card should."""
    known, revision = facts.training["base_model"], facts.settings.encoder.partition("@")[2]
    if known is None:
        return f"`{Path(facts.settings.encoder).name}`"
    return f"`{known}`, revision `{revision}`," if revision else f"`{known}`"


def _fields(facts: RunSummary) -> Iterator[str]:
    yield "| field | kind | labels |"
    yield "| --- | --- | --- |"
    kinds = {"classes": "one of", "flags": "any of, or none", "spans": "passages"}
    for field in facts.task.fields:
        yield f"| {field.name} | {field.kind}: {kinds[field.kind]} | {', '.join(map(_plain, field.labels))} |"


def _scores(facts: RunSummary) -> Iterator[str]:
    yield "## Scores"
    yield ""
    splits = [split for split in SCORED if split in facts.scores]
    if not splits:
        yield "There was no dev split: nothing is known of how well it does. Score it before you use it."
        return
    yield (
        f"In brackets: {INTERVAL}. What another training would change is not in it, and with few documents of a "
        "label it is too narrow."
    )
    if "dev" in splits and facts.training["best_step"] is not None:
        yield "The weights were chosen on dev, so its scores flatter a little."
    yield f"{DASH} is for a number that is not defined: nothing was found, or the split has no gold of that label."
    if "test" in facts.task.splits and "test" not in splits:
        yield "When this card was written, test had not been scored: `electra-ie evaluate` does."
    for split in splits:
        for field in facts.task.fields:
            if field.name in facts.scores[split]:
                yield ""
                yield from _field_scores(field, split, facts.scores[split][field.name])


def _field_scores(field: Field, split: str, score: Mapping[str, Any]) -> Iterator[str]:
    main, ends = MAIN[field.kind], score["intervals"]
    strict = ", strict: same label, same first and last character" if field.kind == "spans" else ""
    yield (
        f"**{field.name}, {split}: {_number(score[main])}{_between(ends[main])}** ({NAMES[main]}{strict}) "
        f"on {score['documents']:,} documents, gold {score['support']:,}, found {score['found']:,}, "
        f"false {score['false']:,}."
    )
    yield ""
    yield "| label | gold | found | false | precision | recall | F1 |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for label, each in score["labels"].items():
        counts = " | ".join(f"{each[name]:,}" for name in COUNTS)
        numbers = " | ".join(_number(each[name]) for name in ("precision", "recall", "f1"))
        yield f"| {_plain(label)} | {counts} | {numbers}{_between(ends['labels'][label])} |"


def _compared(facts: RunSummary) -> Iterator[str]:
    yield "## Compared with plain training"
    yield ""
    found = facts.comparison
    if found is None:
        plain = "It is plain supervised training itself" if not facts.settings.has_generator else "It was not compared"
        yield f"{plain}. To compare presets on the same labels and seeds: `electra-ie compare`."
        return
    seeds = len({run["seed"] for run in found["runs"]})
    yield " ".join([*found["notes"], found["verdict"]])
    yield f"({found['unit']} on {found['split']}, {seeds} seeds; intervals: Student's, 95 %, over the seeds.)"
    yield ""
    yield "| labels | preset | mean | deviation | difference |"
    yield "| ---: | --- | ---: | ---: | --- |"
    for budget in found["budgets"]:
        for preset, score in budget["presets"].items():
            gain, spread = budget["differences"].get(preset), score["deviation"]
            told = "" if gain is None else f"{gain['mean']:+.1f}"
            told += "" if gain is None or gain["low"] is None else f" ({gain['low']:.1f} to {gain['high']:.1f})"
            deviation = "" if spread is None else f"{spread:.1f}"
            yield f"| {budget['labels'] or 'all'} | {preset} | {score['mean']:.1f} | {deviation} | {told} |"


def _limits(facts: RunSummary) -> Iterator[str]:
    yield "## Intended use and limits"
    yield ""
    language = facts.data_card.language if facts.data_card and facts.data_card.language else "not recorded"
    yield "To find in texts what the table of fields names, for people who check what was found."
    yield f"Language of the texts: {language}."
    yield ""
    yield "| question | answer |"
    yield "| --- | --- |"
    told = {"model": facts.audit["model"][:SHOWN], "examples": ""}
    if facts.settings.include_examples:
        told["examples"] = ", but for the examples below"
    yield from (f"| {question} | {answer.format(**told)} |" for question, answer in LIMITS.items())
    yield ""
    yield from _not_expressed(facts)


def _not_expressed(facts: RunSummary) -> Iterator[str]:
    """What the scheme of the labels has no way to say."""
    spans = [field for field in facts.task.fields if field.kind == "spans"]
    if not spans:
        return
    lost = facts.training["not_expressed"]
    unit = "words" if facts.folders[facts.task.fields.index(spans[0])].whole_words else "tokens"
    yield (
        "What it cannot say: spans are BIO tags. Two spans of one field that overlap cannot both be found, nor one in "
        f"several pieces, and spans begin and end at the edges of {unit}."
    )
    if lost["overlapping"] or lost["inside"]:
        yield (
            f"Of the {lost['spans']:,} gold spans of train {lost['overlapping']:,} overlap a longer one and were not "
            f"learnt; {lost['inside']:,} begin or end inside one of its {unit}. Such spans count as missed when scored."
        )
    else:
        yield f"All of the {lost['spans']:,} gold spans of train can be said so."
    yield from _rules(facts, spans)


def _rules(facts: RunSummary, spans: Sequence[Field]) -> Iterator[str]:
    """Where the spans of each field end beside their tags."""
    for field in spans:
        edges = facts.folders[facts.task.fields.index(field)].edges
        line = "ends where its line ends" if edges.lines else "may go on in the next line"
        picture = "neither begins nor ends" if edges.pictures else "may begin or end"
        yield f"A span of `{field.name}` {line}, and {picture} with an emoji, arrow or bullet, as in the gold of train."


def _data(facts: RunSummary) -> Iterator[str]:
    yield "## Data"
    yield ""
    card, training = facts.data_card, facts.training
    if card:
        yield f"Data set `{facts.task.name}`. Licence: {card.license}. Source and revision: {card.source}."
        if card.hub_license:
            yield "The licence in the metadata is that of the data; the encoder has its own."
    elif training.get("dataset"):
        yield f"Data set `{training['dataset']}` on the hub: its page says what is known of origin and licence."
    else:
        yield "There is no data card: origin, licence and revision of the texts are not recorded here."
    yield ""
    budget = "all that train has" if facts.settings.label_budget is None else "a budget, drawn by the seed"
    pool = training["unlabelled"]
    known = training["labelled"]
    yield (
        f"Labelled: {known['documents']:,} documents in {known['windows']:,} windows, {budget}. "
        f"Unlabelled: {pool['documents']:,} documents in {pool['windows']:,} windows. In the labelled ones:"
    )
    yield ""
    for field in facts.task.fields:
        counts = training["labels"][field.name]
        told = [f"{_plain(label)} {count:,}" for label, count in sorted(counts.items(), key=lambda each: -each[1])]
        never = [_plain(label) for label in field.labels if label not in counts]
        unseen = f" **Never: {', '.join(never)}.**" if never else ""
        yield f"- `{field.name}`: {', '.join(told)}.{unseen}"
    yield from _overlap(facts.audit["overlap"])


def _overlap(overlap: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield f"Documents of one split that stand in another ({overlap['method']}):"
    yield ""
    yield "| of | in | documents | word for word | nearly |"
    yield "| --- | --- | ---: | ---: | ---: |"
    for pair in overlap["pairs"]:
        yield f"| {pair['of']} | {pair['in']} | {pair['documents']:,} | {pair['exact']:,} | {pair['near']:,} |"
    if overlap["capped"]:
        told = ", ".join(f"{overlap['compared_for_near'][name]:,} of {name}" for name in overlap["capped"])
        yield ""
        yield f"Near-duplicates were looked for among {told} only, evenly drawn."


def _examples(facts: RunSummary) -> Iterator[str]:
    """A few documents of dev, where train was told to show them."""
    if not facts.settings.include_examples or "dev" not in facts.task.splits:
        return
    yield "## Examples"
    yield ""
    try:
        documents = facts.task.read("dev")[:SHOWN_EXAMPLES]
    except UserError:
        yield "The data are not here any more."
        return
    yield "The first documents of dev, as `--include-examples` asked."
    for document in documents:
        yield ""
        yield "> " + _plain(document.text)


def _loading(facts: RunSummary) -> Iterator[str]:
    yield "## Loading in stock transformers"
    yield ""
    yield from loading(facts.folders, facts.settings.window or 0)


def _repeating(facts: RunSummary) -> Iterator[str]:
    audit, training = facts.audit, facts.training
    environment = audit["environment"]
    yield "## Repeating and checking it"
    yield ""
    shipped = facts.data_card is not None
    task = facts.task.name if shipped else "path/to/task.yaml"
    data = " --data path/to/data" if facts.data_card and not facts.data_card.shipped else ""
    versions = [f"{name}=={environment[name].partition('+')[0]}" for name in ("torch", "transformers")]
    yield "```"
    yield f"pip install electra_ie=={audit['code']['electra_ie']} {' '.join(versions)}"
    if facts.settings.encoder in EMBEDDED_NAMES:
        yield INSTALL
    yield f"electra-ie train {task}{data} --settings run.yaml --output again"
    yield "electra-ie verify .                    # is this folder what its audit.json says?"
    yield "sha256sum again/*/model.safetensors    # as below, on the same kind of machine (CPU)"
    yield "```"
    yield ""
    seconds = training["seconds"] + training["seconds_scoring"]
    revision = f", revision `{audit['revision']}`" if audit["revision"] else ""
    yield (
        f"Trained in {seconds:,.0f} s on {environment['device']} (processes: {training['processes']}, threads: "
        f"{training['threads']}); {environment['platform']}, Python {environment['python']}{revision}."
    )
    yield ""
    yield "| weights | SHA-256 |"
    yield "| --- | --- |"
    for name, value in audit["weights"].items():
        if name.endswith(WEIGHTS):
            yield f"| `{name}` | `{value}` |"


def _plain(text: str) -> str:
    """One line that can neither be markup nor end the cell of a table."""
    return " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")


def _number(value: float | None) -> str:
    return DASH if value is None else f"{value:.3f}"


def _between(ends: Sequence[float] | None) -> str:
    return "" if ends is None else f" ({ends[0]:.3f} to {ends[1]:.3f})"
