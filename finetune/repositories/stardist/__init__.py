"""StarDist."""
