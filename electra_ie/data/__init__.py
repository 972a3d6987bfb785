"""Data, from files to batches: documents, fields, tasks, readers, checks of the gold, windows of tokens, and batches.

Offsets count characters (Unicode code points) everywhere. Only `batching` imports torch.
"""
