"""The engine of extraction: from documents to results, for any model that gives logits for token ids.

It imports `common`, `data` without `data.batching`, `inference.html_report`, and numpy: no torch, transformers or scipy
(tests/test_house.py). So an exported model runs where only a small runtime is installed.
"""
