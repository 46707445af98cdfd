"""Targets: how a label image becomes training maps, and predicted maps a label image."""
