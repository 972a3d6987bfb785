"""Seeded generator of the synthetic data of three tasks: `python -m tasks.generation` writes their files.

Texts come from a compositional grammar (`grammar`) filled with invented names, and get typing errors and abbreviations
(`roughen`). Offsets are counted while a text is built, so that they are exact. A third of the templates occurs in test
only (`grammar.TEST_ONLY`).
"""
