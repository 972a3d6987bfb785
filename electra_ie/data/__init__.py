"""From files to batches: documents, fields, tasks, readers, checks of the gold, windows of tokens and batches.

May import `common` and `config`. Offsets count characters (code points) everywhere. Only `batching` imports torch.
"""
