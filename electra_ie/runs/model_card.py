"""The model card of a run, generated from the files of the run. It contains no document text unless requested."""

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
from electra_ie.models.encoders import INSTALL_COMMANDS
from electra_ie.runs.layout import AUDIT, COMPARED, COMPARISON, SCORES, SETTINGS, load_task
from electra_ie.runs.model_card_metadata import SCORED, front_matter, model_metadata
from electra_ie.runs.provenance import read_audit
from electra_ie.runs.usage_snippets import StockFolder, loading

SHOWN_EXAMPLES = 3
DASH = "–"
"""Shown for an undefined value."""
MADE_BY = {
    "person": "by a person",
    "model": "predicted by a model and accepted by a person",
    "corrected": "predicted by a model and corrected by a person",
}
"""Descriptions of the origins of labels."""

LIMITS = {
    "Who decides?": "A person who reads the passage. A finding points to characters of a text so that it can be "
    "checked there. It is not a decision.",
    "What must the model not decide alone?": "Anything that affects a person or an account: refusing or closing an "
    "account, a payment, a credit or a claim; reporting a person; choosing or withholding a treatment; a diagnosis.",
    "Does no finding mean that there is nothing?": "No. The recall above is the share of gold labels found on that "
    "split. On other texts it may be lower.",
    "Which texts is it for?": "Texts like those it was trained on. For another language, source, form or period, label "
    "a hundred texts and score the model on them first (`electra-ie evaluate`).",
    "What if the texts change?": "Scores drop without notice. Score newly labeled texts at regular intervals, and "
    "train again when the scores fall below your threshold.",
    "Is a score of 0.9 right nine times in ten?": "Not measured. Scores are the model's own probabilities and are not "
    "calibrated. They rank findings; choose a threshold on labeled texts of your own.",
    "Is it fair to groups of people?": "Not measured. Names, places and spellings that are rare in the training data "
    "are found less reliably; score them separately where this matters.",
    "Does it contain personal data?": "This card, the configs and the tokenizers contain no text of the "
    "corpus{examples}. Weights can retain traces of training data: protect them as you protect the texts. `run.yaml` "
    "and `task.yaml` contain paths; `audit.json` contains paths and some document ids.",
    "Where did a value come from?": "Every output line of `electra-ie extract` contains the hash of the model "
    "(`{model}`) and the package version. `audit.json` links that hash to data, settings and code; `electra-ie verify` "
    "checks it.",
}
"""Questions on intended use and limits, such as a bank or a hospital asks before use, with their answers."""


@dataclass(frozen=True)
class RunSummary:
    """The contents of a run's files."""

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
        """Read the files of a finished run. scores: used in place of those in scores.json."""
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
        """The facts about the training in scores.json."""
        facts: Mapping[str, Any] = self.scores["training"]
        return facts


def model_card(run: Path, scores: Mapping[str, Any] | None = None) -> str:
    """Return the card as Markdown with the Hub's metadata.

    It is generated from the folder of a finished run: settings, scores, audit, and the comparison that the run won.

    scores: used in place of those in scores.json.
    """
    facts = RunSummary.read(run, scores)
    parts = (_what, _distillation, _fields, _scores, _compared, _limits, _data, _examples, _loading, _repeating)
    sections = ("\n".join(part(facts)) for part in parts)
    front = front_matter(facts.task, facts.settings, facts.scores, facts.data_card)
    return front + "\n\n".join(section for section in sections if section) + "\n"


def models_card(fields: Sequence[Field], repository: str) -> str:
    """Return the card of models that are pushed without a run: fields, labels and use, with the Hub's metadata."""
    lines = ["# Information extractor", "", "| field | kind | labels |", "| --- | --- | --- |"]
    lines += [f"| {field.name} | {field.kind} | {_plain(', '.join(field.labels))} |" for field in fields]
    lines += ["", "Trained with electra_ie. The training data and the scores are not recorded here.", ""]
    lines += ["```python", "import electra_ie", ""]
    lines += [f'extractor = electra_ie.Extractor.from_pretrained("{repository}")', 'findings = extractor("...")', "```"]
    return "\n".join([model_metadata(fields), *lines]) + "\n"


