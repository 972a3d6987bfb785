"""A finished run applied to text: extraction, scoring against gold, and the HTML report.

May import everything from `common` to `runs`, and no training: a machine that extracts needs no training code.
"""
