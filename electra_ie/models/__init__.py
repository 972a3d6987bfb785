"""Encoders, the discriminator and the generators, with their losses.

May import `common`, `config`, `data` and `metrics`. A model knows batches and states, not files of data or runs.
"""
