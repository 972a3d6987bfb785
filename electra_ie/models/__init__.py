"""Encoders, the discriminator and the generators, with their losses.

May import `common`, `config`, `data` and `metrics`. A model reads batches and states, never data files or runs.
"""
