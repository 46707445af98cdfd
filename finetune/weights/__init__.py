"""Weights: one module per file format."""
