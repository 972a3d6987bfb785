"""Which texts to label next: typical ones without a model, uncertain ones with a run, and some at random.

It also says what more labels would bring. `choosing` has the function that other packages use.
"""
