"""Contents of the panels of a page."""
