"""Encoders, the discriminator and the generators, with their losses.

A model reads batches and states, never data files or runs.
"""
