"""The keys of a task.yaml: their parsing and checking, with file and line of every fault."""
