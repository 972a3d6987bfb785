"""What scores.json of a run says under `training`: the facts that its training writes, and that cards and others read.

A key is absent as its line says. One without such a line is absent only in a run of a version that did not write it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from electra_ie.data.fields import RELATIONS


class Texts(TypedDict):
    """Numbers of texts of one kind."""

    documents: int
    windows: int


class Collapse(TypedDict):
    """The end of a training that collapsed."""

    step: int
    """The step at which it collapsed."""
    what: str
    """The reason, such as a loss that is not finite."""
    kept: int
    """The step of the weights that the run has; 0: those of the teacher."""


class AdaptationFacts(TypedDict):
    """The adaptation of the encoder to the text of the task; audit.json has it too."""

    hash: str
    """The hash of everything that decides the weights of the adapted encoder."""
    documents: int
    """The texts."""
    tokens: int
    """The tokens in them."""
    steps: int
    """The optimizer steps; 0 if there is too little text, and the encoder is used as it is."""


class TeacherFacts(TypedDict, total=False):
    """What is known of the teacher of a run."""

    dev: Mapping[str, float | None]
    """Its main scores on dev by field, and their `mean`; absent without dev."""
    collapsed: Collapse
    """How its training collapsed; absent if it did not."""


class DistillationFacts(TypedDict, total=False):
    """The distillation of a run; audit.json and corpus.json have it too."""

    name: str
    """What the student is: `3-layers`, `1-layer` or `static`."""
    teacher: str
    """The hash of the model of the run that taught it."""
    preset: str
    """The preset of that run."""
    layers: Sequence[int]
    """The layers of its encoder that are kept, counted from 0; absent if the student is static."""
    of: int
    """The number of layers of its encoder; absent if the student is static."""
    vectors: str
    """Where the token vectors come from, `run` or `fasttext`; absent unless the student is static."""
    run: str
    """The name of that run, without a path."""
    settings: Mapping[str, Any]
    """The settings that were given, by name."""
    unlabeled: Sequence[str]
    """The names of the unlabeled texts that were given, without paths."""


class SecondStageFacts(TypedDict, total=False):
    """How the model of one field of relations or attributes was trained, after the other fields."""

    pairs: int
    """The labeled pairs of spans that it was trained on; absent for attributes."""
    related: int
    """Those of them that are related; absent for attributes."""
    unlabeled_pairs: int
    """The pairs without a label; absent for attributes."""
    spans: int
    """The labeled spans that it was trained on; absent for relations."""
    labels: Mapping[str, int]
    """Their number by label; absent for relations."""
    unlabeled_spans: int
    """The spans without a label; absent for relations."""
    not_expressed: Mapping[str, int]
    """The gold of train that it was not trained on, by reason; empty if there is none."""
    steps: int
    """As in `TrainingFacts`, like the next three."""
    best_step: int | None
    seconds: float
    seconds_scoring: float
    collapsed: Collapse
    """As in `TrainingFacts`, also when it is absent, like the next one."""
    constant_answers: Sequence[str]
    rules: Mapping[str, Any]
    """Which pairs or spans it considers, as the rules of the kind write themselves."""


class TrainingFacts(TypedDict, total=False):
    """The content of `training` in scores.json."""

    labeled: Texts
    """The labeled documents, and their windows."""
    label_texts: int
    """The texts about labels that were trained on: their descriptions, or names."""
    unlabeled: Texts
    """The unlabeled documents that were read, and their windows."""
    labels: Mapping[str, Mapping[str, int]]
    """The counts of labels in train, by field."""
    not_expressed: Mapping[str, int]
    """Counts of gold spans of train: all, and those that tags cannot express (see `TrainingData.not_expressed`)."""
    base_model: str | None
    """The name of the encoder on the Hub; None for a local folder."""
    adaptation: AdaptationFacts
    """Absent unless the encoder was to be adapted."""
    distillation: DistillationFacts
    """Absent unless the run was distilled from another one."""
    dataset: str | None
    """The name of the data set on the Hub; None if it is not from there."""
    steps: int
    """The steps of the training: those that were planned, or fewer if a callback ended it."""
    best_step: int | None
    """The step of the weights, if they were chosen: on dev, or as `TEACHER_STEP` those of the teacher; else None."""
    collapsed: Collapse
    """Absent unless the training collapsed."""
    constant_answers: Sequence[str]
    """The fields that get the same answer in every text though their gold differs; absent if there are none."""
    calibration: Mapping[str, Mapping[str, Any]]
    """The calibration of the scores on dev, by field (see `calibration.fitting.Fit.summary`)."""
    teacher: TeacherFacts
    """Absent unless the preset has a teacher."""
    co_training: Sequence[str]
    """The fields for which co-training was used; absent unless the settings have it, and the preset a teacher."""
    seconds: float
    """The seconds of the training and of that of its teacher, without scoring on dev."""
    seconds_scoring: float
    """The seconds of scoring on dev in both."""
    processes: int
    """The processes that trained."""
    threads: int
    """The threads of torch in one process."""
    relations: dict[str, SecondStageFacts]
    """The fields of relations; absent without them, and until the first of them is trained."""
    attributes: dict[str, SecondStageFacts]
    """The fields of attributes; absent without them, and until the first of them is trained."""


def second_stage_facts(facts: TrainingFacts, kind: str) -> Mapping[str, SecondStageFacts]:
    """Return how the fields of a kind, relations or attributes, were trained so far, by name."""
    return facts.get("relations", {}) if kind == RELATIONS else facts.get("attributes", {})