def update_model_card(run: Path, previous: Mapping[str, Any]) -> None:
    """Write the card again after new scores. previous: the scores from which the current card was generated.

    A card that differs from the generated one, such as an edited card, is kept, with a warning. Does nothing without
    an audit or a card.

    Raises UserError if files of the run do not have the content that training writes.
    """
    card = run / CARD
    if not (run / AUDIT).is_file() or not card.is_file():
        return
    try:
        old, new = model_card(run, previous), model_card(run)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        message = f"the card cannot be generated from {SCORES} and {AUDIT}."
        remedy = "The scores are saved. Restore the other files, then run electra-ie evaluate again."
        raise UserError(message, file=run, remedy=remedy) from error
    if card.read_text("utf-8", "replace") == old:
        write(card, new)
    else:
        warn(f"{card}: kept, because it has been edited. The new scores are only in {SCORES}.")


def _comparison(run: Path) -> Mapping[str, Any] | None:
    """Return the content of compare.json if the run won a comparison."""
    file = run / COMPARISON / COMPARED
    return parse(file.read_bytes(), file) if file.is_file() else None


def _what(facts: RunSummary) -> Iterator[str]:
    """Yield the lines on what the model is and how its weights were obtained."""
    settings, training = facts.settings, facts.training
    yield f"# {_plain(facts.task.name)}, {_made_by(facts)}"
    yield ""
    if facts.task.description:
        yield _plain(facts.task.description)
        yield ""
    skipped = _skipped_self_training(facts)
    choice = ""
    if training["best_step"]:
        choice = f" (with the weights of step {training['best_step']}, the best on dev)"
    elif training["best_step"] == 0 and not skipped:
        choice = " (with the weights of the teacher, from before self-training)"
    yield (
        f"Trained by electra_ie {facts.audit['code']['electra_ie']} on the encoder {_encoder(facts)} with "
        f"{training['labeled']['documents']:,} labeled and {training['unlabeled']['documents']:,} unlabeled "
        f"documents, seed {settings.seed}, {training['steps']:,} steps{choice}. Model `{facts.audit['model'][:SHOWN]}`."
    )
    yield from _adaptation(facts)
    if skipped:
        yield (
            "There were no unlabeled documents, so self-training was skipped. These are the weights of the "
            "teacher, the supervised run with the same seed."
        )
    elif settings.has_teacher and "distillation" not in training:
        yield _teacher(facts)
    if collapse := training.get("collapsed"):
        kept = f"the weights of step {collapse['kept']}" if collapse["kept"] else "the teacher's weights"
        yield f"Training collapsed at step {collapse['step']} ({collapse['what']}) and ended there, with {kept}."
    if constant := [f"`{_plain(name)}`" for name in training.get("constant_answers", ())]:
        documents = "of dev" if "dev" in facts.scores else "that was checked"
        yield (
            f"Do not rely on its predictions for {' and '.join(constant)}: they are the same for every document "
            f"{documents}."
        )


def _skipped_self_training(facts: RunSummary) -> bool:
    """Return whether a run of self-training had no unlabeled text, so that it has the weights of its teacher."""
    no_text = not facts.training["unlabeled"]["windows"]
    return facts.settings.has_teacher and no_text and "distillation" not in facts.training


def _made_by(facts: RunSummary) -> str:
    """Return how the weights were made, for the title: the preset, or what a run was distilled to."""
    distillation = facts.training.get("distillation")
    return f"distilled to {distillation['name'].replace('-', ' ')}" if distillation else facts.settings.preset


