"""What `electra-ie init` does: a task from annotations, from a data set of the hub, or from texts without labels."""
