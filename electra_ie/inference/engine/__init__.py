"""The engine of extraction: from documents to results, for any model that gives logits for token ids.

It imports no torch, transformers or scipy (tests/test_house.py), so that an exported model runs where only a small
runtime is installed.
"""
