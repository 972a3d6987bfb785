"""The names of the splits of a task."""

from __future__ import annotations

TRAIN, DEV, TEST, UNLABELED = SPLITS = ("train", "dev", "test", "unlabeled")
