"""Pseudo-labels: the predictions for the unlabeled texts that a student learns, computed once before it trains.

They are the teacher's probabilities, combined by co-training with those of simpler classifiers where these help, and
with the evidence of hints. `pool` makes them; the modules `classes`, `flags` and `spans` have what is done for each
kind of field.
"""
