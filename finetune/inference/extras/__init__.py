"""Optional outputs of a prediction: maps, pictures, objects for QuPath and ImageJ, and a table."""
