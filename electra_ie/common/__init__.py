"""Code without knowledge of text extraction: errors, logs, files, hashes, progress, seeds, YAML and the Hub client.

It imports nothing else of the package, and no torch.
"""