def _distillation(facts: RunSummary) -> Iterator[str]:
    """Yield the section on the run that a student was distilled from."""
    distillation = facts.training.get("distillation")
    if not distillation:
        return
    teacher = facts.training.get("teacher", {}).get("dev")
    scores = f", which scores {teacher['mean']:.3f} on dev" if teacher and teacher["mean"] is not None else ""
    yield "## Distillation"
    yield ""
    yield (
        f"This model is smaller and faster than the run that taught it: model `{distillation['teacher'][:SHOWN]}` "
        f"(preset {distillation['preset']}){scores}."
    )
    if "layers" in distillation:
        kept = ", ".join(str(index + 1) for index in distillation["layers"])
        yield (
            f"It began with the layers {kept} of the {distillation['of']} layers of that run's encoder and with its "
            "heads."
        )
    else:
        made = {
            "run": "the mean states of the tokens in that run's encoder",
            "fasttext": "trained on the text by FastText",
        }
        yield (
            f"It has no attention: one vector for each token ({made[distillation['vectors']]}), and layers over a few "
            "neighboring tokens."
        )
    yield (
        "It was trained on the labels, and on the probabilities that the run gives for the labeled and the unlabeled "
        "texts (temperature 1). The thresholds of flags are its own."
    )


def _teacher(facts: RunSummary) -> str:
    """Return the sentences on the teacher of a run."""
    settings, teacher = facts.settings, facts.training["teacher"]
    supervised, previous_round = "the supervised run with the same seed", settings.self_training_rounds - 1
    name = f"the model of self-training round {previous_round}" if previous_round else supervised
    selected = "selected by a generator" if settings.has_generator else "selected at random"
    share = settings.mask_ratio
    masked = f" with {100 * share:g} % of the tokens masked ({selected})" if share else ""
    sentences = (
        f"On unlabeled documents{masked}, the model was trained to reproduce the predictions of a teacher for the "
        f"complete texts. The teacher is {name}"
    )
    if scores := teacher.get("dev"):
        sentences += f", which scores {scores['mean']:.3f} on dev"
    if collapse := teacher.get("collapsed"):
        sentences += f", and whose training collapsed at step {collapse['step']}"
    sentences += "."
    if previous_round:
        sentences += f" The teacher of round 1 was {supervised}."
    return sentences + _distribution_alignment(facts) + _co_training(facts)


def _distribution_alignment(facts: RunSummary) -> str:
    names = {
        kind: " and ".join(f"`{_plain(field.name)}`" for field in facts.task.fields if field.kind == kind)
        for kind in ("flags", "spans")
    }
    sentences = ""
    if names["flags"]:
        sentences += (
            f" Before that, the teacher's predictions for {names['flags']} were shifted so that the mean probability "
            "of each flag equals its share among the labels (distribution alignment)."
        )
    if names["spans"]:
        sentences += (
            f" Labels of {names['spans']} that the teacher predicted less often than the labeled texts have them were "
            "raised toward their share, where the difference was more than two standard errors."
        )
    return sentences


def _co_training(facts: RunSummary) -> str:
    sentences = ""
    if names := _co_trained(facts, "classes"):
        sentences += (
            f" The targets for {names} are the geometric mean of the teacher's predictions and those of logistic "
            "regression on features of the encoder before training (co-training)."
        )
    if names := _co_trained(facts, "flags"):
        sentences += (
            f" The targets for {names} combine the teacher's predictions with those of logistic regression on words, "
            "and on single sentences as the encoder reads them before training (co-training)."
        )
    if names := _co_trained(facts, "spans"):
        sentences += (
            f" The targets for {names} combine the teacher's predictions with those of logistic regression on the "
            "spelling of words and their neighbors (co-training)."
        )
    return sentences


def _co_trained(facts: RunSummary, kind: str) -> str:
    """Return the names of the fields of a kind for which co-training was used."""
    used = facts.training.get("co_training", ())
    names = [f"`{_plain(field.name)}`" for field in facts.task.fields if field.kind == kind and field.name in used]
    return " and ".join(names)


def _encoder(facts: RunSummary) -> str:
    """Return name, revision and adaptation of the encoder; of a local folder only the name, since a path is private."""
    name, revision = facts.training["base_model"], facts.settings.encoder.partition("@")[2]
    parts = [f"`{name or Path(facts.settings.encoder).name}`"]
    if name and revision:
        parts.append(f"revision `{revision}`")
    if facts.training.get("adaptation", {}).get("steps"):
        parts.append("adapted to the task's text")
    return parts[0] if len(parts) == 1 else ", ".join(parts) + ","


