"""A run on disk and what is published of it: file layout, saved models, provenance, plots, model card, Hub uploads.

May import everything from `common` to `models`. Nothing here trains or extracts.
"""
