"""A finished run as a local server: requests in a bounded queue, one thread with the model, counts, and a page.

Its modules need the packages of the extra `serve`, and torch only where the model is a run.
"""
