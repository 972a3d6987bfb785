"""The sections of the cards of runs and of exported models, a module each, and the facts in them.

May import what `runs` may, and of `runs` the layout and the provenance. `runs.model_card` puts the sections together.
"""
