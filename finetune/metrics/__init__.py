"""Metrics of a segmentation: per image, and summarized over images."""
