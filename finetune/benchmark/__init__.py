"""Benchmark: many models on the same images, one table."""
