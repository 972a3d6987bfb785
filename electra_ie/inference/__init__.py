"""Application of a finished run to text: extraction, scoring against gold, and the HTML report.

Extraction needs no training code.
"""
