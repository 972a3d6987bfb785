"""Parts that several readers share: checks of gold, keys that are not read, rows of tables, tags of tokens.

They import `common` and `formats`, and the documents and fields of `data`.
"""
