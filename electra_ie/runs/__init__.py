"""A run on disk and what others see of it: file names, saved models, provenance, plots, model card, hub.

May import everything from `common` to `models`. Nothing here trains or extracts.
"""
