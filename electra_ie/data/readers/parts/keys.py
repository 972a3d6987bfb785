"""Keys and columns that no field reads, reported because a misspelled one loses gold."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from difflib import SequenceMatcher

from electra_ie.common.logs import warn
from electra_ie.common.text_files import SourceLine
from electra_ie.data.fields import AnyField, AttributeField

TOOL_KEYS = ("meta", "metadata", "tokens")
"""Keys that annotation tools add to a record; these, and keys that begin with `_`, are not reported."""
MIN_SIMILARITY = 0.8
"""The similarity (difflib's ratio) from which a key counts as a misspelling of another: "name" of "names"."""
SHOWN = 10
NUMBER = re.compile(r"\d+$")


class Keys:
    """Comparison of the keys of one file's records with the keys that are read: text, id and fields."""

    def __init__(self, file: str, fields: Sequence[AnyField], others: Iterable[str], word: str = "key") -> None:
        self.file, self.fields, self.word = file, fields, word
        self.known = [*dict.fromkeys([*(field.column for field in fields), *others])]
        self.unread = Counter[str]()

    def check(self, keys: Collection[str], source: SourceLine) -> None:
        """Count the keys of a record that are not read.

        Raises:
            UserError: a field's key is missing, and another key looks like it.
        """
        unread = [key for key in keys if key not in self.known]
        for field in self.fields:
            if isinstance(field, AttributeField):  # its key is one of the spans
                continue
            similar = [key for key in unread if field.column not in keys and is_misspelling(key, field.column)]
            if similar:
                message = f'there is no {self.word} "{field.column}" for the field {field.name}, but "{similar[0]}".'
                column = "add the column" if self.word == "column" else f'write "{field.column}": null'
                remedy = f'Rename it, or set from: "{similar[0]}" in the field; if it is something else, {column}.'
                raise source.error(message, remedy)
        self.unread.update(key for key in unread if not key.startswith("_") and key not in TOOL_KEYS)

    def report(self) -> None:
        """Warn of the keys that are not read, if any."""
        if not self.unread or not self.fields:
            return
        counted = [f'"{key}"' + self._count(number) for key, number in self.unread.most_common(SHOWN)]
        more = [f"{len(self.unread) - SHOWN} more"] if len(self.unread) > SHOWN else []
        plural = "s" if len(self.unread) > 1 else ""
        close = [
            (key, known) for key, _ in self.unread.most_common(SHOWN) for known in self.known
            if is_misspelling(key, known)
        ]  # fmt: skip
        meant = ", ".join(f'"{known}" for "{key}"' for key, known in close)
        listed = f"the {self.word}{plural} {', '.join(counted + more)} {'are' if plural else 'is'} not read."
        warn(f"{self.file}: {listed}" + (f" Did you mean {meant}?" if meant else ""))

    def _count(self, number: int) -> str:
        return "" if self.word == "column" else f" ({number} record{'s' if number > 1 else ''})"


def is_misspelling(key: str, column: str) -> bool:
    """Return whether `key` may be a misspelling of `column`, regardless of case.

    "Names" and "entity-name" are for "entity_names", but "topic_b" is not for "topic_a", nor "name2" for "name1": these
    are other keys.
    """
    first, second = (re.split("[ _-]+", word.casefold()) for word in (key, column))
    if len(first) == len(second):
        return all(map(_similar, first, second))
    return _similar("".join(first), "".join(second))


def _similar(first: str, second: str) -> bool:
    """Return whether two words are nearly equal, without regard to plurals, and differ in more than a number."""
    first, second = (re.sub("ies$", "y", word).removesuffix("s") for word in (first, second))
    numbered = NUMBER.search(first) and NUMBER.search(second)
    if first != second and numbered and NUMBER.sub("", first) == NUMBER.sub("", second):
        return False
    return SequenceMatcher(None, first, second).ratio() >= MIN_SIMILARITY
