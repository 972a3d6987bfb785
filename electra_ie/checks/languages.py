"""The languages that texts are written in, by py3langid (extra `languages`), a classifier of byte n-grams."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from electra_ie.checks.counts import Splits
from electra_ie.checks.issues import Issue, Place, are, counted
from electra_ie.data.document import Document

TEXTS, CHARACTERS = 500, 2_000
"""The texts of a split whose language is identified, evenly over it, and how much is read of each."""
CERTAIN = 0.8
"""The probability from which a language counts. That of a text of a few words, or of names and numbers, is lower."""
LEAST, LEAST_SHARE = 3, 0.05
"""The texts, and the share of those with a language, from which a language is reported: single ones may be wrong."""
PLACES = 20
"""Places that an issue lists."""


@dataclass(frozen=True, slots=True)
class LanguageCount:
    """A language in a split, as an ISO 639 code: the documents with it, and their share of those with a language."""

    split: str
    language: str
    documents: int
    share: float


def count_languages(splits: Splits) -> tuple[list[LanguageCount], list[Issue], list[str]]:
    """Return the languages of each split, an issue for each that train does not have, and what was not checked."""
    if find_spec("py3langid") is None:
        return [], [], ['languages were not identified: they need pip install "electra_ie[languages]".']
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # type: ignore[import-untyped]

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    rows: list[LanguageCount] = []
    skipped: list[str] = []
    by_split: dict[str, dict[str, list[Document]]] = {}
    for split, documents in splits.items():
        read = documents[:: -(-len(documents) // TEXTS) or 1]
        if len(read) < len(documents):
            skipped.append(f"languages were identified in {len(read):,} of {len(documents):,} documents of {split}.")
        found = by_split[split] = {}
        for document in read:
            language, probability = identifier.classify(document.text[:CHARACTERS])
            if probability >= CERTAIN:
                found.setdefault(language, []).append(document)
        total = sum(map(len, found.values()))
        counts = Counter({language: len(texts) for language, texts in found.items()})
        rows += [LanguageCount(split, language, count, count / total) for language, count in counts.most_common()]
    return rows, list(_new_languages(by_split)), skipped


def _new_languages(by_split: dict[str, dict[str, list[Document]]]) -> Iterator[Issue]:
    known = by_split.get("train", {})
    for split, found in by_split.items():
        total = sum(map(len, found.values()))
        for language in sorted(found.keys() - known.keys()):
            if len(found[language]) >= max(LEAST, LEAST_SHARE * total) and known:
                yield _issue(split, language, found[language], total)


def _issue(split: str, language: str, found: Sequence[Document], total: int) -> Issue:
    message = (
        f"{len(found):,} of {counted(total, 'document')} of {split} whose language is certain {are(len(found))} in the "
        f"language {language}; no document of train is."
    )
    severity = "note" if split == "pool" else "warning"
    places = [Place.of(split, document) for document in found[:PLACES]]
    return Issue("new_languages", severity, message, len(found), total, places, split)
