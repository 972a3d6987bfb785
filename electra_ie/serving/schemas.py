"""What requests and answers contain, for checks and for the schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from electra_ie.web.errors import ErrorBody, Unicode


class Sent(BaseModel):
    """A part of a request: a key that is not in the schema is an error, since it is probably misspelled."""

    model_config = ConfigDict(extra="forbid")


class SentDocument(Sent):
    """A text to extract from."""

    text: Annotated[Unicode, Field(description="The text. Offsets of findings count its Unicode code points.")]
    id: Annotated[Unicode, Field(description="Its id, which the answer repeats.", max_length=1000)] = ""


class SentDocuments(Sent):
    """Several texts to extract from."""

    documents: Annotated[list[SentDocument], Field(min_length=1, description="The texts.")]


class FoundAttribute(BaseModel):
    """An attribute of a span."""

    label: str
    score: float = Field(description="The probability of the label, given that the span is right.")


class FoundFinding(BaseModel):
    """A finding."""

    field: str
    label: str
    start: int = Field(description="Its first code point.")
    end: int = Field(description="The code point after its last.")
    text: str | None = Field(None, description="The passage; only for spans.")
    window: int | None = Field(None, description="The number of the window, for classes and flags only, from 1.")
    score: float
    attributes: dict[str, FoundAttribute] | None = Field(
        None, description="By field of attributes; only for spans, and if the model finds attributes."
    )
    fragments: list[tuple[int, int]] | None = Field(
        None, description="The first code point and the one after the last of each fragment, if the span has several."
    )
    decision: Literal["accepted", "review", "dropped"] | None = Field(
        None, description="By the thresholds of its label; only if `decisions` is asked for."
    )


class FoundSpan(BaseModel):
    """The head or the tail of a relation."""

    field: str
    label: str
    start: int
    end: int
    text: str
    score: float
    fragments: list[tuple[int, int]] | None = None


class FoundRelation(BaseModel):
    """A relation between two spans."""

    field: str
    label: str
    head: FoundSpan
    tail: FoundSpan
    score: float


class Result(BaseModel):
    """What is found in a text: the line that `electra-ie extract` writes."""

    id: str
    file: str = Field(description="Always empty.")
    characters: int
    windows: int
    model: str | None = Field(description="The first digits of the hash of the model's files.")
    version: str
    findings: list[FoundFinding]
    relations: list[FoundRelation] = Field([], description="Only if the model finds relations.")
    records: list[dict[str, Any]] = Field([], description="Only if `records` is asked for.")


class Failure(BaseModel):
    """The answer for one of several texts that has failed alone."""

    id: str
    error: ErrorBody


class Results(BaseModel):
    """What is found in several texts, in their order."""

    results: list[Result | Failure]


class Alive(BaseModel):
    """The server answers."""

    status: Literal["alive"] = "alive"


class Ready(BaseModel):
    """Whether texts are read.

    `replaced`: they are, by the model that was loaded, but the files of the run are now those of another model, or
    gone. Start the server again to use them.
    """

    status: Literal["ready", "replaced"]
    model: str | None
    files: str | None = Field(
        description='The model that the files are now; "calibration" if only that has changed; "missing"; else null.'
    )
    waiting: int = Field(description="Documents in the queue.")


class ServedField(BaseModel):
    """A field of the task."""

    name: str
    kind: str = Field(description="classes, flags, spans, relations or attributes.")
    labels: list[str]
    descriptions: dict[str, str] = Field(description="What labels mean, where the task says it.")


class Threshold(BaseModel):
    """The thresholds of a label, from a goal of `calibrate`: a finding is accepted, dropped, or for review."""

    field: str
    label: str
    accept: float | None = Field(description="Findings with at least this score are accepted.")
    keep: float | None = Field(description="Other findings with a score below this are dropped.")


class Info(BaseModel):
    """The model, its task and the limits of requests."""

    run: str = Field(description="The name of the run, without its folder.")
    task: str
    description: str
    fields: list[ServedField]
    thresholds: list[Threshold]
    has_records: bool
    model: str | None
    version: str
    max_characters: int
    max_documents: int
    timeout: float
