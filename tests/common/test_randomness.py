"""The seeds: their values, which decide every trained weight, and that they stay apart and within 64 bits."""

from __future__ import annotations

import pytest

from electra_ie.common.randomness import MAX_SEED, masking_seed, round_seed, row_seed, step_seed
from electra_ie.config.train import TrainSettings


def test_the_seeds_are_what_they_have_always_been():
    """Changing one changes the weights of all runs."""
    assert (step_seed(3, 7, 2), row_seed(3, 7, 2), masking_seed(3, 7)) == (
        3_027_016_146,
        12_297_065_586,
        12_297_065_585,
    )
    assert (round_seed(0, 0), round_seed(3, 2), round_seed(MAX_SEED, 1)) == (7_919, 241_134, 112_648)


def test_the_seeds_of_near_runs_steps_and_rows_differ():
    near = range(20)
    for seed_of in (step_seed, row_seed):
        assert len({seed_of(seed, step, row) for seed in near for step in near for row in near}) == 20**3


@pytest.mark.parametrize("seed_of", [step_seed, row_seed])
def test_the_largest_seed_fits_a_generator_of_torch(seed_of):
    assert seed_of(MAX_SEED, 1_000_002, 4_098) < 2**64
    assert round_seed(MAX_SEED, 1000) <= MAX_SEED


def test_a_student_has_another_seed_than_its_teacher():
    student = TrainSettings(preset="adversarial", seed=5)
    assert student.of_teacher.training_seed == 5 != student.training_seed == round_seed(5, 0)
