"""Parts that several readers share: checks of gold, keys that are not read, rows of tables, tags of tokens."""
