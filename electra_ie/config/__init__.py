"""What decides a run: the settings of training and of pretraining, and the presets as data.

May import `common`.
"""
