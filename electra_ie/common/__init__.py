"""Code that knows nothing of text extraction: errors, files, hashes, progress, YAML and the client of the hub.

May import nothing else of the package, and no torch.
"""