def _adaptation(facts: RunSummary) -> Iterator[str]:
    """Yield the sentence on the adaptation of the encoder, if it was asked for."""
    adaptation = facts.training.get("adaptation")
    if not adaptation:
        return
    text = f"{adaptation['documents']:,} texts of train and without labels ({adaptation['tokens']:,} tokens)"
    if adaptation["steps"]:
        yield (
            f"The encoder was adapted by masked language modeling to {text} in {adaptation['steps']:,} steps, before "
            f"any label was used. Adaptation `{adaptation['hash'][:SHOWN]}`."
        )
    else:
        yield f"The encoder was not adapted to the task's text: {text} are too little."


def _fields(facts: RunSummary) -> Iterator[str]:
    yield "| field | kind | labels |"
    yield "| --- | --- | --- |"
    kinds = {"classes": "one of", "flags": "any of, or none", "spans": "spans of text"}
    for field in facts.task.fields:
        yield f"| {field.name} | {field.kind}: {kinds[field.kind]} | {', '.join(map(_plain, field.labels))} |"
    if facts.task.descriptions:
        yield ""
        yield "| field | label | meaning |"
        yield "| --- | --- | --- |"
        for name, texts in facts.task.descriptions.items():
            yield from (f"| {name} | {_plain(label)} | {_plain(text)} |" for label, text in texts.items())


def _scores(facts: RunSummary) -> Iterator[str]:
    yield "## Scores"
    yield ""
    splits = [split for split in SCORED if split in facts.scores]
    if not splits:
        yield "There was no dev split, so no scores are known. Score the model before use: `electra-ie evaluate`."
        return
    yield (
        f"In brackets: {INTERVAL}. The intervals do not cover variation between training runs, and are too narrow for "
        "labels with few documents."
    )
    if "dev" in splits and facts.training["best_step"] is not None:
        yield "The weights were chosen on dev, so scores on dev are slightly too high."
    yield f"{DASH} marks an undefined value: nothing was found, or the split has no gold of that label."
    if "test" in facts.task.splits and "test" not in splits:
        yield "When this card was written, test had not been scored. To score it: `electra-ie evaluate`."
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
    for label, values in score["labels"].items():
        counts = " | ".join(f"{values[name]:,}" for name in COUNTS)
        ratios = " | ".join(_number(values[name]) for name in ("precision", "recall", "f1"))
        yield f"| {_plain(label)} | {counts} | {ratios}{_between(ends['labels'][label])} |"


def _compared(facts: RunSummary) -> Iterator[str]:
    yield "## Comparison with supervised training"
    yield ""
    comparison = facts.comparison
    if comparison is None:
        reason = (
            "Not applicable: this is a supervised run" if not facts.settings.reads_unlabeled else "It was not compared"
        )
        yield f"{reason}. To compare presets on the same labels and seeds: `electra-ie compare`."
        return
    seeds = len({run["seed"] for run in comparison["runs"]})
    yield " ".join([*comparison["notes"], f"Result: {comparison['verdict']}"])
    yield f"({comparison['unit']} on {comparison['split']}, {seeds} seeds; 95 % Student's t intervals over the seeds.)"
    yield ""
    yield "| labels | preset | mean | standard deviation | difference |"
    yield "| ---: | --- | ---: | ---: | --- |"
    for budget in comparison["budgets"]:
        for preset, score in budget["presets"].items():
            gain, spread = budget["differences"].get(preset), score["deviation"]
            difference = "" if gain is None else f"{gain['mean']:+.1f}"
            if gain is not None and gain["low"] is not None:
                difference += f" ({gain['low']:.1f} to {gain['high']:.1f})"
            deviation = "" if spread is None else f"{spread:.1f}"
            yield f"| {budget['labels'] or 'all'} | {preset} | {score['mean']:.1f} | {deviation} | {difference} |"


