"""Inference: images in, label images out."""
