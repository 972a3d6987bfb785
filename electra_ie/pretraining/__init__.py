"""Pretraining of an encoder on plain text, with the loop of `training`.

The objectives are replaced-token detection (ELECTRA, Clark et al., ICLR 2020, arXiv 2003.10555) and masked language
modeling.
"""
