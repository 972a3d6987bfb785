"""What knows nothing of text extraction: errors, files, hashes, progress, YAML, the hub's client.

Imports nothing else of the package.
"""
