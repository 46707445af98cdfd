"""Benchmark of models on the same images: results, tables, plot and recommendation."""
