"""How a training collapses, told from its steps: exploding losses, fakes that are all told, one answer."""

from __future__ import annotations

import statistics
from collections import Counter, deque
from collections.abc import Iterator

from electra_ie.training.loop import Step

EXPLODED = 10.0
"""A loss this many times the usual one has exploded."""
FOUND_OUT = 0.005
"""Below this mean p(real | fake) a generator teaches nothing any more (Arjovsky and Bottou 2017, section 2)."""


class DivergenceMonitor:
    """Sees the steps of a run one by one, and tells when the training has collapsed.

    A sign counts once it has stood for a tenth of the steps, and for at least twenty. One answer to all is a sign in
    the second half only, and of a field that gave several before: what has not learnt yet has not collapsed.
    """

    def __init__(self, steps: int):
        self.steps, self.patience = steps, max(20, steps // 10)
        self.usual: deque[float] = deque(maxlen=5 * self.patience)
        self.standing: Counter[str] = Counter()
        self.able: Counter[str] = Counter()

    @property
    def sign(self) -> str | None:
        """What has begun to show, in words; while something does, no checkpoint is to be made to fall back to."""
        return self._longest(self.patience // 4)

    def see(self, step: Step) -> str | None:
        """What has collapsed, in words; None while all is well."""
        for name, shows in self._signs(step):
            self.standing[name] = self.standing[name] + 1 if shows else 0
        return self._longest(self.patience)

    def _longest(self, least: int) -> str | None:
        name, count = max(self.standing.items(), key=lambda item: item[1], default=("", 0))
        return name if count >= least else None

    def _signs(self, step: Step) -> Iterator[tuple[str, bool]]:
        """Each sign that can be judged by this step, and whether it shows."""
        loss = step.losses["discriminator"]
        exploded = len(self.usual) >= self.patience and loss > EXPLODED * statistics.median(self.usual)
        if not exploded:
            self.usual.append(loss)
        yield "the loss has exploded", exploded
        if step.realness:
            told = "the generator teaches nothing any more, every fake is told from the real"
            yield told, step.realness[1] < FOUND_OUT
        for name, (given, right) in step.answers.items():
            if right > 1 and step.number >= self.steps / 5:
                self.able[name] += given > 1
                sign = given == 1 and self.able[name] > self.patience // 2 and step.number >= self.steps / 2
                yield f"the field {name} gets one answer, whatever the text", sign
