"""Application of a finished run to text: extraction, scoring against gold, and the HTML report.

May import everything from `common` to `runs`, but no training: extraction needs no training code.
"""
