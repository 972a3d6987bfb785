"""Fields of relations and attributes, which are anchored to spans: their candidates, and texts with these marked.

It may import what `data` may, and `document`, `fields` and `windowing` of it.
"""
