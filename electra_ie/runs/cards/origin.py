"""The first section of a card: what the model is, and how its weights were obtained."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from electra_ie.common.hashing import SHOWN
from electra_ie.runs.cards.facts import RunSummary
from electra_ie.runs.cards.markdown import plain
from electra_ie.runs.layout import TEACHER_STEP


def origin_lines(facts: RunSummary) -> Iterator[str]:
    """Yield the lines on what the model is and how its weights were obtained."""
    yield f"# {plain(facts.task.name)}, {made_by(facts)}"
    yield ""
    if facts.task.description:
        yield plain(facts.task.description)
        yield ""
    yield from training_lines(facts)


def training_lines(facts: RunSummary) -> Iterator[str]:
    """Yield the lines on the encoder, the training, and what went wrong in it."""
    settings, training = facts.settings, facts.training
    skipped = _skipped_self_training(facts)
    choice = ""
    if training["best_step"]:
        choice = f" (with the weights of step {training['best_step']}, the best on dev)"
    elif training["best_step"] == TEACHER_STEP and not skipped:
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
    if constant := [f"`{plain(name)}`" for name in training.get("constant_answers", ())]:
        documents = "of dev" if "dev" in facts.scores else "that was checked"
        yield (
            f"Do not rely on its predictions for {' and '.join(constant)}: they are the same for every document "
            f"{documents}."
        )


def _skipped_self_training(facts: RunSummary) -> bool:
    """Return whether a run of self-training had no unlabeled text, so that it has the weights of its teacher."""
    no_text = not facts.training["unlabeled"]["windows"]
    return facts.settings.has_teacher and no_text and "distillation" not in facts.training


def made_by(facts: RunSummary) -> str:
    """Return how the weights were made, for the title: the preset, or what a run was distilled to."""
    distillation = facts.training.get("distillation")
    return f"distilled to {distillation['name'].replace('-', ' ')}" if distillation else facts.settings.preset


def _teacher(facts: RunSummary) -> str:
    """Return the sentences on the teacher of a run."""
    settings, teacher = facts.settings, facts.training["teacher"]
    supervised, previous_round = "the supervised run with the same seed", settings.self_training_rounds - 1
    name = f"the model of self-training round {previous_round}" if previous_round else supervised
    selected = "selected by a generator" if settings.trains_generator else "selected at random"
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
        kind: " and ".join(f"`{plain(field.name)}`" for field in facts.task.fields if field.kind == kind)
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
    names = [f"`{plain(field.name)}`" for field in facts.task.fields if field.kind == kind and field.name in used]
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
