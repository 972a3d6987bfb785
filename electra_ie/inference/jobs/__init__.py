"""Extraction from many inputs: what is read, progress, resumption, outputs and errors.

May import `common`, `data` without batching, `formats` and the HTML report, but no torch: the extractor is loaded by
the function that needs it.
"""