def _limits(facts: RunSummary) -> Iterator[str]:
    yield "## Intended use and limits"
    yield ""
    language = facts.data_card.language if facts.data_card and facts.data_card.language else "not recorded"
    yield "Extraction of the fields in the table above from texts, for people who check the findings."
    yield f"Language of the texts: {language}."
    yield ""
    yield "| question | answer |"
    yield "| --- | --- |"
    examples = ", except the examples below" if facts.settings.include_examples else ""
    values = {"model": facts.audit["model"][:SHOWN], "examples": examples}
    yield from (f"| {question} | {answer.format(**values)} |" for question, answer in LIMITS.items())
    yield ""
    yield from _label_scheme_limits(facts)


def _label_scheme_limits(facts: RunSummary) -> Iterator[str]:
    """Yield which spans the BIO scheme cannot express, and how many gold spans that concerns."""
    spans = [field for field in facts.task.fields if field.kind == "spans"]
    if not spans:
        return
    lost = facts.training["not_expressed"]
    unit = "words" if facts.folders[facts.task.fields.index(spans[0])].whole_words else "tokens"
    yield (
        "Limits of the label scheme: spans are predicted as BIO tags. Two spans of one field that overlap cannot both "
        f"be found, nor can a span of several pieces, and spans begin and end at the edges of {unit}."
    )
    if lost["overlapping"] or lost["inside"]:
        yield (
            f"Of the {lost['spans']:,} gold spans of train, {lost['overlapping']:,} overlap a longer one and were not "
            f"used in training; {lost['inside']:,} begin or end inside one of its {unit}. They are scored as missed."
        )
    else:
        yield f"All of the {lost['spans']:,} gold spans of train can be expressed."
    yield from _boundary_rules(facts, spans)


def _boundary_rules(facts: RunSummary, spans: Sequence[Field]) -> Iterator[str]:
    """Yield the rules applied to the boundaries of decoded spans, by field."""
    for field in spans:
        edges = facts.folders[facts.task.fields.index(field)].edges
        line = "ends at the end of its line" if edges.lines else "may continue on the next line"
        symbol = "neither begins nor ends" if edges.pictures else "may begin or end"
        yield f"A span of `{field.name}` {line}, and {symbol} with an emoji, arrow or bullet, as in the gold of train."


def _data(facts: RunSummary) -> Iterator[str]:
    yield "## Data"
    yield ""
    card, training = facts.data_card, facts.training
    if card:
        yield f"Data set `{facts.task.name}`. License: {card.license}. Source and revision: {card.source}."
        if card.hub_license:
            yield "The license in the metadata is that of the data; the encoder has its own."
    elif training.get("dataset"):
        yield f"Data set `{training['dataset']}` on the Hub. See its page for origin and license."
    else:
        yield "There is no data card: origin, license and revision of the texts are not recorded."
    yield ""
    draw = f"a label budget, {facts.settings.label_draw} draw by the seed"
    budget = "all of train" if facts.settings.label_budget is None else draw
    unlabeled, labeled = training["unlabeled"], training["labeled"]
    texts = training["label_texts"]
    about_labels = f", and {texts:,} texts about labels, their descriptions or names" if texts else ""
    yield (
        f"Labeled: {labeled['documents']:,} documents in {labeled['windows']:,} windows ({budget}){about_labels}. "
        f"Unlabeled: {unlabeled['documents']:,} documents in {unlabeled['windows']:,} windows. Label counts:"
    )
    yield ""
    for field in facts.task.fields:
        counts = training["labels"][field.name]
        by_count = sorted(counts.items(), key=lambda item: -item[1])
        seen = ", ".join(f"{_plain(label)} {count:,}" for label, count in by_count)
        absent = [_plain(label) for label in field.labels if label not in counts]
        unseen = f" **Never: {', '.join(absent)}.**" if absent else ""
        yield f"- `{field.name}`: {seen}.{unseen}"
    yield from _origins(facts)
    yield from _hints(facts)
    yield from _overlap(facts.audit["overlap"])


