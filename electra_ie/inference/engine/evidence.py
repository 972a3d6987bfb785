"""Evidence: what the logits of a span's tokens say of how sure the model is, as numbers for a scale."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np


def span_evidence(
    logits: np.ndarray, tags: np.ndarray, spans: Sequence[Sequence[int]], breaks: Collection[int], inside: np.ndarray
) -> np.ndarray:
    """Return the numbers `calibration.scales.SPAN_EVIDENCE` of each span, (N, 4).

    The margin is how much the tags of the span are ahead of those of the nearest path without it: the least difference
    between the logit of a tag and the next one, over the tokens of the span, and that between the tag of the token
    after it and the tag that would continue the span.

    Args:
        logits: (T, K), of the tags `O, B-x, I-x, B-y, I-y, ...`.
        tags: The tags that were decoded, (T,).
        spans: The tokens of each span, one after the other.
        breaks: Tokens at which no span may continue.
        inside: For each tag the one that continues its span, (K,) (see `bio.inside_tags`).
    """
    if not spans:
        return np.zeros((0, 4))
    sizes = np.array([len(tokens) for tokens in spans])
    starts = np.concatenate([[0], sizes.cumsum()[:-1]])
    tokens = np.concatenate(spans)
    rows, of_row = logits[tokens].astype(np.float64), np.arange(len(tokens))
    own = rows[of_row, tags[tokens]]
    largest = rows.max(axis=1)
    log_probabilities = own - largest - np.log(np.exp(rows - largest[:, None]).sum(axis=1))
    rows[of_row, tags[tokens]] = -np.inf
    margins = np.minimum.reduceat(own - rows.max(axis=1), starts)
    last = tokens[starts + sizes - 1]
    ends = np.array([token + 1 < len(tags) and token + 1 not in breaks for token in last.tolist()])
    after = last[ends] + 1
    continued = logits[after, inside[tags[last[ends]]]]
    margins[ends] = np.minimum(margins[ends], logits[after, tags[after]] - continued)
    return np.stack(
        [
            np.add.reduceat(log_probabilities, starts) / sizes,
            np.minimum.reduceat(log_probabilities, starts),
            np.log(sizes),
            margins,
        ],
        axis=1,
    )
