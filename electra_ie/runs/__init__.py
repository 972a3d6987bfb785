"""A run on disk and what is published of it.

Here are file layout, saved models, facts about the training, provenance, plots, model card and Hub uploads. Nothing
here trains or extracts.
"""