def _origins(facts: RunSummary) -> Iterator[str]:
    """Yield who made the labels of each labeled split, where the files say it."""
    for split, counts in facts.audit.get("label_origins", {}).items():
        listed = ", ".join(f"{count:,} {MADE_BY[name]}" for name, count in counts.items())
        yield ""
        yield f"Labels of {split}, of spans and of texts, by origin: {listed}."


def _hints(facts: RunSummary) -> Iterator[str]:
    """Yield the hints with their sizes and hashes. Terms may be private and are not shown."""
    hints = facts.audit.get("hints", {})
    if hints:
        yield ""
        yield "Hints, which are weak evidence for a label (size, SHA-256 of the content):"
        yield ""
    for name, recorded in hints.items():
        value, _, size = recorded.partition(" ")
        yield f"- {_plain(name)} {size}: `{value[:SHOWN]}`"


def _overlap(overlap: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield f"Documents of one split that also occur in another ({overlap['method']}):"
    yield ""
    yield "| of | in | documents | exact | near-duplicate |"
    yield "| --- | --- | ---: | ---: | ---: |"
    for pair in overlap["pairs"]:
        yield f"| {pair['of']} | {pair['in']} | {pair['documents']:,} | {pair['exact']:,} | {pair['near']:,} |"
    if overlap["capped"]:
        samples = ", ".join(f"{overlap['compared_for_near'][name]:,} of {name}" for name in overlap["capped"])
        yield ""
        yield f"Near-duplicates were searched only in a uniform sample: {samples}."


def _examples(facts: RunSummary) -> Iterator[str]:
    """Yield the first documents of dev, if `include_examples` is set."""
    if not facts.settings.include_examples or "dev" not in facts.task.splits:
        return
    yield "## Examples"
    yield ""
    try:
        documents = facts.task.read("dev")[:SHOWN_EXAMPLES]
    except UserError:
        yield "The data are no longer available."
        return
    yield "The first documents of dev, shown because `--include-examples` was set."
    for document in documents:
        yield ""
        yield "> " + _plain(document.text)


def _loading(facts: RunSummary) -> Iterator[str]:
    yield "## Loading with transformers only"
    yield ""
    yield from loading(facts.folders, facts.settings.window or 0)


def _repeating(facts: RunSummary) -> Iterator[str]:
    audit, training = facts.audit, facts.training
    environment = audit["environment"]
    yield "## Reproduction and verification"
    yield ""
    shipped = facts.data_card is not None
    task = facts.task.name if shipped else "path/to/task.yaml"
    data = " --data path/to/data" if facts.data_card and not facts.data_card.shipped else ""
    versions = [f"{name}=={environment[name].partition('+')[0]}" for name in ("torch", "transformers")]
    yield "```"
    yield f"pip install electra_ie=={audit['code']['electra_ie']} {' '.join(versions)}"
    if command := INSTALL_COMMANDS.get(facts.settings.encoder):
        yield command
    if distillation := training.get("distillation"):
        form = f"--layers {len(distillation['layers'])}" if "layers" in distillation else "--to static"
        form += " --vectors fasttext" if distillation.get("vectors") == "fasttext" else ""
        yield f"# TEACHER: the run with the model {distillation['teacher'][:SHOWN]}; run.yaml has paths and settings"
        yield f"electra-ie distill TEACHER {form}{data} --output again"
    else:
        yield f"electra-ie train {task}{data} --settings run.yaml --output again"
    yield "electra-ie verify .                    # compares this folder with its audit.json"
    yield "sha256sum again/*/model.safetensors    # as below, on the same kind of CPU"
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
    """Return a text on one line, escaped so that it is neither markup nor the end of a table cell."""
    return " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")


def _number(value: float | None) -> str:
    return DASH if value is None else f"{value:.3f}"


def _between(ends: Sequence[float] | None) -> str:
    return "" if ends is None else f" ({ends[0]:.3f} to {ends[1]:.3f})"
