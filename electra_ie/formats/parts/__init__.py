"""Parts that several formats share: records of files, offsets, tags of words, names and texts that can be written."""
