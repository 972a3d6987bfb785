"""The order in which one annotator is given the texts of a task, and the split that a new text belongs to.

Most texts are chosen in another thread, as those from which a run learns most. Texts for dev are drawn at random, since
scores on chosen ones would be biased. Some texts are those that others have labeled, so that agreement can be measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future

from electra_ie.common.errors import first_line
from electra_ie.common.hashing import of_text
from electra_ie.data.document import Document
from electra_ie.data.splits import DEV, TRAIN
from electra_ie.labeling.record_files import key_of
from electra_ie.labeling.store import LabelStore
from electra_ie.labeling.suggester import Suggester, may_pass

RANDOM = "random"
DEV_SHARE = 0.25
"""The share of the texts that go to dev, if dev has no labels of its own: drawn at random, never chosen."""
SHARED_SHARE = 0.2
"""The share of the texts of an annotator that another one has labeled, so that agreement can be measured."""
FEW = 5
"""Texts left in the order at which the next ones are chosen."""


class TextOrder:
    """The order of the texts for one annotator. It has no lock: its session calls it with its own.

    Attributes:
        chosen: How the texts that were given were drawn, by key; kept when the task changes.
        failure: Why no order could be computed, so that texts come in a random one; "" if it could.
        grows_dev: Whether new texts go to dev, too: it has no labels but those that were made here.
    """

    def __init__(self, store: LabelStore, suggester: Suggester, annotator: str, seed: int) -> None:
        """Begin with a random order.

        Args:
            store: The texts and annotations.
            suggester: What chooses the texts.
            annotator: The name of the annotator.
            seed: The seed of the order.
        """
        self.suggester, self.annotator, self.seed = suggester, annotator, seed
        self.chosen: dict[str, str] = {}
        self.take_store(store)

    def take_store(self, store: LabelStore) -> None:
        """Begin with a random order of the texts of a store: that of the task after a change of its task.yaml."""
        self.store = store
        self._keys: list[str] = []
        self._places: dict[str, float] = {}
        self._choice: Future[list[tuple[Document, str]]] | None = None
        self._choices, self._stale, self.failure, self._may_choose_later = 0, False, "", False
        self.grows_dev = store.dev is not None and store.has_only_new(store.dev)

    def choose_again(self) -> None:
        """Have the texts chosen by the run that the suggester has now; those of the choice before come until then."""
        self._choice, self._stale, self.failure = None, True, ""

    # The texts that may come

    def open_keys(self) -> dict[str, Document]:
        """Return the texts that the annotator may be given, by key: not labeled by anybody, and not skipped."""
        done = {key for own in self.store.annotations().values() for key in own}
        done |= set(self.store.journal(self.annotator).skipped())
        return {key: document for key, document in self.store.unlabeled().items() if key not in done}

    def shared(self) -> list[str]:
        """Return the texts that others have labeled and the annotator has not, in the order of their labeling."""
        journal = self.store.journal(self.annotator)
        done = journal.saved().keys() | set(journal.skipped())
        others = sorted(
            (event.number, key)
            for name, own in self.store.annotations().items()
            if name != self.annotator
            for key, event in own.items()
        )
        return list(dict.fromkeys(key for _, key in others if key not in done and self.store.has(key)))

    def part(self, key: str) -> str:
        """Return the split of a new text: a share drawn by its hash goes to dev."""
        if self.store.dev is not None and key in self.store.dev:
            return DEV
        is_new = self.grows_dev and not any(key in file for file in self.store.train)
        return DEV if is_new and self.place(key) < DEV_SHARE else TRAIN

    def place(self, key: str) -> float:
        """Return a number from 0 to 1 that is drawn by the seed: the place of a text in a random order."""
        if key not in self._places:
            self._places[key] = int(of_text(f"electra_ie label {self.seed} {key}")[:8], 16) / 2**32
        return self._places[key]

    # Which one comes

    def follow(self, open_keys: Mapping[str, Document]) -> None:
        """Take the texts that were chosen, and have more chosen when few are left."""
        if self._choice is not None and self._choice.done():
            choice, self._choice = self._choice, None
            error = choice.exception()
            if error is not None:
                self.failure, self._may_choose_later = first_line(error), may_pass(error)
            else:
                self.failure = ""
                self._keys, self._stale = ([] if self._stale else self._keys), False
                for document, how in choice.result():
                    key = key_of(document.text)
                    if key in open_keys and key not in self._keys:
                        self._keys.append(key)
                        self.chosen[key] = how
        candidates = [document for key, document in open_keys.items() if self.part(key) == TRAIN]
        few = len(self._keys) < min(FEW, len(candidates))
        is_able = not self.failure or self._may_choose_later
        if self._choice is None and (few or self._stale) and candidates and is_able:
            labeled = [document for file in self.store.train for document in file.documents() if document.gold]
            self._choices += 1
            self._choice = self.suggester.choose(candidates, labeled, self.seed + self._choices)

    def next_key(self, open_keys: Mapping[str, Document], shared: list[str]) -> str | None:
        """Return the key of the next text, and note how it was drawn; None if all are labeled."""
        mine = self.store.journal(self.annotator).saved()
        if shared and self._is_due(sum(key in self._others() for key in mine), SHARED_SHARE, len(mine)):
            return shared[0]
        dev = [key for key in open_keys if self.part(key) == DEV]
        in_dev = len(self.store.dev.labeled) if self.store.dev else 0
        labeled = in_dev + sum(len(file.labeled) for file in self.store.train)
        if dev and self._is_due(in_dev, DEV_SHARE, labeled):
            return self._drawn(dev)
        self._keys = [key for key in self._keys if key in open_keys]
        if self._keys:
            return self._keys[0]
        train = [key for key in open_keys if self.part(key) == TRAIN]
        if train or dev:
            return self._drawn(train or dev)
        return shared[0] if shared else None

    def coming(self, count: int) -> list[str]:
        """Return the keys of the next texts of those that were chosen."""
        return self._keys[:count]

    def _drawn(self, keys: list[str]) -> str:
        key = min(keys, key=self.place)
        self.chosen[key] = RANDOM
        return key

    @staticmethod
    def _is_due(done: int, share: float, total: int) -> bool:
        return done < share * total

    def _others(self) -> set[str]:
        return {key for name, own in self.store.annotations().items() if name != self.annotator for key in own}
