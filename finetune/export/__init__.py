"""Exports: a trained model in the forms that others load, and the proof that they give the same result."""
