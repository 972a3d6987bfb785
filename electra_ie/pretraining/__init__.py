"""Pretraining of an encoder on plain text: replaced-token detection (ELECTRA, Clark et al., ICLR 2020, arXiv
2003.10555) and masked language modeling, by the loop of `training`.

May import everything from `common` to `training`.
"""
