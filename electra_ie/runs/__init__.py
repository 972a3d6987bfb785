"""A run on disk and what is published of it: file layout, saved models, provenance, plots, model card, Hub uploads.

Nothing here trains or extracts.
"""
