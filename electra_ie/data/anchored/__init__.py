"""Fields of relations and attributes, which are anchored to spans: their candidates, and texts with these marked."""
