"""Where chunks are extracted: in this process, in several of this machine, or on a Ray cluster.

May import what `inference.jobs` may, but of that package only the chunks. Ray is imported inside functions.
"""
