"""Seeded generator of the data of the synthetic tasks: `python -m tasks.generation` writes their files.

Texts come from a compositional grammar (`grammar`) filled with invented names, and get typing errors and abbreviations
(`roughen`). Offsets are counted while a text is built, so that they are exact. A third of the templates occurs in test
only (`grammar.TEST_ONLY`). The tasks are transaction_risk, the relations between its spans, and medical_case.
"""
