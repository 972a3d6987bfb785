"""Fine-tuning on a task: the adversarial loop, checkpoints, self-training, and what completes a run.

`loop` holds the training step of every preset and objective, `pseudo_labels` what a student learns on unlabeled text,
with co-training.
"""
