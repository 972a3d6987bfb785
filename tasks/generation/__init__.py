"""The seeded generator of the data sets shipped with two tasks: `python -m tasks.generation` rewrites their files.

All of it is invented. Texts come from a compositional grammar (`grammar`) filled with invented names, then roughened
by typing errors and abbreviations (`roughen`); offsets are counted while a text is built, never searched afterwards.
"""
