"""Checks of a data set before training: counts, duplicates, spans, tokens, scripts, suspect labels, and a report."""
