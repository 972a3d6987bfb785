"""The settings of training and of pretraining, and the presets as data: everything that decides a run.

May import `common`. Imports no torch, so that the command line can check settings before anything heavy is loaded.
"""
