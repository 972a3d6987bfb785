"""Where chunks are extracted: in this process, in several of this machine, or on a Ray cluster.

Ray is imported inside functions.
"""
