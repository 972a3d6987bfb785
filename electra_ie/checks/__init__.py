"""Checks of a data set before training: counts, duplicates, spans, tokens, scripts, languages, suspects; a report."""
