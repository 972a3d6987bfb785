"""What `electra-ie init` does: a task made from annotations, from a data set of the hub, or from texts without labels."""
