"""The facts about a training in scores.json have the keys that their type says.

Runs with a teacher, a distillation, an adaptation, relations or attributes are compared where the tests make them.
"""

from __future__ import annotations

from training_facts import check_facts


def test_a_run_writes_the_facts_of_the_type(run):
    check_facts(run)
