"""Review: the queue of findings that a person should see, and the decisions of the person."""
