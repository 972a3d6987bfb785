"""Seeds of everything random in training: functions of the run's seed and of an index, and of nothing else.

So a run that is resumed at any step, or trained with another number of processes, draws what it would have drawn.

Generators whose seeds are close or equal draw similar numbers. The formulas therefore multiply by primes: the product
keeps the seeds of different runs, steps, rows and rounds apart (for up to 1,000,003 steps, 1,009 processes and 4,099
rows a batch). The largest, for seed `MAX_SEED`, stays below 2^64, the limit of torch's generators.
"""

from __future__ import annotations

MAX_SEED = 2**32 - 1
"""The largest seed of a run."""


def step_seed(seed: int, step: int, process_index: int) -> int:
    """Return the seed of torch's global generator in one training step of one process (dropout).

    It includes the process, so that processes do not drop the same units of different rows.
    """
    return (seed * 1_000_003 + step) * 1_009 + process_index


def row_seed(seed: int, step: int, row: int) -> int:
    """Return the seed of a generator's noise for one row of the global batch.

    It does not include the process: a row gets the same noise whichever process computes it.
    """
    return (seed * 1_000_003 + step) * 4_099 + row


def masking_seed(seed: int, step: int) -> int:
    """Return the seed of the masking of one global batch in pretraining.

    All processes draw the masks of the whole batch and keep those of their own rows.
    """
    return row_seed(seed, step, 1)


def round_seed(seed: int, round_index: int) -> int:
    """Return the seed of one round of self-training (0 for the first), at most `MAX_SEED`.

    It differs from the seed of the teacher's run, so that teacher and student start from different heads, read
    different batches and make different errors. Label budget and dev sample keep the run's own seed in all rounds.
    """
    return ((seed + 1) * 7_919 + round_index * 104_729) % MAX_SEED
