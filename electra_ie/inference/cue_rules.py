"""A rule for attributes of spans in English clinical text, which a trained model has to beat.

It looks for cue words in the sentence of a span, up to a word that ends their scope, as NegEx (Chapman et al. 2001,
doi:10.1006/jbin.2001.1029) and ConText (Harkema et al. 2009, doi:10.1016/j.jbi.2009.05.002) do. The lists are short and
made for this package: they are a baseline, not a tool.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from electra_ie.data.anchored.marked_spans import Sentences
from electra_ie.data.document import Span
from electra_ie.data.fields import AttributeField

NAMES = {
    "other_person": ("other_person", "someone_else", "associated_with_someone_else", "family", "other_experiencer"),
    "hypothetical": ("hypothetical", "possible", "conditional", "uncertain"),
    "negated": ("negated", "negative", "negation", "absent", "denied"),
    "historical": ("historical", "history", "past"),
}
"""What the rule knows, in the order in which it decides if several apply, with the names of labels that mean it."""
CUES, MAJORITY = "cue words", "majority class"
"""Names of the rule, and of what takes its place for labels that it does not know."""


def _words(*alternatives: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{'|'.join(alternatives)})(?!\w)", re.IGNORECASE)


RELATIVE = (
    "(?:mother|father|parent|brother|sister|sibling|son|daughter|aunt|uncle|cousin|niece|nephew|grandmother|grandfather"
    "|grandparent|wife|husband|relative)s?(?:['\N{RIGHT SINGLE QUOTATION MARK}]s)?"
)
BEFORE = {
    "other_person": _words("family history", "familial", "fh", "fhx", RELATIVE),
    "hypothetical": _words(
        "if", "in case of", "should", "may", "might", "could", "possibl[ey]", "possibility of", "risks? (?:of|for)",
        "rule out", "r/o", "(?:evaluate|monitor|screen(?:ed)?|watch|work-?up|concern) for", "suspicion of", "suspected",
        "to prevent", "prophylaxis (?:of|for|against)", "return for", "call for",
    ),
    "negated": _words(
        "no", "not", "non", "nor", "neither", "never", "none of", "without", "w/o", "den(?:y|ies|ied|ying)",
        "absence of", "negative for", "free of", "lack(?:s|ed|ing)?(?: of)?", "ruled out", "rules out", "excluded",
        "unremarkable for", "fail(?:s|ed) to",
    ),
    "historical": _words(
        "history", "h/o", "hx", "pmh", "past", "previous(?:ly)?", "prior", "formerly", "status post", "s/p", "remote",
        "had had",
    ),
}  # fmt: skip
AFTER = {
    "other_person": _words(rf"in (?:an?|the|his|her|their) {RELATIVE}", "runs? in the family"),
    "hypothetical": _words("(?:is|are|was|were) (?:possible|suspected|considered)", "cannot be excluded", "possible"),
    "negated": _words(
        "absent", "negative", "denied", "excluded", "unlikely", "ruled out",
        "(?:not|never) (?:seen|present|found|detected|noted|apparent|evident|demonstrated|reported|observed)",
    ),
    "historical": _words(
        r"(?:years?|months?|decades?) ago", "in the past", "(?:in|since) childhood", "as a child", "previously",
        "last year",
    ),
}  # fmt: skip
"""Cues before and after a span."""
NO_CUES = _words(
    "not only", "not necessarily", "no (?:significant |interval )?(?:change|increase)", "gram[- ]negative",
    "without (?:difficulty|further)", "history and physical", "history of present illness",
)  # fmt: skip
"""Passages that contain a cue and do not mean it (pseudo-negations of NegEx, and others)."""
ENDS = _words(
    "but", "however", "nevertheless", "although", "though", "yet", "except", "aside from", "apart from", "which", "who",
    "secondary to", "still",
)  # fmt: skip
END = re.compile(rf"{ENDS.pattern}|;", re.IGNORECASE)
"""What ends the scope of a cue."""


@dataclass(frozen=True)
class CueRules:
    """The rule for one field.

    Attributes:
        labels: The labels that it knows, by what they mean (`NAMES`).
        otherwise: The label of spans without a cue.
    """

    labels: Mapping[str, str]
    otherwise: str

    @classmethod
    def of(cls, field: AttributeField, common: str) -> Self:
        """Return the rule for a field. common: its most frequent label, for a field without a default."""
        names = {label.casefold().replace(" ", "_").replace("-", "_"): label for label in field.labels}
        labels = {
            kind: next(names[name] for name in synonyms if name in names)
            for kind, synonyms in NAMES.items()
            if any(name in names for name in synonyms)
        }
        return cls(labels, (field.default if labels else "") or common)

    @property
    def name(self) -> str:
        """What the rule is called in a report."""
        return CUES if self.labels else MAJORITY

    def answers(self, text: str, spans: Iterable[Span]) -> list[str]:
        """Return the label of each of these spans of a text."""
        sentences = Sentences(text)
        return [self._answer(text, span, sentences) for span in spans]

    def _answer(self, text: str, span: Span, sentences: Sentences) -> str:
        start, end = sentences.around((span,))
        before, after = (NO_CUES.sub(" ", part) for part in (text[start : span.start], text[span.end : end]))
        before, after = END.split(before)[-1], END.split(after)[0]
        for kind, label in self.labels.items():
            if BEFORE[kind].search(before) or AFTER[kind].search(after):
                return label
        return self.otherwise
