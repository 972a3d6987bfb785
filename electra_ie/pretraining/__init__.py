"""ELECTRA pretraining: replaced-token detection on plain text, through the same loop as `train` (Clark et al., ICLR
2020, arXiv 2003.10555)."""
