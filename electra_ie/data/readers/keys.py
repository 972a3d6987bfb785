"""Keys and columns that nothing reads: a misspelt one loses gold."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from difflib import SequenceMatcher

from electra_ie.common.errors import warn
from electra_ie.common.text_files import Place
from electra_ie.data.fields import Field

ADDED = ("meta", "metadata", "tokens")
"""What tools of annotation add to a record, as they add keys that begin with `_`. Nothing is said of these."""
ALIKE = 0.8
"""The similarity (of difflib) from which a key is taken for a field's key misspelt: "name" for "names"."""
SHOWN = 10
NUMBER = re.compile(r"\d+$")


class Keys:
    """Compares the keys of the records of one file with those that are read: of the text, the id and the fields."""

    def __init__(self, file: str, fields: Sequence[Field], others: Iterable[str], word: str = "key"):
        self.file, self.fields, self.word = file, fields, word
        self.known = [*dict.fromkeys([*(field.column for field in fields), *others])]
        self.unread = Counter[str]()

    def check(self, keys: Collection[str], place: Place) -> None:
        """Counts what is not read of a record. Raises UserError for a key like that of a field which it lacks."""
        unread = [key for key in keys if key not in self.known]
        for field in self.fields:
            like = [key for key in unread if field.column not in keys and alike(key, field.column)]
            if like:
                message = f'there is no {self.word} "{field.column}" for the field {field.name}, but "{like[0]}".'
                column = "add the column" if self.word == "column" else f'write "{field.column}": null'
                remedy = f'Rename it, or set from: "{like[0]}" in the field; if it is something else, {column}.'
                raise place.error(message, remedy)
        self.unread.update(key for key in unread if not key.startswith("_") and key not in ADDED)

    def report(self) -> None:
        """Names, in one line and only if there are any, the keys that are not read."""
        if not self.unread or not self.fields:
            return
        counted = [f'"{key}"' + self._count(number) for key, number in self.unread.most_common(SHOWN)]
        more = [f"{len(self.unread) - SHOWN} more"] if len(self.unread) > SHOWN else []
        plural = "s" if len(self.unread) > 1 else ""
        close = [(key, near) for key, _ in self.unread.most_common(SHOWN) for near in self.known if alike(key, near)]
        meant = ", ".join(f'"{near}" for "{key}"' for key, near in close)
        listed = f"the {self.word}{plural} {', '.join(counted + more)} {'are' if plural else 'is'} not read."
        warn(f"{self.file}: {listed}" + (f" Did you mean {meant}?" if meant else ""))

    def _count(self, number: int) -> str:
        return "" if self.word == "column" else f" ({number} record{'s' if number > 1 else ''})"


def alike(key: str, column: str) -> bool:
    """Whether `module_key` may be `column` misspelt: "Names", "entity-name" for "entity_names", but not its sibling, as
    "topic_b" is of "topic_a" and "name2" of "name1". Capitals do not count."""
    first, second = (re.split("[ _-]+", word.casefold()) for word in (key, column))
    if len(first) == len(second):
        return all(map(similar, first, second))
    return similar("".join(first), "".join(second))


def similar(first: str, second: str) -> bool:
    """Whether two words are nearly the same, and do not differ in a number alone. A plural is its singular."""
    first, second = (re.sub("ies$", "y", word).removesuffix("s") for word in (first, second))
    numbered = NUMBER.search(first) and NUMBER.search(second)
    if first != second and numbered and NUMBER.sub("", first) == NUMBER.sub("", second):
        return False
    return SequenceMatcher(None, first, second).ratio() >= ALIKE
