"""What scores.json of any run says of its training, against the types that its readers rely on."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_type_hints, is_typeddict

from electra_ie.runs.layout import read_scores
from electra_ie.runs.training_facts import SecondStageFacts, TrainingFacts

WHERE_THEY_APPLY = {
    "adaptation", "distillation", "collapsed", "constant_answers", "teacher", "co_training", "relations", "attributes",
}  # fmt: skip
"""The facts that a run may lack. Each is written by the run of a test that names it."""
BY_KIND = {
    "relations": {"pairs", "related", "unlabeled_pairs"},
    "attributes": {"spans", "labels", "unlabeled_spans"},
}
"""The facts about a model of the second stage that only one kind of field has."""


def check_facts(run: Path, *applied: str) -> None:
    """Check that a run has written the facts of the types: all, but of those in `WHERE_THEY_APPLY` the given ones."""
    written = read_scores(run)["training"]
    _check(written, TrainingFacts, WHERE_THEY_APPLY - set(applied))
    for kind, own in BY_KIND.items():
        others = set().union(*BY_KIND.values()) - own
        for of_field in written.get(kind, {}).values():
            _check(of_field, SecondStageFacts, WHERE_THEY_APPLY | others)
            assert not others & of_field.keys()


def _check(written: dict[str, Any], of_type: type, may_lack: set[str]) -> None:
    known = get_type_hints(of_type)
    missing, unknown = known.keys() - may_lack - written.keys(), written.keys() - known.keys()
    assert not missing | unknown, f"{of_type.__name__}: not written: {missing}; not in the type: {unknown}"
    for name, value in written.items():
        if is_typeddict(known[name]):
            _check(value, known[name], set(known[name].__optional_keys__))
