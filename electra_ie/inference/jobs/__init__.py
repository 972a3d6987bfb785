"""Extraction from many inputs: what is read, progress, resumption, outputs and errors.

It imports no torch: the extractor is loaded by the function that needs it.
"""
