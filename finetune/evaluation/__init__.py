"""Evaluation of a model on labeled images."""
