"""Scores as probabilities, thresholds that keep a promise, and the test that says when the promise has lapsed.

`scales`, `decisions` and `stored` are what extraction needs, with numpy only. `found` pairs findings with gold. The
other modules fit and test, and import scipy and scikit-learn inside functions. No module here reads a model.
"""
