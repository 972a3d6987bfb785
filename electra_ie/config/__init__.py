"""The settings of training and pretraining, with their bounds and help texts, and the presets as data.

It imports neither torch nor numpy, so that settings are checked before anything heavy is loaded.
"""
