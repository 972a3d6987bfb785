"""Decoding: from the logits of a text's windows to answers and findings with exact offsets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from electra_ie.calibration.scales import Scale, sigmoid
from electra_ie.data.bio import inside_tags, to_spans, track_logits, viterbi
from electra_ie.data.document import Finding, Span
from electra_ie.data.fields import Field
from electra_ie.data.span_boundaries import BoundaryRules
from electra_ie.data.windowing import Window, window_starts
from electra_ie.inference.engine.evidence import span_evidence

FLAG_THRESHOLD = 0.5
"""A flag is found if its probability is above this."""
Range = tuple[int, int]
"""Start and end, in characters."""


def decode_spans(
    field: Field,
    text: str,
    windows: Sequence[Window],
    logits: Sequence[np.ndarray],
    edges: BoundaryRules,
    shift: int = 0,
    scale: Scale | None = None,
    evidence: list[np.ndarray] | None = None,
) -> list[Finding]:
    """Decode spans over the tokens of all windows, so that no window boundary cuts a span.

    Each sequence of tags is decoded by itself. What two levels of a label find equally is one finding, of the first.
    The score of a finding is its probability by the scale, or without one the mean probability of the tags of its
    tokens.

    Args:
        field: a field of spans.
        text: the text, or a section of it.
        windows: its windows.
        logits: for each window, the logits (T, K) of the tokens that it owns.
        edges: the boundary rules.
        shift: the place of the section in the text, which is added to the offsets of the findings.
        scale: the scale of the field, if its scores are calibrated.
        evidence: receives the evidence (N, 4) of the findings of each sequence of tags.
    """
    offsets = [offset for window in windows for offset in window.owned]
    visible = [index for index, (start, end) in enumerate(offsets) if start < end]  # some tokens have no characters
    offsets = [offsets[index] for index in visible]
    breaks, starts = edges.breaks(text, offsets), window_starts(windows, visible=True) if field.fragments else []
    findings: list[Finding] = []
    known: set[Span] = set()
    for track, scores in track_logits(field, np.concatenate(logits)[visible]):
        tags = viterbi(track, scores, breaks, starts)
        found = [(edges.trim(text, span), tokens) for span, tokens in to_spans(track, tags.tolist(), offsets)]
        spans = [(span, tokens) for span, tokens in found if span and span not in known]
        known.update(span for span, _ in spans)
        if scale or evidence is not None:
            numbers = span_evidence(scores, tags, [tokens for _, tokens in spans], set(breaks), inside_tags(track))
            if evidence is not None:
                evidence.append(numbers)
        if scale:
            values = scale(numbers).tolist()
        else:
            probabilities = softmax(scores)
            values = [probabilities[tokens, tags[tokens]].mean() for _, tokens in spans]
        for (span, _), value in zip(spans, values, strict=True):
            start, end, passage = span.start + shift, span.end + shift, text[span.start : span.end]
            fragments = tuple((first + shift, last + shift) for first, last in span.fragments)
            finding = Finding(field.name, span.label, start, end, passage, rounded(value), fragments=fragments)
            findings.append(finding)
    return findings


def decode_text(
    field: Field,
    size: int,
    ranges: Sequence[Range | None],
    logits: Sequence[np.ndarray],
    scale: Scale | None = None,
) -> tuple[Any, list[Finding]]:
    """Decode a class or flags from the mean of the windows' logits.

    A finding has the offsets of the window with the highest logit for its label.

    Args:
        field: a field of classes or flags.
        size: the characters of the text.
        ranges: for each window, the characters of the tokens that it owns; None without visible tokens.
        logits: for each window, its logits (K,).
        scale: the scale of the field, if its scores are calibrated. It does not change what is found.
    """
    stacked = np.stack(logits)
    mean = stacked.mean(axis=0)
    probabilities = sigmoid(mean) if field.kind == "flags" else softmax(mean)
    chosen = np.flatnonzero(probabilities > FLAG_THRESHOLD).tolist() if field.kind == "flags" else [int(mean.argmax())]
    values = probabilities[chosen]
    if scale:
        values = scale(mean[chosen][:, None] if field.kind == "flags" else mean[None])
    findings = []
    for label, value in zip(chosen, values, strict=True):
        window = int(stacked[:, label].argmax())
        start, end = (ranges[window] if len(ranges) > 1 else None) or (0, size)
        findings.append(Finding(field.name, field.labels[label], start, end, None, rounded(value), window + 1))
    names = tuple(field.labels[label] for label in chosen)
    return (names if field.kind == "flags" else names[0]), findings


def characters_of(window: Window, shift: int = 0) -> Range | None:
    """Return the characters of the tokens that a window owns, plus `shift`, or None if none of them is visible."""
    offsets = [offset for offset in window.owned if offset[0] < offset[1]]
    return (offsets[0][0] + shift, offsets[-1][1] + shift) if offsets else None


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return the probabilities of logits along the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: np.ndarray = shifted / shifted.sum(axis=-1, keepdims=True)
    return probabilities


def rounded(probability: float) -> float:
    """Round to four decimals, beyond which differences are numerical error."""
    return round(float(probability), 4)
