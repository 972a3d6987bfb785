"""The sections of the cards of runs and of exported models, a module each, and the facts in them.

`runs.model_card` puts the sections together.
"""
