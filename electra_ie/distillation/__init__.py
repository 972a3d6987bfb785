"""Distillation: a smaller model learns the answers of a finished run, in the training loop of every other run.

`layers` cuts an encoder to a few of its layers, `token_vectors` and `static` make a model without attention, `runner`
teaches either.
"""
